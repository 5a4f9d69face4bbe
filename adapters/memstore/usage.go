package memstore

import (
	"context"
	"time"

	"github.com/claviger-go/claviger/keystore"
)

// AddUsage adds the counts and keeps the later LastUsed of each id, in whole seconds. An id without a record is
// dropped; one that comes twice is added twice. Update keeps the usage of a record, Delete drops it.
func (s *Store) AddUsage(ctx context.Context, u []keystore.Usage) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range u {
		if e, ok := s.byID[u.ID]; ok {
			e.used += u.Count
			e.lastUsed = max(e.lastUsed, u.LastUsed.Truncate(time.Second).UnixMicro())
		}
	}
	return nil
}

// Usage returns what is known of ids, in their order. Those without a record and those never used are left out.
func (s *Store) Usage(ctx context.Context, ids []string) ([]keystore.Usage, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	var known []keystore.Usage
	for _, id := range ids {
		e, ok := s.byID[id]
		if !ok || e.used == 0 && e.lastUsed == never {
			continue
		}
		known = append(known, keystore.Usage{ID: e.id, Count: e.used, LastUsed: time.UnixMicro(e.lastUsed).UTC()})
	}
	return known, nil
}
