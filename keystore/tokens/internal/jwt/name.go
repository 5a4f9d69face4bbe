package jwt

import (
	"slices"
	"strings"
)

// isName reports whether a name is one of names, in any case and in the widest
// sense that parsers have of it: ſ is an s, and K (Kelvin) a k.
func isName(name string, names []string) bool {
	return slices.Contains(names, strings.ToLower(strings.ToUpper(name)))
}

// isCaseVariant is isName for a name that is none of them exactly. Whoever else
// reads the token might take it for one.
func isCaseVariant(name string, names []string) bool {
	for i := range len(name) {
		if c := name[i]; 'A' <= c && c <= 'Z' || c > '~' {
			return isName(name, names)
		}
	}
	return false
}
