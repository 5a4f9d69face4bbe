package middleware

import (
	"net/http"
	"net/textproto"
	"net/url"
	"strings"

	"github.com/claviger-go/claviger/keystore"
)

// Source is a place in a request where a credential may stand. Make one with
// [Bearer] or [Header]; New refuses the zero value.
type Source struct {
	header string // canonical
	bearer bool
}

// Bearer is "Authorization: Bearer <credential>" (RFC 6750 §2.1). The scheme's
// case does not matter. Other schemes of Authorization are no credential.
func Bearer() Source { return Source{header: "Authorization", bearer: true} }

// Header is a header that holds the bare credential, such as X-API-Key.
func Header(name string) Source { return Source{header: textproto.CanonicalMIMEHeaderKey(name)} }

// presented is what a request shows: one credential, or an outcome that says why
// there is none.
type presented struct {
	text    string
	source  string // the name of the header, or "query"
	outcome keystore.Outcome
}

const querySource = "query"

// presented finds the credential among the configured sources. Everything else in
// the request is none, whatever it is called.
func (a *Auth) presented(r *http.Request) (p presented) {
	found := 0
	for i := range a.sources {
		s := &a.sources[i]
		values := r.Header[s.header]
		if len(values) == 0 {
			continue
		}
		if text, ok := s.credential(values[0]); ok {
			p.text, p.source = text, s.header
			found++
		}
		if len(values) > 1 {
			found = len(values) // also if one of them is empty
		}
	}
	if a.config.DangerouslyAcceptQueryKey {
		if keys := a.queryKeys(r); len(keys) > 0 {
			p.text, p.source = keys[0], querySource
			found += len(keys)
		}
	}
	switch {
	case found == 0:
		p.outcome = keystore.OutcomeMissing
	case found > 1:
		p = presented{outcome: keystore.OutcomeAmbiguous}
	case p.text == "" || len(p.text) > a.config.MaxCredentialBytes:
		p.outcome = keystore.OutcomeMalformed
	}
	return p
}

// credential takes the credential out of a header's value; false if the value
// holds none of this source's.
func (s *Source) credential(value string) (string, bool) {
	if !s.bearer {
		return value, value != ""
	}
	const scheme = "Bearer"
	if len(value) < len(scheme) || value[:len(scheme)] != scheme && !strings.EqualFold(value[:len(scheme)], scheme) {
		return "", false
	}
	rest := value[len(scheme):]
	if rest != "" && rest[0] != ' ' && validToken(rest[:1]) {
		return "", false // a scheme that begins alike
	}
	return strings.TrimLeft(rest, " "), true // 1*SP: what else is white makes it malformed
}

// takenKey is where a context has the key that was taken out of the URL: a guard
// further in has to find it too.
type takenKey struct{}

// queryKeys takes the keys out of the query.
func (a *Auth) queryKeys(r *http.Request) (keys []string) {
	if r.URL.RawQuery != "" {
		var rest string
		if keys, rest = cutQuery(r.URL.RawQuery, a.config.QueryParameter); len(keys) > 0 {
			stripQuery(r, rest, a.config.QueryParameter)
		}
	}
	if taken, ok := r.Context().Value(takenKey{}).(keystore.Secret); ok {
		keys = append(keys, taken.Reveal())
	}
	return keys
}

// cutQuery takes every value of the parameter out of a query, and returns them
// with what is left. A semicolon separates nothing.
func cutQuery(query, parameter string) (values []string, rest string) {
	var kept strings.Builder
	kept.Grow(len(query) + 1)
	for pair := range strings.SplitSeq(query, "&") {
		if name, value, _ := strings.Cut(pair, "="); unescape(name) == parameter {
			values = append(values, unescape(value))
			continue
		}
		kept.WriteByte('&')
		kept.WriteString(pair)
	}
	return values, strings.TrimPrefix(kept.String(), "&")
}

// unescape decodes once. What cannot be decoded is no key, and stays as it is.
func unescape(s string) string {
	if decoded, err := url.QueryUnescape(s); err == nil {
		return decoded
	}
	return s
}

// stripQuery takes the credential out of the request itself, not out of a copy: a
// logger that wraps this middleware looks at the same request when it is done.
func stripQuery(r *http.Request, rest, parameter string) {
	r.URL.RawQuery = rest
	if path, _, found := strings.Cut(r.RequestURI, "?"); found {
		r.RequestURI = path
		if rest != "" {
			r.RequestURI += "?" + rest
		}
	}
	r.Form.Del(parameter)
}

// visible reports whether text is made of visible ASCII alone: what no verifier
// of an app need be shown otherwise.
func visible(text string) bool {
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// validToken is RFC 9110 §5.6.2.
func validToken(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(c rune) bool {
		return c <= ' ' || c > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
	})
}
