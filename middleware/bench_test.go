package middleware_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/middleware"
	"github.com/claviger-go/claviger/middleware/authtest"
	"github.com/claviger-go/claviger/middleware/internal/guardtest"
	"github.com/claviger-go/claviger/scopes"
)

// row is one kind of request to one guarded route.
type row struct {
	name           string
	request        *http.Request
	status         int
	byHand, byAuth http.Handler
}

func rows(tb testing.TB) []row {
	tb.Helper()
	keys := authtest.NewKeys(tb, keystore.Config{})
	mint := func(granted ...scopes.Scope) string {
		return authtest.Mint(tb, keys, keystore.Spec{Scopes: granted}).Credential.Reveal()
	}
	both, one := mint("claims:read", "claims:write"), mint("claims:read")

	served := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	guard := func(config middleware.Config) http.Handler {
		auth, err := middleware.New(keys, config)
		require.NoError(tb, err)
		return auth.Require("claims:read", "claims:write")(served)
	}
	direct := guard(middleware.Config{})
	behindProxy := guard(middleware.Config{TrustedProxies: []middleware.Proxy{{Network: "10.0.0.0/8"}}})
	byHand := guardtest.NewReference(map[string]uint64{both: 3, one: 1}).Guard(served)

	request := func(credential string, change func(*http.Request)) *http.Request {
		r := httptest.NewRequest(http.MethodGet, "https://api.example/claims", http.NoBody)
		r.TLS = &tls.ConnectionState{}
		for name, value := range map[string]string{
			"Authorization": credential, "Accept": "application/json", "User-Agent": "bench/1",
			"Accept-Encoding": "gzip", "Content-Type": "application/json",
		} {
			r.Header.Set(name, value)
		}
		change(r)
		return r
	}
	asItIs := func(*http.Request) {}
	loopback := func(r *http.Request) { r.TLS, r.RemoteAddr = nil, "127.0.0.1:54321" }
	proxied := func(r *http.Request) {
		r.TLS, r.RemoteAddr = nil, "10.1.2.3:54321"
		r.Header.Set("X-Forwarded-For", "192.0.2.7")
		r.Header.Set("X-Forwarded-Proto", "https")
	}
	anonymous := func(r *http.Request) { r.Header.Del("Authorization") }
	return []row{
		{"outcome=allow/transport=tls", request("Bearer "+both, asItIs), http.StatusOK, byHand, direct},
		{"outcome=allow/transport=loopback", request("Bearer "+both, loopback), http.StatusOK, byHand, direct},
		{"outcome=allow/transport=proxy", request("Bearer "+both, proxied), http.StatusOK, byHand, behindProxy},
		{"outcome=missing", request("", anonymous), http.StatusUnauthorized, byHand, direct},
		{"outcome=malformed", request("Bearer "+both[1:], asItIs), http.StatusUnauthorized, byHand, direct},
		{"outcome=unknown", request("Bearer "+keystore.ExampleCredential, asItIs), http.StatusUnauthorized, byHand, direct},
		{"outcome=scope-missing", request("Bearer "+one, asItIs), http.StatusForbidden, byHand, direct},
	}
}

// BenchmarkHotPath is one request, by hand and by Auth.
func BenchmarkHotPath(b *testing.B) {
	for _, row := range rows(b) {
		for _, by := range []struct {
			name    string
			handler http.Handler
		}{{"reference", row.byHand}, {"claviger", row.byAuth}} {
			b.Run(row.name+"/by="+by.name, func(b *testing.B) {
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					w := guardtest.NewNowhere()
					for pb.Next() {
						clear(w.Header())
						by.handler.ServeHTTP(w, row.request)
					}
				})
			})
		}
	}
}

// BenchmarkRatio is how many times the reference's time Auth takes.
func BenchmarkRatio(b *testing.B) {
	for _, row := range rows(b) {
		b.Run(row.name, func(b *testing.B) { guardtest.Ratio(b, row.byHand, row.byAuth, row.request) })
	}
}

// A request that is admitted costs the request's copy and its context.
func TestAllocations(t *testing.T) {
	for _, row := range rows(t)[:3] {
		w := guardtest.NewNowhere()
		got := testing.AllocsPerRun(200, func() { row.byAuth.ServeHTTP(w, row.request) })
		require.LessOrEqual(t, got, 2.0, row.name)
	}
}

func TestBenchmarkRows(t *testing.T) {
	t.Parallel()
	for _, row := range rows(t) {
		for _, handler := range []http.Handler{row.byHand, row.byAuth} {
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, row.request)
			require.Equal(t, row.status, answer.Code, row.name)
		}
	}
}
