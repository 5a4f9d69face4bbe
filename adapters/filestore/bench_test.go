package filestore_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/filestore"
	"github.com/claviger-go/claviger/keystore"
)

func atEachSize(b *testing.B, run func(b *testing.B, path string, s *filestore.Store, records int)) {
	b.Helper()
	for _, records := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("records=%d", records), func(b *testing.B) {
			path := place(b)
			s := create(b, path)
			require.NoError(b, s.Fill(b.Context(), numberedUpTo(records)))
			b.ReportAllocs()
			run(b, path, s, records)
		})
	}
}

func BenchmarkLookup(b *testing.B) {
	atEachSize(b, func(b *testing.B, _ string, s *filestore.Store, records int) {
		b.Helper()
		ids := make([]string, records)
		for n := range ids {
			ids[n] = numbered(n * 7919 % records).ID
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
		// Nothing to decode: this is the stat.
		b.Run("outcome=not-found", func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := s.Lookup(b.Context(), "none"); err == nil {
						b.Error("found")
					}
				}
			})
		})
	})
}

func BenchmarkInsert(b *testing.B) {
	atEachSize(b, func(b *testing.B, _ string, s *filestore.Store, records int) {
		b.Helper()
		for n := records; b.Loop(); n++ {
			if err := s.Insert(b.Context(), numbered(n), keystore.Quota{Max: 100, Now: start}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkUpdate(b *testing.B) {
	atEachSize(b, func(b *testing.B, _ string, s *filestore.Store, records int) {
		b.Helper()
		r := numbered(records / 2)
		for b.Loop() {
			if err := s.Update(b.Context(), r); err != nil {
				b.Fatal(err)
			}
			r.Version++
		}
	})
}

// What a Lookup costs that comes upon another process's mutation, without the mutation.
func BenchmarkLookupAfterChange(b *testing.B) {
	atEachSize(b, func(b *testing.B, path string, s *filestore.Store, records int) {
		b.Helper()
		other := open(b, path)
		r := numbered(records / 2)
		for b.Loop() {
			b.StopTimer()
			require.NoError(b, s.Update(b.Context(), r))
			r.Version++
			b.StartTimer()
			if _, err := other.Lookup(b.Context(), r.ID); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	atEachSize(b, func(b *testing.B, path string, _ *filestore.Store, _ int) {
		b.Helper()
		for b.Loop() {
			open(b, path)
		}
	})
}

func BenchmarkListOfOwner(b *testing.B) {
	atEachSize(b, func(b *testing.B, _ string, s *filestore.Store, _ int) {
		b.Helper()
		for b.Loop() {
			page, err := s.List(b.Context(), keystore.Filter{Owner: "acct_0000003"})
			if err != nil || len(page.Records) != 10 {
				b.Fatal(len(page.Records), err)
			}
		}
	})
}
