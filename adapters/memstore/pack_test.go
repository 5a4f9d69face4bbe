package memstore

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
)

func TestPack_Phrases(t *testing.T) {
	t.Parallel()
	require.Less(t, len(phrases()), 0x20, "every code is a control character")
	for i, phrase := range phrases() {
		require.Greater(t, len(phrase), 1)
		for _, later := range phrases()[i+1:] {
			require.False(t, strings.HasPrefix(later, phrase), "%q hides %q", phrase, later)
		}
		require.Equal(t, string(rune(i+1)), pack([]byte(phrase)))
	}
}

var texts = []string{
	"", "a", `","`, `\`, `\","`, "\x00\x01\x1f\x7f\n\t", "é\u2028\U0001F511", "\xff", `<&>`, strings.Join(phrases(), ""), "20", "2026-11-22",
}

func FuzzPack(f *testing.F) {
	for i, text := range texts {
		f.Add(text, texts[(i+1)%len(texts)])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		r := keystore.Record{ID: a, Kind: keystore.Kind(b), Owner: b, Name: a, Op: a, Meta: map[string]string{a: b}}
		encoding, err := json.Marshal(r)
		require.NoError(t, err)
		data := pack(encoding)
		require.Equal(t, string(encoding), string(unpack(data)))
		require.LessOrEqual(t, len(data), len(encoding))

		c, err := encode(r)
		require.NoError(t, err)
		require.Equal(t, b, c.owner)
		back, err := c.record()
		require.NoError(t, err)
		again, err := json.Marshal(back)
		require.NoError(t, err)
		if len(back.Meta) == 1 { // An invalid key of Meta becomes U+FFFD, which is what keystore promises.
			require.JSONEq(t, string(encoding), string(again))
		}
	})
}
