package jwk

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"math/big"

	"github.com/claviger-go/claviger/keystore/tokens/internal/strictjson"
)

// build writes what makes up a public key: the members that its JWK must have, in
// lexicographic order (RFC 7638 §3.2).
func build(public crypto.PublicKey) *strictjson.Builder {
	b := &strictjson.Builder{}
	switch key := public.(type) {
	case ed25519.PublicKey:
		b.Text("crv", "Ed25519")
		b.Text("kty", "OKP")
		b.Text("x", encode(key))
	case *rsa.PublicKey:
		b.Text("e", encode(big.NewInt(int64(key.E)).Bytes()))
		b.Text("kty", "RSA")
		b.Text("n", encode(key.N.Bytes()))
	case *ecdsa.PublicKey:
		point, _ := key.Bytes() // checkPublic has seen that it is one
		x, y := point[1:1+len(point)/2], point[1+len(point)/2:]
		b.Text("crv", key.Params().Name)
		b.Text("kty", "EC")
		b.Text("x", encode(x))
		b.Text("y", encode(y))
	}
	return b
}

// thumbprint is RFC 7638's, with SHA-256.
func thumbprint(public crypto.PublicKey) string {
	sum := sha256.Sum256([]byte(build(public).String()))
	return encode(sum[:])
}

// MarshalJSON writes the key for others to verify by. A secret is an error.
func (k *Key) MarshalJSON() ([]byte, error) {
	if k.secret() {
		return nil, errors.New("jwk: a secret is not for publishing")
	}
	b := build(k.public)
	b.Text("kid", k.id)
	b.Text("use", "sig")
	b.Text("alg", string(k.algorithm))
	return []byte(b.String()), nil
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
