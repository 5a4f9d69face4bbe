package guardtest

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/middleware/authtest"
	"github.com/claviger-go/claviger/scopes"
)

// store counts what verification asks of it, and fails or lies on demand.
type store struct {
	*authtest.Store
	lookups atomic.Int64
	lie     atomic.Pointer[func(id string) (keystore.Record, error)]
}

func (s *store) Lookup(ctx context.Context, id string) (keystore.Record, error) {
	s.lookups.Add(1)
	if lie := s.lie.Load(); lie != nil {
		return (*lie)(id)
	}
	return s.Store.Lookup(ctx, id)
}

// clock moves only when told to.
type clock struct{ passed atomic.Int64 }

func (c *clock) now() time.Time {
	return time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC).Add(time.Duration(c.passed.Load()))
}

func (c *clock) advance(d time.Duration) { c.passed.Add(int64(d)) }

// service has one credential of each sort. A request names one as {read}.
type service struct {
	mount  Mount
	store  *store
	clock  *clock
	keys   *keystore.Keys
	events events
	texts  map[string]string
	ids    map[string]string
	named  *strings.Replacer
}

// errStore is what a failing store says; no client may read it.
var errStore = errors.New("pq: password authentication failed for user root")

func open(t *testing.T, mount Mount) *service {
	t.Helper()
	s := &service{
		mount: mount, store: &store{Store: authtest.NewStore()}, clock: new(clock),
		texts: map[string]string{}, ids: map[string]string{},
	}
	s.keys = authtest.Open(t, s.store, keystore.Config{Now: s.clock.now, LookupTimeout: 20 * time.Second, OnEvent: s.events.hear})
	now := s.clock.now()
	office, _ := netip.ParsePrefix("192.0.2.0/24")
	office6, _ := netip.ParsePrefix("2001:db8::/32")
	read, write := []scopes.Scope{"claims:read"}, []scopes.Scope{"claims:write"}
	for name, spec := range map[string]keystore.Spec{
		"read":      {Owner: "acme", Name: "reader", Scopes: read, Meta: map[string]string{"plan": "gold"}},
		"write":     {Scopes: write},
		"all":       {Scopes: []scopes.Scope{"claims:*"}},
		"full":      {FullAccess: true},
		"none":      {},
		"test":      {Scopes: read, Env: keystore.EnvTest},
		"expired":   {Scopes: read, Expires: now.Add(time.Minute)},
		"early":     {Scopes: read, NotBefore: now.Add(time.Hour)},
		"suspended": {Scopes: read},
		"revoked":   {Scopes: read},
		"orphaned":  {Scopes: read},
		"unknown":   {Scopes: read},
		"wrong":     {Scopes: read},
		"office":    {Scopes: read, Limits: keystore.Limits{Networks: []netip.Prefix{office, office6}}},
		"banned":    {Scopes: read, Limits: keystore.Limits{DeniedNetworks: []netip.Prefix{office}}},
		"server":    {Scopes: read, Limits: keystore.Limits{ServerOnly: true}},
		"licensed":  {Scopes: read, Limits: keystore.Limits{Services: 1}},
		"getter":    {Scopes: read, Limits: keystore.Limits{Methods: []string{"GET"}}},
		"routed":    {Scopes: read, Limits: keystore.Limits{Routes: []string{"/claims/{id}", "/claims/:id"}}},
		"rated":     {Scopes: read, Limits: keystore.Limits{Rate: keystore.Rate{Requests: 2, Per: time.Minute}}},
		"bound":     {Scopes: read, Limits: keystore.Limits{Audiences: []string{"claims", "orders"}}},
	} {
		issued := authtest.Mint(t, s.keys, spec)
		s.texts[name], s.ids[name] = issued.Credential.Reveal(), issued.Record.ID
	}
	s.spoil(t)
	s.clock.advance(2 * time.Minute) // past what "expired" had

	pairs := make([]string, 0, 2*len(s.texts)+2)
	for name, text := range s.texts {
		pairs = append(pairs, "{"+name+"}", text)
	}
	last := len(s.texts["read"]) - 1
	s.named = strings.NewReplacer(append(pairs, "{malformed}", s.texts["read"][:last])...)
	return s
}

// fill puts credentials where they are named.
func (s *service) fill(raw string) string {
	if !strings.Contains(raw, "{") {
		return raw // a Replacer takes its time for a megabyte
	}
	return s.named.Replace(raw)
}

// spoil brings about what no Spec can ask for.
func (s *service) spoil(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatalf("guardtest: spoiling keys: %v", err)
		}
	}
	must(s.keys.Suspend(ctx, s.ids["suspended"], keystore.ReasonMisuse))
	must(s.keys.Revoke(ctx, s.ids["revoked"], keystore.ReasonRequested))
	must(s.keys.Delete(ctx, s.ids["unknown"]))
	other, err := s.keys.Lookup(ctx, s.ids["none"])
	must(err)
	s.rewrite(t, "wrong", func(r *keystore.Record) {
		digest := other.Secrets[0].Hash[strings.LastIndexByte(other.Secrets[0].Hash, '$'):]
		r.Secrets[0].Hash = "$sha256$" + r.ID + digest
	})
	s.rewrite(t, "orphaned", func(r *keystore.Record) { r.Parent = "gone" })
}

// rewrite changes a record behind the back of Keys' rules, as another process may.
func (s *service) rewrite(t *testing.T, name string, change func(*keystore.Record)) {
	t.Helper()
	record, err := s.store.Store.Lookup(t.Context(), s.ids[name])
	if err == nil {
		change(&record)
		record.Op = ""
		err = s.store.Update(t.Context(), record)
	}
	if err != nil {
		t.Fatalf("guardtest: rewriting %s: %v", name, err)
	}
}
