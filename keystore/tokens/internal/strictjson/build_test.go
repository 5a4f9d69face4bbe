package strictjson_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore/tokens/internal/strictjson"
)

func TestBuilder(t *testing.T) {
	t.Parallel()
	var b strictjson.Builder
	require.Equal(t, `{}`, b.String())
	b.Text("z", "first")
	b.Text("empty", "")
	b.Value("number", "1")
	b.Texts("none", nil)
	b.Texts("texts", []string{"a", "", "b"})
	b.Text("escaped", "\"\\/\x00\n\x1F\x7F<>&\u2028é😀")
	b.Text(`na"me`, "x")
	want := `{"z":"first","number":1,"texts":["a","","b"],"escaped":"\"\\/\u0000\u000a\u001f` + "\x7F<>&\u2028é😀" + `","na\"me":"x"}`
	require.Equal(t, want, b.String())
	require.Equal(t, want, b.String(), "twice")
}

// Whatever text is written is read back, by us and by encoding/json.
func FuzzBuilder(f *testing.F) {
	for _, text := range []string{"", "plain", "\"\\/\x00\n\x1F\x7F<>&\u2028é😀", "\xFF", "\uFFFD"} {
		f.Add(text, text)
	}
	f.Fuzz(func(t *testing.T, name, text string) {
		var b strictjson.Builder
		b.Texts(name, []string{text})
		got := map[string][]string{}
		err := strictjson.Object(b.String(), func(name string, value strictjson.Value) {
			var texts []string
			require.NoError(t, json.Unmarshal([]byte(value), &texts))
			got[name] = texts
		})
		if err != nil {
			require.False(t, naive(b.String()))
			return
		}
		require.Equal(t, map[string][]string{name: {text}}, got)
	})
}
