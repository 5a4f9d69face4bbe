package ginauth_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/gin-gonic/gin"

	"github.com/claviger-go/claviger/adapters/memstore"
	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/middleware"
	"github.com/claviger-go/claviger/middleware/authtest"
	"github.com/claviger-go/claviger/middleware/ginauth"
	"github.com/claviger-go/claviger/scopes"
)

// newEngine is an app's: one guard for all routes, another for one of them.
func newEngine(auth *middleware.Auth) *gin.Engine {
	guard := ginauth.New(auth)
	engine := gin.New()
	engine.Use(guard.Require("claims:read"))
	list := func(c *gin.Context) { c.String(http.StatusOK, "claims of %s", ginauth.Principal(c).Owner()) }
	engine.GET("/claims", list)
	engine.POST("/claims", guard.Require("claims:write"), list)
	return engine
}

func ExampleGuard_Require() {
	keys, err := keystore.New(memstore.New(), keystore.Config{})
	if err != nil {
		panic(err)
	}
	defer func() { _ = keys.Close() }()
	auth, err := middleware.New(keys, middleware.Config{})
	if err != nil {
		panic(err)
	}
	engine := newEngine(auth)

	issued, err := keys.Issue(context.Background(), keystore.Spec{Owner: "acme", Scopes: []scopes.Scope{"claims:read"}})
	if err != nil {
		panic(err)
	}
	for _, r := range []*http.Request{
		authtest.NewRequest("GET", "/claims", nil, issued.Credential),
		authtest.NewRequest("POST", "/claims", nil, issued.Credential),
		authtest.NewRequest("GET", "/claims", nil, keystore.Secret{}),
	} {
		answer := httptest.NewRecorder()
		engine.ServeHTTP(answer, r)
		fmt.Println(r.Method, answer.Code, answer.Header().Get("Content-Type"))
	}
	// Output:
	// GET 200 text/plain; charset=utf-8
	// POST 403 application/problem+json
	// GET 401 application/problem+json
}

// The engine lists its routes itself, so that a test need not be told of new ones:
//
//	authtest.Guarded(t, engine, ginauth.Routes(engine)...)
func ExampleRoutes() {
	keys, err := keystore.New(memstore.New(), keystore.Config{})
	if err != nil {
		panic(err)
	}
	defer func() { _ = keys.Close() }()
	auth, err := middleware.New(keys, middleware.Config{})
	if err != nil {
		panic(err)
	}
	for _, route := range ginauth.Routes(newEngine(auth)) {
		fmt.Println(route)
	}
	// Output:
	// GET /claims
	// POST /claims
}
