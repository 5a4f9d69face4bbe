// Package middleware guards net/http routes with API keys and tokens.
//
//	auth, err := middleware.New(keys, middleware.Config{})
//	mux.Handle("POST /claims", auth.Require("claims:write")(http.HandlerFunc(create)))
//
// The handler finds out who asks with [Principal]:
//
//	p := middleware.Principal(r.Context())
//	claim.Owner = p.Owner()
//
// # What to use when
//
// [Auth.Require] for a route that needs scopes; [Auth.RequireAny] where several
// would do; [Auth.Authenticate] for a route that any key may call; [Auth.Optional]
// for one that anonymous clients may call too. All are func(http.Handler)
// http.Handler, as chi, gorilla/mux and others take them. For gin there is
// middleware/ginauth. [Auth.Admit] is for frameworks that have another shape.
//
// Wrap the handler, or use the router's per-route middleware: a rule by prefix of
// the path is only as good as the router and the rule agree on what a path is.
// CORS goes outside of auth, which guards OPTIONS like any method. Loggers go
// inside, if DangerouslyAcceptQueryKey is on.
//
// # What clients are told
//
// Refusals are RFC 9457 problems with the challenge of RFC 6750; all bad
// credentials get the same bytes. Operators are told more, by Config.OnDecision. To
// requests with a key that has a [keystore.Rate] both fields of
// draft-ietf-httpapi-ratelimit-headers-11 say what is left of it.
package middleware
