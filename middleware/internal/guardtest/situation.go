package guardtest

import (
	"context"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/middleware"
	"github.com/claviger-go/claviger/middleware/authtest"
)

// verifier is one that an app brings along.
type verifier func(ctx context.Context, text string) (*keystore.Principal, error)

func (v verifier) Verify(ctx context.Context, text string) (*keystore.Principal, error) {
	return v(ctx, text)
}

// refusing is a config whose verifier has one answer to all.
func refusing(err error) middleware.Config {
	return middleware.Config{Verifiers: []keystore.Verifier{
		verifier(func(context.Context, string) (*keystore.Principal, error) { return nil, err }),
	}}
}

// answers is the table of situations: what clients are told, to the byte.
func (mount Mount) answers(t *testing.T) {
	t.Parallel()
	s := open(t, mount)
	for _, tt := range []struct{ desc, raw, want string }{
		{"no credential", get("/claims"), missing},
		{"no credential, any would do", get("/any"), missing},
		{"no credential, none needed", get("/maybe"), admitted},
		{"good", get("/claims", "Authorization: Bearer {read}"), admitted},
		{"good, in the other header", get("/claims", "X-API-Key: {read}"), with(admitted, "Cache-Control: private")},
		{"good, beside somebody else's Authorization", get("/claims", "X-API-Key: {read}", "Authorization: Basic eDp5"), with(admitted, "Cache-Control: private")},
		{"good, any would do", get("/any", "Authorization: Bearer {none}"), admitted},
		{"good, none needed", get("/maybe", "Authorization: Bearer {none}"), admitted},
		{"bad, none needed", get("/maybe", "Authorization: Bearer {revoked}"), invalid},
		{"bad", get("/claims", "Authorization: Bearer {unknown}"), invalid},
		{"two", get("/claims", "Authorization: Bearer {read}", "X-API-Key: {read}"), twice},
		{"two, none needed", get("/maybe", "Authorization: Bearer {read}", "X-API-Key: {read}"), twice},
		{"a scope missing", get("/claims", "Authorization: Bearer {write}"), lacksRead},
		{"another scope missing", request("POST", "/claims", "Authorization: Bearer {read}"), lacksWrite},
		{"one of two scopes missing", request("PUT", "/claims", "Authorization: Bearer {read}"), lacksOneOfBoth},
		{"none of the alternatives", get("/either", "Authorization: Bearer {none}"), lacksEither},
		{"one of the alternatives", get("/either", "Authorization: Bearer {write}"), admitted},
		{"plain HTTP through a proxy", get("/claims", "Authorization: Bearer {read}", "X-Forwarded-For: 198.51.100.1"), httpsRequired},
		{"plain HTTP, no credential", get("/claims", "X-Forwarded-For: 198.51.100.1"), httpsRequired},
		{"plain HTTP, none needed", get("/maybe", "X-Forwarded-For: 198.51.100.1"), httpsRequired},
		{"plain HTTP, bad", get("/claims", "Authorization: Bearer {wrong}", "X-Forwarded-For: 198.51.100.1"), httpsRequired},
		{"another network", get("/claims", "Authorization: Bearer {office}"), networkRefused},
		{"a browser", get("/claims", "Authorization: Bearer {server}", "Origin: https://app.example"), browserRefused},
		{"another method", request("POST", "/claims", "Authorization: Bearer {getter}"), methodRefused},
		{"another service", get("/claims", "Authorization: Bearer {bound}"), audienceRefused},
		{"another environment", get("/claims", "Authorization: Bearer {test}"), envRefused},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			t.Parallel()
			s.serve(t, middleware.Config{}).expect(t, tt.raw, tt.want)
		})
	}
	t.Run("T016_RetryAfter", s.retryAfter)
	t.Run("T131_Realm", func(t *testing.T) {
		t.Parallel()
		v := s.serve(t, middleware.Config{Realm: "Claims, v2 (EU)"})
		realm := strings.NewReplacer(`realm="api"`, `realm="Claims, v2 (EU)"`)
		v.expect(t, get("/claims"), realm.Replace(missing))
		v.expect(t, get("/claims", "X-API-Key: {write}"), realm.Replace(lacksRead))
	})
	t.Run("store cannot answer", func(t *testing.T) {
		t.Parallel()
		s := open(t, mount)
		v := s.serve(t, middleware.Config{})
		s.store.Fail(authtest.Fault{Err: errStore})
		v.expect(t, get("/claims", "Authorization: Bearer {read}"), unavailable)
		v.expect(t, get("/maybe", "Authorization: Bearer {read}"), unavailable)
		v.expect(t, get("/claims"), missing)
		v.expect(t, get("/claims", "Authorization: Bearer {malformed}"), invalid)
	})
}

// A limiter's answer says when to try again, and no other answer does (T-016).
func (s *service) retryAfter(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		desc    string
		outcome keystore.Outcome
		after   time.Duration
		want    string
	}{
		{"rate limit", keystore.OutcomeRateLimited, 90 * time.Second, strings.Replace(rateLimited, "After: 1", "After: 90", 1)},
		{"rounded up", keystore.OutcomeRateLimited, 1001 * time.Millisecond, strings.Replace(rateLimited, "After: 1", "After: 2", 1)},
		{"whole seconds", keystore.OutcomeThrottled, 2 * time.Second, strings.Replace(throttled, "After: 1", "After: 2", 1)},
		{"not said", keystore.OutcomeRateLimited, 0, rateLimited},
		{"not said", keystore.OutcomeThrottled, 0, throttled},
		{"in the past", keystore.OutcomeThrottled, -time.Hour, throttled},
		{"the longest", keystore.OutcomeRateLimited, math.MaxInt64, strings.Replace(rateLimited, "After: 1", "After: 9223372037", 1)},
		{"said of a bad credential", keystore.OutcomeRevoked, time.Minute, invalid},
		{"said of a missing one", keystore.OutcomeMissing, time.Minute, missing},
	} {
		t.Run(string(tt.outcome)+" "+tt.desc, func(t *testing.T) {
			t.Parallel()
			config := refusing(&keystore.RefusedError{Outcome: tt.outcome, RetryAfter: tt.after})
			v := s.serve(t, config)
			v.expect(t, get("/claims", "Authorization: Bearer foreign"), tt.want)
			v.expect(t, get("/claims", "Authorization: Bearer foreign", "Via: 1.1 proxy"), httpsRequired)
		})
	}
}

// badCredentials are all the ways in which a credential can be no good.
var badCredentials = map[string]keystore.Outcome{ //nolint:gochecknoglobals // a table
	"malformed": keystore.OutcomeMalformed, "unknown": keystore.OutcomeUnknown, "wrong": keystore.OutcomeWrongSecret,
	"expired": keystore.OutcomeExpired, "early": keystore.OutcomeNotYetValid, "revoked": keystore.OutcomeRevoked,
	"suspended": keystore.OutcomeSuspended, "orphaned": keystore.OutcomeOrphaned,
}

// Nothing tells a client why its credential is no good: the same bytes for all
// causes, in either header, also the second time, and whoever verifies.
func (mount Mount) oneAnswer(t *testing.T) {
	t.Parallel()
	s := open(t, mount)
	for name, outcome := range badCredentials {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := s.serve(t, middleware.Config{})
			for range 2 {
				v.expect(t, get("/claims", "Authorization: Bearer {"+name+"}"), invalid)
				v.expect(t, get("/any", "X-API-Key: {"+name+"}"), invalid)
				if got := v.decision().Outcome; got != outcome {
					t.Errorf("OnDecision hears %q instead of %q: %v", got, outcome, v.decision().Err)
				}
			}
			foreign := s.serve(t, refusing(&keystore.RefusedError{Outcome: outcome, KeyID: "foreign", Owner: "acme"}))
			foreign.expect(t, get("/claims", "Authorization: Bearer foreign"), invalid)
		})
	}
}

// Who proved the secret may read that it has expired or is suspended, if the
// service says so; who did not learns nothing.
func (mount Mount) tellHolders(t *testing.T) {
	t.Parallel()
	s := open(t, mount)
	v := s.serve(t, middleware.Config{TellHolders: true})
	for name := range badCredentials {
		want := invalid
		switch name {
		case "expired":
			want = expired
		case "suspended":
			want = suspended
		}
		v.expect(t, get("/claims", "Authorization: Bearer {"+name+"}"), want)
	}
	// The id of an expired key with another secret.
	s.rewrite(t, "wrong", func(r *keystore.Record) { r.Expires = s.clock.now() })
	v.expect(t, get("/claims", "Authorization: Bearer {wrong}"), invalid)
}

// Shared caches spare answers to Authorization by themselves; others are told,
// unless the handler knows better, and never less than an outer handler said.
func (mount Mount) cacheControl(t *testing.T) {
	t.Parallel()
	s := open(t, mount)
	v := &server{service: s}
	routes := []Route{
		{Pattern: "GET /set", Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "max-age=60")
			v.ServeHTTP(w, r)
		})},
		{Pattern: "GET /add", Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Add("Cache-Control", "max-age=60")
			v.ServeHTTP(w, r)
		})},
		{Pattern: "GET /maybe", Optional: true, Handler: v},
		{Pattern: "GET /any", Handler: v},
		{Pattern: "GET /claims", Handler: s.mount(v.auth(t, middleware.Config{}), v.routes())}, // a guard behind a guard
	}
	guarded := s.mount(v.auth(t, middleware.Config{}), routes)
	v.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Outer") != "" {
			w.Header().Set("Cache-Control", r.Header.Get("Outer"))
		}
		guarded.ServeHTTP(w, r)
	}))
	for _, tt := range []struct{ desc, raw, want string }{
		{"Authorization", get("/any", "Authorization: Bearer {read}"), admitted},
		{"another header", get("/any", "X-API-Key: {read}"), with(admitted, "Cache-Control: private")},
		{"anonymous", get("/maybe"), admitted},
		{"the handler sets its own", get("/set", "X-API-Key: {read}"), with(admitted, "Cache-Control: max-age=60")},
		{"the handler adds its own", get("/add", "X-API-Key: {read}"), with(admitted, "Cache-Control: max-age=60", "Cache-Control: private")},
		{"the next one is as before", get("/any", "X-API-Key: {read}"), with(admitted, "Cache-Control: private")},
		{"an outer handler said more", get("/any", "X-API-Key: {read}", "Outer: no-store"), with(admitted, "Cache-Control: no-store", "Cache-Control: private")},
		{"an outer handler said less", get("/any", "X-API-Key: {read}", "Outer: public"), with(admitted, "Cache-Control: private", "Cache-Control: public")},
		{"two guards", get("/claims", "X-API-Key: {read}"), with(admitted, "Cache-Control: private")},
		{"two guards, an outer handler said more", get("/claims", "X-API-Key: {read}", "Outer: no-store"), with(admitted, "Cache-Control: no-store", "Cache-Control: private")},
		{"two guards, an outer handler said as much", get("/claims", "X-API-Key: {read}", "Outer: private"), with(admitted, "Cache-Control: private")},
		{"an outer handler, refused", get("/any", "Outer: public"), missing},
		{"an outer handler, Authorization", get("/any", "Authorization: Bearer {read}", "Outer: public"), with(admitted, "Cache-Control: public")},
	} {
		v.expect(t, tt.raw, tt.want)
	}
}
