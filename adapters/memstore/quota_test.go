package memstore_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
)

func TestKS7_QuotaCounts(t *testing.T) {
	t.Parallel()
	now := at(100)
	expires := func(when time.Time) func(*keystore.Record) {
		return func(r *keystore.Record) { r.Expires = when }
	}
	for _, tc := range []struct {
		desc   string
		stored keystore.Record
		counts bool
	}{
		{"alike", apiKey("stored"), true},
		{"expires later", apiKey("stored", expires(now.Add(time.Microsecond))), true},
		{"expires now", apiKey("stored", expires(now)), false},
		{"expired", apiKey("stored", expires(now.Add(-time.Microsecond))), false},
		{"revoked", apiKey("stored", revoked), false},
		{"suspended", apiKey("stored", func(r *keystore.Record) { r.Suspended.At = at(1) }), true},
		{"not valid yet", apiKey("stored", func(r *keystore.Record) { r.NotBefore = at(200) }), true},
		{"created in the future", apiKey("stored", created(200)), true},
		{"other owner", apiKey("stored", owner("another")), false},
		{"owner in another case", apiKey("stored", owner("ACCT_4711AAA")), false},
		{"owner with the same beginning", apiKey("stored", owner("acct_4711aaab")), false},
		{"no owner", apiKey("stored", owner("")), false},
		{"other kind", apiKey("stored", func(r *keystore.Record) { r.Kind = keystore.KindSession }), false},
		{"other type", apiKey("stored", func(r *keystore.Record) { r.Type = "other" }), false},
		{"no type", apiKey("stored", func(r *keystore.Record) { r.Type = "" }), false},
		{"other env", apiKey("stored", func(r *keystore.Record) { r.Env = keystore.EnvTest }), true},
		{"other parent", apiKey("stored", func(r *keystore.Record) { r.Parent = "p" }), true},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			insert(t, s, tc.stored)
			err := s.Insert(t.Context(), apiKey("new"), keystore.Quota{Max: 1, Now: now})
			if tc.counts {
				require.ErrorIs(t, err, keystore.ErrQuota)
				_, err = s.Lookup(t.Context(), "new")
				require.ErrorIs(t, err, keystore.ErrNotFound)
				return
			}
			require.NoError(t, err)
		})
	}
}

func TestKS7_QuotaOfEachOwner(t *testing.T) {
	t.Parallel()
	s := open(t)
	three := keystore.Quota{Max: 3, Now: start}
	// Also an owner that JSON does not write as it is, and one that is none.
	for o, name := range []string{"acct_1", "acct_2", `<"&\>` + "\u2028", ""} {
		for n := range 3 {
			require.NoError(t, s.Insert(t.Context(), apiKey(fmt.Sprintf("%dn%d", o, n), owner(name)), three))
		}
		require.ErrorIs(t, s.Insert(t.Context(), apiKey("more", owner(name)), three), keystore.ErrQuota)
		require.NoError(t, s.Insert(t.Context(), apiKey(fmt.Sprintf("%dx", o), owner(name)), unlimited))
		require.ErrorIs(t, s.Insert(t.Context(), apiKey("more", owner(name)), keystore.Quota{Max: -1}), keystore.ErrQuota)
	}
}

// An Update or Delete that ends a record makes room, and nothing else does.
func TestKS7_QuotaAfterChanges(t *testing.T) {
	t.Parallel()
	s := open(t)
	one := keystore.Quota{Max: 1, Now: start}
	require.NoError(t, s.Insert(t.Context(), apiKey("a"), one))
	require.NoError(t, s.Update(t.Context(), apiKey("a", op("1"))))
	require.ErrorIs(t, s.Insert(t.Context(), apiKey("b"), one), keystore.ErrQuota)
	require.NoError(t, s.Update(t.Context(), apiKey("a", version(2), op("2"), revoked)))
	require.NoError(t, s.Insert(t.Context(), apiKey("b"), one))
	require.ErrorIs(t, s.Insert(t.Context(), apiKey("c"), one), keystore.ErrQuota)
	require.NoError(t, s.Delete(t.Context(), "b", 0))
	require.NoError(t, s.Insert(t.Context(), apiKey("c"), one))
}

func TestKS7_QuotaRace(t *testing.T) {
	t.Parallel()
	s := open(t)
	for round := range 200 {
		most := round%contenders + 1
		require.EqualValues(t, most, compete(t, func(c int) error {
			id := fmt.Sprintf("r%dc%d", round, c)
			return s.Insert(t.Context(), apiKey(id, owner(strconv.Itoa(round))), keystore.Quota{Max: most, Now: start})
		}, keystore.ErrQuota))
	}
}
