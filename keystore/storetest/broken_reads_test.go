package storetest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/claviger-go/claviger/keystore"
)

func brokenReads() []brokenStore {
	return []brokenStore{
		{"missing is no error", oneHandle(func(s full) keystore.KeyStore { return missingIsNil{s} }), "KS1/EmptyStore KS1/AmongOthers KS1/Deleted KS1/ThenInserted KS1/MalformedID", ""},
		{"missing is the driver's error", oneHandle(func(s full) keystore.KeyStore { return missingIsDrivers{s} }), "KS1/EmptyStore KS1/AmongOthers KS1/Deleted KS1/ThenInserted KS1/MalformedID", ""},
		{"missing is remembered", oneHandle(func(s full) keystore.KeyStore { return &remembersMissing{full: s, missing: map[string]bool{}} }), "KS1/ThenInserted KS4/Insert KS4/InsertElsewhere KS4/InsertedAgain", ""},
		{"ctx is dropped", oneHandle(func(s full) keystore.KeyStore { return dropsContext{s} }), "KS3/EndedLookup KS3/EndedInsert KS3/EndedList", ""},
		{"other handle reads a replica", laggingReplica, `
			KS4/UpdateElsewhere KS4/DeleteElsewhere KS4/RevocationElsewhere KS4/InTurns KS4/InsertedAgain`, `
			KS2/WholeRecords KS4/NoStepBack KS8/StaleElsewhere KS8/RevokedElsewhere KS8/EveryRetryCounts
			KS8/RevocationStands KS9/StaysDeleted KS11/StableWhileUpdating`},
		{"hides Watcher", oneHandle(func(s full) keystore.KeyStore { return hidesWatcher{s, s, s} }), "Capabilities/Watcher", ""},
		{"ids without case", oneHandle(func(s full) keystore.KeyStore { return &foldsCase{full: s, spelling: map[string]string{}} }), `
			KS1/MalformedID KS6/CaseMatters KS6/CaseMattersInMutations KS6/CaseOfAnAlias KS6/EveryCharacter
			KS6/TextNotNumber KS6/Lookalikes KS6/LookalikesInUpdate KS6/LookalikesInDelete
			KS6/LookalikesInInsert KS13/CaseMatters`, ""},
		{"ids padded", oneHandle(func(s full) keystore.KeyStore { return padsIDs{s} }), "KS1/MalformedID KS6/Lookalikes T-121/InIDs", ""},
		{"ids cut", oneHandle(func(s full) keystore.KeyStore { return cutsIDs{s} }), "KS6/Lookalikes", ""},
		{"hands out its own", oneHandle(func(s full) keystore.KeyStore { return &sharesRecords{full: s, kept: map[string]keystore.Record{}} }), "KS5/LookupResult", ""},
	}
}

type missingIsNil struct{ full }

func (s missingIsNil) Lookup(ctx context.Context, id string) (keystore.Record, error) {
	r, err := s.full.Lookup(ctx, id)
	if errors.Is(err, keystore.ErrNotFound) {
		return r, nil
	}
	return r, err
}

type missingIsDrivers struct{ full }

func (s missingIsDrivers) Lookup(ctx context.Context, id string) (keystore.Record, error) {
	r, err := s.full.Lookup(ctx, id)
	if errors.Is(err, keystore.ErrNotFound) {
		return r, errors.New("driver: no rows")
	}
	return r, err
}

type remembersMissing struct {
	full

	mu      sync.Mutex
	missing map[string]bool
}

func (s *remembersMissing) Lookup(ctx context.Context, id string) (keystore.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() == nil && s.missing[id] {
		return keystore.Record{}, keystore.ErrNotFound
	}
	r, err := s.full.Lookup(ctx, id)
	s.missing[id] = errors.Is(err, keystore.ErrNotFound)
	return r, err
}

type dropsContext struct{ full }

func (s dropsContext) Lookup(ctx context.Context, id string) (keystore.Record, error) {
	return s.full.Lookup(context.WithoutCancel(ctx), id)
}

func (s dropsContext) Insert(ctx context.Context, r keystore.Record, q keystore.Quota) error {
	return s.full.Insert(context.WithoutCancel(ctx), r, q)
}

func (s dropsContext) List(ctx context.Context, f keystore.Filter) (keystore.Page, error) {
	return s.full.List(context.WithoutCancel(ctx), f)
}

// lags answers with what it read the last time, once.
type lags struct {
	full

	mu   sync.Mutex
	last map[string]keystore.Record
}

func laggingReplica(testing.TB) (store, other keystore.KeyStore) { //nolint:ireturn // it is a Factory
	s := newMemory()
	return s, &lags{full: s, last: map[string]keystore.Record{}}
}

func (s *lags) Lookup(ctx context.Context, id string) (keystore.Record, error) {
	r, err := s.full.Lookup(ctx, id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if last, ok := s.last[id]; ok && ctx.Err() == nil && last.Version != r.Version {
		delete(s.last, id)
		return last, nil
	}
	if err == nil {
		s.last[id] = r
	}
	return r, err
}

type hidesWatcher struct {
	keystore.AdminStore
	keystore.UsageStore
	keystore.RateStore
}

// foldsCase compares ids as MySQL's usual collations do.
type foldsCase struct {
	full

	mu       sync.Mutex
	spelling map[string]string // of the id that was inserted first
}

func (s *foldsCase) spelled(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.spelling[strings.ToLower(id)]; ok {
		return known
	}
	return id
}

func (s *foldsCase) Lookup(ctx context.Context, id string) (keystore.Record, error) {
	return s.full.Lookup(ctx, s.spelled(id))
}

func (s *foldsCase) Insert(ctx context.Context, r keystore.Record, q keystore.Quota) error {
	stored := r
	if stored.ID = s.spelled(r.ID); stored.ID != r.ID {
		if _, err := s.full.Lookup(ctx, stored.ID); err == nil {
			return keystore.ErrExists
		}
	}
	s.mu.Lock()
	s.spelling[strings.ToLower(r.ID)] = r.ID
	s.mu.Unlock()
	return s.full.Insert(ctx, r, q)
}

func (s *foldsCase) Update(ctx context.Context, r keystore.Record) error {
	r.ID = s.spelled(r.ID)
	return s.full.Update(ctx, r)
}

func (s *foldsCase) Delete(ctx context.Context, id string, version uint64) error {
	return s.full.Delete(ctx, s.spelled(id), version)
}

// padsIDs ignores trailing spaces, as even utf8mb4_bin does.
type padsIDs struct{ full }

func (s padsIDs) Lookup(ctx context.Context, id string) (keystore.Record, error) {
	return s.full.Lookup(ctx, strings.TrimRight(id, " "))
}

type cutsIDs struct{ full }

func (s cutsIDs) Lookup(ctx context.Context, id string) (keystore.Record, error) {
	return s.full.Lookup(ctx, id[:min(len(id), 80)])
}

// sharesRecords keeps decoded records and hands them out as they are.
type sharesRecords struct {
	full

	mu   sync.Mutex
	kept map[string]keystore.Record
}

func (s *sharesRecords) Lookup(ctx context.Context, id string) (keystore.Record, error) {
	r, err := s.full.Lookup(ctx, id)
	if err != nil {
		return r, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.kept[id]; ok && known.Op == r.Op && known.Version == r.Version {
		return known, nil
	}
	s.kept[id] = r
	return r, nil
}
