// Package tokens exchanges credentials for short-lived tokens.
//
//	issuer, err := tokens.New(keys, tokens.Config{Issuer: "https://api.example"})
//	token, err := issuer.Exchange(ctx, principal, tokens.Request{SessionID: "import-7"})
//	auth, err := middleware.New(keys, middleware.Config{Verifiers: []keystore.Verifier{issuer}})
//
// principal is whom [keystore.Keys.Verify] or VerifyClient proved and the app admitted.
// Somebody whom the app has authenticated itself, by a password for one, is
// keystore.NewPrincipal of a record that has an Owner, an Env and Scopes, but no ID.
//
// # One record, no token stored
//
// A login session is one record in the store. Its tokens are derived from that record
// and the ring, so that any process on the same store and ring hands out the same text
// while it is valid, and a stolen store yields none. Without a ring there are no tokens.
// Logins are the same session if owner, credential, its secret, client, scopes,
// audience and session id are all the same: no two principals ever share one.
//
// # What ends a token
//
// Its expiry; the end of its session ([Tokens.End]); whatever ends or suspends the
// credential that it was exchanged for, or rotates away the secret that was presented.
// Each request asks the session and the credential behind it, as read at most
// keystore.Config.MaxStaleness ago; a requirement, a network or an audience has to suit
// both. A service that checks JWTs by [Tokens.JWKS] alone sees nothing of that but the
// expiry, which is never later than the credential's own.
//
// A request that began while its token was good goes on: a long one may ask
// [keystore.Keys.Refresh] whether its principal still is. That knows the session, and
// not when this one of its tokens expires.
//
// # Which tokens
//
// JWTs signed with HS256 by default. With [Config.SigningKeys] others can check them
// too (EdDSA, or RS256). With [Config.Opaque] nobody can read them. A JWT is for
// everybody to read who holds it: owner, client, scopes and audience stand in it.
package tokens
