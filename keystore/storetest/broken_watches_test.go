package storetest

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/claviger-go/claviger/keystore"
)

func brokenWatches() []brokenStore {
	return []brokenStore{
		{"Watch begins in silence", oneHandle(func(s full) keystore.KeyStore { return beginsInSilence{s} }), "KS12/SaysThatItListens", ""},
		{"Watch speaks before it listens", oneHandle(func(s full) keystore.KeyStore { return &speaksTooEarly{hub{full: s}} }), "KS12/SaysThatItListens", `
			KS5/WatchIDs KS12/ReportsUpdate KS12/ReportsUpdateElsewhere KS12/ReportsRevocation
			KS12/ReportsRevocationElsewhere KS12/ReportsDelete KS12/ReportsDeleteElsewhere KS12/EveryWatcher
			KS12/WatchAgain KS12/NothingIsMissed KS12/WhatIsToldIsVisible KS12/SilentOnceEnded
			KS12/WatchersComeAndGo`},
		{"Watch misses Deletes", oneHandle(func(s full) keystore.KeyStore { return &missesDeletes{hub{full: s}} }), `
			KS12/ReportsDelete KS12/ReportsDeleteElsewhere KS12/EveryWatcher KS12/NothingIsMissed
			KS12/SilentOnceEnded KS12/WatchersComeAndGo`, ""},
		{"Watch misses the other handle", twoHubs, `
			KS12/ReportsUpdateElsewhere KS12/ReportsRevocationElsewhere KS12/ReportsDeleteElsewhere
			KS12/EveryWatcher KS12/WatchAgain KS12/NothingIsMissed KS12/WhatIsToldIsVisible KS12/SilentOnceEnded
			KS12/WatchersComeAndGo KS12/SaysThatItListens KS13/WakesNobody`, ""},
		{"Watch misses what is overtaken", oneHandle(func(s full) keystore.KeyStore { return &missesOvertaken{hub: hub{full: s}} }), "KS12/NothingIsMissed", ""},
		{"Watch tells too early", oneHandle(func(s full) keystore.KeyStore { return &tellsTooEarly{hub{full: s}} }), "KS12/WhatIsToldIsVisible", ""},
		{"Watch serves one", oneHandle(func(s full) keystore.KeyStore { return &servesOne{hub{full: s}} }), "KS12/EveryWatcher KS12/NothingIsMissed", "KS12/WatchersComeAndGo KS12/SilentOnceEnded"},
		{"Watch ends without an error", oneHandle(func(s full) keystore.KeyStore { return endsWithNil{s} }), "KS3/EndedWatch KS12/EndsWithItsContext KS12/EndsAtItsDeadline", ""},
		{"Watch goes on", oneHandle(func(s full) keystore.KeyStore { return goesOn{s} }), "KS12/SilentOnceEnded", ""},
		{"Watch shares its ids", oneHandle(func(s full) keystore.KeyStore { return &sharesIDs{hub{full: s}} }), "KS5/WatchIDs", ""},
	}
}

// hub tells of mutations itself, on the goroutine that made them.
type hub struct {
	full

	mu       sync.Mutex
	next     int
	watchers map[int]func(ids ...string)
}

func (h *hub) Watch(ctx context.Context, changed func(ids ...string)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	h.mu.Lock()
	if h.watchers == nil {
		h.watchers = map[int]func(ids ...string){}
	}
	h.next++
	n := h.next
	h.watchers[n] = changed
	h.mu.Unlock()
	changed()
	<-ctx.Done()
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.watchers, n)
	return ctx.Err()
}

func (h *hub) tell(ids ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, n := range slices.Sorted(maps.Keys(h.watchers)) {
		h.watchers[n](slices.Clone(ids)...)
	}
}

func (h *hub) Update(ctx context.Context, r keystore.Record) error {
	err := h.full.Update(ctx, r)
	if err == nil {
		h.tell(r.ID)
	}
	return err
}

func (h *hub) Delete(ctx context.Context, id string, version uint64) error {
	err := h.full.Delete(ctx, id, version)
	if err == nil {
		h.tell(id)
	}
	return err
}

type beginsInSilence struct{ full }

func (s beginsInSilence) Watch(ctx context.Context, changed func(ids ...string)) error {
	var begun atomic.Bool
	return s.full.Watch(ctx, func(ids ...string) {
		if begun.Swap(true) {
			changed(ids...)
		}
	})
}

// speaksTooEarly does not hear the first news.
type speaksTooEarly struct{ hub }

func (s *speaksTooEarly) Watch(ctx context.Context, changed func(ids ...string)) error {
	var listening atomic.Bool
	return s.hub.Watch(ctx, func(ids ...string) {
		if len(ids) == 0 || listening.Swap(true) {
			changed(ids...)
		}
	})
}

type missesDeletes struct{ hub }

func (s *missesDeletes) Delete(ctx context.Context, id string, version uint64) error {
	return s.full.Delete(ctx, id, version)
}

// missesOvertaken forgets what began before something else that has ended by
// now, as a poll by an auto-increment does.
type missesOvertaken struct {
	hub

	begun, latest atomic.Int64
}

func (s *missesOvertaken) Update(ctx context.Context, r keystore.Record) error {
	number := s.begun.Add(1)
	dawdle()
	err := s.full.Update(ctx, r)
	s.mu.Lock()
	seen := number > s.latest.Load()
	if seen {
		s.latest.Store(number)
	}
	s.mu.Unlock()
	if err == nil && seen {
		s.tell(r.ID)
	}
	return err
}

type tellsTooEarly struct{ hub }

func (s *tellsTooEarly) Update(ctx context.Context, r keystore.Record) error {
	s.tell(r.ID)
	dawdle()
	return s.full.Update(ctx, r)
}

// servesOne replaces the watcher it had.
type servesOne struct{ hub }

func (s *servesOne) Watch(ctx context.Context, changed func(ids ...string)) error {
	s.mu.Lock()
	clear(s.watchers)
	s.mu.Unlock()
	return s.hub.Watch(ctx, changed)
}

type endsWithNil struct{ full }

func (s endsWithNil) Watch(ctx context.Context, changed func(ids ...string)) error {
	_ = s.full.Watch(ctx, changed)
	return nil
}

// goesOn leaves a goroutine behind that calls changed.
type goesOn struct{ full }

func (s goesOn) Watch(ctx context.Context, changed func(ids ...string)) error {
	go func() { _ = s.full.Watch(context.WithoutCancel(ctx), changed) }()
	<-ctx.Done()
	return ctx.Err()
}

// twoHubs are handles that hear only of their own mutations.
func twoHubs(testing.TB) (store, other keystore.KeyStore) { //nolint:ireturn // it is a Factory
	s := newMemory()
	return &hub{full: s}, &hub{full: s}
}

// sharesIDs hands all watchers the same slice.
type sharesIDs struct{ hub }

func (s *sharesIDs) Update(ctx context.Context, r keystore.Record) error {
	err := s.full.Update(ctx, r)
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		ids := []string{r.ID}
		for _, n := range slices.Sorted(maps.Keys(s.watchers)) {
			s.watchers[n](ids...)
		}
	}
	return err
}
