package hash_test

import (
	"context"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/memstore"
	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/keystore/internal/credential"
	"github.com/claviger-go/claviger/keystore/internal/hash"
)

// quiet is a store without goroutines, and counts what is written.
type quiet struct {
	keystore.AdminStore
	updates atomic.Int64
}

func (q *quiet) Update(ctx context.Context, r keystore.Record) error {
	q.updates.Add(1)
	return q.AdminStore.Update(ctx, r)
}

// counted opens Keys and counts their slow hashes. Each waits for the gate, if there is one.
func counted(t *testing.T, store keystore.KeyStore, config keystore.Config, gate <-chan struct{}) (*keystore.Keys, *atomic.Int64) {
	t.Helper()
	config.LookupTimeout = time.Minute // a busy machine takes longer than the default
	keys, err := keystore.New(store, config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, keys.Close()) })
	var count atomic.Int64
	hasher := (*hash.Hasher)(reflect.ValueOf(keys).Elem().FieldByName("hasher").UnsafePointer())
	hasher.Hook(func() {
		count.Add(1)
		if gate != nil {
			<-gate
		}
	})
	return keys, &count
}

func TestT021_OneSlowHashForEveryPassword(t *testing.T) {
	t.Parallel()
	keys, count := counted(t, &quiet{AdminStore: memstore.New()}, keystore.Config{}, nil)
	stored, err := keys.HashPassword(t.Context(), keystore.NewSecret("correct horse"))
	require.NoError(t, err)
	require.Equal(t, int64(1), count.Swap(0))

	for _, row := range []struct {
		desc, stored, password string
		want                   bool
	}{
		{"right", stored, "correct horse", true},
		{"wrong", stored, "battery staple", false},
		{"empty", stored, "", false},
		{"as long as can be", stored, strings.Repeat("x", 1024), false},
		{"unknown user, disabled user, user without a password", "", "correct horse", false},
		{"nobody's empty password", "", "", false},
		{"what the stand-in is made of", "", strings.Repeat("\x00", 32), false},
	} {
		ok, err := keys.CheckPassword(t.Context(), row.stored, keystore.NewSecret(row.password))
		require.NoError(t, err, row.desc)
		require.Equal(t, row.want, ok, row.desc)
		require.Equal(t, int64(1), count.Swap(0), row.desc)
	}
	for _, stored := range []string{"", stored} {
		_, err := keys.CheckPassword(t.Context(), stored, keystore.NewSecret(strings.Repeat("x", 1025)))
		require.ErrorIs(t, err, keystore.ErrPasswordTooLong)
		require.Zero(t, count.Load())
	}
}

func TestSlowHash_OncePerKey(t *testing.T) {
	t.Parallel()
	keys, count := counted(t, &quiet{AdminStore: memstore.New()}, keystore.Config{SlowHash: true}, nil)
	issued, err := keys.Issue(t.Context(), keystore.Spec{Owner: "acme"})
	require.NoError(t, err)
	require.Equal(t, int64(1), count.Swap(0))
	text := issued.Credential.Reveal()
	for range 3 {
		_, err = keys.Verify(t.Context(), text)
		require.NoError(t, err)
	}
	require.Equal(t, int64(1), count.Swap(0))

	// A guess at a known id costs none.
	for range 100 {
		guess := credential.Text{Brand: "sk", Env: "live", ID: issued.Record.ID, Secret: credential.NewSecret()}
		_, err := keys.Verify(t.Context(), guess.Format())
		var refused *keystore.RefusedError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, keystore.OutcomeWrongSecret, refused.Outcome)
	}
	require.Zero(t, count.Load())
}

func TestSlowHash_ConcurrentFirstUsesCostOne(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		desc        string
		issuedSlow  bool
		wantUpdates int64
	}{
		{"hashed slowly", true, 0},
		{"about to be", false, 1},
	} {
		t.Run(row.desc, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := &quiet{AdminStore: memstore.New()}
				issuer, _ := counted(t, store, keystore.Config{SlowHash: row.issuedSlow}, nil)
				issued, err := issuer.Issue(t.Context(), keystore.Spec{Owner: "acme"})
				require.NoError(t, err)

				gate := make(chan struct{})
				keys, count := counted(t, store, keystore.Config{SlowHash: true, ConcurrentHashes: 4}, gate)
				verify := func() {
					_, err := keys.Verify(t.Context(), issued.Credential.Reveal())
					require.NoError(t, err)
				}
				var uses sync.WaitGroup
				for range 50 {
					uses.Go(verify)
				}
				synctest.Wait()
				require.Equal(t, int64(1), count.Load())
				close(gate)
				uses.Wait()
				verify()
				require.Equal(t, int64(1), count.Load())
				require.Equal(t, row.wantUpdates, store.updates.Load())
				r, err := keys.Lookup(t.Context(), issued.Record.ID)
				require.NoError(t, err)
				require.Regexp(t, `^\$first4\$[0-9a-f]{8}`+personForm()+"$", r.Secrets[0].Hash)
			})
		})
	}
}

// T-023. What ends the bubble is that no goroutine is left.
func TestT023_PasswordFlood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		keys, count := counted(t, &quiet{AdminStore: memstore.New()}, keystore.Config{ConcurrentHashes: 2}, gate)
		ctx, leave := context.WithCancel(t.Context())
		var clients sync.WaitGroup
		var shed atomic.Int64
		for range 1000 {
			clients.Go(func() {
				ok, err := keys.CheckPassword(ctx, "", keystore.NewSecret("battery staple"))
				require.False(t, ok)
				require.ErrorIs(t, err, keystore.ErrUnavailable)
				if ctx.Err() == nil {
					shed.Add(1)
				}
			})
		}
		synctest.Wait()
		require.Equal(t, int64(2), count.Load())
		require.Equal(t, int64(1000-2-2*16), shed.Load())
		leave()
		clients.Wait()
		close(gate)
		synctest.Wait()
		require.Equal(t, int64(2), count.Load())
		ok, err := keys.CheckPassword(t.Context(), "", keystore.NewSecret("battery staple"))
		require.NoError(t, err)
		require.False(t, ok)
	})
}
