package scopes_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/scopes"
)

func definitions() []scopes.Definition {
	return []scopes.Definition{
		{Name: "claims:read", Title: "Read Claims"},
		{Name: "claims:write", Title: "Write Claims", Implies: []scopes.Scope{"claims:read", "files:read"}},
		{Name: "claims:delete", Title: "Delete Claims", Implies: []scopes.Scope{"claims:write"}},
		{Name: "files:read", Title: "Read Files"},
		{Name: "users:read", Title: "Read Users", Implies: []scopes.Scope{"users:list"}},
		{Name: "users:list", Title: "List Users", Implies: []scopes.Scope{"users:read"}},
		{Name: "adjuster", Title: "Adjuster", Bundle: []scopes.Scope{"claims:write", "users:read"}},
		{Name: "claims-admin", Title: "Claims Administrator", Bundle: []scopes.Scope{"claims:*"}},
		{Name: "full-access", Title: "Full Access", Bundle: []scopes.Scope{"*"}},
	}
}

func TestCatalog_Grant(t *testing.T) {
	t.Parallel()
	tests := []struct {
		desc  string
		names []scopes.Scope
		want  string
	}{
		{"nothing", nil, ""},
		{"scope", []scopes.Scope{"claims:read"}, "claims:read"},
		{"twice the same", []scopes.Scope{"claims:read", "claims:read"}, "claims:read"},
		{"implied", []scopes.Scope{"claims:write"}, "claims:read claims:write files:read"},
		{"implied by what is implied", []scopes.Scope{"claims:delete"}, "claims:delete claims:read claims:write files:read"},
		{"circle", []scopes.Scope{"users:list"}, "users:list users:read"},
		{"bundle", []scopes.Scope{"adjuster"}, "claims:read claims:write files:read users:list users:read"},
		{"bundle beside a scope", []scopes.Scope{"adjuster", "files:read"}, "claims:read claims:write files:read users:list users:read"},
		{"pattern brings what is implied outside", []scopes.Scope{"claims:*"}, "claims:* files:read"},
		{"pattern beside a scope it covers", []scopes.Scope{"claims:*", "claims:read"}, "claims:* files:read"},
		{"pattern without implications", []scopes.Scope{"files:*"}, "files:*"},
		{"bundle of a pattern", []scopes.Scope{"claims-admin"}, "claims:* files:read"},
		{"full access", []scopes.Scope{"full-access"}, "*"},
		{"full access beside a scope", []scopes.Scope{"claims:write", "full-access"}, "*"},
	}
	catalog := scopes.MustCatalog(definitions()...)
	for _, test := range tests {
		t.Run(test.desc, func(t *testing.T) {
			t.Parallel()
			set, err := catalog.Grant(test.names...)
			require.NoError(t, err)
			require.Equal(t, mustStored(t, test.want), set)
		})
	}
}

// What was stored under one catalog means the same under the next.
func TestCatalog_Grant_NeverWidensLater(t *testing.T) {
	t.Parallel()
	set, err := scopes.MustCatalog(definitions()...).Grant("claims:write")
	require.NoError(t, err)
	full, err := scopes.MustCatalog(definitions()...).Grant("full-access")
	require.NoError(t, err)

	later := definitions()
	later[1].Implies = append(later[1].Implies, "payments:write")
	later = append(later, scopes.Definition{Name: "payments:write", Title: "Write Payments"})
	asked, err := scopes.MustCatalog(later...).AllOf("payments:write")
	require.NoError(t, err)
	require.False(t, asked.MetBy(mustStored(t, set.String())))
	require.True(t, asked.MetBy(mustStored(t, full.String())), "Full Access covers what comes later")
}

func TestCatalog_Grant_Refuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		desc     string
		names    []scopes.Scope
		is, not  error
		why      string
		mistakes int
	}{
		{"unknown scope", []scopes.Scope{"claims:writ"}, scopes.ErrUnknown, scopes.ErrMalformed, `"claims:writ"; nearest: claims:write claims:read`, 1},
		{"unknown bundle", []scopes.Scope{"full-acces"}, scopes.ErrUnknown, scopes.ErrMalformed, "nearest: full-access", 1},
		{"unknown resource", []scopes.Scope{"claim:read"}, scopes.ErrUnknown, scopes.ErrMalformed, "nearest: claims:read", 1},
		{"longer than a known one", []scopes.Scope{"claims:readall"}, scopes.ErrUnknown, scopes.ErrMalformed, "nearest: claims:read", 1},
		{"below a known one", []scopes.Scope{"claims:read:own"}, scopes.ErrUnknown, scopes.ErrMalformed, "nearest: claims:read", 1},
		{"pattern that covers nothing", []scopes.Scope{"claim:*"}, scopes.ErrUnknown, scopes.ErrMalformed, "nearest: claims:read", 1},
		{"pattern below a scope", []scopes.Scope{"claims:read:*"}, scopes.ErrUnknown, scopes.ErrMalformed, "nearest: claims:read", 1},
		{"pattern on a bundle", []scopes.Scope{"adjuster:*"}, scopes.ErrUnknown, scopes.ErrMalformed, "nearest: adjuster", 1},
		{"star", []scopes.Scope{"*"}, scopes.ErrMalformed, scopes.ErrUnknown, "FullAccess", 1},
		{"empty", []scopes.Scope{""}, scopes.ErrMalformed, scopes.ErrUnknown, "empty", 1},
		{"upper case", []scopes.Scope{"Claims:Read"}, scopes.ErrMalformed, scopes.ErrUnknown, "a segment begins", 1},
		{"star in a segment", []scopes.Scope{"claims:re*"}, scopes.ErrMalformed, scopes.ErrUnknown, "'*'", 1},
		{"all at once", []scopes.Scope{"claims:read", "claims:x", "", "*", "x"}, scopes.ErrUnknown, nil, "claims:x", 4},
		{"257 names", numbered(257), scopes.ErrMalformed, scopes.ErrUnknown, "at most 256", 1},
	}
	catalog := scopes.MustCatalog(definitions()...)
	for _, test := range tests {
		t.Run(test.desc, func(t *testing.T) {
			t.Parallel()
			set, err := catalog.Grant(test.names...)
			require.ErrorIs(t, err, test.is)
			if test.not != nil {
				require.NotErrorIs(t, err, test.not)
			}
			require.ErrorContains(t, err, test.why)
			require.Equal(t, test.mistakes, joined(err))
			require.True(t, set.IsZero())
		})
	}
}

func TestNewCatalog_Refuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		desc       string
		definition scopes.Definition // beside those of definitions()
		is         error
		why        string
	}{
		{"no name", scopes.Definition{Title: "x"}, scopes.ErrMalformed, `definition "": scopes: malformed: empty`},
		{"upper case", scopes.Definition{Name: "Users:write", Title: "x"}, scopes.ErrMalformed, "a segment begins"},
		{"nine segments", scopes.Definition{Name: "a:b:c:d:e:f:g:h:i", Title: "x"}, scopes.ErrMalformed, "more than 8"},
		{"pattern", scopes.Definition{Name: "users:*", Title: "x"}, scopes.ErrMalformed, "a pattern cannot be defined"},
		{"star", scopes.Definition{Name: "*", Title: "x", Bundle: []scopes.Scope{"*"}}, scopes.ErrMalformed, "FullAccess"},
		{"defined twice", scopes.Definition{Name: "users:read", Title: "x"}, scopes.ErrMalformed, "defined twice"},
		{"no title", scopes.Definition{Name: "users:write"}, scopes.ErrMalformed, "no title"},
		{"blank title", scopes.Definition{Name: "users:write", Title: " \u00a0"}, scopes.ErrMalformed, "no title"},
		{"long title", scopes.Definition{Name: "users:write", Title: strings.Repeat("ä", 129)}, scopes.ErrMalformed, "128 runes"},
		{"control character in the title", scopes.Definition{Name: "users:write", Title: "Write\nUsers"}, scopes.ErrMalformed, "control"},
		{"invalid UTF-8 in the title", scopes.Definition{Name: "users:write", Title: "\xff"}, scopes.ErrMalformed, "UTF-8"},
		{"unknown implied", scopes.Definition{Name: "users:write", Title: "x", Implies: []scopes.Scope{"users:reed"}}, scopes.ErrUnknown, `implies: scopes: unknown scope: "users:reed"; nearest: users:read`},
		{"malformed implied", scopes.Definition{Name: "users:write", Title: "x", Implies: []scopes.Scope{""}}, scopes.ErrMalformed, "implies: scopes: malformed"},
		{"implied pattern", scopes.Definition{Name: "users:write", Title: "x", Implies: []scopes.Scope{"users:*"}}, scopes.ErrMalformed, "not required or implied"},
		{"implied star", scopes.Definition{Name: "users:write", Title: "x", Implies: []scopes.Scope{"*"}}, scopes.ErrMalformed, "FullAccess"},
		{"implied bundle", scopes.Definition{Name: "users:write", Title: "x", Implies: []scopes.Scope{"adjuster"}}, scopes.ErrMalformed, "one segment"},
		{"scope with Bundle", scopes.Definition{Name: "users:write", Title: "x", Bundle: []scopes.Scope{"users:read"}}, scopes.ErrMalformed, "a scope has no Bundle"},
		{"bundle without content", scopes.Definition{Name: "users", Title: "x"}, scopes.ErrMalformed, "a bundle without content"},
		{"bundle with Implies", scopes.Definition{Name: "users", Title: "x", Bundle: []scopes.Scope{"users:read"}, Implies: []scopes.Scope{"users:read"}}, scopes.ErrMalformed, "implies nothing"},
		{"bundle of unknown", scopes.Definition{Name: "users", Title: "x", Bundle: []scopes.Scope{"users:write"}}, scopes.ErrUnknown, "bundle: scopes: unknown scope"},
		{"bundle of a pattern that covers nothing", scopes.Definition{Name: "users", Title: "x", Bundle: []scopes.Scope{"user:*"}}, scopes.ErrUnknown, "nearest: users:read"},
		{"bundle of itself", scopes.Definition{Name: "users", Title: "x", Bundle: []scopes.Scope{"users"}}, scopes.ErrMalformed, "one segment"},
		{"bundle of a bundle", scopes.Definition{Name: "users", Title: "x", Bundle: []scopes.Scope{"adjuster"}}, scopes.ErrMalformed, "one segment"},
		{"bundle of malformed", scopes.Definition{Name: "users", Title: "x", Bundle: []scopes.Scope{"users:re*"}}, scopes.ErrMalformed, "'*'"},
	}
	for _, test := range tests {
		t.Run(test.desc, func(t *testing.T) {
			t.Parallel()
			catalog, err := scopes.NewCatalog(append(definitions(), test.definition)...)
			require.Nil(t, catalog)
			require.ErrorIs(t, err, test.is)
			require.ErrorContains(t, err, test.why)
			require.Equal(t, 1, joined(err))
		})
	}
}

func TestNewCatalog_ReportsAllMistakes(t *testing.T) {
	t.Parallel()
	_, err := scopes.NewCatalog(
		scopes.Definition{Name: "claims:read"},
		scopes.Definition{Name: "claims:read", Title: "Read Claims", Implies: []scopes.Scope{"claims:x", "Claims:y"}},
		scopes.Definition{Name: "everything", Title: "Everything"},
	)
	require.ErrorIs(t, err, scopes.ErrMalformed)
	require.ErrorIs(t, err, scopes.ErrUnknown)
	require.Equal(t, 5, joined(err))
	require.Panics(t, func() { scopes.MustCatalog(scopes.Definition{Name: "claims:read"}) })
}

func TestNewCatalog_BundleFitsASet(t *testing.T) {
	t.Parallel()
	bundle := func(n int) error {
		all := scopes.Definition{Name: "all", Title: "All", Bundle: numbered(n)}
		definitions := []scopes.Definition{all}
		for i, name := range all.Bundle {
			definitions = append(definitions, scopes.Definition{Name: name, Title: fmt.Sprint("Scope ", i)})
		}
		_, err := scopes.NewCatalog(definitions...)
		return err
	}
	require.NoError(t, bundle(256))
	require.ErrorContains(t, bundle(257), `definition "all": scopes: malformed: 257 scopes, at most 256`)
}

func TestCatalog_Requirements(t *testing.T) {
	t.Parallel()
	catalog := scopes.MustCatalog(definitions()...)
	for name, constructor := range map[string]func(...scopes.Scope) (scopes.Requirement, error){
		"AllOf": catalog.AllOf, "AnyOf": catalog.AnyOf,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked, err := constructor("claims:write", "users:read")
			require.NoError(t, err)
			require.Equal(t, "claims:write users:read", asked.String())
			require.Equal(t, name == "AnyOf", asked.MetBy(scopes.MustSet("claims:write")))

			asked, err = constructor("claims:writ", "claims:read", "users:*", "adjuster", "*", "")
			require.ErrorIs(t, err, scopes.ErrUnknown)
			require.ErrorIs(t, err, scopes.ErrMalformed)
			require.Equal(t, 5, joined(err))
			require.ErrorContains(t, err, `"claims:writ"; nearest: claims:write`)
			require.False(t, asked.MetBy(scopes.FullAccess()))

			_, err = constructor()
			require.ErrorIs(t, err, scopes.ErrMalformed)
		})
	}
}

func TestCatalog_NilAndZero(t *testing.T) {
	t.Parallel()
	var none *scopes.Catalog
	set, err := none.Grant("anything:goes", "claims:*")
	require.NoError(t, err)
	require.True(t, scopes.MustSet("anything:goes", "claims:*").Equal(set))
	_, err = none.Grant("*")
	require.ErrorIs(t, err, scopes.ErrMalformed)
	_, err = none.Grant("full-access")
	require.ErrorIs(t, err, scopes.ErrMalformed)
	asked, err := none.AllOf("anything:goes")
	require.NoError(t, err)
	require.True(t, asked.MetBy(set))
	require.Nil(t, none.Definitions())

	var zero scopes.Catalog
	_, err = zero.Grant("anything:goes")
	require.ErrorIs(t, err, scopes.ErrUnknown)
	require.ErrorContains(t, err, "the catalog is empty")
	_, err = zero.AnyOf("anything:goes")
	require.ErrorIs(t, err, scopes.ErrUnknown)
}

func TestCatalog_IsImmutable(t *testing.T) {
	t.Parallel()
	input := definitions()
	catalog := scopes.MustCatalog(input...)
	input[1].Implies[0] = "users:read"
	input[6].Bundle[0] = "*"
	input[0].Name = "admin:write"
	output := catalog.Definitions()
	require.Equal(t, definitions(), output, "in the order given")
	output[1].Implies[0] = "users:read"
	output[6].Bundle[0] = "*"
	output[0].Name = "admin:write"
	require.Equal(t, definitions(), catalog.Definitions())
	set, err := catalog.Grant("adjuster")
	require.NoError(t, err)
	require.Equal(t, "claims:read claims:write files:read users:list users:read", set.String())
}
