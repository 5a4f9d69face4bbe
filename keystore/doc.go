// Package keystore issues, stores, verifies and revokes API keys.
//
// An app holds one [Keys], opened on a [KeyStore]:
//
//	keys, err := keystore.New(memstore.New(), keystore.Config{})
//	issued, err := keys.Issue(ctx, keystore.Spec{Owner: "acme", Scopes: []scopes.Scope{"claims:read"}})
//	fmt.Println(issued.Credential.Reveal()) // once; nobody can show it again
//
// and guards its routes with package middleware, which calls [Keys.Verify] and
// [Keys.Admit].
//
// # Which store
//
// adapters/memstore for tests and for services whose keys may go with the
// process; another adapter where they have to stay, or where several processes
// share them. To write one, read [KeyStore]: verification needs a single method.
// For a table that exists already, a read-only adapter is ten lines.
//
// # Which setting
//
// The zero [Config] is safe. Set Ring to make a stolen store useless even to
// somebody who can guess; TagSecret where a flood of well-formed junk would hurt
// the store; Catalog to have typing errors in scopes found at start;
// AcceptForeign only while imported keys are in use; Misuse to have keys suspended
// that are shared, sent by browsers or sent in clear. Throttle is on; it needs to know
// where clients are, so name the proxies in front (package middleware). MaxStaleness is the one
// promise about time: a revocation made elsewhere is obeyed within it, always.
//
// # What happens to a credential
//
//   - Proof: does the text belong to a record? Remembered by its SHA-256.
//   - Life: is the record, and each parent, neither revoked, suspended, expired
//     nor early? Asked on every request of a record at most MaxStaleness old.
//   - Admission: does this request fit the record's limits, env and scopes, and is
//     it within its rate? Asked on every request; never remembered.
//
// A definite no is a [*RefusedError]; everything else that goes wrong wraps
// [ErrUnavailable] and is never taken for a no or a yes.
package keystore
