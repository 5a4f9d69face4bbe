package middleware

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/claviger-go/claviger/keystore"
)

// Config adjusts an [Auth]. The zero value is safe: keys in Authorization or
// X-API-Key, over HTTPS or from this machine, live ones only.
type Config struct {
	_ struct{}

	// Sources are where a credential may stand; anything else is ignored. A
	// request that shows one in two of them is refused. Defaults to Bearer() and
	// Header("X-API-Key").
	Sources []Source
	// Verifiers are asked, in turn, about credentials that the Keys do not
	// recognize: tokens, foreign issuers. Each sees visible ASCII only. Defaults
	// to none.
	Verifiers []keystore.Verifier

	// Envs are the environments whose credentials are accepted. Defaults to
	// keystore.EnvLive alone.
	Envs []keystore.Env
	// Audience is what this service is called in the limits of keys that are
	// bound to services; compared exactly. Defaults to "": such keys are refused.
	Audience string
	// Fresh reads the key from the store before every request that is admitted, so
	// that nothing taken from it counts even for MaxStaleness; what was given back
	// may take so long to be noticed. It costs a Lookup. Principals of Verifiers
	// that are not these Keys, or built on them, are as fresh as those make them.
	// Defaults to false.
	Fresh bool

	// TrustedProxies are the peers whose X-Forwarded-For, X-Forwarded-Proto and
	// Forwarded are believed. Defaults to none: those headers are ignored, and
	// a loopback peer that sends one is refused.
	TrustedProxies []Proxy

	// Realm stands in the challenge of a 401: visible ASCII and spaces, without
	// quotes and backslashes. Defaults to "api".
	Realm string
	// TellHolders lets who proved a secret read that it has expired or is
	// suspended. Others cannot tell. Defaults to false: one answer for all.
	TellHolders bool
	// MaxCredentialBytes bounds what is looked at. Defaults to 4096.
	MaxCredentialBytes int

	// OnDecision hears of every request that was decided, once for each guard it meets, before the handler
	// runs or the refusal is written: for logs, metrics and audit. It is called
	// in the request's goroutine. If it panics the request is answered with 503.
	// Defaults to nobody.
	OnDecision func(context.Context, Decision)

	// DangerouslyAcceptQueryKey accepts an API key, and nothing else, in the query
	// as well. It is then taken out of the URL, but logs before this middleware,
	// browsers' histories and proxies have seen it (OWASP ASVS 14.2.1 is not
	// met). Defaults to false.
	DangerouslyAcceptQueryKey bool
	// QueryParameter is its name, compared exactly. Defaults to "api_key".
	QueryParameter string

	// DangerouslyAllowHTTP takes every connection for safe. Whoever listens on
	// the way has the keys. Defaults to false.
	DangerouslyAllowHTTP bool
}

// compile copies the config, fills in defaults, and reports every mistake at once.
func (a *Auth) compile(c Config) error {
	var problems []error
	bad := func(field string, value any, want string) {
		problems = append(problems, &keystore.ConfigError{Field: "middleware: Config." + field, Value: value, Want: want})
	}
	if a.keys == nil {
		problems = append(problems, &keystore.ConfigError{Field: "middleware: keys", Value: "nil", Want: "the *keystore.Keys of the app"})
	}
	if c.Realm == "" {
		c.Realm = "api"
	}
	if c.MaxCredentialBytes == 0 {
		c.MaxCredentialBytes = 4096
	}
	if c.QueryParameter == "" {
		c.QueryParameter = "api_key"
	}
	a.sources = slices.Clone(c.Sources)
	if len(a.sources) == 0 {
		a.sources = []Source{Bearer(), Header("X-API-Key")}
	}
	a.envs = slices.Clone(c.Envs)
	if len(a.envs) == 0 {
		a.envs = []keystore.Env{keystore.EnvLive}
	}
	a.verifiers = slices.Clone(c.Verifiers)

	for i, s := range a.sources {
		switch {
		case !validToken(s.header):
			bad(fmt.Sprintf("Sources[%d]", i), fmt.Sprintf("%q", s.header), "Bearer(), or Header with the name of a header")
		case !s.bearer && s.header == "Authorization":
			bad(fmt.Sprintf("Sources[%d]", i), s.header, "Bearer() for this header")
		case slices.ContainsFunc(a.sources[:i], func(earlier Source) bool { return earlier.header == s.header }):
			bad(fmt.Sprintf("Sources[%d]", i), s.header, "each header once")
		}
	}
	for i, v := range a.verifiers {
		if isNil(v) {
			bad(fmt.Sprintf("Verifiers[%d]", i), "nil", "a Verifier")
		}
	}
	for i, env := range a.envs {
		if env != keystore.EnvLive && env != keystore.EnvTest {
			bad(fmt.Sprintf("Envs[%d]", i), fmt.Sprintf("%q", env), "EnvLive or EnvTest")
		}
	}
	for i := range c.TrustedProxies {
		compiled, ok := c.TrustedProxies[i].compile()
		if !ok {
			bad(fmt.Sprintf("TrustedProxies[%d].Network", i), fmt.Sprintf("%q", c.TrustedProxies[i].Network),
				fmt.Sprintf("a prefix without host bits such as 10.0.0.0/8, %q or %q", PrivateNetworks, UnixSocket))
		}
		a.proxies = append(a.proxies, compiled)
	}
	if strings.ContainsFunc(c.Realm, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
		bad("Realm", fmt.Sprintf("%q", c.Realm), "visible ASCII and spaces, without quotes and backslashes")
	}
	if c.MaxCredentialBytes < 128 || c.MaxCredentialBytes > 64<<10 {
		bad("MaxCredentialBytes", c.MaxCredentialBytes, "128 to 65536")
	}
	a.config = c
	return errors.Join(problems...)
}

// isNil also sees a nil pointer inside of an interface.
func isNil(v keystore.Verifier) bool {
	pointer := reflect.ValueOf(v)
	return v == nil || pointer.Kind() == reflect.Pointer && pointer.IsNil()
}
