package keystore

import (
	"context"
	"net/netip"
	"slices"

	"github.com/claviger-go/claviger/scopes"
)

// Access is what a request asks for and how it came. The zero value is refused.
type Access struct {
	Requirement scopes.Requirement
	Envs        []Env      // accepted here
	Audience    string     // what this service calls itself; for keys that are bound to services
	Secure      bool       // nobody between the client and this service could read it
	Remote      netip.Addr // the client, unmapped; invalid: not known, so outside of every network
	Browser     bool       // made by a browser
	Method      string     // HTTP method
	Route       string     // pattern of the route that was matched, as the router spells it; "": not known
}

// Admit decides whether p may have access, and counts the use if so. It asks the
// record and each of its parents, in this order: transport, network, browser,
// method, route, audience, env, scopes; and then, of those that have one, the [Rate].
// What the strictest of these says is returned, also with its refusal; nil: there is
// none. Without a rate Admit does no I/O, and allocates nothing for a yes; with one it
// asks the store, if that is a [RateStore]. What is refused may be a sign of misuse,
// see [MisusePolicy].
//
// The error is a [*RefusedError], unless p is of a foreign verifier and its rate
// cannot be.
func (k *Keys) Admit(ctx context.Context, p *Principal, a *Access) (*Allowance, error) {
	for q := p; q != nil && q.use == nil && q.record != nil; q = q.parent { // nobody has asked yet
		if outcome := q.record.life(0, k.config.Now()); outcome != OutcomeAccepted {
			return nil, &RefusedError{Outcome: outcome, KeyID: q.record.ID, Owner: q.record.Owner}
		}
	}
	if refused := p.check(a); refused != nil {
		p.examine(a, refused)
		return nil, refused
	}
	if !p.rated {
		count(p)
		return nil, nil //nolint:nilnil // no rate, and no refusal
	}
	allowance, err := k.spend(ctx, p)
	if err == nil {
		count(p)
	}
	return allowance, err
}

// Check is Admit without the counting, and so without the rates. A nil principal is refused.
func (p *Principal) Check(a *Access) error {
	if refused := p.check(a); refused != nil {
		return refused
	}
	return nil
}

func (p *Principal) check(a *Access) *RefusedError {
	if p.nobody() {
		return &RefusedError{Outcome: OutcomeMissing}
	}
	for q := p; q != nil; q = q.parent {
		if outcome := q.record.admits(a, q.limited); outcome != OutcomeAccepted {
			refused := &RefusedError{Outcome: outcome, KeyID: q.record.ID, Owner: q.record.Owner}
			if outcome == OutcomeScopeMissing {
				refused.Missing = a.Requirement.Missing(q.record.Scopes)
			}
			return refused
		}
	}
	return nil
}

func (r *Record) admits(a *Access, limited bool) Outcome {
	switch {
	case !a.Secure:
		return OutcomeHTTPSRequired
	case limited && !r.Limits.allowNetwork(a.Remote):
		return OutcomeNetworkRefused
	case limited && r.Limits.ServerOnly && a.Browser:
		return OutcomeBrowserRefused
	case limited && r.Limits.Methods != nil && !slices.Contains(r.Limits.Methods, a.Method):
		return OutcomeMethodRefused
	case limited && !r.Limits.allowRoute(a.Route):
		return OutcomeRouteRefused
	case limited && r.Limits.Audiences != nil && !slices.Contains(r.Limits.Audiences, a.Audience):
		return OutcomeAudienceRefused
	case !slices.Contains(a.Envs, r.Env):
		return OutcomeEnvRefused
	case !a.Requirement.MetBy(r.Scopes):
		return OutcomeScopeMissing
	}
	return OutcomeAccepted
}
