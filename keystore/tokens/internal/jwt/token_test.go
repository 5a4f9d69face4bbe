package jwt_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"math/big"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore/tokens/internal/jwk"
	"github.com/claviger-go/claviger/keystore/tokens/internal/jwt"
)

// forms are texts that have not the form of a token; fuzzing starts from them.
func forms() []struct{ threat, text string } {
	good := craft(mac, `{"alg":"HS256","typ":"at+jwt"}`, payload)
	segments := strings.Split(good, ".")
	return []struct{ threat, text string }{
		{"T-073 empty", ""},
		{"T-073 a dot", "."},
		{"T-073 two dots", ".."},
		{"T-073 one segment", segments[0]},
		{"T-073 two segments", segments[0] + "." + segments[1]},
		{"T-073 four segments", good + "." + segments[2]},
		{"T-073 a dot after", good + "."},
		{"T-073 a dot before", "." + good},
		{"T-073 padded", good + "="},
		{"T-073 padded header", strings.Replace(good, ".", "=.", 1)},
		{"T-073 space before", " " + good},
		{"T-073 line end after", good + "\n"},
		{"T-073 CR LF after", good + "\r\n"},
		{"T-073 line end in the header", good[:5] + "\n" + good[5:]},
		{"T-073 tab in the payload", strings.Replace(good, ".", ".\t", 1)},
		{"T-073 standard alphabet", strings.ReplaceAll(strings.ReplaceAll(craft(mac, `{"alg":"HS256","x":"???>>>"}`, payload), "_", "/"), "-", "+")},
		{"T-073 quotes", `"` + good + `"`},
		{"T-073 NUL after", good + "\x00"},
		{"T-073 non-ASCII", good + "é"},
		{"T-073 Bearer before", "Bearer " + good},
		{"T-073 JSON serialization", `{"payload":"` + segments[1] + `","protected":"` + segments[0] + `","signature":"` + segments[2] + `"}`},
		{"T-071 JWE", strings.Join([]string{encode(`{"alg":"dir","enc":"A128GCM"}`), "", "AAAAAAAAAAAAAAAA", "AA", "AAAAAAAAAAAAAAAAAAAAAA"}, ".")},
		{"T-071 JWE with PBES2", strings.Join([]string{encode(`{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2147483647,"p2s":"AA"}`), "AA", "AA", "AA", "AA"}, ".")},
		{"T-071 JWE with a bomb", strings.Join([]string{encode(`{"alg":"dir","enc":"A128GCM","zip":"DEF"}`), "", "AA", strings.Repeat("A", 4096), "AA"}, ".")},
		{"T-072 a byte too long", good + strings.Repeat("A", jwt.DefaultMaxBytes+1-len(good))},
		{"T-072 1 MiB", strings.Repeat("A", 1<<20)},
		{"T-072 a million dots", strings.Repeat(".", 1_000_000)},
		{"T-072 8,000 dots", strings.Repeat(".", 8000)},
	}
}

func TestForm(t *testing.T) {
	t.Parallel()
	for _, row := range forms() {
		t.Run(row.threat, func(t *testing.T) {
			t.Parallel()
			requireRefused(t, row.text, macSet, expect, jwt.ErrMalformed)
		})
	}
}

// T-073: every character of a token counts. The last one has bits that no byte
// takes up.
func TestT073_EveryCharacterCounts(t *testing.T) {
	t.Parallel()
	for signer, keys := range signers(t) {
		t.Run(string(signer.Algorithm()), func(t *testing.T) {
			t.Parallel()
			text := sign(t, signer, header, claims)
			_, err := verify(text, keys, expect)
			require.NoError(t, err)
			for i := range len(text) + 1 {
				for _, mutant := range mutants(text, i) {
					if mutant == text {
						continue
					}
					_, err := verify(mutant, keys, expect)
					require.Error(t, err, mutant)
				}
			}
		})
	}
}

// mutants changes, deletes, inserts and swaps at one position.
func mutants(text string, i int) []string {
	all := []string{text[:i] + "A" + text[i:], text[:i] + "\n" + text[i:], text[:i] + "=" + text[i:], text[:i] + "." + text[i:], text[:i]}
	if i == len(text) {
		return all
	}
	all = append(all, text[:i]+text[i+1:])
	for _, c := range []byte{text[i] ^ 1, text[i] ^ 0x20, 'A', 'B', '_', '.', '\r'} {
		all = append(all, text[:i]+string(rune(c))+text[i+1:])
	}
	if i > 0 {
		all = append(all, text[:i-1]+text[i:i+1]+text[i-1:i]+text[i+1:])
	}
	return all
}

// T-073, as the package's doc has it: an ECDSA signature has a twin. What is
// remembered of a token is not its text.
func TestT073_TwinOfECDSA(t *testing.T) {
	t.Parallel()
	private := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	keys := must(jwk.NewSet(must(jwk.NewPublic("2026", "", crypto.PublicKey(&private.PublicKey)))))
	signed := encode(`{"alg":"ES256","typ":"at+jwt"}`) + "." + encode(payload)
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, private, sum[:])
	require.NoError(t, err)
	twin := new(big.Int).Sub(private.Params().N, s)
	for _, s := range []*big.Int{s, twin} {
		signature := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
		_, err := verify(signed+"."+base64.RawURLEncoding.EncodeToString(signature), keys, expect)
		require.NoError(t, err)
	}
}

func TestParse_MaxBytes(t *testing.T) {
	t.Parallel()
	text := sign(t, mac, header, claims)
	for maxBytes, want := range map[int]error{
		0: nil, len(text): nil, 1 << 20: nil, len(text) - 1: jwt.ErrMalformed, 1: jwt.ErrMalformed, -1: jwt.ErrMalformed,
	} {
		_, err := jwt.Parse(text, maxBytes)
		require.ErrorIs(t, err, want, maxBytes)
	}
	// T-065, T-072: bounds that hold where somebody configures long tokens.
	for _, row := range []struct {
		header, payload string
		want            error
	}{
		{`{"alg":"HS256","typ":"at+jwt","kid":"` + strings.Repeat("a", 1<<20) + `"}`, payload, jwk.ErrUnknownKey},
		{`{"alg":"HS256","typ":"at+jwt"}`, `{"exp":` + strings.Repeat("9", 1<<20) + `}`, jwt.ErrMalformed},
		{`{"alg":"HS256","typ":"at+jwt"}`, `{"x":` + strings.Repeat("[", 100_000), jwt.ErrMalformed},
		{`{"alg":"HS256","typ":"at+jwt"}`, `{"x":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `,"exp":1}`, jwt.ErrMalformed},
	} {
		token, err := jwt.Parse(craft(mac, row.header, row.payload), 4<<20)
		require.NoError(t, err)
		got, err := token.Verify(macSet, expect)
		require.ErrorIs(t, err, row.want)
		require.Zero(t, got)
	}
}

func TestUnproven(t *testing.T) {
	t.Parallel()
	forger := must(jwk.NewSecret("2026", append([]byte("x"), secret...)))
	for payload, want := range map[string]string{
		`{"iss":"https://auth.example","sid":"7","exp":1}`: "https://auth.example",
		`{"exp":1,"sid":"7"}`:                              "",
	} {
		token, err := jwt.Parse(craft(forger, `{"alg":"HS256"}`, payload), 0)
		require.NoError(t, err)
		issuer, err := token.UnprovenIssuer()
		require.NoError(t, err)
		require.Equal(t, want, issuer)
		session, expires, err := token.UnprovenSession()
		require.NoError(t, err)
		require.Equal(t, "7", session)
		require.Equal(t, time.Unix(1, 0).UTC(), expires)
	}
	for _, payload := range []string{`{"iss":"a","iss":"a","exp":1}`, `{"iss":"a","ISS":"b","exp":1}`, `{"iss":"a","exp":"1"}`, `Zm9v`} {
		token, err := jwt.Parse(craft(mac, `{"alg":"HS256"}`, payload), 0)
		require.NoError(t, err)
		issuer, err := token.UnprovenIssuer()
		require.ErrorIs(t, err, jwt.ErrMalformed)
		require.Empty(t, issuer)
		session, expires, err := token.UnprovenSession()
		require.ErrorIs(t, err, jwt.ErrMalformed)
		require.Empty(t, session)
		require.Zero(t, expires)
	}
}

// T-072, R-12: what is refused allocates little, whatever it is.
func TestT072_Allocations(t *testing.T) {
	keys := must(jwk.NewSet(mac.Key))
	texts := map[string]string{}
	for _, row := range forms() {
		texts[row.threat] = row.text
	}
	for _, row := range headers() {
		texts[row.threat] = craft(mac, row.header, payload)
	}
	for _, row := range payloads() {
		texts[row.threat] = craft(mac, `{"alg":"HS256","typ":"at+jwt"}`, row.payload)
	}
	for threat, text := range texts {
		const runs = 10
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			token, err := jwt.Parse(text, 0)
			if err == nil {
				_, _ = token.UnprovenIssuer()
				_, _ = token.Verify(keys, expect)
			}
		}
		runtime.ReadMemStats(&after)
		require.Less(t, (after.TotalAlloc-before.TotalAlloc)/runs, uint64(64<<10), threat)
	}
}
