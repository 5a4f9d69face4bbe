package memstore

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/claviger-go/claviger/keystore"
)

// used is a keystore.Usage without what its entry says already, and at little more than half its size.
type used struct {
	count       uint64
	first, last int64 // Unix seconds
	network     netip.Prefix
	secret      uint32
}

// neverUsed is the zero time in seconds.
const neverUsed = never / 1_000_000

func (u used) of(id string) keystore.Usage {
	return keystore.Usage{
		ID: id, Secret: u.secret, Count: u.count,
		FirstUsed: time.Unix(u.first, 0).UTC(), LastUsed: time.Unix(u.last, 0).UTC(), Network: u.network,
	}
}

// add is where a use of the entry's record is added.
func (e *entry) add(more keystore.Usage) {
	at := slices.IndexFunc(e.used, func(u used) bool { return u.secret == more.Secret })
	if at < 0 {
		at = len(e.used)
		e.used = append(e.used, used{secret: more.Secret, first: neverUsed, last: neverUsed})
	}
	sum := e.used[at].of(e.id).Add(more)
	e.used[at] = used{sum.Count, sum.FirstUsed.Unix(), sum.LastUsed.Unix(), sum.Network, sum.Secret}
}

// AddUsage adds each of u to what is known of its id and secret, as [keystore.Usage.Add] does. An id without a record is
// dropped; one that comes twice is added twice. Update keeps the usage of a record, Delete drops it.
func (s *Store) AddUsage(ctx context.Context, u []keystore.Usage) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range u {
		if e, ok := s.byID[u.ID]; ok && (u.Count != 0 || !u.LastUsed.IsZero()) {
			e.add(u)
		}
	}
	return nil
}

// Usage returns what is known of ids, in their order. Those without a record and secrets never used are left out.
func (s *Store) Usage(ctx context.Context, ids []string) ([]keystore.Usage, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	var known []keystore.Usage
	for _, id := range ids {
		if e, ok := s.byID[id]; ok {
			for _, u := range e.used {
				known = append(known, u.of(e.id))
			}
		}
	}
	return known, nil
}
