package middleware_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/memstore"
	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/middleware"
	"github.com/claviger-go/claviger/middleware/authtest"
)

// pointerVerifier can be a nil pointer.
type pointerVerifier struct{ keys *keystore.Keys }

func (v *pointerVerifier) Verify(ctx context.Context, text string) (*keystore.Principal, error) {
	return v.keys.Verify(ctx, text)
}

// T-133, T-131, T-056: every mistake is an error of New, and says where it is.
func TestNew_T133_Mistakes(t *testing.T) {
	t.Parallel()
	keys := authtest.NewKeys(t, keystore.Config{})
	proxies := func(networks ...string) (c middleware.Config) {
		for _, network := range networks {
			c.TrustedProxies = append(c.TrustedProxies, middleware.Proxy{Network: network})
		}
		return c
	}
	sources := func(sources ...middleware.Source) middleware.Config { return middleware.Config{Sources: sources} }
	for _, tt := range []struct {
		desc   string
		config middleware.Config
		fields []string
	}{
		{"zero value", middleware.Config{}, nil},
		{"zero source", sources(middleware.Source{}), []string{"Sources[0]"}},
		{"header without a name", sources(middleware.Bearer(), middleware.Header("")), []string{"Sources[1]"}},
		{"header with a colon", sources(middleware.Header("X-Key:")), []string{"Sources[0]"}},
		{"header with a space", sources(middleware.Header("X Key")), []string{"Sources[0]"}},
		{"header with a line feed", sources(middleware.Header("X-Key\nX")), []string{"Sources[0]"}},
		{"header beyond ASCII", sources(middleware.Header("X-Schlüssel")), []string{"Sources[0]"}},
		{"Authorization without a scheme", sources(middleware.Header("authorization")), []string{"Sources[0]"}},
		{"Bearer twice", sources(middleware.Bearer(), middleware.Bearer()), []string{"Sources[1]"}},
		{"a header twice", sources(middleware.Header("x-key"), middleware.Header("X-KEY")), []string{"Sources[1]"}},
		{"no verifier", middleware.Config{Verifiers: []keystore.Verifier{keys, nil}}, []string{"Verifiers[1]"}},
		{"a nil pointer for a verifier", middleware.Config{Verifiers: []keystore.Verifier{(*pointerVerifier)(nil)}}, []string{"Verifiers[0]"}},
		{"nil Keys for a verifier", middleware.Config{Verifiers: []keystore.Verifier{(*keystore.Keys)(nil)}}, []string{"Verifiers[0]"}},
		{"unknown env", middleware.Config{Envs: []keystore.Env{keystore.EnvLive, "staging", ""}}, []string{"Envs[1]", "Envs[2]"}},
		{"proxies", proxies("10.0.0.0/8", "2001:db8::/32", "192.0.2.1/32", "0.0.0.0/0", middleware.PrivateNetworks, middleware.UnixSocket), nil},
		{"proxy without a network", proxies(""), []string{"TrustedProxies[0].Network"}},
		{"proxy without a prefix", proxies("10.0.0.1"), []string{"TrustedProxies[0].Network"}},
		{"proxy with host bits", proxies("10.0.0.1/8", "0.0.0.1/0"), []string{"TrustedProxies[0].Network", "TrustedProxies[1].Network"}},
		{"proxy, IPv4 in IPv6", proxies("::ffff:10.0.0.0/104"), []string{"TrustedProxies[0].Network"}},
		{"proxy, leading zeros", proxies("010.0.0.0/8"), []string{"TrustedProxies[0].Network"}},
		{"proxy, short", proxies("10.0/8"), []string{"TrustedProxies[0].Network"}},
		{"proxy, hex", proxies("0xa000000/8"), []string{"TrustedProxies[0].Network"}},
		{"proxy, a zone", proxies("fe80::%eth0/10"), []string{"TrustedProxies[0].Network"}},
		{"proxy, a typo", proxies("0.0.0.0/0.", "privat", "10.0.0.0/33", " 10.0.0.0/8"), []string{"TrustedProxies[0].Network", "TrustedProxies[1].Network", "TrustedProxies[2].Network", "TrustedProxies[3].Network"}},
		{"realm with a quote", middleware.Config{Realm: `a", error="x`}, []string{"Realm"}},
		{"realm with a backslash", middleware.Config{Realm: `a\`}, []string{"Realm"}},
		{"realm with a line feed", middleware.Config{Realm: "a\r\nSet-Cookie: a=b"}, []string{"Realm"}},
		{"realm beyond ASCII", middleware.Config{Realm: "Schlüssel"}, []string{"Realm"}},
		{"realm of broken UTF-8", middleware.Config{Realm: "\xff"}, []string{"Realm"}},
		{"negative size", middleware.Config{MaxCredentialBytes: -1}, []string{"MaxCredentialBytes"}},
		{"too small a size", middleware.Config{MaxCredentialBytes: 127}, []string{"MaxCredentialBytes"}},
		{"too large a size", middleware.Config{MaxCredentialBytes: 65537}, []string{"MaxCredentialBytes"}},
		{
			"all at once",
			middleware.Config{
				Sources: []middleware.Source{{}}, Verifiers: []keystore.Verifier{nil}, Envs: []keystore.Env{"x"},
				TrustedProxies: []middleware.Proxy{{}}, Realm: "\x00", MaxCredentialBytes: 1,
			},
			[]string{"Sources[0]", "Verifiers[0]", "Envs[0]", "TrustedProxies[0].Network", "Realm", "MaxCredentialBytes"},
		},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			t.Parallel()
			auth, err := middleware.New(keys, tt.config)
			require.Equal(t, tt.fields == nil, auth != nil, "%v", err)
			var fields []string
			for _, problem := range mistakes(t, err) {
				fields = append(fields, strings.TrimPrefix(problem.Field, "middleware: Config."))
				require.NotEmpty(t, problem.Want)
				require.Equal(t, 1, strings.Count(problem.Error(), "want "), "%s", problem)
				require.NotContains(t, problem.Error(), "\n")
			}
			require.Equal(t, tt.fields, fields)
		})
	}
}

// mistakes are the ConfigErrors that err joins, and nothing else is.
func mistakes(t *testing.T, err error) (all []*keystore.ConfigError) {
	t.Helper()
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	require.True(t, ok)
	for _, one := range joined.Unwrap() {
		var problem *keystore.ConfigError
		require.ErrorAs(t, one, &problem)
		require.Same(t, problem, one)
		all = append(all, problem)
	}
	return all
}

// T-133: no Keys, together with what else is wrong.
func TestNew_WithoutKeys(t *testing.T) {
	t.Parallel()
	auth, err := middleware.New(nil, middleware.Config{Realm: "\n"})
	require.Nil(t, auth)
	problems := mistakes(t, err)
	require.Len(t, problems, 2)
	require.Equal(t, "middleware: keys", problems[0].Field)

	_, err = middleware.New(nil, middleware.Config{})
	require.Len(t, mistakes(t, err), 1)
}

// T-050, T-133: a nil pointer is no store, whatever it points at.
func TestKeys_TypedNilStore(t *testing.T) {
	t.Parallel()
	for _, store := range []keystore.KeyStore{nil, (*memstore.Store)(nil), (*authtest.Store)(nil)} {
		keys, err := keystore.New(store, keystore.Config{})
		require.Nil(t, keys)
		require.Len(t, mistakes(t, err), 1)
	}
}

// What the caller changes after New changes nothing.
func TestNew_CopiesConfig(t *testing.T) {
	t.Parallel()
	keys := authtest.NewKeys(t, keystore.Config{})
	config := middleware.Config{
		Sources:        []middleware.Source{middleware.Header("X-Claims-Key")},
		Envs:           []keystore.Env{keystore.EnvTest},
		Verifiers:      []keystore.Verifier{keys},
		TrustedProxies: []middleware.Proxy{{Network: "203.0.113.0/24", TLSOnly: true}},
	}
	auth, err := middleware.New(keys, config)
	require.NoError(t, err)
	config.Sources[0], config.Envs[0] = middleware.Bearer(), keystore.EnvLive
	config.Verifiers[0], config.TrustedProxies[0] = nil, middleware.Proxy{Network: "0.0.0.0/0"}

	key := authtest.Mint(t, keys, keystore.Spec{Env: keystore.EnvTest}).Credential.Reveal()
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	r.RemoteAddr = "203.0.113.7:1"
	r.Header.Set("X-Claims-Key", key)
	answer := httptest.NewRecorder()
	auth.Authenticate(http.NotFoundHandler()).ServeHTTP(answer, r)
	require.Equal(t, http.StatusNotFound, answer.Code, answer.Body)
}
