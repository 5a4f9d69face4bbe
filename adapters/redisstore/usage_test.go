package redisstore_test

import (
	"math"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
)

// T-120: counts add up however many add at once, over more than one batch, and end where Redis ends.
func TestKS13_Usage(t *testing.T) {
	t.Parallel()
	s := open(t)
	const known, adders, rounds = 1100, 16, 3
	var u []keystore.Usage
	var names []string
	var records []keystore.Record
	last, home := at(7).Truncate(time.Second), netip.MustParsePrefix("2001:db8::/48")
	for n := range known {
		id := strconv.Itoa(n)
		names, records = append(names, id), append(records, apiKey(id))
		when := last.Add(-time.Duration(n) * time.Second)
		u = append(u, keystore.Usage{ID: id, Secret: 1, Count: uint64(n), FirstUsed: when, LastUsed: when, Network: home})
	}
	fill(t, s, records)
	u = append(u, keystore.Usage{ID: "unknown", Count: 1}, keystore.Usage{ID: "", Count: 1})
	together(adders, func(int) {
		for range rounds {
			if err := s.AddUsage(t.Context(), u); err != nil {
				t.Error(err)
			}
		}
	})
	got, err := s.Usage(t.Context(), append(names, "unknown", ""))
	require.NoError(t, err)
	require.Len(t, got, known)
	for n, u := range got {
		when := last.Add(-time.Duration(n) * time.Second)
		require.Equal(t, keystore.Usage{
			ID: strconv.Itoa(n), Secret: 1, Count: uint64(n * adders * rounds), FirstUsed: when, LastUsed: when, Network: home,
		}, u)
	}

	for _, count := range []uint64{math.MaxUint64, 1, math.MaxUint64} {
		require.NoError(t, s.AddUsage(t.Context(), []keystore.Usage{{ID: "5", Secret: 1, Count: count}, {ID: "6", Secret: 1, Count: 1}}))
	}
	got, err = s.Usage(t.Context(), []string{"5", "6"})
	require.NoError(t, err)
	require.EqualValues(t, math.MaxInt64, got[0].Count)
	require.EqualValues(t, 6*adders*rounds+3, got[1].Count, "what comes behind is not held up")
}

// What is deleted leaves nothing behind, and what is not an id's own is nobody's.
func TestUsage_GoesWithItsRecord(t *testing.T) {
	t.Parallel()
	s := open(t)
	fill(t, s, []keystore.Record{apiKey("a"), apiKey("a:1")})
	require.NoError(t, s.AddUsage(t.Context(), []keystore.Usage{
		{ID: "a", Secret: 2, Count: 2, LastUsed: at(2)}, {ID: "a:1", Secret: 1, Count: 3}, {ID: "a", Secret: 10, Count: 1, LastUsed: at(1)},
	}))
	want := []keystore.Usage{
		{ID: "a", Secret: 2, Count: 2, LastUsed: at(2).Truncate(time.Second)}, {ID: "a", Secret: 10, Count: 1, LastUsed: at(1).Truncate(time.Second)},
	}
	got, err := s.Usage(t.Context(), []string{"a"})
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.NoError(t, s.Delete(t.Context(), "a:1", 0))
	got, err = s.Usage(t.Context(), []string{"a", "a:1"})
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.NoError(t, s.Delete(t.Context(), "a", 0))
	fill(t, s, []keystore.Record{apiKey("a")})
	got, err = s.Usage(t.Context(), []string{"a"})
	require.NoError(t, err)
	require.Empty(t, got)
}
