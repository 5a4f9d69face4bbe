package guardtest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/middleware"
)

// The client's address is the peer's, or what trusted proxies say of it, from the
// right (T-054); no address is trusted for what it claims to be (T-055), and what
// cannot be read is outside of every network (T-056).
func (mount Mount) clientAddress(t *testing.T) {
	t.Parallel()
	s := open(t, mount)
	v := s.from(t, middleware.Config{
		DangerouslyAllowHTTP: true, // the scheme is another table's
		TrustedProxies:       []middleware.Proxy{{Network: "10.0.0.0/8"}, {Network: "fd00::/8"}, {Network: middleware.UnixSocket}},
	})
	const proxy, office, unknown = "10.1.2.3:80", "192.0.2.7", "invalid IP"
	for _, tt := range []struct{ peer, lines, remote string }{
		{"192.0.2.7:1", "", office},
		{"192.0.2.7", "", office},
		{"[2001:db8::7]:1", "", "2001:db8::7"},
		{"[2001:db8::7%eth0]:1", "", "2001:db8::7"},
		{"[::ffff:192.0.2.7]:1", "", office},
		{"198.51.100.1:1", "", "198.51.100.1"},
		{"198.51.100.1:1", "X-Forwarded-For: 192.0.2.7", "198.51.100.1"},
		{"127.0.0.1:1", "X-Forwarded-For: 192.0.2.7", "127.0.0.1"},
		{"198.51.100.1:1", "X-Real-IP: 192.0.2.7", "198.51.100.1"},
		{"", "", unknown},
		{"@", "", unknown},
		{"nonsense", "", unknown},
		{"192.0.2.7:x", "", unknown},

		{proxy, "", unknown}, // may speak for anybody
		{"@", "X-Forwarded-For: 192.0.2.7", office},
		{proxy, "X-Forwarded-For: 192.0.2.7", office},
		{proxy, "X-Forwarded-For: 192.0.2.7, 198.51.100.1", "198.51.100.1"},
		{proxy, "X-Forwarded-For: 198.51.100.1, 192.0.2.7", office},
		{proxy, "X-Forwarded-For: 198.51.100.1,192.0.2.7,10.0.0.1 , fd00::1", office},
		{proxy, "X-Forwarded-For: 192.0.2.7\nX-Forwarded-For: 198.51.100.1", "198.51.100.1"},
		{proxy, "X-Forwarded-For: 198.51.100.1\nX-Forwarded-For: 192.0.2.7, 10.0.0.1\nX-Forwarded-For: 10.0.0.2", office},
		{proxy, "x-FORWARDED-for: 198.51.100.1\nX-Forwarded-For: 192.0.2.7", office},
		{proxy, "X-Forwarded-For: 192.0.2.7:4711", office},
		{proxy, "X-Forwarded-For: 2001:db8::7", "2001:db8::7"},
		{proxy, "X-Forwarded-For: [2001:db8::7]", "2001:db8::7"},
		{proxy, "X-Forwarded-For: [2001:db8::7%eth0]:443", "2001:db8::7"},
		{proxy, "X-Forwarded-For: ::ffff:192.0.2.7", office},
		{proxy, "X-Forwarded-For: 192.0.2.7, ::ffff:10.0.0.1", office},
		{proxy, "X-Forwarded-For: 10.0.0.1, 10.0.0.2", "10.0.0.1"},
		{proxy, "X-Forwarded-For: 127.0.0.1", "127.0.0.1"},
		{proxy, "X-Forwarded-For: 192.0.2.7" + strings.Repeat(", 10.0.0.1", 10_000), office},
		{proxy, "X-Forwarded-For: " + strings.Repeat("192.0.2.7, ", 10_000) + "198.51.100.1", "198.51.100.1"},

		{proxy, "X-Forwarded-For:", unknown},
		{proxy, "X-Forwarded-For: 192.0.2.7,", unknown},
		{proxy, "X-Forwarded-For: 192.0.2.7,,10.0.0.1", unknown},
		{proxy, "X-Forwarded-For: 192.0.2.7\nX-Forwarded-For:", unknown},
		{proxy, "X-Forwarded-For: 192.0.2.7, unknown", unknown},
		{proxy, "X-Forwarded-For: 192.0.2.7, _hidden, 10.0.0.1", unknown},
		{proxy, "X-Forwarded-For: 192.0.2.7 192.0.2.8", unknown},
		{proxy, "X-Forwarded-For: 192.0.2.7;192.0.2.8", unknown},
		{proxy, "X-Forwarded-For: 192.0.2.0/24", unknown},
		{proxy, "X-Forwarded-For: 192.0.02.7", unknown},
		{proxy, "X-Forwarded-For: 192.0.519", unknown},
		{proxy, "X-Forwarded-For: 0xC0000207", unknown},
		{proxy, "X-Forwarded-For: 192.0.2.263", unknown},
		{proxy, "X-Forwarded-For: localhost", unknown},
		{proxy, "X-Forwarded-For: \"192.0.2.7\"", unknown},
		{proxy, "X-Forwarded-For: \uff11\uff19\uff12.0.2.7", unknown},

		{proxy, "X_Forwarded_For: 192.0.2.7", unknown},
		{proxy, "X-Real-IP: 192.0.2.7\nForwarded: for=192.0.2.7\nCF-Connecting-IP: 192.0.2.7\nTrue-Client-IP: 192.0.2.7", unknown},
	} {
		lines := append([]string{"Peer: " + tt.peer}, strings.FieldsFunc(tt.lines, func(c rune) bool { return c == '\n' })...)
		inside, outside := networkRefused, admitted
		if tt.remote == office {
			inside, outside = admitted, networkRefused
		}
		if tt.remote == "2001:db8::7" { // allowed to one, not denied to the other
			inside = admitted
		}
		if tt.remote == unknown {
			outside = networkRefused
		}
		v.expect(t, get("/claims", append(lines, "Authorization: Bearer {office}")...), inside)
		v.expect(t, get("/claims", append(lines, "Authorization: Bearer {banned}")...), outside)
		if got := v.decision().Remote.String(); got != tt.remote {
			t.Errorf("%.200q of %s: the client is taken for %s instead of %s", tt.lines, tt.peer, got, tt.remote)
		}
	}
}

// A key for some services is refused by all others, on the same Keys (T-058).
func (mount Mount) audience(t *testing.T) {
	t.Parallel()
	s := open(t, mount)
	for name, want := range map[string]string{
		"claims": admitted, "orders": admitted,
		"": audienceRefused, "Claims": audienceRefused, "claim": audienceRefused, "claims/": audienceRefused, "claims,orders": audienceRefused,
	} {
		v := s.serve(t, middleware.Config{Audience: name})
		for range 2 { // also once another service has filled the cache (T-035)
			v.expect(t, get("/claims", "Authorization: Bearer {bound}"), want)
		}
		v.expect(t, get("/claims", "Authorization: Bearer {read}"), admitted) // bound to none
	}
}

// Requests of browsers are told by what scripts cannot leave out. Attackers can:
// it guards against misuse alone (T-059).
func (mount Mount) browsers(t *testing.T) {
	t.Parallel()
	v := open(t, mount).serve(t, middleware.Config{})
	for _, tt := range []struct{ desc, lines, want string }{
		{"fetch, another origin", "Origin: https://app.example\nSec-Fetch-Site: cross-site\nSec-Fetch-Mode: cors\nSec-Fetch-Dest: empty", browserRefused},
		{"fetch, the same origin", "Sec-Fetch-Site: same-origin\nSec-Fetch-Mode: cors\nSec-Fetch-Dest: empty\nReferer: https://api.example/", browserRefused},
		{"img", "Sec-Fetch-Site: cross-site\nSec-Fetch-Mode: no-cors\nSec-Fetch-Dest: image\nCookie: a=b", browserRefused},
		{"address bar", "Sec-Fetch-Site: none\nSec-Fetch-Mode: navigate\nSec-Fetch-User: ?1\nSec-Fetch-Dest: document\nUpgrade-Insecure-Requests: 1", browserRefused},
		{"WebSocket", "Origin: https://app.example\nSec-WebSocket-Version: 13", browserRefused},
		{"sandboxed frame", "Origin: null", browserRefused},
		{"a browser that leaves out all but one", "Sec-Fetch-Dest: empty", browserRefused},
		{"a browser that leaves out all but another", "Sec-Fetch-Site: same-site", browserRefused},
		{"an old browser, POST", "Origin: https://app.example\nReferer: https://app.example/", browserRefused},
		{"an empty Origin", "Origin:", browserRefused},
		{"a server that sends Origin", "Origin: https://api.example\nUser-Agent: python-requests/2", browserRefused},
		{"curl", "User-Agent: curl/8\nAccept: */*", admitted},
		{"Go", "User-Agent: Go-http-client/1.1\nAccept-Encoding: gzip", admitted},
		{"Node's fetch", "User-Agent: node\nSec-Fetch-Mode: cors\nAccept-Language: *", admitted},
		{"a browser's name alone", "User-Agent: Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0", admitted},
		{"client hints alone", "Sec-CH-UA: \"Chromium\"", admitted},
	} {
		lines := strings.Split(tt.lines, "\n")
		t.Run(tt.desc, func(t *testing.T) {
			v.expect(t, get("/claims", append(lines, "Authorization: Bearer {server}")...), tt.want)
			v.expect(t, get("/claims", append(lines, "Authorization: Bearer {read}")...), admitted)
		})
	}
}

// Which environments count is the route's choice; which methods, the key's.
func (mount Mount) envAndMethod(t *testing.T) {
	t.Parallel()
	s := open(t, mount)
	live, test, both := "Authorization: Bearer {read}", "Authorization: Bearer {test}", []keystore.Env{keystore.EnvTest, keystore.EnvLive}
	for _, tt := range []struct {
		envs       []keystore.Env
		live, test string
	}{
		{nil, admitted, envRefused},
		{[]keystore.Env{keystore.EnvLive}, admitted, envRefused},
		{[]keystore.Env{keystore.EnvTest}, envRefused, admitted},
		{both, admitted, admitted},
	} {
		v := s.serve(t, middleware.Config{Envs: tt.envs})
		v.expect(t, get("/claims", live), tt.live)
		v.expect(t, get("/claims", test), tt.test)
	}
	v := &server{service: s}
	var routes []Route
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodDelete} {
		routes = append(routes, Route{Pattern: method + " /any", Handler: v})
	}
	v.start(t, s.mount(v.auth(t, middleware.Config{}), routes))
	v.expect(t, get("/any", "Authorization: Bearer {getter}"), admitted)
	v.expect(t, request("HEAD", "/any", "Authorization: Bearer {getter}"), headOnly(methodRefused))
	v.expect(t, request("DELETE", "/any", "Authorization: Bearer {getter}"), methodRefused)
	v.expect(t, request("DELETE", "/any", "Authorization: Bearer {getter}", "X-HTTP-Method-Override: GET"), methodRefused)
}

// A key for some routes is judged by the pattern that was matched, however the path
// is spelled; without a pattern it is refused (T-048).
func (mount Mount) limitedRoutes(t *testing.T) {
	t.Parallel()
	v := open(t, mount).serve(t, middleware.Config{})
	key := "Authorization: Bearer {routed}"
	for target, want := range map[string]string{
		"/claims/7": admitted, "/claims/7?a=/claims": admitted, "/claims/%37": admitted,
		"/claims": routeRefused, "/claims?/claims/{id}": routeRefused, "/any": routeRefused,
	} {
		v.expect(t, get(target, key), want)
	}
	outside := &server{service: v.service}
	outside.start(t, outside.auth(t, middleware.Config{}).Require("claims:read")(outside))
	outside.expect(t, get("/claims/7", key), routeRefused)
	outside.expect(t, get("/claims/7", "Authorization: Bearer {read}"), admitted)
}
