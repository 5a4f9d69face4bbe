package middleware

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/middleware/internal/identity"
	"github.com/claviger-go/claviger/scopes"
)

// Auth guards routes. Make one with [New]; the zero value panics. It
// is immutable and safe for concurrent use. Routes that differ in environment,
// audience or sources get an Auth each, on the same Keys.
type Auth struct {
	keys      *keystore.Keys
	config    Config
	sources   []Source
	verifiers []keystore.Verifier
	envs      []keystore.Env
	proxies   []proxy
	refusals  map[keystore.Outcome]*refusal
	shared    sharedHeaders

	scopeMu       sync.RWMutex
	scopeRefusals map[scopeKey]*refusal
}

// New returns an Auth that asks keys. Every mistake in config is reported at once,
// as joined [*keystore.ConfigError] values.
func New(keys *keystore.Keys, config Config) (*Auth, error) {
	a := &Auth{keys: keys, shared: newSharedHeaders(), scopeRefusals: map[scopeKey]*refusal{}}
	if err := a.compile(config); err != nil {
		return nil, err
	}
	a.encodeRefusals()
	return a, nil
}

// Require lets requests through whose credential was granted all of the scopes.
// It panics on a scope that is empty, malformed, a pattern, or not in the Keys'
// catalog, and without any scope: for those routes there is [Auth.Authenticate].
func (a *Auth) Require(required ...scopes.Scope) func(http.Handler) http.Handler {
	return a.guard(a.AllOf(required...))
}

// RequireAny lets requests through whose credential was granted one of the scopes.
// It panics as Require does.
func (a *Auth) RequireAny(alternatives ...scopes.Scope) func(http.Handler) http.Handler {
	return a.guard(a.AnyOf(alternatives...))
}

// Authenticate lets requests with any valid credential through.
func (a *Auth) Authenticate(next http.Handler) http.Handler {
	return a.guard(scopes.Authenticated())(next)
}

// Optional lets requests without a credential through as well, with no principal:
// check for nil. A credential that is presented has to be valid.
func (a *Auth) Optional(next http.Handler) http.Handler {
	return a.guard(scopes.Optional())(next)
}

// AllOf is what Require asks for, to be used with [Auth.Admit]. It panics as
// Require does.
func (a *Auth) AllOf(required ...scopes.Scope) scopes.Requirement {
	return must(a.catalog().AllOf(required...))
}

// AnyOf is what RequireAny asks for, to be used with [Auth.Admit]. It panics as
// Require does.
func (a *Auth) AnyOf(alternatives ...scopes.Scope) scopes.Requirement {
	return must(a.catalog().AnyOf(alternatives...))
}

const notMade = "middleware: this Auth was not made by New"

func (a *Auth) catalog() *scopes.Catalog {
	if a.keys == nil {
		panic(notMade)
	}
	return a.keys.Catalog()
}

func must(r scopes.Requirement, err error) scopes.Requirement {
	if err != nil {
		panic(fmt.Sprintf("middleware: a route asks for scopes that cannot be: %v", err))
	}
	return r
}

func (a *Auth) guard(asked scopes.Requirement) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r, ok := a.Admit(w, r, asked); ok {
				next.ServeHTTP(w, r)
			}
		})
	}
}

// Principal returns who the request with this context is. It is nil behind
// Optional if there was no credential, and where no Auth stands in front.
func Principal(ctx context.Context) *keystore.Principal { return identity.From(ctx) }

// Admit decides about a request and, if it is refused, answers it. If it is
// admitted, the request returned has the principal in its context; pass that one
// on. It is what every middleware of this package and of others is made of.
func (a *Auth) Admit(w http.ResponseWriter, r *http.Request, asked scopes.Requirement) (*http.Request, bool) {
	if a.keys == nil {
		panic(notMade)
	}
	var v verdict
	a.decide(&v, r, asked)
	var no *refusal
	status := 0
	if v.outcome != keystore.OutcomeAccepted {
		no = a.refusal(&v, asked)
		status = no.status
	}
	if a.config.OnDecision != nil && !a.tell(r, &v, asked, status) {
		no = a.refusals[keystore.OutcomeUnavailable] // no request goes unaudited
	}
	if v.allowance != nil {
		markRate(w.Header(), v.allowance)
	}
	if no != nil {
		a.write(w, no)
		return r, false
	}
	if v.principal == nil {
		return r, true
	}
	a.mark(w.Header(), v.source)
	if since, until, ok := v.principal.Deprecated(); ok {
		markDeprecated(w.Header(), since, until)
	}
	ctx := identity.With(r.Context(), v.principal)
	if v.source == querySource {
		ctx = context.WithValue(ctx, takenKey{}, keystore.NewSecret(v.text))
	}
	return r.WithContext(ctx), true
}

// mark keeps shared caches off answers that they cannot tell apart: for requests
// with Authorization they do by themselves (RFC 9111 §3.5). A handler may set
// another Cache-Control.
func (a *Auth) mark(h http.Header, source string) {
	switch source {
	case "Authorization":
	case querySource:
		h["Cache-Control"] = a.shared.noStore
		h["Referrer-Policy"] = a.shared.noReferrer
		h["Deprecation"] = a.shared.queryDeprecated
	default:
		switch said := h["Cache-Control"]; {
		case len(said) == 0:
			h["Cache-Control"] = a.shared.private
		case !slices.Contains(said, "private"):
			h["Cache-Control"] = slices.Concat(said, a.shared.private) // of several the strictest counts
		}
	}
}

// markDeprecated tells who still uses a secret that was rotated away since when
// (RFC 9745) and until when (RFC 8594).
func markDeprecated(h http.Header, since, until time.Time) {
	h.Set("Deprecation", "@"+strconv.FormatInt(since.Unix(), 10))
	h.Set("Sunset", until.UTC().Format(http.TimeFormat))
}

// verdict is what decide found, for the answer and for OnDecision.
type verdict struct {
	presented
	principal *keystore.Principal    // if proven and alive
	allowance *keystore.Allowance    // what its rate says; nil: nothing
	refused   *keystore.RefusedError // if something definite was said
	err       error                  // if nothing could be said
}

// decide is the one function that says yes or no.
func (a *Auth) decide(v *verdict, r *http.Request, asked scopes.Requirement) {
	secure := a.secure(r)
	v.presented = a.presented(r)
	switch {
	case !secure:
		// Decided before the credential is: a 401 would invite the key in clear.
		// Whose key was sent in clear is looked up all the same: he has to be told.
		if v.outcome == "" {
			if a.prove(r, v); v.principal != nil {
				_, _ = a.keys.Admit(r.Context(), v.principal, &keystore.Access{Remote: a.client(r)}) // not Secure, so refused
			}
		}
		v.outcome, v.err = keystore.OutcomeHTTPSRequired, nil
		return
	case v.outcome == keystore.OutcomeMissing && asked.IsOptional():
		v.outcome = keystore.OutcomeAccepted
		return
	case v.outcome != "":
		return
	}
	if a.prove(r, v); v.principal == nil {
		return
	}
	access := keystore.Access{Requirement: asked, Envs: a.envs, Audience: a.config.Audience, Secure: true}
	if v.principal.Limited() {
		access.Remote, access.Browser, access.Method, access.Route = a.client(r), browser(r.Header), r.Method, r.Pattern
	}
	var err error
	if v.allowance, err = a.admit(r.Context(), v.principal, &access); err != nil {
		v.hold(err)
		return
	}
	v.principal.Trace(func() (netip.Addr, string) { return a.client(r), r.UserAgent() })
	v.outcome = keystore.OutcomeAccepted
}

// admit counts the use once, however many guards a request passes.
func (a *Auth) admit(ctx context.Context, p *keystore.Principal, access *keystore.Access) (*keystore.Allowance, error) {
	if outer := identity.From(ctx); outer != nil && outer.KeyID() == p.KeyID() && outer.Session() == p.Session() {
		return nil, p.Check(access)
	}
	return a.keys.Admit(ctx, p, access)
}

// prove finds out whose credential it is: a principal, or an outcome.
func (a *Auth) prove(r *http.Request, v *verdict) {
	ctx := r.Context()
	p, err := a.keys.VerifyFrom(ctx, v.text, func() (netip.Addr, bool) { return a.origin(r) })
	if errors.Is(err, keystore.ErrUnrecognized) {
		p, err = a.verify(ctx, v, err)
	}
	if err == nil && a.config.Fresh {
		p, err = a.keys.Refresh(ctx, p)
	}
	if err != nil {
		v.hold(err)
		return
	}
	v.principal = p
}

// verify asks the other verifiers until one knows the form. If none does, what the
// Keys have said stands.
func (a *Auth) verify(ctx context.Context, v *verdict, said error) (p *keystore.Principal, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			p, err = nil, fmt.Errorf("%w: a verifier panicked: %v", keystore.ErrUnavailable, cause)
		}
	}()
	if v.source != querySource && visible(v.text) { // a token in the query is ignored (OAuth 2.1 §5.1)
		for _, verifier := range a.verifiers {
			p, err = verifier.Verify(ctx, v.text)
			if err == nil && (p == nil || *p == keystore.Principal{}) {
				return nil, fmt.Errorf("%w: a verifier returned neither a principal nor an error", keystore.ErrUnavailable)
			}
			if !errors.Is(err, keystore.ErrUnrecognized) {
				return p, err
			}
		}
	}
	a.keys.CountRefused(ctx, said)
	return nil, said
}

// hold sorts an error into the verdict.
func (v *verdict) hold(err error) {
	var refused *keystore.RefusedError
	if errors.As(err, &refused) && refused == nil {
		err = keystore.ErrUnavailable // of a nil pointer nobody can even read the text
	}
	switch {
	case refused != nil && refused.Outcome != "" && refused.Outcome != keystore.OutcomeAccepted:
		v.refused, v.outcome = refused, refused.Outcome
	case errors.Is(err, keystore.ErrUnrecognized):
		v.outcome = keystore.OutcomeMalformed
	default:
		v.err, v.outcome = err, keystore.OutcomeUnavailable
	}
}

// browser reports whether a browser made the request, by headers that scripts
// cannot suppress. It guards against misuse and not against attackers, who leave
// them out. Sec-Fetch-Mode alone is no mark: Node's own fetch sends it.
func browser(h http.Header) bool {
	return len(h["Origin"]) > 0 || len(h["Sec-Fetch-Site"]) > 0 || len(h["Sec-Fetch-Dest"]) > 0
}
