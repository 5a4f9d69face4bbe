package memstore

import (
	"context"
	"fmt"
	"sync"

	"github.com/claviger-go/claviger/keystore"
)

var (
	_ keystore.AdminStore = (*Store)(nil)
	_ keystore.Watcher    = (*Store)(nil)
	_ keystore.UsageStore = (*Store)(nil)
)

// Store keeps records in memory.
//
// Make one with [New]; the zero value panics at the first Insert. It is safe for concurrent use and must not be copied.
// Every method first answers the error of a ctx that has ended, and then does nothing.
type Store struct {
	mu       sync.RWMutex
	byID     map[string]*entry
	byAge    index // every record
	byOwner  index // every record, also of the owner ""
	byParent index // records that have one

	hub hub // never locked while mu is held
}

// New returns an empty store.
func New() *Store {
	return &Store{
		byID:     make(map[string]*entry),
		byAge:    index{group: func(*entry) string { return "" }},
		byOwner:  index{group: func(e *entry) string { return e.owner }},
		byParent: index{group: func(e *entry) string { return e.parent }},
		hub:      hub{watchers: make(map[*watcher]struct{})},
	}
}

// Lookup returns the record with exactly this id, or [keystore.ErrNotFound]; a malformed id is one that no record has.
//
// The record is the caller's, with everything in it. It is decoded at each call, outside of all locks: about
// 10 µs.
func (s *Store) Lookup(ctx context.Context, id string) (keystore.Record, error) {
	if err := ctx.Err(); err != nil {
		return keystore.Record{}, err
	}
	c, ok := s.find(id)
	if !ok {
		return keystore.Record{}, keystore.ErrNotFound
	}
	return c.record()
}

func (s *Store) find(id string) (content, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	e, ok := s.byID[id]
	if !ok {
		return content{}, false
	}
	return e.content, true
}

func (s *Store) index(e *entry) {
	s.byAge.insert(e)
	s.byOwner.insert(e)
	if e.parent != "" {
		s.byParent.insert(e)
	}
}

func (s *Store) unindex(e *entry) {
	s.byAge.remove(e)
	s.byOwner.remove(e)
	if e.parent != "" {
		s.byParent.remove(e)
	}
}

// checkID is KS6. It does not repeat the id: a credential passed by mistake must not end up in a log.
func checkID(id string) error {
	if id == "" || len(id) > maxID {
		return fmt.Errorf("memstore: the id has %d bytes: want 1 to %d", len(id), maxID)
	}
	for i := range len(id) {
		c := id[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != ':' {
			return fmt.Errorf("memstore: the id has %q at byte %d: want only [0-9A-Za-z:]", c, i)
		}
	}
	return nil
}

const maxID = 80
