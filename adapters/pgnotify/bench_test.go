package pgnotify_test

import (
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/pgnotify"
	"github.com/claviger-go/claviger/adapters/sqlstore"
	"github.com/claviger-go/claviger/keystore"
)

// From the beginning of a revocation by one process until another would have been told. T-037: p99 at most 100 ms.
func BenchmarkRevocation(b *testing.B) {
	at := migrated(b)
	notified := func(tb testing.TB) keystore.Watcher { tb.Helper(); return open(tb, at.open(tb), pgnotify.Config{}) }
	polling := func(tb testing.TB) keystore.Watcher { tb.Helper(); return at.plain(tb) }
	for _, tc := range []struct {
		desc     string
		watchers int
		make     func(testing.TB) keystore.Watcher
	}{{"notify", 1, notified}, {"notify", 8, notified}, {"poll", 1, polling}} {
		b.Run(fmt.Sprintf("bus=%s/watchers=%d", tc.desc, tc.watchers), func(b *testing.B) {
			var ears []*ear
			for range tc.watchers {
				e := watch(b, tc.make(b))
				e.await(b)
				ears = append(ears, e)
			}
			writer := at.plain(b)
			var took []time.Duration
			for b.Loop() {
				b.StopTimer()
				r := apiKey(rand.Text())
				insert(b, writer, r)
				r.Revoked = keystore.Mark{At: now, Reason: keystore.ReasonRequested}
				b.StartTimer()
				begun := time.Now()
				update(b, writer, r)
				took = append(took, ears[0].await(b, r.ID).Sub(begun))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2]), "p50-ns")
			b.ReportMetric(float64(took[len(took)*99/100]), "p99-ns")
			b.ReportMetric(float64(took[len(took)-1]), "max-ns")
		})
	}
}

// What the trigger costs those who write while eight listen, in turns with stores that have none: medians, and how many
// times as long an Update takes.
func BenchmarkUpdate(b *testing.B) {
	notifying, silent := migrated(b), newSchema(b)
	require.NoError(b, sqlstore.Migrate(b.Context(), silent.open(b), sqlstore.PostgreSQL))
	for range 8 {
		watch(b, open(b, notifying.open(b), pgnotify.Config{})).await(b)
	}
	stores := []*sqlstore.Store{silent.plain(b), notifying.plain(b)}
	for _, writers := range []int{1, 8} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			records := make([][]keystore.Record, len(stores))
			for i, s := range stores {
				for range writers {
					r := apiKey(rand.Text())
					insert(b, s, r)
					records[i] = append(records[i], r)
				}
			}
			took := make([][]time.Duration, len(stores))
			for b.Loop() {
				for i, s := range stores {
					begun := time.Now()
					var writing sync.WaitGroup
					for w := range writers {
						writing.Go(func() { records[i][w] = update(b, s, records[i][w]) })
					}
					writing.Wait()
					took[i] = append(took[i], time.Since(begun)/time.Duration(writers))
				}
			}
			medians := make([]float64, len(stores))
			for i := range stores {
				slices.Sort(took[i])
				medians[i] = float64(took[i][len(took[i])/2])
			}
			b.ReportMetric(medians[0], "silent-ns")
			b.ReportMetric(medians[1], "notifying-ns")
			b.ReportMetric(medians[1]/medians[0], "times")
		})
	}
}
