package keystore_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/scopes"
)

func prefixes(texts ...string) (list []netip.Prefix) {
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

func limited(limits keystore.Limits) keystore.Record {
	return keystore.Record{
		ID: "limited00001", Kind: keystore.KindAPIKey, Owner: "acme", Env: keystore.EnvLive,
		Scopes: scopes.MustSet("claims:read"), Limits: limits,
	}
}

func TestAdmit_EachLimit(t *testing.T) {
	t.Parallel()
	lan := keystore.Limits{Networks: prefixes("10.0.0.0/8", "192.0.2.0/24", "2001:db8::/32")}
	denied := keystore.Limits{DeniedNetworks: prefixes("192.0.2.1/32", "fe80::/10")}
	both := keystore.Limits{Networks: prefixes("192.0.2.0/24"), DeniedNetworks: prefixes("192.0.2.128/25")}
	from := func(ip string) func(*keystore.Access) {
		return func(a *keystore.Access) { a.Remote = netip.MustParseAddr(ip) }
	}
	nobody := func(a *keystore.Access) { a.Remote = netip.Addr{} }
	for _, tt := range []struct {
		desc   string
		limits keystore.Limits
		ask    func(*keystore.Access)
		want   keystore.Outcome
	}{
		{"no limits", keystore.Limits{}, func(*keystore.Access) {}, ""},
		{"no limits, unknown remote", keystore.Limits{}, nobody, ""},
		{"no limits, browser", keystore.Limits{}, func(a *keystore.Access) { a.Browser = true }, ""},
		{"plain HTTP", keystore.Limits{}, func(a *keystore.Access) { a.Secure = false }, keystore.OutcomeHTTPSRequired},

		{"allowed network", lan, from("192.0.2.1"), ""},
		{"other allowed network", lan, from("10.255.255.255"), ""},
		{"allowed IPv6 network", lan, from("2001:db8::1"), ""},
		{"outside of allowed networks", lan, from("198.51.100.1"), keystore.OutcomeNetworkRefused},
		{"outside, IPv6", lan, from("2001:db9::1"), keystore.OutcomeNetworkRefused},
		{"T-056: an IPv4-mapped address is the IPv4 one, allowed", lan, from("::ffff:10.0.0.1"), ""},
		{"T-056: an IPv4-mapped address is the IPv4 one, outside", lan, from("::ffff:198.51.100.1"), keystore.OutcomeNetworkRefused},
		{"unknown remote is outside of every network", lan, nobody, keystore.OutcomeNetworkRefused},
		{"unspecified address", lan, from("0.0.0.0"), keystore.OutcomeNetworkRefused},

		{"denied network", denied, from("192.0.2.1"), keystore.OutcomeNetworkRefused},
		{"denied, IPv4-mapped", denied, from("::ffff:192.0.2.1"), keystore.OutcomeNetworkRefused},
		{"denied, with a zone", denied, from("fe80::1%eth0"), keystore.OutcomeNetworkRefused},
		{"not denied", denied, from("192.0.2.2"), ""},
		{"a deny list refuses the unknown", denied, nobody, keystore.OutcomeNetworkRefused},
		{"allowed and not denied", both, from("192.0.2.1"), ""},
		{"allowed, and denied even so", both, from("192.0.2.129"), keystore.OutcomeNetworkRefused},

		{"server-only, no browser", keystore.Limits{ServerOnly: true}, func(*keystore.Access) {}, ""},
		{
			"server-only, browser",
			keystore.Limits{ServerOnly: true},
			func(a *keystore.Access) { a.Browser = true }, keystore.OutcomeBrowserRefused,
		},
		{"method", keystore.Limits{Methods: []string{"POST", "GET"}}, func(*keystore.Access) {}, ""},
		{
			"other method",
			keystore.Limits{Methods: []string{"GET"}},
			func(a *keystore.Access) { a.Method = "HEAD" }, keystore.OutcomeMethodRefused,
		},
		{
			"method in another case",
			keystore.Limits{Methods: []string{"GET"}},
			func(a *keystore.Access) { a.Method = "get" }, keystore.OutcomeMethodRefused,
		},
		{
			"no method",
			keystore.Limits{Methods: []string{"GET"}},
			func(a *keystore.Access) { a.Method = "" }, keystore.OutcomeMethodRefused,
		},
		{"audience", keystore.Limits{Audiences: []string{"billing", "claims"}}, func(*keystore.Access) {}, ""},
		{"other audience", keystore.Limits{Audiences: []string{"billing"}}, func(*keystore.Access) {}, keystore.OutcomeAudienceRefused},
		{"audience by its beginning", keystore.Limits{Audiences: []string{"claims-v2"}}, func(*keystore.Access) {}, keystore.OutcomeAudienceRefused},
		{
			"a service without a name",
			keystore.Limits{Audiences: []string{"claims"}},
			func(a *keystore.Access) { a.Audience = "" }, keystore.OutcomeAudienceRefused,
		},
		{"list set but empty", keystore.Limits{Audiences: []string{}}, func(*keystore.Access) {}, keystore.OutcomeAudienceRefused},

		{"other env", keystore.Limits{}, func(a *keystore.Access) { a.Envs = []keystore.Env{keystore.EnvTest} }, keystore.OutcomeEnvRefused},
		{"no env", keystore.Limits{}, func(a *keystore.Access) { a.Envs = nil }, keystore.OutcomeEnvRefused},
		{"scope missing", keystore.Limits{}, func(a *keystore.Access) { a.Requirement = access("claims:write").Requirement }, keystore.OutcomeScopeMissing},
		{"requirement forgotten", keystore.Limits{}, func(a *keystore.Access) { a.Requirement = scopes.Requirement{} }, keystore.OutcomeScopeMissing},
		{"no scope asked for", keystore.Limits{}, func(a *keystore.Access) { a.Requirement = scopes.Authenticated() }, ""},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			t.Parallel()
			p := keystore.NewPrincipal(limited(tt.limits))
			a := access("claims:read")
			tt.ask(&a)
			err := p.Check(&a)
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			requireOutcome(t, err, tt.want)
		})
	}
}

// All is wrong at first; then one thing after the other is set right.
func TestAdmit_Order(t *testing.T) {
	t.Parallel()
	p := keystore.NewPrincipal(limited(keystore.Limits{
		Networks: prefixes("192.0.2.0/24"), ServerOnly: true, Methods: []string{"GET"}, Audiences: []string{"claims"},
	}))
	right := access("claims:read")
	a := keystore.Access{Browser: true}
	for _, step := range []struct {
		want keystore.Outcome
		fix  func()
	}{
		{keystore.OutcomeHTTPSRequired, func() { a.Secure = true }},
		{keystore.OutcomeNetworkRefused, func() { a.Remote = right.Remote }},
		{keystore.OutcomeBrowserRefused, func() { a.Browser = false }},
		{keystore.OutcomeMethodRefused, func() { a.Method = right.Method }},
		{keystore.OutcomeAudienceRefused, func() { a.Audience = right.Audience }},
		{keystore.OutcomeEnvRefused, func() { a.Envs = right.Envs }},
		{keystore.OutcomeScopeMissing, func() { a.Requirement = right.Requirement }},
	} {
		requireOutcome(t, p.Check(&a), step.want)
		step.fix()
	}
	require.NoError(t, p.Check(&a))
}

func TestAdmit_ZeroAccessIsRefused(t *testing.T) {
	t.Parallel()
	r := limited(keystore.Limits{})
	r.Scopes = scopes.FullAccess()
	requireOutcome(t, keystore.NewPrincipal(r).Check(&keystore.Access{}), keystore.OutcomeHTTPSRequired)
	requireOutcome(t, keystore.NewPrincipal(r).Check(&keystore.Access{Secure: true}), keystore.OutcomeEnvRefused)
	requireOutcome(t, keystore.NewPrincipal(keystore.Record{}).Check(&keystore.Access{
		Secure: true, Requirement: scopes.Authenticated(), Envs: []keystore.Env{keystore.EnvLive, keystore.EnvTest},
	}), keystore.OutcomeEnvRefused)
}

func TestAdmit_SaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	a := access("claims:read")
	var err error
	a.Requirement, err = scopes.AllOf("claims:write", "claims:read", "users:read")
	require.NoError(t, err)
	require.Equal(t, &keystore.RefusedError{
		Outcome: keystore.OutcomeScopeMissing, KeyID: "limited00001", Owner: "acme",
		Missing: []scopes.Scope{"claims:write", "users:read"},
	}, keystore.NewPrincipal(limited(keystore.Limits{})).Check(&a))
}

// A token is admitted where each of its parents is.
func TestAdmit_AsksEachParent(t *testing.T) {
	t.Parallel()
	full := func(r *keystore.Record) { r.Scopes = scopes.FullAccess() }
	for _, tt := range []struct {
		desc                 string
		child, key, client   func(*keystore.Record)
		want                 keystore.Outcome
		refuses              string
		limitedAtAll, scopes bool
	}{
		{"all", full, full, full, "", "", false, true},
		{"scope missing in the child", func(r *keystore.Record) { r.Scopes = scopes.Set{} }, full, full, keystore.OutcomeScopeMissing, "child0000001", false, false},
		{"scope missing in the middle", full, func(r *keystore.Record) { r.Scopes = scopes.Set{} }, full, keystore.OutcomeScopeMissing, "middle000001", false, false},
		{"scope missing on top", full, full, func(r *keystore.Record) { r.Scopes = scopes.Set{} }, keystore.OutcomeScopeMissing, "top000000001", false, false},
		{"env of a parent", full, full, func(r *keystore.Record) { r.Env, r.Scopes = keystore.EnvTest, scopes.FullAccess() }, keystore.OutcomeEnvRefused, "top000000001", false, true},
		{"network of a parent", full, func(r *keystore.Record) {
			r.Limits.Networks, r.Scopes = prefixes("10.0.0.0/8"), scopes.FullAccess()
		}, full, keystore.OutcomeNetworkRefused, "middle000001", true, true},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			t.Parallel()
			store := newStub()
			keys := openKeys(t, store, keystore.Config{})
			put(t, store, "top000000001", "", tt.client)
			put(t, store, "middle000001", "top000000001", tt.key)
			put(t, store, "child0000001", "middle000001", tt.child)
			p, err := keys.Principal(t.Context(), "child0000001")
			require.NoError(t, err)
			require.Equal(t, tt.limitedAtAll, p.Limited())
			require.Equal(t, tt.scopes, p.Allows("claims:read"))
			a := access("claims:read")
			err = admit(t, keys, p, &a)
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			requireOutcome(t, err, tt.want)
			require.Equal(t, tt.refuses, err.(*keystore.RefusedError).KeyID)
		})
	}
}

func TestLimited(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		desc   string
		limits keystore.Limits
		want   bool
	}{
		{"none", keystore.Limits{}, false},
		{"networks", keystore.Limits{Networks: prefixes("10.0.0.0/8")}, true},
		{"denied networks", keystore.Limits{DeniedNetworks: prefixes("10.0.0.0/8")}, true},
		{"audiences", keystore.Limits{Audiences: []string{"a"}}, true},
		{"methods", keystore.Limits{Methods: []string{"GET"}}, true},
		{"server-only", keystore.Limits{ServerOnly: true}, true},
		{"services, which nobody counts here", keystore.Limits{Services: 1}, false},
		{"idle timeout, likewise", keystore.Limits{IdleTimeout: 24 * time.Hour}, false},
		{"a non-nil empty list", keystore.Limits{Networks: []netip.Prefix{}}, true},
	} {
		require.Equal(t, tt.want, keystore.NewPrincipal(limited(tt.limits)).Limited(), tt.desc)
	}
}

// Where nobody is known, as on a route that asks for no credential, nobody is allowed anything.
func TestAdmit_NobodyIsRefused(t *testing.T) {
	t.Parallel()
	keys := openKeys(t, &metered{stub: newStub()}, keystore.Config{})
	for _, nobody := range []*keystore.Principal{nil, {}} {
		a := access("claims:read")
		for _, requirement := range []scopes.Requirement{a.Requirement, scopes.Authenticated(), scopes.Optional(), {}} {
			a.Requirement = requirement
			requireOutcome(t, nobody.Check(&a), keystore.OutcomeMissing)
			requireOutcome(t, admit(t, keys, nobody, &a), keystore.OutcomeMissing)
		}
		require.False(t, nobody.Allows("claims:read"))
		require.False(t, nobody.Limited())
		_, err := keys.Refresh(t.Context(), nobody)
		requireOutcome(t, err, keystore.OutcomeMissing)
	}
}
