package credential_test

import (
	"math/big"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore/internal/credential"
)

// generated returns a new credential, its id tagged if there is a key.
func generated(brand, env string, tag credential.TagKey) credential.Text {
	return credential.Text{Brand: brand, Env: env, ID: credential.NewID(tag), Secret: credential.NewSecret()}
}

var tagKey = credential.NewTagKey([]byte("0123456789abcdef0123456789abcdef"))

// parses are texts and whether Parse takes them; fuzzing starts from them.
func parses() []struct {
	desc, text string
	want       bool
} {
	const id, secret = "7Gk2mXw9QaTz", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ"
	checked := func(body string) string { return body + naiveCheck(body) }
	good := checked("sk_live_" + id + "_" + secret)
	return []struct {
		desc, text string
		want       bool
	}{
		{"plain", good, true},
		{"test env", checked("sk_test_" + id + "_" + secret), true},
		{"tagged", checked("sk_live_" + id + "Az09Zz_" + secret), true},
		{"brand of 1", checked("k_live_" + id + "_" + secret), true},
		{"brand of 16", checked("abcdefghij012345_live_" + id + "_" + secret), true},
		{"brand of digits", checked("007_live_" + id + "_" + secret), true},

		{"empty", "", false},
		{"one underscore", "_", false},
		{"underscores only", strings.Repeat("_", len(good)), false},
		{"brand alone", "sk_", false},
		{"no brand", checked("_live_" + id + "_" + secret), false},
		{"brand of 17", checked("abcdefghij0123456_live_" + id + "_" + secret), false},
		{"brand in upper case", checked("SK_live_" + id + "_" + secret), false},
		{"brand with a hyphen", checked("s-k_live_" + id + "_" + secret), false},
		{"brand with é", checked("ské_live_" + id + "_" + secret), false},
		{"env prod", checked("sk_prod_" + id + "_" + secret), false},
		{"env LIVE", checked("sk_LIVE_" + id + "_" + secret), false},
		{"env liv", checked("sk_liv_" + id + "0_" + secret), false},
		{"id of 11", checked("sk_live_" + id[1:] + "_" + secret), false},
		{"id of 13", checked("sk_live_" + id + "0_" + secret), false},
		{"id of 17", checked("sk_live_" + id + "00000_" + secret), false},
		{"id of 19", checked("sk_live_" + id + "0000000_" + secret), false},
		{"id of 11, secret of 44", checked("sk_live_" + id[1:] + "_" + secret + "0"), false},
		{"id of 13, secret of 42", checked("sk_live_" + id + "0_" + secret[1:]), false},
		{"id with _", checked("sk_live_7Gk2_Xw9QaTz_" + secret), false},
		{"id with -", checked("sk_live_7Gk2-Xw9QaTz_" + secret), false},
		{"id with NUL", checked("sk_live_7Gk2\x00Xw9QaTz_" + secret), false},
		{"id in full-width digits", checked("sk_live_７Gk2mXw9Qa_" + secret), false},
		{"hyphen for the third _", checked("sk_live_" + id + "-" + secret), false},
		{"hyphen for the second _", checked("sk_live-" + id + "_" + secret), false},
		{"secret of 42", checked("sk_live_" + id + "_" + secret[1:]), false},
		{"secret of 44", checked("sk_live_" + id + "_" + secret + "0"), false},
		{"secret with +", checked("sk_live_" + id + "_+" + secret[1:]), false},
		{"secret with 0x80", checked("sk_live_" + id + "_\x80" + secret[1:]), false},
		{"another check", good[:len(good)-6] + "000000", false},
		{"check zzzzzz, over 32 bits", good[:len(good)-6] + "zzzzzz", false},
		{"check of the secret alone", good[:len(good)-6] + naiveCheck(secret), false},
		{"no check", good[:len(good)-6], false},
		{"space before", " " + good, false},
		{"line end after", good + "\n", false},
		{"NUL after", good + "\x00", false},
		{"_ after", good + "_", false},
		{"in quotes", `"` + good + `"`, false},
		{"percent-encoded", strings.Replace(good, "_", "%5F", 1), false},
		{"twice", good + good, false},
		{"1 MiB", strings.Repeat("a", 1<<20), false},
		{"1 MiB of _", strings.Repeat("_", 1<<20), false},
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, row := range parses() {
		t.Run(row.desc, func(t *testing.T) {
			t.Parallel()
			parsed, ok := credential.Parse(row.text)
			require.Equal(t, row.want, ok)
			requireLikeNaive(t, row.text)
			if !ok {
				require.Zero(t, parsed)
			}
		})
	}
}

func TestParse_RoundTrip(t *testing.T) {
	t.Parallel()
	word := regexp.MustCompile(`^\w+$`) // one double-click
	for range 1000 {
		for _, tag := range []credential.TagKey{nil, tagKey} {
			want := generated("sk", "test", tag)
			text := want.Format()
			got, ok := credential.Parse(text)
			require.True(t, ok, text)
			require.Equal(t, want, got)
			require.Regexp(t, word, text)
			require.True(t, credential.Shaped(text, "sk"))
			requireLikeNaive(t, text)
		}
	}
}

func TestT026_EveryCharacterCounts(t *testing.T) {
	t.Parallel()
	for _, tag := range []credential.TagKey{nil, tagKey} {
		for _, brand := range []string{"k", "sk", "abcdefghij012345"} {
			text := generated(brand, "live", tag).Format()
			for _, mutant := range mutants(text) {
				_, ok := credential.Parse(mutant)
				require.False(t, ok, "%s for %s", mutant, text)
			}
		}
	}
}

// mutants changes, deletes, inserts, swaps and doubles at every position.
func mutants(text string) []string {
	var all []string
	for i := range len(text) + 1 {
		for _, c := range []string{"0", "Z", "z", "_", " ", "\x00", "é"} {
			all = append(all, text[:i]+c+text[i:])
		}
	}
	for i := range len(text) {
		all = append(all, text[:i]+text[i+1:], text[:i])
		for _, c := range "09AZaz_-" {
			all = append(all, text[:i]+string(c)+text[i+1:])
		}
		r := rune(text[i])
		all = append(all, text[:i]+string(unicode.ToUpper(r))+text[i+1:], text[:i]+string(unicode.ToLower(r))+text[i+1:])
		if i > 0 {
			all = append(all, text[:i-1]+text[i:i+1]+text[i-1:i]+text[i+1:])
		}
	}
	different := all[:0]
	for _, mutant := range all {
		if mutant != text {
			different = append(different, mutant)
		}
	}
	return different
}

func TestShaped(t *testing.T) {
	t.Parallel()
	for _, row := range parses() {
		require.False(t, credential.Shaped(row.text, "pk"), row.desc)
		parsed, ok := credential.Parse(row.text)
		require.True(t, !ok || credential.Shaped(row.text, parsed.Brand), row.desc)
	}
}

func TestT027_Tags(t *testing.T) {
	t.Parallel()
	other := credential.NewTagKey([]byte("fedcba9876543210fedcba9876543210"))
	for range 1000 {
		id := credential.NewID(tagKey)
		require.Len(t, id, credential.IDBytes+credential.TagBytes)
		require.True(t, credential.Tagged(id, tagKey))
		require.False(t, credential.Tagged(id, other))
		require.False(t, credential.Tagged(credential.NewID(nil), tagKey))
		require.False(t, credential.Tagged(id[:len(id)-1], tagKey))
	}
	id := credential.NewID(tagKey)
	require.Equal(t, "LXxj9W", tagKey("7Gk2mXw9QaTz")) // or every id issued so far would be refused
	for _, mutant := range mutants(id) {
		require.False(t, credential.Tagged(mutant, tagKey), "%s for %s", mutant, id)
	}
}

// The format is public: whoever checks a text offline does as the doc says.
func TestCheck_Golden(t *testing.T) {
	t.Parallel()
	for id, check := range map[string]string{"7Gk2mXw9QaTz": "0YvxtI", "000000000057": "00ovNJ"} {
		text := credential.Text{Brand: "sk", Env: "live", ID: id, Secret: strings.Repeat("0", 43)}.Format()
		require.Equal(t, "sk_live_"+id+"_"+strings.Repeat("0", 43)+check, text)
	}
}

func TestAllocations(t *testing.T) {
	for _, tag := range []credential.TagKey{nil, tagKey} {
		text := generated("sk", "live", tag).Format()
		require.Zero(t, testing.AllocsPerRun(100, func() { credential.Parse(text) }))
		require.Zero(t, testing.AllocsPerRun(100, func() { _ = credential.Shaped(text, "sk") }))
	}
}

func FuzzParse(f *testing.F) {
	for _, row := range parses() {
		f.Add(row.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		requireLikeNaive(t, text)
		if n := len(text) - 6; n > 0 {
			requireLikeNaive(t, text[:n]+naiveCheck(text[:n])) // a right check is out of a fuzzer's reach
		}
	})
}

var naiveForm = regexp.MustCompile(`\A([a-z0-9]{1,16})_(live|test)_([0-9A-Za-z]{12}(?:[0-9A-Za-z]{6})?)_([0-9A-Za-z]{43})([0-9A-Za-z]{6})\z`)

func requireLikeNaive(t *testing.T, text string) {
	t.Helper()
	got, ok := credential.Parse(text)
	m := naiveForm.FindStringSubmatch(text)
	if len(m) == 0 || m[5] != naiveCheck(text[:len(text)-6]) {
		require.False(t, ok, text)
		return
	}
	require.True(t, ok, text)
	require.Equal(t, credential.Text{Brand: m[1], Env: m[2], ID: m[3], Secret: m[4]}, got)
	require.Equal(t, text, got.Format())
	require.True(t, credential.Shaped(text, got.Brand))
}

// naiveCheck is the doc's sentence: "CRC-32 (IEEE) of all before it, as 6 zero-padded base62 digits, most significant
// first, 0-9A-Za-z".
func naiveCheck(body string) string {
	crc := ^uint32(0)
	for _, b := range []byte(body) {
		crc ^= uint32(b)
		for range 8 {
			if crc&1 == 1 {
				crc = crc>>1 ^ 0xEDB88320
			} else {
				crc >>= 1
			}
		}
	}
	digits := new(big.Int).SetUint64(uint64(^crc)).Text(62) // in 0-9a-zA-Z
	swapped := strings.Map(func(r rune) rune {
		if unicode.IsUpper(r) {
			return unicode.ToLower(r)
		}
		return unicode.ToUpper(r)
	}, digits)
	return strings.Repeat("0", 6-len(swapped)) + swapped
}

func TestCheck_Twin(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		// A brand may be anything here: short bodies make small sums, with zeros in front.
		c := credential.Text{Brand: strings.Repeat(string(rune('a'+random.IntN(26))), random.IntN(9)), ID: credential.NewID(nil)}
		text := c.Format()
		require.Equal(t, naiveCheck(text[:len(text)-6]), text[len(text)-6:])
	}
}
