package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/claviger-go/claviger/adapters/memstore"
	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/middleware"
	"github.com/claviger-go/claviger/middleware/authtest"
	"github.com/claviger-go/claviger/scopes"
)

// An app opens its keys once, and guards its routes one by one.
func ExampleAuth_Require() {
	keys, err := keystore.New(memstore.New(), keystore.Config{})
	if err != nil {
		panic(err)
	}
	defer func() { _ = keys.Close() }()
	auth, err := middleware.New(keys, middleware.Config{})
	if err != nil {
		panic(err)
	}

	claims := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "claims of %s\n", middleware.Principal(r.Context()).Owner())
	})
	mux := http.NewServeMux()
	mux.Handle("GET /claims", auth.Require("claims:read")(claims))
	mux.Handle("POST /claims", auth.Require("claims:write")(claims))

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
		mux.ServeHTTP(answer, r)
		fmt.Println(r.Method, answer.Code)
		fmt.Print(answer.Body)
	}
	// Output:
	// GET 200
	// claims of acme
	// POST 403
	// {"type":"urn:claviger:problem:scope-missing","title":"Scope missing","status":403,"detail":"The credential lacks a scope that this request needs: claims:write.","scopes":["claims:write"]}
	// GET 401
	// {"type":"urn:claviger:problem:credential-missing","title":"Credential missing","status":401,"detail":"This request needs a credential, and none was found where it is expected: Authorization: Bearer or X-Api-Key."}
}

// A key with a rate is told what is left of it.
func Example_rate() {
	keys, err := keystore.New(memstore.New(), keystore.Config{})
	if err != nil {
		panic(err)
	}
	defer func() { _ = keys.Close() }()
	auth, err := middleware.New(keys, middleware.Config{})
	if err != nil {
		panic(err)
	}
	handler := auth.Authenticate(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	issued, err := keys.Issue(context.Background(), keystore.Spec{
		Owner: "acme", Limits: keystore.Limits{Rate: keystore.Rate{Requests: 1000, Per: time.Hour, Burst: 2}},
	})
	if err != nil {
		panic(err)
	}
	for range 3 {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, authtest.NewRequest("GET", "/", nil, issued.Credential))
		h := answer.Header()
		fmt.Println(answer.Code, h.Get("RateLimit"), h.Get("RateLimit-Policy")) //nolint:canonicalheader // as the draft spells them
		if answer.Code == http.StatusTooManyRequests {
			fmt.Println("Retry-After:", h.Get("Retry-After"))
		}
	}
	// Output:
	// 200 "key";r=1;t=4 "key";q=1000;w=3600
	// 200 "key";r=0;t=4 "key";q=1000;w=3600
	// 429 "key";r=0;t=4 "key";q=1000;w=3600
	// Retry-After: 4
}

// A route for anybody, that knows those who say who they are.
func ExampleAuth_Optional() {
	keys, auth := open(middleware.Config{})
	defer func() { _ = keys.Close() }()
	greet := auth.Optional(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := middleware.Principal(r.Context()); p != nil {
			fmt.Fprintf(w, "hello %s\n", p.Owner())
			return
		}
		fmt.Fprintln(w, "hello stranger")
	}))

	for _, credential := range []keystore.Secret{{}, issue(keys, "acme"), keystore.NewSecret("sk_live_gone")} {
		answer := httptest.NewRecorder()
		greet.ServeHTTP(answer, authtest.NewRequest("GET", "/", nil, credential))
		fmt.Println(answer.Code, answer.Header().Get("Content-Type"))
	}
	// Output:
	// 200 text/plain; charset=utf-8
	// 200 text/plain; charset=utf-8
	// 401 application/problem+json
}

// What clients are not told goes to the service's own log.
func ExampleConfig() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: withoutTime}))
	keys, auth := open(middleware.Config{
		OnDecision: func(ctx context.Context, d middleware.Decision) {
			if d.Outcome != keystore.OutcomeAccepted {
				logger.WarnContext(ctx, "refused", "auth", d)
			}
		},
	})
	defer func() { _ = keys.Close() }()
	guarded := auth.Require("claims:read")(http.NotFoundHandler())
	guarded.ServeHTTP(httptest.NewRecorder(), authtest.NewRequest("GET", "/", nil, keystore.NewSecret("sk_live_nonsense")))
	// Output:
	// level=WARN msg=refused auth.outcome=credential-malformed auth.method=GET auth.status=401 auth.source=Authorization auth.remote=127.0.0.1 auth.asked=claims:read
}

// A framework that has no func(http.Handler) http.Handler is served by Admit.
func ExampleAuth_Admit() {
	keys, auth := open(middleware.Config{})
	defer func() { _ = keys.Close() }()
	asked := auth.AllOf("claims:read") // once, when the route is built

	handle := func(w http.ResponseWriter, r *http.Request) {
		admitted, ok := auth.Admit(w, r, asked)
		if !ok {
			return // it has been answered
		}
		fmt.Fprintln(w, middleware.Principal(admitted.Context()).Owner()) //nolint:contextcheck // inherited from r
	}
	answer := httptest.NewRecorder()
	handle(answer, authtest.NewRequest("GET", "/claims", nil, issue(keys, "acme", "claims:read")))
	fmt.Print(answer.Code, " ", answer.Body)
	// Output: 200 acme
}

// An operator wants to know why a customer's key is refused.
func ExampleAuth_Explain() {
	keys, auth := open(middleware.Config{})
	defer func() { _ = keys.Close() }()
	ctx := context.Background()
	issued, err := keys.Issue(ctx, keystore.Spec{Owner: "acme", Env: keystore.EnvTest, Scopes: []scopes.Scope{"claims:read"}})
	if err != nil {
		panic(err)
	}

	var refused *keystore.RefusedError
	if err := auth.Explain(ctx, issued.Record.ID, auth.AllOf("claims:read")); errors.As(err, &refused) {
		fmt.Println(refused.Outcome)
	}
	// Output: env-refused
}

// open and issue are ExampleAuth_Require's first lines, for the other examples.
func open(config middleware.Config) (*keystore.Keys, *middleware.Auth) {
	keys, err := keystore.New(memstore.New(), keystore.Config{})
	if err != nil {
		panic(err)
	}
	auth, err := middleware.New(keys, config)
	if err != nil {
		panic(err)
	}
	return keys, auth
}

func issue(keys *keystore.Keys, owner string, granted ...scopes.Scope) keystore.Secret {
	issued, err := keys.Issue(context.Background(), keystore.Spec{Owner: owner, Scopes: granted})
	if err != nil {
		panic(err)
	}
	return issued.Credential
}

func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}
