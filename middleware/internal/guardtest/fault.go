package guardtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/middleware"
	"github.com/claviger-go/claviger/middleware/authtest"
	"github.com/claviger-go/claviger/scopes"
)

// Whatever a store does but answer, the client reads 503 and the handler does not
// run; a key read before serves for MaxStaleness and no longer; and when the store
// is back, so are the keys (T-050, VC8).
func (mount Mount) storeFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		desc  string
		fault authtest.Fault
		lie   func(string) (keystore.Record, error)
	}{
		{desc: "error", fault: authtest.Fault{Err: errStore}},
		{desc: "no rows, says the driver", fault: authtest.Fault{Err: errors.New("sql: no rows in result set")}},
		{desc: "canceled", fault: authtest.Fault{Err: context.Canceled}},
		{desc: "hang", fault: authtest.Fault{Hang: true}},
		{desc: "panic", fault: authtest.Fault{Panic: "panic in the driver"}},
		{desc: "panic with an error", fault: authtest.Fault{Panic: errStore}},
		{desc: "zero record", lie: func(string) (keystore.Record, error) { return keystore.Record{}, nil }},
		{desc: "record without secrets or env", lie: func(id string) (keystore.Record, error) {
			return keystore.Record{ID: "other" + id, Kind: keystore.KindAPIKey, Scopes: scopes.FullAccess()}, nil
		}},
		{desc: "newer format", lie: func(string) (keystore.Record, error) { return keystore.Record{}, keystore.ErrNewerFormat }},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			t.Parallel()
			s := open(t, mount)
			if tt.fault.Hang {
				s.keys = authtest.Open(t, s.store, keystore.Config{Now: s.clock.now, LookupTimeout: 250 * time.Millisecond})
			}
			fail := func(failing bool) {
				s.store.lie.Store(nil)
				s.store.Fail(authtest.Fault{})
				if failing {
					s.store.Fail(tt.fault)
				}
				if failing && tt.lie != nil {
					s.store.lie.Store(&tt.lie)
				}
			}
			v := s.serve(t, middleware.Config{})
			cold, warm := get("/claims", "Authorization: Bearer {all}"), get("/claims", "Authorization: Bearer {read}")
			v.expect(t, warm, admitted)

			fail(true)
			v.expect(t, cold, unavailable)
			v.expect(t, get("/maybe", "Authorization: Bearer {all}"), unavailable)
			if d := v.decision(); d.Outcome != keystore.OutcomeUnavailable || d.Status != http.StatusServiceUnavailable || d.Err == nil {
				t.Errorf("OnDecision hears %+v", d)
			}
			v.expect(t, get("/maybe"), admitted)
			v.expect(t, warm, admitted)
			s.clock.advance(4 * time.Second)
			v.expect(t, warm, admitted)
			s.clock.advance(time.Second)
			v.expect(t, warm, unavailable)
			v.expect(t, get("/claims", "Authorization: Bearer {all}", "Via: 1.1 proxy"), httpsRequired)
			if d := v.decision(); d.Outcome != keystore.OutcomeHTTPSRequired || d.Err != nil {
				t.Errorf("OnDecision hears %+v", d)
			}

			fail(false)
			v.expect(t, cold, admitted)
			v.expect(t, warm, admitted)
		})
	}
	t.Run("the client has gone", func(t *testing.T) {
		t.Parallel()
		s := open(t, mount)
		s.keys = authtest.Open(t, s.store, keystore.Config{Now: s.clock.now, LookupTimeout: time.Second})
		v := s.serve(t, middleware.Config{})
		s.store.Fail(authtest.Fault{Hang: true})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		answer := httptest.NewRecorder()
		r := authtest.NewRequest(http.MethodGet, "/claims", nil, keystore.NewSecret(s.texts["read"]))
		v.handler.ServeHTTP(answer, r.WithContext(ctx))
		if answer.Code != http.StatusServiceUnavailable || v.called() != 0 {
			t.Errorf("answered %d, and the handler ran %d times", answer.Code, v.called())
		}
	})
}

// A request that cannot be audited is not served (T-050).
func (mount Mount) hooks(t *testing.T) {
	t.Parallel()
	s := open(t, mount)
	for _, cause := range []any{"boom", errStore, http.ErrAbortHandler, nil} {
		t.Run(fmt.Sprint(cause), func(t *testing.T) {
			t.Parallel()
			v := s.serve(t, middleware.Config{OnDecision: func(context.Context, middleware.Decision) { panic(cause) }})
			v.expect(t, get("/claims", "Authorization: Bearer {read}"), unavailable)
			v.expect(t, get("/claims", "X-API-Key: {read}"), unavailable)
			v.expect(t, get("/claims", "X-API-Key: {wrong}"), unavailable)
			v.expect(t, get("/claims", "Via: 1.1 proxy"), unavailable)
			v.expect(t, get("/maybe"), unavailable)
		})
	}
}

// What an app's verifier gets wrong is no reason to let anybody through (T-050).
func (mount Mount) verifiers(t *testing.T) {
	t.Parallel()
	s := open(t, mount)
	of := keystore.NewPrincipal
	good := of(keystore.Record{ID: "1", Owner: "acme", Env: keystore.EnvLive, Scopes: scopes.MustSet("claims:read")})
	refused := func(outcome keystore.Outcome) error { return &keystore.RefusedError{Outcome: outcome} }
	for _, tt := range []struct {
		desc      string
		principal *keystore.Principal
		err       error
		panics    any
		want      string
	}{
		{desc: "good", principal: good, want: admitted},
		{desc: "lacks a scope", principal: of(keystore.Record{Env: keystore.EnvLive}), want: lacksRead},
		{desc: "of another environment", principal: of(keystore.Record{Env: keystore.EnvTest, Scopes: scopes.FullAccess()}), want: envRefused},
		{desc: "of no environment", principal: of(keystore.Record{Scopes: scopes.FullAccess()}), want: envRefused},
		{desc: "expired", principal: of(keystore.Record{Env: keystore.EnvLive, Scopes: scopes.FullAccess(), Expires: s.clock.now()}), want: invalid},
		{desc: "not yet valid", principal: of(keystore.Record{Env: keystore.EnvLive, Scopes: scopes.FullAccess(), NotBefore: s.clock.now().Add(1)}), want: invalid},
		{desc: "suspended", principal: of(keystore.Record{Env: keystore.EnvLive, Scopes: scopes.FullAccess(), Suspended: keystore.Mark{At: s.clock.now()}}), want: invalid},
		{desc: "for another service", principal: of(keystore.Record{
			Env: keystore.EnvLive, Scopes: scopes.FullAccess(), Limits: keystore.Limits{Audiences: []string{"other"}},
		}), want: audienceRefused},
		{desc: "neither", want: unavailable},
		{desc: "zero principal", principal: new(keystore.Principal), want: unavailable},
		{desc: "both", principal: good, err: errStore, want: unavailable},
		{desc: "panic", panics: "boom", want: unavailable},
		{desc: "panic with nil", panics: new(any), want: unavailable},
		{desc: "unrecognized", err: keystore.ErrUnrecognized, want: invalid},
		{desc: "unrecognized, wrapped", err: fmt.Errorf("foreign: %w", keystore.ErrUnrecognized), want: invalid},
		{desc: "unrecognized, with a principal", principal: good, err: keystore.ErrUnrecognized, want: invalid},
		{desc: "unavailable", err: keystore.ErrUnavailable, want: unavailable},
		{desc: "deadline", err: context.DeadlineExceeded, want: unavailable},
		{desc: "some error", err: errStore, want: unavailable},
		{desc: "not found", err: keystore.ErrNotFound, want: unavailable},
		{desc: "refused, no outcome", err: refused(""), want: unavailable},
		{desc: "refused, accepted", err: refused(keystore.OutcomeAccepted), want: unavailable},
		{desc: "refused, an invention", err: refused("credential-too-new"), want: unavailable},
		{desc: "refused, unavailable", err: refused(keystore.OutcomeUnavailable), want: unavailable},
		{desc: "refused, a nil pointer", err: (*keystore.RefusedError)(nil), want: unavailable},
		{desc: "refused, missing", err: refused(keystore.OutcomeMissing), want: missing},
		{desc: "refused, wrapped", err: fmt.Errorf("foreign: %w", refused(keystore.OutcomeRevoked)), want: invalid},
		{desc: "refused, with a principal", principal: good, err: refused(keystore.OutcomeRevoked), want: invalid},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			t.Parallel()
			v := s.serve(t, middleware.Config{Verifiers: []keystore.Verifier{
				verifier(func(context.Context, string) (*keystore.Principal, error) { return nil, keystore.ErrUnrecognized }),
				verifier(func(context.Context, string) (*keystore.Principal, error) {
					if tt.panics != nil {
						panic(tt.panics)
					}
					return tt.principal, tt.err
				}),
			}})
			v.expect(t, get("/claims", "Authorization: Bearer foreign"), tt.want)
			if d := v.decision(); d.Outcome == "" || d.LogValue().Equal(slog.Value{}) { // which reads the error
				t.Errorf("OnDecision hears %+v", d)
			}
			v.expect(t, get("/claims", "Authorization: Bearer foreign", "Via: 1.1 proxy"), httpsRequired)
			if tt.want != admitted && tt.want != lacksRead {
				v.expect(t, get("/maybe", "Authorization: Bearer foreign"), tt.want)
			}
			v.expect(t, get("/claims", "Authorization: Bearer {read}"), admitted) // asked first, and by nobody else
		})
	}
	t.Run("what a verifier is shown", func(t *testing.T) {
		t.Parallel()
		var shown []string
		v := s.serve(t, middleware.Config{Verifiers: []keystore.Verifier{
			verifier(func(_ context.Context, text string) (*keystore.Principal, error) {
				shown = append(shown, text)
				return nil, keystore.ErrUnrecognized
			}),
		}})
		for _, text := range []string{"eyJ.foreign.token", "~!@", "a b", "a\tb", "a\u00a0b", "\xff", "{wrong}", "{unknown}"} {
			v.expect(t, get("/claims", "Authorization: Bearer "+text), invalid)
		}
		if got := fmt.Sprint(shown); got != "[eyJ.foreign.token ~!@]" {
			t.Errorf("the verifier was shown %q", shown)
		}
	})
}
