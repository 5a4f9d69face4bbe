package keystore_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/memstore"
	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/scopes"
)

// configErrors takes apart what New joined.
func configErrors(t *testing.T, err error) map[string]*keystore.ConfigError {
	t.Helper()
	require.Error(t, err)
	found := map[string]*keystore.ConfigError{}
	joined, ok := err.(interface{ Unwrap() []error })
	require.True(t, ok, "%T", err)
	for _, err := range joined.Unwrap() {
		var problem *keystore.ConfigError
		require.ErrorAs(t, err, &problem)
		found[problem.Field] = problem
	}
	return found
}

func TestT133_AllMistakesAtOnce(t *testing.T) {
	t.Parallel()
	secret := keystore.GenerateSecret().Reveal()
	keys, err := keystore.New(nil, keystore.Config{
		Brand: "SK-", TagSecret: keystore.NewSecret(secret[:20]), ConcurrentHashes: 65,
		MaxStaleness: time.Hour + 1, LookupTimeout: time.Hour, CacheEntries: -1, UsageInterval: time.Microsecond,
	})
	require.Nil(t, keys)
	found := configErrors(t, err)
	require.Len(t, found, 8)
	for field, value := range map[string]any{
		"keystore: store":                   "nil",
		"keystore: Config.Brand":            `"SK-"`,
		"keystore: Config.TagSecret":        "[redacted]",
		"keystore: Config.ConcurrentHashes": 65,
		"keystore: Config.MaxStaleness":     time.Hour + 1,
		"keystore: Config.LookupTimeout":    time.Hour,
		"keystore: Config.CacheEntries":     -1,
		"keystore: Config.UsageInterval":    time.Microsecond,
	} {
		require.Contains(t, found, field)
		require.Equal(t, value, found[field].Value, field)
		require.NotEmpty(t, found[field].Want, field)
		require.Contains(t, err.Error(), found[field].Error())
	}
	require.NotContains(t, err.Error(), secret[:20])
}

func TestT133_EachField(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		field  string
		config keystore.Config
	}{
		{"Brand", keystore.Config{Brand: "sk_"}},
		{"Brand", keystore.Config{Brand: strings.Repeat("s", 17)}},
		{"Brand", keystore.Config{Brand: "SK"}},
		{"TagSecret", keystore.Config{TagSecret: keystore.NewSecret("not base64!")}},
		{"TagSecret", keystore.Config{TagSecret: keystore.NewSecret("c2hvcnQ")}},
		{"RequireTaggedIDs", keystore.Config{RequireTaggedIDs: true}},
		{"ConcurrentHashes", keystore.Config{ConcurrentHashes: -1}},
		{"LookupTimeout", keystore.Config{LookupTimeout: -1}},
		{"LookupTimeout", keystore.Config{LookupTimeout: time.Microsecond}},
		{"CacheEntries", keystore.Config{CacheEntries: 100_000_001}},
		{"UsageInterval", keystore.Config{UsageInterval: -1}},
		{"UsageInterval", keystore.Config{UsageInterval: 2 * time.Hour}},
		{"MaxStaleness", keystore.Config{MaxStaleness: 24 * time.Hour}},
		{"MaxLifetime", keystore.Config{MaxLifetime: time.Second}},
		{"DefaultLifetime", keystore.Config{DefaultLifetime: -time.Hour}},
		{"DefaultLifetime", keystore.Config{DefaultLifetime: 25 * time.Hour, MaxLifetime: time.Minute}},
		{"RotateAfter", keystore.Config{RotateAfter: -1}},
		{"ExpiryNotice", keystore.Config{ExpiryNotice: time.Second}},
		{"RemindInterval", keystore.Config{RemindInterval: time.Second}},
	} {
		keys, err := keystore.New(memstore.New(), tt.config)
		require.Nil(t, keys, tt.field)
		found := configErrors(t, err)
		require.Len(t, found, 1, tt.field)
		require.Contains(t, found, "keystore: Config."+tt.field)
	}
}

// T-050: a typed nil is no store.
func TestT133_NilStores(t *testing.T) {
	t.Parallel()
	for _, store := range []keystore.KeyStore{nil, (*memstore.Store)(nil), (*stub)(nil), lookupFunc(nil)} {
		_, err := keystore.New(store, keystore.Config{})
		require.Contains(t, configErrors(t, err), "keystore: store")
	}
	// A wrapper by value is one, whatever it wraps.
	openKeys(t, readOnly{newStub()}, keystore.Config{})
}

type lookupFunc func(ctx context.Context, id string) (keystore.Record, error)

func (f lookupFunc) Lookup(ctx context.Context, id string) (keystore.Record, error) {
	return f(ctx, id)
}

func TestNew_Defaults(t *testing.T) {
	t.Parallel()
	keys := openKeys(t, newStub(), keystore.Config{})
	_, text := issue(t, keys, keystore.Spec{Owner: "acme"})
	require.True(t, strings.HasPrefix(text, "sk_live_"), "brand and env")
	require.WithinDuration(t, time.Now(), keys.Now(), time.Minute)
	require.Nil(t, keys.Catalog())

	catalog, clock := scopes.MustCatalog(), newClock()
	keys = openKeys(t, newStub(), keystore.Config{Brand: "acme0123456789ab", Catalog: catalog, Now: clock.Now})
	require.Equal(t, clock.Now(), keys.Now())
	require.Same(t, catalog, keys.Catalog())
	_, text = issue(t, keys, keystore.Spec{Owner: "acme"})
	requireAccepted(t, keys, text)
}

func TestReadOnlyStore(t *testing.T) {
	t.Parallel()
	store := newStub()
	id, text := issue(t, openKeys(t, store, keystore.Config{}), spec)
	keys := openKeys(t, readOnly{store}, keystore.Config{
		SlowHash: true, // which would hash anew
		OnEvent:  func(_ context.Context, e keystore.Event) { t.Errorf("event %s", e.Type) },
	})
	requireAccepted(t, keys, text)
	ctx := t.Context()
	for method, call := range map[string]func() error{
		"Issue":  func() error { _, err := keys.Issue(ctx, spec); return err },
		"Import": func() error { _, err := keys.Import(ctx, spec, keystore.NewSecret(foreignText)); return err },
		"List":   func() error { _, err := keys.List(ctx, keystore.Filter{}); return err },
		"Edit": func() error {
			_, err := keys.Edit(ctx, id, func(*keystore.Record) error { t.Error("called"); return nil })
			return err
		},
		"Edit of nothing": func() error {
			_, err := keys.Edit(ctx, "nothing", func(*keystore.Record) error { return nil })
			return err
		},
		"Suspend": func() error { return keys.Suspend(ctx, id, "") },
		"Resume":  func() error { return keys.Resume(ctx, id) }, // also where there is nothing to do
		"Revoke":  func() error { return keys.Revoke(ctx, id, "") },
		"Delete":  func() error { return keys.Delete(ctx, id) },
		"Usage":   func() error { _, err := keys.Usage(ctx, id); return err },
		"RingUse": func() error { _, err := keys.RingUse(ctx); return err },
	} {
		require.ErrorIs(t, call(), keystore.ErrReadOnly, method)
	}
	r, err := keys.Lookup(ctx, id)
	require.NoError(t, err)
	require.Equal(t, id, r.ID)
	require.NoError(t, admit(t, keys, requireAccepted(t, keys, text), &keystore.Access{
		Secure: true, Envs: []keystore.Env{keystore.EnvLive}, Requirement: scopes.Authenticated(),
	}))
	require.NoError(t, keys.Close())
}

func TestT136_Close(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		news := newWatched()
		store := struct {
			*watched
			keystore.UsageStore
		}{news, &metered{stub: news.stub}}
		keys, err := keystore.New(store, keystore.Config{})
		require.NoError(t, err)
		id, text := issue(t, keys, spec)
		a := access("claims:read")
		require.NoError(t, admit(t, keys, requireAccepted(t, keys, text), &a))

		require.NoError(t, keys.Close())
		require.NoError(t, keys.Close())

		used, err := store.Usage(t.Context(), []string{id})
		require.NoError(t, err)
		require.Len(t, used, 1, "Close writes what is counted")

		requireAccepted(t, keys, text)
		other, _ := issue(t, keys, spec)
		require.NoError(t, keys.Suspend(t.Context(), other, ""))
		require.NoError(t, keys.Revoke(t.Context(), id, ""))
		requireRefused(t, keys, text, keystore.OutcomeRevoked)
		_, err = keys.Usage(t.Context(), id)
		require.NoError(t, err)
	}) // deadlocks unless every goroutine has ended
}

func TestT136_CloseReportsWhatItCouldNotWrite(t *testing.T) {
	t.Parallel()
	store := &metered{stub: newStub()}
	keys, err := keystore.New(store, keystore.Config{})
	require.NoError(t, err)
	_, text := issue(t, keys, spec)
	a := access("claims:read")
	require.NoError(t, admit(t, keys, requireAccepted(t, keys, text), &a))
	store.failUsage(errDown)
	require.ErrorIs(t, keys.Close(), errDown)
	require.NoError(t, keys.Close())
}

// A Watch that fails is called again after a second, then after two, and everything may have changed meanwhile.
func TestWatch_ThatFails(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		desc  string
		watch func() error
		want  string
	}{
		{"error", func() error { return errDown }, "keystore: the store's Watch ended: connection refused"},
		{"panic", func() error { panic("no rows") }, "keystore: the store's Watch ended: it panicked: no rows"},
		{"nil", func() error { return nil }, "keystore: the store's Watch ended: without an error"},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := &flaky{stub: newStub(), watch: tt.watch}
				var told events
				keys := openKeys(t, store, keystore.Config{OnEvent: told.hear, MaxStaleness: time.Hour})
				_, text := issue(t, keys, spec)
				time.Sleep(3500 * time.Millisecond)
				synctest.Wait()
				require.Equal(t, []string{tt.want, tt.want, tt.want}, told.faults())

				requireAccepted(t, keys, text)
				lookups := store.lookups.Load()
				requireAccepted(t, keys, text)
				require.Equal(t, lookups, store.lookups.Load())
				time.Sleep(4 * time.Second)
				synctest.Wait()
				requireAccepted(t, keys, text)
				require.Equal(t, lookups+1, store.lookups.Load())
			})
		})
	}
}

// After an outage that is over, the next one begins with a short pause again.
func TestWatch_ThatLastedBeginsAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var began []time.Duration
		start := time.Now()
		store := &flaky{stub: newStub(), watch: func() error {
			began = append(began, time.Since(start))
			if len(began) == 4 {
				time.Sleep(time.Minute)
			}
			return errDown
		}}
		openKeys(t, store, keystore.Config{})
		time.Sleep(75 * time.Second)
		synctest.Wait()
		require.Equal(t, []time.Duration{0, 1 * time.Second, 3 * time.Second, 7 * time.Second, 68 * time.Second, 70 * time.Second, 74 * time.Second}, began)
	})
}

type flaky struct {
	*stub
	watch func() error
}

func (f *flaky) Watch(context.Context, func(ids ...string)) error { return f.watch() }

func TestConfigError(t *testing.T) {
	t.Parallel()
	err := error(&keystore.ConfigError{Field: "keystore: Config.CacheEntries", Value: -1, Want: "1 or more"})
	require.EqualError(t, err, "keystore: Config.CacheEntries is -1: want 1 or more")
	var typed *keystore.ConfigError
	require.ErrorAs(t, errors.Join(err), &typed)
}
