package enginetest_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/sqlstore"
	"github.com/claviger-go/claviger/keystore"
)

// scale is how many records there are, and how often is asked.
func scale() (records, samples int) {
	switch {
	case full:
		return 1_000_000, 20_000
	case testing.Short():
		return 2000, 200
	}
	return 20_000, 2000
}

// A Lookup, and a List of an owner's 20 keys, take no longer among a million records than among a thousand: at the 99th
// percentile less than twice as long. Asked by turns, so that all meet the same noise; the figure is asserted in the full
// run only, on a machine that has nothing else to do.
func TestScale(t *testing.T) {
	if !full {
		t.Parallel()
	}
	records, samples := scale()
	for _, e := range engines {
		if e.name != "sqlite" && e.name != "postgres" {
			continue
		}
		t.Run(e.name, func(t *testing.T) {
			sizes := []int{1000, records}
			var stores []*sqlstore.Store
			for _, size := range sizes {
				p := e.make(t)
				db := p.open(t)
				require.NoError(t, sqlstore.Migrate(t.Context(), db, p.dialect))
				fill(t, db, p, size)
				stores = append(stores, storeOn(t, db, p))
			}
			for desc, ask := range map[string]func(s *sqlstore.Store, n int){
				"Lookup": func(s *sqlstore.Store, n int) {
					_, err := s.Lookup(t.Context(), usualID(n))
					require.NoError(t, err)
				},
				"List of 20": func(s *sqlstore.Store, n int) {
					page, err := s.List(t.Context(), keystore.Filter{Owner: usual(n).Owner, Limit: 20})
					require.NoError(t, err)
					require.Len(t, page.Records, 20)
				},
			} {
				times := make([][]time.Duration, len(sizes))
				for i := range samples {
					for turn := range sizes {
						which := (i + turn) % len(sizes)
						n := i * 7919 % sizes[which]
						began := time.Now()
						ask(stores[which], n)
						times[which] = append(times[which], time.Since(began))
					}
				}
				for i := range times {
					slices.Sort(times[i])
					t.Logf("%s among %d records: p50 %v, p99 %v", desc, sizes[i], percentile(times[i], 50), percentile(times[i], 99))
				}
				if full {
					require.LessOrEqual(t, percentile(times[1], 99), 2*percentile(times[0], 99), desc)
				}
			}
		})
	}
}

// percentile of times in ascending order.
func percentile(times []time.Duration, p int) time.Duration { return times[(len(times)-1)*p/100] }
