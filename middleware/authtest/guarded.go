package authtest

import (
	"encoding/json"
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
// gin spell it; wildcards are filled in. Handlers of unguarded routes do run.
//
//	authtest.Guarded(t, mux, "GET /claims", "POST /claims", "DELETE /claims/{id}")
func Guarded(t testing.TB, handler http.Handler, routes ...string) {
	t.Helper()
	if len(routes) == 0 {
		t.Error("authtest: Guarded was given no routes, and so proves nothing")
	}
	for _, route := range routes {
		method, path, ok := strings.Cut(route, " ")
		if !ok || !strings.HasPrefix(path, "/") {
			t.Errorf("authtest: route %q: want METHOD /path", route)
			continue
		}
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, NewRequest(method, fill(path), nil, keystore.Secret{}))
		var problem struct{ Type string }
		_ = json.Unmarshal(answer.Body.Bytes(), &problem) // any other body has no type
		if answer.Code != http.StatusUnauthorized || problem.Type != "urn:claviger:problem:credential-missing" {
			t.Errorf("authtest: %s answers %d without a credential: want 401 credential-missing", route, answer.Code)
		}
	}
}

// wildcard is {name}, {name...}, {$}, :name or *name.
var wildcard = regexp.MustCompile(`\{\$\}|\{[^}]*\}|[:*][A-Za-z_][A-Za-z0-9_]*`)

// fill makes a path of a pattern.
func fill(pattern string) string {
	return wildcard.ReplaceAllStringFunc(pattern, func(name string) string {
		if name == "{$}" {
			return ""
		}
		return "x"
	})
}
