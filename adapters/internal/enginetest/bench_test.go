package enginetest_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/sqlstore"
)

// BenchmarkLookup compares Lookup with bare prepared queries of the same row, by turns, so that all meet the same noise.
// "x-row" is the quotient of the medians to one that reads the whole row, "x-data" to one that reads the encoded record
// only, as Lookup does before it decodes it: both with a ctx that can end, as a request's, for which SQLite's driver
// starts goroutines that Lookup does without. "x-data-endless" is to one whose ctx never ends. An op is a hundred of each.
func BenchmarkLookup(b *testing.B) {
	for _, e := range engines {
		if e.name == "memory" {
			continue
		}
		for _, records := range []int{1_000, 100_000} {
			b.Run(fmt.Sprintf("engine=%s/records=%d", e.name, records), func(b *testing.B) {
				p := e.make(b)
				db, err := p.pool()
				require.NoError(b, err)
				b.Cleanup(func() { require.NoError(b, db.Close()) })
				require.NoError(b, sqlstore.Migrate(b.Context(), db, p.dialect))
				fill(b, db, p, records)
				s := storeOn(b, db, p)
				where := " FROM claviger_records WHERE id = " + placeholders(p, 0, 1)[0]
				data, err := db.PrepareContext(b.Context(), "SELECT data"+where)
				require.NoError(b, err)
				row, err := db.PrepareContext(b.Context(),
					"SELECT id, version, op, kind, owner, type, parent, created, expires, revoked, data"+where)
				require.NoError(b, err)

				times := byTurns(b, records,
					func(id string) error {
						_, err := s.Lookup(b.Context(), id)
						return err
					},
					func(id string) error {
						var r struct {
							id, op, kind, owner, typ, parent, data []byte
							version, created                       int64
							expires, revoked                       sql.NullInt64
						}
						return row.QueryRowContext(b.Context(), []byte(id)).Scan(&r.id, &r.version, &r.op, &r.kind, &r.owner,
							&r.typ, &r.parent, &r.created, &r.expires, &r.revoked, &r.data)
					},
					func(id string) error {
						var text []byte
						return data.QueryRowContext(b.Context(), []byte(id)).Scan(&text)
					},
					func(id string) error {
						var text []byte
						return data.QueryRowContext(context.WithoutCancel(b.Context()), []byte(id)).Scan(&text)
					})
				b.ReportMetric(times[0], "ns/lookup")
				b.ReportMetric(times[0]/times[1], "x-row")
				b.ReportMetric(times[0]/times[2], "x-data")
				b.ReportMetric(times[0]/times[3], "x-data-endless")
			})
		}
	}
}

// byTurns is the median time of each, in nanoseconds.
func byTurns(b *testing.B, records int, ask ...func(id string) error) (medians []float64) {
	b.Helper()
	const block = 100 // timed at once: drivers leave work to goroutines, which run while the next one waits
	times := make([][]time.Duration, len(ask))
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		for turn := range ask {
			who := (n + turn) % len(ask) // the first one brings the rows into the cache
			began := time.Now()
			for i := range block {
				if err := ask[who](usualID((n*block + i) * 7919 % records)); err != nil {
					b.Fatal(err)
				}
			}
			times[who] = append(times[who], time.Since(began))
		}
	}
	for _, t := range times {
		slices.Sort(t)
		medians = append(medians, float64(t[len(t)/2].Nanoseconds())/block)
	}
	return medians
}
