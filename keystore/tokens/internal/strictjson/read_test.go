package strictjson_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore/tokens/internal/strictjson"
)

// objects are texts and whether Object takes them; fuzzing starts from them.
func objects() []struct {
	desc, text string
	want       bool
} {
	nested := func(levels int) string {
		return `{"a":` + strings.Repeat("[", levels-1) + strings.Repeat("]", levels-1) + "}"
	}
	members := func(n int) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(`,"` + strconv.Itoa(i) + `":0`)
		}
		return "{" + strings.TrimPrefix(b.String(), ",") + "}"
	}
	return []struct {
		desc, text string
		want       bool
	}{
		{"empty", `{}`, true},
		{"every kind of value", `{"s":"x","n":-1.5e+3,"t":true,"f":false,"z":null,"a":[1,[],{}],"o":{"p":{}}}`, true},
		{"white space", " {\t\"a\" :\r\n [ 1 , 2 ] , \"b\":{ } } ", true},
		{"escapes", `{"\"\\\/\b\f\n\r\té":"\ud83d\ude00"}`, true},
		{"empty name", `{"":0}`, true},
		{"names that differ in case", `{"exp":1,"EXP":2,"Exp":3}`, true},
		{"a name of each object", `{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]}`, true},
		{"__proto__", `{"__proto__":{"a":1}}`, true},
		{"32 levels", nested(32), true},
		{"128 members", members(128), true},
		{"128 in a member", `{"a":` + members(128) + `}`, true},

		{"nothing", ``, false},
		{"white space alone", ` `, false},
		{"an array", `[]`, false},
		{"a string", `"a"`, false},
		{"a NUL", "\x00", false},
		{"BOM", "\xEF\xBB\xBF{}", false},
		{"a form feed", "{\f}", false},
		{"no-break space", "{\u00A0}", false},
		{"unfinished", `{"a":1`, false},
		{"after a name", `{"a"`, false},
		{"after a colon", `{"a":`, false},
		{"after a comma", `{"a":1,`, false},
		{"comma before", `{,"a":1}`, false},
		{"comma after", `{"a":1,}`, false},
		{"comma in an array", `{"a":[1,]}`, false},
		{"no comma", `{"a":1 "b":2}`, false},
		{"brackets crossed", `{"a":[1}]`, false},
		{"data after", `{} {}`, false},
		{"a brace after", `{}}`, false},
		{"NUL after", "{}\x00", false},
		{"comment", `{/**/}`, false},
		{"bare name", `{a:1}`, false},
		{"single quotes", `{'a':1}`, false},
		{"name is a number", `{1:1}`, false},
		{"NaN", `{"a":NaN}`, false},
		{"Infinity", `{"a":-Infinity}`, false},
		{"True", `{"a":True}`, false},
		{"nul", `{"a":nul}`, false},
		{"leading zero", `{"a":01}`, false},
		{"plus", `{"a":+1}`, false},
		{"a minus alone", `{"a":-}`, false},
		{"no digit before the point", `{"a":.5}`, false},
		{"no digit after the point", `{"a":1.}`, false},
		{"no digit in the exponent", `{"a":1e}`, false},
		{"hexadecimal", `{"a":0x1}`, false},
		{"line end in a string", "{\"a\":\"\n\"}", false},
		{"string without an end", `{"a":"`, false},
		{"backslash at the end", `{"a":"\`, false},
		{"escape that is none", `{"a":"\x41"}`, false},
		{"escaped NUL byte", "{\"a\":\"\\\x00\"}", false},
		{"escape of three digits", `{"a":"\u004"}`, false},
		{"escape with a sign", `{"a":"\u+041"}`, false},
		{"escape cut off", `{"a":"\u00`, false},
		{"first surrogate alone", `{"a":"\ud83d"}`, false},
		{"first surrogate before another escape", `{"a":"\ud83d\n"}`, false},
		{"first surrogate before a letter", `{"a":"\ud83dA"}`, false},
		{"first surrogate twice", `{"a":"\ud83d\ud83d"}`, false},
		{"first surrogate before one that is none", `{"a":"\ud83d\ue000"}`, false},
		{"first surrogate before an ordinary one", `{"a":"\ud83d\u0041"}`, false},
		{"second surrogate twice", `{"a":"\ude00\ude00"}`, false},
		{"second surrogate alone", `{"a":"\ude00"}`, false},
		{"lone surrogate in a name", `{"\ud800":1}`, false},
		{"invalid UTF-8", "{\"a\":\"\xFF\"}", false},
		{"overlong UTF-8", "{\"a\":\"\xC0\xAE\"}", false},
		{"surrogate in UTF-8", "{\"a\":\"\xED\xA0\x80\"}", false},
		{"a name twice", `{"a":1,"a":1}`, false},
		{"a name twice, not in a row", `{"a":1,"b":2,"a":3}`, false},
		{"the empty name twice", `{"":1,"":1}`, false},
		{"a name twice by escapes", `{"exp":1,"\u0065xp":2}`, false},
		{"a name twice, further in", `{"a":{"b":1,"b":2}}`, false},
		{"a name twice, in an array", `{"a":[{"b":1,"b":2}]}`, false},
		{"the 17th name again", strings.Replace(members(20), `"18":0`, `"17":0`, 1), false},
		{"33 levels", nested(33), false},
		{"100,000 levels", nested(100_000), false},
		{"100,000 brackets", `{"a":` + strings.Repeat("[", 100_000), false},
		{"100,000 braces", strings.Repeat(`{"a":`, 100_000), false},
		{"129 members", members(129), false},
		{"129 in a member", `{"a":` + members(129) + `}`, false},
	}
}

func TestObject(t *testing.T) {
	t.Parallel()
	for _, row := range objects() {
		t.Run(row.desc, func(t *testing.T) {
			t.Parallel()
			err := strictjson.Object(row.text, func(string, strictjson.Value) {})
			if row.want {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, strictjson.ErrInvalid)
				require.Equal(t, strictjson.ErrInvalid.Error(), err.Error(), "and not a word of the text")
			}
			requireLikeNaive(t, row.text)
		})
	}
}

func TestObject_Members(t *testing.T) {
	t.Parallel()
	var names []string
	var values []strictjson.Value
	require.NoError(t, strictjson.Object(`{"b": "\u0041" , "\u0061":[ 1 ],"c":{"d":1}}`, func(name string, value strictjson.Value) {
		names, values = append(names, name), append(values, value)
	}))
	require.Equal(t, []string{"b", "a", "c"}, names, "unescaped, in their order, and those of the object alone")
	require.Equal(t, []strictjson.Value{`"\u0041"`, `[ 1 ]`, `{"d":1}`}, values, "as they stand there")
}

func TestArray(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		value strictjson.Value
		want  []strictjson.Value
		ok    bool
	}{
		{`[]`, nil, true},
		{`[ 1 , "a" , [2] , {"b":3} ]`, []strictjson.Value{`1`, `"a"`, `[2]`, `{"b":3}`}, true},
		{`{}`, nil, false},
		{`"[]"`, nil, false},
		{`null`, nil, false},
		{``, nil, false},
		{`[1]]`, nil, false},
		{strictjson.Value("[0" + strings.Repeat(",0", 128) + "]"), nil, false},
	} {
		got, err := row.value.Array()
		require.Equal(t, row.ok, err == nil, "%.40s", row.value)
		require.Equal(t, row.want, got)
	}
	most, err := strictjson.Value("[0" + strings.Repeat(",0", 127) + "]").Array()
	require.NoError(t, err)
	require.Len(t, most, 128)
}

func TestText(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		value strictjson.Value
		want  string
	}{
		{`"a"`, "a"},
		{`"é😀"`, "é😀"},
		{`"\u0061\/\"\\\ud83d\ude00"`, `a/"\` + "😀"},
		{`" "`, " "},

		{``, ""},
		{`"`, ""},
		{`""`, ""},
		{`a`, ""},
		{`1`, ""},
		{`null`, ""},
		{`["a"]`, ""},
		{`{"a":1}`, ""},
		{`"a\u0000"`, ""},
		{`"a\nb"`, ""},
		{`"\u001b[2J"`, ""},
		{"\"a\x7F\"", ""},
		{`"\u007f"`, ""},
	} {
		got, err := row.value.Text()
		require.Equal(t, row.want != "", err == nil, row.value)
		require.Equal(t, row.want, got)
	}
	texts, err := strictjson.Value(`["a", "b"]`).Texts()
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, texts)
	for _, value := range []strictjson.Value{`"a"`, `["a",1]`, `["a",""]`, `["a",["b"]]`, `[null]`, `{}`, ``} {
		_, err := value.Texts()
		require.ErrorIs(t, err, strictjson.ErrInvalid, value)
	}
}

func TestValid(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`1`, `"a"`, `null`, `{"a":[1, 2]}`, `[]`} {
		require.True(t, strictjson.Valid(text), text)
	}
	for _, text := range []string{``, ` 1`, `1 `, `1,"exp":2`, `1}`, `{"a":1,"a":2}`, `"a`, "\"\xFF\"", `NaN`} {
		require.False(t, strictjson.Valid(text), text)
	}
}

func TestAllocations(t *testing.T) {
	text := `{"iss":"https://auth.example","sub":"acme","aud":["claims"],"exp":1795330860,"nested":{"a":{"b":"c"}}}`
	require.Zero(t, testing.AllocsPerRun(100, func() {
		_ = strictjson.Object(text, func(_ string, value strictjson.Value) { _, _ = value.Text() })
	}))
}
