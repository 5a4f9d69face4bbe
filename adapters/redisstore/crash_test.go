package redisstore_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/redisstore"
	"github.com/claviger-go/claviger/keystore"
)

// What the package doc says a server has when it was killed and comes back. That everysec and no may lose more when the
// machine dies cannot be tried here.
func TestKilledServer(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		desc     string
		settings []string
		snapshot bool // between issue and revocation
		want     func(t *testing.T, r keystore.Record, err error)
	}{
		{"appendfsync always", []string{"--appendonly", "yes", "--appendfsync", "always"}, true, staysRevoked},
		{"appendfsync everysec", []string{"--appendonly", "yes", "--appendfsync", "everysec"}, false, staysRevoked},
		{"appendfsync no", []string{"--appendonly", "yes", "--appendfsync", "no"}, false, staysRevoked},
		{"snapshots", nil, true, func(t *testing.T, r keystore.Record, err error) {
			require.NoError(t, err)
			require.True(t, r.Revoked.IsZero(), "if it stayed revoked, the doc would warn of nothing")
		}},
		{"nothing", nil, false, func(t *testing.T, _ keystore.Record, err error) { require.ErrorIs(t, err, keystore.ErrNotFound) }},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			t.Parallel()
			settings := append([]string{"--dir", t.TempDir()}, tc.settings...)
			address, kill := startServer(t, settings...)
			client := connect(t, address)
			s := handle(t, client, redisstore.Config{})
			insert(t, s, apiKey("a"))
			if tc.snapshot {
				require.NoError(t, client.Save(t.Context()).Err())
			}
			require.NoError(t, s.Update(t.Context(), apiKey("a", op("1"), revoked)))
			kill()
			_, err := s.Lookup(t.Context(), "a")
			require.Error(t, err)
			require.NotErrorIs(t, err, keystore.ErrNotFound, "no answer is not a no (KS1)")

			address, _ = startServer(t, settings...)
			r, err := handle(t, connect(t, address), redisstore.Config{}).Lookup(t.Context(), "a")
			tc.want(t, r, err)
		})
	}
}

func staysRevoked(t *testing.T, r keystore.Record, err error) {
	t.Helper()
	require.NoError(t, err)
	require.False(t, r.Revoked.IsZero())
}
