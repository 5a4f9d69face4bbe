package jwk

import (
	"errors"
	"fmt"
)

// What Verify answers but nil.
var (
	// ErrUnknownKey: the signature's key is none of the set. The token may be good
	// all the same, where the set is not up to date.
	ErrUnknownKey = errors.New("jwk: the token names a key that is not known here")
	// ErrAlgorithm: not the algorithm of the key; "none" is nobody's.
	ErrAlgorithm = errors.New("jwk: the token has another algorithm than the key")
	// ErrSignature: none of the keys made the signature.
	ErrSignature = errors.New("jwk: the signature is wrong")
)

// Bounds of a set. A token that names no key is tried with every secret.
const (
	maxSecrets    = 16
	maxPublicKeys = 100
)

// Set is the keys that tokens are verified by: secrets or public keys, never both.
// It does not change. A nil Set, and one without keys, verifies nothing.
type Set struct {
	keys        []*Key
	secret      bool // all keys are secrets; else none is
	byID        map[string]*Key
	byAlgorithm map[Algorithm][]*Key
}

// NewSet returns a set of at most 16 secrets or at most 100 public keys, no two of
// one name.
func NewSet(keys ...*Key) (*Set, error) {
	s := &Set{byID: map[string]*Key{}, byAlgorithm: map[Algorithm][]*Key{}}
	for i, key := range keys {
		switch {
		case key == nil:
			return nil, fmt.Errorf("jwk: key %d of the set is nil", i+1)
		case i > 0 && key.secret() != s.secret:
			return nil, errors.New("jwk: a set of secrets and public keys: keep them apart")
		case s.byID[key.id] != nil:
			return nil, fmt.Errorf("jwk: key %d of the set has the name of an earlier one", i+1)
		}
		s.secret = key.secret()
		s.keys = append(s.keys, key)
		s.byID[key.id] = key
		s.byAlgorithm[key.algorithm] = append(s.byAlgorithm[key.algorithm], key)
	}
	limit := maxPublicKeys
	if s.secret {
		limit = maxSecrets
	}
	if len(keys) > limit {
		return nil, fmt.Errorf("jwk: a set of %d keys: want at most %d", len(keys), limit)
	}
	return s, nil
}

// Verify reports whether signature is that of signed, by the key called id and by
// this algorithm. The error is one of ErrUnknownKey, ErrAlgorithm and ErrSignature.
//
// Without an id every secret is tried, but a public key only if it is the one of
// its algorithm (OpenID Connect Core §10.1 wants a name otherwise): no token costs
// more than one operation with a public key.
func (s *Set) Verify(algorithm Algorithm, id, signed string, signature []byte) error {
	switch {
	case s == nil || len(s.keys) == 0:
		return ErrUnknownKey
	case (algorithm == HS256) != s.secret || !algorithm.known():
		return ErrAlgorithm
	case id != "":
		return s.byID[id].check(algorithm, signed, signature)
	}
	keys := s.byAlgorithm[algorithm]
	switch {
	case len(keys) == 0:
		return ErrAlgorithm
	case len(keys) > 1 && !s.secret:
		return fmt.Errorf("%w: its key is not named, and several might be meant", ErrSignature)
	}
	for _, key := range keys {
		if key.verify(signed, signature) {
			return nil
		}
	}
	return ErrSignature
}
