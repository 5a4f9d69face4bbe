package store_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/examples/internal/store"
	"github.com/claviger-go/claviger/keystore"
)

// What one program revokes another one hears of (KS12), at once where the store pushes. One that polls each second would
// need four seconds at least for five revocations, each made as soon as the one before was heard of.
func TestOpen_Watches(t *testing.T) {
	t.Parallel()
	for _, place := range places[1:] { // nobody shares memory:
		t.Run(place.kind, func(t *testing.T) {
			t.Parallel()
			at := place.url(t)
			keys, _ := open(t, at)
			rounds, limit := 1, time.Minute
			if place.kind == "postgres" || place.kind == "redis" {
				rounds, limit = 5, 3*time.Second
			}
			var ids []string
			for range rounds {
				issued, err := keys.Issue(t.Context(), keystore.Spec{Owner: "acme"})
				require.NoError(t, err)
				ids = append(ids, issued.Record.ID)
			}

			heard := watch(t, at)
			require.Empty(t, <-heard, "in touch")
			began := time.Now()
			for _, id := range ids {
				require.NoError(t, keys.Revoke(t.Context(), id, keystore.ReasonRequested))
				for !slices.Contains(<-heard, id) { //nolint:revive // until it is heard of
				}
			}
			require.Less(t, time.Since(began), limit)
		})
	}
}

// watch is another program that listens, until the test ends.
func watch(t *testing.T, at string) <-chan []string {
	t.Helper()
	s, err := store.Open(t.Context(), at)
	require.NoError(t, err)
	heard := make(chan []string, 100)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Watch(ctx, func(ids ...string) { heard <- ids }) }()
	t.Cleanup(func() {
		stop()
		require.ErrorIs(t, <-ended, context.Canceled)
		require.NoError(t, s.Close())
	})
	return heard
}
