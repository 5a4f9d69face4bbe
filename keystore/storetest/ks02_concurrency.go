package storetest

import (
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/claviger-go/claviger/keystore"
)

func concurrencyCases() []testCase {
	return []testCase{
		{"Lookups", anyStore, concurrentLookups},
		{"Inserts", adminStore, concurrentInserts},
		{"Updates", adminStore, concurrentUpdates},
		{"Deletes", adminStore, concurrentDeletes},
		{"WholeRecords", adminStore, wholeRecords},
		{"EverythingAtOnce", adminStore, everythingAtOnce},
	}
}

func concurrentLookups(t *trial) {
	held := t.put(t.key(alias("0a"), owner("x")), t.key(alias("0b"), owner("y")), t.key("c", owner("z")))
	together(contenders, func(w int) {
		for n := range 50 {
			want := held[(w+n)%len(held)]
			r, err := t.handle(w).Lookup(t.Context(), want.ID)
			if t.answer(err, nil, "Lookup of %q beside others", want.ID) {
				t.same(r, want, "Lookup of %q beside others", want.ID)
			}
		}
	})
}

func concurrentInserts(t *trial) {
	records := t.keys(4*contenders, "k%d")
	won := 0
	for n := range 4 {
		won += t.contest("Insert of different ids", nil, func(c int) error {
			return t.handle(c).admin.Insert(t.Context(), records[n*contenders+c], keystore.Quota{})
		})
	}
	if won == len(records) {
		for _, r := range records {
			t.here.holds(r, "after concurrent Inserts")
		}
	}
}

func concurrentUpdates(t *trial) {
	records := t.keys(contenders, "k%d")
	t.here.insert(records...)
	t.contest("Update of different ids", nil, func(c int) error {
		for range 4 {
			records[c].Op = t.op()
			if err := t.handle(c).admin.Update(t.Context(), records[c]); err != nil {
				return err
			}
			records[c].Version++
		}
		return nil
	})
	t.stopIfFailed()
	for _, r := range records {
		t.here.holds(r, "after concurrent Updates")
	}
}

func concurrentDeletes(t *trial) {
	for n := range 5 {
		id := strconv.Itoa(n)
		t.here.insert(t.key(id))
		t.contest("Delete of the same id", nil, func(c int) error { return t.handle(c).admin.Delete(t.Context(), id, 0) })
		t.there.lacks(id, "after concurrent Deletes")
	}
}

// No reader sees one half of an Update.
func wholeRecords(t *trial) {
	const last = 100
	stamp := func(r *keystore.Record) {
		r.Name = strconv.FormatUint(r.Version, 10)
		r.Owner, r.CreatedBy, r.Meta = r.Name, r.Name, map[string]string{"n": r.Name}
	}
	r := t.key("a")
	stamp(&r)
	t.here.insert(r)
	check := func(r keystore.Record, from string) {
		v := strconv.FormatUint(r.Version, 10)
		if r.Name != v || r.Owner != v || r.CreatedBy != v || r.Meta["n"] != v {
			t.wrongf("%s beside Updates: got a record put together from several versions: Version %s, Name %s, Owner %s, CreatedBy %s, Meta %v",
				from, v, r.Name, r.Owner, r.CreatedBy, r.Meta)
		}
	}
	var done atomic.Bool
	together(4, func(w int) {
		if w == 0 {
			defer done.Store(true)
			for ; r.Version < last; r.Version++ {
				next := r
				next.Version++
				stamp(&next)
				next.Version, next.Op = r.Version, t.op()
				if !t.answer(t.here.admin.Update(t.Context(), next), nil, "Update beside readers") {
					return
				}
			}
			return
		}
		for !done.Load() {
			r, err := t.handle(w).Lookup(t.Context(), "a")
			if !t.answer(err, nil, "Lookup beside Updates") {
				return
			}
			check(r, "Lookup")
			page, err := t.handle(w).admin.List(t.Context(), keystore.Filter{})
			if !t.answer(err, nil, "List beside Updates") {
				return
			}
			for _, r := range page.Records {
				check(r, "List")
			}
		}
	})
}

// Workers do everything on records of their own, which have to be as each left
// them, and quarrel over shared ones.
func everythingAtOnce(t *trial) {
	const workers, rounds = 8, 25
	together(workers, func(w int) {
		for n := range rounds {
			if !t.busyRound(w, n) {
				return
			}
		}
	})
	t.stopIfFailed()
	for w := range workers {
		name := strconv.Itoa(w)
		records := t.there.all(keystore.Filter{Owner: name})
		if len(records) != rounds-(rounds+2)/3 {
			t.wrongf("List of what worker %d inserted and did not delete: got %d records, want %d", w, len(records), rounds-(rounds+2)/3)
		}
		for _, r := range records {
			if r.Version != 2 || r.Name != "renamed" {
				t.wrongf("%s, updated once: got version %d and name %q, want 2 and \"renamed\"", r.ID, r.Version, r.Name)
			}
		}
	}
}

func (t *trial) busyRound(w, n int) bool {
	ctx, h := t.Context(), t.handle(w)
	r := t.key(fmt.Sprintf("w%dn%d", w, n), owner(strconv.Itoa(w)), created(n))
	ok := t.answer(h.admin.Insert(ctx, r, keystore.Quota{Max: 1000, Now: at(0)}), nil, "Insert of one's own record")
	r.Name, r.Op = "renamed", t.op()
	ok = ok && t.answer(h.admin.Update(ctx, r), nil, "Update of one's own record")
	found, err := h.Lookup(ctx, r.ID)
	ok = ok && t.answer(err, nil, "Lookup of one's own record")
	r.Version++
	if ok {
		t.same(found, r, "Lookup of one's own record")
	}
	if h.usage != nil {
		ok = ok && t.answer(h.usage.AddUsage(ctx, []keystore.Usage{use(r.ID, 1, n)}), nil, "AddUsage")
	}
	page, err := h.admin.List(ctx, keystore.Filter{Owner: r.Owner, Limit: 3})
	ok = ok && t.answer(err, nil, "List of one's own records")
	for _, listed := range page.Records {
		if listed.Owner != r.Owner {
			t.wrongf("List of the owner %q: got a record of %q", r.Owner, listed.Owner)
		}
	}
	if n%3 == 0 {
		ok = ok && t.answer(h.admin.Delete(ctx, r.ID, r.Version), nil, "Delete of one's own record")
	}

	shared := t.key(fmt.Sprintf("shared%d", n%5))
	if err := h.admin.Insert(ctx, shared, keystore.Quota{}); err != nil {
		ok = ok && t.answer(err, keystore.ErrExists, "Insert of a shared record")
	}
	if found, err := h.Lookup(ctx, shared.ID); err == nil {
		found.Op = t.op()
		if err := h.admin.Update(ctx, found); err != nil && !isAny(err, keystore.ErrConflict, keystore.ErrNotFound) {
			t.wrongf("Update of a shared record: got %s, want nil, keystore.ErrConflict or keystore.ErrNotFound", describe(err))
			return false
		}
	}
	return ok && t.answer(h.admin.Delete(ctx, shared.ID, 0), nil, "Delete of a shared record")
}
