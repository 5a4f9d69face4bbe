package storetest

import (
	"context"
	"errors"
	"sync"

	"github.com/claviger-go/claviger/keystore"
)

func brokenMutations() []brokenStore {
	return []brokenStore{
		{"Insert overwrites", oneHandle(func(s full) keystore.KeyStore { return &overwrites{full: s} }), `
			KS7/ExistingID KS7/ExistingDeadRecord KS7/ExistingIDWithinQuota KS7/OneOfManyInserts
			KS7/QuotaPlaceNotTakenByRefused KS15/InsertTwice KS15/InsertOnceUpdated KS15/WithoutOp`, ""},
		{"Update at any version", oneHandle(func(s full) keystore.KeyStore { return &anyVersion{full: s} }), `
			KS7/QuotaPlaceKeptByUpdate KS8/StaleVersion KS8/FutureVersion KS8/VersionFarBehind
			KS8/VersionOffByOneInSixteenDigits KS8/StaleElsewhere KS8/NothingWrittenWhenRefused
			KS8/OneOfManyUpdates KS8/OneOfManyUpdatesAcrossHandles KS8/EveryRetryCounts KS15/UpdateTwice
			KS15/UpdateOnceUpdated KS15/UpdateOfAnotherVersion KS15/WithoutOp`, "KS2/EverythingAtOnce KS9/EitherDeletedOrUpdated"},
		{"Update reads, compares, then writes", oneHandle(func(s full) keystore.KeyStore { return comparesThenWrites{s} }), "KS8/OneOfManyUpdates KS8/OneOfManyUpdatesAcrossHandles", "KS8/EveryRetryCounts KS8/RevocationStands KS9/EitherDeletedOrUpdated"},
		{"Update undoes a revocation", oneHandle(func(s full) keystore.KeyStore { return &undoesRevocation{full: s} }), `
			KS8/Revoked KS8/RevokedToBeRevoked KS8/RevokedElsewhere KS8/NothingWrittenWhenRefused
			KS15/RevokeTwice`, "KS8/RevocationStands"},
		{"Update inserts what is missing", oneHandle(func(s full) keystore.KeyStore { return upserts{s} }), "KS6/CaseMattersInMutations KS8/Missing KS8/Deleted KS8/NothingWrittenWhenRefused", "KS2/EverythingAtOnce KS9/EitherDeletedOrUpdated KS9/StaysDeleted"},
		{"Delete at any version", oneHandle(func(s full) keystore.KeyStore { return deletesAnyVersion{s} }), `
			KS7/VersionAsGiven KS7/QuotaPlaceKeptByUpdate KS9/EarlierVersion KS9/LaterVersion
			KS9/UpdatedElsewhere`, "KS9/EitherDeletedOrUpdated"},
		{"Delete of nothing is an error", oneHandle(func(s full) keystore.KeyStore { return &nothingIsMissing{full: s} }), `
			KS9/Nothing KS9/AnyVersion KS9/ItsVersion KS9/ItsVersionRevoked KS9/AnyVersionRevoked
			KS9/EitherDeletedOrUpdated KS15/DeleteTwice`, "KS2/Deletes KS2/EverythingAtOnce"},
		{"versions in 14 digits", oneHandle(func(s full) keystore.KeyStore { return &fourteenDigits{full: s} }), `
			KS7/VersionAsGiven KS8/CurrentVersionOfTheClock KS8/VersionFarBehind
			KS8/VersionOffByOneInSixteenDigits`, ""},
		{"Insert sent twice exists", oneHandle(func(s full) keystore.KeyStore { return insertSentTwiceExists{s} }), `
			KS15/InsertTwice KS15/InsertTwiceAtTheQuota KS15/InsertTwiceCountsOnce KS15/InsertRace
			KS15/InsertRaceAtTheQuota`, ""},
		{"Update sent twice counts twice", oneHandle(func(s full) keystore.KeyStore { return updateSentTwiceCounts{s} }), "KS15/UpdateTwice KS15/WithoutOp", "KS15/UpdateRace"},
		{"an Op excuses everything", oneHandle(func(s full) keystore.KeyStore { return opExcusesAll{s} }), "KS15/UpdateOfAnotherVersion KS15/RevokeTwice KS15/WithoutOp", ""},
	}
}

// overwrites is an upsert in Insert's place.
type overwrites struct {
	full

	mu sync.Mutex
}

func (s *overwrites) Insert(ctx context.Context, r keystore.Record, q keystore.Quota) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.full.Insert(ctx, r, q)
	if errors.Is(err, keystore.ErrExists) {
		if err := s.Delete(ctx, r.ID, 0); err != nil {
			return err
		}
		return s.full.Insert(ctx, r, q)
	}
	return err
}

type anyVersion struct {
	full

	mu sync.Mutex
}

func (s *anyVersion) Update(ctx context.Context, r keystore.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.full.Update(ctx, r)
	if errors.Is(err, keystore.ErrConflict) {
		stored, err := s.Lookup(ctx, r.ID)
		if err != nil {
			return err
		}
		r.Version = stored.Version
		return s.full.Update(ctx, r)
	}
	return err
}

type comparesThenWrites struct{ full }

func (s comparesThenWrites) Update(ctx context.Context, r keystore.Record) error {
	stored, err := s.Lookup(ctx, r.ID)
	if err != nil || stored.Version != r.Version || !stored.Revoked.IsZero() {
		return s.full.Update(ctx, r)
	}
	dawdle()
	for err = s.full.Update(ctx, r); errors.Is(err, keystore.ErrConflict); err = s.full.Update(ctx, r) {
		if stored, err = s.Lookup(ctx, r.ID); err != nil {
			return err
		}
		r.Version = stored.Version
	}
	return err
}

type undoesRevocation struct {
	full

	mu sync.Mutex
}

func (s *undoesRevocation) Update(ctx context.Context, r keystore.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.full.Update(ctx, r)
	if errors.Is(err, keystore.ErrRevoked) {
		stored, err := s.Lookup(ctx, r.ID)
		if err != nil {
			return err
		}
		if stored.Version != r.Version {
			return keystore.ErrRevoked
		}
		if err := s.Delete(ctx, r.ID, 0); err != nil {
			return err
		}
		r.Version++
		return s.Insert(ctx, r, keystore.Quota{})
	}
	return err
}

type upserts struct{ full }

func (s upserts) Update(ctx context.Context, r keystore.Record) error {
	err := s.full.Update(ctx, r)
	if errors.Is(err, keystore.ErrNotFound) && validID(r.ID) {
		r.Version++
		return s.Insert(ctx, r, keystore.Quota{})
	}
	return err
}

type deletesAnyVersion struct{ full }

func (s deletesAnyVersion) Delete(ctx context.Context, id string, _ uint64) error {
	return s.full.Delete(ctx, id, 0)
}

type nothingIsMissing struct {
	full

	mu sync.Mutex
}

func (s *nothingIsMissing) Delete(ctx context.Context, id string, version uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.Lookup(ctx, id); err != nil {
		return err
	}
	return s.full.Delete(ctx, id, version)
}

// fourteenDigits keeps versions as Lua writes numbers by default.
type fourteenDigits struct {
	full

	mu sync.Mutex
}

func digits(v uint64) uint64 {
	if v < 1e14 {
		return v
	}
	return (v + 50) / 100 * 100
}

func (s *fourteenDigits) Insert(ctx context.Context, r keystore.Record, q keystore.Quota) error {
	r.Version = digits(r.Version)
	return s.full.Insert(ctx, r, q)
}

func (s *fourteenDigits) Update(ctx context.Context, r keystore.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.Version = digits(r.Version)
	return s.full.Update(ctx, r)
}

type insertSentTwiceExists struct{ full }

func (s insertSentTwiceExists) Insert(ctx context.Context, r keystore.Record, q keystore.Quota) error {
	if stored, err := s.Lookup(ctx, r.ID); err == nil && stored.Op == r.Op {
		return keystore.ErrExists
	}
	return s.full.Insert(ctx, r, q)
}

type updateSentTwiceCounts struct{ full }

func (s updateSentTwiceCounts) Update(ctx context.Context, r keystore.Record) error {
	if stored, err := s.Lookup(ctx, r.ID); err == nil && stored.Op == r.Op && stored.Version == r.Version+1 && stored.Revoked.IsZero() {
		r.Version++
	}
	return s.full.Update(ctx, r)
}

// opExcusesAll looks at the Op and forgets the version.
type opExcusesAll struct{ full }

func (s opExcusesAll) Update(ctx context.Context, r keystore.Record) error {
	err := s.full.Update(ctx, r)
	if isAny(err, keystore.ErrConflict, keystore.ErrRevoked) {
		if stored, lookupErr := s.Lookup(ctx, r.ID); lookupErr == nil && stored.Op == r.Op {
			return nil
		}
	}
	return err
}
