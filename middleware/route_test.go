package middleware_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/middleware"
	"github.com/claviger-go/claviger/middleware/authtest"
	"github.com/claviger-go/claviger/scopes"
)

// T-048: guards decide for the handler they wrap, wherever routers and prefixes
// stand around or between them.
func TestMounted_T048(t *testing.T) {
	t.Parallel()
	keys := authtest.NewKeys(t, keystore.Config{})
	auth := newAuth(t, keys, middleware.Config{})
	read := authtest.Mint(t, keys, keystore.Spec{Scopes: []scopes.Scope{"claims:read"}}).Credential
	write := authtest.Mint(t, keys, keystore.Spec{Scopes: []scopes.Scope{"claims:read", "claims:write"}}).Credential

	var reached string
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { reached = r.Pattern + " " + r.URL.Path })
	guarded := auth.Require("claims:write")(handler)
	sub := http.NewServeMux()
	sub.Handle("GET /claims/{id}", guarded)
	mux := http.NewServeMux()
	mux.Handle("/sub/", http.StripPrefix("/sub", sub))
	mux.Handle("/v1/", auth.Require("claims:read")(http.StripPrefix("/v1", sub))) // a guard of its own, and the sub-mux's
	mux.Handle("/strip/", http.StripPrefix("/strip", guarded))
	mux.Handle("/stripped/", auth.Require("claims:write")(http.StripPrefix("/stripped", handler)))
	mux.Handle("api.example/claims", guarded)
	mux.Handle("/bytes", http.MaxBytesHandler(guarded, 1))

	for _, tt := range []struct{ target, reached string }{
		{"/sub/claims/7", "GET /claims/{id} /claims/7"},
		{"/v1/claims/7", "GET /claims/{id} /claims/7"},
		{"/v1/claims/a%2Fb", "GET /claims/{id} /claims/a/b"},
		{"/strip/", "/strip/ /"},
		{"/strip/claims", "/strip/ /claims"},
		{"/strip//claims", ""}, // ServeMux redirects
		{"/stripped/x", "/stripped/ /x"},
		{"http://api.example/claims", "api.example/claims /claims"},
		{"http://other.example/claims", ""},
		{"/bytes", "/bytes /bytes"},
		{"/sub/claims", ""},
	} {
		for _, credential := range []keystore.Secret{{}, read, write} {
			reached = ""
			answer := httptest.NewRecorder()
			mux.ServeHTTP(answer, authtest.NewRequest(http.MethodGet, tt.target, nil, credential))
			if credential.Reveal() != write.Reveal() {
				require.Empty(t, reached, tt.target)
				require.NotEqual(t, http.StatusOK, answer.Code, tt.target)
				continue
			}
			require.Equal(t, tt.reached, reached, "%s: %d", tt.target, answer.Code)
		}
	}
}

// T-053: a guard around a router answers before the router redirects; none of our
// answers is a redirect, and ServeMux's own stay on the host.
func TestRedirects_T053(t *testing.T) {
	t.Parallel()
	keys := authtest.NewKeys(t, keystore.Config{})
	key := authtest.Mint(t, keys, keystore.Spec{}).Credential
	mux := http.NewServeMux()
	mux.HandleFunc("GET /claims/", func(http.ResponseWriter, *http.Request) { t.Error("the handler ran") })
	guarded := newAuth(t, keys, middleware.Config{DangerouslyAcceptQueryKey: true}).Authenticate(mux)
	for _, target := range []string{"/claims", "//claims/", "/x/../claims/", "//evil.example/claims/..", "/claims?a=b"} {
		answer := httptest.NewRecorder()
		guarded.ServeHTTP(answer, authtest.NewRequest(http.MethodGet, target, nil, keystore.Secret{}))
		require.Equal(t, http.StatusUnauthorized, answer.Code, target)
		require.Empty(t, answer.Header()["Location"], target)

		answer = httptest.NewRecorder()
		guarded.ServeHTTP(answer, authtest.NewRequest(http.MethodGet, target, nil, key))
		require.Contains(t, []int{http.StatusMovedPermanently, http.StatusTemporaryRedirect, http.StatusNotFound}, answer.Code, target)
		require.Regexp(t, `^(/([^/].*)?)?$`, answer.Header().Get("Location"), target)
	}
	// The key is out of the URL before the router sends the client elsewhere.
	answer := httptest.NewRecorder()
	guarded.ServeHTTP(answer, authtest.NewRequest(http.MethodGet, "/claims?a=b&api_key="+key.Reveal(), nil, keystore.Secret{}))
	require.Equal(t, "/claims/?a=b", answer.Header().Get("Location"))
}
