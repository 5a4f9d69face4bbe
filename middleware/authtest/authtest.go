// Package authtest helps to test what stands behind package middleware: keys and
// principals for a test, requests that pass the transport rules, a store that
// fails on demand, and a probe that finds routes left unguarded.
package authtest

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/claviger-go/claviger/adapters/memstore"
	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/middleware/internal/identity"
)

// NewKeys opens Keys on a memory store of their own, and closes them when the test
// ends.
func NewKeys(t testing.TB, config keystore.Config) *keystore.Keys {
	t.Helper()
	return Open(t, memstore.New(), config)
}

// Open opens Keys on store, and closes them when the test ends.
func Open(t testing.TB, store keystore.KeyStore, config keystore.Config) *keystore.Keys {
	t.Helper()
	keys, err := keystore.New(store, config)
	if err != nil {
		t.Fatalf("authtest: opening keys: %v", err)
	}
	t.Cleanup(func() {
		if err := keys.Close(); err != nil {
			t.Errorf("authtest: closing keys: %v", err)
		}
	})
	return keys
}

// Mint issues a key. An empty Owner is "test".
func Mint(t testing.TB, keys *keystore.Keys, spec keystore.Spec) keystore.Issued {
	t.Helper()
	if spec.Owner == "" {
		spec.Owner = "test"
	}
	issued, err := keys.Issue(t.Context(), spec)
	if err != nil {
		t.Fatalf("authtest: minting a key: %v", err)
	}
	return issued
}

// NewRequest makes a request that comes from the loopback address over TLS, which
// the transport rules of every Config let pass; httptest's own, from 192.0.2.1 over
// plain HTTP, is refused. A credential other than the zero Secret stands in Authorization.
func NewRequest(method, target string, body io.Reader, credential keystore.Secret) *http.Request {
	r := httptest.NewRequest(method, target, body)
	r.RemoteAddr = "127.0.0.1:54321"
	r.TLS = &tls.ConnectionState{}
	if text := credential.Reveal(); text != "" {
		r.Header.Set("Authorization", "Bearer "+text)
	}
	return r
}

// WithPrincipal returns ctx as a handler behind a guard has it, to call the handler
// without the guard. Make the principal with [keystore.NewPrincipal].
func WithPrincipal(ctx context.Context, p *keystore.Principal) context.Context {
	return identity.With(ctx, p)
}
