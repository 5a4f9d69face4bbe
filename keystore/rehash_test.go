package keystore_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/scopes"
)

// ringOf is a ring of secrets that their names determine.
func ringOf(t testing.TB, names ...string) keystore.Ring {
	t.Helper()
	var entries []string
	for _, name := range names {
		sum := sha256.Sum256([]byte(name))
		entries = append(entries, name+":"+base64.StdEncoding.EncodeToString(sum[:]))
	}
	ring, err := keystore.ParseRing(strings.Join(entries, ","))
	require.NoError(t, err)
	return ring
}

// T-032: at the next success a hash is made as it would be today, and nothing else changes.
func TestT032_HashedAnewAtTheNextSuccess(t *testing.T) {
	t.Parallel()
	store := newStub()
	id, text := issue(t, openKeys(t, store, keystore.Config{Ring: ringOf(t, "a")}), spec)
	var told events
	keys := openKeys(t, store, keystore.Config{Ring: ringOf(t, "b", "a"), OnEvent: told.hear})
	before, err := keys.Lookup(t.Context(), id)
	require.NoError(t, err)
	writes := store.writes.Load()
	for range 3 {
		requireAccepted(t, keys, text)
	}
	require.Equal(t, writes+1, store.writes.Load(), "one Update")
	after, err := keys.Lookup(t.Context(), id)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(after.Secrets[0].Hash, "$hmac-sha256$k=b$"))
	before.Version, before.Op, before.Secrets[0].Hash = before.Version+1, after.Op, after.Secrets[0].Hash
	require.Equal(t, before, after)
	require.Empty(t, told.all(), "it is no event")
	requireAccepted(t, openKeys(t, store, keystore.Config{Ring: ringOf(t, "b")}), text)

	// T-031: who lacks the secret cannot answer.
	_, err = openKeys(t, store, keystore.Config{Ring: ringOf(t, "c")}).Verify(t.Context(), text)
	requireUnavailable(t, err)
}

// Those who meet an outdated hash together hash it anew once, however slow that is.
func TestRehash_ByManyAtOnce(t *testing.T) {
	t.Parallel()
	store := newStub()
	_, text := issue(t, openKeys(t, store, keystore.Config{}), spec)
	var told events
	keys := openKeys(t, store, keystore.Config{SlowHash: true, ConcurrentHashes: 1, OnEvent: told.hear})
	store.writes.Store(0)
	var group sync.WaitGroup
	for range 64 {
		group.Go(func() {
			if _, err := keys.Verify(t.Context(), text); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	require.LessOrEqual(t, store.writes.Load(), int64(2), "one Update, and perhaps one that came too late")
	require.Empty(t, told.all())
}

// T-137: hashing anew, which follows from a mere request, undoes no change that comes in between.
func TestT137_RehashUndoesNothing(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		desc  string
		do    func(t *testing.T, other *keystore.Keys, id string)
		check func(t *testing.T, keys *keystore.Keys, text string)
	}{
		{"revoked", func(t *testing.T, other *keystore.Keys, id string) {
			require.NoError(t, other.Revoke(t.Context(), id, keystore.ReasonCompromised))
		}, func(t *testing.T, keys *keystore.Keys, text string) {
			requireRefused(t, keys, text, keystore.OutcomeRevoked)
		}},
		{"suspended", func(t *testing.T, other *keystore.Keys, id string) {
			require.NoError(t, other.Suspend(t.Context(), id, keystore.ReasonMisuse))
		}, func(t *testing.T, keys *keystore.Keys, text string) {
			requireRefused(t, keys, text, keystore.OutcomeSuspended)
		}},
		{"edited", func(t *testing.T, other *keystore.Keys, id string) {
			_, err := other.Edit(t.Context(), id, func(r *keystore.Record) error { r.Scopes = scopes.Set{}; return nil })
			require.NoError(t, err)
		}, func(t *testing.T, keys *keystore.Keys, text string) {
			require.False(t, requireAccepted(t, keys, text).Allows("claims:read"))
		}},
		{"deleted", func(t *testing.T, other *keystore.Keys, id string) {
			require.NoError(t, other.Delete(t.Context(), id))
		}, func(t *testing.T, keys *keystore.Keys, text string) {
			requireRefused(t, keys, text, keystore.OutcomeUnknown)
		}},
	} {
		for _, moment := range []string{"before it is hashed", "before it is written", "after it is written"} {
			t.Run(tt.desc+" "+moment, func(t *testing.T) {
				t.Parallel()
				store := newStub()
				id, text := issue(t, openKeys(t, store, keystore.Config{Ring: ringOf(t, "a")}), spec)
				other := openKeys(t, store.memory, keystore.Config{}) // past the hooks
				var told events
				renewed := keystore.Config{Ring: ringOf(t, "b", "a"), OnEvent: told.hear}
				keys := openKeys(t, store, renewed)
				var once sync.Once
				act := func(now string) {
					if now == moment {
						once.Do(func() { tt.do(t, other, id) })
					}
				}
				store.bend(func(_ context.Context, _ string, ask func() (keystore.Record, error)) (keystore.Record, error) {
					r, err := ask()
					act("before it is hashed")
					return r, err
				})
				store.bendWrites(func(_ context.Context, _, _ string, send func() error) error {
					act("before it is written")
					err := send()
					act("after it is written")
					return err
				})
				requireAccepted(t, keys, text) // by what was read before
				require.NoError(t, other.Close())
				tt.check(t, openKeys(t, store, renewed), text)
				if r, err := other.Lookup(t.Context(), id); err == nil && tt.desc == "revoked" {
					require.Equal(t, keystore.ReasonCompromised, r.Revoked.Reason)
				}
				if tt.desc != "deleted" {
					require.Empty(t, told.all(), "a conflict is dropped")
				}
			})
		}
	}
}
