// Command quickstart guards two routes with an API key, on net/http.
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

	"github.com/claviger-go/claviger/examples/internal/serve"
	"github.com/claviger-go/claviger/examples/internal/store"
	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/middleware"
	"github.com/claviger-go/claviger/scopes"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "address to listen on")
	place := flag.String("store", "memory:", store.Usage)
	flag.Parse()
	ctx := context.Background()

	records := must(store.Open(ctx, *place)) // in your own program: memstore.New(), or another adapter
	keys := must(keystore.New(records, keystore.Config{}))
	auth := must(middleware.New(keys, middleware.Config{}))

	mux := http.NewServeMux()
	mux.Handle("GET /claims", auth.Require("claims:read")(http.HandlerFunc(claims)))
	mux.Handle("POST /claims", auth.Require("claims:write")(http.HandlerFunc(claims)))

	issued := must(keys.Issue(ctx, keystore.Spec{
		Owner: "acme", Name: "Quickstart", Scopes: []scopes.Scope{"claims:read"},
	}))

	listener := must(net.Listen("tcp", *addr))
	url, key := "http://"+listener.Addr().String(), issued.Credential.Reveal()
	fmt.Printf("listening on %s\nAPI_KEY=%s\n\n", url, key)
	fmt.Printf("curl -i -H 'Authorization: Bearer %s' %s/claims          # 200\n", key, url)
	fmt.Printf("curl -i %s/claims   # 401: no key\n", url)
	fmt.Printf("curl -i -X POST -H 'Authorization: Bearer %s' %s/claims  # 403: only claims:read\n", key, url)

	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	served := serve.UntilSignal(server, listener)
	if err := errors.Join(served, keys.Close(), records.Close()); err != nil {
		log.Fatal(err)
	}
}

func claims(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "claims of %s\n", middleware.Principal(r.Context()).Owner())
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
