package middleware_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/middleware"
	"github.com/claviger-go/claviger/middleware/authtest"
	"github.com/claviger-go/claviger/scopes"
)

// challenge reads WWW-Authenticate by the grammar of RFC 6750 §3 and RFC 9110
// §11.6.1, as strictly as a client may.
func challenge(value string) (map[string]string, error) {
	rest, ok := strings.CutPrefix(value, "Bearer ")
	if !ok {
		return nil, fmt.Errorf("the scheme of %q", value)
	}
	attributes := map[string]string{}
	one := regexp.MustCompile(`^([a-z_]+)="([\x20\x21\x23-\x5b\x5d-\x7e]*)"$`)
	for attribute := range strings.SplitSeq(rest, ", ") {
		parts := one.FindStringSubmatch(attribute)
		if len(parts) == 0 || attributes[parts[1]] != "" {
			return nil, fmt.Errorf("the attribute %q", attribute)
		}
		attributes[parts[1]] = parts[2]
	}
	allowed := map[string]string{
		"realm": `^[\x20\x21\x23-\x5b\x5d-\x7e]+$`,
		"error": `^(invalid_request|invalid_token|insufficient_scope)$`,
		"scope": `^[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*$`,
	}
	for name, value := range attributes {
		if grammar := allowed[name]; grammar == "" || !regexp.MustCompile(grammar).MatchString(value) {
			return nil, fmt.Errorf("the attribute %s=%q", name, value)
		}
	}
	return attributes, nil
}

// raw is everything that a client reads of an answer.
func raw(w *httptest.ResponseRecorder) string {
	var b strings.Builder
	_ = w.Result().Header.Write(&b)
	return fmt.Sprintf("%d\n%s\n%s", w.Code, b.String(), w.Body)
}

// T-015, T-018: whatever is presented, the answer is one of a handful that were
// there before, and their challenges are well-formed.
func FuzzNothingReflected(f *testing.F) {
	keys := authtest.NewKeys(f, keystore.Config{AcceptForeign: true, Throttle: keystore.Throttle{DangerouslyOff: true}})
	auth := newAuth(f, keys, middleware.Config{DangerouslyAcceptQueryKey: true, TellHolders: true})
	guard := auth.Require("claims:read")
	key := authtest.Mint(f, keys, keystore.Spec{}).Credential.Reveal()
	foreign := "6aa0fa07e4b6c0b7a8d95a3d1c2f4e5b"
	_, err := keys.Import(f.Context(), keystore.Spec{Owner: "acme"}, keystore.NewSecret(foreign))
	require.NoError(f, err)

	serve := func(authorization, apiKey, query, forwarded string) (string, http.Header) {
		r := authtest.NewRequest(http.MethodGet, "/claims", nil, keystore.Secret{})
		r.TLS = nil
		for name, value := range map[string]string{"Authorization": authorization, "X-Api-Key": apiKey, "X-Forwarded-For": forwarded} {
			if value != "" {
				r.Header[name] = strings.Split(value, "\n") // several lines
			}
		}
		r.URL.RawQuery = query
		answer, ran := ask(guard, r)
		if ran {
			return "ran", answer.Header()
		}
		return raw(answer), answer.Header()
	}
	known := map[string]bool{}
	for _, tt := range [][4]string{
		{},
		{"Bearer " + key},
		{"Bearer " + key, key},
		{"Bearer x"},
		{"", "", "", "192.0.2.1"},
	} {
		answer, _ := serve(tt[0], tt[1], tt[2], tt[3])
		known[answer] = true
	}
	require.Len(f, known, 5, slices.Collect(maps.Keys(known)))

	for _, text := range []string{
		key, key[:len(key)-1], foreign, keystore.ExampleCredential, "", " ", `"`, `", error="x`, "\r\nSet-Cookie: a=b", "\x00", "\u202e",
		"<script>alert(1)</script>", "%0d%0aX: y", strings.Repeat("a", 5000), "a\nb", "claims:write", "\xff\xfe", "eyJhbGciOiJub25lIn0.e30.",
	} {
		f.Add("Bearer "+text, "", "", "")
		f.Add("bEARER  "+text, "", "a=b", "")
		f.Add(text, text, "", "")
		f.Add("", text, "", "")
		f.Add("", "", "api_key="+text, "")
		f.Add("", "", "a&api_key="+text+";c&api%5Fkey", "")
		f.Add("Bearer "+text, "", "", text)
		f.Add("Bearer "+key, "", text, "")
	}
	f.Fuzz(func(t *testing.T, authorization, apiKey, query, forwarded string) {
		answer, header := serve(authorization, apiKey, query, forwarded)
		if !known[answer] {
			t.Errorf("%q, %q, %q, %q are answered\n%s", authorization, apiKey, query, forwarded, answer)
		}
		for _, value := range header.Values("WWW-Authenticate") {
			if _, err := challenge(value); err != nil {
				t.Errorf("%q: %v", value, err)
			}
		}
	})
}

// T-014, T-015: what the challenges say, read by their grammar.
func TestChallenge(t *testing.T) {
	t.Parallel()
	keys := authtest.NewKeys(t, keystore.Config{})
	auth := newAuth(t, keys, middleware.Config{Realm: "Claims = (EU); 'x'"})
	key := authtest.Mint(t, keys, keystore.Spec{}).Credential
	sixteen := make([]scopes.Scope, 16)
	for i := range sixteen {
		sixteen[i] = scopes.Scope(fmt.Sprintf("a.b_c-d%d:%s", i, strings.Repeat("x", 100)))
	}
	const realm = "Claims = (EU); 'x'"
	for _, tt := range []struct {
		desc  string
		guard func(http.Handler) http.Handler
		key   keystore.Secret
		want  map[string]string
	}{
		{"none", auth.Authenticate, keystore.Secret{}, map[string]string{"realm": realm}},
		{"bad", auth.Authenticate, keystore.NewSecret(`"x\`), map[string]string{"realm": realm, "error": "invalid_token"}},
		{"one scope", auth.Require("claims:read"), key, map[string]string{"realm": realm, "error": "insufficient_scope", "scope": "claims:read"}},
		{"alternatives", auth.RequireAny("a:b", "c:d"), key, map[string]string{"realm": realm, "error": "insufficient_scope", "scope": "a:b c:d"}},
		{"many scopes", auth.Require(sixteen...), key, map[string]string{
			"realm": realm, "error": "insufficient_scope", "scope": auth.AllOf(sixteen...).String(),
		}},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			t.Parallel()
			answer, ran := ask(tt.guard, authtest.NewRequest(http.MethodGet, "/", nil, tt.key))
			require.False(t, ran)
			require.Len(t, answer.Header()["Www-Authenticate"], 1)
			got, err := challenge(answer.Header().Get("WWW-Authenticate"))
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}

// T-007, T-008: size and number cost little memory. Not parallel: it measures.
func TestHostile_T007_T008_Memory(t *testing.T) {
	keys := authtest.NewKeys(t, keystore.Config{})
	auth := newAuth(t, keys, middleware.Config{
		DangerouslyAcceptQueryKey: true, TrustedProxies: []middleware.Proxy{{Network: "127.0.0.0/8", TLSOnly: true}},
	})
	guard := auth.Authenticate(http.NotFoundHandler())
	long := strings.Repeat("a", 1<<20)
	for _, tt := range []struct {
		desc   string
		change func(*http.Request)
		bytes  uint64
	}{
		{"1 MiB in Authorization", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+long) }, 64 << 10},
		{"1 MiB of spaces", func(r *http.Request) { r.Header.Set("Authorization", "Bearer"+strings.Repeat(" ", 1<<20)) }, 64 << 10},
		{"1 MiB in X-API-Key", func(r *http.Request) { r.Header.Set("X-Api-Key", long) }, 64 << 10},
		{"100,000 headers", func(r *http.Request) {
			for i := range 100_000 {
				r.Header[fmt.Sprint("X-", i)] = []string{"b"}
			}
		}, 64 << 10},
		{"100,000 lines of one header", func(r *http.Request) { r.Header["X-Api-Key"] = make([]string, 100_000) }, 64 << 10},
		{"10,000 cookies", func(r *http.Request) { r.Header.Set("Cookie", strings.Repeat("a=b; ", 10_000)) }, 64 << 10},
		{"10,000 addresses", func(r *http.Request) { r.Header.Set("X-Forwarded-For", strings.Repeat("127.0.0.1, ", 10_000)) }, 64 << 10},
		// Copied once, to have it without the key.
		{"1 MiB in the query", func(r *http.Request) { r.URL.RawQuery = "api_key=" + long }, 1<<20 + 64<<10},
		{"10,000 parameters", func(r *http.Request) { r.URL.RawQuery = strings.Repeat("a=b&", 10_000) }, 64 << 10},
		{"10,000 keys in the query", func(r *http.Request) { r.URL.RawQuery = strings.Repeat("api_key=b&", 10_000) }, 1 << 20},
	} {
		r := authtest.NewRequest(http.MethodGet, "/", nil, keystore.Secret{})
		tt.change(r)
		var before, after runtime.MemStats
		answer := httptest.NewRecorder()
		runtime.ReadMemStats(&before)
		guard.ServeHTTP(answer, r)
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, tt.bytes, tt.desc)
		require.Contains(t, []int{400, 401}, answer.Code, tt.desc)
	}
}

// BenchmarkHostile_T008 shows what a request costs that tries to cost much.
func BenchmarkHostile_T008(b *testing.B) {
	keys := authtest.NewKeys(b, keystore.Config{})
	auth := newAuth(b, keys, middleware.Config{
		DangerouslyAcceptQueryKey: true, TrustedProxies: []middleware.Proxy{{Network: "127.0.0.0/8", TLSOnly: true}},
	})
	guard := auth.Authenticate(http.NotFoundHandler())
	for _, tt := range []struct {
		name, header, value, query string
	}{
		{"input=key/bytes=1Mi", "X-Api-Key", strings.Repeat("a", 1<<20), ""},
		{"input=spaces/bytes=1Mi", "Authorization", "Bearer" + strings.Repeat(" ", 1<<20), ""},
		{"input=addresses/count=100k", "X-Forwarded-For", strings.Repeat("127.0.0.1,", 100_000), ""},
		{"input=schemes/count=100k", "X-Forwarded-Proto", strings.Repeat("https,", 100_000) + "https", ""},
		{"input=parameters/count=100k", "", "", strings.Repeat("a=b&", 100_000)},
	} {
		b.Run(tt.name, func(b *testing.B) {
			b.ReportAllocs()
			r := authtest.NewRequest(http.MethodGet, "/", nil, keystore.Secret{})
			if tt.header != "" {
				r.Header[tt.header] = []string{tt.value}
			}
			for b.Loop() {
				r.URL.RawQuery = tt.query
				guard.ServeHTTP(httptest.NewRecorder(), r)
			}
		})
	}
}
