package middleware_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/middleware"
	"github.com/claviger-go/claviger/middleware/authtest"
	"github.com/claviger-go/claviger/scopes"
)

func newAuth(t testing.TB, keys *keystore.Keys, config middleware.Config) *middleware.Auth {
	t.Helper()
	auth, err := middleware.New(keys, config)
	require.NoError(t, err)
	return auth
}

// ask sends a request from this machine and returns the answer and whether the
// handler ran.
func ask(guard func(http.Handler) http.Handler, r *http.Request) (answer *httptest.ResponseRecorder, ran bool) {
	answer = httptest.NewRecorder()
	guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { ran = true })).ServeHTTP(answer, r)
	return answer, ran
}

// T-044, T-043: a route that asks for scopes that cannot be is a mistake in the
// program, found when it starts.
func TestRequire_T044_Panics(t *testing.T) {
	t.Parallel()
	catalog := scopes.MustCatalog(
		scopes.Definition{Name: "claims:read", Title: "Read"},
		scopes.Definition{Name: "everything", Title: "Everything", Bundle: []scopes.Scope{"*"}},
	)
	free := newAuth(t, authtest.NewKeys(t, keystore.Config{}), middleware.Config{})
	listed := newAuth(t, authtest.NewKeys(t, keystore.Config{Catalog: catalog}), middleware.Config{})
	for _, tt := range []struct {
		desc   string
		auth   *middleware.Auth
		scopes []scopes.Scope
		panics bool
	}{
		{"none", free, nil, true},
		{"empty", free, []scopes.Scope{""}, true},
		{"a space", free, []scopes.Scope{" "}, true},
		{"empty beside a good one", free, []scopes.Scope{"claims:read", ""}, true},
		{"two in one", free, []scopes.Scope{"claims:read claims:write"}, true},
		{"malformed", free, []scopes.Scope{"claims"}, true},
		{"a quote", free, []scopes.Scope{`claims:"`}, true},
		{"a pattern", free, []scopes.Scope{"claims:*"}, true},
		{"everything", free, []scopes.Scope{"*"}, true},
		{"upper case", free, []scopes.Scope{"Claims:read"}, true},
		{"well-formed", free, []scopes.Scope{"claims:raed"}, false},
		{"not in the catalog", listed, []scopes.Scope{"claims:raed"}, true},
		{"one not in the catalog", listed, []scopes.Scope{"claims:read", "claims:write"}, true},
		{"a bundle", listed, []scopes.Scope{"everything"}, true},
		{"in the catalog", listed, []scopes.Scope{"claims:read"}, false},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			t.Parallel()
			for _, build := range []func(){
				func() { tt.auth.Require(tt.scopes...) },
				func() { tt.auth.RequireAny(tt.scopes...) },
				func() { tt.auth.AllOf(tt.scopes...) },
				func() { tt.auth.AnyOf(tt.scopes...) },
			} {
				if !tt.panics {
					require.NotPanics(t, build)
					continue
				}
				func() {
					defer func() {
						text, ok := recover().(string)
						require.True(t, ok)
						require.Contains(t, text, "middleware: ")
					}()
					build()
					t.Error("no panic")
				}()
			}
		})
	}
}

// Zero values deny: an Auth that New did not make, and a Requirement that nobody
// made.
func TestZeroValues(t *testing.T) {
	t.Parallel()
	var zero middleware.Auth
	secure := httptest.NewRequest(http.MethodGet, "https://api.example/", http.NoBody)
	for desc, guard := range map[string]func(http.Handler) http.Handler{
		"Authenticate": zero.Authenticate, "Optional": zero.Optional,
	} {
		for _, r := range []*http.Request{secure, authtest.NewRequest(http.MethodGet, "/", nil, keystore.Secret{})} {
			ran := false
			handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { ran = true })
			require.Panics(t, func() { guard(handler).ServeHTTP(httptest.NewRecorder(), r) }, desc)
			require.False(t, ran, desc)
		}
	}
	require.Panics(t, func() { zero.Require("claims:read") })
	require.Panics(t, func() {
		(*middleware.Auth)(nil).Authenticate(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), secure)
	})

	keys := authtest.NewKeys(t, keystore.Config{})
	auth := newAuth(t, keys, middleware.Config{})
	full := authtest.Mint(t, keys, keystore.Spec{FullAccess: true}).Credential
	answer := httptest.NewRecorder()
	_, ok := auth.Admit(answer, authtest.NewRequest(http.MethodGet, "/", nil, full), scopes.Requirement{})
	require.False(t, ok)
	require.Equal(t, http.StatusForbidden, answer.Code)
	require.NotContains(t, answer.Header().Get("WWW-Authenticate"), `scope=""`)
}

// Admit is what other frameworks are served by: the request it returns is the one
// to pass on, and it leaves the other as it was.
func TestAdmit(t *testing.T) {
	t.Parallel()
	keys := authtest.NewKeys(t, keystore.Config{})
	auth := newAuth(t, keys, middleware.Config{})
	key := authtest.Mint(t, keys, keystore.Spec{Scopes: []scopes.Scope{"claims:read"}})
	before := authtest.NewRequest(http.MethodGet, "/claims/7?a=b", nil, key.Credential)
	before.SetPathValue("id", "7")
	before.Pattern = "GET /claims/{id}"

	answer := httptest.NewRecorder()
	after, ok := auth.Admit(answer, before, auth.AllOf("claims:read"))
	require.True(t, ok)
	require.Equal(t, key.Record.ID, middleware.Principal(after.Context()).KeyID())
	require.Nil(t, middleware.Principal(before.Context()))
	require.Equal(t, "7", after.PathValue("id"))
	require.Equal(t, before.Pattern, after.Pattern)
	require.Same(t, before.URL, after.URL)
	require.Empty(t, answer.Header())

	refused, ok := auth.Admit(answer, before, auth.AllOf("claims:write"))
	require.False(t, ok)
	require.Same(t, before, refused)
	require.Equal(t, http.StatusForbidden, answer.Code)

	anonymous := authtest.NewRequest(http.MethodGet, "/", nil, keystore.Secret{})
	passed, ok := auth.Admit(httptest.NewRecorder(), anonymous, scopes.Optional())
	require.True(t, ok)
	require.Same(t, anonymous, passed)
}

// A guard counts the use that it admits, and no other.
func TestUsage(t *testing.T) {
	t.Parallel()
	keys := authtest.NewKeys(t, keystore.Config{})
	auth := newAuth(t, keys, middleware.Config{})
	key := authtest.Mint(t, keys, keystore.Spec{Scopes: []scopes.Scope{"claims:read"}})
	for _, guard := range []func(http.Handler) http.Handler{auth.Require("claims:read"), auth.Require("claims:write"), auth.Authenticate} {
		ask(guard, authtest.NewRequest(http.MethodGet, "/", nil, key.Credential))
	}
	twice := func(next http.Handler) http.Handler { return auth.Authenticate(auth.Require("claims:read")(next)) }
	_, ran := ask(twice, authtest.NewRequest(http.MethodGet, "/", nil, key.Credential))
	require.True(t, ran)
	require.NoError(t, auth.Explain(t.Context(), key.Record.ID, auth.AllOf("claims:read")))
	used, err := keys.Usage(t.Context(), key.Record.ID)
	require.NoError(t, err)
	require.Len(t, used, 1)
	require.EqualValues(t, 3, used[0].Count, "a request counts once, however many guards it passes")
}

func TestExplain(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	store := authtest.NewStore()
	keys := authtest.Open(t, store, keystore.Config{Now: func() time.Time { return now }, AcceptForeign: true})
	auth := newAuth(t, keys, middleware.Config{Audience: "claims"})
	prefix := netip.MustParsePrefix
	for _, tt := range []struct {
		desc string
		spec keystore.Spec
		edit func(ctx context.Context, id string) error
		want keystore.Outcome
	}{
		{desc: "good", want: keystore.OutcomeAccepted},
		{desc: "scope", spec: keystore.Spec{Scopes: []scopes.Scope{"claims:write"}}, want: keystore.OutcomeScopeMissing},
		{desc: "env", spec: keystore.Spec{Env: keystore.EnvTest}, want: keystore.OutcomeEnvRefused},
		{desc: "env before scope", spec: keystore.Spec{Env: keystore.EnvTest, Scopes: []scopes.Scope{"claims:write"}}, want: keystore.OutcomeEnvRefused},
		{desc: "audience", spec: keystore.Spec{Limits: keystore.Limits{Audiences: []string{"orders"}}}, want: keystore.OutcomeAudienceRefused},
		{desc: "our audience", spec: keystore.Spec{Limits: keystore.Limits{Audiences: []string{"orders", "claims"}}}, want: keystore.OutcomeAccepted},
		{desc: "early", spec: keystore.Spec{NotBefore: now.Add(time.Hour)}, want: keystore.OutcomeNotYetValid},
		{desc: "revoked", edit: func(ctx context.Context, id string) error { return keys.Revoke(ctx, id, "") }, want: keystore.OutcomeRevoked},
		{desc: "suspended", edit: func(ctx context.Context, id string) error { return keys.Suspend(ctx, id, "") }, want: keystore.OutcomeSuspended},
		{desc: "its own limits", spec: keystore.Spec{Limits: keystore.Limits{
			Networks: []netip.Prefix{prefix("192.0.2.0/24")}, Methods: []string{"POST"}, ServerOnly: true,
		}}, want: keystore.OutcomeAccepted},
		{desc: "networks denied", spec: keystore.Spec{Limits: keystore.Limits{
			DeniedNetworks: []netip.Prefix{prefix("192.0.2.0/24"), prefix("::/16")},
		}}, want: keystore.OutcomeAccepted},
		{desc: "the first part denied", spec: keystore.Spec{Limits: keystore.Limits{
			Networks: []netip.Prefix{prefix("10.0.0.0/8")}, DeniedNetworks: []netip.Prefix{prefix("10.0.0.0/16")},
		}}, want: keystore.OutcomeAccepted},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			t.Parallel()
			if tt.spec.Scopes == nil {
				tt.spec.Scopes = []scopes.Scope{"claims:read"}
			}
			id := authtest.Mint(t, keys, tt.spec).Record.ID
			if tt.edit != nil {
				require.NoError(t, tt.edit(t.Context(), id))
			}
			explains(t, auth, id, tt.want)
		})
	}
	t.Run("an imported key, by the id of its alias", func(t *testing.T) {
		t.Parallel()
		text := keystore.NewSecret("6aa0fa07e4b6c0b7a8d95a3d1c2f4e5b")
		record, err := keys.Import(t.Context(), keystore.Spec{Owner: "acme", Scopes: []scopes.Scope{"claims:read"}, Limits: keystore.Limits{Methods: []string{"POST"}}}, text)
		require.NoError(t, err)
		aliases, err := keys.List(t.Context(), keystore.Filter{Parent: record.ID})
		require.NoError(t, err)
		explains(t, auth, aliases.Records[0].ID, keystore.OutcomeAccepted)
	})
	explains(t, auth, "unknown", keystore.OutcomeUnknown)
	t.Run("the store cannot answer", func(t *testing.T) {
		broken := authtest.NewStore()
		auth := newAuth(t, authtest.Open(t, broken, keystore.Config{}), middleware.Config{})
		broken.Fail(authtest.Fault{Panic: "boom"})
		require.ErrorIs(t, auth.Explain(t.Context(), "unknown", scopes.Authenticated()), keystore.ErrUnavailable)
	})
}

func explains(t *testing.T, auth *middleware.Auth, id string, want keystore.Outcome) {
	t.Helper()
	err := auth.Explain(t.Context(), id, auth.AllOf("claims:read"))
	if want == keystore.OutcomeAccepted {
		require.NoError(t, err)
		return
	}
	var refused *keystore.RefusedError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, want, refused.Outcome)
	require.Equal(t, id, refused.KeyID)
}
