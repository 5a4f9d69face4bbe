package tokens

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/keystore/tokens/internal/jwk"
)

// SigningKey is a key that signs JWTs, or verifies those that it signed before it was
// rotated. Its name is kid in JWTs and in the JWKS: at most 43 of [0-9A-Za-z._-], and the
// key's thumbprint (RFC 7638) if none is given. Nothing that prints it meets a secret.
type SigningKey struct {
	key    *jwk.Key
	signer *jwk.Signer // nil: verifies only
}

// NewSigningKey returns a key that signs by EdDSA (Ed25519) or RS256 (RSA, 2048 to 8192
// bits), in this process or in an HSM: the same text has to have the same signature.
func NewSigningKey(id string, private crypto.Signer) (SigningKey, error) {
	signer, err := jwk.NewSigner(id, private)
	if err != nil {
		return SigningKey{}, err
	}
	return newSigningKey(signer.Key, signer)
}

// NewVerifyingKey returns the public half of a key that signs no more.
func NewVerifyingKey(id string, public crypto.PublicKey) (SigningKey, error) {
	key, err := jwk.NewPublic(id, "", public)
	if err != nil {
		return SigningKey{}, err
	}
	return newSigningKey(key, nil)
}

func newSigningKey(key *jwk.Key, signer *jwk.Signer) (SigningKey, error) {
	switch {
	case key.Algorithm() != jwk.EdDSA && key.Algorithm() != jwk.RS256:
		return SigningKey{}, fmt.Errorf("tokens: the algorithm of the key is %s: want an Ed25519 or RSA key", key.Algorithm())
	case len(key.ID()) > 43 || strings.Trim(key.ID(), "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz._-") != "":
		return SigningKey{}, fmt.Errorf("tokens: the signing key is called %.64q: want at most 43 of [0-9A-Za-z._-]", key.ID())
	}
	return SigningKey{key, signer}, nil
}

// ParseSigningKey reads the PEM of a key file: PKCS #8 ("PRIVATE KEY"), PKCS #1 ("RSA
// PRIVATE KEY"), or the public half alone ("PUBLIC KEY"), as openssl genpkey and openssl
// pkey -pubout write them. Errors quote nothing of it.
func ParseSigningKey(id string, text []byte) (SigningKey, error) {
	block, rest := pem.Decode(text)
	if block == nil {
		return SigningKey{}, errors.New("tokens: the signing key is not PEM")
	}
	if next, _ := pem.Decode(rest); next != nil {
		return SigningKey{}, errors.New("tokens: the PEM of the signing key holds more than one")
	}
	var key any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	}
	if private, ok := key.(crypto.Signer); ok && err == nil {
		return NewSigningKey(id, private)
	}
	if key == nil || err != nil {
		return SigningKey{}, errors.New(`tokens: the signing key is no "PRIVATE KEY", "RSA PRIVATE KEY" or "PUBLIC KEY" that can be read`)
	}
	return NewVerifyingKey(id, key)
}

// loadSigningKeys returns all keys, those that sign, and what is wrong with any.
func loadSigningKeys(keys []SigningKey) (all []*jwk.Key, signers []*jwk.Signer, problems []error) {
	for i, key := range keys {
		want := ""
		switch {
		case key.key == nil:
			want = "a key of NewSigningKey, NewVerifyingKey or ParseSigningKey"
		case i == 0 && key.signer == nil:
			want = "a private key, since the first one signs"
		}
		if want != "" {
			problems = append(problems, &keystore.ConfigError{Field: fmt.Sprintf("tokens: Config.SigningKeys[%d]", i), Value: "none", Want: want})
			continue
		}
		all = append(all, key.key)
		if key.signer != nil {
			signers = append(signers, key.signer)
		}
	}
	return all, signers, problems
}
