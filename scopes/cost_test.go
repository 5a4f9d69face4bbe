package scopes_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/scopes"
)

// costRows are the cases whose cost differs: how much is granted, and where the search ends.
func costRows() []struct {
	name     string
	granted  scopes.Set
	required scopes.Scope
	want     bool
} {
	patterns := make([]scopes.Scope, 256)
	for i := range patterns {
		patterns[i] = scopes.Scope(fmt.Sprintf("r%05d:*", i))
	}
	long := scopes.Scope(strings.Repeat("a:b:", 3) + "a:" + strings.Repeat("b", 114))
	return []struct {
		name     string
		granted  scopes.Set
		required scopes.Scope
		want     bool
	}{
		{"granted=0/outcome=deny/match=none", scopes.Set{}, "claims:read", false},
		{"granted=1/outcome=allow/match=scope", scopes.MustSet("claims:read"), "claims:read", true},
		{"granted=8/outcome=allow/match=scope", scopes.MustSet(numbered(8)...), "r00005:read", true},
		{"granted=8/outcome=deny/match=none", scopes.MustSet(numbered(8)...), "r00005:write", false},
		{"granted=1/outcome=allow/match=pattern", scopes.MustSet("claims:*"), "claims:read", true},
		{"granted=1/outcome=allow/match=full", scopes.FullAccess(), "claims:read", true},
		{"granted=256/outcome=allow/match=scope", scopes.MustSet(numbered(256)...), "r00200:read", true},
		{"granted=256/outcome=allow/match=pattern", scopes.MustSet(patterns...), "r00200:read", true},
		{"granted=256/outcome=deny/match=none", scopes.MustSet(patterns...), long, false},
		{"granted=8/outcome=deny/match=malformed", scopes.MustSet(numbered(8)...), scopes.Scope(strings.Repeat("x", 1<<20)), false},
	}
}

func TestAllocations(t *testing.T) {
	for _, row := range costRows() {
		require.Equal(t, row.want, row.granted.Covers(row.required), row.name)
		require.Zero(t, testing.AllocsPerRun(100, func() { row.granted.Covers(row.required) }), "Covers/"+row.name)
		if row.required == "" || len(row.required) > 128 {
			continue
		}
		all := mustRequire(t)(scopes.AllOf(row.required))
		either := mustRequire(t)(scopes.AnyOf("zzz:read", row.required))
		for _, asked := range []scopes.Requirement{all, either, scopes.Authenticated(), scopes.Optional(), {}} {
			require.Zero(t, testing.AllocsPerRun(100, func() { asked.MetBy(row.granted) }), "MetBy/"+row.name)
			require.Zero(t, testing.AllocsPerRun(100, func() { _ = asked.String() }), "String/"+row.name)
		}
		require.Zero(t, testing.AllocsPerRun(100, func() { row.granted.Includes(row.granted) }), "Includes/"+row.name)
	}
}

func BenchmarkCovers(b *testing.B) {
	for _, row := range costRows() {
		b.Run("impl=set/"+row.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				row.granted.Covers(row.required)
			}
		})
	}
	for _, row := range costRows() {
		granted := strings.Fields(row.granted.String())
		b.Run("impl=naive/"+row.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				naiveCovers(granted, string(row.required))
			}
		})
	}
}

func BenchmarkMetBy(b *testing.B) {
	granted := scopes.MustSet("claims:read", "claims:write", "files:*", "users:read")
	must := mustRequire(b)
	for _, row := range []struct {
		name  string
		asked scopes.Requirement
	}{
		{"rule=authenticated/outcome=allow", scopes.Authenticated()},
		{"rule=all/required=1/outcome=allow", must(scopes.AllOf("claims:write"))},
		{"rule=all/required=1/outcome=deny", must(scopes.AllOf("users:write"))},
		{"rule=any/required=3/outcome=allow", must(scopes.AnyOf("a:b", "c:d", "files:read"))},
		{"rule=any/required=16/outcome=deny", must(scopes.AnyOf(numbered(16)...))},
	} {
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					row.asked.MetBy(granted)
				}
			})
		})
	}
}

func BenchmarkGrant(b *testing.B) {
	catalog := scopes.MustCatalog(definitions()...)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := catalog.Grant("adjuster"); err != nil {
			b.Fatal(err)
		}
	}
}
