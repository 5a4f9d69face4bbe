package keystore_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
)

func TestImport_TwoRecordsThatAreNoCredential(t *testing.T) {
	t.Parallel()
	store, clock := newStub(), newClock()
	keys := openKeys(t, store, keystore.Config{AcceptForeign: true, Now: clock.Now})
	r, err := keys.Import(keystore.WithActor(t.Context(), "ann"), spec, keystore.NewSecret(foreignText))
	require.NoError(t, err)
	require.Equal(t, "acme", r.Owner)
	require.Equal(t, []keystore.StoredSecret{{N: 1, Hash: "$none", Created: clock.Now()}}, r.Secrets)
	require.Regexp(t, `^[0-9A-Za-z]{12}$`, r.ID)

	alias, err := keys.Lookup(t.Context(), aliasID(foreignText))
	require.NoError(t, err)
	require.Equal(t, keystore.Record{
		ID: aliasID(foreignText), Version: r.Version, Op: alias.Op, Kind: keystore.KindAlias, Parent: r.ID, ParentSecret: 1,
		Owner: "acme", Env: keystore.EnvLive, Created: clock.Now(), CreatedBy: "ann",
	}, alias)
	for range 2 {
		require.Equal(t, r.ID, requireAccepted(t, keys, foreignText).KeyID())
	}
}

func TestImport_RefusedTexts(t *testing.T) {
	t.Parallel()
	store := newStub()
	keys := openKeys(t, store, keystore.Config{AcceptForeign: true, TagSecret: keystore.GenerateSecret()})
	_, own := issue(t, openKeys(t, newStub(), keystore.Config{}), spec)
	hex31, letters21 := strings.Repeat("0f", 15)+"a", strings.Repeat("Zg7", 7)
	for _, tt := range []struct {
		desc, text string
		want       error
	}{
		{"empty", "", keystore.ErrInvalid},
		{"31 hex digits", hex31, keystore.ErrWeakKey},
		{"31 hex digits in upper case", strings.ToUpper(hex31), keystore.ErrWeakKey},
		{"31 decimal digits", strings.Repeat("1", 31), keystore.ErrWeakKey},
		{"32 hex digits", hex31 + "0", nil},
		{"a UUID", "123e4567-e89b-12d3-a456-426614174000", nil},
		{"21 letters and digits", letters21, keystore.ErrWeakKey},
		{"21, and what carries nothing", letters21 + "-_-_-_-_-_-_", keystore.ErrWeakKey},
		{"22 letters and digits", letters21 + "x", nil},
		{"22 hex digits and dashes", strings.Repeat("0f-", 11), keystore.ErrWeakKey},
		{"a word", "swordfish", keystore.ErrWeakKey},
		{"our own form", own, keystore.ErrInvalid},
		{"our own form, tagged or not", keystore.ExampleCredential, keystore.ErrInvalid},
		{"three segments", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", keystore.ErrInvalid},
		{"space", foreignText + " x", keystore.ErrInvalid},
		{"space before", " " + foreignText, keystore.ErrInvalid},
		{"line end", foreignText + "\n", keystore.ErrInvalid},
		{"NUL", foreignText + "\x00", keystore.ErrInvalid},
		{"not ASCII", foreignText + "ü", keystore.ErrInvalid},
		{"4,096 characters", strings.Repeat("x", 4096), nil},
		{"4,097 characters", strings.Repeat("x", 4097), keystore.ErrInvalid},
	} {
		writes := store.writes.Load()
		_, err := keys.Import(t.Context(), spec, keystore.NewSecret(tt.text))
		if tt.want == nil {
			require.NoError(t, err, tt.desc)
			requireAccepted(t, keys, tt.text)
			continue
		}
		require.ErrorIs(t, err, tt.want, tt.desc)
		if tt.text != "" {
			require.NotContains(t, err.Error(), tt.text, tt.desc)
		}
		require.Equal(t, writes, store.writes.Load(), "decided before anything is written")
	}
}

func TestImport_TwiceIsErrExists(t *testing.T) {
	t.Parallel()
	store := newStub()
	keys := openKeys(t, store, keystore.Config{AcceptForeign: true})
	errs := make([]error, 8)
	var group sync.WaitGroup
	for i := range errs {
		group.Go(func() { _, errs[i] = keys.Import(t.Context(), spec, keystore.NewSecret(foreignText)) })
	}
	group.Wait()
	imported := 0
	for _, err := range errs {
		if err == nil {
			imported++
			continue
		}
		require.ErrorIs(t, err, keystore.ErrExists)
	}
	require.Equal(t, 1, imported)
	page, err := keys.List(t.Context(), keystore.Filter{Kind: keystore.KindAPIKey})
	require.NoError(t, err)
	require.Len(t, page.Records, 1, "the others took their keys back")
	key := page.Records[0]
	require.Equal(t, key.ID, requireAccepted(t, keys, foreignText).KeyID())

	// The text of a revoked key stays taken; that of a deleted one is free.
	require.NoError(t, keys.Revoke(t.Context(), key.ID, ""))
	_, err = keys.Import(t.Context(), spec, keystore.NewSecret(foreignText))
	require.ErrorIs(t, err, keystore.ErrExists)
	requireRefused(t, keys, foreignText, keystore.OutcomeRevoked)
	require.NoError(t, keys.Delete(t.Context(), key.ID))
	requireRefused(t, keys, foreignText, keystore.OutcomeUnknown)
	importKey(t, keys, foreignText)
	requireAccepted(t, keys, foreignText)
}

// T-116: an import that fails half-way leaves nothing behind that would be in the way of the next.
func TestT116_ImportThatFails(t *testing.T) {
	t.Parallel()
	isAlias := func(id string) bool { return strings.HasPrefix(id, "sha256:") }
	for _, tt := range []struct {
		desc string
		hook writeHook
		left int
	}{
		{"key not written", func(_ context.Context, verb, id string, send func() error) error {
			if verb == "insert" && !isAlias(id) {
				return errDown
			}
			return send()
		}, 0},
		{"alias not written", func(_ context.Context, verb, id string, send func() error) error {
			if verb == "insert" && isAlias(id) {
				return errDown
			}
			return send()
		}, 0},
		{"alias written, and nobody heard", func(_ context.Context, verb, id string, send func() error) error {
			err := send()
			if verb == "insert" && isAlias(id) {
				return errDown
			}
			return err
		}, 0},
		{"panic", func(_ context.Context, verb, id string, send func() error) error {
			if verb == "insert" && isAlias(id) {
				panic("nil map")
			}
			return send()
		}, 0},
		{"the store goes down between the two", func(_ context.Context, _, id string, send func() error) error {
			if isAlias(id) {
				return errDown
			}
			return send()
		}, 0},
		{"the store goes down for good", func() writeHook {
			inserted := false
			return func(_ context.Context, _, _ string, send func() error) error {
				if inserted {
					return errDown
				}
				inserted = true
				return send()
			}
		}(), 1},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			t.Parallel()
			store := newStub()
			var told events
			keys := openKeys(t, store, keystore.Config{AcceptForeign: true, OnEvent: told.hear})
			store.bendWrites(tt.hook)
			r, err := keys.Import(t.Context(), spec, keystore.NewSecret(foreignText))
			requireUnavailable(t, err)
			require.Empty(t, r.ID)
			store.bendWrites(nil)
			page, err := keys.List(t.Context(), keystore.Filter{})
			require.NoError(t, err)
			require.Len(t, page.Records, tt.left)
			requireRefused(t, keys, foreignText, keystore.OutcomeUnknown)
			require.Empty(t, told.all())

			importKey(t, keys, foreignText)
			requireAccepted(t, keys, foreignText)
		})
	}
}

// What an import takes back is its own alone.
func TestT116_ImportThatFailsSparesAnother(t *testing.T) {
	t.Parallel()
	store := newStub()
	keys := openKeys(t, store, keystore.Config{AcceptForeign: true})
	first := importKey(t, keys, foreignText)
	store.bendWrites(func(_ context.Context, verb, id string, send func() error) error {
		if err := send(); err != nil && verb == "insert" {
			return errDown // and the answer ErrExists was lost
		}
		return nil
	})
	_, err := keys.Import(t.Context(), keystore.Spec{Owner: "other"}, keystore.NewSecret(foreignText))
	requireUnavailable(t, err)
	store.bendWrites(nil)
	require.Equal(t, first.ID, requireAccepted(t, keys, foreignText).KeyID())
	page, err := keys.List(t.Context(), keystore.Filter{Kind: keystore.KindAPIKey})
	require.NoError(t, err)
	require.Len(t, page.Records, 1)
}

// A client that goes away while its key is imported does not leave half of it.
func TestT116_ImportCancelled(t *testing.T) {
	t.Parallel()
	store := newStub()
	keys := openKeys(t, store, keystore.Config{AcceptForeign: true})
	ctx, cancel := context.WithCancel(t.Context())
	store.bendWrites(func(_ context.Context, _, id string, send func() error) error {
		if strings.HasPrefix(id, "sha256:") {
			cancel()
		}
		return send()
	})
	_, err := keys.Import(ctx, spec, keystore.NewSecret(foreignText))
	requireUnavailable(t, err)
	store.bendWrites(nil)
	page, err := keys.List(t.Context(), keystore.Filter{})
	require.NoError(t, err)
	require.Empty(t, page.Records)
}
