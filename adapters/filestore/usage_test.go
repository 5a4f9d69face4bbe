package filestore_test

import (
	"math"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/filestore"
	"github.com/claviger-go/claviger/keystore"
)

var second = start.Truncate(time.Second)

func usedOnce(ids ...string) []keystore.Usage {
	var u []keystore.Usage
	for _, id := range ids {
		u = append(u, keystore.Usage{ID: id, Count: 1, LastUsed: second})
	}
	return u
}

func usage(t *testing.T, s keystore.UsageStore, ids ...string) []keystore.Usage {
	t.Helper()
	u, err := s.Usage(t.Context(), ids)
	require.NoError(t, err)
	return u
}

func TestKS13_UsageIsApart(t *testing.T) {
	t.Parallel()
	path, s, content, _ := small(t)
	other := open(t, path)
	before, err := os.Stat(path)
	require.NoError(t, err)
	require.NoError(t, s.AddUsage(t.Context(), usedOnce("a", "key000000001", "a", "gone")))
	require.NoError(t, other.AddUsage(t.Context(), []keystore.Usage{
		{ID: "a", Count: 40, LastUsed: start.Add(-time.Hour)}, {ID: "key000000002"}, {ID: "key000000001", LastUsed: start.Add(time.Hour)},
	}))
	require.NoError(t, s.AddUsage(t.Context(), nil))

	want := []keystore.Usage{{ID: "key000000001", Count: 1, LastUsed: second.Add(time.Hour)}, {ID: "a", Count: 42, LastUsed: second}}
	for _, s := range []*filestore.Store{s, other, open(t, path)} {
		require.Equal(t, want, usage(t, s, "key000000001", "gone", "key000000002", "a"))
	}
	require.Equal(t, content, read(t, path))
	after, err := os.Stat(path)
	require.NoError(t, err)
	require.True(t, os.SameFile(before, after))
	require.Equal(t, before.ModTime(), after.ModTime())

	require.NoError(t, s.Delete(t.Context(), "a", 0))
	require.NoError(t, s.AddUsage(t.Context(), usedOnce("key000000001")))
	require.NotContains(t, string(read(t, path+".usage")), `"a"`, "the usage of deleted records does not pile up")
}

func TestUsageFileForPeople(t *testing.T) {
	t.Parallel()
	path, s, _, _ := small(t)
	whole := keystore.Usage{
		ID: "key000000001", Secret: 2, Count: 3, FirstUsed: second, LastUsed: second.Add(time.Hour), Network: netip.MustParsePrefix("2001:db8::/48"),
	}
	given := append(usedOnce("key000000001"), keystore.Usage{ID: "a", Count: math.MaxUint64}, whole)
	require.NoError(t, s.AddUsage(t.Context(), given))
	want := `{"claviger":"filestore usage","format":1,"usage":[
 {"id":"a","count":18446744073709551615}
,{"id":"key000000001","count":1,"last_used":"2026-11-22T02:36:00Z"}
,{"id":"key000000001","secret":2,"count":3,"first_used":"2026-11-22T02:36:00Z","last_used":"2026-11-22T03:36:00Z","network":"2001:db8::/48"}
]}
`
	require.Equal(t, []byte(want), read(t, path+".usage"))
	require.ElementsMatch(t, given, usage(t, open(t, path), "a", "key000000001"))
}

// Usage can be lost, and then is counted from nothing; records do not suffer.
func TestDamagedUsage(t *testing.T) {
	t.Parallel()
	path, s, _, _ := small(t)
	require.NoError(t, s.AddUsage(t.Context(), usedOnce("a")))
	content := string(read(t, path+".usage"))
	for _, damaged := range []string{"", content[:len(content)/2], "null", `{"claviger":"filestore","usage":[{"id":"a","count":7}]}`, strings.Repeat("[", 1000)} {
		write(t, path+".usage", []byte(damaged))
		require.Empty(t, usage(t, s, "a"))
		lookup(t, s, "a")
		require.NoError(t, s.AddUsage(t.Context(), usedOnce("a")))
		require.Equal(t, usedOnce("a"), usage(t, s, "a"))
	}
	require.NoError(t, os.Remove(path+".usage"))
	require.Empty(t, usage(t, s, "a"))

	newer := `{"claviger":"filestore usage","format":2,"usage":[]}`
	write(t, path+".usage", []byte(newer))
	_, err := s.Usage(t.Context(), []string{"a"})
	require.ErrorIs(t, err, keystore.ErrNewerFormat)
	require.ErrorIs(t, s.AddUsage(t.Context(), usedOnce("a")), keystore.ErrNewerFormat)
	require.Equal(t, newer, string(read(t, path+".usage")), "nothing is thrown away that a newer version has counted")
}

func TestUsageOfManyKeys(t *testing.T) {
	t.Parallel()
	path := place(t)
	s := create(t, path)
	const many = 2_000
	records := numberedUpTo(many)
	require.NoError(t, s.Fill(t.Context(), records))
	var all []keystore.Usage
	var ids []string
	for n, r := range records {
		all = append(all, keystore.Usage{ID: r.ID, Count: uint64(n) + 1, LastUsed: second})
		ids = append(ids, r.ID)
	}
	require.NoError(t, s.AddUsage(t.Context(), all))
	require.Equal(t, all, usage(t, open(t, path), ids...))
}
