package ginauth_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/middleware"
	"github.com/claviger-go/claviger/middleware/authtest"
	"github.com/claviger-go/claviger/middleware/ginauth"
	"github.com/claviger-go/claviger/scopes"
)

// service is a guard, and keys for it.
type service struct {
	auth        *middleware.Auth
	guard       *ginauth.Guard
	read, write keystore.Issued
}

func newService(t *testing.T, config middleware.Config) service {
	t.Helper()
	keys := authtest.NewKeys(t, keystore.Config{})
	auth, err := middleware.New(keys, config)
	if err != nil {
		t.Fatal(err)
	}
	return service{
		auth: auth, guard: ginauth.New(auth),
		read:  authtest.Mint(t, keys, keystore.Spec{Owner: "acme", Scopes: []scopes.Scope{"claims:read"}}),
		write: authtest.Mint(t, keys, keystore.Spec{Owner: "acme", Scopes: []scopes.Scope{"claims:read", "claims:write"}}),
	}
}

func send(handler http.Handler, method, target string, key keystore.Secret) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, authtest.NewRequest(method, target, nil, key))
	return answer
}

// A refused request goes no further: not to the next handler, and the context says
// so. What comes before the guard is told as well.
func TestAbort(t *testing.T) {
	t.Parallel()
	s := newService(t, middleware.Config{})
	var steps []string
	step := func(name string) gin.HandlerFunc {
		return func(c *gin.Context) {
			steps = append(steps, name)
			c.Next()
			if c.IsAborted() {
				steps = append(steps, name+" aborted")
			}
		}
	}
	engine := gin.New()
	engine.Use(step("outer"), s.guard.Require("claims:read"), step("inner"))
	engine.POST("/claims", s.guard.Require("claims:write"), step("handler"), func(c *gin.Context) { c.Status(http.StatusNoContent) })
	engine.NoRoute(step("no route"))
	for _, tt := range []struct {
		desc, target string
		key          keystore.Secret
		status       int
		steps        string
	}{
		{"none", "/claims", keystore.Secret{}, 401, "outer, outer aborted"},
		{"stopped at the second guard", "/claims", s.read.Credential, 403, "outer, inner, inner aborted, outer aborted"},
		{"through", "/claims", s.write.Credential, 204, "outer, inner, handler"},
		{"none, where no route is", "/nothing", keystore.Secret{}, 401, "outer, outer aborted"},
		{"through, where no route is", "/nothing", s.read.Credential, 404, "outer, inner, no route"},
	} {
		steps = nil
		answer := send(engine, http.MethodPost, tt.target, tt.key)
		if got := strings.Join(steps, ", "); answer.Code != tt.status || got != tt.steps {
			t.Errorf("%s: answered %d after %s", tt.desc, answer.Code, got)
		}
	}
}

// The principal and what gin keeps for itself (T-054: ClientIP is gin's own affair
// and decides nothing here).
func TestContext_T054(t *testing.T) {
	t.Parallel()
	s := newService(t, middleware.Config{})
	engine := gin.New() // trusts every proxy, by gin's default
	ran := false
	engine.GET("/claims/:id", func(c *gin.Context) {
		if ginauth.Principal(c) != nil {
			t.Error("there is a principal before the guard")
		}
		c.Set("kept", true)
	}, s.guard.Authenticate(), func(c *gin.Context) {
		ran = true
		p := ginauth.Principal(c)
		if p.KeyID() != s.read.Record.ID || middleware.Principal(c.Request.Context()) != p || c.Param("id") != "7" || !c.GetBool("kept") ||
			c.FullPath() != "/claims/:id" || c.ClientIP() != "127.0.0.1" { //nolint:forbidigo // to see that it is as it was
			t.Errorf("the handler finds %v and %v", p, c)
		}
	})
	if answer := send(engine, http.MethodGet, "/claims/7", s.read.Credential); answer.Code != http.StatusOK || !ran {
		t.Errorf("answered %d", answer.Code)
	}
	r := authtest.NewRequest(http.MethodGet, "/claims/7", nil, s.read.Credential)
	r.RemoteAddr, r.TLS = "198.51.100.1:1", nil
	r.Header.Set("X-Forwarded-For", "127.0.0.1") // what ClientIP would believe
	r.Header.Set("X-Forwarded-Proto", "https")
	answer := httptest.NewRecorder()
	ran = false
	engine.ServeHTTP(answer, r)
	if answer.Code != http.StatusForbidden || ran {
		t.Errorf("answered %d", answer.Code)
	}
}

// T-046: a probe asks every route of an engine, and finds the one left open.
func TestRoutes_T046(t *testing.T) {
	t.Parallel()
	s := newService(t, middleware.Config{})
	engine := gin.New()
	engine.Use(s.guard.Authenticate())
	handler := func(c *gin.Context) { c.Status(http.StatusNoContent) }
	engine.GET("/claims", handler)
	engine.GET("/claims/:id", s.guard.Require("claims:read"), handler)
	engine.Any("/files/*path", handler)
	group := engine.Group("/admin", s.guard.RequireAny("admin:all"))
	group.DELETE("/users/:id/keys/:key", handler)
	if got := len(ginauth.Routes(engine)); got != 12 {
		t.Errorf("%d routes: %v", got, ginauth.Routes(engine))
	}
	authtest.Guarded(t, engine, ginauth.Routes(engine)...)

	open := gin.New()
	open.GET("/before", handler)
	open.Use(s.guard.Authenticate())
	open.GET("/after", handler)
	found := &complaints{TB: t}
	authtest.Guarded(found, open, ginauth.Routes(open)...)
	if len(found.texts) != 1 || !strings.Contains(found.texts[0], "GET /before answers 204") {
		t.Errorf("Guarded complains of %q", found.texts)
	}
}

// complaints is a test that keeps what is reported to it.
type complaints struct {
	testing.TB

	texts []string
}

func (c *complaints) Errorf(format string, args ...any) {
	c.texts = append(c.texts, fmt.Sprintf(format, args...))
}

// T-047, T-048: whatever gin takes for the path, the guard stands in front of the
// handler that it finds.
func TestPaths_T048(t *testing.T) {
	t.Parallel()
	s := newService(t, middleware.Config{})
	targets := []string{
		"/api/claims/7", "/api/claims/a%2Fb", "/api/claims/a%2fb", "/api/claims/%2e%2e", "/api//claims/7", "/api/./claims/7", "/api/claims/7/",
		"/API/claims/7", "/api%2Fclaims%2F7", "/api/claims%2F7", "/%61pi/claims/7", "/api/claims/7%00", "/api/x/../claims/7", "/api/claims/%252F",
	}
	for _, tt := range []struct {
		desc  string
		setup func(*gin.Engine)
	}{
		{"as it is", func(*gin.Engine) {}},
		{"UseRawPath", func(e *gin.Engine) { e.UseRawPath = true }},
		{"UseRawPath, values as they are", func(e *gin.Engine) { e.UseRawPath, e.UnescapePathValues = true, false }},
		{"UseEscapedPath", func(e *gin.Engine) { e.UseEscapedPath = true }},
		{"RemoveExtraSlash", func(e *gin.Engine) { e.RemoveExtraSlash = true }},
		{"RedirectFixedPath", func(e *gin.Engine) { e.RedirectFixedPath = true }},
		{"no redirects", func(e *gin.Engine) { e.RedirectTrailingSlash = false }},
		{"HandleMethodNotAllowed", func(e *gin.Engine) { e.HandleMethodNotAllowed = true }},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			t.Parallel()
			engine := gin.New()
			tt.setup(engine)
			reached := 0
			handler := func(*gin.Context) { reached++ }
			api := engine.Group("/api")
			api.GET("/claims/:id", s.guard.Require("claims:write"), handler)
			api.GET("/public/:id", func(*gin.Context) {})
			below := http.StripPrefix("/v1", engine)
			for _, target := range targets {
				for _, key := range []keystore.Secret{{}, s.read.Credential} {
					for _, answer := range []*httptest.ResponseRecorder{
						send(engine, http.MethodGet, target, key), send(below, http.MethodGet, "/v1"+target, key), send(engine, http.MethodPost, target, key),
					} {
						location := answer.Header().Get("Location")
						if reached > 0 || answer.Code == http.StatusOK || strings.HasPrefix(location, "//") || strings.Contains(location, ":") {
							t.Errorf("%s is answered %d, %s", target, answer.Code, location)
						}
					}
				}
			}
			if send(engine, http.MethodGet, targets[0], s.write.Credential); reached != 1 {
				t.Error("with the scope the handler does not run")
			}
		})
	}
}

// T-126: a logger and a recovery behind the guard know nothing of a key in the
// query.
func TestLogger_T126(t *testing.T) {
	t.Parallel()
	s := newService(t, middleware.Config{DangerouslyAcceptQueryKey: true})
	var printed bytes.Buffer
	engine := gin.New()
	engine.Use(s.guard.Authenticate(), gin.LoggerWithWriter(&printed), gin.RecoveryWithWriter(&printed))
	engine.GET("/claims", func(c *gin.Context) {
		if c.Query("api_key") != "" || c.Query("a") != "b" || c.Request.URL.RawQuery != "a=b" {
			t.Errorf("the handler sees %s", c.Request.URL)
		}
	})
	engine.GET("/panics", func(*gin.Context) { panic(http.ErrAbortHandler) }) // gin prints the request
	key := s.read.Credential.Reveal()
	for _, target := range []string{"/claims?a=b&api_key=", "/panics?a=b&api_key="} {
		send(engine, http.MethodGet, target+key, keystore.Secret{})
	}
	if text := printed.String(); strings.Contains(text, key) || strings.Count(text, "?a=b") != 3 {
		t.Errorf("printed:\n%s", text)
	}

	// The package's doc warns of this. Once gin masks it too, the warning can go.
	for _, tt := range []struct {
		name, value string
		shown       bool
	}{{"Authorization", "Bearer " + key, false}, {"X-API-Key", key, true}} {
		printed.Reset()
		r := authtest.NewRequest(http.MethodGet, "/panics", nil, keystore.Secret{})
		r.Header.Set(tt.name, tt.value)
		engine.ServeHTTP(httptest.NewRecorder(), r)
		if text := printed.String(); strings.Contains(text, key) != tt.shown {
			t.Errorf("%s: printed:\n%s", tt.name, text)
		}
	}
}

// Whoever forgets the Auth learns of it at once, and a Guard that New did not make
// lets nobody through.
func TestZeroValues(t *testing.T) {
	t.Parallel()
	panics := func(f func()) (cause any) {
		defer func() { cause = recover() }()
		f()
		return nil
	}
	if cause := panics(func() { ginauth.New(nil) }); cause != "ginauth: New without an Auth" {
		t.Errorf("New panics with %v", cause)
	}
	s := newService(t, middleware.Config{})
	if panics(func() { s.guard.Require() }) == nil || panics(func() { s.guard.RequireAny("claims:*") }) == nil {
		t.Error("a route asks for scopes that cannot be")
	}
	var zero ginauth.Guard
	for name, guard := range map[string]gin.HandlerFunc{"Authenticate": zero.Authenticate(), "Optional": zero.Optional()} {
		engine := gin.New()
		engine.Use(gin.RecoveryWithWriter(nil), guard)
		engine.GET("/", func(*gin.Context) { t.Errorf("%s: the handler runs", name) })
		if answer := send(engine, http.MethodGet, "/", s.read.Credential); answer.Code != http.StatusInternalServerError {
			t.Errorf("%s: answered %d", name, answer.Code)
		}
	}
}
