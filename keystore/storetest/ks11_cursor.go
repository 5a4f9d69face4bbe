package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/claviger-go/claviger/keystore"
)

func cursorCases() []testCase {
	return []testCase{
		{"CursorOutlivesItsRecord", adminStore, cursorOutlivesItsRecord},
		{"CursorServesTwice", adminStore, cursorServesTwice},
		{"CursorServesElsewhere", adminStore, cursorServesElsewhere},
		{"CursorWithAnotherLimit", adminStore, cursorWithAnotherLimit},
		{"MalformedCursors", adminStore, malformedCursors},
		{"ForeignCursors", adminStore, foreignCursors},
		{"StableWhileInserting", adminStore, func(t *trial) { t.stableWhile(t.insertOthers) }},
		{"StableWhileDeleting", adminStore, func(t *trial) { t.stableWhile(t.deleteOthers) }},
		{"StableWhileUpdating", adminStore, func(t *trial) { t.stableWhile(t.updateAll) }},
		{"StableUnderLoad", adminStore, stableUnderLoad},
	}
}

func cursorOutlivesItsRecord(t *trial) {
	t.here.insert(t.keys(10, "k%d")...)
	page := t.here.list(keystore.Filter{Limit: 4})
	for _, r := range page.Records {
		t.there.remove(r.ID)
	}
	next := fmt.Sprintf("k%d", 9-len(page.Records))
	t.there.remove(next)
	t.here.insert(t.key("new", created(99)))
	want := ids(only(t.keys(9-len(page.Records), "k%d"), func(*keystore.Record) bool { return true }))
	if got := ids(t.here.all(keystore.Filter{Limit: 4, After: page.Next})); !slices.Equal(got, want) {
		t.wrongf("List with a cursor, after the first page's records and the next were deleted: got %q, want %q", got, want)
	}
}

func cursorServesTwice(t *trial) {
	t.here.insert(t.keys(10, "k%d")...)
	f := keystore.Filter{Limit: 3}
	f.After = t.here.list(f).Next
	first := t.here.list(f)
	t.here.all(f)
	second := t.here.list(f)
	if !slices.Equal(ids(first.Records), ids(second.Records)) {
		t.wrongf("List with one cursor: got %q, and the second time %q", ids(first.Records), ids(second.Records))
	}
}

// The next page is asked for in whatever process the request reaches.
func cursorServesElsewhere(t *trial) {
	records := t.keys(20, "k%d")
	t.here.insert(records...)
	var got []keystore.Record
	f := keystore.Filter{Limit: 3}
	for n := 0; n == 0 || f.After != "" && n < 30; n++ {
		page := t.handle(n).list(f)
		got = append(got, page.Records...)
		f.After = page.Next
	}
	t.exactly(got, records, "List, each page through another handle than the one before")
}

func cursorWithAnotherLimit(t *trial) {
	records := t.keys(30, "k%d")
	t.here.insert(records...)
	var got []keystore.Record
	f := keystore.Filter{}
	for limit := 1; limit == 1 || f.After != "" && limit < 40; limit++ {
		f.Limit = limit
		page := t.here.list(f)
		got = append(got, page.Records...)
		f.After = page.Next
	}
	t.exactly(got, records, "List with a Limit that grows from page to page")
}

// What no store has made is an error or an empty page.
func malformedCursors(t *trial) {
	t.here.insert(t.keys(5, "k%d")...)
	for _, after := range []string{
		"garbage", " ", "%00", "\x00", "\xff\xfe", "é", "{}", "[]", "../../etc/passwd", "' OR 1=1 --", `" OR ""="`, "$1", "?", "*", "%",
		"]] return redis.call('FLUSHALL') --", strings.Repeat("A", 1<<16), strings.Repeat("9", 400), strings.Repeat("é", 1000),
	} {
		page, err := t.here.admin.List(t.Context(), keystore.Filter{After: after})
		t.cannotAnswer(err, "List with the malformed cursor %q", cut(after))
		if len(page.Records) > 0 {
			t.wrongf("List with the malformed cursor %q: got %q, want an error or an empty page", cut(after), ids(page.Records))
		}
	}
	if left := t.here.all(keystore.Filter{}); len(left) != 5 {
		t.wrongf("List after malformed cursors: got %d records, want 5", len(left))
	}
}

// A cursor of another filter, and one that was altered, reach nothing that the
// filter they come with does not match.
func foreignCursors(t *trial) {
	t.here.insert(t.keys(10, "mine%d", owner("me"))...)
	t.here.insert(t.keys(10, "yours%d", owner("you"))...)
	next := t.here.list(keystore.Filter{Owner: "you", Limit: 3}).Next
	if next == "" {
		t.wrongf("List of 3 of 10 records: got no cursor")
		return
	}
	altered := []string{next, next + "A", "A" + next, next[1:], next[:len(next)-1], strings.ToUpper(next), strings.ToLower(next), next + next}
	for at := range min(len(next), 64) {
		altered = append(altered, next[:at]+string(rune(next[at]^1))+next[at+1:])
	}
	for _, after := range altered {
		for _, f := range []keystore.Filter{{Owner: "me", After: after}, {Owner: "nobody", After: after}, {Parent: "mine1", After: after}} {
			page, err := t.there.admin.List(t.Context(), f)
			t.cannotAnswer(err, "List with the cursor %q of another filter, or altered", cut(after))
			for _, r := range page.Records {
				if !matches(&f, &r) {
					t.wrongf("List %+v, with a cursor that was made for the owner \"you\": got a record of %q", f, r.Owner)
				}
			}
		}
	}
}

// stableWhile lists, and lets others write between the pages. The records that
// last all the time come exactly once, and in order.
func (t *trial) stableWhile(write func(page int)) {
	lasting := t.keys(60, "lasting%d")
	t.here.insert(lasting...)
	t.here.insert(t.keys(60, "other%d")...)
	page := 0
	got := t.here.walk(keystore.Filter{Limit: 7}, func() {
		if page < 100 { // a cursor that slips must not be fed for ever
			write(page)
		}
		page++
	})
	t.lasts(got, len(lasting))
}

// lasts checks the ids and the order of what lasted: versions move.
func (t *trial) lasts(got []keystore.Record, lasting int) {
	t.Helper()
	var want []string
	for n := lasting - 1; n >= 0; n-- {
		want = append(want, fmt.Sprintf("lasting%d", n))
	}
	kept := slices.DeleteFunc(ids(got), func(id string) bool { return !strings.HasPrefix(id, "lasting") })
	if !slices.Equal(kept, want) {
		counted := map[string]int{}
		for _, id := range kept {
			counted[id]++
		}
		for _, id := range want {
			if counted[id] != 1 {
				t.wrongf("List beside writers: %q was there all the time and came %d times, want once", id, counted[id])
				return
			}
		}
		t.wrongf("List beside writers: got the records that lasted in another order than the newest first")
	}
}

func (t *trial) insertOthers(page int) {
	for n := range 10 {
		// Older and newer than everything, and in between.
		t.there.insert(t.key(fmt.Sprintf("p%dn%d", page, n), created(n*7-1)))
	}
}

func (t *trial) deleteOthers(page int) {
	// Each once: 7 and 60 have no common factor.
	for n := 3 * page; n < 3*page+3 && n < 60; n++ {
		t.there.remove(fmt.Sprintf("other%d", n*7%60))
	}
}

func (t *trial) updateAll(page int) {
	for n := range 10 {
		id := fmt.Sprintf("lasting%d", (page*13+n*6)%60)
		r := t.there.lookup(id)
		r.Name = t.op()
		t.there.update(r)
	}
}

func stableUnderLoad(t *trial) {
	const lasting = 400
	t.fill(t.keys(lasting, "lasting%d"))
	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	defer writers.Wait()
	defer stop()
	for w := range 2 {
		h := t.handle(w)
		writers.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				// Answers are not judged: the ctx ends when the listing does.
				_ = h.admin.Insert(ctx, t.key(fmt.Sprintf("w%dn%d", w, n%100), created(t.below(lasting))), keystore.Quota{})
				if r, err := h.Lookup(ctx, fmt.Sprintf("lasting%d", t.below(lasting))); err == nil {
					r.Op = t.op()
					_ = h.admin.Update(ctx, r)
				}
				_ = h.admin.Delete(ctx, fmt.Sprintf("w%dn%d", w, t.below(100)), 0)
			}
		})
	}
	for _, f := range []keystore.Filter{{Limit: 7}, {Limit: 1000}, {Limit: 50, Owner: "acct_4711aaa"}} {
		t.lasts(t.there.walk(f, func() {}), lasting)
	}
}
