package guardtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/middleware"
	"github.com/claviger-go/claviger/middleware/authtest"
	"github.com/claviger-go/claviger/scopes"
)

// Every request is told of once, with who, what, when and where (T-130).
func (mount Mount) decisions(t *testing.T) {
	t.Parallel()
	s := open(t, mount)
	limited := &keystore.RefusedError{Outcome: keystore.OutcomeRateLimited, KeyID: "k1", Owner: "o1", RetryAfter: time.Minute}
	config := withQuery()
	config.Verifiers = refusing(limited).Verifiers
	read := must(scopes.AllOf("claims:read"))
	key := func(name string, d middleware.Decision) middleware.Decision {
		d.KeyID, d.Owner, d.Source = s.ids[name], "test", "Authorization"
		if d.Kind == "" {
			d.Kind = keystore.KindAPIKey
		}
		return d
	}
	refused := func(name string, d middleware.Decision) middleware.Decision {
		d = key(name, d)
		d.Kind, d.Status = "", http.StatusUnauthorized
		return d
	}
	type decision = middleware.Decision
	for _, tt := range []struct {
		raw  string
		want decision // but for what all have in common
	}{
		{get("/claims", "Authorization: Bearer {all}"), key("all", decision{Outcome: "accepted", Asked: read})},
		{get("/any", "Authorization: Bearer {none}"), key("none", decision{Outcome: "accepted", Asked: scopes.Authenticated()})},
		{get("/maybe"), decision{Outcome: "accepted", Asked: scopes.Optional()}},
		{get("/claims"), decision{Outcome: "credential-missing", Status: 401, Asked: read}},
		{get("/claims", "X-API-Key: {all}", "X-API-Key: {all}"), decision{Outcome: "credential-ambiguous", Status: 400, Asked: read}},
		{get("/claims", "Authorization: Bearer {malformed}x y"), decision{Outcome: "credential-malformed", Status: 401, Source: "Authorization", Asked: read}},
		{get("/claims", "Authorization: Bearer {suspended}"), refused("suspended", decision{Outcome: "credential-suspended", Asked: read})},
		{get("/claims", "Authorization: Bearer {expired}"), refused("expired", decision{Outcome: "credential-expired", Asked: read})},
		{get("/claims", "Authorization: Bearer {early}"), refused("early", decision{Outcome: "credential-not-yet-valid", Asked: read})},
		{get("/claims", "Authorization: Bearer {revoked}"), refused("revoked", decision{Outcome: "credential-revoked", Asked: read})},
		{get("/claims", "Authorization: Bearer {orphaned}"), refused("orphaned", decision{Outcome: "credential-orphaned", Asked: read})},
		{get("/claims", "X-API-Key: {unknown}"), decision{Outcome: "credential-unknown", Status: 401, KeyID: s.ids["unknown"], Source: "X-Api-Key", Asked: read}},
		{get("/claims?api_key={wrong}"), decision{Outcome: "credential-wrong-secret", Status: 401, KeyID: s.ids["wrong"], Source: "query", Asked: read}},
		{get("/claims", "Authorization: Bearer {write}"), key("write", decision{Outcome: "scope-missing", Status: 403, Asked: read, Missing: []scopes.Scope{"claims:read"}})},
		{get("/claims", "Authorization: Bearer {office}"), key("office", decision{Outcome: "network-refused", Status: 403, Asked: read})},
		{get("/claims", "Authorization: Bearer {server}", "Origin: null"), key("server", decision{Outcome: "browser-refused", Status: 403, Asked: read})},
		{get("/claims", "Authorization: Bearer {bound}"), key("bound", decision{Outcome: "audience-refused", Status: 403, Asked: read})},
		{get("/claims", "Authorization: Bearer {test}"), key("test", decision{Outcome: "env-refused", Status: 403, Asked: read})},
		{get("/claims", "Authorization: Bearer {all}", "Via: 1.1 x"), key("all", decision{Outcome: "https-required", Status: 403, Asked: read})},
		{get("/claims", "Authorization: Bearer token"), decision{Outcome: "rate-limited", Status: 429, KeyID: "k1", Owner: "o1", Source: "Authorization", Asked: read}},
	} {
		t.Run(string(tt.want.Outcome), func(t *testing.T) {
			t.Parallel()
			v := s.serve(t, config)
			answer := v.send(t, tt.raw)
			v.mu.Lock()
			defer v.mu.Unlock()
			if len(v.decisions) != 1 {
				t.Fatalf("%q: OnDecision heard of %d requests", answer, len(v.decisions))
			}
			got := v.decisions[0]
			if _, path, _ := strings.Cut(tt.raw, " "); !strings.HasPrefix(path, got.Pattern[strings.IndexByte(got.Pattern, '/'):]) {
				t.Errorf("the pattern of the route is %q", got.Pattern)
			}
			got.Pattern = ""
			tt.want.Time, tt.want.Remote, tt.want.Method = s.clock.now(), netip.MustParseAddr("127.0.0.1"), http.MethodGet
			if heard, want := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", tt.want); heard != want {
				t.Errorf("OnDecision heard\n%s\ninstead of\n%s", heard, want)
			}
			s.secretless(t, fmt.Sprintf("%+v %#v", got, got))
		})
	}
	t.Run("unavailable", func(t *testing.T) {
		t.Parallel()
		s := open(t, mount)
		v := s.serve(t, middleware.Config{})
		s.store.Fail(authtest.Fault{Err: errStore})
		v.send(t, get("/claims", "Authorization: Bearer {read}"))
		if d := v.decision(); d.Outcome != keystore.OutcomeUnavailable || d.Status != 503 || !errors.Is(d.Err, errStore) || !errors.Is(d.Err, keystore.ErrUnavailable) {
			t.Errorf("OnDecision heard %+v", d)
		}
	})
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// The handler knows who asks, and has its request otherwise as it was.
func (mount Mount) principals(t *testing.T) {
	t.Parallel()
	s := open(t, mount)
	v := &server{service: s}
	type contextKey struct{}
	guarded := s.mount(v.auth(t, middleware.Config{}), []Route{
		{Pattern: "POST /any", Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if string(body) != "body" || err != nil || r.Context().Value(contextKey{}) != "kept" || r.Header.Get("X-Own") != "kept" {
				t.Errorf("the handler reads %q (%v) and %v", body, err, r.Context())
			}
			v.ServeHTTP(w, r)
		})},
		{Pattern: "GET /maybe", Optional: true, Handler: v},
	})
	v.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if middleware.Principal(r.Context()) != nil {
			t.Error("there is a principal before the guard")
		}
		guarded.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, "kept")))
		if middleware.Principal(r.Context()) != nil {
			t.Error("there is a principal behind the guard, outside")
		}
	}))
	post := request(http.MethodPost, "/any", "Authorization: Bearer {read}", "X-Own: kept", "Content-Length: 4") + "body"
	v.expect(t, post, admitted)
	p := middleware.Principal(v.last().Context())
	plan, planned := p.Meta("plan")
	if p.KeyID() != s.ids["read"] || p.Owner() != "acme" || p.Name() != "reader" || p.Kind() != keystore.KindAPIKey ||
		p.Env() != keystore.EnvLive || p.Session() != "" || plan != "gold" || !planned ||
		!p.Allows("claims:read") || p.Allows("claims:write") || p.Scopes().String() != "claims:read" {
		t.Errorf("the principal is not who asked: %s of %s", p.KeyID(), p.Owner())
	}
	v.expect(t, get("/maybe"), admitted)
	if middleware.Principal(v.last().Context()) != nil {
		t.Error("there is a principal without a credential")
	}
	v.expect(t, get("/maybe", "Authorization: Bearer {write}"), admitted)
	if got := middleware.Principal(v.last().Context()).KeyID(); got != s.ids["write"] {
		t.Errorf("the principal is %s", got)
	}
}

// With Fresh, what changed behind the back of Keys counts at once. Without, it may
// take MaxStaleness.
func (mount Mount) fresh(t *testing.T) {
	t.Parallel()
	key := get("/claims", "Authorization: Bearer {read}", "Origin: null")
	for _, tt := range []struct {
		desc   string
		change func(*service, *keystore.Record)
		want   string
	}{
		{"nothing", func(_ *service, r *keystore.Record) { r.Name = "renamed" }, admitted},
		{"revoked", func(s *service, r *keystore.Record) { r.Revoked.At = s.clock.now() }, invalid},
		{"suspended", func(s *service, r *keystore.Record) { r.Suspended.At = s.clock.now() }, invalid},
		{"expired", func(s *service, r *keystore.Record) { r.Expires = s.clock.now() }, invalid},
		{"secret expired", func(s *service, r *keystore.Record) { r.Secrets[0].Expires = s.clock.now() }, invalid},
		{"secret gone", func(_ *service, r *keystore.Record) { r.Secrets = nil }, invalid},
		{"fewer scopes", func(_ *service, r *keystore.Record) { r.Scopes = scopes.Set{} }, lacksRead},
		{"other scopes", func(_ *service, r *keystore.Record) { r.Scopes = scopes.MustSet("claims:*") }, admitted},
		{"a limit", func(_ *service, r *keystore.Record) { r.Limits.ServerOnly = true }, browserRefused},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			t.Parallel()
			s := open(t, mount)
			// Without the store's Watch nobody hears of the change.
			s.keys = authtest.Open(t, struct{ keystore.AdminStore }{s.store}, keystore.Config{Now: s.clock.now, LookupTimeout: 20 * time.Second})
			stale, fresh := s.serve(t, middleware.Config{}), s.serve(t, middleware.Config{Fresh: true})
			fresh.expect(t, key, admitted)
			stale.expect(t, key, admitted)
			s.rewrite(t, "read", func(r *keystore.Record) { tt.change(s, r) })

			s.clock.advance(time.Second)
			stale.expect(t, key, admitted)
			s.store.lookups.Store(0)
			fresh.expect(t, key, tt.want)
			if got := s.store.lookups.Load(); got != 1 {
				t.Errorf("the store was asked %d times", got)
			}
			s.store.Fail(authtest.Fault{Err: errStore})
			if tt.want != invalid {
				fresh.expect(t, key, unavailable)
			}
		})
	}
}

// Answers to who still uses a secret that was rotated away say so, refusals do not.
func (mount Mount) rotated(t *testing.T) {
	t.Parallel()
	s := open(t, mount)
	v := s.serve(t, middleware.Config{})
	r, err := s.keys.Lookup(t.Context(), s.ids["read"])
	if err != nil {
		t.Fatal(err)
	}
	issued, err := s.keys.Rotate(t.Context(), r.ID, r.Version, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	old, fresh := "Authorization: Bearer {read}", "Authorization: Bearer "+issued.Credential.Reveal()
	deprecated := []string{
		"Deprecation: @" + strconv.FormatInt(s.clock.now().Unix(), 10),
		"Sunset: " + s.clock.now().Add(time.Hour).Format(http.TimeFormat),
	}
	v.expect(t, get("/claims", fresh), admitted)
	v.expect(t, get("/claims", old), with(admitted, deprecated...))
	v.expect(t, get("/maybe", old), with(admitted, deprecated...))
	v.expect(t, get("/claims", "X-API-Key: {read}"), with(admitted, append(deprecated, "Cache-Control: private")...))
	v.expect(t, request("POST", "/claims", old, "Content-Length: 0"), lacks("claims:write"))
	s.clock.advance(time.Hour)
	v.expect(t, get("/claims", old), invalid)
	v.expect(t, get("/claims", fresh), admitted)
}
