package scopes

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const maxTitleRunes = 128

// Definition describes one scope of an app, or one bundle of scopes that people choose under a single name.
type Definition struct {
	// Name is the scope, e.g. "claims:read"; for a bundle it is a single segment, e.g. "full-access".
	Name Scope

	// Title is for people, e.g. "Read Claims". It is required: valid UTF-8 of at most 128 runes without control
	// characters, and not blank. It is not escaped for HTML.
	Title string

	// Implies lists the defined scopes that are granted along with this one, and with those what they imply in turn:
	// claims:write implies claims:read. Patterns are refused here, and a bundle has none. Defaults to none.
	Implies []Scope

	// Bundle, for a bundle, lists what the name stands for: defined scopes, patterns that cover at least one of
	// them, or "*" for Full Access, which covers scopes added later as well. A bundle does not hold bundles.
	Bundle []Scope
}

// Catalog knows the scopes of an app.
//
// With one, an unknown scope is an error when it is granted and when a route is built. A nil *Catalog is valid and
// means that the app keeps no list: every well-formed scope is accepted. The zero Catalog knows no scope. A Catalog is
// immutable and safe for concurrent use. It is meant for hundreds of definitions; its methods are for issuing and
// wiring, not for every request.
type Catalog struct {
	definitions []Definition
}

// NewCatalog makes the catalog of these definitions.
//
// It refuses malformed and duplicate names, bad titles, implied or bundled scopes that are not defined, a bundle
// without content, a scope with Bundle, and a definition that stands for more than the 256 scopes of a [Set]. Scopes
// may imply each other in a circle.
//
// All mistakes are reported at once; each wraps [ErrMalformed] or [ErrUnknown]. The definitions are copied.
func NewCatalog(definitions ...Definition) (*Catalog, error) {
	c := &Catalog{definitions: clone(definitions)}
	var errs []error
	names := make(map[Scope]bool, len(definitions))
	for _, d := range c.definitions {
		problems := c.problems(d)
		if names[d.Name] {
			problems = append(problems, fmt.Errorf("%w: defined twice", ErrMalformed))
		}
		names[d.Name] = true
		for _, err := range problems {
			errs = append(errs, fmt.Errorf("definition %s: %w", quote(string(d.Name)), err))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return c, nil
}

// MustCatalog is like [NewCatalog] and panics on an error: for wiring and tests.
func MustCatalog(definitions ...Definition) *Catalog {
	c, err := NewCatalog(definitions...)
	if err != nil {
		panic(err)
	}
	return c
}

// Grant makes the set to store with a credential: bundles are replaced by their content, and everything implied is
// added.
//
// A name is a defined scope, a bundle, or a pattern that covers at least one defined scope; a pattern stays in the
// set and brings what the scopes under it imply. A scope that a pattern or "*" in the set covers anyway is not listed
// besides. At most 256 names and 256 resulting scopes; without names the set is empty and grants nothing.
//
// Expansion happens here, at issue, and never again: a stored set means the same in every process, and does not widen
// when a definition changes. Only patterns and the "*" of a Full Access bundle cover scopes added later. "*" itself is
// no name, so input from outside gets Full Access through a bundle that the app defined, or not at all.
//
// All mistakes are reported at once: names the catalog lacks wrap [ErrUnknown] and come with the nearest that exist;
// others wrap [ErrMalformed]. On a nil *Catalog it is [NewSet].
func (c *Catalog) Grant(names ...Scope) (Set, error) {
	if c == nil {
		return NewSet(names...)
	}
	if len(names) > maxScopes {
		return Set{}, tooMany(len(names), maxScopes)
	}
	var errs []error
	for _, name := range names {
		if _, why := shape(string(name)); why != "" {
			errs = append(errs, malformed(string(name), why))
		} else if len(c.named(name)) == 0 {
			errs = append(errs, c.unknown(name))
		}
	}
	if len(errs) > 0 {
		return Set{}, errors.Join(errs...)
	}
	return c.expand(names)
}

// AllOf is like the function [AllOf] and refuses scopes that c does not define: those errors wrap [ErrUnknown]. A
// bundle is no scope and is refused too.
func (c *Catalog) AllOf(scopes ...Scope) (Requirement, error) {
	return ask(c, allOf, scopes)
}

// AnyOf is like the function [AnyOf] and refuses what [Catalog.AllOf] refuses.
func (c *Catalog) AnyOf(scopes ...Scope) (Requirement, error) {
	return ask(c, anyOf, scopes)
}

// Definitions returns a deep copy of the definitions, in the order given: for a settings page. It is nil for a nil
// *Catalog.
func (c *Catalog) Definitions() []Definition {
	if c == nil {
		return nil
	}
	return clone(c.definitions)
}

func clone(definitions []Definition) []Definition {
	copies := slices.Clone(definitions)
	for i := range copies {
		copies[i].Implies = slices.Clone(copies[i].Implies)
		copies[i].Bundle = slices.Clone(copies[i].Bundle)
	}
	return copies
}

func (c *Catalog) problems(d Definition) []error {
	var errs []error
	complain := func(why string) { errs = append(errs, fmt.Errorf("%w: %s", ErrMalformed, why)) }

	segments, why := shape(string(d.Name))
	switch {
	case why != "":
		complain(why)
	case segments == 1 && len(d.Bundle) == 0:
		complain("a bundle without content, or a scope that is not resource:action")
	case segments == 1 && len(d.Implies) > 0:
		complain("a bundle lists everything under Bundle and implies nothing")
	case segments > 1 && len(d.Bundle) > 0:
		complain("a scope has no Bundle; the name of a bundle is a single segment")
	case segments > 1 && d.Name.pattern():
		complain("a pattern cannot be defined; a bundle can hold one")
	case segments > maxSegments:
		complain("more than 8 segments")
	}
	switch {
	case strings.TrimSpace(d.Title) == "":
		complain("no title")
	case utf8.RuneCountInString(d.Title) > maxTitleRunes:
		complain("a title longer than 128 runes: " + quote(d.Title))
	case !utf8.ValidString(d.Title) || strings.ContainsFunc(d.Title, unicode.IsControl):
		complain("a title with control characters or invalid UTF-8: " + quote(d.Title))
	}
	for _, implied := range d.Implies {
		if err := c.check(implied); err != nil {
			errs = append(errs, fmt.Errorf("implies: %w", err))
		}
	}
	for _, scope := range d.Bundle {
		if err := c.checkBundled(scope); err != nil {
			errs = append(errs, fmt.Errorf("bundle: %w", err))
		}
	}
	if len(errs) == 0 {
		if _, err := c.expand([]Scope{d.Name}); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// check accepts what may be required or implied: a scope, no pattern, that a catalog, if there is one, defines.
func (c *Catalog) check(scope Scope) error {
	if why := flaw(string(scope)); why != "" {
		return malformed(string(scope), why)
	}
	if scope.pattern() {
		return malformed(string(scope), "a pattern can be granted, not required or implied")
	}
	if c != nil && len(c.named(scope)) == 0 {
		return c.unknown(scope)
	}
	return nil
}

func (c *Catalog) checkBundled(scope Scope) error {
	if scope == "*" {
		return nil
	}
	if why := flaw(string(scope)); why != "" {
		return malformed(string(scope), why)
	}
	if len(c.named(scope)) == 0 {
		return c.unknown(scope)
	}
	return nil
}

// named returns the definitions that a name stands for: its own, or those of the scopes that a pattern covers.
func (c *Catalog) named(name Scope) []Definition {
	var found []Definition
	head, pattern := strings.CutSuffix(string(name), "*")
	for _, d := range c.definitions {
		if d.Name == name || pattern && len(d.Bundle) == 0 && strings.HasPrefix(string(d.Name), head) {
			found = append(found, d)
		}
	}
	return found
}

// expand grants checked names: it follows Bundle and Implies until nothing new is reached.
func (c *Catalog) expand(names []Scope) (Set, error) {
	var reached, granted []Scope
	var reach func(names []Scope)
	reach = func(names []Scope) {
		for _, name := range names {
			if slices.Contains(reached, name) {
				continue
			}
			reached = append(reached, name)
			for _, d := range c.named(name) {
				reach(d.Implies)
				reach(d.Bundle)
			}
		}
	}
	reach(names)
	for _, name := range reached {
		if bundle := name != "*" && !strings.Contains(string(name), ":"); !bundle {
			granted = append(granted, name)
		}
	}
	all := sorted(granted)
	set := sorted(slices.DeleteFunc(all.Scopes(), func(scope Scope) bool {
		return !scope.pattern() && all.grantsByPattern(scope)
	}))
	if set.Len() > maxScopes {
		return Set{}, tooMany(set.Len(), maxScopes)
	}
	return set, nil
}

// unknown names the three definitions that begin most like name: what was mistyped is mostly an ending.
func (c *Catalog) unknown(name Scope) error {
	near := make([]Scope, len(c.definitions))
	for i, d := range c.definitions {
		near[i] = d.Name
	}
	slices.SortStableFunc(near, func(a, b Scope) int {
		return cmp.Compare(alike(b, name), alike(a, name))
	})
	if len(near) == 0 {
		return fmt.Errorf("%w: %s; the catalog is empty", ErrUnknown, quote(string(name)))
	}
	return fmt.Errorf("%w: %s; nearest: %s", ErrUnknown, quote(string(name)), join(near[:min(3, len(near))]))
}

// alike is the length of the common beginning.
func alike(a, b Scope) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
