package jwt

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/claviger-go/claviger/keystore/tokens/internal/jwk"
	"github.com/claviger-go/claviger/keystore/tokens/internal/strictjson"
)

// Sign makes a token. The same signer, header and claims make the same bytes.
//
// The header has alg, typ and kid in this order: alg is the signer's, whatever h
// says; typ and kid are left out if they are empty, so {"alg":"HS256","typ":"JWT"}
// can be all of it. Claims stand in the order of the fields of [Claims], an
// audience of one as a string, times in seconds.
//
// What [Token.Verify] would not read back as it is given is an error: no exp, a
// fraction of a second, more than [DefaultMaxBytes], a name among the others that
// is one of ours in any case, or that stands there twice.
func Sign(signer *jwk.Signer, h Header, c Claims) (string, error) {
	text, err := sign(signer, h, c)
	if err != nil {
		return "", fmt.Errorf("jwt: signing: %w", err)
	}
	return text, nil
}

func sign(signer *jwk.Signer, h Header, c Claims) (string, error) {
	if h.KeyID != "" && h.KeyID != signer.ID() {
		return "", errors.New("the header names another key")
	}
	payload, err := buildClaims(&c)
	if err != nil {
		return "", err
	}
	var header strictjson.Builder
	header.Text("alg", string(signer.Algorithm()))
	header.Text("typ", h.Type)
	header.Text("kid", h.KeyID)
	signed := encode([]byte(header.String())) + "." + encode([]byte(payload))
	signature, err := signer.Sign(signed)
	if err != nil {
		return "", err
	}
	text := signed + "." + encode(signature)
	if _, err := Parse(text, 0); err != nil {
		return "", err
	}
	if _, err := parseClaims(payload); err != nil {
		return "", err
	}
	return text, nil
}

func buildClaims(c *Claims) (string, error) {
	var b strictjson.Builder
	b.Text("iss", c.Issuer)
	b.Text("sub", c.Subject)
	if len(c.Audience) == 1 && c.Audience[0] != "" { // an empty one is written too, and refused when it is read back
		b.Text("aud", c.Audience[0])
	} else {
		b.Texts("aud", c.Audience)
	}
	b.Text("client_id", c.ClientID)
	for _, scope := range c.Scopes {
		if scope == "" || strings.Contains(scope, " ") {
			return "", errors.New("a scope that is empty or has a space")
		}
	}
	b.Text("scope", strings.Join(c.Scopes, " "))
	b.Text("sid", c.Session)
	for _, t := range []struct {
		name string
		at   time.Time
	}{{"iat", c.Issued}, {"nbf", c.NotBefore}, {"exp", c.Expires}} {
		if t.at.Nanosecond() != 0 {
			return "", fmt.Errorf("a fraction of a second in %s", t.name)
		}
		if !t.at.IsZero() {
			b.Value(t.name, strconv.FormatInt(t.at.Unix(), 10))
		}
	}
	b.Text("jti", c.ID)
	for _, other := range c.Others {
		if isName(other.Name, claimNames) {
			return "", fmt.Errorf("the claim %q is not for an app to set", other.Name)
		}
		if !strictjson.Valid(string(other.Value)) {
			return "", fmt.Errorf("the value of the claim %q is not strict JSON", other.Name)
		}
		b.Value(other.Name, string(other.Value))
	}
	return b.String(), nil
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
