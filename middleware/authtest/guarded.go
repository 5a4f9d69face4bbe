package authtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/claviger-go/claviger/keystore"
)

// Guarded fails the test for every route that answers a request without a
// credential with anything but 401 credential-missing: nobody guards it, or
// something else answers first. A route is "METHOD /path" as http.ServeMux or
// gin spell it; wildcards are filled in. Handlers of unguarded routes do run; one
// that panics, as it misses its principal, is reported like the others.
//
//	authtest.Guarded(t, mux, "GET /claims", "POST /claims", "DELETE /claims/{id}")
func Guarded(t testing.TB, handler http.Handler, routes ...string) {
	t.Helper()
	if len(routes) == 0 {
		t.Error("authtest: Guarded was given no routes, and so proves nothing")
	}
	for _, route := range routes {
		fields := strings.Fields(route)
		if len(fields) != 2 || !strings.HasPrefix(fields[1], "/") {
			t.Errorf("authtest: route %q: want METHOD /path", route)
			continue
		}
		if wrong := probe(handler, fields[0], fill(fields[1])); wrong != "" {
			t.Errorf("authtest: %s %s without a credential: want 401 credential-missing", route, wrong)
		}
	}
}

// probe says what the route does instead of refusing; "" if it refuses.
func probe(handler http.Handler, method, path string) (wrong string) {
	defer func() {
		if cause := recover(); cause != nil {
			wrong = fmt.Sprintf("panics (%v)", cause)
		}
	}()
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, NewRequest(method, path, nil, keystore.Secret{}))
	var problem struct {
		Type string `json:"type"`
	}
	_ = json.Unmarshal(answer.Body.Bytes(), &problem) // any other body has no type
	if answer.Code != http.StatusUnauthorized || problem.Type != "urn:claviger:problem:credential-missing" {
		return fmt.Sprintf("answers %d", answer.Code)
	}
	return ""
}

// wildcard is {name}, {name...}, {$}, or a segment :name or *name. A colon further
// on is a custom method of ServeMux's users; gin's router takes it as it stands.
var wildcard = regexp.MustCompile(`\{\$\}|\{[^}]*\}|/[:*][^/]+`)

// fill makes a path of a pattern.
func fill(pattern string) string {
	return wildcard.ReplaceAllStringFunc(pattern, func(name string) string {
		switch {
		case name == "{$}":
			return ""
		case name[0] == '/':
			return "/x"
		}
		return "x"
	})
}
