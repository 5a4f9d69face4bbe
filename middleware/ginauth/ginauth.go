// Package ginauth guards gin routes with an [middleware.Auth]: the same decision
// as on net/http, and the same bytes.
//
//	auth, err := middleware.New(keys, middleware.Config{})
//	guard := ginauth.New(auth)
//	router.Use(guard.Require("claims:read"))
//	router.POST("/claims", guard.Require("claims:write"), create)
//
// gin's ClientIP is not used, whatever proxies the engine trusts: name proxies in
// [middleware.Config.TrustedProxies]. Where keys are accepted in the query, put
// the guard before gin's logger, which notes the URL as it was when it began, and
// before whatever calls Context.Query, which keeps what it read.
//
// gin's Recovery prints the request when the connection broke, and always in debug
// mode. It masks Authorization alone: give it a writer that hides X-API-Key, or
// take keys from [middleware.Bearer] only.
package ginauth

import (
	"github.com/gin-gonic/gin"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/middleware"
	"github.com/claviger-go/claviger/scopes"
)

// Guard makes gin handlers of an Auth. It is immutable and safe for concurrent
// use.
type Guard struct {
	auth *middleware.Auth
}

// New returns a Guard. It panics without an Auth.
func New(auth *middleware.Auth) *Guard {
	if auth == nil {
		panic("ginauth: New without an Auth")
	}
	return &Guard{auth: auth}
}

// Require is [middleware.Auth.Require].
func (g *Guard) Require(required ...scopes.Scope) gin.HandlerFunc {
	return g.guard(g.auth.AllOf(required...))
}

// RequireAny is [middleware.Auth.RequireAny].
func (g *Guard) RequireAny(alternatives ...scopes.Scope) gin.HandlerFunc {
	return g.guard(g.auth.AnyOf(alternatives...))
}

// Authenticate is [middleware.Auth.Authenticate].
func (g *Guard) Authenticate() gin.HandlerFunc { return g.guard(scopes.Authenticated()) }

// Optional is [middleware.Auth.Optional].
func (g *Guard) Optional() gin.HandlerFunc { return g.guard(scopes.Optional()) }

func (g *Guard) guard(asked scopes.Requirement) gin.HandlerFunc {
	return func(c *gin.Context) {
		if path := c.FullPath(); path != "" {
			c.Request.Pattern = path // for keys that are bound to routes, and for the audit
		}
		r, ok := g.auth.Admit(c.Writer, c.Request, asked)
		if !ok {
			c.Abort()
			return
		}
		c.Request = r
	}
}

// Principal returns who the request is; nil behind Optional if there was no
// credential, and where no Guard stands in front.
func Principal(c *gin.Context) *keystore.Principal {
	return middleware.Principal(c.Request.Context())
}

// Routes lists the engine's routes for authtest.Guarded.
func Routes(engine *gin.Engine) []string {
	infos := engine.Routes()
	routes := make([]string, len(infos))
	for i, info := range infos {
		routes[i] = info.Method + " " + info.Path
	}
	return routes
}
