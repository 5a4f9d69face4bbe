// Package jwt is the strict gate in front of golang-jwt: it reads, proves and makes
// signed JSON Web Tokens (RFC 7519) in compact form (RFC 7515).
//
//	token, err := jwt.Parse(text, 0)            // its form; nothing is proven
//	claims, err := token.Verify(keys, jwt.Expect{
//		Types: []string{"at+jwt"}, Issuer: "https://auth.example", Audiences: []string{"claims"}, Now: now,
//	})
//
// # What passes
//
// One spelling: three segments of canonical base64url, so that no byte can be
// changed, added or left out. One reading: JSON that every parser reads alike,
// names in their exact case. One algorithm, which is the key's and not the token's
// to choose (package jwk). One context: type, issuer and audience are compared, and
// what is not expected has to be absent.
//
// Members of the header that point at a key (jwk, jku, x5u, x5c, x5t) are
// overlooked, whatever they say; those that change the meaning of the rest (crit,
// b64, cty, enc, zip) are refused.
//
// A token still is not known by its text: an ECDSA signature has a twin that is as
// good. Who remembers tokens does so by iss and jti.
//
// # What is told
//
// An error wraps [ErrMalformed], one of jwk's ErrAlgorithm, ErrUnknownKey and
// ErrSignature, or one of this package's errors about genuine tokens, which come
// after the signature was found good. No error has a part of the token in it, and
// no claim leaves a token that fails.
package jwt
