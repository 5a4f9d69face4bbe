package jwt_test

import (
	"crypto"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	golang "github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore/tokens/internal/jwk"
	"github.com/claviger-go/claviger/keystore/tokens/internal/jwt"
)

// The same bytes in every release, or one that is deployed step by step would make
// two tokens of one session.
func TestSign_Golden(t *testing.T) {
	t.Parallel()
	c := claims
	c.NotBefore = now
	c.Audience = []string{"claims", "orders"}
	c.Subject = "acmé <&> \"\\/\u2028"
	c.Others = []jwt.Claim{{Name: "z", Value: json.RawMessage(`{"b":1, "a":[1e2]}`)}, {Name: "a\n", Value: json.RawMessage(`"<"`)}}
	for _, row := range []struct {
		header         jwt.Header
		claims         jwt.Claims
		first, payload string
	}{
		{
			jwt.Header{Type: "JWT"}, // S2
			jwt.Claims{Expires: now},
			`{"alg":"HS256","typ":"JWT"}`,
			`{"exp":1795348800}`,
		},
		{
			header, claims,
			`{"alg":"HS256","typ":"at+jwt","kid":"2026"}`,
			`{"iss":"https://auth.example","sub":"acme","aud":"claims","client_id":"portal","scope":"claims:read orders:read","sid":"7Gk2mXw9QaTz","iat":1795348800,"exp":1795352400,"jti":"jti-1"}`,
		},
		{
			jwt.Header{Algorithm: "none", KeyID: "2026"},
			c,
			`{"alg":"HS256","kid":"2026"}`,
			`{"iss":"https://auth.example","sub":"acmé <&> \"\\/` + "\u2028" + `","aud":["claims","orders"],"client_id":"portal","scope":"claims:read orders:read","sid":"7Gk2mXw9QaTz","iat":1795348800,"nbf":1795348800,"exp":1795352400,"jti":"jti-1","z":{"b":1, "a":[1e2]},"a\u000a":"<"}`,
		},
	} {
		text := sign(t, mac, row.header, row.claims)
		require.Equal(t, craft(mac, row.first, row.payload), text)
		require.Equal(t, text, sign(t, mac, row.header, row.claims))
	}
	require.True(t, strings.HasPrefix(sign(t, mac, jwt.Header{Type: "JWT"}, claims), "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."), "S2")
}

// What Sign takes, Verify returns, and golang-jwt reads alike.
func TestSign_RoundTrip(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for signer, keys := range signers(t) {
		for range 50 {
			c := randomClaims(random)
			text := sign(t, signer, jwt.Header{Type: "at+jwt", KeyID: signer.ID()}, c)
			got, err := verify(text, keys, jwt.Expect{Types: []string{"at+jwt"}, Issuer: c.Issuer, Audiences: c.Audience, Now: now, AllowFutureIssue: true})
			require.NoError(t, err)
			require.Equal(t, c, got)

			read := golang.MapClaims{}
			_, err = golang.NewParser(golang.WithStrictDecoding(), golang.WithTimeFunc(func() time.Time { return now })).
				ParseWithClaims(text, read, func(*golang.Token) (any, error) {
					switch signer.Algorithm() {
					case jwk.EdDSA:
						return edKey.Public(), nil
					case jwk.RS256:
						return rsaKey().Public(), nil
					default:
						return secret, nil
					}
				})
			require.NoError(t, err)
			subject, err := read.GetSubject()
			require.NoError(t, err)
			require.Equal(t, c.Subject, subject)
			expires, err := read.GetExpirationTime()
			require.NoError(t, err)
			require.True(t, c.Expires.Equal(expires.Time))
		}
	}
}

func randomClaims(random *rand.Rand) jwt.Claims {
	text := func() string {
		return []string{"", "a", "a b", "é😀", "\"\\/<&>", "https://x.example/?a=b", strings.Repeat("long", 50)}[random.IntN(7)]
	}
	at := func() time.Time {
		return []time.Time{{}, time.Unix(0, 0).UTC(), now, now.Add(-time.Duration(random.IntN(1e6)) * time.Second)}[random.IntN(4)]
	}
	c := jwt.Claims{
		Issuer: text(), Subject: text(), ClientID: text(), Session: text(), Issued: at(), NotBefore: at(), ID: text(),
		Expires: now.Add(time.Duration(1+random.IntN(1e6)) * time.Second),
	}
	for range random.IntN(3) {
		c.Audience = append(c.Audience, text()+"x")
		c.Scopes = append(c.Scopes, strings.ReplaceAll(text(), " ", "")+":x")
	}
	for i := range random.IntN(3) {
		c.Others = append(c.Others, jwt.Claim{Name: strings.Repeat("c", i) + text() + "!", Value: json.RawMessage([]string{`null`, `[1,{"sub":"x"}]`, `"é"`}[random.IntN(3)])})
	}
	if len(c.Others) == 2 && c.Others[0].Name == c.Others[1].Name {
		c.Others = c.Others[:1]
	}
	return c
}

// T-077: what an app adds overrides nothing, and smuggles nothing in.
func TestT077_ClaimsOfTheApp(t *testing.T) {
	t.Parallel()
	bare := jwt.Claims{Expires: now.Add(time.Hour)} // a claim that is absent is not free to take
	for _, name := range []string{
		"iss", "sub", "aud", "client_id", "scope", "sid", "iat", "nbf", "exp", "jti",
		"ISS", "Sub", "aUd", "Client_Id", "SCOPE", "ſub", "ſcope", "iſſ",
	} {
		for _, c := range []jwt.Claims{bare, claims} {
			c.Others = []jwt.Claim{{Name: name, Value: json.RawMessage(`"x"`)}}
			text, err := jwt.Sign(mac, header, c)
			require.ErrorContains(t, err, "not for an app to set", name)
			require.Empty(t, text)
		}
	}
	for _, value := range []string{
		``, `x`, `1,"exp":9999999999`, `1,"client_id":"admin"`, `1}`, `{"a":1,"a":2}`, ` 1`, `1 `, `"\ud800"`, "\"\xFF\"", `NaN`, strings.Repeat("[", 33) + strings.Repeat("]", 33),
	} {
		bare.Others = []jwt.Claim{{Name: "x", Value: json.RawMessage(value)}}
		_, err := jwt.Sign(mac, header, bare)
		require.ErrorContains(t, err, "not strict JSON", value)
	}
	bare.Others = []jwt.Claim{{Name: "x", Value: json.RawMessage(`1`)}, {Name: "x", Value: json.RawMessage(`2`)}}
	_, err := jwt.Sign(mac, header, bare)
	require.ErrorIs(t, err, jwt.ErrMalformed)
}

// What Verify would not read back is not signed.
func TestSign_Refuses(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		desc   string
		change func(*jwt.Header, *jwt.Claims)
		want   string
	}{
		{"no exp", func(_ *jwt.Header, c *jwt.Claims) { c.Expires = time.Time{} }, "no claim exp"},
		{"half a second", func(_ *jwt.Header, c *jwt.Claims) { c.Expires = now.Add(time.Second / 2) }, "a fraction of a second in exp"},
		{"a nanosecond", func(_ *jwt.Header, c *jwt.Claims) { c.Issued = now.Add(1) }, "a fraction of a second in iat"},
		{"before 1970", func(_ *jwt.Header, c *jwt.Claims) { c.NotBefore = time.Unix(-1, 0) }, "the claim nbf"},
		{"after 9999", func(_ *jwt.Header, c *jwt.Claims) { c.Expires = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, "the claim exp"},
		{"NUL", func(_ *jwt.Header, c *jwt.Claims) { c.Subject = "a\x00" }, "the claim sub"},
		{"invalid UTF-8", func(_ *jwt.Header, c *jwt.Claims) { c.ID = "a\xFF" }, "not strict JSON"},
		{"empty audience", func(_ *jwt.Header, c *jwt.Claims) { c.Audience = []string{""} }, "the claim aud"},
		{"one empty audience", func(_ *jwt.Header, c *jwt.Claims) { c.Audience = []string{"a", ""} }, "the claim aud"},
		{"129 audiences", func(_ *jwt.Header, c *jwt.Claims) { c.Audience = strings.Split(strings.Repeat("a ", 128)+"a", " ") }, "the claim aud"},
		{"empty scope", func(_ *jwt.Header, c *jwt.Claims) { c.Scopes = []string{""} }, "a scope that is empty"},
		{"two scopes in one", func(_ *jwt.Header, c *jwt.Claims) { c.Scopes = []string{"a b"} }, "has a space"},
		{"too long", func(_ *jwt.Header, c *jwt.Claims) { c.Subject = strings.Repeat("a", 8<<10) }, "too long"},
		{"another key's name", func(h *jwt.Header, _ *jwt.Claims) { h.KeyID = "2025" }, "names another key"},
		{"type with NUL", func(h *jwt.Header, _ *jwt.Claims) { h.Type = "\x00" }, "the header's typ"},
	} {
		t.Run(row.desc, func(t *testing.T) {
			t.Parallel()
			h, c := header, claims
			row.change(&h, &c)
			text, err := jwt.Sign(mac, h, c)
			require.ErrorContains(t, err, "jwt: signing: ")
			require.ErrorContains(t, err, row.want)
			require.Empty(t, text)
		})
	}
}

// A key that is kept elsewhere may be out of reach.
func TestSign_OutOfReach(t *testing.T) {
	t.Parallel()
	signer, err := jwk.NewSigner("k", outOfReach{edKey})
	require.NoError(t, err)
	text, err := jwt.Sign(signer, jwt.Header{}, claims)
	require.ErrorIs(t, err, errOutOfReach)
	require.Empty(t, text)
}

var errOutOfReach = errors.New("the key service is down")

type outOfReach struct{ crypto.Signer }

func (outOfReach) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errOutOfReach
}
