package redisstore

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Texts sort like the times they stand for, from one end to the other, and never behind them.
func TestInstant_Order(t *testing.T) {
	t.Parallel()
	all := []int64{
		math.MinInt64, math.MinInt64 + 1, -62_135_596_800_000_000, -1, 0, 1, 1 << 53, 1<<53 + 1, 253_402_300_799_999_999, math.MaxInt64 - 1, math.MaxInt64,
	}
	for range 1000 {
		all = append(all, int64(rand.Uint64()))
	}
	slices.Sort(all)
	var texts []string
	for _, m := range all {
		texts = append(texts, instant(m))
	}
	require.True(t, slices.IsSorted(texts))
	require.Less(t, texts[len(texts)-1], never)
	for _, text := range texts {
		require.Len(t, text, instantBytes)
	}
}

func TestMicroseconds_FarAway(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		when time.Time
		want int64
	}{
		{time.Time{}, -62_135_596_800_000_000},
		{time.Unix(0, 1999), 1},
		{time.Unix(0, -1), -1},
		{time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC), 253_402_300_799_999_999},
		{time.Date(300_000, 1, 1, 0, 0, 0, 0, time.UTC), math.MaxInt64},
		{time.Date(-300_000, 1, 1, 0, 0, 0, 0, time.UTC), math.MinInt64},
	} {
		require.Equal(t, tc.want, microseconds(tc.when), tc.when)
	}
}

func TestDigest(t *testing.T) {
	t.Parallel()
	require.Empty(t, digest(""))
	seen := map[string][]string{}
	for _, texts := range [][]string{
		{"a"},
		{"A"},
		{"a "},
		{"a\x00"},
		{"ab"},
		{"a", "b", "c"},
		{"ab", "", "c"},
		{"", "ab", "c"},
		{"a", "bc", ""},
		{"", "", ""},
		{"", "", "abc"},
	} {
		d := digest(texts...)
		require.Len(t, d, 22)
		require.NotContains(t, seen, d)
		seen[d] = texts
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	const good = "# Server\r\nredis_version:7.0.15\r\n# Replication\r\nrole:master\r\nmaxmemory_policy:noeviction\r\n"
	for _, tc := range []struct {
		desc, old, new string
		want           string
	}{
		{"what is needed", "", "", ""},
		{"newer", "7.0.15", "10.2.0", ""},
		{"policy unknown", "maxmemory_policy:noeviction", "", ""},
		{"older", "7.0.15", "6.2.14", `the server's redis_version is "6.2.14": want 7.0 or newer`},
		{"much older", "7.0.15", "2.8.4", "want 7.0 or newer"},
		{"no version", "redis_version", "other_version", `redis_version is ""`},
		{"no number", "7.0.15", "unstable", "want 7.0 or newer"},
		{"a replica", "role:master", "role:slave", "want master"},
		{"no role", "role:master", "", "want master"},
		{"evicts", "noeviction", "allkeys-lfu", "want noeviction"},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			t.Parallel()
			err := judge(parseInfo(strings.Replace(good, tc.old, tc.new, 1)))
			if tc.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tc.want)
		})
	}
}
