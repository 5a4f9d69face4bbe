package guardtest

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/middleware"
	"github.com/claviger-go/claviger/middleware/authtest"
	"github.com/claviger-go/claviger/scopes"
)

// However a second request is hidden in a first one, it is refused as malformed or
// decided for itself: it never rides on the first one's credential (T-006).
func (mount Mount) smuggling(t *testing.T) {
	t.Parallel()
	s := open(t, mount)
	v := s.serve(t, middleware.Config{})
	first := "POST /claims HTTP/1.1\r\nHost: api.example\r\nX-API-Key: {write}\r\n"
	second := request("POST", "/claims")
	for _, tt := range []struct {
		desc, head, body string
		statuses         string
	}{
		{"both lengths", "Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n", "200 401"},
		{"both lengths, the other order", "Transfer-Encoding: chunked\r\nContent-Length: 500", "0\r\n\r\n", "200 401"},
		{"two lengths", "Content-Length: 0\r\nContent-Length: 5", "", "400"},
		{"a list of lengths", "Content-Length: 0, 5", "", "400"},
		{"a signed length", "Content-Length: +3", "abc", "400"},
		{"a negative length", "Content-Length: -1", "", "400"},
		{"a length in hex", "Content-Length: 0x3", "abc", "400"},
		{"a space before the colon", "Content-Length : 3", "abc", "400"},
		{"a coding that begins alike", "Transfer-Encoding: xchunked", "0\r\n\r\n", "501"},
		{"two codings", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "0\r\n\r\n", "501"},
		{"a list of codings", "Transfer-Encoding: chunked, identity", "0\r\n\r\n", "501"},
		{"a coding behind a vertical tab", "Transfer-Encoding: \x0bchunked", "0\r\n\r\n", "400"},
		{"a negative chunk", "Transfer-Encoding: chunked", "-1\r\n\r\n", "200"},
		{"a chunk beyond 64 bits", "Transfer-Encoding: chunked", "10000000000000000\r\n\r\n", "200"},
		{"chunks with bare line feeds", "Transfer-Encoding: chunked", "3\nabc\n0\n\n", "200"},
		{"a chunk longer than it says", "Transfer-Encoding: chunked", "3\r\nabcX0\r\n\r\n", "200"},
		{"two hosts", "Host: other.example", "", "400"},
		{"a header without a colon", "Content-Length 3", "abc", "400"},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			before := v.called()
			raw := first + tt.head + "\r\n\r\n" + tt.body + second
			got := v.statuses(t, raw)
			if got != tt.statuses {
				t.Errorf("%q is answered %s instead of %s", raw, got, tt.statuses)
			}
			if ran := v.called() - before; ran != strings.Count(tt.statuses, "200") {
				t.Errorf("%q: the handler ran %d times", raw, ran)
			}
		})
	}
}

// statuses sends what may be several requests, and lists the answers' statuses.
func (s *server) statuses(t *testing.T, raw string) string {
	t.Helper()
	conn := s.dial(t)
	defer func() { _ = conn.Close() }()
	go func() { _, _ = io.WriteString(conn, s.fill(raw)) }()
	var all []string
	for reader := bufio.NewReader(conn); ; {
		answer, err := http.ReadResponse(reader, nil)
		if err != nil {
			return strings.Join(all, " ")
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		all = append(all, answer.Status[:3])
	}
}

// What a key was granted and what a route asks for, in pairs that look alike.
func (mount Mount) scopeChecks(t *testing.T) {
	t.Parallel()
	s := open(t, mount)
	for _, tt := range []struct {
		granted, asked scopes.Scope // granted "": nothing; "*": Full Access
		want           string
	}{
		{"claims:read", "claims:read", admitted},
		{"claims:read", "claims:readall", lacks("claims:readall")},
		{"claims:readall", "claims:read", lacksRead},
		{"claims:read", "claims:read:own", lacks("claims:read:own")},
		{"claims:read:own", "claims:read", lacksRead},
		{"claims:read", "xclaims:read", lacks("xclaims:read")},
		{"claims:write", "claims:read", lacksRead},
		{"claims:*", "claims:read", admitted},
		{"claims:*", "claims:read:own", admitted},
		{"claims:*", "claimsx:read", lacks("claimsx:read")},
		{"claims:*", "orders:read", lacks("orders:read")},
		{"claims:read:*", "claims:read", lacksRead},
		{"claims:read:*", "claims:read:own", admitted},
		{"", "claims:read", lacksRead},
		{"*", "claims:read", admitted},
		{"*", "anything:there:is", admitted},
	} {
		t.Run(string(tt.granted+" for "+tt.asked), func(t *testing.T) {
			t.Parallel()
			spec := keystore.Spec{FullAccess: tt.granted == "*"}
			if tt.granted != "" && tt.granted != "*" {
				spec.Scopes = []scopes.Scope{tt.granted}
			}
			key := authtest.Mint(t, s.keys, spec).Credential.Reveal()
			asked := []scopes.Scope{tt.asked}
			v := s.serve(t, middleware.Config{}, Route{Pattern: "GET /all", AllOf: asked}, Route{Pattern: "GET /one", AnyOf: asked})
			v.expect(t, get("/all", "Authorization: Bearer "+key), tt.want)
			v.expect(t, get("/one", "Authorization: Bearer "+key), tt.want)
		})
	}
}

// lacks is the refusal that names one scope.
func lacks(scope string) string {
	const named = "claims:read"
	longer := 2 * (len(scope) - len(named)) // it stands in the body twice
	return strings.NewReplacer(named, scope, "Length: 186", fmt.Sprint("Length: ", 186+longer)).Replace(lacksRead)
}

// Every route is asked, and all of them are guarded (T-046).
func (mount Mount) everyRouteGuarded(t *testing.T) {
	t.Parallel()
	v := open(t, mount).serve(t, middleware.Config{})
	var patterns []string
	for _, r := range v.routes() {
		if !r.Optional {
			patterns = append(patterns, r.Pattern)
		}
	}
	authtest.Guarded(t, v.handler, patterns...)
	if v.called() != 0 {
		t.Error("a handler ran")
	}
}

// Paths that mean one thing to a rule and another to a router never reach the
// protected handler without its scope. Where frameworks differ it is in how they
// say no (T-047), also below another prefix (T-048).
func (mount Mount) pathTricks(t *testing.T) {
	t.Parallel()
	s := open(t, mount)
	v, public := &server{service: s}, &server{service: s}
	admin := []scopes.Scope{"admin:all"}
	guarded := s.mount(v.auth(t, middleware.Config{}), []Route{
		{Pattern: "GET /admin", AllOf: admin, Handler: v},
		{Pattern: "GET /admin/{rest...}", AllOf: admin, Handler: v},
		{Pattern: "GET /v1/{name}", Optional: true, Handler: public},
	})
	v.start(t, guarded)
	below := &server{service: s}
	mux := http.NewServeMux()
	mux.Handle("/api/", http.StripPrefix("/api", guarded))
	below.start(t, mux)

	for _, tt := range []struct{ target, statuses string }{
		{"/admin", "403"},
		{"/admin/", "403"},
		{"/admin/x", "403"},
		{"//admin", "307 404"},
		{"/./admin", "307 404"},
		{"/v1/../admin", "307 301 404"},
		{"/v1/%2e%2e/admin", "307 301 404"},
		{"/v1/..%2fadmin", "307 200 404"},
		{"/v1/..%5cadmin", "200"},
		{"/%61dmin", "403"},
		{"/%2561dmin", "404"},
		{"/admin%2fx", "403 404"},
		{"/%2fadmin", "404 301 307"},
		{"/ADMIN", "404 301"},
		{"/Admin/x", "404 301"},
		{"/admin;a=b", "404"},
		{"/v1/x;/../admin", "307 301 404"},
		{"/admin%00", "404"},
		{"/admin\\x", "404"},
		{"/admin%20", "404"},
		{"/admin/..%00/", "403"},
		{"/admin//x", "307 403"},
		{"/admin/../v1/x", "307 403"},
		{"/%c0%afadmin", "404"},
		{"/admin?/v1/x", "403"},
		{"http://other.example/admin", "403"},
		{"//other.example/admin", "307 301 404"},
		{"/v1/x", "200"},
		{"*", "400 404"},
	} {
		for _, prefix := range []string{"", "/api"} {
			if prefix != "" && !strings.HasPrefix(tt.target, "/") {
				continue
			}
			at := v
			if prefix != "" {
				at = below
			}
			answer := at.send(t, get(prefix+tt.target, "Authorization: Bearer {all}"))
			status, _, _ := strings.Cut(strings.TrimPrefix(answer, "HTTP/1.1 "), " ")
			if !strings.Contains(tt.statuses, status) {
				t.Errorf("%s%s is answered %s instead of %s", prefix, tt.target, status, tt.statuses)
			}
			_, location, redirected := strings.Cut(answer, "\r\nLocation: ")
			if redirected && (!strings.HasPrefix(location, "/") || strings.HasPrefix(location, "//")) {
				t.Errorf("%s%s is sent to another host: %q", prefix, tt.target, answer)
			}
		}
	}
	if v.called() != 0 {
		t.Errorf("the protected handler ran for %s", v.last().URL)
	}
	if public.called() == 0 {
		t.Error("the other handler never ran")
	}
}

// A method is no way around a guard (T-049).
func (mount Mount) methods(t *testing.T) {
	t.Parallel()
	s := open(t, mount)
	v := &server{service: s}
	routes := v.routes()
	for _, method := range []string{"HEAD", "OPTIONS", "TRACE", "CONNECT", "DELETE", "PATCH"} {
		routes = append(routes, Route{Pattern: method + " /guarded", AllOf: []scopes.Scope{"claims:write"}, Handler: v})
	}
	v.start(t, s.mount(v.auth(t, middleware.Config{}), routes))
	for _, method := range []string{"HEAD", "OPTIONS", "TRACE", "CONNECT", "DELETE", "PATCH"} {
		none, lacking, good := missing, lacksWrite, admitted
		if method == http.MethodHead {
			none, lacking, good = headOnly(missing), headOnly(lacksWrite), headOnly(admitted)
		}
		v.expect(t, request(method, "/guarded"), none)
		v.expect(t, request(method, "/guarded", "Origin: https://app.example", "Access-Control-Request-Method: GET"), none)
		v.expect(t, request(method, "/guarded", "Authorization: Bearer {read}"), lacking)
		v.expect(t, request(method, "/guarded", "Authorization: Bearer {write}"), good)
	}
	for _, name := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"} {
		v.expect(t, request("POST", "/claims", "Authorization: Bearer {read}", name+": GET"), lacksWrite)
		v.expect(t, get("/claims?_method=GET", "Authorization: Bearer {write}", name+": POST"), lacksRead)
	}
	before := v.called()
	for _, tt := range []struct{ method, target, statuses string }{
		{"HEAD", "/claims", "401 404"}, // only ServeMux answers HEAD with a GET route
		{"OPTIONS", "/claims", "405 404"},
		{"OPTIONS", "*", "200"}, // of the server itself
		{"TRACE", "/claims", "405 404"},
		{"CONNECT", "/claims", "405 404"},
		{"CONNECT", "api.example:443", "400 404 405 301"},
		{"get", "/claims", "405 404"},
		{"GETS", "/claims", "405 404"},
		{"G\x00T", "/claims", "400"},
	} {
		answer := v.send(t, request(tt.method, tt.target))
		status, _, _ := strings.Cut(strings.TrimPrefix(answer, "HTTP/1.1 "), " ")
		if !strings.Contains(tt.statuses, status) {
			t.Errorf("%s %s is answered %s instead of %s", tt.method, tt.target, status, tt.statuses)
		}
	}
	if v.called() != before {
		t.Errorf("the handler ran for %s", v.last().Method)
	}
}
