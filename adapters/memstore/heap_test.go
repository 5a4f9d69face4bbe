package memstore_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/memstore"
	"github.com/claviger-go/claviger/keystore"
)

// maxBeyondStrings is what a key may weigh besides its own texts.
const maxBeyondStrings = 400

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// scrambled is n as 12 characters in no order: odd factors make it a bijection.
func scrambled(n int) string {
	x := uint64(n)*0x9E3779B97F4A7C15 + 0x632BE59BD9B4E019
	x ^= x >> 29
	x *= 0xBF58476D1CE4E5B9
	var text [12]byte
	for i := range text {
		text[i] = base62[x%62]
		x /= 62
	}
	return string(text[:])
}

// usual is key number n, of an owner with perOwner keys, created in order.
func usual(n, perOwner int) keystore.Record {
	when := start.Add(time.Duration(n) * 1_234_567 * time.Microsecond)
	return apiKey(scrambled(n), func(r *keystore.Record) {
		r.Owner = scrambled(-1 - n/perOwner)
		r.Op = fmt.Sprintf("%016x", uint64(n)*0x9E3779B97F4A7C15)
		r.Secrets[0].Hash = "$hmac-sha256$k=2026-11$" + r.ID + "$" + (r.ID + r.Owner + r.ID + r.Owner)[:43]
		r.Created, r.Secrets[0].Created = when, when
	})
}

func lengthOfStrings(r keystore.Record) int {
	sum := len(r.ID) + len(r.Op) + len(r.Kind) + len(r.Owner) + len(r.Type) + len(r.Env) + len(r.Name) + len(r.CreatedBy)
	for _, scope := range r.Scopes.Scopes() {
		sum += len(scope)
	}
	for _, secret := range r.Secrets {
		sum += len(secret.Hash)
	}
	return sum
}

func heap() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC() // What the first one finalizes and unpins, the second one frees.
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// heapPerKey fills a store and weighs it.
func heapPerKey(tb testing.TB, keys, perOwner int) (perKey, beyondStrings float64) {
	tb.Helper()
	before, strings := heap(), 0
	s := memstore.New()
	for n := range keys {
		r := usual(n, perOwner)
		strings += lengthOfStrings(r)
		require.NoError(tb, s.Insert(tb.Context(), r, keystore.Quota{Max: perOwner, Now: start}))
	}
	perKey = float64(heap()-before) / float64(keys)
	runtime.KeepAlive(s)
	return perKey, perKey - float64(strings)/float64(keys)
}

// Not parallel: what other tests allocate would count.
func TestHeapPerKey(t *testing.T) {
	keys := 60_000 // Just enough for a map to have grown: no number is worse.
	if testing.Short() {
		keys = 10_000
	}
	perKey, beyondStrings := heapPerKey(t, keys, 1)
	t.Logf("%d keys: %.0f bytes each, %.0f beyond their strings", keys, perKey, beyondStrings)
	require.Less(t, beyondStrings, float64(maxBeyondStrings))
}

func BenchmarkHeapPerKey(b *testing.B) {
	for _, perOwner := range []int{1, 10} {
		b.Run(fmt.Sprintf("keys=%d/per-owner=%d", million(), perOwner), func(b *testing.B) {
			perKey, beyondStrings := heapPerKey(b, million(), perOwner)
			for b.Loop() { // The store is weighed once, however long the benchmark runs.
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(perKey, "heap-B/key")
			b.ReportMetric(beyondStrings, "beyond-strings-B/key")
		})
	}
}
