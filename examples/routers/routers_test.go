// Package routers shows Claviger's guards on routers that take
// func(http.Handler) http.Handler, and where CORS goes.
package routers_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/go-chi/chi/v5"
	"github.com/gorilla/mux"
	"github.com/labstack/echo/v4"

	"github.com/claviger-go/claviger/adapters/memstore"
	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/middleware"
	"github.com/claviger-go/claviger/middleware/authtest"
	"github.com/claviger-go/claviger/scopes"
)

// service opens keys and issues one that may read claims.
func service() (*keystore.Keys, *middleware.Auth, keystore.Secret) {
	keys, err := keystore.New(memstore.New(), keystore.Config{})
	if err != nil {
		panic(err)
	}
	auth, err := middleware.New(keys, middleware.Config{})
	if err != nil {
		panic(err)
	}
	issued, err := keys.Issue(context.Background(), keystore.Spec{Owner: "acme", Scopes: []scopes.Scope{"claims:read"}})
	if err != nil {
		panic(err)
	}
	return keys, auth, issued.Credential
}

// claims is a handler that knows who asks.
func claims(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "claims of %s\n", middleware.Principal(r.Context()).Owner())
}

// try asks for three things: what the key may do, what it may not, and anything
// without a key.
func try(handler http.Handler, key keystore.Secret) {
	for _, r := range []*http.Request{
		authtest.NewRequest(http.MethodGet, "/claims/7", nil, key),
		authtest.NewRequest(http.MethodPut, "/claims/7", nil, key),
		authtest.NewRequest(http.MethodGet, "/claims/7", nil, keystore.Secret{}),
	} {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, r)
		fmt.Println(r.Method, answer.Code, answer.Header().Get("Content-Type"))
	}
}

// With per route, and Route for a group of them.
func Example_chi() {
	keys, auth, key := service()
	defer func() { _ = keys.Close() }()

	router := chi.NewRouter()
	router.Route("/claims", func(r chi.Router) {
		r.Use(auth.Require("claims:read"))
		r.Get("/{id}", claims)
		r.With(auth.Require("claims:write")).Put("/{id}", claims)
	})

	try(router, key)
	// Output:
	// GET 200 text/plain; charset=utf-8
	// PUT 403 application/problem+json
	// GET 401 application/problem+json
}

// Use on a subrouter, and a wrapped handler.
func Example_gorilla() {
	keys, auth, key := service()
	defer func() { _ = keys.Close() }()

	router := mux.NewRouter()
	guarded := router.PathPrefix("/claims").Subrouter()
	guarded.Use(auth.Require("claims:read"))
	guarded.HandleFunc("/{id}", claims).Methods(http.MethodGet)
	guarded.Handle("/{id}", auth.Require("claims:write")(http.HandlerFunc(claims))).Methods(http.MethodPut)

	try(router, key)
	// Output:
	// GET 200 text/plain; charset=utf-8
	// PUT 403 application/problem+json
	// GET 401 application/problem+json
}

// WrapMiddleware per route or group. The principal is in the request's context.
func Example_echo() {
	keys, auth, key := service()
	defer func() { _ = keys.Close() }()

	e := echo.New()
	group := e.Group("/claims", echo.WrapMiddleware(auth.Require("claims:read")))
	list := func(c echo.Context) error {
		return c.String(http.StatusOK, "claims of "+middleware.Principal(c.Request().Context()).Owner())
	}
	group.GET("/:id", list)
	group.PUT("/:id", list, echo.WrapMiddleware(auth.Require("claims:write")))

	try(e, key)
	// Output:
	// GET 200 text/plain; charset=UTF-8
	// PUT 403 application/problem+json
	// GET 401 application/problem+json
}

// CORS goes outside of auth: a browser's preflight carries no credential, and
// answers that refuse have to be readable for the page, too.
func Example_cors() {
	keys, auth, key := service()
	defer func() { _ = keys.Close() }()

	router := http.NewServeMux()
	router.Handle("GET /claims/{id}", auth.Require("claims:read")(http.HandlerFunc(claims)))
	service := cors("https://app.example", router)

	preflight := authtest.NewRequest(http.MethodOptions, "/claims/7", nil, keystore.Secret{})
	preflight.Header.Set("Origin", "https://app.example")
	preflight.Header.Set("Access-Control-Request-Method", http.MethodGet)
	with := authtest.NewRequest(http.MethodGet, "/claims/7", nil, key)
	with.Header.Set("Origin", "https://app.example")
	without := authtest.NewRequest(http.MethodGet, "/claims/7", nil, keystore.Secret{})
	without.Header.Set("Origin", "https://app.example")
	elsewhere := authtest.NewRequest(http.MethodGet, "/claims/7", nil, key)
	elsewhere.Header.Set("Origin", "https://app.example.evil")
	for _, r := range []*http.Request{preflight, with, without, elsewhere} {
		answer := httptest.NewRecorder()
		service.ServeHTTP(answer, r)
		fmt.Printf("%s %d %q\n", r.Method, answer.Code, answer.Header().Get("Access-Control-Allow-Origin"))
	}
	// Output:
	// OPTIONS 204 "https://app.example"
	// GET 200 "https://app.example"
	// GET 401 "https://app.example"
	// GET 200 ""
}

// cors lets pages of one origin, compared exactly, read the answers.
func cors(origin string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Origin")
		if r.Header.Get("Origin") != origin {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Access-Control-Allow-Origin", origin)
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			w.Header().Set("Access-Control-Allow-Methods", "GET")
			w.Header().Set("Access-Control-Allow-Headers", "Authorization")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}
