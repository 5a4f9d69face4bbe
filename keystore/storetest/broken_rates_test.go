package storetest

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/claviger-go/claviger/keystore"
)

func brokenRates() []brokenStore {
	return []brokenStore{
		{"rates of each process", func(testing.TB) (store, other keystore.KeyStore) {
			s := newMemory()
			another := newMemory()
			another.Store = s.Store
			return s, another
		}, `KS16/RefusedAddsNothing KS16/SeenElsewhere KS16/CaseMatters KS16/OtherCosts KS16/LowerLimit
			KS16/Race KS16/MovesNoVersion`, "KS16/Melts"},
		{"rates count what they refuse", oneHandle(func(s full) keystore.KeyStore { return rateCountsRefused{s} }), `
			KS16/UpToTheLimit KS16/RefusedAddsNothing KS16/SeenElsewhere KS16/CaseMatters KS16/OtherCosts KS16/LowerLimit
			KS16/MovesNoVersion`, "KS16/Melts"},
		{"rates read, then write", oneHandle(func(s full) keystore.KeyStore { return &rateLosesUpdates{full: s, debts: map[string]time.Time{}} }), "KS16/Race", ""},
		{"rates in whole seconds", oneHandle(func(s full) keystore.KeyStore { return rateInSeconds{s} }), "KS16/Smallest", "KS16/Melts"},
		{"rates never melt", oneHandle(func(s full) keystore.KeyStore {
			return &rateLosesUpdates{full: s, debts: map[string]time.Time{}, stopped: true, always: true}
		}), "KS16/Melts", ""},
		{"rates fold case", oneHandle(func(s full) keystore.KeyStore { return rateFoldsCase{s} }), "KS16/CaseMatters", ""},
		{"rates keep the higher limit", oneHandle(func(s full) keystore.KeyStore {
			return &rateLosesUpdates{full: s, debts: map[string]time.Time{}, always: true, uncut: true}
		}), "KS16/LowerLimit", ""},
		{"rates look at no ctx", oneHandle(func(s full) keystore.KeyStore { return rateIgnoresCtx{s} }), "KS3/EndedTake", ""},
		{"a rate moves the version", oneHandle(func(s full) keystore.KeyStore { return rateMoves{s} }), "KS16/MovesNoVersion", "KS16/Race"},
	}
}

// rateCountsRefused punishes whoever goes on asking.
type rateCountsRefused struct{ full }

func (s rateCountsRefused) Take(ctx context.Context, id string, cost, limit time.Duration) (owed time.Duration, taken bool, err error) {
	owed, _, err = s.full.Take(ctx, id, cost, 1000*limit)
	return owed, owed <= limit, err
}

// rateLosesUpdates is a table of instants, read and written in two steps.
type rateLosesUpdates struct {
	full

	mu      sync.Mutex
	debts   map[string]time.Time
	always  bool // in one step
	stopped bool // by a clock that stands still
	uncut   bool
	first   time.Time
}

func (s *rateLosesUpdates) Take(ctx context.Context, id string, cost, limit time.Duration) (owed time.Duration, taken bool, err error) {
	if err := ctx.Err(); err != nil {
		return 0, false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.stopped {
		if s.first.IsZero() {
			s.first = now
		}
		now = s.first
	}
	owed = max(s.debts[id].Sub(now), 0)
	if !s.uncut {
		owed = min(owed, limit)
	}
	if !s.always {
		s.mu.Unlock()
		dawdle()
		s.mu.Lock()
	}
	if taken = owed+cost <= limit; taken {
		owed += cost
	}
	s.debts[id] = now.Add(owed)
	return owed, taken, nil
}

type rateInSeconds struct{ full }

func (s rateInSeconds) Take(ctx context.Context, id string, cost, limit time.Duration) (owed time.Duration, taken bool, err error) {
	return s.full.Take(ctx, id, max(cost.Round(time.Second), time.Second), max(limit.Round(time.Second), time.Second))
}

type rateFoldsCase struct{ full }

func (s rateFoldsCase) Take(ctx context.Context, id string, cost, limit time.Duration) (owed time.Duration, taken bool, err error) {
	return s.full.Take(ctx, strings.ToLower(id), cost, limit)
}

type rateIgnoresCtx struct{ full }

func (s rateIgnoresCtx) Take(ctx context.Context, id string, cost, limit time.Duration) (owed time.Duration, taken bool, err error) {
	return s.full.Take(context.WithoutCancel(ctx), id, cost, limit)
}

// rateMoves keeps what is owed in the record.
type rateMoves struct{ full }

func (s rateMoves) Take(ctx context.Context, id string, cost, limit time.Duration) (owed time.Duration, taken bool, err error) {
	if r, err := s.Lookup(ctx, id); err == nil {
		_ = s.Update(ctx, r)
	}
	return s.full.Take(ctx, id, cost, limit)
}
