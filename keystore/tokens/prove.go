package tokens

import (
	"context"
	"errors"
	"strings"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/keystore/tokens/internal/jwk"
	"github.com/claviger-go/claviger/keystore/tokens/internal/jwt"
)

// prove finds out whether we made the text. It asks no store.
func (t *Tokens) prove(ctx context.Context, text string) (*proof, error) {
	if t.isOpaque(text) {
		return t.proveOpaque(ctx, text)
	}
	return t.proveJWT(ctx, text)
}

func (t *Tokens) proveOpaque(ctx context.Context, text string) (*proof, error) {
	o, err := parseOpaque(text)
	if err != nil {
		return nil, keystore.ErrUnrecognized
	}
	secret, here := t.secrets.secret(o.secret)
	switch {
	case !here:
		return nil, t.stranger(ctx, o.secret, o.session, o.expires)
	case !secret.opaque.matches(text[:len(text)-macDigits], text[len(text)-macDigits:]):
		return nil, &keystore.RefusedError{Outcome: keystore.OutcomeWrongSecret}
	}
	return &proof{session: strings.Clone(o.session), n: o.n, expires: o.expires, tag: strings.Clone(o.tag)}, nil
}

func (t *Tokens) proveJWT(ctx context.Context, text string) (*proof, error) {
	token, err := jwt.Parse(text, maxTextBytes)
	if err != nil {
		return nil, keystore.ErrUnrecognized
	}
	claims, err := token.Verify(t.secrets.jwts, jwt.Expect{
		Types: []string{t.config.Type}, Issuer: t.config.Issuer, Now: t.keys.Now(), AnyAudience: true, AllowFutureIssue: true,
	})
	if err != nil {
		return nil, t.refuseJWT(ctx, &token, err)
	}
	n, tag, err := parseJTI(claims.ID)
	if err != nil || !strings.HasPrefix(claims.Session, sessionPrefix) {
		return nil, &keystore.RefusedError{Outcome: keystore.OutcomeWrongSecret}
	}
	// Parts of the claims, which are decoded: nothing of the signature stays with them.
	return &proof{session: claims.Session, n: n, expires: claims.Expires.Unix(), tag: tag}, nil
}

// refuseJWT tells tokens of ours that are no good from those of others, which somebody
// else may know.
func (t *Tokens) refuseJWT(ctx context.Context, token *jwt.Token, why error) error {
	issuer, err := token.UnprovenIssuer()
	outcome := keystore.OutcomeWrongSecret
	switch {
	case err != nil || issuer != t.config.Issuer:
		return keystore.ErrUnrecognized
	case errors.Is(why, jwk.ErrUnknownKey):
		session, expires, _ := token.UnprovenSession()
		return t.stranger(ctx, token.Header.KeyID, session, expires.Unix())
	case errors.Is(why, jwt.ErrExpired):
		outcome = keystore.OutcomeExpired
	}
	return &keystore.RefusedError{Outcome: outcome}
}
