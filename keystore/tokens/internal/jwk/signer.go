package jwk

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"slices"
	"sync"
)

// Signer is a key that signs too. The same text always has the same signature.
//
// It is closures around its secret: nothing that prints a Signer meets it.
type Signer struct {
	*Key

	sign func(signed string) ([]byte, error)
}

// Sign returns the signature of a text.
func (s *Signer) Sign(text string) ([]byte, error) { return s.sign(text) }

// NewSecret returns a signer for HS256. The secret has at least 32 bytes.
func NewSecret(id string, secret []byte) (*Signer, error) {
	if id == "" {
		return nil, errors.New("jwk: a secret without a name")
	}
	if len(secret) < minSecretBytes {
		return nil, fmt.Errorf("jwk: a secret of %d bytes: want at least %d", len(secret), minSecretBytes)
	}
	secret = slices.Clone(secret)
	// A MAC that is used again has its key worked in already, which is half of what
	// one costs. golang-jwt makes a new one for each token.
	macs := sync.Pool{New: func() any { return hmac.New(sha256.New, secret) }}
	mac := func(signed string) []byte {
		h := macs.Get().(hash.Hash) //nolint:forcetypeassert // see New
		h.Reset()
		h.Write([]byte(signed))
		sum := h.Sum(nil)
		macs.Put(h)
		return sum
	}
	return &Signer{
		&Key{id, HS256, nil, func(signed string, signature []byte) bool { return hmac.Equal(mac(signed), signature) }},
		func(signed string) ([]byte, error) { return mac(signed), nil },
	}, nil
}

// NewSigner returns a signer for EdDSA or RS256 by an Ed25519 or RSA key, which
// may be kept elsewhere. Other signatures do not repeat. An empty id stands for
// the key's thumbprint.
func NewSigner(id string, signer crypto.Signer) (*Signer, error) {
	if !present(signer) {
		return nil, errors.New("jwk: no private key")
	}
	key, err := NewPublic(id, "", signer.Public())
	if err != nil {
		return nil, err
	}
	if key.algorithm != EdDSA && key.algorithm != RS256 {
		return nil, fmt.Errorf("jwk: signatures of %s do not repeat: want an Ed25519 or RSA key", key.algorithm)
	}
	return &Signer{key, func(signed string) ([]byte, error) {
		message, options := []byte(signed), crypto.Hash(0)
		if key.algorithm == RS256 {
			sum := sha256.Sum256(message)
			message, options = sum[:], crypto.SHA256
		}
		signature, err := signer.Sign(rand.Reader, message, options)
		if err != nil {
			return nil, fmt.Errorf("jwk: signing: %w", err)
		}
		// A fault in the making of an RSA signature gives the key away.
		if !key.verify(signed, signature) {
			return nil, errors.New("jwk: the private key made a signature that its public key refuses")
		}
		return signature, nil
	}}, nil
}

// present is false for the private keys that would panic when asked.
func present(signer crypto.Signer) bool {
	switch key := signer.(type) {
	case nil:
		return false
	case ed25519.PrivateKey:
		return len(key) == ed25519.PrivateKeySize
	case *rsa.PrivateKey:
		return key != nil
	case *ecdsa.PrivateKey:
		return key != nil
	default:
		return true
	}
}
