package storetest

import (
	"context"
	"testing"

	"github.com/claviger-go/claviger/keystore"
)

// Stores that differ as far as the duties let them all pass.
func TestSoundStores(t *testing.T) {
	t.Parallel()
	admin := quick(oneHandle(func(s full) keystore.KeyStore { return struct{ keystore.AdminStore }{s} }))
	admin.Watcher, admin.UsageStore, admin.RateStore = false, false, false
	for _, tc := range []struct {
		desc  string
		suite *suite
	}{
		{"memstore", quick(oneHandle(func(s full) keystore.KeyStore { return s }), slow()...)},
		{"an AdminStore and no more", admin},
		{"a Watcher that never says what", quick(oneHandle(func(s full) keystore.KeyStore { return neverSaysWhat{s} }), "KS13/WakesNobody")},
		{"a Watcher that tells at once", quick(oneHandle(func(s full) keystore.KeyStore { return &hub{full: s} }), "KS13/WakesNobody")},
		{"short pages", quick(oneHandle(func(s full) keystore.KeyStore { return shortPages{s} }), "KS11/Limits", "KS11/ManyRecords")},
		{"filled by Seed", seeded()},
		{"read-only", readOnly(wholeTable)},
		{"read-only, over a foreign table", readOnly(foreignTable)},
		{"behind a backend that hangs", hanging(false)},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			t.Parallel()
			o := run(t, tc.suite, every)
			for _, name := range o.failed {
				t.Errorf("%s: %s", name, o.logs[name])
			}
			t.Logf("%d passed, %d skipped", len(o.passed), len(o.skipped))
		})
	}
}

// neverSaysWhat calls changed without ids.
type neverSaysWhat struct{ full }

func (s neverSaysWhat) Watch(ctx context.Context, changed func(ids ...string)) error {
	return s.full.Watch(ctx, func(...string) { changed() })
}

// shortPages never fills a page, and has an empty one at the end.
type shortPages struct{ full }

func (s shortPages) List(ctx context.Context, f keystore.Filter) (keystore.Page, error) {
	if f.After == "the end" {
		return keystore.Page{}, ctx.Err()
	}
	if f.Limit == 0 || f.Limit > 2 {
		f.Limit = 2 + f.Limit/3
	}
	page, err := s.full.List(ctx, f)
	if err == nil && page.Next == "" {
		page.Next = "the end"
	}
	return page, err
}

func seeded() *suite {
	s := quick(oneHandle(func(s full) keystore.KeyStore { return s }))
	s.Seed = func(tb testing.TB, store keystore.KeyStore, records []keystore.Record) []keystore.Record {
		tb.Helper()
		for _, r := range records {
			if err := store.(full).Insert(tb.Context(), r, keystore.Quota{}); err != nil {
				tb.Fatal(err)
			}
		}
		return records
	}
	return s
}
