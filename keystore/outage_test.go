package keystore_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
)

func TestVC8_StoreDownServesUntilMaxStalenessThen503(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newStub()
		keys := openKeys(t, store, keystore.Config{AcceptForeign: true})
		id, text := issue(t, keys, spec)
		_, unseen := issue(t, keys, spec)
		importKey(t, keys, foreignText)
		requireAccepted(t, keys, text)
		requireAccepted(t, keys, foreignText)
		store.bend(down)

		unavailable := func(text string) {
			p, err := keys.Verify(t.Context(), text)
			require.Nil(t, p)
			requireUnavailable(t, err)
			require.ErrorIs(t, err, errDown)
		}
		time.Sleep(5*time.Second - 1)
		requireAccepted(t, keys, text)
		requireAccepted(t, keys, foreignText)
		unavailable(unseen)
		time.Sleep(time.Nanosecond)
		unavailable(text)
		unavailable(foreignText)
		_, err := keys.Principal(t.Context(), id)
		requireUnavailable(t, err)

		lookups := store.lookups.Load()
		unavailable(text)
		require.Equal(t, lookups+1, store.lookups.Load(), "nothing is cached from a failure")
		store.bend(nil)
		requireAccepted(t, keys, text)
		requireAccepted(t, keys, unseen)
	})
}

// News without ids say that anything may have changed, not that anything has: with the store down, the stated bound
// stands. News of an id say that it has changed.
func TestVC8_NewsWithTheStoreDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newWatched()
		keys := openKeys(t, store, keystore.Config{})
		id, text := issue(t, keys, spec)
		_, other := issue(t, keys, spec)
		requireAccepted(t, keys, text)
		requireAccepted(t, keys, other)
		store.bend(down)

		store.tell()
		lookups := store.lookups.Load()
		requireAccepted(t, keys, text)
		require.Equal(t, lookups+1, store.lookups.Load(), "the store was asked first")
		store.tell(id)
		_, err := keys.Verify(t.Context(), text)
		requireUnavailable(t, err)
		requireAccepted(t, keys, other)
		time.Sleep(5 * time.Second)
		_, err = keys.Verify(t.Context(), other)
		requireUnavailable(t, err)
	})
}

// A route that accepts no staleness gets none; the others lose nothing by it.
func TestRefresh_WithTheStoreDown(t *testing.T) {
	t.Parallel()
	store := newStub()
	keys := openKeys(t, store, keystore.Config{})
	id, text := issue(t, keys, spec)
	put(t, store, "session", id)
	p := requireAccepted(t, keys, text)
	s, err := keys.Principal(t.Context(), "session")
	require.NoError(t, err)

	store.bend(down)
	for _, p := range []*keystore.Principal{p, s} {
		_, err = keys.Refresh(t.Context(), p)
		requireUnavailable(t, err)
	}
	requireAccepted(t, keys, text)
	_, err = keys.Principal(t.Context(), "session")
	require.NoError(t, err, "VC8: served until MaxStaleness")
}

func TestRefresh_ReadsTheWholeChain(t *testing.T) {
	t.Parallel()
	for _, staleness := range []time.Duration{0, -1} {
		store := newStub()
		keys := openKeys(t, store, keystore.Config{AcceptForeign: true, MaxStaleness: staleness})
		elsewhere := openKeys(t, store, keystore.Config{})
		id, _ := issue(t, keys, spec)
		put(t, store, "session", id)
		p, err := keys.Principal(t.Context(), "session")
		require.NoError(t, err)

		store.lookups.Store(0)
		fresh, err := keys.Refresh(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, "session", fresh.Session())
		require.EqualValues(t, 2, store.lookups.Load())

		require.NoError(t, elsewhere.Suspend(t.Context(), id, ""))
		_, err = keys.Refresh(t.Context(), p)
		requireOutcome(t, err, keystore.OutcomeSuspended)
		require.NoError(t, elsewhere.Delete(t.Context(), id))
		_, err = keys.Refresh(t.Context(), p)
		requireOutcome(t, err, keystore.OutcomeOrphaned)
		require.NoError(t, elsewhere.Delete(t.Context(), "session"))
		_, err = keys.Refresh(t.Context(), p)
		requireOutcome(t, err, keystore.OutcomeUnknown)

		// Of an imported key the text may have been taken away alone.
		importKey(t, keys, foreignText)
		p = requireAccepted(t, keys, foreignText)
		_, err = keys.Refresh(t.Context(), p)
		require.NoError(t, err)
		require.NoError(t, elsewhere.Delete(t.Context(), aliasID(foreignText)))
		_, err = keys.Refresh(t.Context(), p)
		requireOutcome(t, err, keystore.OutcomeUnknown)
	}
}

// T-030: what the store hands out is believed only if it is what was asked for.
func TestT030_LyingStore(t *testing.T) {
	t.Parallel()
	good := keystore.StoredSecret{N: 1}
	for _, tt := range []struct {
		desc string
		lie  func(*keystore.Record)
	}{
		{"another key's record", func(r *keystore.Record) { r.ID = "7Gk2mXw9QaTz" }},
		{"its id in another case", func(r *keystore.Record) { r.ID += "x" }},
		{"a zero record", func(r *keystore.Record) { *r = keystore.Record{} }},
		{"a secret without a number", func(r *keystore.Record) { r.Secrets[0].N = 0 }},
		{"two secrets with one number", func(r *keystore.Record) { r.Secrets = append(r.Secrets, good) }},
		{"three secrets", func(r *keystore.Record) {
			r.Secrets = append(r.Secrets, keystore.StoredSecret{N: 2}, keystore.StoredSecret{N: 3})
		}},
		{"a corrupt hash", func(r *keystore.Record) { r.Secrets[0].Hash = "$sha256$" }},
		{"an empty hash", func(r *keystore.Record) { r.Secrets[0].Hash = "" }},
		{"another record's hash", func(r *keystore.Record) {
			r.Secrets[0].Hash = "$sha256$7Gk2mXw9QaTz$47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"
		}},
		{"a hash that this process cannot check", func(r *keystore.Record) {
			r.Secrets[0].Hash = "$hmac-sha256$k=gone$" + r.ID + "$47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"
		}},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			t.Parallel()
			store := newStub()
			var told events
			clock := newClock()
			_, text := issue(t, openKeys(t, store, keystore.Config{}), spec)
			store.bend(func(_ context.Context, _ string, ask func() (keystore.Record, error)) (keystore.Record, error) {
				r, err := ask()
				tt.lie(&r)
				return r, err
			})
			keys := openKeys(t, store, keystore.Config{OnEvent: told.hear, Now: clock.Now})
			for range 2 {
				p, err := keys.Verify(t.Context(), text)
				require.Nil(t, p)
				requireUnavailable(t, err)
			}
			require.NoError(t, keys.Close()) // what waits for OnEvent is told
			require.Len(t, told.faults(), 2, "somebody has to look into it")
			store.bend(nil)
			clock.move(5 * time.Second)
			requireAccepted(t, keys, text)
		})
	}
}

func TestT030_NoRecordForNoID(t *testing.T) {
	t.Parallel()
	store := newStub()
	store.bend(func(context.Context, string, func() (keystore.Record, error)) (keystore.Record, error) {
		return keystore.Record{}, nil
	})
	keys := openKeys(t, store, keystore.Config{})
	for _, id := range []string{"", "with space", "sk_live_x", "sha256:ü"} {
		_, err := keys.Principal(t.Context(), id)
		requireOutcome(t, err, keystore.OutcomeUnknown)
		_, err = keys.Lookup(t.Context(), id)
		require.ErrorIs(t, err, keystore.ErrNotFound)
		require.ErrorIs(t, keys.Revoke(t.Context(), id, ""), keystore.ErrNotFound)
	}
	require.Zero(t, store.lookups.Load(), "KS6: no record has such an id")
}

// A secret that this process cannot check does not stand in the way of one that it can.
func TestT031_OtherSecretOfTheSameRecord(t *testing.T) {
	t.Parallel()
	store := newStub()
	keys := openKeys(t, store, keystore.Config{})
	id, text := issue(t, keys, spec)
	store.bend(func(_ context.Context, _ string, ask func() (keystore.Record, error)) (keystore.Record, error) {
		r, err := ask()
		newer := keystore.StoredSecret{N: 2, Hash: "$hmac-sha256$k=2027-01$" + id + "$47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"}
		r.Secrets = append([]keystore.StoredSecret{newer}, r.Secrets...)
		return r, err
	})
	requireAccepted(t, keys, text)
	_, err := keys.Verify(t.Context(), reform(t, text[:len(text)-7]+"0"))
	if text[len(text)-7] != '0' {
		requireUnavailable(t, err)
	}
}

// T-050: whatever Lookup does wrong is 503, and leaves nothing behind.
func TestT050_FaultyLookup(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		desc  string
		fault lookupHook
		after time.Duration
	}{
		{"error", down, 0},
		{"error beside a record", func(_ context.Context, _ string, ask func() (keystore.Record, error)) (keystore.Record, error) {
			r, _ := ask()
			return r, errDown
		}, 0},
		{"panic", func(context.Context, string, func() (keystore.Record, error)) (keystore.Record, error) {
			panic("index out of range")
		}, 0},
		{"hangs, and honours ctx", func(ctx context.Context, _ string, _ func() (keystore.Record, error)) (keystore.Record, error) {
			<-ctx.Done()
			return keystore.Record{}, ctx.Err()
		}, 250 * time.Millisecond},
		{"hangs, and ignores ctx", func(context.Context, string, func() (keystore.Record, error)) (keystore.Record, error) {
			time.Sleep(time.Minute)
			return keystore.Record{}, keystore.ErrNotFound
		}, 250 * time.Millisecond},
		{"an answer to a mutation", func(context.Context, string, func() (keystore.Record, error)) (keystore.Record, error) {
			return keystore.Record{}, keystore.ErrConflict
		}, 0},
		{"newer format", func(context.Context, string, func() (keystore.Record, error)) (keystore.Record, error) {
			return keystore.Record{}, keystore.ErrNewerFormat
		}, 0},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := newStub()
				keys := openKeys(t, store, keystore.Config{AcceptForeign: true, LookupTimeout: 250 * time.Millisecond})
				id, text := issue(t, keys, spec)
				store.bend(tt.fault)
				for _, ask := range []func() error{
					func() error { _, err := keys.Verify(t.Context(), text); return err },
					func() error { _, err := keys.Verify(t.Context(), foreignText); return err },
					func() error { _, err := keys.Principal(t.Context(), id); return err },
				} {
					began := time.Now()
					requireUnavailable(t, ask())
					require.Equal(t, tt.after, time.Since(began))
				}
				store.bend(nil)
				requireAccepted(t, keys, text)
				requireRefused(t, keys, foreignText, keystore.OutcomeUnknown)
				time.Sleep(time.Minute) // until the reads left behind have come back
				requireAccepted(t, keys, text)
				requireRefused(t, keys, foreignText, keystore.OutcomeUnknown)
			}) // deadlocks if a goroutine is left
		})
	}
}

func TestT050_CancelledRequest(t *testing.T) {
	t.Parallel()
	store := newStub()
	keys := openKeys(t, store, keystore.Config{})
	_, text := issue(t, keys, spec)
	gone, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("client went away"))
	store.bend(func(ctx context.Context, _ string, ask func() (keystore.Record, error)) (keystore.Record, error) {
		if err := ctx.Err(); err != nil {
			return keystore.Record{}, err // the request's ctx would be seen here
		}
		return ask()
	})
	if _, err := keys.Verify(gone, text); err != nil {
		requireUnavailable(t, err)
		require.ErrorIs(t, err, context.Canceled)
	}
	requireAccepted(t, keys, text)
	_, err := keys.Verify(gone, text)
	require.NoError(t, err, "a hit asks nobody")
}
