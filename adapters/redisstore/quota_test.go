package redisstore_test

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/redisstore"
	"github.com/claviger-go/claviger/keystore"
)

// T-115: never one too many, through two handles.
func TestKS7_QuotaRace(t *testing.T) {
	t.Parallel()
	client, another := connect(t, address(t)), connect(t, address(t))
	config := redisstore.Config{Prefix: prefix(t, client)}
	handles := []*redisstore.Store{handle(t, client, config), handle(t, another, config)}
	rounds := 100
	if testing.Short() {
		rounds = 10
	}
	const contenders = 32
	for round := range rounds {
		most := round%(2*contenders) + 1
		who := owner(name("owner%d", round))
		var won, other atomic.Int64
		together(2*contenders, func(c int) {
			r := apiKey(name("r%dc%d", round, c), who, op(name("%d", c)))
			if c%4 == 0 {
				r.Expires = at(5) // live as well, and counted in another place
			}
			switch err := handles[c%2].Insert(t.Context(), r, keystore.Quota{Max: most, Now: start}); err {
			case nil:
				won.Add(1)
			case keystore.ErrQuota:
			default:
				other.Add(1)
			}
		})
		require.Zero(t, other.Load())
		require.EqualValues(t, most, won.Load())
		page, err := handles[0].List(t.Context(), keystore.Filter{Owner: name("owner%d", round), Limit: 100})
		require.NoError(t, err)
		require.Len(t, page.Records, most)
	}
}

// A place is given back by whatever ends a record, once.
func TestKS7_QuotaAfterChanges(t *testing.T) {
	t.Parallel()
	s := open(t)
	two := keystore.Quota{Max: 2, Now: start}
	try := func(id string, want error, edits ...func(*keystore.Record)) {
		t.Helper()
		require.ErrorIs(t, s.Insert(t.Context(), apiKey(id, edits...), two), want)
	}
	try("a", nil)
	try("b", nil, expires(1))
	try("c", keystore.ErrQuota)
	require.NoError(t, s.Update(t.Context(), apiKey("a", op("1"), owner("moved"))))
	try("c", nil)
	try("d", keystore.ErrQuota)
	require.NoError(t, s.Update(t.Context(), apiKey("c", op("1"), revoked)))
	require.NoError(t, s.Delete(t.Context(), "c", 2))
	try("d", nil)
	try("e", keystore.ErrQuota)
	require.NoError(t, s.Update(t.Context(), apiKey("b", op("1"), expires(0))))
	try("e", nil)
	try("f", keystore.ErrQuota)
	require.ErrorIs(t, s.Insert(t.Context(), apiKey("g"), keystore.Quota{Max: -1}), keystore.ErrQuota)
}
