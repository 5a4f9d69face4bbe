package memstore_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
)

func version(v uint64) func(*keystore.Record) { return func(r *keystore.Record) { r.Version = v } }

func revoked(r *keystore.Record) {
	r.Revoked = keystore.Mark{At: at(1), Reason: keystore.ReasonRequested}
}

// Two without an op are two mutations.
func TestMutation_WithoutOp(t *testing.T) {
	t.Parallel()
	s := open(t)
	insert(t, s, apiKey("a", op("")))
	require.ErrorIs(t, s.Insert(t.Context(), apiKey("a", op("")), unlimited), keystore.ErrExists)
	require.NoError(t, s.Update(t.Context(), apiKey("a", op(""))))
	require.ErrorIs(t, s.Update(t.Context(), apiKey("a", op(""))), keystore.ErrConflict)
}

func TestInsert_RefusesMalformedIDs(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, id := range []string{
		"", strings.Repeat("x", 81), strings.Repeat("x", 1<<20), "sk_live", "a-b", "a b", "a\x00", "a\n", "é", "\xff", "a/b", "a%62",
		"['", "[", "@", "`", "{", ";",
	} {
		err := s.Insert(t.Context(), apiKey(id), unlimited)
		require.ErrorContains(t, err, "want ", "%q", id)
		require.Less(t, len(err.Error()), 100, "the id is not repeated")
		require.NoError(t, s.Delete(t.Context(), id, 1), "nothing is there")
	}
	require.Empty(t, list(t, s, keystore.Filter{}).Records)
}

func TestInsert_NegativeQuotaAdmitsNone(t *testing.T) {
	t.Parallel()
	s := open(t)
	require.ErrorIs(t, s.Insert(t.Context(), apiKey("a"), keystore.Quota{Max: -1}), keystore.ErrQuota)
}

// Any number is a version, also one that Keys never uses.
func TestUpdate_VersionZero(t *testing.T) {
	t.Parallel()
	s := open(t)
	insert(t, s, apiKey("a", version(0)))
	require.ErrorIs(t, s.Update(t.Context(), apiKey("a", version(1), op("1"))), keystore.ErrConflict)
	require.NoError(t, s.Update(t.Context(), apiKey("a", version(0), op("1"))))
	require.Equal(t, apiKey("a", version(1), op("1")), lookup(t, s, "a"))
}
