package cache_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/claviger-go/claviger/keystore/internal/cache"
)

// Rows of one run are compared with each other: map is what a plain map under a read lock costs.
func BenchmarkCache(b *testing.B) {
	for _, keys := range []int{1, 1000, 10_000} {
		hash := spread()
		lru, plain := cache.NewLRU[int, int](100_000, hash), map[int]int{}
		var s source
		reader := s.reader(100_000)
		ids, now := make([]string, keys), time.Now()
		for key := range keys {
			ids[key] = fmt.Sprintf("%012d", key)
			lru.Put(key, key)
			plain[key] = key
			if _, err := reader.Load(b.Context(), ids[key], now); err != nil {
				b.Fatal(err)
			}
		}
		held, err := reader.Load(b.Context(), ids[0], now)
		if err != nil {
			b.Fatal(err)
		}
		var mu sync.RWMutex
		for _, row := range []struct {
			op  string
			get func(ctx context.Context, key int) bool
		}{
			{"map", func(_ context.Context, key int) bool {
				mu.RLock()
				defer mu.RUnlock()
				_, ok := plain[key]
				return ok
			}},
			{"lru", func(_ context.Context, key int) bool { _, ok := lru.Get(key); return ok }},
			{"load", func(ctx context.Context, key int) bool { _, err := reader.Load(ctx, ids[key], now); return err == nil }},
			{"current", func(context.Context, int) bool { return held.Current(now) }},
		} {
			b.Run(fmt.Sprintf("op=%s/keys=%d", row.op, keys), func(b *testing.B) {
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					ctx := b.Context()
					for key := 0; pb.Next(); key = (key + 7919) % keys {
						row.get(ctx, key)
					}
				})
			})
		}
	}
}
