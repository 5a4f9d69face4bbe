package storetest

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/claviger-go/claviger/keystore"
)

func brokenUsage() []brokenStore {
	return []brokenStore{
		{"usage moves the version", oneHandle(func(s full) keystore.KeyStore { return usageMoves{s} }), `
			KS2/EverythingAtOnce KS13/MovesNoVersion KS13/BesideUpdates KS13/SurvivesUpdate KS13/WakesNobody`, ""},
		{"usage wakes", oneHandle(func(s full) keystore.KeyStore { return &usageWakes{hub{full: s}} }), "KS13/WakesNobody", ""},
		{"usage keeps the last", oneHandle(func(s full) keystore.KeyStore { return &usageKeepsLast{full: s} }), "KS13/KeepsTheLater KS13/SameIDTwice KS13/LargeBatch", "KS13/Concurrent"},
		{"usage reads, adds, then writes", oneHandle(func(s full) keystore.KeyStore { return &usageLosesUpdates{full: s} }), "KS13/Concurrent", "KS13/BesideUpdates"},
		{"usage of the unused", oneHandle(func(s full) keystore.KeyStore { return usageOfUnused{s} }), "KS13/UnusedIsLeftOut KS13/Nothing", ""},
		{"usage has a limit", oneHandle(func(s full) keystore.KeyStore { return usageHasLimit{s} }), "KS13/LargeBatch", ""},
		{"usage refuses unknown ids", oneHandle(func(s full) keystore.KeyStore { return usageRefusesUnknown{s} }), "KS13/UnknownIDs", ""},
	}
}

// usageMoves writes the whole record back to count a use.
type usageMoves struct{ full }

func (s usageMoves) AddUsage(ctx context.Context, u []keystore.Usage) error {
	for _, u := range u {
		for {
			r, err := s.Lookup(ctx, u.ID)
			if err != nil || !r.Revoked.IsZero() {
				break
			}
			if err := s.Update(ctx, r); err == nil {
				break
			}
		}
	}
	return s.full.AddUsage(ctx, u)
}

type usageWakes struct{ hub }

func (s *usageWakes) AddUsage(ctx context.Context, u []keystore.Usage) error {
	for _, u := range u {
		s.tell(u.ID)
	}
	return s.full.AddUsage(ctx, u)
}

// usageKeepsLast has a table of its own, and no greatest() in it.
type usageKeepsLast struct {
	full

	mu   sync.Mutex
	last map[string]keystore.Usage
}

func (s *usageKeepsLast) AddUsage(ctx context.Context, u []keystore.Usage) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		s.last = map[string]keystore.Usage{}
	}
	for _, u := range u {
		u.Count += s.last[u.ID].Count
		u.LastUsed = u.LastUsed.UTC()
		s.last[u.ID] = u
	}
	return nil
}

func (s *usageKeepsLast) Usage(ctx context.Context, ids []string) ([]keystore.Usage, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var known []keystore.Usage
	for _, id := range ids {
		if u, ok := s.last[id]; ok {
			known = append(known, u)
		}
	}
	return known, nil
}

// usageLosesUpdates forgets a batch that comes beside another.
type usageLosesUpdates struct {
	full

	busy sync.Mutex
}

func (s *usageLosesUpdates) AddUsage(ctx context.Context, u []keystore.Usage) error {
	if !s.busy.TryLock() {
		return ctx.Err()
	}
	defer s.busy.Unlock()
	dawdle()
	return s.full.AddUsage(ctx, u)
}

type usageOfUnused struct{ full }

func (s usageOfUnused) Usage(ctx context.Context, ids []string) ([]keystore.Usage, error) {
	known, err := s.full.Usage(ctx, ids)
	if err == nil && len(known) < len(ids) && len(ids) < 10 {
		known = append(known, keystore.Usage{ID: ids[len(ids)-1]})
	}
	return known, err
}

type usageHasLimit struct{ full }

func (s usageHasLimit) AddUsage(ctx context.Context, u []keystore.Usage) error {
	if len(u) > 999 {
		return errors.New("driver: too many parameters")
	}
	return s.full.AddUsage(ctx, u)
}

type usageRefusesUnknown struct{ full }

func (s usageRefusesUnknown) AddUsage(ctx context.Context, u []keystore.Usage) error {
	for _, u := range u {
		if strings.HasPrefix(u.ID, "unknown") {
			continue
		}
		if _, err := s.Lookup(ctx, u.ID); err != nil {
			return err
		}
	}
	return s.full.AddUsage(ctx, u)
}
