package guardtest

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/middleware"
	"github.com/claviger-go/claviger/middleware/authtest"
)

// A key with a rate is told what is left of it, also when nothing is; keys without
// one are told nothing. Who is refused for another reason has used nothing (T-016).
func (mount Mount) rateLimit(t *testing.T) {
	t.Parallel()
	s := open(t, mount)
	v := s.serve(t, middleware.Config{})
	key := "Authorization: Bearer {rated}"
	const policy = `Ratelimit-Policy: "key";q=2;w=60`
	left := func(answer, what string) string { return with(answer, policy, `Ratelimit: "key";`+what) }
	exceeded := func(seconds string) string {
		return strings.Replace(left(rateLimited, "r=0;t="+seconds), "Retry-After: 1", "Retry-After: "+seconds, 1)
	}
	v.expect(t, request("POST", "/claims", key), lacksWrite)
	v.expect(t, get("/claims", key, "Via: 1.1 proxy"), httpsRequired)
	v.expect(t, get("/claims", key), left(admitted, "r=1;t=30"))
	s.clock.advance(10 * time.Second)
	v.expect(t, get("/maybe", key), left(admitted, "r=0;t=20"))
	for range 3 {
		v.expect(t, get("/claims", key), exceeded("20"))
		v.expect(t, get("/maybe", "X-API-Key: {rated}"), exceeded("20"))
		if d := v.decision(); d.Outcome != keystore.OutcomeRateLimited || d.Status != 429 || d.KeyID != s.ids["rated"] {
			t.Errorf("OnDecision hears %+v", d)
		}
	}
	v.expect(t, get("/claims", "Authorization: Bearer {read}"), admitted)
	s.clock.advance(19_500 * time.Millisecond)
	v.expect(t, get("/claims", key), exceeded("1"))
	s.clock.advance(500 * time.Millisecond)
	v.expect(t, get("/claims", "X-API-Key: {rated}"), with(left(admitted, "r=0;t=30"), "Cache-Control: private"))

	// Two guards are one request.
	s.clock.advance(time.Hour)
	n := &server{service: s}
	auth := n.auth(t, middleware.Config{})
	n.start(t, s.mount(auth, []Route{{Pattern: "GET /claims", Handler: s.mount(auth, n.routes())}}))
	n.expect(t, get("/claims", key), left(admitted, "r=1;t=30"))
	n.expect(t, get("/claims", key), left(admitted, "r=0;t=30"))
	n.expect(t, get("/claims", key), exceeded("30"))
}

// junk are well-formed credentials that nobody has.
func junk(t *testing.T, n int) (texts []string) {
	t.Helper()
	keys := authtest.NewKeys(t, keystore.Config{})
	for range n {
		texts = append(texts, authtest.Mint(t, keys, keystore.Spec{}).Credential.Reveal())
	}
	return texts
}

// A network that presents many wrong credentials is slowed down, and nobody else: not
// who is known, not who comes from elsewhere, and not who comes through a balancer
// that nobody has named (T-024, T-025, T-054).
func (mount Mount) throttle(t *testing.T) {
	t.Parallel()
	s := open(t, mount)
	const limit = 20
	s.keys = authtest.Open(t, s.store, keystore.Config{
		Now: s.clock.now, LookupTimeout: 20 * time.Second, Throttle: keystore.Throttle{Credentials: limit},
	})
	wrong := junk(t, limit+20)
	v := s.from(t, middleware.Config{
		DangerouslyAllowHTTP: true, // the scheme is another table's
		TrustedProxies:       []middleware.Proxy{{Network: "10.0.0.0/8"}},
	})
	const proxied = "Peer: 10.0.0.1:1\r\nX-Forwarded-For: 192.0.2.7"
	ask := func(text string, from string, want string) {
		t.Helper()
		v.expect(t, get("/claims", from, "Authorization: Bearer "+text), want)
	}
	ask("{read}", proxied, admitted)
	for _, text := range wrong[:limit] {
		ask(text, proxied, invalid)
		ask(text, proxied, invalid) // again is nothing new
		ask(text, "Peer: 198.51.100.1:1\r\nX-Forwarded-For: 203.0.113.1", invalid)
	}
	for _, text := range wrong[limit : limit+10] { // those of one second
		ask(text, proxied, invalid)
	}
	ask("{all}", proxied, throttled)
	if d := v.decision(); d.Outcome != keystore.OutcomeThrottled || d.Status != 429 || d.KeyID != s.ids["all"] || d.Remote.String() != "192.0.2.7" {
		t.Errorf("OnDecision hears %+v", d)
	}
	ask(wrong[limit+10], proxied, throttled)
	ask("{read}", proxied, admitted)
	ask("{suspended}", "Peer: 192.0.2.8:1", invalid)
	ask("{full}", "Peer: 192.0.2.8:1", admitted)
	ask("{none}", "Peer: 10.0.0.1:1\r\nX-Forwarded-For: 192.0.2.9", lacksRead)
	ask("{all}", "Peer: 192.0.2.7:1", throttled) // the same address without the proxy
	ask("{malformed}", proxied, invalid)
	s.clock.advance(100 * time.Millisecond)
	ask("{all}", proxied, admitted) // delayed, and no more

	// Behind a balancer that nobody has named: the limit is the balancer's, so there is none.
	for _, text := range wrong {
		ask(text, "Peer: 198.51.100.1:1\r\nX-Forwarded-For: 203.0.113.1", invalid)
	}
	ask("{getter}", "Peer: 198.51.100.1:1\r\nX-Forwarded-For: 203.0.113.1", admitted)

	auth := v.auth(t, middleware.Config{TrustedProxies: []middleware.Proxy{{Network: "10.0.0.0/8"}}})
	for _, tt := range []struct {
		peer, header string
		want         netip.Addr
	}{
		{"192.0.2.7:1", "", netip.MustParseAddr("192.0.2.7")},
		{"192.0.2.7:1", "203.0.113.1", netip.Addr{}},
		{"10.0.0.1:1", "203.0.113.1", netip.MustParseAddr("203.0.113.1")},
		{"10.0.0.1:1", "", netip.Addr{}},
		{"@", "", netip.Addr{}},
	} {
		r := authtest.NewRequest("GET", "/claims", nil, keystore.Secret{})
		if r.RemoteAddr = tt.peer; tt.header != "" {
			r.Header.Set("X-Forwarded-For", tt.header)
		}
		if got := auth.Remote(r); got != tt.want {
			t.Errorf("Remote of %s for %q is %v instead of %v", tt.peer, tt.header, got, tt.want)
		}
	}
}

// Where imported keys are accepted, a text counts as a guess once no verifier knows
// it; and where it is refused unread, others may know it (T-024).
func (mount Mount) throttleBesideVerifiers(t *testing.T) {
	t.Parallel()
	s := open(t, mount)
	const limit = 5
	s.keys = authtest.Open(t, s.store, keystore.Config{
		Now: s.clock.now, LookupTimeout: 20 * time.Second, AcceptForeign: true, Throttle: keystore.Throttle{Credentials: limit},
	})
	theirs := keystore.NewPrincipal(keystore.Record{ID: "1", Env: keystore.EnvLive})
	v := s.from(t, middleware.Config{DangerouslyAllowHTTP: true, Verifiers: []keystore.Verifier{
		verifier(func(_ context.Context, text string) (*keystore.Principal, error) {
			if strings.HasPrefix(text, "token-") {
				return theirs, nil
			}
			return nil, keystore.ErrUnrecognized
		}),
	}})
	ask := func(text, want string) {
		t.Helper()
		v.expect(t, get("/any", "Peer: 192.0.2.7:1", "Authorization: Bearer "+text), want)
	}
	for n := range 3 * limit {
		ask("token-"+strings.Repeat("x", n), admitted)
	}
	for n := range limit + 10 {
		ask("junk-"+strings.Repeat("x", n), invalid)
	}
	ask("junk-another", throttled)
	ask("{read}", throttled)
	ask("token-another", admitted)
}
