package scopes

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

const maxScopes = 256

// Set is what a credential was granted: up to 256 different scopes and patterns, sorted, or Full Access.
//
// The zero value grants nothing. A Set is immutable and safe to copy and to share between goroutines. Its JSON form
// is an array of strings, e.g. ["claims:*","reports:read"]; with the option omitzero an empty set is left out.
type Set struct {
	scopes []Scope // sorted, unique, nil when empty: equal sets are deeply equal
	heads  []Scope // the patterns without their '*', sorted: "claims:" for claims:*, "" for *
}

// NewSet makes the set of these scopes and patterns.
//
// Duplicates become one. More than 256 arguments, duplicates included, are refused before they are looked at. Without
// arguments the set is empty and grants nothing. "*" is refused, so that input from outside cannot ask for
// everything: see [FullAccess].
//
// All mistakes are reported at once; each wraps [ErrMalformed]. The arguments are copied.
func NewSet(scopes ...Scope) (Set, error) {
	return build(scopes, false)
}

// MustSet is like [NewSet] and panics on an error: for wiring and tests.
func MustSet(scopes ...Scope) Set {
	set, err := NewSet(scopes...)
	if err != nil {
		panic(err)
	}
	return set
}

// FullAccess is the set {"*"}: it covers every scope there is or will be. It still has to be granted by name and is
// not what a missing or an empty set means.
func FullAccess() Set {
	return sorted([]Scope{"*"})
}

func build(scopes []Scope, stored bool) (Set, error) {
	if len(scopes) > maxScopes {
		return Set{}, tooMany(len(scopes), maxScopes)
	}
	var errs []error
	for _, scope := range scopes {
		if stored && scope == "*" {
			continue
		}
		if _, err := Parse(string(scope)); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return Set{}, errors.Join(errs...)
	}
	return sorted(slices.Clone(scopes)), nil
}

// sorted makes a set of checked scopes, in a slice that is from now on its own.
func sorted(scopes []Scope) Set {
	if len(scopes) == 0 {
		return Set{}
	}
	slices.Sort(scopes)
	scopes = slices.Compact(scopes)
	var heads []Scope
	for _, scope := range scopes {
		if scope.pattern() {
			heads = append(heads, scope[:len(scope)-1])
		}
	}
	slices.Sort(heads)
	return Set{scopes: scopes, heads: heads}
}

// Covers reports whether s grants the required scope, by itself, by a pattern or by Full Access.
//
// A required scope is never a pattern: for one with a '*', as for an empty or malformed one, the answer is false,
// whatever s holds. It costs a few binary searches and no allocation.
func (s Set) Covers(required Scope) bool {
	return !required.pattern() && flaw(string(required)) == "" && s.grants(required)
}

// Includes reports whether s grants everything that other grants, patterns taken as patterns: claims:* includes
// claims:read and claims:read:*, but claims:read and claims:write together do not include claims:*.
//
// Everything includes the empty set. Use it where a credential issues another, which must not be able to do more.
func (s Set) Includes(other Set) bool {
	for _, scope := range other.scopes {
		if !s.grants(scope) {
			return false
		}
	}
	return true
}

// grants is Covers for a scope or pattern known to be well formed.
func (s Set) grants(scope Scope) bool {
	return contains(s.scopes, scope) || s.grantsByPattern(scope)
}

// grantsByPattern looks up every head that scope begins with: for a:b:c these are "", "a:" and "a:b:". They are
// slices of scope; to look for "a:b:*" itself, that text would have to be allocated.
func (s Set) grantsByPattern(scope Scope) bool {
	if len(s.heads) == 0 {
		return false
	}
	for end := 0; ; {
		if contains(s.heads, scope[:end]) {
			return true
		}
		colon := strings.IndexByte(string(scope[end:]), ':')
		if colon < 0 {
			return false
		}
		end += colon + 1
	}
}

func contains(sorted []Scope, scope Scope) bool {
	if len(sorted) <= 8 {
		return slices.Contains(sorted, scope) // most texts differ in length already
	}
	_, found := slices.BinarySearch(sorted, scope)
	return found
}

// Scopes returns the scopes and patterns of s, sorted, in a slice that is the caller's; nil when s is empty.
func (s Set) Scopes() []Scope {
	return slices.Clone(s.scopes)
}

// Len is the number of scopes and patterns in s; Full Access counts as one.
func (s Set) Len() int {
	return len(s.scopes)
}

// Equal reports whether both sets list the same scopes. Sets that list different ones may still grant the same, as
// claims:* does with and without claims:read; [Set.Includes] both ways tells.
func (s Set) Equal(other Set) bool {
	return slices.Equal(s.scopes, other.scopes)
}

// IsZero reports whether s is empty and grants nothing. The option omitzero of encoding/json asks it.
func (s Set) IsZero() bool {
	return len(s.scopes) == 0
}

// String lists the scopes sorted and space-delimited, as in RFC 6749 §3.3; "" when s is empty.
func (s Set) String() string {
	return join(s.scopes)
}

// MarshalJSON writes the sorted scopes as an array of strings; an empty set is [].
func (s Set) MarshalJSON() ([]byte, error) {
	if s.IsZero() {
		return []byte("[]"), nil
	}
	return json.Marshal(s.scopes)
}

// UnmarshalJSON reads the stored form, an array of at most 256 strings; null is the empty set.
//
// In the stored form "*" is Full Access. Decode what comes from outside into a []Scope and pass it to [NewSet] or
// [Catalog.Grant], which refuse "*". Any other JSON type, a null or malformed scope in the array and more than 256
// elements are errors that wrap [ErrMalformed]. After an error s is empty.
func (s *Set) UnmarshalJSON(data []byte) error {
	*s = Set{}
	var scopes []Scope
	if err := json.Unmarshal(data, &scopes); err != nil {
		// The decoder's own text is left out: it repeats a number of any length.
		return fmt.Errorf("%w: want a JSON array of strings", ErrMalformed)
	}
	set, err := build(scopes, true)
	if err != nil {
		return err
	}
	*s = set
	return nil
}
