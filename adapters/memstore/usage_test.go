package memstore_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
)

func addUsage(t *testing.T, s keystore.UsageStore, u ...keystore.Usage) {
	t.Helper()
	require.NoError(t, s.AddUsage(t.Context(), u))
}

func requireUsage(t *testing.T, s keystore.UsageStore, ids []string, want ...keystore.Usage) {
	t.Helper()
	got, err := s.Usage(t.Context(), ids)
	require.NoError(t, err)
	require.ElementsMatch(t, want, got)
}

// second is n whole seconds after start, in UTC: what a LastUsed can hold.
func second(n int) time.Time { return at(n).Truncate(time.Second) }

func TestUsage_WholeSecondsInUTC(t *testing.T) {
	t.Parallel()
	s := open(t)
	insert(t, s, apiKey("a"), apiKey("A"), apiKey("unused"))
	all := []string{"a", "A", "unused", "never", ""}
	requireUsage(t, s, all)

	addUsage(t, s,
		keystore.Usage{ID: "a", Count: 2, LastUsed: second(5)},
		keystore.Usage{ID: "A", Count: 1, LastUsed: second(1)},
		keystore.Usage{ID: "never", Count: 1, LastUsed: second(1)},
		keystore.Usage{ID: "a", Count: 3, LastUsed: second(3)},
	)
	addUsage(t, s)
	addUsage(t, s, keystore.Usage{ID: "A", Count: 1, LastUsed: second(2).Add(999_999_999)})
	requireUsage(t, s, all,
		keystore.Usage{ID: "a", Count: 5, LastUsed: second(5)}, keystore.Usage{ID: "A", Count: 2, LastUsed: second(2)})
	requireUsage(t, s, nil)

	addUsage(t, s, keystore.Usage{ID: "unused"})
	requireUsage(t, s, []string{"unused"})
	addUsage(t, s, keystore.Usage{ID: "unused", Count: 1})
	requireUsage(t, s, []string{"unused"}, keystore.Usage{ID: "unused", Count: 1})
	addUsage(t, s, keystore.Usage{ID: "unused", LastUsed: second(-1).In(time.FixedZone("east", 3600))})
	requireUsage(t, s, []string{"unused"}, keystore.Usage{ID: "unused", Count: 1, LastUsed: second(-1)})
}

func TestUsage_SecretsApart(t *testing.T) {
	t.Parallel()
	s := open(t)
	insert(t, s, apiKey("a"))
	home, office := netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/48")
	addUsage(t, s,
		keystore.Usage{ID: "a", Secret: 1, Count: 1, FirstUsed: second(1), LastUsed: second(2), Network: home},
		keystore.Usage{ID: "a", Secret: 2, Count: 1, FirstUsed: second(3), LastUsed: second(3), Network: home},
		keystore.Usage{ID: "a", Secret: 1, Count: 1, FirstUsed: second(0).Add(time.Millisecond), LastUsed: second(1), Network: office},
		keystore.Usage{ID: "a", Secret: 2, Count: 1, FirstUsed: second(4), LastUsed: second(4), Network: office},
	)
	requireUsage(t, s, []string{"a"},
		keystore.Usage{ID: "a", Secret: 1, Count: 2, FirstUsed: second(0), LastUsed: second(2), Network: home},
		keystore.Usage{ID: "a", Secret: 2, Count: 2, FirstUsed: second(3), LastUsed: second(4), Network: office})
}

func TestUsage_StaysWithItsRecord(t *testing.T) {
	t.Parallel()
	s := open(t)
	insert(t, s, apiKey("a"))
	used := keystore.Usage{ID: "a", Count: 2, LastUsed: second(5)}
	addUsage(t, s, used)
	require.NoError(t, s.Update(t.Context(), apiKey("a", owner("moved"), op("1"))))
	requireUsage(t, s, []string{"a"}, used)

	require.NoError(t, s.Delete(t.Context(), "a", 0))
	addUsage(t, s, used)
	requireUsage(t, s, []string{"a"})
	insert(t, s, apiKey("a"))
	requireUsage(t, s, []string{"a"})
}
