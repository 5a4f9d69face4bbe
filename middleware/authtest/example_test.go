package authtest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/middleware"
	"github.com/claviger-go/claviger/middleware/authtest"
	"github.com/claviger-go/claviger/scopes"
)

// routes is what an app's own tests are about.
func routes(auth *middleware.Auth) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /claims", auth.Require("claims:read")(http.HandlerFunc(list)))
	mux.HandleFunc("GET /debug", func(http.ResponseWriter, *http.Request) {})
	return mux
}

func list(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "claims of %s\n", middleware.Principal(r.Context()).Owner())
}

// A key for a test, and a request with it that the transport rules let pass.
func ExampleMint() {
	t := exampleTest()
	defer t.end()
	keys := authtest.NewKeys(t, keystore.Config{})
	auth, err := middleware.New(keys, middleware.Config{})
	if err != nil {
		t.Fatalf("%v", err)
	}

	key := authtest.Mint(t, keys, keystore.Spec{Owner: "acme", Scopes: []scopes.Scope{"claims:read"}})
	answer := httptest.NewRecorder()
	routes(auth).ServeHTTP(answer, authtest.NewRequest(http.MethodGet, "/claims", nil, key.Credential))
	fmt.Print(answer.Code, " ", answer.Body)
	// Output: 200 claims of acme
}

// A list of routes, and the one that nobody guards.
func ExampleGuarded() {
	t := exampleTest()
	defer t.end()
	auth, err := middleware.New(authtest.NewKeys(t, keystore.Config{}), middleware.Config{})
	if err != nil {
		t.Fatalf("%v", err)
	}

	authtest.Guarded(t, routes(auth), "GET /claims", "GET /debug")
	// Output: authtest: GET /debug answers 200 without a credential: want 401 credential-missing
}

// A handler by itself, without a guard in front.
func ExampleWithPrincipal() {
	p := keystore.NewPrincipal(keystore.Record{Owner: "acme"})
	r := httptest.NewRequest(http.MethodGet, "/claims", http.NoBody)

	answer := httptest.NewRecorder()
	list(answer, r.WithContext(authtest.WithPrincipal(r.Context(), p)))
	fmt.Print(answer.Body)
	// Output: claims of acme
}

// What the service answers while its keys cannot be read.
func ExampleStore() {
	t := exampleTest()
	defer t.end()
	store := authtest.NewStore()
	keys := authtest.Open(t, store, keystore.Config{})
	auth, err := middleware.New(keys, middleware.Config{})
	if err != nil {
		t.Fatalf("%v", err)
	}
	key := authtest.Mint(t, keys, keystore.Spec{Scopes: []scopes.Scope{"claims:read"}})

	store.Fail(authtest.Fault{Err: errors.New("connection refused")})
	answer := httptest.NewRecorder()
	routes(auth).ServeHTTP(answer, authtest.NewRequest(http.MethodGet, "/claims", nil, key.Credential))
	fmt.Println(answer.Code, "Retry-After:", answer.Header().Get("Retry-After"))
	// Output: 503 Retry-After: 1
}

// exampleTest stands for the *testing.T that an example has not.
func exampleTest() *printer { return &printer{recorder{ctx: context.Background()}} }

type printer struct{ recorder }

// end prints what the test would report.
func (p *printer) end() {
	for _, cleanup := range p.cleanups {
		cleanup()
	}
	for _, failure := range p.failures {
		fmt.Println(failure) //nolint:forbidigo // the output of an example
	}
}
