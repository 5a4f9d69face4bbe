package authtest

import (
	"context"
	"sync/atomic"

	"github.com/claviger-go/claviger/adapters/memstore"
	"github.com/claviger-go/claviger/keystore"
)

// Fault is how a [Store] fails. The zero value is not at all.
type Fault struct {
	Err   error // every call answers it
	Hang  bool  // every call waits until its context ends
	Panic any   // every call panics with it
}

// Store is a memory store that fails on demand: to see what a service answers
// while its keys cannot be read.
type Store struct {
	*memstore.Store
	fault atomic.Pointer[Fault]
}

// NewStore returns a store that works.
func NewStore() *Store { return &Store{Store: memstore.New()} }

// Fail makes every later call fail so, until the next Fail.
func (s *Store) Fail(f Fault) { s.fault.Store(&f) }

func (s *Store) failed(ctx context.Context) error {
	f := s.fault.Load()
	switch {
	case f == nil:
		return nil
	case f.Panic != nil:
		panic(f.Panic)
	case f.Hang:
		<-ctx.Done()
		return ctx.Err()
	}
	return f.Err
}

// Lookup implements [keystore.KeyStore].
func (s *Store) Lookup(ctx context.Context, id string) (keystore.Record, error) {
	if err := s.failed(ctx); err != nil {
		return keystore.Record{}, err
	}
	return s.Store.Lookup(ctx, id)
}

// Insert implements [keystore.AdminStore].
func (s *Store) Insert(ctx context.Context, r keystore.Record, q keystore.Quota) error {
	if err := s.failed(ctx); err != nil {
		return err
	}
	return s.Store.Insert(ctx, r, q)
}

// Update implements [keystore.AdminStore].
func (s *Store) Update(ctx context.Context, r keystore.Record) error {
	if err := s.failed(ctx); err != nil {
		return err
	}
	return s.Store.Update(ctx, r)
}

// Delete implements [keystore.AdminStore].
func (s *Store) Delete(ctx context.Context, id string, version uint64) error {
	if err := s.failed(ctx); err != nil {
		return err
	}
	return s.Store.Delete(ctx, id, version)
}

// List implements [keystore.AdminStore].
func (s *Store) List(ctx context.Context, f keystore.Filter) (keystore.Page, error) {
	if err := s.failed(ctx); err != nil {
		return keystore.Page{}, err
	}
	return s.Store.List(ctx, f)
}

// AddUsage implements [keystore.UsageStore].
func (s *Store) AddUsage(ctx context.Context, u []keystore.Usage) error {
	if err := s.failed(ctx); err != nil {
		return err
	}
	return s.Store.AddUsage(ctx, u)
}

// Usage implements [keystore.UsageStore].
func (s *Store) Usage(ctx context.Context, ids []string) ([]keystore.Usage, error) {
	if err := s.failed(ctx); err != nil {
		return nil, err
	}
	return s.Store.Usage(ctx, ids)
}

// Watch implements [keystore.Watcher]. One that is under way already goes on.
func (s *Store) Watch(ctx context.Context, changed func(ids ...string)) error {
	if err := s.failed(ctx); err != nil {
		return err
	}
	return s.Store.Watch(ctx, changed)
}
