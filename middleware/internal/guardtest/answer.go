package guardtest

import (
	"slices"
	"strings"
)

// The answers as clients read them, but for what net/http adds by itself.
const (
	missing = `401 Unauthorized
Cache-Control: no-store
Content-Length: 214
Content-Type: application/problem+json
Www-Authenticate: Bearer realm="api"
X-Content-Type-Options: nosniff

{"type":"urn:claviger:problem:credential-missing","title":"Credential missing","status":401,"detail":"This request needs a credential, and none was found where it is expected: Authorization: Bearer or X-Api-Key."}
`

	invalid = `401 Unauthorized
Cache-Control: no-store
Content-Length: 194
Content-Type: application/problem+json
Www-Authenticate: Bearer realm="api", error="invalid_token"
X-Content-Type-Options: nosniff

{"type":"urn:claviger:problem:credential-invalid","title":"Invalid credential","status":401,"detail":"The credential is not valid. Check that it is complete and current, or ask for a new one."}
`

	expired = `401 Unauthorized
Cache-Control: no-store
Content-Length: 151
Content-Type: application/problem+json
Www-Authenticate: Bearer realm="api", error="invalid_token"
X-Content-Type-Options: nosniff

{"type":"urn:claviger:problem:credential-expired","title":"Credential expired","status":401,"detail":"The credential has expired. Ask for a new one."}
`

	suspended = `401 Unauthorized
Cache-Control: no-store
Content-Length: 160
Content-Type: application/problem+json
Www-Authenticate: Bearer realm="api", error="invalid_token"
X-Content-Type-Options: nosniff

{"type":"urn:claviger:problem:credential-suspended","title":"Credential suspended","status":401,"detail":"The credential is suspended. Ask whoever issued it."}
`

	twice = `400 Bad Request
Cache-Control: no-store
Content-Length: 188
Content-Type: application/problem+json
Www-Authenticate: Bearer realm="api", error="invalid_request"
X-Content-Type-Options: nosniff

{"type":"urn:claviger:problem:credential-ambiguous","title":"More than one credential","status":400,"detail":"The request shows more than one credential, or one twice. Send exactly one."}
`

	lacksRead = `403 Forbidden
Cache-Control: no-store
Content-Length: 186
Content-Type: application/problem+json
Www-Authenticate: Bearer realm="api", error="insufficient_scope", scope="claims:read"
X-Content-Type-Options: nosniff

{"type":"urn:claviger:problem:scope-missing","title":"Scope missing","status":403,"detail":"The credential lacks a scope that this request needs: claims:read.","scopes":["claims:read"]}
`

	lacksWrite = `403 Forbidden
Cache-Control: no-store
Content-Length: 188
Content-Type: application/problem+json
Www-Authenticate: Bearer realm="api", error="insufficient_scope", scope="claims:write"
X-Content-Type-Options: nosniff

{"type":"urn:claviger:problem:scope-missing","title":"Scope missing","status":403,"detail":"The credential lacks a scope that this request needs: claims:write.","scopes":["claims:write"]}
`

	lacksOneOfBoth = `403 Forbidden
Cache-Control: no-store
Content-Length: 188
Content-Type: application/problem+json
Www-Authenticate: Bearer realm="api", error="insufficient_scope", scope="claims:read claims:write"
X-Content-Type-Options: nosniff

{"type":"urn:claviger:problem:scope-missing","title":"Scope missing","status":403,"detail":"The credential lacks a scope that this request needs: claims:write.","scopes":["claims:write"]}
`

	lacksEither = `403 Forbidden
Cache-Control: no-store
Content-Length: 215
Content-Type: application/problem+json
Www-Authenticate: Bearer realm="api", error="insufficient_scope", scope="claims:read claims:write"
X-Content-Type-Options: nosniff

{"type":"urn:claviger:problem:scope-missing","title":"Scope missing","status":403,"detail":"The credential lacks a scope that this request needs: claims:read, claims:write.","scopes":["claims:read","claims:write"]}
`

	httpsRequired = `403 Forbidden
Cache-Control: no-store
Content-Length: 276
Content-Type: application/problem+json
X-Content-Type-Options: nosniff

{"type":"urn:claviger:problem:https-required","title":"HTTPS required","status":403,"detail":"Credentials are accepted over TLS only: connect with https, or through a trusted proxy that says X-Forwarded-Proto: https, or from the loopback address without forwarding headers."}
`

	networkRefused = `403 Forbidden
Cache-Control: no-store
Content-Length: 149
Content-Type: application/problem+json
X-Content-Type-Options: nosniff

{"type":"urn:claviger:problem:network-refused","title":"Network refused","status":403,"detail":"This credential may not be used from this network."}
`

	browserRefused = `403 Forbidden
Cache-Control: no-store
Content-Length: 171
Content-Type: application/problem+json
X-Content-Type-Options: nosniff

{"type":"urn:claviger:problem:browser-refused","title":"Browsers refused","status":403,"detail":"This credential is for servers only and may not be used from a browser."}
`

	methodRefused = `403 Forbidden
Cache-Control: no-store
Content-Length: 146
Content-Type: application/problem+json
X-Content-Type-Options: nosniff

{"type":"urn:claviger:problem:method-refused","title":"Method refused","status":403,"detail":"This credential may not be used with this method."}
`

	routeRefused = `403 Forbidden
Cache-Control: no-store
Content-Length: 141
Content-Type: application/problem+json
X-Content-Type-Options: nosniff

{"type":"urn:claviger:problem:route-refused","title":"Route refused","status":403,"detail":"This credential may not be used on this route."}
`

	audienceRefused = `403 Forbidden
Cache-Control: no-store
Content-Length: 150
Content-Type: application/problem+json
X-Content-Type-Options: nosniff

{"type":"urn:claviger:problem:audience-refused","title":"Service refused","status":403,"detail":"This credential may not be used with this service."}
`

	envRefused = `403 Forbidden
Cache-Control: no-store
Content-Length: 224
Content-Type: application/problem+json
X-Content-Type-Options: nosniff

{"type":"urn:claviger:problem:env-refused","title":"Environment refused","status":403,"detail":"This credential belongs to another environment: test credentials do not work here if live ones are expected, and the reverse."}
`

	rateLimited = `429 Too Many Requests
Cache-Control: no-store
Content-Length: 158
Content-Type: application/problem+json
Retry-After: 1
X-Content-Type-Options: nosniff

{"type":"urn:claviger:problem:rate-limited","title":"Too many requests","status":429,"detail":"This credential has made too many requests. Try again later."}
`

	throttled = `429 Too Many Requests
Cache-Control: no-store
Content-Length: 167
Content-Type: application/problem+json
Retry-After: 1
X-Content-Type-Options: nosniff

{"type":"urn:claviger:problem:throttled","title":"Too many bad credentials","status":429,"detail":"Too many bad credentials came from this network. Try again later."}
`

	unavailable = `503 Service Unavailable
Cache-Control: no-store
Content-Length: 171
Content-Type: application/problem+json
Retry-After: 1
X-Content-Type-Options: nosniff

{"type":"urn:claviger:problem:unavailable","title":"Cannot check the credential","status":503,"detail":"The credential cannot be checked at the moment. Try again later."}
`

	admitted = `200 OK
Content-Length: 3
Content-Type: text/plain; charset=utf-8

ok
`
)

// with adds header lines to an answer, in their place.
func with(answer string, lines ...string) string {
	status, rest, _ := strings.Cut(answer, "\n")
	header, body, _ := strings.Cut(rest, "\n\n")
	lines = append(lines, strings.Split(header, "\n")...)
	slices.Sort(lines)
	return status + "\n" + strings.Join(lines, "\n") + "\n\n" + body
}

// headOnly is an answer to a HEAD request.
func headOnly(answer string) string {
	head, _, _ := strings.Cut(answer, "\n\n")
	return head + "\n\n"
}
