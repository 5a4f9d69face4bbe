package scopes_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/scopes"
)

func mustRequire(tb testing.TB) func(scopes.Requirement, error) scopes.Requirement {
	tb.Helper()
	return func(r scopes.Requirement, err error) scopes.Requirement {
		tb.Helper()
		require.NoError(tb, err)
		return r
	}
}

func TestRequirement(t *testing.T) {
	t.Parallel()
	must := mustRequire(t)
	all := must(scopes.AllOf("claims:write", "claims:read"))
	either := must(scopes.AnyOf("claims:write", "claims:read"))
	tests := []struct {
		desc    string
		asked   scopes.Requirement
		granted string
		met     bool
		missing []scopes.Scope
	}{
		{"zero, nothing", scopes.Requirement{}, "", false, nil},
		{"zero, full access", scopes.Requirement{}, "*", false, nil},
		{"authenticated, nothing", scopes.Authenticated(), "", true, nil},
		{"authenticated, full access", scopes.Authenticated(), "*", true, nil},
		{"optional, nothing", scopes.Optional(), "", true, nil},
		{"optional, full access", scopes.Optional(), "*", true, nil},
		{"all, nothing", all, "", false, []scopes.Scope{"claims:write", "claims:read"}},
		{"all, one", all, "claims:read", false, []scopes.Scope{"claims:write"}},
		{"all, other one", all, "claims:write", false, []scopes.Scope{"claims:read"}},
		{"all, both", all, "claims:read claims:write", true, nil},
		{"all, pattern", all, "claims:*", true, nil},
		{"all, pattern below", all, "claims:read:*", false, []scopes.Scope{"claims:write", "claims:read"}},
		{"all, full access", all, "*", true, nil},
		{"any, nothing", either, "", false, []scopes.Scope{"claims:write", "claims:read"}},
		{"any, strangers", either, "claims:readall users:*", false, []scopes.Scope{"claims:write", "claims:read"}},
		{"any, one", either, "claims:read", true, nil},
		{"any, other one", either, "claims:write", true, nil},
		{"any, both", either, "claims:read claims:write", true, nil},
		{"any, pattern", either, "claims:*", true, nil},
		{"any, full access", either, "*", true, nil},
	}
	for _, test := range tests {
		t.Run(test.desc, func(t *testing.T) {
			t.Parallel()
			granted := mustStored(t, test.granted)
			require.Equal(t, test.met, test.asked.MetBy(granted))
			require.Equal(t, test.missing, test.asked.Missing(granted))
		})
	}
}

func TestRequirement_Accessors(t *testing.T) {
	t.Parallel()
	must := mustRequire(t)
	tests := []struct {
		desc     string
		asked    scopes.Requirement
		text     string
		scopes   []scopes.Scope
		optional bool
	}{
		{desc: "zero"},
		{desc: "authenticated", asked: scopes.Authenticated()},
		{desc: "optional", asked: scopes.Optional(), optional: true},
		{desc: "all", asked: must(scopes.AllOf("b:x", "a:x", "b:x")), text: "b:x a:x", scopes: []scopes.Scope{"b:x", "a:x"}},
		{desc: "any", asked: must(scopes.AnyOf("b:x", "a:x", "b:x")), text: "b:x a:x", scopes: []scopes.Scope{"b:x", "a:x"}},
	}
	for _, test := range tests {
		t.Run(test.desc, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.text, test.asked.String())
			require.Equal(t, test.scopes, test.asked.Scopes())
			require.Equal(t, test.optional, test.asked.IsOptional())
		})
	}
}

func TestRequirement_T044_Refuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		desc     string
		scopes   []scopes.Scope
		why      string
		mistakes int
	}{
		{"nil", nil, "use Authenticated", 1},
		{"empty list", []scopes.Scope{}, "use Authenticated", 1},
		{"empty scope", []scopes.Scope{""}, "empty", 1},
		{"space", []scopes.Scope{" "}, "a segment begins", 1},
		{"empty scope beside a good one", []scopes.Scope{"claims:read", ""}, "empty", 1},
		{"two scopes in one", []scopes.Scope{"claims:read claims:write"}, "a segment holds", 1},
		{"star", []scopes.Scope{"*"}, "FullAccess", 1},
		{"pattern", []scopes.Scope{"claims:*"}, "a pattern can be granted, not required", 1},
		{"one segment", []scopes.Scope{"claims"}, "one segment", 1},
		{"all at once", []scopes.Scope{"", "claims:read", "Claims:read", "*", "claims:*"}, "empty", 4},
		{"17 scopes", numbered(17), "17 scopes, at most 16", 1},
	}
	constructors := map[string]func(...scopes.Scope) (scopes.Requirement, error){
		"AllOf": scopes.AllOf, "AnyOf": scopes.AnyOf,
		"nil Catalog.AllOf": (*scopes.Catalog)(nil).AllOf, "nil Catalog.AnyOf": (*scopes.Catalog)(nil).AnyOf,
	}
	for name, constructor := range constructors {
		for _, test := range tests {
			t.Run(name+"/"+test.desc, func(t *testing.T) {
				t.Parallel()
				asked, err := constructor(test.scopes...)
				require.ErrorIs(t, err, scopes.ErrMalformed)
				require.ErrorContains(t, err, test.why)
				require.Equal(t, test.mistakes, joined(err))
				require.False(t, asked.MetBy(scopes.FullAccess()), "an ignored error opens nothing")
				require.False(t, asked.IsOptional())
			})
		}
		_, err := constructor(numbered(16)...)
		require.NoError(t, err)
	}
}

func TestRequirement_IsImmutable(t *testing.T) {
	t.Parallel()
	input := []scopes.Scope{"claims:read", "claims:write"}
	all := mustRequire(t)(scopes.AllOf(input...))
	either := mustRequire(t)(scopes.AnyOf(input...))
	input[0] = "users:read"
	all.Scopes()[0] = "users:read"
	clear(all.Missing(scopes.MustSet("users:read")))
	clear(either.Missing(scopes.MustSet("users:read")))
	require.Equal(t, []scopes.Scope{"claims:read", "claims:write"}, all.Scopes())
	require.Equal(t, []scopes.Scope{"claims:read", "claims:write"}, either.Scopes())
	require.False(t, either.MetBy(scopes.MustSet("users:read")))
}
