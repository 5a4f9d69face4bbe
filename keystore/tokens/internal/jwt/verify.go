package jwt

import (
	"slices"
	"time"

	"github.com/claviger-go/claviger/keystore/tokens/internal/jwk"
)

// Expect is what a genuine token has to be to count in one context. The zero value
// accepts none.
type Expect struct {
	// Types are the types that count, such as "at+jwt"; in any case, with or
	// without "application/". "" is a token that names none.
	Types []string
	// Issuer is the issuer, exactly; "" if the token must name none.
	Issuer string
	// Audiences are the names of who asks: the token has to be for one of them.
	// Empty if it must be for nobody in particular.
	Audiences []string
	// AnyAudience leaves the audience unasked: in tokens of our own, where the record
	// says whom they are for.
	AnyAudience bool
	// Now is the time. Zero is too late for any token.
	Now time.Time
	// Leeway is how far the issuer's clock may be off.
	Leeway time.Duration
	// AllowFutureIssue accepts an iat that lies ahead: in tokens of our own, where
	// the record, and not the maker's clock, says how long they live.
	AllowFutureIssue bool
}

// Verify proves the token by the keys and holds its claims against what is
// expected. It returns claims only without an error.
func (t *Token) Verify(keys *jwk.Set, want Expect) (Claims, error) {
	if err := keys.Verify(t.Header.Algorithm, t.Header.KeyID, t.signed, t.signature); err != nil {
		return Claims{}, err
	}
	claims, err := parseClaims(t.payload)
	if err == nil {
		err = want.check(t.Header.Type, &claims)
	}
	if err != nil {
		return Claims{}, err
	}
	return claims, nil
}

func (e *Expect) check(typ string, c *Claims) error {
	isExpected := func(want string) bool { return isType(typ, want) }
	isOurs := func(audience string) bool { return slices.Contains(e.Audiences, audience) }
	earliest, latest := e.Now.Add(-e.Leeway), e.Now.Add(e.Leeway)
	switch {
	case !slices.ContainsFunc(e.Types, isExpected):
		return ErrType
	case c.Issuer != e.Issuer:
		return ErrIssuer
	case !e.AnyAudience && len(c.Audience)+len(e.Audiences) > 0 && !slices.ContainsFunc(c.Audience, isOurs):
		return ErrAudience
	case e.Now.IsZero() || !earliest.Before(c.Expires):
		return ErrExpired
	case latest.Before(c.NotBefore) || latest.Before(c.Issued) && !e.AllowFutureIssue:
		return ErrNotYetValid
	}
	return nil
}
