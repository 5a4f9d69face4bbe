package sqlstore

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
)

func TestRowOf(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_901_999, time.FixedZone("east", 3600))
	full, err := rowOf(keystore.Record{
		ID: "a", Version: math.MaxUint64, Op: "o", Kind: keystore.KindAlias, Parent: "p", Owner: "w", Type: "t",
		Created: at, Expires: at, Revoked: keystore.Mark{At: at},
	})
	require.NoError(t, err)
	require.Equal(t, int64(-1), full.version)
	require.Equal(t, []byte("p"), full.parent)
	require.Equal(t, at.UnixMicro(), full.created)
	require.Equal(t, at.UnixMicro(), full.expires)
	require.Equal(t, at.UnixMicro(), full.revoked)

	bare, err := rowOf(keystore.Record{ID: "a"})
	require.NoError(t, err)
	require.Nil(t, bare.parent)
	require.Nil(t, bare.expires)
	require.Nil(t, bare.revoked)
	for name, text := range map[string][]byte{"op": bare.op, "kind": bare.kind, "owner": bare.owner, "type": bare.typ} {
		require.NotNil(t, text, "%s: nil would be NULL", name)
	}
}

// MySQL cuts what is too long unless it is told to be strict.
func TestT123_NothingIsCut(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		desc  string
		limit int
		set   func(*keystore.Record, string)
	}{
		{"op", 64, func(r *keystore.Record, s string) { r.Op = s }},
		{"kind", 64, func(r *keystore.Record, s string) { r.Kind = keystore.Kind(s) }},
		{"owner", 256, func(r *keystore.Record, s string) { r.Owner = s }},
		{"type", 64, func(r *keystore.Record, s string) { r.Type = s }},
		{"parent", 80, func(r *keystore.Record, s string) { r.Parent = s }},
		{"record", 0, func(r *keystore.Record, s string) { r.Name = strings.Repeat("x", 1<<24) + s }},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			t.Parallel()
			r := keystore.Record{ID: "a"}
			if tc.limit > 0 {
				tc.set(&r, strings.Repeat("x", tc.limit))
				_, err := rowOf(r)
				require.NoError(t, err)
			}
			tc.set(&r, strings.Repeat("x", tc.limit+1))
			_, err := rowOf(r)
			require.ErrorContains(t, err, "sqlstore: the "+tc.desc+" has ")
			require.NotContains(t, err.Error(), "xx", "what the record says is not repeated")
		})
	}
}

func TestCheckID(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"0", "zZ9:", strings.Repeat("a", 80), "sha256:" + strings.Repeat("0a", 32)} {
		require.NoError(t, checkID(id), id)
	}
	for _, id := range []string{"", " ", "a ", "a\x00", "ä", "a'", "a;", "a_", "%", strings.Repeat("a", 81)} {
		err := checkID(id)
		require.Error(t, err, id)
		require.Equal(t, errID, err)
	}
}
