package storetest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/claviger-go/claviger/keystore"
)

// hangs has a backend that can stop answering.
type hangs struct {
	full

	patient bool // waits for the backend, whatever becomes of ctx
	mu      sync.Mutex
	stuck   chan struct{} // closed when the backend answers again; nil while it does
}

func (s *hangs) wait(ctx context.Context) error {
	s.mu.Lock()
	stuck := s.stuck
	s.mu.Unlock()
	if stuck == nil {
		return ctx.Err()
	}
	if s.patient {
		<-stuck
		return nil
	}
	select {
	case <-stuck:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *hangs) hang() (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stuck := make(chan struct{})
	s.stuck = stuck
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		close(stuck)
		s.stuck = nil
	}
}

func (s *hangs) Lookup(ctx context.Context, id string) (keystore.Record, error) {
	if err := s.wait(ctx); err != nil {
		return keystore.Record{}, err
	}
	return s.full.Lookup(ctx, id)
}

func (s *hangs) Insert(ctx context.Context, r keystore.Record, q keystore.Quota) error {
	if err := s.wait(ctx); err != nil {
		return err
	}
	return s.full.Insert(ctx, r, q)
}

func (s *hangs) Update(ctx context.Context, r keystore.Record) error {
	if err := s.wait(ctx); err != nil {
		return err
	}
	return s.full.Update(ctx, r)
}

func (s *hangs) Delete(ctx context.Context, id string, version uint64) error {
	if err := s.wait(ctx); err != nil {
		return err
	}
	return s.full.Delete(ctx, id, version)
}

func (s *hangs) List(ctx context.Context, f keystore.Filter) (keystore.Page, error) {
	if err := s.wait(ctx); err != nil {
		return keystore.Page{}, err
	}
	return s.full.List(ctx, f)
}

func (s *hangs) Watch(ctx context.Context, changed func(ids ...string)) error {
	if err := s.wait(ctx); err != nil {
		return err
	}
	return s.full.Watch(ctx, changed)
}

func (s *hangs) AddUsage(ctx context.Context, u []keystore.Usage) error {
	if err := s.wait(ctx); err != nil {
		return err
	}
	return s.full.AddUsage(ctx, u)
}

func (s *hangs) Usage(ctx context.Context, ids []string) ([]keystore.Usage, error) {
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	return s.full.Usage(ctx, ids)
}

func (s *hangs) Take(ctx context.Context, id string, cost, limit time.Duration) (owed time.Duration, taken bool, err error) {
	if err := s.wait(ctx); err != nil {
		return 0, false, err
	}
	return s.full.Take(ctx, id, cost, limit)
}

func hanging(patient bool) *suite {
	s := quick(func(testing.TB) (store, other keystore.KeyStore) {
		store = &hangs{full: newMemory(), patient: patient}
		return store, store
	})
	s.Hang = func(_ testing.TB, store keystore.KeyStore) (release func()) { return store.(*hangs).hang() }
	s.patience = 200 * time.Millisecond
	return s
}

func TestHungStores(t *testing.T) {
	t.Parallel()
	hung := func(name string) bool { return strings.HasPrefix(name, "KS3/Hung") }
	if o := run(t, hanging(false), hung); len(o.passed) != len(methods()) {
		t.Errorf("of a store that honours ctx, pass %q and fail %q: want all %d", o.passed, o.failed, len(methods()))
	}
	if o := run(t, hanging(true), hung); len(o.failed) != len(methods()) {
		t.Errorf("of a store that waits for its backend, pass %q and fail %q: want all %d to fail", o.passed, o.failed, len(methods()))
	}
	saysNo := hanging(false)
	saysNo.factory = func(testing.TB) (store, other keystore.KeyStore) {
		store = &saysNoWhenHung{&hangs{full: newMemory()}}
		return store, store
	}
	saysNo.Hang = func(_ testing.TB, store keystore.KeyStore) (release func()) { return store.(*saysNoWhenHung).hang() }
	if o := run(t, saysNo, hung); !slices.Equal(o.failed, []string{"KS3/HungLookup"}) {
		t.Errorf("of a store whose Lookup takes an outage for a no, fail %q: want KS3/HungLookup", o.failed)
	}
}

type saysNoWhenHung struct{ *hangs }

func (s *saysNoWhenHung) Lookup(ctx context.Context, id string) (keystore.Record, error) {
	if err := s.wait(ctx); err != nil {
		return keystore.Record{}, keystore.ErrNotFound
	}
	return s.full.Lookup(ctx, id)
}
