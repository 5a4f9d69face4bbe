package keystore

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// undecodable are texts that are no record this version may act on.
func undecodable() []struct {
	desc, text string
	newer      bool
} {
	with := func(old, replacement string) string {
		if !strings.Contains(typicalGolden, old) {
			panic(old)
		}
		return strings.Replace(typicalGolden, old, replacement, 1)
	}
	const format = `{"format":1,`
	return []struct {
		desc, text string
		newer      bool
	}{
		{"newer format", with(format, `{"format":2,`), true},
		{"much newer format", with(format, `{"format":9007199254740993,`), true},
		{"newer format with a new member", with(format, `{"format":2,"geofence":["EU"],`), true},
		{"newer format with a new type", with(`"limits":{`, `"format":2,"limits":[],"x":{`), true},
		{"newer format at the end", typicalGolden[:len(typicalGolden)-1] + `,"format":2}`, true},

		{"unknown member", with(format, format+`"geofence":["EU"],`), false},
		{"unknown member in limits", with(`"networks"`, `"geofence":["EU"],"networks"`), false},
		{"unknown member in a secret", with(`"n":1,`, `"n":1,"use":"sign",`), false},
		{"unknown member in a mark", with(`"at":`, `"until":"2027-01-01T00:00:00Z","at":`), false},
		{"unknown member in generation", with(`"meta"`, `"generation":{"m":1},"meta"`), false},
		{"unknown member in rate", with(`"networks"`, `"rate":{"requests":1,"per":1,"by":"ip"},"networks"`), false},
		{"unknown member in client", with(`"meta"`, `"client":{"secret":"x"},"meta"`), false},
		{"unknown member in grant", with(`"meta"`, `"grant":{"method":"S256"},"meta"`), false},

		{"no format", with(format, `{`), false},
		{"format null", with(format, `{"format":null,`), false},
		{"format 0", with(format, `{"format":0,`), false},
		{"format -1", with(format, `{"format":-1,`), false},
		{"format 1.5", with(format, `{"format":1.5,`), false},
		{"format as text", with(format, `{"format":"1",`), false},
		{"format beyond 64 bits", with(format, `{"format":99999999999999999999,`), false},

		{"nothing", ``, false},
		{"null", `null`, false},
		{"empty object", `{}`, false},
		{"array", `[` + typicalGolden + `]`, false},
		{"text", `"` + "record" + `"`, false},
		{"number", `1`, false},
		{"a second record behind", typicalGolden + typicalGolden, false},
		{"a word behind", typicalGolden + ` x`, false},
		{"a brace behind", typicalGolden + `}`, false},
		{"NUL behind", typicalGolden + "\x00", false},
		{"BOM in front", "\ufeff" + typicalGolden, false},

		{"id of a wrong type", with(`"id":"7Gk2mXw9QaTz"`, `"id":7`), false},
		{"version of a wrong type", with(`"version":1795316401000000`, `"version":"1"`), false},
		{"version below 0", with(`"version":1795316401000000`, `"version":-1`), false},
		{"n beyond 32 bits", with(`"n":1,`, `"n":4294967297,`), false},
		{"revoked true", with(`"meta"`, `"revoked":true,"meta"`), false},
		{"secrets as an object", with(`"secrets":[{`, `"secrets":{"a":{`), false},
		{"scopes as a text", with(`["claims:*","reports:read"]`, `"claims:*"`), false},
		{"malformed scope", with(`"reports:read"`, `"reports:*:read"`), false},
		{"network without a length", with(`192.0.2.0/24`, `192.0.2.0`), false},
		{"meta with a number", with(`{"team":"claims"}`, `{"team":1}`), false},
		{"time without a zone", with(`"created":"2026-11-22T03:00:01Z","created_by"`, `"created":"2026-11-22T03:00:01","created_by"`), false},
		{"time as a number", with(`"expires":"2027-11-22T03:00:01.123456Z"`, `"expires":1826938801`), false},
		{"year 10000 in UTC", with(`2027-11-22T03:00:01.123456Z`, `9999-12-31T23:59:59-23:59`), false},
		{"year 0", with(`2027-11-22T03:00:01.123456Z`, `0000-01-01T00:00:00Z`), false},
		{"before there were keys", with(`2027-11-22T03:00:01.123456Z`, `1969-12-31T23:59:59Z`), false},
		{"a moment after the zero time", with(`2027-11-22T03:00:01.123456Z`, `0001-01-01T00:00:00.0000001Z`), false},
	}
}

func TestRecord_Undecodable(t *testing.T) {
	t.Parallel()
	for _, row := range undecodable() {
		t.Run(row.desc, func(t *testing.T) {
			t.Parallel()
			before := filled(t)
			r := before
			err := r.UnmarshalJSON([]byte(row.text))
			require.Error(t, err)
			require.Equal(t, before, r, "a record was half decoded")
			if row.newer {
				require.ErrorIs(t, err, ErrNewerFormat)
			} else {
				require.NotErrorIs(t, err, ErrNewerFormat)
			}
			require.Error(t, json.Unmarshal([]byte(row.text), &r))
		})
	}
}

func TestRecord_Torn(t *testing.T) {
	t.Parallel()
	for i := range len(typicalGolden) {
		var r Record
		require.Error(t, r.UnmarshalJSON([]byte(typicalGolden[:i])), typicalGolden[:i])
		require.Equal(t, Record{}, r)
	}
}

func FuzzRecordDecode(f *testing.F) {
	for _, row := range undecodable() {
		f.Add([]byte(row.text))
	}
	f.Add([]byte(typicalGolden))
	full, err := json.Marshal(filled(f))
	require.NoError(f, err)
	f.Add(full)
	f.Add([]byte(`{"format":1,"limits":{"networks":[],"audiences":[]},"meta":{},"secrets":[],"generation":{"seed":""}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var first, second Record
		if first.UnmarshalJSON(data) != nil {
			require.Equal(t, Record{}, first)
			return
		}
		encoded, err := json.Marshal(first)
		require.NoError(t, err)
		require.NoError(t, second.UnmarshalJSON(encoded))
		require.Equal(t, first, second)
		again, err := json.Marshal(second)
		require.NoError(t, err)
		require.Equal(t, string(encoded), string(again))
	})
}
