package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/claviger-go/claviger/keystore"
)

func watchCases() []testCase {
	return []testCase{
		{"SaysThatItListens", watcher, saysThatItListens},
		{"ReportsUpdate", adminStore | watcher, func(t *trial) { t.reports(t.here, update) }},
		{"ReportsUpdateElsewhere", adminStore | watcher, func(t *trial) { t.reports(t.there, update) }},
		{"ReportsRevocation", adminStore | watcher, func(t *trial) { t.reports(t.here, revoke) }},
		{"ReportsRevocationElsewhere", adminStore | watcher, func(t *trial) { t.reports(t.there, revoke) }},
		{"ReportsDelete", adminStore | watcher, func(t *trial) { t.reports(t.here, remove) }},
		{"ReportsDeleteElsewhere", adminStore | watcher, func(t *trial) { t.reports(t.there, remove) }},
		{"EveryWatcher", adminStore | watcher, everyWatcherHears},
		{"WatchAgain", adminStore | watcher, watchAgain},
		{"NothingIsMissed", adminStore | watcher, nothingIsMissed},
		{"WhatIsToldIsVisible", adminStore | watcher, whatIsToldIsVisible},
		{"EndsWithItsContext", watcher, watchEndsWithContext},
		{"EndsAtItsDeadline", watcher, watchEndsAtDeadline},
		{"SilentOnceEnded", adminStore | watcher, silentOnceEnded},
		{"WatchersComeAndGo", adminStore | watcher, watchersComeAndGo},
	}
}

func update(h *handle, r keystore.Record) { h.update(r) }
func remove(h *handle, r keystore.Record) { h.remove(r.ID) }
func revoke(h *handle, r keystore.Record) {
	revoked(&r)
	h.update(r)
}

// What happened while nobody listened is told by nobody else; and whoever was told
// that a Watch listens misses nothing from then on.
func saysThatItListens(t *trial) {
	r := t.put(t.key(alias("0a")))[0]
	for n := range 3 {
		ear := t.handle(n).watch(func([]string) {})
		if !ear.hears(0, "", t.suite.WatchDelay) {
			t.wrongf("Watch number %d, and no mutation: has not called changed() for %v", n+1, t.suite.WatchDelay)
			return
		}
		if t.suite.AdminStore {
			since := ear.mark()
			r = t.there.update(r)
			t.hears(ear, since, r.ID, "an Update right after its first call")
		}
		ear.end()
	}
}

func (t *trial) reports(from *handle, mutate func(*handle, keystore.Record)) {
	ear := t.here.listen()
	for _, r := range append(t.keys(2, "k%d"), t.key(alias("0a"))) {
		t.here.insert(r)
		since := ear.mark()
		mutate(from, r)
		t.hears(ear, since, r.ID, "a mutation through %s", from.name)
		t.stopIfFailed()
	}
}

func everyWatcherHears(t *trial) {
	var ears []*ear
	for n := range 4 {
		ears = append(ears, t.handle(n).listen())
	}
	for n, r := range t.keys(3, "k%d") {
		t.here.insert(r)
		var marks []int
		for _, e := range ears {
			marks = append(marks, e.mark())
		}
		remove(t.handle(n), r)
		for i, e := range ears {
			t.hears(e, marks[i], r.ID, "a Delete, by watcher %d of %d", i+1, len(ears))
		}
		t.stopIfFailed()
	}
}

// Keys calls Watch again when it has returned.
func watchAgain(t *trial) {
	for n := range 3 {
		ear := t.here.listen()
		r := t.key(fmt.Sprintf("k%d", n))
		t.here.insert(r)
		since := ear.mark()
		t.there.update(r)
		t.hears(ear, since, r.ID, "an Update, by Watch number %d", n+1)
		ear.end()
	}
}

// Writers that overtake each other leave no gap: what gets a lower number may
// commit later.
func nothingIsMissed(t *trial) {
	const writers, each = 8, 25
	ears := []*ear{t.here.listen(), t.there.listen()}
	records := t.keys(writers*each, "k%d")
	t.fill(records)
	marks := make([][2]int, len(records))
	t.contestOf(writers, "Update or Delete beside others", nil, func(w int) error {
		h := t.handle(w)
		for n := w * each; n < (w+1)*each; n++ {
			marks[n] = [2]int{ears[0].mark(), ears[1].mark()}
			r := records[n]
			r.Op = t.op()
			if err := h.admin.Update(t.Context(), r); err != nil {
				return err
			}
			if n%2 == 1 {
				marks[n] = [2]int{ears[0].mark(), ears[1].mark()}
				if err := h.admin.Delete(t.Context(), r.ID, r.Version+1); err != nil {
					return err
				}
			}
		}
		return nil
	})
	for n, r := range records {
		for i, e := range ears {
			t.hears(e, marks[n][i], r.ID, "%d writers at once, watcher %d", writers, i+1)
		}
		t.stopIfFailed()
	}
}

// Who acts on what is told ends up with the last version.
func whatIsToldIsVisible(t *trial) {
	const last = 50
	ear := t.here.listen()
	r := t.key("a")
	t.here.insert(r)
	var seen keystore.Record
	following := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), t.suite.WatchDelay+time.Minute)
	defer cancel()
	since := ear.mark()
	go func() { following <- t.follow(ctx, ear, since, "a", last, &seen) }()
	for range last - 1 {
		r = t.there.update(r)
	}
	select {
	case err := <-following:
		t.answer(err, nil, "Lookup of what Watch told")
	case <-time.After(t.suite.WatchDelay):
		cancel()
		err := <-following
		t.wrongf("Lookup at each report of Watch: got version %d at the last one, want %d, %v after it was stored (%v)",
			seen.Version, last, t.suite.WatchDelay, err)
	}
}

// follow looks a record up each time it is told of, until it has this version.
func (t *trial) follow(ctx context.Context, e *ear, mark int, id string, until uint64, seen *keystore.Record) error {
	for {
		calls := e.mark()
		if e.told(mark, id) {
			r, err := t.here.Lookup(ctx, id)
			if err != nil {
				return err
			}
			if *seen = r; r.Version == until {
				return nil
			}
			mark = calls
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-e.news:
		}
	}
}

func watchEndsWithContext(t *trial) {
	for range 3 {
		begin := t.here.listen
		if !t.suite.AdminStore {
			begin = func() *ear { return t.here.watch(func([]string) {}) }
		}
		e := begin()
		e.end()
		select {
		case <-e.ended:
			if !errors.Is(e.err, context.Canceled) {
				t.wrongf("Watch whose ctx was canceled: got %v, want %v", e.err, context.Canceled)
			}
		default:
			t.wrongf("Watch whose ctx was canceled: has not returned %v later", t.suite.patience)
		}
	}
}

func watchEndsAtDeadline(t *trial) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- t.here.watcher.Watch(ctx, func(...string) {}) }()
	select {
	case err := <-ended:
		if !errors.Is(err, context.DeadlineExceeded) {
			t.wrongf("Watch whose deadline passed: got %v, want %v", err, context.DeadlineExceeded)
		}
	case <-time.After(t.suite.patience):
		t.wrongf("Watch whose deadline passed: has not returned %v later", t.suite.patience)
	}
}

// Nobody is called once Watch has returned: who passed changed may be gone.
func silentOnceEnded(t *trial) {
	ended, other := t.here.listen(), t.here.listen()
	ended.end()
	mark := ended.mark()
	for _, r := range t.keys(3, "k%d") {
		t.here.insert(r)
		since := other.mark()
		t.there.remove(r.ID)
		t.hears(other, since, r.ID, "a Delete")
	}
	if ended.speaks(mark, 50*time.Millisecond) {
		t.wrongf("Watch once it has returned: called changed with %q", ended.since(mark)[0])
	}
}

func watchersComeAndGo(t *trial) {
	ctx, stop := context.WithCancel(t.Context())
	var guests sync.WaitGroup
	for n := range 4 {
		guests.Go(func() {
			for ctx.Err() == nil {
				short, leave := context.WithTimeout(ctx, time.Millisecond)
				_ = t.handle(n).watcher.Watch(short, func(...string) {})
				leave()
			}
		})
	}
	ear := t.here.listen()
	for n, r := range t.keys(5, "k%d") {
		t.here.insert(r)
		since := ear.mark()
		remove(t.handle(n), r)
		t.hears(ear, since, r.ID, "a Delete, while others come and go")
	}
	stop()
	guests.Wait()
}
