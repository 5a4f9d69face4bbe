package scopes_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/scopes"
)

func TestNewSet(t *testing.T) {
	t.Parallel()
	set, err := scopes.NewSet("claims:write", "users:*", "claims:read", "claims:write")
	require.NoError(t, err)
	require.Equal(t, []scopes.Scope{"claims:read", "claims:write", "users:*"}, set.Scopes(), "sorted, unique")
	require.Equal(t, "claims:read claims:write users:*", set.String())
	require.Equal(t, 3, set.Len())
	require.False(t, set.IsZero())

	_, err = scopes.NewSet(numbered(256)...)
	require.NoError(t, err)
	_, err = scopes.NewSet(numbered(257)...)
	require.ErrorIs(t, err, scopes.ErrMalformed)
	require.ErrorContains(t, err, "257 scopes, at most 256")
}

func TestNewSet_ReportsAllMistakes(t *testing.T) {
	t.Parallel()
	set, err := scopes.NewSet("claims:read", "Claims:Read", "", "*", "claims:re*")
	require.ErrorIs(t, err, scopes.ErrMalformed)
	require.Equal(t, 4, joined(err))
	require.ErrorContains(t, err, "FullAccess")
	require.True(t, set.IsZero(), "nothing is granted beside an error")
	require.Panics(t, func() { scopes.MustSet("*") })
	require.NotPanics(t, func() { scopes.MustSet("claims:*") })
}

func TestSet_T044_EmptyGrantsNothing(t *testing.T) {
	t.Parallel()
	none, err := scopes.NewSet()
	require.NoError(t, err)
	var null, array scopes.Set
	require.NoError(t, json.Unmarshal([]byte("null"), &null))
	require.NoError(t, json.Unmarshal([]byte("[]"), &array))
	for desc, set := range map[string]scopes.Set{"zero": {}, "no arguments": none, "null": null, "array": array} {
		require.Equal(t, scopes.Set{}, set, desc)
		require.True(t, set.IsZero(), desc)
		require.Zero(t, set.Len(), desc)
		require.Nil(t, set.Scopes(), desc)
		require.Empty(t, set.String(), desc)
		for _, required := range []scopes.Scope{"", " ", "*", ":", "claims", "claims:read", "claims:*"} {
			require.False(t, set.Covers(required), "%s covers %q", desc, required)
		}
	}
	for _, text := range []scopes.Scope{"", " "} {
		_, err := scopes.NewSet(text)
		require.ErrorIs(t, err, scopes.ErrMalformed)
		_, err = scopes.NewSet("claims:read", text)
		require.ErrorIs(t, err, scopes.ErrMalformed)
	}
}

func TestSet_T045_StoredForm(t *testing.T) {
	t.Parallel()
	tests := []struct {
		desc, json string
		want       []scopes.Scope
		wrong      bool
	}{
		{desc: "scopes", json: `{"scopes":["claims:write","claims:read"]}`, want: []scopes.Scope{"claims:read", "claims:write"}},
		{desc: "pattern", json: `{"scopes":["claims:*"]}`, want: []scopes.Scope{"claims:*"}},
		{desc: "full access", json: `{"scopes":["*"]}`, want: []scopes.Scope{"*"}},
		{desc: "full access beside others", json: `{"scopes":["*","claims:read"]}`, want: []scopes.Scope{"*", "claims:read"}},
		{desc: "duplicates", json: `{"scopes":["claims:read","claims:read","*","*"]}`, want: []scopes.Scope{"*", "claims:read"}},
		{desc: "escaped letters", json: `{"scopes":["claims\u003aread"]}`, want: []scopes.Scope{"claims:read"}},
		{desc: "missing", json: `{}`},
		{desc: "null", json: `{"scopes":null}`},
		{desc: "empty array", json: `{"scopes":[]}`},

		{desc: "number", json: `{"scopes":1}`, wrong: true},
		{desc: "long number", json: `{"scopes":` + strings.Repeat("9", 10_000) + `}`, wrong: true},
		{desc: "true", json: `{"scopes":true}`, wrong: true},
		{desc: "false", json: `{"scopes":false}`, wrong: true},
		{desc: "object", json: `{"scopes":{"claims:read":true}}`, wrong: true},
		{desc: "empty object", json: `{"scopes":{}}`, wrong: true},
		{desc: "string", json: `{"scopes":"claims:read"}`, wrong: true},
		{desc: "space-separated string", json: `{"scopes":"claims:read claims:write"}`, wrong: true},
		{desc: "empty string", json: `{"scopes":""}`, wrong: true},
		{desc: "star as string", json: `{"scopes":"*"}`, wrong: true},
		{desc: "array of numbers", json: `{"scopes":[1]}`, wrong: true},
		{desc: "array of null", json: `{"scopes":[null]}`, wrong: true},
		{desc: "array of arrays", json: `{"scopes":[["claims:read"]]}`, wrong: true},
		{desc: "array of objects", json: `{"scopes":[{}]}`, wrong: true},
		{desc: "null beside a scope", json: `{"scopes":["claims:read",null]}`, wrong: true},
		{desc: "number beside a scope", json: `{"scopes":["claims:read",1]}`, wrong: true},
		{desc: "two stars", json: `{"scopes":["**"]}`, wrong: true},
		{desc: "star and space", json: `{"scopes":["* "]}`, wrong: true},
		{desc: "all stars", json: `{"scopes":["*:*"]}`, wrong: true},
		{desc: "star in a segment", json: `{"scopes":["claims:re*"]}`, wrong: true},
		{desc: "one segment", json: `{"scopes":["claims"]}`, wrong: true},
		{desc: "10,000 scopes", json: `{"scopes":` + asJSON(numbered(10_000)) + `}`, wrong: true},
		{desc: "10,000 times the same", json: `{"scopes":` + asJSON(slices.Repeat([]scopes.Scope{"a:b"}, 10_000)) + `}`, wrong: true},
		{desc: "257 stars", json: `{"scopes":` + asJSON(slices.Repeat([]scopes.Scope{"*"}, 257)) + `}`, wrong: true},
	}
	for _, test := range tests {
		t.Run(test.desc, func(t *testing.T) {
			t.Parallel()
			var record struct {
				Scopes scopes.Set `json:"scopes"`
			}
			err := json.Unmarshal([]byte(test.json), &record)
			require.Equal(t, test.want, record.Scopes.Scopes())
			if !test.wrong {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, scopes.ErrMalformed)
			require.Less(t, len(err.Error()), 200)
			require.False(t, record.Scopes.Covers("claims:read"))
		})
	}
	for _, bad := range badTexts {
		t.Run(bad.desc, func(t *testing.T) {
			t.Parallel()
			reused := scopes.FullAccess()
			err := json.Unmarshal([]byte(asJSON([]scopes.Scope{"claims:read", scopes.Scope(bad.text)})), &reused)
			require.ErrorIs(t, err, scopes.ErrMalformed)
			require.True(t, reused.IsZero(), "an error leaves no old rights behind")
		})
	}
}

func TestSet_JSON_RoundTrip(t *testing.T) {
	t.Parallel()
	type record struct {
		Scopes scopes.Set `json:"scopes,omitzero"`
	}
	tests := []struct {
		desc string
		set  scopes.Set
		want string
	}{
		{"empty", scopes.Set{}, `{}`},
		{"one", scopes.MustSet("claims:read"), `{"scopes":["claims:read"]}`},
		{"sorted", scopes.MustSet("b:x", "a:*", "a-b:x"), `{"scopes":["a-b:x","a:*","b:x"]}`},
		{"full access", scopes.FullAccess(), `{"scopes":["*"]}`},
		{"256", scopes.MustSet(numbered(256)...), `{"scopes":` + asJSON(numbered(256)) + `}`},
	}
	for _, test := range tests {
		t.Run(test.desc, func(t *testing.T) {
			t.Parallel()
			text, err := json.Marshal(record{test.set})
			require.NoError(t, err)
			require.Equal(t, test.want, string(text))
			var back record
			require.NoError(t, json.Unmarshal(text, &back))
			require.Equal(t, test.set, back.Scopes, "deeply equal")
			require.True(t, test.set.Equal(back.Scopes))
		})
	}
	require.Equal(t, "[]", asJSON(scopes.Set{}), "without omitzero")
}

func TestSet_Includes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		desc, set, other string
		want             bool
	}{
		{"itself", "claims:read users:*", "claims:read users:*", true},
		{"a part", "claims:read claims:write", "claims:read", true},
		{"more", "claims:read", "claims:read claims:write", false},
		{"pattern, scope", "claims:*", "claims:read claims:read:own", true},
		{"pattern, narrower pattern", "claims:*", "claims:read:*", true},
		{"pattern, itself", "claims:*", "claims:*", true},
		{"pattern, wider pattern", "claims:read:*", "claims:*", false},
		{"pattern, other pattern", "claims:*", "users:*", false},
		{"pattern, longer resource", "claims:*", "claimsx:*", false},
		{"scopes never make a pattern", "claims:read claims:write", "claims:*", false},
		{"patterns never make full access", "a:* b:*", "*", false},
		{"full access, scope", "*", "claims:read", true},
		{"full access, pattern", "*", "claims:*", true},
		{"full access, itself", "*", "*", true},
		{"scope, full access", "claims:read", "*", false},
		{"nothing, full access", "", "*", false},
		{"nothing, scope", "", "claims:read", false},
		{"nothing, nothing", "", "", true},
		{"scope, nothing", "claims:read", "", true},
	}
	for _, test := range tests {
		t.Run(test.desc, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, mustStored(t, test.set).Includes(mustStored(t, test.other)))
		})
	}
}

func TestSet_Equal(t *testing.T) {
	t.Parallel()
	require.True(t, scopes.MustSet("a:b", "c:d").Equal(scopes.MustSet("c:d", "a:b", "a:b")))
	require.True(t, scopes.Set{}.Equal(scopes.MustSet()))
	require.True(t, scopes.FullAccess().Equal(mustStored(t, "*")))
	require.False(t, scopes.FullAccess().Equal(scopes.Set{}))
	require.False(t, scopes.MustSet("a:b").Equal(scopes.MustSet("a:b", "c:d")))

	short, long := scopes.MustSet("a:*"), scopes.MustSet("a:*", "a:b")
	require.False(t, short.Equal(long), "what is listed is compared")
	require.True(t, short.Includes(long) && long.Includes(short), "what is granted is the same")
}

func TestSet_IsImmutable(t *testing.T) {
	t.Parallel()
	input := []scopes.Scope{"users:read", "claims:read"}
	set := scopes.MustSet(input...)
	require.Equal(t, []scopes.Scope{"users:read", "claims:read"}, input, "not sorted in place")
	input[0], input[1] = "admin:write", "*"
	output := set.Scopes()
	output[0] = "admin:write"
	_ = append(output[:0], "a:a", "a:b", "a:c")
	require.Equal(t, "claims:read users:read", set.String())
	require.False(t, set.Covers("admin:write"))
	require.True(t, set.Covers("claims:read"))

	copied := set
	require.NoError(t, json.Unmarshal([]byte(`["admin:write"]`), &copied))
	require.Equal(t, "claims:read users:read", set.String(), "decoding into a copy")
}

func TestSet_IsSafeToShare(t *testing.T) {
	t.Parallel()
	set := scopes.MustSet("claims:*", "users:read")
	asked, err := scopes.AnyOf("claims:read", "users:write")
	require.NoError(t, err)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 100 {
				slices.Reverse(set.Scopes())
				slices.Reverse(asked.Scopes())
				if !set.Covers("users:read") || !asked.MetBy(set) || !set.Includes(set) || set.String() == "" {
					t.Error("a shared set changed")
				}
			}
		})
	}
	group.Wait()
}

func numbered(n int) []scopes.Scope {
	list := make([]scopes.Scope, n)
	for i := range list {
		list[i] = scopes.Scope(fmt.Sprintf("r%05d:read", i))
	}
	return list
}

func asJSON(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(text)
}
