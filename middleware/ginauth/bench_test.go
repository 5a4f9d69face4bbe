package ginauth_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/middleware"
	"github.com/claviger-go/claviger/middleware/authtest"
	"github.com/claviger-go/claviger/middleware/ginauth"
	"github.com/claviger-go/claviger/middleware/internal/guardtest"
	"github.com/claviger-go/claviger/scopes"
)

// BenchmarkRatio is how many times the reference's time a Guard takes, both on gin.
func BenchmarkRatio(b *testing.B) {
	gin.SetMode(gin.ReleaseMode)
	keys := authtest.NewKeys(b, keystore.Config{})
	auth, err := middleware.New(keys, middleware.Config{})
	if err != nil {
		b.Fatal(err)
	}
	mint := func(granted ...scopes.Scope) string {
		return authtest.Mint(b, keys, keystore.Spec{Scopes: granted}).Credential.Reveal()
	}
	both, one := mint("claims:read", "claims:write"), mint("claims:read")
	reference := guardtest.NewReference(map[string]uint64{both: 3, one: 1})

	engine := func(guard gin.HandlerFunc) http.Handler {
		e := gin.New()
		e.GET("/claims", guard, func(*gin.Context) {})
		return e
	}
	byHand := engine(func(c *gin.Context) {
		r, ok := reference.Admit(c.Writer, c.Request)
		if !ok {
			c.Abort()
			return
		}
		c.Request = r
	})
	byGuard := engine(ginauth.New(auth).Require("claims:read", "claims:write"))
	for _, row := range []struct{ name, credential string }{
		{"outcome=allow", both}, {"outcome=scope-missing", one}, {"outcome=unknown", keystore.ExampleCredential},
	} {
		r := httptest.NewRequest(http.MethodGet, "https://api.example/claims", http.NoBody)
		r.TLS = &tls.ConnectionState{}
		r.Header.Set("Authorization", "Bearer "+row.credential)
		b.Run(row.name, func(b *testing.B) { guardtest.Ratio(b, byHand, byGuard, r) })
	}
}
