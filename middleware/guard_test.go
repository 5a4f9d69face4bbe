package middleware_test

import (
	"net/http"
	"testing"

	"github.com/claviger-go/claviger/middleware"
	"github.com/claviger-go/claviger/middleware/internal/guardtest"
)

// mount is how an app guards the routes of a ServeMux.
func mount(auth *middleware.Auth, routes []guardtest.Route) http.Handler {
	mux := http.NewServeMux()
	for _, r := range routes {
		guard := auth.Authenticate
		switch {
		case r.Optional:
			guard = auth.Optional
		case len(r.AllOf) > 0:
			guard = auth.Require(r.AllOf...)
		case len(r.AnyOf) > 0:
			guard = auth.RequireAny(r.AnyOf...)
		}
		mux.Handle(r.Pattern, guard(r.Handler))
	}
	return mux
}

func TestGuard(t *testing.T) {
	t.Parallel()
	guardtest.Run(t, mount)
}
