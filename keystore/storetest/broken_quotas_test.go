package storetest

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/claviger-go/claviger/keystore"
)

func brokenQuotas() []brokenStore {
	counting := func(counts func(stored, r *keystore.Record, now time.Time) bool) Factory {
		return oneHandle(func(s full) keystore.KeyStore { return &countsOtherwise{full: s, counts: counts} })
	}
	alike := func(stored, r *keystore.Record) bool { return stored.Kind == r.Kind && stored.Type == r.Type }
	live := func(r *keystore.Record, now time.Time) bool {
		return r.Revoked.IsZero() && (r.Expires.IsZero() || now.Before(r.Expires))
	}
	return []brokenStore{
		{"quota counts, then inserts", oneHandle(func(s full) keystore.KeyStore { return countsThenInserts{s} }), `
			KS7/QuotaRace KS7/QuotaRaceAcrossHandles KS7/QuotaRaceForTheLastPlace KS15/InsertRaceAtTheQuota`, "KS7/QuotaRaceWithChurn"},
		{"quota counts the revoked", counting(func(stored, r *keystore.Record, now time.Time) bool {
			return stored.Owner == r.Owner && alike(stored, r) && (stored.Expires.IsZero() || now.Before(stored.Expires))
		}), `
			KS7/QuotaIgnoresRevoked KS7/QuotaIgnoresRevokedThatWouldExpire KS7/QuotaPlaceAfterRevoke
			KS7/QuotaRaceForTheLastPlace`, ""},
		{"quota counts what expires now", counting(func(stored, r *keystore.Record, now time.Time) bool {
			return stored.Owner == r.Owner && alike(stored, r) && stored.Revoked.IsZero() && (stored.Expires.IsZero() || !now.After(stored.Expires))
		}), `
			KS7/QuotaIgnoresExpiringNow KS7/QuotaPlaceAfterExpiry KS7/QuotaNowToTheNanosecond
			KS10/ExpiryInQuotas`, ""},
		{"quota rounds the clock", counting(func(stored, r *keystore.Record, now time.Time) bool {
			return stored.Owner == r.Owner && alike(stored, r) && live(stored, now.Round(time.Microsecond))
		}), "KS7/QuotaNowToTheNanosecond", ""},
		{"quota of all kinds", counting(func(stored, r *keystore.Record, now time.Time) bool {
			return stored.Owner == r.Owner && stored.Type == r.Type && live(stored, now)
		}), "KS7/QuotaIgnoresOtherKind KS7/QuotaOfEachOwner", ""},
		{"quota of owners without case", counting(func(stored, r *keystore.Record, now time.Time) bool {
			return strings.EqualFold(stored.Owner, r.Owner) && alike(stored, r) && live(stored, now)
		}), "KS7/QuotaIgnoresOwnerInOtherCase T-121/InQuotas", ""},
		{"quota counts no suspended", counting(func(stored, r *keystore.Record, now time.Time) bool {
			return stored.Owner == r.Owner && alike(stored, r) && live(stored, now) && stored.Suspended.IsZero()
		}), "KS7/QuotaCountsSuspended KS7/QuotaPlaceKeptByUpdate", ""},
	}
}

// dawdle gives others the time to come between two steps.
func dawdle() { <-time.After(time.Millisecond) }

// counted is the number of records for which counts is true.
func counted(ctx context.Context, s full, f keystore.Filter, counts func(*keystore.Record) bool) (int, error) {
	n := 0
	for f.Limit = keystore.MaxPage; ; {
		page, err := s.List(ctx, f)
		if err != nil {
			return 0, err
		}
		for i := range page.Records {
			if counts(&page.Records[i]) {
				n++
			}
		}
		if f.After = page.Next; f.After == "" {
			return n, nil
		}
	}
}

// countsThenInserts is a SELECT count(*) before an INSERT.
type countsThenInserts struct{ full }

func (s countsThenInserts) Insert(ctx context.Context, r keystore.Record, q keystore.Quota) error {
	if _, err := s.Lookup(ctx, r.ID); err != nil && q.Max > 0 {
		n, err := counted(ctx, s.full, keystore.Filter{Owner: r.Owner}, func(stored *keystore.Record) bool {
			return stored.Owner == r.Owner && stored.Kind == r.Kind && stored.Type == r.Type && stored.Revoked.IsZero() &&
				(stored.Expires.IsZero() || q.Now.Before(stored.Expires))
		})
		if err != nil {
			return err
		}
		if n >= q.Max {
			return keystore.ErrQuota
		}
		dawdle()
	}
	return s.full.Insert(ctx, r, keystore.Quota{})
}

// countsOtherwise counts and inserts in one step, but not what it should.
type countsOtherwise struct {
	full

	mu     sync.Mutex
	counts func(stored, r *keystore.Record, now time.Time) bool
}

func (s *countsOtherwise) Insert(ctx context.Context, r keystore.Record, q keystore.Quota) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.Lookup(ctx, r.ID); err != nil && q.Max > 0 {
		n, err := counted(ctx, s.full, keystore.Filter{Type: r.Type}, func(stored *keystore.Record) bool { return s.counts(stored, &r, q.Now) })
		if err != nil {
			return err
		}
		if n >= q.Max {
			return keystore.ErrQuota
		}
	}
	return s.full.Insert(ctx, r, keystore.Quota{})
}
