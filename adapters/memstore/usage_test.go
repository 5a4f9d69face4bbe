package memstore_test

import (
	"testing"
	"testing/synctest"
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

func TestKS13_UsageAddsUp(t *testing.T) {
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

	addUsage(t, s, keystore.Usage{ID: "unused", Count: 1})
	requireUsage(t, s, []string{"unused"}, keystore.Usage{ID: "unused", Count: 1})
	addUsage(t, s, keystore.Usage{ID: "unused", LastUsed: second(-1).In(time.FixedZone("east", 3600))})
	requireUsage(t, s, []string{"unused"}, keystore.Usage{ID: "unused", Count: 1, LastUsed: second(-1)})
}

func TestKS13_UsageStaysWithItsRecord(t *testing.T) {
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

func TestKS13_UsageChangesNoRecord(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		insert(t, s, apiKey("a"))
		heard := watch(t, s)
		require.Equal(t, [][]string{nil}, heard())
		addUsage(t, s, keystore.Usage{ID: "a", Count: 1, LastUsed: second(1)})
		require.Empty(t, heard())
		require.Equal(t, apiKey("a"), lookup(t, s, "a"))
		require.NoError(t, s.Update(t.Context(), apiKey("a", op("1"))), "the version has not moved")
	})
}

func TestKS13_ConcurrentUsage(t *testing.T) {
	t.Parallel()
	s := open(t)
	insert(t, s, apiKey("a"))
	const rounds = 100
	compete(t, func(c int) error {
		for n := range rounds {
			if err := s.AddUsage(t.Context(), []keystore.Usage{{ID: "a", Count: 2, LastUsed: second(c*rounds + n)}}); err != nil {
				return err
			}
		}
		return nil
	}, nil)
	requireUsage(t, s, []string{"a"},
		keystore.Usage{ID: "a", Count: 2 * contenders * rounds, LastUsed: second(contenders*rounds - 1)})
}
