package jwt

import "github.com/claviger-go/claviger/keystore/tokens/internal/jwk"

// Prove returns what was signed, before any claim of it is read.
func Prove(text string, keys *jwk.Set) (payload string, err error) {
	token, err := Parse(text, 0)
	if err != nil {
		return "", err
	}
	if err := keys.Verify(token.Header.Algorithm, token.Header.KeyID, token.signed, token.signature); err != nil {
		return "", err
	}
	return token.payload, nil
}
