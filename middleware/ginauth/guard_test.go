package ginauth_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/claviger-go/claviger/middleware"
	"github.com/claviger-go/claviger/middleware/ginauth"
	"github.com/claviger-go/claviger/middleware/internal/guardtest"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	m.Run()
}

// mount is how an app guards the routes of a gin.Engine.
func mount(auth *middleware.Auth, routes []guardtest.Route) http.Handler {
	guards := ginauth.New(auth)
	engine := gin.New()
	wildcards := strings.NewReplacer("{rest...}", "*rest", "{id}", ":id", "{name}", ":name")
	for _, r := range routes {
		guard := guards.Authenticate()
		switch {
		case r.Optional:
			guard = guards.Optional()
		case len(r.AllOf) > 0:
			guard = guards.Require(r.AllOf...)
		case len(r.AnyOf) > 0:
			guard = guards.RequireAny(r.AnyOf...)
		}
		method, path, _ := strings.Cut(r.Pattern, " ")
		engine.Handle(method, wildcards.Replace(path), guard, gin.WrapH(r.Handler))
	}
	return engine
}

func TestGuard(t *testing.T) {
	t.Parallel()
	guardtest.Run(t, mount)
}
