package scopes

import (
	"errors"
	"fmt"
	"slices"
)

const maxRequired = 16

type rule uint8

const (
	nobody rule = iota // the zero Requirement denies
	allOf
	anyOf
	authenticated
	optional
)

// Requirement is what a route asks of the credential in a request.
//
// The zero value is met by nobody, so a route whose requirement was forgotten stays shut. Build one with [AllOf],
// [AnyOf], [Authenticated] or [Optional], or with the methods of a [Catalog], which also find mistyped scopes. A
// Requirement is immutable and safe to copy and to share between goroutines.
type Requirement struct {
	rule   rule
	scopes []Scope // in the order given
	text   string  // scopes, joined
}

// AllOf asks for every one of these scopes.
//
// It takes 1 to 16 scopes; one given twice counts once. None at all is an error rather than a route open to every
// credential: that is [Authenticated]. Patterns, "*", empty and malformed scopes are refused.
//
// All mistakes are reported at once; each wraps [ErrMalformed]. The arguments are copied.
func AllOf(scopes ...Scope) (Requirement, error) {
	return ask(nil, allOf, scopes)
}

// AnyOf asks for at least one of these scopes. It takes and refuses the same arguments as [AllOf].
func AnyOf(scopes ...Scope) (Requirement, error) {
	return ask(nil, anyOf, scopes)
}

// Authenticated asks for a valid credential and for no scope: one that was granted nothing passes too.
func Authenticated() Requirement {
	return Requirement{rule: authenticated}
}

// Optional asks for nothing: a request without a credential passes. A credential that is presented must be valid.
func Optional() Requirement {
	return Requirement{rule: optional}
}

func ask(catalog *Catalog, rule rule, scopes []Scope) (Requirement, error) {
	switch n := len(scopes); {
	case n == 0:
		return Requirement{}, fmt.Errorf("%w: no scope required: use Authenticated", ErrMalformed)
	case n > maxRequired:
		return Requirement{}, tooMany(n, maxRequired)
	}
	var errs []error
	var required []Scope
	for _, scope := range scopes {
		if err := catalog.check(scope); err != nil {
			errs = append(errs, err)
		} else if !slices.Contains(required, scope) {
			required = append(required, scope)
		}
	}
	if len(errs) > 0 {
		return Requirement{}, errors.Join(errs...)
	}
	return Requirement{rule: rule, scopes: required, text: join(required)}, nil
}

// MetBy reports whether a valid credential with these scopes may pass. It allocates nothing.
//
// [Authenticated] and [Optional] are met by every set, the empty one included; whether there is a credential, and
// whether it is valid, is decided before.
func (r Requirement) MetBy(granted Set) bool {
	switch r.rule {
	case allOf:
		for _, scope := range r.scopes {
			if !granted.grants(scope) {
				return false
			}
		}
		return true
	case anyOf:
		return slices.ContainsFunc(r.scopes, granted.grants)
	case authenticated, optional:
		return true
	default:
		return false
	}
}

// Missing names the scopes to ask for when r is not met: of [AllOf] those that granted does not cover, of [AnyOf]
// all alternatives, in the order given. It is nil when r is met.
//
// It is for messages. It is nil for the zero Requirement as well, which no scope would meet: decide with
// [Requirement.MetBy].
func (r Requirement) Missing(granted Set) []Scope {
	if r.rule == anyOf {
		if r.MetBy(granted) {
			return nil
		}
		return r.Scopes()
	}
	var missing []Scope
	for _, scope := range r.scopes {
		if !granted.grants(scope) {
			missing = append(missing, scope)
		}
	}
	return missing
}

// Scopes returns the scopes asked for, in the order given, in a slice that is the caller's; nil when there are none.
func (r Requirement) Scopes() []Scope {
	return slices.Clone(r.scopes)
}

// IsOptional reports whether a request without a credential passes.
func (r Requirement) IsOptional() bool {
	return r.rule == optional
}

// String lists the scopes asked for, space-delimited and in the order given: the value of the scope attribute in a
// Bearer challenge (RFC 6750 §3), which needs no escaping. It is "" when no scope is asked for. It was made by the
// constructor and allocates nothing.
func (r Requirement) String() string {
	return r.text
}
