// Command gin guards two routes with an API key, on gin.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/claviger-go/claviger/examples/internal/serve"
	"github.com/claviger-go/claviger/examples/internal/store"
	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/middleware"
	"github.com/claviger-go/claviger/middleware/ginauth"
	"github.com/claviger-go/claviger/scopes"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "address to listen on")
	place := flag.String("store", "memory:", store.Usage)
	flag.Parse()
	ctx := context.Background()

	records := must(store.Open(ctx, *place)) // in your own program: memstore.New(), or another adapter
	keys := must(keystore.New(records, keystore.Config{}))
	auth := ginauth.New(must(middleware.New(keys, middleware.Config{})))

	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	router.Use(gin.Recovery(), auth.Require("claims:read")) // every route needs it
	router.GET("/claims", claims)
	router.POST("/claims", auth.Require("claims:write"), claims)

	issued := must(keys.Issue(ctx, keystore.Spec{
		Owner: "acme", Name: "Gin", Scopes: []scopes.Scope{"claims:read"},
	}))

	listener := must(net.Listen("tcp", *addr))
	url, key := "http://"+listener.Addr().String(), issued.Credential.Reveal()
	fmt.Printf("listening on %s\nAPI_KEY=%s\n\n", url, key)
	fmt.Printf("curl -i -H 'X-API-Key: %s' %s/claims          # 200\n", key, url)
	fmt.Printf("curl -i %s/claims   # 401: no key\n", url)
	fmt.Printf("curl -i -X POST -H 'X-API-Key: %s' %s/claims  # 403: only claims:read\n", key, url)

	server := &http.Server{Handler: router, ReadHeaderTimeout: 5 * time.Second}
	served := serve.UntilSignal(server, listener)
	if err := errors.Join(served, keys.Close(), records.Close()); err != nil {
		log.Fatal(err)
	}
}

func claims(c *gin.Context) {
	c.String(http.StatusOK, "claims of %s\n", ginauth.Principal(c).Owner())
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
