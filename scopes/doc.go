// Package scopes says what a credential may do and what a route asks for: values only, no I/O.
//
// # Which type is for what
//
//   - [Scope] is one right, "resource:action": claims:read, claims:read:own. A granted one may end in ":*".
//   - [Set] is what a credential was granted. It is stored with the credential, as a JSON array of strings.
//   - [Requirement] is what a route asks for: [AllOf], [AnyOf], [Authenticated] or [Optional].
//   - [Catalog] is the list of the scopes an app has, with titles, bundles and implications. It is optional, and
//     worth having as soon as people choose scopes in a form or a scope can be mistyped in a route.
//
// The decision is [Requirement.MetBy], one call without allocation. [Set.Covers] answers for a single scope inside a
// handler. [Set.Includes] answers whether one set may hand out another: a key must not issue a key that can do more.
//
// # Which constructor is for what
//
// Text from people and requests goes through [Parse], [NewSet] or [Catalog.Grant]. None of them lets "*" in: who
// wants to grant everything writes [FullAccess], or defines a bundle for it. Text from the app's own store goes
// through [Set.UnmarshalJSON], which reads "*" because FullAccess is stored that way. The Must functions are for
// wiring and tests. A conversion, Scope("…"), checks nothing and is harmless: whatever receives it checks.
//
// # When a scope covers another
//
// Scopes are compared byte for byte; upper case is refused and never folded. "claims:*" covers one or more whole
// segments after "claims:", so claims:read and claims:read:own, but neither claims nor claimsx:read. claims:read
// covers claims:read alone: neither claims:readall nor claims:read:own. A required scope is never a pattern.
//
// # What a stored set means
//
// Implications and bundles are expanded once, at issue, by [Catalog.Grant]. A stored set therefore means the same in
// every process, whatever catalog that process was built with, and never widens because a definition changed. The
// two forms that do cover scopes added later are written out in the set: a pattern such as "claims:*", and "*".
//
// # Deny by default
//
// The zero Set grants nothing, the zero Requirement is met by nobody, and the zero Catalog knows no scope. All types
// are immutable: they copy what they are given, hand out copies, and are safe to share between goroutines.
//
// # Compatibility
//
// The grammar and the JSON form are a storage format: what is accepted today stays accepted and keeps its meaning.
package scopes
