package scopes_test

import (
	"encoding/json"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/scopes"
)

// coverRows is also the seed of FuzzCovers. granted is space-delimited; "*" in it is Full Access.
var coverRows = []struct {
	desc, granted, required string
	want                    bool
}{
	// T-042: prefixes.
	{"same", "claims:read", "claims:read", true},
	{"longer action", "claims:read", "claims:readall", false},
	{"shorter action", "claims:readall", "claims:read", false},
	{"longer resource", "claims:read", "claimsx:read", false},
	{"shorter resource", "claimsx:read", "claims:read", false},
	{"other action", "claims:read", "claims:write", false},
	{"other resource", "claims:read", "users:read", false},
	{"swapped segments", "claims:read", "read:claims", false},
	{"below", "claims:read", "claims:read:own", false},
	{"above", "claims:read:own", "claims:read", false},
	{"tail only", "admin:claims:read", "claims:read", false},
	{"head added", "claims:read", "admin:claims:read", false},
	{"resource only", "claims:read", "claims", false},
	{"action only", "claims:read", "read", false},
	{"dot continues", "claims:read", "claims:read.all", false},
	{"hyphen continues", "claims:read", "claims:read-all", false},
	{"underscore continues", "claims:read", "claims:read_all", false},
	{"digit continues", "claims:read", "claims:read2", false},
	{"dot is no separator", "claims.read:x", "claims:read:x", false},
	{"second of two", "claims:read claims:write", "claims:write", true},
	{"first of two", "claims:read claims:write", "claims:read", true},
	{"neither of two", "claims:read claims:write", "claims:delete", false},
	{"between two", "claims:a claims:c", "claims:b", false},
	{"before the first", "claims:b claims:c", "claims:a", false},
	{"after the last", "claims:a claims:b", "claims:c", false},
	{"resource of one, action of other", "claims:read users:write", "claims:write", false},
	{"two that concatenate", "claims:re ad:own", "claims:read:own", false},
	{"eight segments", "a:b:c:d:e:f:g:h", "a:b:c:d:e:f:g:h", true},
	{"eight, last differs", "a:b:c:d:e:f:g:h", "a:b:c:d:e:f:g:i", false},

	// T-043: wildcards in what is granted.
	{"pattern, one more segment", "claims:*", "claims:read", true},
	{"pattern, two more segments", "claims:*", "claims:read:own", true},
	{"pattern, any names", "claims:*", "claims:a:b", true},
	{"pattern, six more segments", "claims:*", "claims:b:c:d:e:f:g", true},
	{"pattern, resource alone", "claims:*", "claims", false},
	{"pattern, resource and colon", "claims:*", "claims:", false},
	{"pattern, two colons", "claims:*", "claims::", false},
	{"pattern, longer resource", "claims:*", "claimsx:read", false},
	{"pattern, shorter resource", "claims:*", "claim:read", false},
	{"pattern, hyphenated resource", "claims:*", "claims-x:read", false},
	{"pattern, dotted resource", "claims:*", "claims.x:read", false},
	{"pattern, other resource", "claims:*", "users:read", false},
	{"pattern, resource as action", "claims:*", "users:claims", false},
	{"pattern, resource further down", "claims:*", "users:claims:read", false},
	{"deep pattern", "claims:read:*", "claims:read:own", true},
	{"deep pattern, two more segments", "claims:read:*", "claims:read:own:x", true},
	{"deep pattern, above", "claims:read:*", "claims:read", false},
	{"deep pattern, sibling", "claims:read:*", "claims:write:own", false},
	{"deep pattern, longer segment", "claims:read:*", "claims:readall:own", false},
	{"deepest pattern", "a:b:c:d:e:f:g:*", "a:b:c:d:e:f:g:h", true},
	{"second of two patterns", "a:* b:*", "b:x", true},
	{"neither of two patterns", "a:* b:*", "c:x", false},
	{"inner of nested patterns", "a:* a:b:*", "a:b:c", true},
	{"outer of nested patterns", "a:* a:b:*", "a:c", true},
	{"pattern beside a hyphen neighbour", "a-b:* a:*", "a:x", true},
	{"pattern beside scopes", "claims:read users:*", "users:read", true},
	{"scope beside patterns", "claims:read users:*", "claims:read", true},
	{"not the scope's siblings", "claims:read users:*", "claims:write", false},
	{"too deep for a scope", "a:*", "a:b:c:d:e:f:g:h:i", false},

	// T-043: Full Access.
	{"full, two segments", "*", "claims:read", true},
	{"full, eight segments", "*", "a:b:c:d:e:f:g:h", true},
	{"full beside others", "claims:read *", "users:write", true},
	{"full, one segment", "*", "claims", false},
	{"full, empty", "*", "", false},
	{"full, space", "*", " ", false},
	{"full, colon", "*", ":", false},
	{"full, upper case", "*", "Claims:read", false},
	{"full, nine segments", "*", "a:b:c:d:e:f:g:h:i", false},
	{"full, 129 bytes", "*", "a:" + strings.Repeat("b", 127), false},

	// T-043: a required scope is never a pattern.
	{"required *", "*", "*", false},
	{"required **", "*", "**", false},
	{"required *:*", "*", "*:*", false},
	{"required pattern, full", "*", "claims:*", false},
	{"required pattern, the same granted", "claims:*", "claims:*", false},
	{"required pattern, wider granted", "claims:*", "claims:read:*", false},
	{"required pattern, member granted", "claims:read", "claims:*", false},
	{"required star in a segment", "claims:*", "claims:re*", false},
	{"required star in the middle", "claims:*", "claims:*:x", false},
	{"required star first", "claims:read", "*:read", false},

	// T-044, T-045: nothing granted, nothing required, odd texts.
	{"nothing granted", "", "claims:read", false},
	{"nothing granted or required", "", "", false},
	{"nothing required", "claims:read", "", false},
	{"required space", "claims:read", " ", false},
	{"nothing granted, star required", "", "*", false},
	{"upper case", "claims:read", "claims:READ", false},
	{"trailing space", "claims:read", "claims:read ", false},
	{"trailing line feed", "claims:read", "claims:read\n", false},
	{"trailing NUL", "claims:read", "claims:read\x00", false},
	{"pattern, control character", "claims:*", "claims:\x01", false},
	{"pattern, quote", "claims:*", `claims:"`, false},
	{"pattern, two scopes in one", "claims:*", "claims:read claims:write", false},
	{"pattern, upper case", "claims:*", "claims:READ", false},
	{"pattern, hyphen first", "claims:*", "claims:-", false},
	{"128 bytes", "a:*", "a:" + strings.Repeat("b", 126), true},
	{"129 bytes", "a:*", "a:" + strings.Repeat("b", 127), false},
}

// stored reads a space-delimited list by way of JSON, where "*" is Full Access.
func stored(granted string) (scopes.Set, error) {
	text, err := json.Marshal(strings.Fields(granted))
	if err != nil {
		return scopes.Set{}, err
	}
	var set scopes.Set
	err = json.Unmarshal(text, &set)
	return set, err
}

func mustStored(tb testing.TB, granted string) scopes.Set {
	tb.Helper()
	set, err := stored(granted)
	require.NoError(tb, err)
	return set
}

func TestSet_Covers_T042_T043(t *testing.T) {
	t.Parallel()
	require.GreaterOrEqual(t, len(coverRows), 60)
	for _, test := range coverRows {
		t.Run(test.desc, func(t *testing.T) {
			t.Parallel()
			granted := mustStored(t, test.granted)
			required := scopes.Scope(test.required)
			require.Equal(t, test.want, granted.Covers(required))
			require.Equal(t, test.want, naiveCovers(strings.Fields(test.granted), test.required), "the twin")

			asked, err := scopes.AllOf(required)
			if !naiveScope.MatchString(test.required) || len(test.required) > 128 {
				require.ErrorIs(t, err, scopes.ErrMalformed)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, asked.MetBy(granted))
		})
	}
}

var (
	naiveScope   = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*(:[a-z0-9][a-z0-9._-]*){1,7}$`)
	naivePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*(:[a-z0-9][a-z0-9._-]*){0,6}:\*$`)
)

func naiveGrantable(text string) bool {
	return text == "*" || len(text) <= 128 && (naiveScope.MatchString(text) || naivePattern.MatchString(text))
}

// naiveCovers is the slow twin of Covers: whole segments, compared one by one.
func naiveCovers(granted []string, required string) bool {
	return len(required) <= 128 && naiveScope.MatchString(required) && naiveGrants(granted, required)
}

func naiveGrants(granted []string, wanted string) bool {
	want := strings.Split(wanted, ":")
	for _, text := range granted {
		have := strings.Split(text, ":")
		last := len(have) - 1
		switch {
		case text == wanted:
			return true
		case have[last] == "*" && len(want) > last && slices.Equal(have[:last], want[:last]):
			return true
		}
	}
	return false
}

func FuzzCovers(f *testing.F) {
	for _, row := range coverRows {
		f.Add(row.granted, row.required)
	}
	for _, bad := range badTexts {
		f.Add(bad.text, bad.text)
	}
	f.Fuzz(func(t *testing.T, granted, required string) {
		texts := strings.Fields(granted)
		if len(texts) > 256 {
			t.Skip("TestNewSet has the limit")
		}
		set, err := stored(granted)
		if slices.ContainsFunc(texts, func(text string) bool { return !naiveGrantable(text) }) {
			require.ErrorIs(t, err, scopes.ErrMalformed)
			require.True(t, set.IsZero())
			return
		}
		require.NoError(t, err)
		require.Equal(t, naiveCovers(texts, required), set.Covers(scopes.Scope(required)))
		require.Equal(t, set, mustStored(t, set.String()))
	})
}

func TestSet_Covers_RandomAgainstTwin(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(42, 43))
	var hits, misses int
	for range 20_000 {
		granted := randomTexts(random, random.IntN(12))
		set := mustStored(t, strings.Join(granted, " "))
		required := randomTexts(random, 1)[0]
		want := naiveCovers(granted, required)
		require.Equal(t, want, set.Covers(scopes.Scope(required)), "%q covers %q", granted, required)
		if want {
			hits++
		} else {
			misses++
		}

		other := randomTexts(random, random.IntN(3))
		included := !slices.ContainsFunc(other, func(text string) bool { return !naiveGrants(granted, text) })
		require.Equal(t, included, set.Includes(mustStored(t, strings.Join(other, " "))), "%q includes %q", granted, other)
	}
	require.Greater(t, min(hits, misses), 2_000, "both answers are tried")
}

// randomTexts draws from an alphabet so small that scopes meet.
func randomTexts(random *rand.Rand, n int) []string {
	texts := make([]string, n)
	for i := range texts {
		segments := make([]string, 2+random.IntN(3))
		for j := range segments {
			segments[j] = []string{"a", "b", "a-b", "ab"}[random.IntN(4)]
		}
		switch random.IntN(16) {
		case 0, 1, 2:
			segments[len(segments)-1] = "*"
		case 3:
			segments = []string{"*"}
		}
		texts[i] = strings.Join(segments, ":")
	}
	return texts
}
