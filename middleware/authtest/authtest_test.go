package authtest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/middleware"
	"github.com/claviger-go/claviger/middleware/authtest"
	"github.com/claviger-go/claviger/scopes"
)

func TestNewRequest(t *testing.T) {
	t.Parallel()
	keys := authtest.NewKeys(t, keystore.Config{})
	key := authtest.Mint(t, keys, keystore.Spec{})
	require.Equal(t, "test", key.Record.Owner)
	guarded := newAuth(t, keys).Authenticate(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	}))
	answer := httptest.NewRecorder()
	guarded.ServeHTTP(answer, authtest.NewRequest(http.MethodPost, "/claims", strings.NewReader("body"), key.Credential))
	require.Equal(t, http.StatusOK, answer.Code)
	require.Equal(t, "body", answer.Body.String())

	anonymous := authtest.NewRequest(http.MethodGet, "/", nil, keystore.Secret{})
	require.Empty(t, anonymous.Header)

	// httptest's own comes over plain HTTP from a documentation address.
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	answer = httptest.NewRecorder()
	guarded.ServeHTTP(answer, r)
	require.Equal(t, http.StatusForbidden, answer.Code)
}

func TestMint(t *testing.T) {
	t.Parallel()
	keys := authtest.NewKeys(t, keystore.Config{})
	require.Equal(t, "acme", authtest.Mint(t, keys, keystore.Spec{Owner: "acme"}).Record.Owner)
	failures := record(func(r *recorder) { authtest.Mint(r, keys, keystore.Spec{Scopes: []scopes.Scope{"x"}}) })
	require.Len(t, failures, 1)
	require.Contains(t, failures[0], "minting")
}

func TestOpen(t *testing.T) {
	t.Parallel()
	failures := record(func(r *recorder) { authtest.Open(r, nil, keystore.Config{}) })
	require.Len(t, failures, 1)
	require.Contains(t, failures[0], "keystore: store is nil")

	// What closing the Keys meets, the test that opened them hears.
	store := authtest.NewStore()
	opened := &recorder{ctx: t.Context()}
	keys := authtest.Open(opened, store, keystore.Config{})
	key := authtest.Mint(t, keys, keystore.Spec{})
	r := authtest.NewRequest(http.MethodGet, "/", nil, key.Credential)
	newAuth(t, keys).Authenticate(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), r)
	store.Fail(authtest.Fault{Err: errors.New("gone")})
	require.Len(t, opened.cleanups, 1)
	opened.cleanups[0]()
	require.Len(t, opened.failures, 1)
	require.Contains(t, opened.failures[0], "closing keys: ")
}

func TestWithPrincipal(t *testing.T) {
	t.Parallel()
	p := keystore.NewPrincipal(keystore.Record{Owner: "acme"})
	require.Same(t, p, middleware.Principal(authtest.WithPrincipal(t.Context(), p)))
	require.Nil(t, middleware.Principal(t.Context()))
}

// Every method fails as told, and works again when told so.
func TestStore(t *testing.T) { //nolint:tparallel // one store, told one thing after another
	t.Parallel()
	errBroken := errors.New("broken")
	record := keystore.Record{ID: "id", Kind: keystore.KindAPIKey, Env: keystore.EnvLive, Version: 1}
	store := authtest.NewStore()
	require.NoError(t, store.Insert(t.Context(), record, keystore.Quota{}))
	for name, call := range map[string]func(context.Context) error{
		"Lookup":   func(ctx context.Context) error { _, err := store.Lookup(ctx, "id"); return err },
		"Insert":   func(ctx context.Context) error { return store.Insert(ctx, record, keystore.Quota{}) },
		"Update":   func(ctx context.Context) error { return store.Update(ctx, record) },
		"Delete":   func(ctx context.Context) error { return store.Delete(ctx, "nobody", 0) },
		"List":     func(ctx context.Context) error { _, err := store.List(ctx, keystore.Filter{}); return err },
		"AddUsage": func(ctx context.Context) error { return store.AddUsage(ctx, nil) },
		"Usage":    func(ctx context.Context) error { _, err := store.Usage(ctx, []string{"id"}); return err },
		"Watch": func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
			defer cancel()
			return store.Watch(ctx, func(...string) {})
		},
	} {
		t.Run(name, func(t *testing.T) {
			store.Fail(authtest.Fault{Err: errBroken})
			require.ErrorIs(t, call(t.Context()), errBroken)

			store.Fail(authtest.Fault{Panic: "boom", Err: errBroken})
			require.PanicsWithValue(t, "boom", func() { _ = call(t.Context()) })

			store.Fail(authtest.Fault{Hang: true})
			gone, cancel := context.WithCancel(t.Context())
			cancel()
			require.ErrorIs(t, call(gone), context.Canceled)

			store.Fail(authtest.Fault{})
			require.NotErrorIs(t, call(t.Context()), errBroken)
		})
	}
}
