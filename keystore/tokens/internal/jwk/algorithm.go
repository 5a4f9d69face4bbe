package jwk

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"slices"

	golang "github.com/golang-jwt/jwt/v5"
)

// Algorithm is a signature algorithm by its registered name (RFC 7518 §3.1).
type Algorithm string

// The algorithms. Our own tokens are signed with the first three; the others
// verify those of other issuers.
const (
	HS256 Algorithm = "HS256"
	EdDSA Algorithm = "EdDSA" // over Ed25519 alone
	RS256 Algorithm = "RS256"

	RS384 Algorithm = "RS384"
	RS512 Algorithm = "RS512"
	PS256 Algorithm = "PS256"
	PS384 Algorithm = "PS384"
	PS512 Algorithm = "PS512"
	ES256 Algorithm = "ES256"
	ES384 Algorithm = "ES384"
	ES512 Algorithm = "ES512"
)

func (a Algorithm) known() bool { return a == HS256 || a.check() != nil }

// check is golang-jwt's, of an algorithm with public keys.
func (a Algorithm) check() func(signed string, signature []byte, public any) error {
	switch a {
	case EdDSA:
		return golang.SigningMethodEdDSA.Verify
	case RS256:
		return golang.SigningMethodRS256.Verify
	case RS384:
		return golang.SigningMethodRS384.Verify
	case RS512:
		return golang.SigningMethodRS512.Verify
	case PS256:
		return strict(golang.SigningMethodPS256).Verify
	case PS384:
		return strict(golang.SigningMethodPS384).Verify
	case PS512:
		return strict(golang.SigningMethodPS512).Verify
	case ES256:
		return golang.SigningMethodES256.Verify
	case ES384:
		return golang.SigningMethodES384.Verify
	case ES512:
		return golang.SigningMethodES512.Verify
	default:
		return nil
	}
}

// strict wants a salt as long as the hash (RFC 7518 §3.5). golang-jwt itself takes
// one of any length.
func strict(m *golang.SigningMethodRSAPSS) *golang.SigningMethodRSAPSS {
	return &golang.SigningMethodRSAPSS{
		SigningMethodRSA: m.SigningMethodRSA,
		Options:          &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash},
	}
}

// algorithmsOf are the algorithms that a public key can be used with, the usual
// one first.
func algorithmsOf(public any) []Algorithm {
	switch key := public.(type) {
	case ed25519.PublicKey:
		return []Algorithm{EdDSA}
	case *rsa.PublicKey:
		return []Algorithm{RS256, RS384, RS512, PS256, PS384, PS512}
	case *ecdsa.PublicKey:
		curves := []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()}
		if i := slices.Index(curves, key.Curve); i >= 0 {
			return []Algorithm{ES256, ES384, ES512}[i : i+1]
		}
	}
	return nil
}
