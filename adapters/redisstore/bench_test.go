package redisstore_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/redisstore"
	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/keystore/storetest"
)

func BenchmarkDuties(b *testing.B) {
	storetest.Benchmark(b, func(tb testing.TB) (store, other keystore.KeyStore) {
		tb.Helper()
		client, another := connect(tb, address(tb)), connect(tb, address(tb))
		config := redisstore.Config{Prefix: prefix(tb, client)}
		return handle(tb, client, config), handle(tb, another, config)
	}, storetest.Config{AdminStore: true, Watcher: true, UsageStore: true})
}

// Lookup beside bare commands that fetch the same bytes, in turns, so that whatever else the machine does slows all of
// them: medians, and how many times as long a Lookup takes.
func BenchmarkLookup(b *testing.B) {
	client := connect(b, address(b), func(o *redis.Options) { o.ContextTimeoutEnabled = true })
	prefix := prefix(b, client)
	s := handle(b, client, redisstore.Config{Prefix: prefix})
	insert(b, s, apiKey("a"))
	key, hash := "{"+prefix+"}:record:a", "{"+prefix+"}:bare"
	value, err := client.Get(b.Context(), key).Result()
	require.NoError(b, err)
	require.NoError(b, client.HSet(b.Context(), hash, "record", value).Err())
	calls := []struct {
		desc string
		call func(ctx context.Context) error
	}{
		{"lookup", func(ctx context.Context) error { _, err := s.Lookup(ctx, "a"); return err }},
		{"hmget", func(ctx context.Context) error { return client.HMGet(ctx, hash, "record").Err() }},
		{"get", func(ctx context.Context) error { return client.Get(ctx, key).Err() }},
	}
	for _, callers := range []int{1, 8} {
		for _, timeout := range []time.Duration{250 * time.Millisecond, time.Minute} {
			b.Run(fmt.Sprintf("callers=%d/timeout=%v", callers, timeout), func(b *testing.B) {
				took := make([][]time.Duration, len(calls))
				var mu sync.Mutex
				together(callers, func(int) {
					for range b.N/callers + 1 {
						for i, c := range calls {
							ctx, cancel := context.WithTimeout(b.Context(), timeout)
							begun := time.Now()
							err := c.call(ctx)
							mu.Lock()
							took[i] = append(took[i], time.Since(begun))
							mu.Unlock()
							cancel()
							if err != nil {
								b.Error(err)
								return
							}
						}
					}
				})
				medians := make([]float64, len(calls))
				for i, c := range calls {
					slices.Sort(took[i])
					medians[i] = float64(took[i][len(took[i])/2])
					b.ReportMetric(medians[i], c.desc+"-ns")
				}
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(medians[0]/medians[1], "times-hmget")
				b.ReportMetric(medians[0]/medians[2], "times-get")
			})
		}
	}
}

// From the beginning of a revocation through one client until another process would have heard of it.
func BenchmarkWatch(b *testing.B) {
	at := address(b)
	client, another := connect(b, at), connect(b, at)
	config := redisstore.Config{Prefix: prefix(b, client)}
	writer, watcher := handle(b, client, config), handle(b, another, config)
	told := make(chan string, 1)
	go func() {
		_ = watcher.Watch(b.Context(), func(ids ...string) {
			if len(ids) == 0 {
				ids = []string{""}
			}
			told <- ids[0]
		})
	}()
	<-told
	var took []time.Duration
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		id := strconv.Itoa(n)
		insert(b, writer, apiKey(id))
		b.StartTimer()
		begun := time.Now()
		require.NoError(b, writer.Update(b.Context(), apiKey(id, op("1"), revoked)))
		for <-told != id { //nolint:revive // other news do not count
		}
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2]), "p50-ns")
	b.ReportMetric(float64(took[len(took)*99/100]), "p99-ns")
	b.ReportMetric(float64(took[len(took)-1]), "max-ns")
}
