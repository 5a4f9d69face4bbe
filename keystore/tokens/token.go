package tokens

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/keystore/tokens/internal/jwk"
	"github.com/claviger-go/claviger/keystore/tokens/internal/jwt"
	"github.com/claviger-go/claviger/scopes"
)

// maxTextBytes is how long a token may be: what middleware takes unless it is told
// otherwise.
const maxTextBytes = 4096

// token is that of the session's generation.
func (t *Tokens) token(r *keystore.Record) (Token, error) {
	text, err := t.text(r)
	if err != nil {
		return Token{}, err
	}
	expires := r.Generation.Expires
	return Token{
		Text: keystore.NewSecret(text), Session: r.ID, Scopes: r.Scopes,
		Expires: expires, ExpiresIn: max(expires.Sub(t.keys.Now()), 0).Truncate(time.Second),
	}, nil
}

// text derives the token of the session's generation: a function of the record and of
// secrets, and of nothing else.
func (t *Tokens) text(r *keystore.Record) (string, error) {
	g, m := &r.Generation, t.secrets.makers[r.Generation.Signer]
	if m == nil {
		return "", fmt.Errorf("%w: tokens: %s is derived from %q, which is not known here", keystore.ErrUnavailable, r.ID, g.Signer)
	}
	tag := m.secret.tag(generation(r.ID, g.Seed, g.N, g.Expires.Unix()))
	if t.config.Opaque {
		return opaque{t.config.Brand, r.Env, r.ID, g.N, g.Expires.Unix(), m.secret.name, tag}.format(m.secret.opaque), nil
	}
	header := jwt.Header{Type: t.config.Type, KeyID: m.jwt.ID()}
	if t.config.OmitKeyID {
		header.KeyID = ""
	}
	text, err := jwt.Sign(m.jwt, header, jwt.Claims{
		Issuer: t.config.Issuer, Subject: r.Owner, Audience: r.Limits.Audiences, ClientID: cmp.Or(r.Name, r.Parent),
		Scopes: texts(r.Scopes), Session: r.ID, Issued: g.Issued, Expires: g.Expires, ID: formatJTI(g.N, tag),
	})
	switch {
	case err != nil && m.jwt.Algorithm() != jwk.HS256: // the key may be elsewhere
		return "", fmt.Errorf("%w: %w", keystore.ErrUnavailable, err)
	case err != nil:
		return "", invalid("%w", err)
	case len(text) > maxTextBytes:
		return "", invalid("the JWT would have %d bytes: want at most %d; ask for fewer scopes, or set Config.Opaque", len(text), maxTextBytes)
	}
	return text, nil
}

func texts(set scopes.Set) (texts []string) {
	for _, scope := range set.Scopes() {
		texts = append(texts, string(scope))
	}
	return texts
}

// formatJTI names the generation of a session that a token is of, and proves it.
func formatJTI(n uint32, tag string) string { return strconv.FormatUint(uint64(n), 10) + "." + tag }

func parseJTI(jti string) (n uint32, tag string, err error) {
	number, tag, found := strings.Cut(jti, ".")
	parsed, err := strconv.ParseUint(number, 10, 32)
	if err != nil || !found {
		return 0, "", errors.New("another form of jti")
	}
	return uint32(parsed), tag, nil
}
