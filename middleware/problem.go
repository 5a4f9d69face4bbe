package middleware

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/scopes"
)

// problem is the body of a refusal (RFC 9457). Nothing of the request is in it.
type problem struct {
	Type   string         `json:"type"`
	Title  string         `json:"title"`
	Status int            `json:"status"`
	Detail string         `json:"detail"`
	Scopes []scopes.Scope `json:"scopes,omitempty"`
}

const typePrefix = "urn:claviger:problem:"

// refusal is a whole answer, encoded. Header values are slices that all answers
// share; their capacity is their length, so that an Add copies.
type refusal struct {
	status     int
	challenge  []string // nil: none
	retryAfter []string // nil: none
	length     []string
	body       []byte
}

// The values of headers that many answers share.
type sharedHeaders struct {
	noStore, private, problemJSON, nosniff, noReferrer, queryDeprecated []string
}

func newSharedHeaders() sharedHeaders {
	return sharedHeaders{
		noStore:     []string{"no-store"},
		private:     []string{"private"},
		problemJSON: []string{"application/problem+json"},
		nosniff:     []string{"nosniff"},
		noReferrer:  []string{"no-referrer"},
		// RFC 9745: since January 2025, when RFC 9700 §4.3.2 advised against it.
		queryDeprecated: []string{"@1735689600"},
	}
}

// encodeRefusals prepares the answers that do not depend on the request.
func (a *Auth) encodeRefusals() {
	bearer := `Bearer realm="` + a.config.Realm + `"`
	invalid := a.encode("credential-invalid", http.StatusUnauthorized, "Invalid credential",
		"The credential is not valid. Check that it is complete and current, or ask for a new one.")
	invalid.challenge = []string{bearer + `, error="invalid_token"`}
	missing := a.encode("credential-missing", http.StatusUnauthorized, "Credential missing",
		"This request needs a credential, and none was found where it is expected: "+a.places()+".")
	missing.challenge = []string{bearer}
	ambiguous := a.encode("credential-ambiguous", http.StatusBadRequest, "More than one credential",
		"The request shows more than one credential, or one twice. Send exactly one.")
	ambiguous.challenge = []string{bearer + `, error="invalid_request"`}

	a.refusals = map[keystore.Outcome]*refusal{
		keystore.OutcomeMissing:   missing,
		keystore.OutcomeAmbiguous: ambiguous,
		keystore.OutcomeUnavailable: a.encode("unavailable", http.StatusServiceUnavailable, "Cannot check the credential",
			"The credential cannot be checked at the moment. Try again later."),
		keystore.OutcomeHTTPSRequired: a.encode("https-required", http.StatusForbidden, "HTTPS required",
			"Credentials are accepted over TLS only: connect with https, or through a trusted proxy that says X-Forwarded-Proto: https, or from the loopback address without forwarding headers."),
		keystore.OutcomeNetworkRefused: a.encode("network-refused", http.StatusForbidden, "Network refused",
			"This credential may not be used from this network."),
		keystore.OutcomeBrowserRefused: a.encode("browser-refused", http.StatusForbidden, "Browsers refused",
			"This credential is for servers only and may not be used from a browser."),
		keystore.OutcomeMethodRefused: a.encode("method-refused", http.StatusForbidden, "Method refused",
			"This credential may not be used with this method."),
		keystore.OutcomeRouteRefused: a.encode("route-refused", http.StatusForbidden, "Route refused",
			"This credential may not be used on this route."),
		keystore.OutcomeAudienceRefused: a.encode("audience-refused", http.StatusForbidden, "Service refused",
			"This credential may not be used with this service."),
		keystore.OutcomeEnvRefused: a.encode("env-refused", http.StatusForbidden, "Environment refused",
			"This credential belongs to another environment: test credentials do not work here if live ones are expected, and the reverse."),
		// Of a zero Requirement, which nobody meets.
		keystore.OutcomeScopeMissing: a.encode("scope-missing", http.StatusForbidden, "Scope missing",
			"No credential is granted what this request asks for."),
		keystore.OutcomeRateLimited: a.encode("rate-limited", http.StatusTooManyRequests, "Too many requests",
			"This credential has made too many requests. Try again later."),
		keystore.OutcomeThrottled: a.encode("throttled", http.StatusTooManyRequests, "Too many bad credentials",
			"Too many bad credentials came from this network. Try again later."),
	}
	for _, later := range []keystore.Outcome{keystore.OutcomeUnavailable, keystore.OutcomeRateLimited, keystore.OutcomeThrottled} {
		a.refusals[later].retryAfter = []string{"1"} // or what the limiter says
	}
	for _, same := range []keystore.Outcome{
		keystore.OutcomeMalformed, keystore.OutcomeUnknown, keystore.OutcomeWrongSecret, keystore.OutcomeExpired,
		keystore.OutcomeIdle, keystore.OutcomeNotYetValid, keystore.OutcomeSuspended, keystore.OutcomeRevoked, keystore.OutcomeOrphaned,
	} {
		a.refusals[same] = invalid
	}
	if a.config.TellHolders {
		expired := a.encode("credential-expired", http.StatusUnauthorized, "Credential expired", "The credential has expired. Ask for a new one.")
		suspended := a.encode("credential-suspended", http.StatusUnauthorized, "Credential suspended", "The credential is suspended. Ask whoever issued it.")
		expired.challenge, suspended.challenge = invalid.challenge, invalid.challenge
		a.refusals[keystore.OutcomeExpired], a.refusals[keystore.OutcomeIdle] = expired, expired
		a.refusals[keystore.OutcomeSuspended] = suspended
	}
}

func (a *Auth) encode(name string, status int, title, detail string, missing ...scopes.Scope) *refusal {
	body, err := json.Marshal(problem{Type: typePrefix + name, Title: title, Status: status, Detail: detail, Scopes: missing})
	if err != nil {
		panic(err) // strings and numbers only
	}
	body = append(body, '\n')
	return &refusal{status: status, body: body, length: []string{strconv.Itoa(len(body))}}
}

// refusal is what the client is told of a verdict.
func (a *Auth) refusal(v *verdict, asked scopes.Requirement) *refusal {
	if v.outcome == keystore.OutcomeScopeMissing && v.principal != nil && len(v.refused.Missing) > 0 {
		return a.scopeMissing(v.refused.Missing, asked)
	}
	prepared, ok := a.refusals[v.outcome]
	if !ok {
		return a.refusals[keystore.OutcomeUnavailable] // a verifier's invention
	}
	if prepared.retryAfter != nil && v.refused != nil && v.refused.RetryAfter > 0 {
		later := *prepared
		later.retryAfter = []string{seconds(v.refused.RetryAfter)}
		return &later
	}
	return prepared
}

// seconds is a duration as delay-seconds (RFC 9110 §10.2.3), rounded up.
func seconds(d time.Duration) string {
	return strconv.Itoa(int((d-1)/time.Second) + 1)
}

// markRate tells what is left of a rate, with both fields of
// draft-ietf-httpapi-ratelimit-headers-11: q requests in w seconds are the policy; r
// of them may come now, and within t seconds no more than these. Others may have
// added policies of their own.
func markRate(h http.Header, left *keystore.Allowance) {
	h.Add("Ratelimit-Policy", `"key";q=`+strconv.Itoa(left.Rate.Requests)+";w="+seconds(left.Rate.Per))
	h.Add("Ratelimit", `"key";r=`+strconv.Itoa(left.Remaining)+";t="+seconds(left.Reset))
}

// maxScopeRefusals bounds how many answers scopeMissing keeps.
const maxScopeRefusals = 1024

// scopeKey is what a refusal for lack of scopes depends on.
type scopeKey struct{ asked, missing string }

// scopeMissing names what is missing. There are as many such answers as routes
// have subsets of scopes, so they are made once.
func (a *Auth) scopeMissing(missing []scopes.Scope, asked scopes.Requirement) *refusal {
	key := scopeKey{asked.String(), joined(missing)}
	a.scopeMu.RLock()
	made := a.scopeRefusals[key]
	a.scopeMu.RUnlock()
	if made != nil {
		return made
	}
	made = a.encode("scope-missing", http.StatusForbidden, "Scope missing",
		"The credential lacks a scope that this request needs: "+key.missing+".", missing...)
	made.challenge = []string{`Bearer realm="` + a.config.Realm + `", error="insufficient_scope", scope="` + key.asked + `"`}
	a.scopeMu.Lock()
	if len(a.scopeRefusals) < maxScopeRefusals {
		a.scopeRefusals[key] = made
	}
	a.scopeMu.Unlock()
	return made
}

// joined is strings.Join for scopes; a single one, the usual case, costs nothing.
func joined(list []scopes.Scope) string {
	text := string(list[0])
	for _, scope := range list[1:] {
		text += ", " + string(scope) //nolint:modernize,perfsprint // of two or three
	}
	return text
}

// places lists where a credential is looked for, for the client to read.
func (a *Auth) places() string {
	names := make([]string, 0, len(a.sources)+1)
	for _, s := range a.sources {
		if s.bearer {
			names = append(names, "Authorization: Bearer")
		} else {
			names = append(names, s.header)
		}
	}
	return strings.Join(names, " or ")
}

// write is the one place from which refusals reach a client.
func (a *Auth) write(w http.ResponseWriter, r *refusal) {
	h := w.Header()
	h["Cache-Control"] = a.shared.noStore
	h["Content-Type"] = a.shared.problemJSON
	h["X-Content-Type-Options"] = a.shared.nosniff
	h["Content-Length"] = r.length
	if r.challenge != nil {
		h["Www-Authenticate"] = r.challenge
	}
	if r.retryAfter != nil {
		h["Retry-After"] = r.retryAfter
	}
	w.WriteHeader(r.status)
	_, _ = w.Write(r.body) // the client may be gone
}
