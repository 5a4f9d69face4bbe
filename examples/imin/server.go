package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/middleware"
	"github.com/claviger-go/claviger/scopes"
)

// server is imin: its keys, and the routes that they open.
type server struct {
	keys   *keystore.Keys
	routes *http.ServeMux
	log    *slog.Logger
}

// config is what differs between a program and its test.
type config struct {
	log     *slog.Logger
	notify  func(owner, text string) // tells a customer; a request may wait for it
	proxies []middleware.Proxy

	now           func() time.Time
	lookupTimeout time.Duration
}

func newServer(records keystore.KeyStore, c config) (*server, error) {
	keys, err := keystore.New(records, keystore.Config{
		Brand: "imin", Catalog: catalog(),
		AcceptForeign: true, // keys from before
		Misuse:        keystore.MisusePolicy{SuspendServices: true, SuspendBrowser: true},
		OnEvent:       c.hear,
		Now:           c.now, LookupTimeout: c.lookupTimeout,
	})
	if err != nil {
		return nil, err
	}
	guard := middleware.Config{
		Sources:        []middleware.Source{middleware.Header("X-API-KEY")},
		Verifiers:      []keystore.Verifier{newTester()},
		TrustedProxies: c.proxies,
		Realm:          "imin",
		OnDecision: func(ctx context.Context, d middleware.Decision) {
			c.log.DebugContext(ctx, "request", "decision", d)
		},
	}
	live, err := middleware.New(keys, guard)
	guard.Envs = []keystore.Env{keystore.EnvLive, keystore.EnvTest}
	all, err2 := middleware.New(keys, guard)
	if err := errors.Join(err, err2); err != nil {
		return nil, errors.Join(err, keys.Close())
	}

	s := &server{keys, http.NewServeMux(), c.log}
	s.handle("GET /events-api/v2/event-series", all.Require("events:read"), eventSeries)
	s.handle("GET /facilities-api/v2/facility-uses", live.Require("facilities:read"), facilityUses)
	s.handle("POST /keys/{id}/rotate", live.Require("keys:manage"), s.rotate)
	s.handle("POST /keys/{id}/replace", live.Require("keys:manage"), s.replace)
	return s, nil
}

func (s *server) handle(route string, guard func(http.Handler) http.Handler, handler http.HandlerFunc) {
	s.routes.Handle(route, guard(handler))
}

// catalog names what keys may do. The key of a service manages no keys: whoever stole it could replace it, and lock its
// customer out.
func catalog() *scopes.Catalog {
	return scopes.MustCatalog(
		scopes.Definition{Name: "events:read", Title: "Events API"},
		scopes.Definition{Name: "facilities:read", Title: "Facilities API"},
		scopes.Definition{Name: "keys:manage", Title: "Rotate and replace keys of the same account"},
		scopes.Definition{Name: "accounts:manage", Title: "… and of every other account"},
	)
}
