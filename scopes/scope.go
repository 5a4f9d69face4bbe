package scopes

import (
	"errors"
	"fmt"
	"strings"
)

const (
	maxBytes    = 128
	maxSegments = 8
)

var (
	// ErrMalformed is wrapped by every error about a value that is wrong by itself: the text of a scope, the number
	// of scopes, the JSON of a set, a definition.
	ErrMalformed = errors.New("scopes: malformed")

	// ErrUnknown is wrapped by every error about a well-formed name that the [Catalog] does not define.
	ErrUnknown = errors.New("scopes: unknown scope")
)

// Scope is one right, as resource:action.
//
// It is 2 to 8 segments of [a-z0-9][a-z0-9._-]* joined by ':', at most 128 bytes: "claims:read", "claims:read:own".
// A granted scope may be a pattern whose last segment is "*": "claims:*" covers every scope that begins with
// "claims:", however many segments follow. The characters are a subset of RFC 6749 §3.3, so no scope needs quoting
// in a header or in JSON.
//
// The zero value is no scope and is refused everywhere. A conversion, Scope("…"), checks nothing; every function
// here that builds something out of scopes does.
type Scope string

// Parse reads a scope or a pattern.
//
// Nothing is trimmed or folded to lower case. A '*' is allowed as the whole last segment only: "claims:re*",
// "claims:*:x", "*:read" and "**" are refused, and so is "*", which only [FullAccess] and a bundle grant. Errors wrap
// [ErrMalformed] and quote at most the first 64 bytes.
func Parse(text string) (Scope, error) {
	if why := flaw(text); why != "" {
		return "", malformed(text, why)
	}
	return Scope(text), nil
}

// pattern reports whether s, which is well formed or "*", covers more than itself.
func (s Scope) pattern() bool {
	return strings.HasSuffix(string(s), "*")
}

// flaw says what keeps text from being a scope or a pattern; "" is nothing. It returns constants because Covers
// calls it on every request and must not allocate.
func flaw(text string) string {
	segments, why := shape(text)
	switch {
	case why != "":
		return why
	case segments < 2:
		return "one segment, want resource:action"
	case segments > maxSegments:
		return "more than 8 segments"
	}
	return ""
}

// shape counts the segments of text, the last of which may be "*", and says what is wrong with them.
func shape(text string) (segments int, why string) {
	switch {
	case text == "":
		return 0, "empty"
	case len(text) > maxBytes:
		return 0, "longer than 128 bytes"
	case text == "*":
		return 0, "to grant every scope use FullAccess"
	}
	head, pattern := strings.CutSuffix(text, ":*")
	segments = 1
	begins := true
	for i := range len(head) {
		c := head[i]
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
			begins = false
		case c == '*':
			return 0, "'*' is allowed as the whole last segment only"
		case begins:
			return 0, "a segment begins with a-z or 0-9"
		case c == ':':
			segments++
			begins = true
		case c != '.' && c != '_' && c != '-':
			return 0, "a segment holds a-z, 0-9, '.', '_' and '-' only"
		}
	}
	if begins {
		return 0, "a segment is empty"
	}
	if pattern {
		segments++
	}
	return segments, ""
}

func malformed(text, why string) error {
	return fmt.Errorf("%w: %s: %s", ErrMalformed, quote(text), why)
}

func tooMany(n, limit int) error {
	return fmt.Errorf("%w: %d scopes, at most %d", ErrMalformed, n, limit)
}

// quote cuts what may be a megabyte of somebody's input. It escapes all but ASCII, so that a Cyrillic 'с' in a
// mistyped scope shows.
func quote(text string) string {
	const limit = 64
	if len(text) > limit {
		return fmt.Sprintf("%+q...", text[:limit])
	}
	return fmt.Sprintf("%+q", text)
}

// join makes the space-delimited list of RFC 6749 §3.3.
func join(scopes []Scope) string {
	var b strings.Builder
	for i, scope := range scopes {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(string(scope))
	}
	return b.String()
}
