package scopes_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/scopes"
)

func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		desc, text, why string // why "": accepted
	}{
		{"two segments", "claims:read", ""},
		{"eight segments", "a:b:c:d:e:f:g:h", ""},
		{"one-byte segments", "a:b", ""},
		{"digits first", "2fa:1", ""},
		{"dots, underscores, hyphens inside", "v1.claims_x-y:read.own", ""},
		{"dots, underscores, hyphens at the end", "a.:b_:c-", ""},
		{"128 bytes", "a:" + strings.Repeat("b", 126), ""},
		{"pattern", "claims:*", ""},
		{"pattern of three", "claims:read:*", ""},
		{"pattern of eight", "a:b:c:d:e:f:g:*", ""},

		{"empty", "", "empty"},
		{"129 bytes", "a:" + strings.Repeat("b", 127), "longer than 128"},
		{"1 MiB", strings.Repeat("a:", 1<<19), "longer than 128"},
		{"one segment", "claims", "one segment"},
		{"nine segments", "a:b:c:d:e:f:g:h:i", "more than 8"},
		{"pattern that could cover nothing", "a:b:c:d:e:f:g:h:*", "more than 8"},
		{"no action", "claims:", "a segment is empty"},
		{"no resource", ":read", "a segment begins"},
		{"empty segment", "claims::read", "a segment begins"},
		{"only colons", ":::", "a segment begins"},
		{"dot first", ".claims:read", "a segment begins"},
		{"hyphen first", "claims:-read", "a segment begins"},
		{"star", "*", "FullAccess"},
		{"two stars", "**", "'*'"},
		{"stars in segments", "*:*", "'*'"},
		{"star first", "*:read", "'*'"},
		{"star inside", "claims:*:x", "'*'"},
		{"star twice", "claims:*:*", "'*'"},
		{"star ends a segment", "claims:re*", "'*'"},
		{"star begins a segment", "claims:*d", "'*'"},
		{"two stars last", "claims:**", "'*'"},
		{"star without resource", ":*", "a segment is empty"},
	}
	for _, test := range tests {
		t.Run(test.desc, func(t *testing.T) {
			t.Parallel()
			got, err := scopes.Parse(test.text)
			if test.why == "" {
				require.NoError(t, err)
				require.Equal(t, scopes.Scope(test.text), got)
				return
			}
			require.ErrorIs(t, err, scopes.ErrMalformed)
			require.NotErrorIs(t, err, scopes.ErrUnknown)
			require.ErrorContains(t, err, test.why)
			require.Empty(t, got)
		})
	}
}

// badTexts are entries that no list of scopes may hold, whoever reads it. "*" and patterns are not among them.
var badTexts = []struct{ desc, text string }{
	{"empty", ""},
	{"space", " "},
	{"leading space", " claims:read"},
	{"trailing space", "claims:read "},
	{"two scopes in one", "claims:read claims:write"},
	{"comma", "claims:read,claims:write"},
	{"tab", "claims:\tread"},
	{"line feed at the end", "claims:read\n"},
	{"carriage return, line feed", "claims:read\r\nX-Admin: 1"},
	{"NUL", "claims:read\x00"},
	{"escape", "claims:\x1b[2Jread"},
	{"DEL", "claims:read\x7f"},
	{"double quote", `claims:"read"`},
	{"single quote", "claims:'read'"},
	{"backslash", `claims:\read`},
	{"slash", "claims/read:x"},
	{"percent", "claims%3aread:x"},
	{"upper case", "Claims:Read"},
	{"upper case last", "claims:READ"},
	{"Cyrillic es", "\u0441laims:read"},
	{"Kelvin sign", "\u212aey:read"},
	{"full-width colon", "claims\uff1aread"},
	{"zero-width space", "claims:\u200bread"},
	{"invalid UTF-8", "claims:\xff"},
	{"no-break space", "claims:read\u00a0"},
}

func TestParse_T045_OddCharacters(t *testing.T) {
	t.Parallel()
	for _, test := range badTexts {
		t.Run(test.desc, func(t *testing.T) {
			t.Parallel()
			_, err := scopes.Parse(test.text)
			require.ErrorIs(t, err, scopes.ErrMalformed)
			for _, r := range err.Error() {
				require.True(t, ' ' <= r && r <= '~', "an error is printable ASCII: %q", err)
			}
		})
	}
}

// Every other byte is refused wherever it stands.
func TestParse_Alphabet(t *testing.T) {
	t.Parallel()
	const first = "abcdefghijklmnopqrstuvwxyz0123456789"
	tests := []struct{ desc, before, after, allowed string }{
		{"first", "", "a:b", first},
		{"inner", "a", "a:b", first + "._-:"},
		{"begins a segment", "a:", "b", first},
		{"a whole segment", "a:", "", first + "*"},
	}
	for _, test := range tests {
		t.Run(test.desc, func(t *testing.T) {
			t.Parallel()
			for b := range 256 {
				_, err := scopes.Parse(test.before + string([]byte{byte(b)}) + test.after)
				require.Equal(t, strings.IndexByte(test.allowed, byte(b)) >= 0, err == nil, "byte %#x", b)
			}
		})
	}
}

func TestErrors_QuoteAtMost64Bytes(t *testing.T) {
	t.Parallel()
	_, err := scopes.Parse(strings.Repeat("A", 1<<20))
	require.EqualError(t, err, `scopes: malformed: "`+strings.Repeat("A", 64)+`"...: longer than 128 bytes`)
	_, err = scopes.Parse(strings.Repeat("\u0441", 1<<20))
	require.EqualError(t, err, `scopes: malformed: "`+strings.Repeat(`\u0441`, 32)+`"...: longer than 128 bytes`)
}

// joined counts the mistakes in an error.
func joined(err error) int {
	var all interface{ Unwrap() []error }
	if errors.As(err, &all) {
		return len(all.Unwrap())
	}
	return 1
}
