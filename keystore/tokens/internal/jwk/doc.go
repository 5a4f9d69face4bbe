// Package jwk keeps the keys that JSON Web Tokens are signed with: secrets and
// public keys that verify, signers that sign, and documents of them (RFC 7517).
//
// A key verifies one algorithm, fixed when the key is made and never by a token. A
// [Set] holds secrets or public keys, never both, since the two are what algorithm
// confusion confuses. Weak keys are refused when they are loaded.
//
// A [Signer] makes HS256, EdDSA or RS256, whose signatures repeat: any process
// makes the same token from the same claims. Keys of other issuers are read by
// [ParseSet] from what they publish, and verify RS, PS and ES algorithms too.
//
// The signatures of public keys are checked by golang-jwt.
package jwk
