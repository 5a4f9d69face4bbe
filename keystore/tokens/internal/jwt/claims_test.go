package jwt_test

import (
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore/tokens/internal/jwt"
)

// payloads are payloads and why a token that is otherwise good is refused for them;
// fuzzing starts from them. The time is 1795348800.
func payloads() []struct {
	threat, payload string
	want            error
} {
	// with stands for good claims beside those of the row.
	with := func(more string) string { return payload[:len(payload)-1] + "," + more + "}" }
	exp := func(number string) string {
		return `{"iss":"https://auth.example","aud":"claims","exp":` + number + `}`
	}
	aud := func(value string) string {
		return `{"iss":"https://auth.example","exp":1795352400,"aud":` + value + `}`
	}
	iss := func(value string) string { return `{"aud":"claims","exp":1795352400,"iss":` + value + `}` }
	many := func(n int) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(`"c` + strconv.Itoa(i) + `":0,`)
		}
		return strings.TrimSuffix(b.String(), ",")
	}
	return []struct {
		threat, payload string
		want            error
	}{
		{"T-067 plain", payload, nil},
		{"T-067 missing", `{"iss":"https://auth.example","aud":"claims"}`, jwt.ErrMalformed},
		{"T-067 null", exp(`null`), jwt.ErrMalformed},
		{"T-067 string", exp(`"1795352400"`), jwt.ErrMalformed},
		{"T-067 true", exp(`true`), jwt.ErrMalformed},
		{"T-067 array", exp(`[1795352400]`), jwt.ErrMalformed},
		{"T-067 object", exp(`{}`), jwt.ErrMalformed},
		{"T-067 NaN", exp(`NaN`), jwt.ErrMalformed},
		{"T-067 NaN text", exp(`"NaN"`), jwt.ErrMalformed},
		{"T-067 0", exp(`0`), jwt.ErrExpired},
		{"T-067 -0", exp(`-0`), jwt.ErrMalformed},
		{"T-067 negative", exp(`-1`), jwt.ErrMalformed},
		{"T-067 1e300", exp(`1e300`), jwt.ErrMalformed},
		{"T-067 1e400", exp(`1e400`), jwt.ErrMalformed},
		{"T-067 1e-400", exp(`1e-400`), jwt.ErrExpired},
		{"T-067 1e99999999999999999999", exp(`1e99999999999999999999`), jwt.ErrMalformed},
		{"T-067 0e32767", exp(`0e32767`), jwt.ErrExpired},
		{"T-067 4,000 digits", exp(strings.Repeat("9", 4000)), jwt.ErrMalformed},
		{"T-067 2^63 more", exp(`9223372038650128608`), jwt.ErrMalformed},
		{"T-067 2^64 more", exp(`18446744075504904016`), jwt.ErrMalformed},
		{"T-067 year 9999", exp(`253402300799`), nil},
		{"T-067 year 10000", exp(`253402300800`), jwt.ErrMalformed},
		{"T-067 milliseconds", exp(`1795352400000`), jwt.ErrMalformed},
		{"T-067 now", exp(`1795348800`), jwt.ErrExpired},
		{"T-067 a second ahead", exp(`1795348801`), nil},
		{"T-067 a nanosecond ahead", exp(`1795348800.000000001`), nil},
		{"T-067 finer than a float", exp(`1795348800.0000000000000000001`), nil},
		{"T-067 a fraction of nothing", exp(`1795348800.0000000000000000000`), jwt.ErrExpired},
		{"T-067 in powers", exp(`17953488.01E2`), nil},
		{"T-067 in powers, now", exp(`17953488000E-1`), jwt.ErrExpired},
		{"T-067 nbf ahead", with(`"nbf":1795348801`), jwt.ErrNotYetValid},
		{"T-067 nbf a hair ahead", with(`"nbf":1795348800.0000000000000000001`), jwt.ErrNotYetValid},
		{"T-067 nbf now", with(`"nbf":1795348800`), nil},
		{"T-067 nbf string", with(`"nbf":"0"`), jwt.ErrMalformed},
		{"T-067 nbf 1e400", with(`"nbf":1e400`), jwt.ErrMalformed},
		{"T-067 nbf -1", with(`"nbf":-1`), jwt.ErrMalformed},
		{"T-067 iat ahead", with(`"iat":1795348801`), jwt.ErrNotYetValid},
		{"T-067 iat now", with(`"iat":1795348800`), nil},
		{"T-067 iat null", with(`"iat":null`), jwt.ErrMalformed},
		{"T-067 iat 1e400", with(`"iat":1e400`), jwt.ErrMalformed},
		{"T-068 missing", `{"aud":"claims","exp":1795352400}`, jwt.ErrIssuer},
		{"T-068 other", iss(`"https://evil.example"`), jwt.ErrIssuer},
		{"T-068 trailing slash", iss(`"https://auth.example/"`), jwt.ErrIssuer},
		{"T-068 upper case", iss(`"https://AUTH.example"`), jwt.ErrIssuer},
		{"T-068 http", iss(`"http://auth.example"`), jwt.ErrIssuer},
		{"T-068 longer", iss(`"https://auth.example.evil"`), jwt.ErrIssuer},
		{"T-068 escaped, the same", iss(`"https:\/\/auth.example"`), nil},
		{"T-068 empty", iss(`""`), jwt.ErrMalformed},
		{"T-068 null", iss(`null`), jwt.ErrMalformed},
		{"T-068 array", iss(`["https://auth.example"]`), jwt.ErrMalformed},
		{"T-069 missing", `{"iss":"https://auth.example","exp":1795352400}`, jwt.ErrAudience},
		{"T-069 array with ours", aud(`["x","claims"]`), nil},
		{"T-069 array without", aud(`["x","y"]`), jwt.ErrAudience},
		{"T-069 other", aud(`"orders"`), jwt.ErrAudience},
		{"T-069 prefix", aud(`"claim"`), jwt.ErrAudience},
		{"T-069 longer", aud(`"claimsx"`), jwt.ErrAudience},
		{"T-069 case", aud(`"Claims"`), jwt.ErrAudience},
		{"T-069 a list in one", aud(`"x claims"`), jwt.ErrAudience},
		{"T-069 []", aud(`[]`), jwt.ErrMalformed},
		{"T-069 [ ]", aud(`[ ]`), jwt.ErrMalformed},
		{"T-069 [empty]", aud(`[""]`), jwt.ErrMalformed},
		{"T-069 empty", aud(`""`), jwt.ErrMalformed},
		{"T-069 number", aud(`1`), jwt.ErrMalformed},
		{"T-069 numbers", aud(`["claims",1]`), jwt.ErrMalformed},
		{"T-069 null", aud(`null`), jwt.ErrMalformed},
		{"T-069 object", aud(`{"claims":true}`), jwt.ErrMalformed},
		{"T-069 arrays", aud(`[["claims"]]`), jwt.ErrMalformed},
		{"T-069 128", aud(`["claims"` + strings.Repeat(`,"x"`, 127) + `]`), nil},
		{"T-069 1,000", aud(`["claims"` + strings.Repeat(`,"x"`, 999) + `]`), jwt.ErrMalformed},
		{"T-069 10,000", aud(`["claims"` + strings.Repeat(`,"x"`, 9999) + `]`), jwt.ErrMalformed},
		{"T-072 5,000 levels", with(`"x":` + strings.Repeat("[", 2500) + strings.Repeat("]", 2500)), jwt.ErrMalformed},
		{"T-072 100 claims", with(many(100)), nil},
		{"T-072 400 claims", with(many(400)), jwt.ErrMalformed},
		{"T-072 100,000 claims", with(many(100_000)), jwt.ErrMalformed},
		{"T-072 huge integer of no concern", with(`"x":` + strings.Repeat("9", 4000)), nil},
		{"T-073 empty", ``, jwt.ErrMalformed},
		{"T-073 an array", `[` + payload + `]`, jwt.ErrMalformed},
		{"T-073 data after", payload + `{}`, jwt.ErrMalformed},
		{"T-073 white space around", " " + payload + "\n", nil},
		{"T-076 exp twice", with(`"exp":1795352400`), jwt.ErrMalformed},
		{"T-076 sub twice", with(`"sub":"a","sub":"b"`), jwt.ErrMalformed},
		{"T-076 EXP beside", with(`"EXP":1`), jwt.ErrMalformed},
		{"T-076 EXP alone", `{"iss":"https://auth.example","aud":"claims","EXP":1795352400}`, jwt.ErrMalformed},
		{"T-076 Scope", with(`"Scope":"claims:read"`), jwt.ErrMalformed},
		{"T-076 Client_ID", with(`"Client_ID":"x"`), jwt.ErrMalformed},
		{"T-076 ſub", with(`"ſub":"x"`), jwt.ErrMalformed},
		{"T-076 iſſ", with(`"iſſ":"x"`), jwt.ErrMalformed},
		{"T-076 ſ by escape", with(`"\u017fub":"x"`), jwt.ErrMalformed},
		{"T-076 exp by escapes", `{"iss":"https://auth.example","aud":"claims","\u0065\u0078\u0070":1795352400}`, nil},
		{"T-076 exp by escapes, twice", with(`"\u0065xp":1`), jwt.ErrMalformed},
		{"T-076 another claim twice", with(`"x":1,"x":2`), jwt.ErrMalformed},
		{"T-076 twice, further in", with(`"x":{"y":1,"y":2}`), jwt.ErrMalformed},
		{"T-076 another claim in two cases", with(`"roles":1,"Roles":2`), nil},
		{"T-076 registered further in", with(`"act":{"SUB":"x","sub":"y"}`), nil},
		{"T-076 __proto__", with(`"__proto__":{"exp":9999999999,"sub":"admin"}`), nil},
		{"T-045 scope null", with(`"scope":null`), jwt.ErrMalformed},
		{"T-045 scope number", with(`"scope":1`), jwt.ErrMalformed},
		{"T-045 scope object", with(`"scope":{}`), jwt.ErrMalformed},
		{"T-045 scope with a line end", with(`"scope":"a\nb"`), jwt.ErrMalformed},
		{"T-045 scope array with a space", with(`"scope":["a b"]`), jwt.ErrMalformed},
		{"T-045 scope array with a number", with(`"scope":["a",1]`), jwt.ErrMalformed},
		{"T-005 sub with NUL", with(`"sub":"a\u0000"`), jwt.ErrMalformed},
		{"T-128 sub with an escape sequence", with(`"sub":"\u001b[2J"`), jwt.ErrMalformed},
		{"T-128 jti with a line end", with(`"jti":"a\r\nb"`), jwt.ErrMalformed},
		{"sub is a number", with(`"sub":1`), jwt.ErrMalformed},
		{"sub is empty", with(`"sub":""`), jwt.ErrMalformed},
		{"client_id is an array", with(`"client_id":["a"]`), jwt.ErrMalformed},
		{"sid is null", with(`"sid":null`), jwt.ErrMalformed},
		{"jti is a number", with(`"jti":1`), jwt.ErrMalformed},
	}
}

func TestPayload(t *testing.T) {
	t.Parallel()
	for _, row := range payloads() {
		t.Run(row.threat, func(t *testing.T) {
			t.Parallel()
			text := craft(mac, `{"alg":"HS256","typ":"at+jwt"}`, row.payload)
			if row.want != nil {
				requireRefused(t, text, macSet, expect, row.want)
				return
			}
			got, err := verify(text, macSet, expect)
			require.NoError(t, err)
			require.Equal(t, "https://auth.example", got.Issuer)
			require.Empty(t, got.Subject)
		})
	}
}

func TestClaims(t *testing.T) {
	t.Parallel()
	got, err := verify(craft(mac, `{"alg":"HS256","typ":"at+jwt"}`,
		`{"\u006array":[ 1 ],"jti":"j","sid":"s","scope":" a  b ","client_id":"c","iat":1,"nbf":2.5,"sub":"é","aud":["claims","x"],"exp":1795352400,"iss":"https://auth.example","roles":{"a":1}}`),
		macSet, expect)
	require.NoError(t, err)
	require.Equal(t, jwt.Claims{
		Issuer: "https://auth.example", Subject: "é", Audience: []string{"claims", "x"}, ClientID: "c", Scopes: []string{"a", "b"}, Session: "s",
		Issued: time.Unix(1, 0).UTC(), NotBefore: time.Unix(2, 500_000_000).UTC(), Expires: time.Unix(1795352400, 0).UTC(), ID: "j",
		Others: []jwt.Claim{{Name: "jrray", Value: []byte(`[ 1 ]`)}, {Name: "roles", Value: []byte(`{"a":1}`)}},
	}, got)

	// T-045: no scopes, in all the ways there are to have none, and some in an array.
	for scope, want := range map[string][]string{
		`""`: {}, `" "`: {}, `[]`: {}, `[ ]`: {}, `"a"`: {"a"}, `["a","b"]`: {"a", "b"}, `"A a A"`: {"A", "a", "A"},
	} {
		got, err := verify(craft(mac, `{"alg":"HS256","typ":"at+jwt"}`, payload[:len(payload)-1]+`,"scope":`+scope+`}`), macSet, expect)
		require.NoError(t, err)
		require.ElementsMatch(t, want, got.Scopes, scope)
	}
}

// T-067: a clock is past the claim exactly when it is past the number.
func TestT067_Exact(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		number := randomNumber(random)
		got, err := verify(craft(mac, `{"alg":"HS256"}`, `{"exp":`+number+`}`), macSet, jwt.Expect{Types: []string{""}, Now: time.Unix(-1, 0)})
		exact, ok := new(big.Rat).SetString(number)
		require.True(t, ok, number)
		if exact.Sign() < 0 || number[0] == '-' || exact.Cmp(big.NewRat(253402300800, 1)) >= 0 {
			require.ErrorIs(t, err, jwt.ErrMalformed, number)
			continue
		}
		require.NoError(t, err, number)
		before := got.Expires.Add(-1)
		require.GreaterOrEqual(t, nanoseconds(got.Expires).Cmp(exact), 0, number)
		require.Negative(t, nanoseconds(before).Cmp(exact), number)
	}
}

func nanoseconds(at time.Time) *big.Rat {
	exact := new(big.Int).Mul(big.NewInt(at.Unix()), big.NewInt(1e9))
	return new(big.Rat).SetFrac(exact.Add(exact, big.NewInt(int64(at.Nanosecond()))), big.NewInt(1e9))
}

// randomNumber is a number as JSON may have it, near what is a date.
func randomNumber(random *rand.Rand) string {
	digits := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte('0' + random.IntN(10)*random.IntN(2))
		}
		return string(b)
	}
	number := strings.TrimLeft(digits(random.IntN(14)), "0")
	if number == "" {
		number = "0"
	}
	if random.IntN(20) == 0 {
		number = "-" + number
	}
	if random.IntN(2) == 0 {
		number += "." + digits(1+random.IntN(24))
	}
	if random.IntN(2) == 0 {
		number += []string{"e", "E", "e+", "e-"}[random.IntN(4)] + digits(1+random.IntN(2))
	}
	return number
}
