package jwt_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore/tokens/internal/jwk"
	"github.com/claviger-go/claviger/keystore/tokens/internal/jwt"
)

var (
	secret = []byte("0123456789abcdef0123456789abcdef")
	edKey  = ed25519.NewKeyFromSeed(secret)
	rsaKey = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })

	mac    = must(jwk.NewSecret("2026", secret))
	macSet = must(jwk.NewSet(mac.Key))

	now    = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	header = jwt.Header{Type: "at+jwt", KeyID: "2026"}
	claims = jwt.Claims{
		Issuer: "https://auth.example", Subject: "acme", Audience: []string{"claims"}, ClientID: "portal",
		Scopes: []string{"claims:read", "orders:read"}, Session: "7Gk2mXw9QaTz", Issued: now, Expires: now.Add(time.Hour), ID: "jti-1",
	}
	expect = jwt.Expect{Types: []string{"at+jwt"}, Issuer: "https://auth.example", Audiences: []string{"claims"}, Now: now}
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func sign(t testing.TB, signer *jwk.Signer, h jwt.Header, c jwt.Claims) string {
	t.Helper()
	text, err := jwt.Sign(signer, h, c)
	require.NoError(t, err)
	return text
}

// craft signs whatever header and payload say.
func craft(signer *jwk.Signer, header, payload string) string {
	signed := encode(header) + "." + encode(payload)
	return signed + "." + encode(string(must(signer.Sign(signed))))
}

// verify is what a caller does.
func verify(text string, keys *jwk.Set, want jwt.Expect) (jwt.Claims, error) {
	token, err := jwt.Parse(text, 0)
	if err != nil {
		return jwt.Claims{}, err
	}
	return token.Verify(keys, want)
}

// Every refusal is for one reason.
var reasons = []error{
	jwt.ErrMalformed, jwk.ErrAlgorithm, jwk.ErrUnknownKey, jwk.ErrSignature,
	jwt.ErrType, jwt.ErrIssuer, jwt.ErrAudience, jwt.ErrExpired, jwt.ErrNotYetValid,
}

// requireRefused asks that a token is refused for one reason and no other, that
// nothing of it is told, and that no claim is returned.
func requireRefused(t testing.TB, text string, keys *jwk.Set, want jwt.Expect, reason error) {
	t.Helper()
	got, err := verify(text, keys, want)
	for _, one := range reasons {
		if one == reason {
			require.ErrorIs(t, err, one)
		} else {
			require.NotErrorIs(t, err, one)
		}
	}
	require.Zero(t, got)
	for segment := range strings.SplitSeq(text, ".") {
		if len(segment) > 3 && len(segment) < 1000 {
			require.NotContains(t, err.Error(), segment)
		}
	}
}

// signers are one for each algorithm that we sign with, and a set of its key.
func signers(t testing.TB) map[*jwk.Signer]*jwk.Set {
	t.Helper()
	all := map[*jwk.Signer]*jwk.Set{mac: macSet}
	for _, private := range []crypto.Signer{edKey, rsaKey()} {
		signer, err := jwk.NewSigner("2026", private)
		require.NoError(t, err)
		all[signer] = must(jwk.NewSet(signer.Key))
	}
	return all
}
