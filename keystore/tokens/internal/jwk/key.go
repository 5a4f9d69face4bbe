package jwk

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
	"slices"
)

// Bounds of keys.
const (
	minSecretBytes = 32   // as long as the hash (RFC 7518 §3.2)
	minRSABits     = 2048 // RFC 7518 §3.3
	maxRSABits     = 8192 // what a check costs grows with the square
	minExponent    = 1<<16 + 1
	maxExponent    = 1<<31 - 1 // as crypto/rsa has it
)

// Key verifies one algorithm.
type Key struct {
	id        string
	algorithm Algorithm
	public    crypto.PublicKey // nil for a secret
	verify    func(signed string, signature []byte) bool
}

// ID is the key's name, which a token's kid repeats.
func (k *Key) ID() string { return k.id }

// Algorithm is the one that the key verifies.
func (k *Key) Algorithm() Algorithm { return k.algorithm }

func (k *Key) secret() bool { return k.public == nil }

func (k *Key) check(algorithm Algorithm, signed string, signature []byte) error {
	switch {
	case k == nil:
		return ErrUnknownKey
	case k.algorithm != algorithm:
		return ErrAlgorithm
	case !k.verify(signed, signature):
		return ErrSignature
	}
	return nil
}

// NewPublic returns a key for an ed25519.PublicKey, *rsa.PublicKey or
// *ecdsa.PublicKey, which it copies. An empty algorithm stands for EdDSA, RS256 or
// the curve's; an empty id for the key's thumbprint (RFC 7638).
//
// RSA keys have 2048 to 8192 bits and a public exponent over 65536; curves are
// Ed25519, P-256, P-384 and P-521.
func NewPublic(id string, algorithm Algorithm, public crypto.PublicKey) (*Key, error) {
	key, err := newPublic(id, algorithm, public)
	if err != nil {
		return nil, fmt.Errorf("jwk: %w", err)
	}
	return key, nil
}

func newPublic(id string, algorithm Algorithm, public crypto.PublicKey) (*Key, error) {
	public, err := checkPublic(public)
	if err != nil {
		return nil, err
	}
	fitting := algorithmsOf(public)
	if algorithm == "" {
		algorithm = fitting[0]
	}
	if !slices.Contains(fitting, algorithm) {
		return nil, fmt.Errorf("the algorithm %q does not fit the key: want one of %v", algorithm, fitting)
	}
	if id == "" {
		id = thumbprint(public)
	}
	check := algorithm.check()
	return &Key{id, algorithm, public, func(signed string, signature []byte) bool {
		return check(signed, signature, public) == nil
	}}, nil
}

// checkPublic returns a copy of a public key that is sound and strong.
func checkPublic(public crypto.PublicKey) (crypto.PublicKey, error) {
	switch key := public.(type) {
	case ed25519.PublicKey:
		if len(key) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("an Ed25519 key of %d bytes: want %d", len(key), ed25519.PublicKeySize)
		}
		return slices.Clone(key), nil
	case *rsa.PublicKey:
		switch {
		case key == nil || key.N == nil || key.N.Sign() <= 0 || key.N.Bit(0) == 0:
			return nil, errors.New("an RSA key without an odd modulus")
		case key.N.BitLen() < minRSABits || key.N.BitLen() > maxRSABits:
			return nil, fmt.Errorf("an RSA key of %d bits: want %d to %d", key.N.BitLen(), minRSABits, maxRSABits)
		case key.E < minExponent || key.E > maxExponent || key.E%2 == 0:
			return nil, fmt.Errorf("an RSA key with the public exponent %d: want 65537", key.E)
		}
		return &rsa.PublicKey{N: new(big.Int).Set(key.N), E: key.E}, nil
	case *ecdsa.PublicKey:
		if key == nil || algorithmsOf(key) == nil {
			return nil, errors.New("an ECDSA key on another curve: want P-256, P-384 or P-521")
		}
		if key.X == nil || key.Y == nil { //nolint:staticcheck // SA1019: Bytes panics without them
			return nil, errors.New("an ECDSA key without a point")
		}
		point, err := key.Bytes()
		if err != nil {
			return nil, errors.New("an ECDSA key that is no point of its curve")
		}
		return ecdsa.ParseUncompressedPublicKey(key.Curve, point)
	default:
		return nil, fmt.Errorf("a public key of type %T: want ed25519.PublicKey, *rsa.PublicKey or *ecdsa.PublicKey", public)
	}
}
