package middleware_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/middleware"
	"github.com/claviger-go/claviger/middleware/authtest"
	"github.com/claviger-go/claviger/scopes"
)

// reference is what a service would write by hand, with nothing revoked, expired,
// limited or counted: header, SHA-256, map, two scope bits, context.
type reference struct {
	mu   sync.RWMutex
	keys map[[sha256.Size]byte]*identity
}

type identity struct {
	scopes uint64
}

type identityKey struct{}

func (f *reference) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "unauthorized", http.StatusUnauthorized)
			return
		}
		digest := sha256.Sum256([]byte(text))
		f.mu.RLock()
		who := f.keys[digest]
		f.mu.RUnlock()
		if who == nil {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "unauthorized", http.StatusUnauthorized)
			return
		}
		if who.scopes&3 != 3 {
			http.Error(w, "forbidden", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), identityKey{}, who)))
	})
}

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
	byHand := (&reference{keys: map[[sha256.Size]byte]*identity{
		sha256.Sum256([]byte(both)): {3}, sha256.Sum256([]byte(one)): {1},
	}}).guard(served)

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

// nowhere is a ResponseWriter that costs nothing.
type nowhere struct{ header http.Header }

func (n *nowhere) Header() http.Header         { return n.header }
func (n *nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (n *nowhere) WriteHeader(int)             {}

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
					w := &nowhere{http.Header{}}
					for pb.Next() {
						clear(w.header)
						by.handler.ServeHTTP(w, row.request)
					}
				})
			})
		}
	}
}

// BenchmarkRatio takes turns between the two, so that whatever else the machine
// does burdens both alike, and reports how many times the reference's time ours
// takes: the median of the turns.
func BenchmarkRatio(b *testing.B) {
	const turn = 500
	for _, row := range rows(b) {
		b.Run(row.name, func(b *testing.B) {
			w := &nowhere{http.Header{}}
			took := func(h http.Handler) float64 {
				start := time.Now()
				for range turn {
					clear(w.header)
					h.ServeHTTP(w, row.request)
				}
				return float64(time.Since(start))
			}
			var ratios []float64
			for range max(b.N/turn, 1) {
				ratios = append(ratios, 1/took(row.byHand)*took(row.byAuth))
			}
			slices.Sort(ratios)
			b.ReportMetric(ratios[len(ratios)/2], "x-reference")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// A request that is admitted costs the request's copy and its context.
func TestAllocations(t *testing.T) {
	for _, row := range rows(t)[:3] {
		w := &nowhere{http.Header{}}
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
