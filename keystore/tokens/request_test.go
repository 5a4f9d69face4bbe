package tokens_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/keystore/tokens"
	"github.com/claviger-go/claviger/scopes"
)

// access is a GET over HTTPS from 192.0.2.1 to the service "claims".
func access(required ...scopes.Scope) *keystore.Access {
	requirement := scopes.Authenticated()
	if len(required) > 0 {
		var err error
		if requirement, err = scopes.AllOf(required...); err != nil {
			panic(err)
		}
	}
	return &keystore.Access{
		Requirement: requirement, Envs: []keystore.Env{keystore.EnvLive}, Audience: "claims",
		Secure: true, Remote: netip.MustParseAddr("192.0.2.1"), Method: "GET", Route: "/claims",
	}
}

// T-083 and S7: owner, credential, client, scopes, audience and session id each make another token; in particular the
// same session id of somebody else is another session.
func TestT083_S7_CrossProduct(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]tokens.Config{"JWT": {}, "opaque": {Opaque: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := alone(t, config)
			type owned struct {
				owner, key string
				who        *keystore.Principal
			}
			var all []owned
			for _, name := range []string{"acme", "umbrella"} {
				for range 2 {
					who := p.key(keystore.Spec{Owner: name, Scopes: spec.Scopes})
					all = append(all, owned{name, who.KeyID(), who})
				}
				all = append(all, owned{name, "", owner(name, spec.Scopes...)})
			}
			seen := map[string]tokens.Request{}
			for _, o := range all {
				for _, client := range []string{"", "app"} {
					for _, granted := range [][]scopes.Scope{nil, {"claims:read"}} {
						for _, audience := range []string{"", "claims", "orders"} {
							for _, id := range []string{"", "s", "apps"} {
								q := tokens.Request{Client: client, Scopes: granted, Audience: audience, SessionID: id}
								token := p.login(o.who, q)
								require.NotContains(t, seen, token.Text.Reveal())
								require.NotContains(t, seen, token.Session)
								seen[token.Text.Reveal()], seen[token.Session] = q, q
								require.Equal(t, token.Text.Reveal(), p.login(o.who, q).Text.Reveal())

								who := p.requireAccepted(token)
								require.Equal(t, []string{o.owner, token.Session}, []string{who.Owner(), who.Session()})
								if o.key != "" {
									require.Equal(t, o.key, who.KeyID())
								}
								require.Equal(t, granted == nil, who.Allows("claims:write"))
								err := p.admit(who, access("claims:read"))
								if audience == "orders" {
									requireOutcome(t, err, keystore.OutcomeAudienceRefused)
								} else {
									require.NoError(t, err)
								}
							}
						}
					}
				}
			}
		})
	}
}

// T-083: fields that run into one another are other fields.
func TestT083_Boundaries(t *testing.T) {
	t.Parallel()
	p := alone(t, tokens.Config{})
	seen := map[string]bool{}
	for _, q := range []tokens.Request{
		{Client: "ab", SessionID: "c"},
		{Client: "a", SessionID: "bc"},
		{Client: "abc"},
		{SessionID: "abc"},
		{Audience: "ab", SessionID: "c"},
		{Audience: "a", SessionID: "bc"},
		{Client: "a", Audience: "b"},
		{Client: "b", Audience: "a"},
		{Client: `a","name":"b`},
		{Client: "a", SessionID: `","name":"b`},
	} {
		seen[p.login(owner("ann"), q).Session] = true
	}
	for _, name := range []string{"ann ", "an", "Ann"} {
		seen[p.login(owner(name), tokens.Request{}).Session] = true
		seen[p.login(owner(name), tokens.Request{SessionID: "n"}).Session] = true
	}
	require.Len(t, seen, 16)
}

// T-083: what applies to an owner is in no other record, so it makes another session as well.
func TestT083_OwnersDiffer(t *testing.T) {
	t.Parallel()
	p := alone(t, tokens.Config{})
	r := keystore.Record{Owner: "ann", Env: keystore.EnvLive, Meta: map[string]string{"tier": "gold"}}
	sessions := map[string]bool{}
	for _, edit := range []func(*keystore.Record){
		func(*keystore.Record) {},
		func(r *keystore.Record) { r.Env = keystore.EnvTest },
		func(r *keystore.Record) { r.Type = "staff" },
		func(r *keystore.Record) { r.Meta = nil },
		func(r *keystore.Record) { r.Limits.ServerOnly = true },
		func(r *keystore.Record) { r.Limits.Networks = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} },
		func(r *keystore.Record) { r.NotBefore = p.clock.Now() },
	} {
		other := r
		edit(&other)
		token := p.login(keystore.NewPrincipal(other), tokens.Request{})
		sessions[token.Session] = true
		who := p.requireAccepted(token)
		require.Equal(t, []any{other.Env, other.Type}, []any{who.Env(), who.Type()})
		tier, _ := who.Meta("tier")
		require.Equal(t, other.Meta["tier"], tier)
		if other.Limits.Networks != nil {
			requireOutcome(t, p.admit(who, access()), keystore.OutcomeNetworkRefused)
		}
	}
	require.Len(t, sessions, 7)
}

// T-086: a client called like an owner, and the other way round, stay what they are.
func TestT086_KindsAreNamespaces(t *testing.T) {
	t.Parallel()
	p := alone(t, tokens.Config{})
	for _, name := range []string{"1", "admin"} {
		client := p.client(name, keystore.Spec{Owner: "acme", Type: "partner", Scopes: []scopes.Scope{"claims:read"}})
		key := p.key(keystore.Spec{Owner: name, Scopes: []scopes.Scope{"claims:write"}})
		ofClient, ofKey, ofOwner := p.login(client, tokens.Request{}), p.login(key, tokens.Request{Client: name}), p.login(owner(name), tokens.Request{Client: name})
		for _, row := range []struct {
			token          tokens.Token
			sub, owner, id string
		}{
			{ofClient, "acme", "acme", name},
			{ofKey, name, name, key.KeyID()},
			{ofOwner, name, name, ofOwner.Session},
		} {
			_, claims := decoded(t, row.token.Text.Reveal())
			require.Equal(t, []any{row.sub, name}, []any{claims["sub"], claims["client_id"]})
			who := p.requireAccepted(row.token)
			require.Equal(t, []any{keystore.KindSession, row.owner, row.id, row.token.Session}, []any{who.Kind(), who.Owner(), who.KeyID(), who.Session()})
		}
		require.Equal(t, "partner", p.requireAccepted(ofClient).Type(), "of the client, and not of its session")
		require.False(t, p.requireAccepted(ofClient).Allows("claims:write"))
		require.False(t, p.requireAccepted(ofOwner).Allows("claims:read"))

		_, err := p.Exchange(t.Context(), client, tokens.Request{Client: "2"})
		require.ErrorIs(t, err, keystore.ErrInvalid)
	}
}

// T-085 and S8: a token can do no more than its key, in no other place, for no other service; also when the key is
// narrowed later.
func TestT085_BoundedByTheKey(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		desc   string
		limits keystore.Limits
		spoil  func(*keystore.Access)
		want   keystore.Outcome
	}{
		{"network", keystore.Limits{Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}, func(a *keystore.Access) { a.Remote = netip.MustParseAddr("203.0.113.9") }, keystore.OutcomeNetworkRefused},
		{"browser", keystore.Limits{ServerOnly: true}, func(a *keystore.Access) { a.Browser = true }, keystore.OutcomeBrowserRefused},
		{"method", keystore.Limits{Methods: []string{"GET"}}, func(a *keystore.Access) { a.Method = "POST" }, keystore.OutcomeMethodRefused},
		{"route", keystore.Limits{Routes: []string{"/claims"}}, func(a *keystore.Access) { a.Route = "/orders" }, keystore.OutcomeRouteRefused},
		{"service", keystore.Limits{Audiences: []string{"claims"}}, func(a *keystore.Access) { a.Audience = "orders" }, keystore.OutcomeAudienceRefused},
		{"transport", keystore.Limits{}, func(a *keystore.Access) { a.Secure = false }, keystore.OutcomeHTTPSRequired},
		{"env", keystore.Limits{}, func(a *keystore.Access) { a.Envs = []keystore.Env{keystore.EnvTest} }, keystore.OutcomeEnvRefused},
		{"scope", keystore.Limits{}, func(a *keystore.Access) { a.Requirement = access("claims:delete").Requirement }, keystore.OutcomeScopeMissing},
	} {
		t.Run(row.desc, func(t *testing.T) {
			t.Parallel()
			p := alone(t, tokens.Config{})
			before := p.key(keystore.Spec{Owner: "acme", Scopes: spec.Scopes, Limits: row.limits})
			later := p.key(spec)
			tokens := []tokens.Token{p.login(before, tokens.Request{}), p.login(later, tokens.Request{})}
			_, err := p.keys.Edit(t.Context(), later.KeyID(), func(r *keystore.Record) error {
				r.Limits = row.limits
				return nil
			})
			require.NoError(t, err)
			for _, token := range tokens {
				who := p.requireAccepted(token)
				require.NoError(t, p.admit(who, access("claims:read")))
				a := access("claims:read")
				row.spoil(a)
				requireOutcome(t, p.admit(who, a), row.want)
			}
		})
	}
}

// T-085: what may be asked for, and what then stands in the token.
func TestT085_Requests(t *testing.T) {
	t.Parallel()
	catalog := scopes.MustCatalog(
		scopes.Definition{Name: "claims:read", Title: "Read"},
		scopes.Definition{Name: "claims:write", Title: "Write", Implies: []scopes.Scope{"claims:read"}},
		scopes.Definition{Name: "orders:read", Title: "Orders"},
		scopes.Definition{Name: "everything", Title: "Full Access", Bundle: []scopes.Scope{"*"}},
	)
	p := startWith(t, newPlace(), newClock(), keystore.Config{Ring: ring(t, "2026"), Catalog: catalog}, tokens.Config{})
	reader := p.key(keystore.Spec{Owner: "acme", Scopes: []scopes.Scope{"claims:read"}})
	writer := p.key(keystore.Spec{Owner: "acme", Scopes: []scopes.Scope{"claims:write"}})
	full := p.key(keystore.Spec{Owner: "acme", FullAccess: true})
	bound := p.key(keystore.Spec{Owner: "acme", Limits: keystore.Limits{Audiences: []string{"claims", "orders"}}})
	none := p.key(keystore.Spec{Owner: "acme"})
	for _, row := range []struct {
		desc      string
		who       *keystore.Principal
		q         tokens.Request
		scopes    string
		audiences any
	}{
		{"all", reader, tokens.Request{}, "claims:read", nil},
		{"the same", reader, tokens.Request{Scopes: []scopes.Scope{"claims:read"}}, "claims:read", nil},
		{"less", full, tokens.Request{Scopes: []scopes.Scope{"orders:read"}}, "orders:read", nil},
		{"a pattern of all", full, tokens.Request{Scopes: []scopes.Scope{"claims:*"}}, "claims:*", nil},
		{"full access", full, tokens.Request{}, "*", nil},
		{"full access by name", full, tokens.Request{Scopes: []scopes.Scope{"everything"}}, "*", nil},
		{"with what is implied", writer, tokens.Request{Scopes: []scopes.Scope{"claims:write"}}, "claims:read claims:write", nil},
		{"less than what implies it", writer, tokens.Request{Scopes: []scopes.Scope{"claims:read"}}, "claims:read", nil},
		{"of none", none, tokens.Request{}, "", nil},
		{"any audience", reader, tokens.Request{Audience: "x"}, "claims:read", "x"},
		{"an audience allowed", bound, tokens.Request{Audience: "orders"}, "", "orders"},
		{"the audiences allowed", bound, tokens.Request{}, "", []any{"claims", "orders"}},
	} {
		token := p.login(row.who, row.q)
		_, claims := decoded(t, token.Text.Reveal())
		require.Equal(t, row.scopes, token.Scopes.String(), row.desc)
		require.Equal(t, row.audiences, claims["aud"], row.desc)
		if row.scopes != "" {
			require.Equal(t, row.scopes, claims["scope"], row.desc)
		}
		require.Equal(t, row.scopes, p.requireAccepted(token).Scopes().String(), row.desc)
	}
	writes := p.store.writes.Load()
	for _, row := range []struct {
		desc    string
		who     *keystore.Principal
		q       tokens.Request
		want    keystore.Outcome
		missing []scopes.Scope
	}{
		{"more", reader, tokens.Request{Scopes: []scopes.Scope{"claims:read", "orders:read"}}, keystore.OutcomeScopeMissing, []scopes.Scope{"orders:read"}},
		{"what implies it", reader, tokens.Request{Scopes: []scopes.Scope{"claims:write"}}, keystore.OutcomeScopeMissing, []scopes.Scope{"claims:write"}},
		{"a pattern", writer, tokens.Request{Scopes: []scopes.Scope{"claims:*"}}, keystore.OutcomeScopeMissing, []scopes.Scope{"claims:*"}},
		{"full access", writer, tokens.Request{Scopes: []scopes.Scope{"everything"}}, keystore.OutcomeScopeMissing, []scopes.Scope{"*"}},
		{"of none", none, tokens.Request{Scopes: []scopes.Scope{"claims:read"}}, keystore.OutcomeScopeMissing, []scopes.Scope{"claims:read"}},
		{"another audience", bound, tokens.Request{Audience: "x"}, keystore.OutcomeAudienceRefused, nil},
		{"nobody", nil, tokens.Request{}, keystore.OutcomeMissing, nil},
		{"a zero principal", &keystore.Principal{}, tokens.Request{}, keystore.OutcomeMissing, nil},
	} {
		_, err := p.Exchange(t.Context(), row.who, row.q)
		requireOutcome(t, err, row.want, row.desc)
		var refused *keystore.RefusedError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, row.missing, refused.Missing, row.desc)
	}
	session := p.requireAccepted(p.login(reader, tokens.Request{}))
	elsewhere := alone(t, tokens.Config{})
	for _, row := range []struct {
		desc, want string
		who        *keystore.Principal
		q          tokens.Request
	}{
		{"unknown scope", "unknown scope", reader, tokens.Request{Scopes: []scopes.Scope{"claims:raed"}}},
		{"malformed scope", "malformed", reader, tokens.Request{Scopes: []scopes.Scope{"*"}}},
		{"control character", "client_id", reader, tokens.Request{Client: "a\nb"}},
		{"no UTF-8", "", reader, tokens.Request{Client: "\xff"}},
		{"long client", "at most 256", reader, tokens.Request{Client: strings.Repeat("c", 257)}},
		{"long audience", "256", reader, tokens.Request{Audience: strings.Repeat("a", 257)}},
		{"a token", "no other token", session, tokens.Request{}},
		{"another's session", "no other token", keystore.NewPrincipal(keystore.Record{Kind: keystore.KindSession, Owner: "ann", Env: "live"}), tokens.Request{}},
		{"no owner", "no owner", keystore.NewPrincipal(keystore.Record{Env: "live"}), tokens.Request{}},
		{"no env", "Env", keystore.NewPrincipal(keystore.Record{Owner: "ann"}), tokens.Request{}},
		{"another verifier's, with the id of a key of ours", "another verifier", keystore.NewPrincipal(keystore.Record{ID: reader.KeyID(), Owner: "mallory", Env: "live"}), tokens.Request{}},
		{"of other Keys", "another verifier", elsewhere.key(spec), tokens.Request{}},
	} {
		_, err := p.Exchange(t.Context(), row.who, row.q)
		require.ErrorIs(t, err, keystore.ErrInvalid, row.desc)
		require.ErrorContains(t, err, row.want, row.desc)
	}
	require.Equal(t, writes, p.store.writes.Load())
}

// The audience of the app is the default, where the key may be used there.
func TestAudience_Default(t *testing.T) {
	t.Parallel()
	p := alone(t, tokens.Config{Audience: "claims"})
	for _, row := range []struct {
		allowed []string
		asked   string
		want    any
	}{
		{nil, "", "claims"},
		{nil, "orders", "orders"},
		{[]string{"claims", "x"}, "", "claims"},
		{[]string{"orders", "x"}, "", []any{"orders", "x"}},
	} {
		who := p.key(keystore.Spec{Owner: "acme", Limits: keystore.Limits{Audiences: row.allowed}})
		_, claims := decoded(t, p.login(who, tokens.Request{Audience: row.asked}).Text.Reveal())
		require.Equal(t, row.want, claims["aud"])
	}
}
