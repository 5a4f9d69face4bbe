package memstore_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/memstore"
	"github.com/claviger-go/claviger/keystore"
)

func million() int {
	if testing.Short() {
		return 50_000
	}
	return 1_000_000
}

const perOwner = 10

// filled makes a store of each size once: a million inserts take seconds. Benchmarks leave them as they were.
var filled = func() func(b *testing.B, records int) *memstore.Store {
	var mu sync.Mutex
	stores := map[int]*memstore.Store{}
	return func(b *testing.B, records int) *memstore.Store {
		b.Helper()
		mu.Lock()
		defer mu.Unlock()
		s, ok := stores[records]
		if !ok {
			s = memstore.New()
			for n := range records {
				require.NoError(b, s.Insert(b.Context(), usual(n, perOwner), unlimited))
			}
			stores[records] = s
		}
		return s
	}
}()

func atEachSize(b *testing.B, run func(b *testing.B, s *memstore.Store, records int)) {
	b.Helper()
	for _, records := range []int{1_000, million()} {
		b.Run(fmt.Sprintf("records=%d", records), func(b *testing.B) {
			s := filled(b, records)
			b.ReportAllocs()
			run(b, s, records)
		})
	}
}

func BenchmarkLookup(b *testing.B) {
	atEachSize(b, func(b *testing.B, s *memstore.Store, records int) {
		b.Helper()
		ids := make([]string, 4096)
		for n := range ids {
			ids[n] = scrambled(n * 7919 % records)
		}
		b.Run("outcome=found", func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for n := 0; pb.Next(); n++ {
					if _, err := s.Lookup(b.Context(), ids[n%len(ids)]); err != nil {
						b.Error(err)
					}
				}
			})
		})
		b.Run("outcome=not-found", func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := s.Lookup(b.Context(), "000000000000"); err == nil {
						b.Error("found")
					}
				}
			})
		})
	})
}

// Each iteration is one insert with a quota and the delete that keeps the size.
func BenchmarkInsertAndDelete(b *testing.B) {
	atEachSize(b, func(b *testing.B, s *memstore.Store, records int) {
		b.Helper()
		r := usual(records/2, perOwner)
		for n := 0; b.Loop(); n++ {
			r.ID = scrambled(records + n)
			if err := s.Insert(b.Context(), r, keystore.Quota{Max: 100, Now: start}); err != nil {
				b.Fatal(err)
			}
			if err := s.Delete(b.Context(), r.ID, 0); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkUpdate(b *testing.B) {
	atEachSize(b, func(b *testing.B, s *memstore.Store, records int) {
		b.Helper()
		id := scrambled(records / 2)
		r, err := s.Lookup(b.Context(), id)
		require.NoError(b, err)
		for b.Loop() {
			if err := s.Update(b.Context(), r); err != nil {
				b.Fatal(err)
			}
			r.Version++
		}
	})
}

func BenchmarkListOfOwner(b *testing.B) {
	atEachSize(b, func(b *testing.B, s *memstore.Store, records int) {
		b.Helper()
		for n := 0; b.Loop(); n++ {
			owner := scrambled(-1 - n*7919%(records/perOwner))
			page, err := s.List(b.Context(), keystore.Filter{Owner: owner})
			if err != nil || len(page.Records) != perOwner {
				b.Fatal(len(page.Records), err)
			}
		}
	})
}

// The worst case: every record is looked at, none matches.
func BenchmarkListOfNothing(b *testing.B) {
	atEachSize(b, func(b *testing.B, s *memstore.Store, _ int) {
		b.Helper()
		for b.Loop() {
			if _, err := s.List(b.Context(), keystore.Filter{Type: "none has it"}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// A quota that an owner of 10,000 keys has nearly reached: all of them are counted.
func BenchmarkQuotaOfLargeOwner(b *testing.B) {
	const keys = 10_000
	s := memstore.New()
	for n := range keys {
		require.NoError(b, s.Insert(b.Context(), usual(n, keys), unlimited))
	}
	r := usual(keys-1, keys)
	r.ID = "another"
	for b.Loop() {
		if err := s.Insert(b.Context(), r, keystore.Quota{Max: keys, Now: start}); err == nil {
			b.Fatal("quota not reached")
		}
	}
}
