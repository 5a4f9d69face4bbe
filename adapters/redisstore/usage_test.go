package redisstore_test

import (
	"math"
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
	last := at(7).Truncate(time.Second)
	for n := range known {
		id := strconv.Itoa(n)
		names, records = append(names, id), append(records, apiKey(id))
		u = append(u, keystore.Usage{ID: id, Count: uint64(n), LastUsed: last.Add(-time.Duration(n) * time.Second)})
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
		require.Equal(t, strconv.Itoa(n), u.ID)
		require.EqualValues(t, n*adders*rounds, u.Count)
		require.Equal(t, last.Add(-time.Duration(n)*time.Second), u.LastUsed)
	}

	for _, count := range []uint64{math.MaxUint64, 1, math.MaxUint64} {
		require.NoError(t, s.AddUsage(t.Context(), []keystore.Usage{{ID: "5", Count: count}, {ID: "6", Count: 1}}))
	}
	got, err = s.Usage(t.Context(), []string{"5", "6"})
	require.NoError(t, err)
	require.EqualValues(t, math.MaxInt64, got[0].Count)
	require.EqualValues(t, 6*adders*rounds+3, got[1].Count, "what comes behind is not held up")
}
