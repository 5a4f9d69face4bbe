package strictjson_test

import (
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore/tokens/internal/strictjson"
)

// FuzzObject compares with the doc's sentences on top of encoding/json.
func FuzzObject(f *testing.F) {
	for _, row := range objects() {
		f.Add(row.text)
	}
	f.Fuzz(requireLikeNaive)
}

func requireLikeNaive(t *testing.T, text string) {
	t.Helper()
	got := map[string]string{}
	err := strictjson.Object(text, func(name string, value strictjson.Value) { got[name] = string(value) })
	require.Equal(t, naive(text), err == nil, "%.200q", text)
	if err != nil {
		return
	}
	var want map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(text), &want))
	require.Len(t, got, len(want))
	for name, value := range want {
		require.Equal(t, string(value), got[name])
		require.True(t, strictjson.Valid(got[name]))
		var says string
		if said, err := strictjson.Value(value).Text(); err == nil {
			require.NoError(t, json.Unmarshal(value, &says))
			require.Equal(t, says, said)
		}
	}
}

// naive takes what encoding/json takes, but for what the package's doc excludes.
func naive(text string) bool {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	first, err := decoder.Token()
	if err != nil || first != json.Delim('{') || !utf8.ValidString(text) || loneSurrogate(text) {
		return false
	}
	if !naiveRest(decoder, first, 1) {
		return false
	}
	_, err = decoder.Token()
	return errors.Is(err, io.EOF)
}

// naiveRest reads to the end of what the delimiter has opened.
func naiveRest(decoder *json.Decoder, open json.Token, level int) bool {
	if level > 32 {
		return false
	}
	var names []string
	for decoder.More() {
		if open == json.Delim('{') {
			token, err := decoder.Token()
			name, ok := token.(string)
			if err != nil || !ok || slices.Contains(names, name) || len(names) == 128 {
				return false
			}
			names = append(names, name)
		}
		token, err := decoder.Token()
		if err != nil {
			return false
		}
		if _, opens := token.(json.Delim); opens && !naiveRest(decoder, token, level+1) {
			return false
		}
	}
	_, err := decoder.Token()
	return err == nil
}

// loneSurrogate tries each escape of a surrogate with its neighbour: encoding/json
// makes U+FFFD of what is no pair.
func loneSurrogate(text string) bool {
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		if !surrogate(text[i:]) {
			i++ // whatever is escaped
			continue
		}
		var pair string
		end := min(i+12, len(text))
		if json.Unmarshal(slices.Concat([]byte{'"'}, []byte(text[i:end]), []byte{'"'}), &pair) != nil || strings.ContainsRune(pair, utf8.RuneError) {
			return true
		}
		i = end - 1
	}
	return false
}

func surrogate(text string) bool {
	return len(text) >= 6 && text[1] == 'u' && strings.ContainsAny(text[2:3], "dD") && strings.ContainsAny(text[3:4], "89abcdefABCDEF")
}
