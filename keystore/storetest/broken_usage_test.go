package storetest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/claviger-go/claviger/keystore"
)

func brokenUsage() []brokenStore {
	return []brokenStore{
		{"usage moves the version", oneHandle(func(s full) keystore.KeyStore { return usageMoves{s} }), `
			KS2/EverythingAtOnce KS13/MovesNoVersion KS13/BesideUpdates KS13/SurvivesUpdate KS13/WakesNobody`, ""},
		{"usage wakes", oneHandle(func(s full) keystore.KeyStore { return &usageWakes{hub{full: s}} }), "KS13/WakesNobody", ""},
		{"usage keeps the last", brokenSum(func(sum, u keystore.Usage) keystore.Usage {
			u.Count, u.FirstUsed = sum.Count+u.Count, sum.Add(u).FirstUsed
			return u
		}), "KS13/KeepsTheLater KS13/KeepsTheEarlier KS13/Network KS13/SameIDTwice KS13/LargeBatch", "KS13/Concurrent"},
		{"usage keeps the first as it came", brokenSum(func(sum, u keystore.Usage) keystore.Usage {
			first := sum.FirstUsed
			if sum = sum.Add(u); !first.IsZero() {
				sum.FirstUsed = first
			}
			return sum
		}), "KS13/KeepsTheEarlier KS13/Network KS13/SameIDTwice KS13/LargeBatch", "KS13/Concurrent"},
		{"usage keeps the network of any use", brokenSum(func(sum, u keystore.Usage) keystore.Usage {
			sum = sum.Add(u)
			sum.Network = u.Network
			return sum
		}), "KS13/Network", ""},
		{"usage keeps a network for ever", brokenSum(func(sum, u keystore.Usage) keystore.Usage {
			before := sum.Network
			if sum = sum.Add(u); !sum.Network.IsValid() {
				sum.Network = before
			}
			return sum
		}), "KS13/Network", ""},
		{"usage of all secrets together", oneHandle(func(s full) keystore.KeyStore { return usageOfOneSecret{s} }), "KS13/SecretsApart", "KS13/WholeSeconds"},
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

// usageSums has a table of its own, and its own idea of a sum.
type usageSums struct {
	full

	add  func(sum, u keystore.Usage) keystore.Usage
	mu   sync.Mutex
	sums []keystore.Usage
}

func brokenSum(add func(sum, u keystore.Usage) keystore.Usage) Factory {
	return oneHandle(func(s full) keystore.KeyStore { return &usageSums{full: s, add: add} })
}

func (s *usageSums) AddUsage(ctx context.Context, u []keystore.Usage) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range u {
		u = keystore.Usage{}.Add(u)
		at := slices.IndexFunc(s.sums, func(sum keystore.Usage) bool { return sum.ID == u.ID && sum.Secret == u.Secret })
		if at < 0 {
			s.sums = append(s.sums, u)
			continue
		}
		s.sums[at] = s.add(s.sums[at], u)
	}
	return nil
}

func (s *usageSums) Usage(ctx context.Context, ids []string) ([]keystore.Usage, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var known []keystore.Usage
	for _, u := range s.sums {
		if slices.Contains(ids, u.ID) {
			known = append(known, u)
		}
	}
	return known, nil
}

// usageOfOneSecret knows nothing of rotation.
type usageOfOneSecret struct{ full }

func (s usageOfOneSecret) AddUsage(ctx context.Context, u []keystore.Usage) error {
	u = slices.Clone(u)
	for i := range u {
		u[i].Secret = 1
	}
	return s.full.AddUsage(ctx, u)
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
