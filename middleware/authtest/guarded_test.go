package authtest_test

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/middleware"
	"github.com/claviger-go/claviger/middleware/authtest"
)

// recorder is a test that may fail without failing the one that runs it.
type recorder struct {
	testing.TB // nil: what is not below is not to be called

	ctx      context.Context
	failures []string
	cleanups []func()
}

func (r *recorder) Context() context.Context { return r.ctx }
func (*recorder) Helper()                    {}
func (r *recorder) Error(a ...any)           { r.failures = append(r.failures, fmt.Sprint(a...)) }
func (r *recorder) Cleanup(f func())         { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Errorf(format string, a ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, a...))
}

func (r *recorder) Fatalf(format string, a ...any) {
	r.Errorf(format, a...)
	runtime.Goexit()
}

// record runs a part of a test and returns what it complains about.
func record(part func(*recorder)) (failures []string) {
	r := &recorder{ctx: context.Background()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		part(r)
	}()
	<-done
	return r.failures
}

func newAuth(t testing.TB, keys *keystore.Keys) *middleware.Auth {
	t.Helper()
	auth, err := middleware.New(keys, middleware.Config{})
	require.NoError(t, err)
	return auth
}

// T-046: what is not guarded is found, and what is guarded is not complained about.
func TestGuarded_T046(t *testing.T) {
	t.Parallel()
	auth := newAuth(t, authtest.NewKeys(t, keystore.Config{}))
	served := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	status := func(code int, body string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = w.Write([]byte(body))
		})
	}
	mux := http.NewServeMux()
	for pattern, handler := range map[string]http.Handler{
		"GET /claims":             auth.Require("claims:read")(served),
		"POST /claims":            auth.Authenticate(served),
		"GET /claims/{id}":        auth.RequireAny("claims:read")(served),
		"DELETE /claims/{id}/{$}": auth.Authenticate(served),
		"GET /files/{path...}":    auth.Authenticate(served),
		"/{anything}":             auth.Authenticate(served),
		"POST /claims:batch":      served, // a name with a colon, not a wildcard of gin's
		"GET /open":               served,
		"GET /optional":           auth.Optional(served),
		"GET /own":                status(401, "{}"),
		"GET /text":               status(401, "unauthorized"),
		"GET /invalid":            status(401, `{"type":"urn:claviger:problem:credential-invalid"}`),
		"GET /forbidden":          status(403, `{"type":"urn:claviger:problem:credential-missing"}`),
		"GET /moved":              http.RedirectHandler("/claims", http.StatusFound),
		"GET /panics": http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_ = middleware.Principal(r.Context()).Owner() // relies on a guard that is not there
		}),
	} {
		mux.Handle(pattern, handler)
	}
	for _, tt := range []struct {
		desc     string
		routes   []string
		failures []string // what each is about
	}{
		{"guarded", []string{"GET /claims", "POST /claims", "GET /claims/{id}", "DELETE /claims/{id}/{$}", "GET /files/{path...}", "PATCH /{anything}"}, nil},
		{"wildcards as gin spells them", []string{"GET /claims/:id", "GET /files/*path"}, nil},
		{"several spaces", []string{"GET \t /claims"}, nil},
		{"none at all", nil, []string{"no routes"}},
		{"open", []string{"GET /open", "GET /claims", "POST /claims:batch"}, []string{"GET /open answers 200", "POST /claims:batch answers 200"}},
		{"optional", []string{"GET /optional"}, []string{"GET /optional answers 200"}},
		{"refused by something else", []string{"GET /own", "GET /text", "GET /invalid", "GET /forbidden", "GET /moved"}, []string{
			"GET /own answers 401", "GET /text answers 401", "GET /invalid answers 401", "GET /forbidden answers 403", "GET /moved answers 302",
		}},
		{"a handler that panics", []string{"GET /panics", "GET /open"}, []string{"GET /panics panics", "GET /open answers 200"}},
		{"not a route of the handler's", []string{"POST /nothing/here"}, []string{"POST /nothing/here answers 404"}},
		{"not a route", []string{"/claims", "GET", "GET claims", " /claims", "", "GET /a b", "GET example.com/claims"}, []string{
			`"/claims": want`, `"GET": want`, `"GET claims": want`, `" /claims": want`, `"": want`, `"GET /a b": want`, `"GET example.com/claims": want`,
		}},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			t.Parallel()
			failures := record(func(r *recorder) { authtest.Guarded(r, mux, tt.routes...) })
			require.Len(t, failures, len(tt.failures), "%q", failures)
			for i, failure := range failures {
				require.Contains(t, failure, tt.failures[i])
				require.True(t, strings.HasPrefix(failure, "authtest: "))
			}
		})
	}
}

// Whoever guards everything by one wrapper is found to guard everything.
// A service behind proxies is probed as it is.
func TestGuarded_BehindProxies(t *testing.T) {
	t.Parallel()
	auth, err := middleware.New(authtest.NewKeys(t, keystore.Config{}), middleware.Config{
		TrustedProxies: []middleware.Proxy{{Network: middleware.PrivateNetworks}},
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /claims", auth.Require("claims:read")(http.NotFoundHandler()))
	authtest.Guarded(t, mux, "GET /claims")
}

func TestGuarded_Wrapper(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	routes := []string{"GET /a", "POST /b/{id}", "OPTIONS /c"}
	for _, route := range routes {
		mux.HandleFunc(route, func(http.ResponseWriter, *http.Request) { t.Error("a handler ran") })
	}
	guarded := newAuth(t, authtest.NewKeys(t, keystore.Config{})).Authenticate(mux)
	authtest.Guarded(t, guarded, slices.Concat(routes, []string{"GET /not/there", "GET //a"})...)
}
