package jwt_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore/tokens/internal/jwk"
	"github.com/claviger-go/claviger/keystore/tokens/internal/jwt"
)

func TestExpect(t *testing.T) {
	t.Parallel()
	change := func(f func(*jwt.Claims)) jwt.Claims {
		c := claims
		f(&c)
		return c
	}
	noIssuer := change(func(c *jwt.Claims) { c.Issuer = "" })
	noAudience := change(func(c *jwt.Claims) { c.Audience = nil })
	twoAudiences := change(func(c *jwt.Claims) { c.Audience = []string{"orders", "claims"} })
	later := change(func(c *jwt.Claims) { c.NotBefore = now.Add(time.Minute) })
	ahead := change(func(c *jwt.Claims) { c.Issued = now.Add(time.Minute) })

	for _, row := range []struct {
		desc   string
		claims jwt.Claims
		expect func(*jwt.Expect)
		want   error
	}{
		{"as it is", claims, func(*jwt.Expect) {}, nil},
		{"T-070 type in another case", claims, func(e *jwt.Expect) { e.Types = []string{"AT+JWT"} }, nil},
		{"T-070 media type", claims, func(e *jwt.Expect) { e.Types = []string{"application/at+jwt"} }, nil},
		{"T-070 one of two types", claims, func(e *jwt.Expect) { e.Types = []string{"JWT", "at+jwt"} }, nil},
		{"T-070 another type", claims, func(e *jwt.Expect) { e.Types = []string{"JWT"} }, jwt.ErrType},
		{"T-070 no type", claims, func(e *jwt.Expect) { e.Types = []string{""} }, jwt.ErrType},
		{"T-070 no types", claims, func(e *jwt.Expect) { e.Types = nil }, jwt.ErrType},
		{"T-068 another issuer", claims, func(e *jwt.Expect) { e.Issuer = "https://auth.example/" }, jwt.ErrIssuer},
		{"T-068 an issuer, where none is expected", claims, func(e *jwt.Expect) { e.Issuer = "" }, jwt.ErrIssuer},
		{"T-068 none, where one is expected", noIssuer, func(*jwt.Expect) {}, jwt.ErrIssuer},
		{"T-068 none, where none is expected", noIssuer, func(e *jwt.Expect) { e.Issuer = "" }, nil},
		{"T-069 another audience", claims, func(e *jwt.Expect) { e.Audiences = []string{"orders"} }, jwt.ErrAudience},
		{"T-069 one of ours", claims, func(e *jwt.Expect) { e.Audiences = []string{"orders", "claims"} }, nil},
		{"T-069 one of its own", twoAudiences, func(*jwt.Expect) {}, nil},
		{"T-069 an audience, where none is expected", claims, func(e *jwt.Expect) { e.Audiences = nil }, jwt.ErrAudience},
		{"T-069 none, where one is expected", noAudience, func(*jwt.Expect) {}, jwt.ErrAudience},
		{"T-069 none, where the empty one is expected", noAudience, func(e *jwt.Expect) { e.Audiences = []string{""} }, jwt.ErrAudience},
		{"T-069 none, where none is expected", noAudience, func(e *jwt.Expect) { e.Audiences = nil }, nil},
		{"T-069 any audience", claims, func(e *jwt.Expect) { e.Audiences, e.AnyAudience = nil, true }, nil},
		{"T-069 any audience, and none", noAudience, func(e *jwt.Expect) { e.Audiences, e.AnyAudience = nil, true }, nil},
		{"T-118 a nanosecond before it expires", claims, func(e *jwt.Expect) { e.Now = claims.Expires.Add(-1) }, nil},
		{"T-118 when it expires", claims, func(e *jwt.Expect) { e.Now = claims.Expires }, jwt.ErrExpired},
		{"T-118 a minute late, and a little more leeway", claims, func(e *jwt.Expect) { e.Now, e.Leeway = claims.Expires.Add(time.Minute), time.Minute+1 }, nil},
		{"T-118 a minute late, and a minute of leeway", claims, func(e *jwt.Expect) { e.Now, e.Leeway = claims.Expires.Add(time.Minute), time.Minute }, jwt.ErrExpired},
		{"T-118 no time", claims, func(e *jwt.Expect) { e.Now = time.Time{} }, jwt.ErrExpired},
		{"T-118 no time, and much leeway", claims, func(e *jwt.Expect) { e.Now, e.Leeway = time.Time{}, 1<<62 }, jwt.ErrExpired},
		{"T-118 another zone", claims, func(e *jwt.Expect) { e.Now = now.In(time.FixedZone("x", 3600)) }, nil},
		{"T-067 too early", later, func(*jwt.Expect) {}, jwt.ErrNotYetValid},
		{"T-067 early, and leeway", later, func(e *jwt.Expect) { e.Leeway = time.Minute }, nil},
		{"T-067 early, and too little leeway", later, func(e *jwt.Expect) { e.Leeway = time.Minute - 1 }, jwt.ErrNotYetValid},
		{"T-067 early, our own", later, func(e *jwt.Expect) { e.AllowFutureIssue = true }, jwt.ErrNotYetValid},
		{"T-067 made in the future", ahead, func(*jwt.Expect) {}, jwt.ErrNotYetValid},
		{"T-067 made in the future, and leeway", ahead, func(e *jwt.Expect) { e.Leeway = time.Minute }, nil},
		{"T-067 made in the future, our own", ahead, func(e *jwt.Expect) { e.AllowFutureIssue = true }, nil},
		{"zero", claims, func(e *jwt.Expect) { *e = jwt.Expect{} }, jwt.ErrType},
	} {
		t.Run(row.desc, func(t *testing.T) {
			t.Parallel()
			text, want := sign(t, mac, header, row.claims), expect
			row.expect(&want)
			if row.want != nil {
				requireRefused(t, text, macSet, want, row.want)
				return
			}
			got, err := verify(text, macSet, want)
			require.NoError(t, err)
			require.Equal(t, row.claims, got)
		})
	}
}

// T-070: "application/" may be left out, but of a type that is otherwise whole it is
// no part (RFC 7515 §4.1.9).
func TestT070_MediaType(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		typ, want string
		same      bool
	}{
		{"at+jwt", "at+jwt", true},
		{"application/at+jwt", "AT+JWT", true},
		{"At+Jwt", "APPLICATION/at+jwt", true},
		{"application/example/at+jwt", "example/at+jwt", false},
		{"example/at+jwt", "at+jwt", false},
		{"application/", "", false},
		{"at+jwt;v=1", "at+jwt", false},
	} {
		want := expect
		want.Types = []string{row.want}
		text := sign(t, mac, jwt.Header{Type: row.typ}, claims)
		if !row.same {
			requireRefused(t, text, macSet, want, jwt.ErrType)
			continue
		}
		_, err := verify(text, macSet, want)
		require.NoError(t, err, row.typ)
	}
}

// T-068: one key that serves two issuers makes no token of one the other's.
func TestT068_OneKeyForTwoIssuers(t *testing.T) {
	t.Parallel()
	c := claims
	for _, issuer := range []string{"https://a.example", "https://b.example"} {
		c.Issuer = issuer
		text := sign(t, mac, header, c)
		for _, want := range []string{"https://a.example", "https://b.example"} {
			e := expect
			e.Issuer = want
			if want == issuer {
				_, err := verify(text, macSet, e)
				require.NoError(t, err)
			} else {
				requireRefused(t, text, macSet, e, jwt.ErrIssuer)
			}
		}
	}
}

// T-078: of a token that is wrong in every way only the signature is spoken of.
func TestT078_SignatureFirst(t *testing.T) {
	t.Parallel()
	forger := must(jwk.NewSecret("2026", append([]byte("x"), secret...)))
	for _, bad := range []string{
		`{"iss":"https://auth.example","aud":"claims","exp":1}`,
		`{"iss":"https://auth.example","aud":"claims","exp":1795352400,"nbf":1795352399}`,
		`{"iss":"https://evil.example","aud":"other","exp":1}`,
		`{"iss":"https://auth.example","aud":"claims"}`,
		`{"exp":1,"exp":1}`,
		`no JSON`,
		``,
	} {
		for _, typ := range []string{"at+jwt", "other"} {
			requireRefused(t, craft(forger, `{"alg":"HS256","typ":"`+typ+`"}`, bad), macSet, expect, jwk.ErrSignature)
		}
	}
	// And of one that is genuine, the first thing.
	requireRefused(t, craft(mac, `{"alg":"HS256","typ":"other"}`, `{"iss":"x","aud":"x","exp":1}`), macSet, expect, jwt.ErrType)
	requireRefused(t, craft(mac, `{"alg":"HS256","typ":"at+jwt"}`, `{"iss":"x","aud":"x","exp":1}`), macSet, expect, jwt.ErrIssuer)
	requireRefused(t, craft(mac, `{"alg":"HS256","typ":"at+jwt"}`, `{"iss":"https://auth.example","aud":"x","exp":1}`), macSet, expect, jwt.ErrAudience)
	requireRefused(t, craft(mac, `{"alg":"HS256","typ":"at+jwt"}`, `{"iss":"https://auth.example","aud":"claims","exp":1,"nbf":9999999999}`), macSet, expect, jwt.ErrExpired)
}

// T-074: two secrets overlap until the last token of the old one has expired; one
// that leaks is dropped at once. A token that names a secret we lack is not known
// to be bad.
func TestT074_Rotation(t *testing.T) {
	t.Parallel()
	old, fresh := must(jwk.NewSecret("2025", append([]byte("old"), secret...))), mac
	overlap, dropped := must(jwk.NewSet(fresh.Key, old.Key)), must(jwk.NewSet(fresh.Key))
	for _, named := range []bool{true, false} {
		oldHeader, freshHeader := jwt.Header{Type: "at+jwt"}, jwt.Header{Type: "at+jwt"}
		gone := jwk.ErrSignature
		if named {
			oldHeader.KeyID, freshHeader.KeyID, gone = "2025", "2026", jwk.ErrUnknownKey
		}
		before, after := sign(t, old, oldHeader, claims), sign(t, fresh, freshHeader, claims)
		require.NotEqual(t, before, after)
		for _, text := range []string{before, after} {
			got, err := verify(text, overlap, expect)
			require.NoError(t, err)
			require.Equal(t, claims, got)
		}
		_, err := verify(after, dropped, expect)
		require.NoError(t, err)
		requireRefused(t, before, dropped, expect, gone)

		late := expect
		late.Now = claims.Expires
		requireRefused(t, before, overlap, late, jwt.ErrExpired)
	}
}

// T-127: nothing of a token gets into an error, whatever is wrong with it.
func TestT127_SilentErrors(t *testing.T) {
	t.Parallel()
	const canary = "canary"
	forger := must(jwk.NewSecret(canary, append([]byte("x"), secret...)))
	say := func(h, p string) []string {
		return []string{craft(mac, h, p), craft(forger, h, p), craft(mac, h, p)[1:], canary + craft(mac, h, p), craft(mac, h, p) + canary}
	}
	var texts []string
	for _, h := range []string{
		`{"alg":"canary","typ":"at+jwt"}`, `{"alg":"HS256","typ":"canary"}`, `{"alg":"HS256","typ":"at+jwt","kid":"canary"}`,
		`{"alg":"HS256","CANARY":1,"Canary":1,"canary":"canary","ALG":"canary"}`, `{"alg":"HS256","kid":"canary\u0000"}`, `canary`, `{"alg":"HS256","crit":["canary"]}`,
	} {
		texts = append(texts, say(h, payload)...)
	}
	for _, p := range []string{
		`{"iss":"canary","exp":1}`, `{"iss":"https://auth.example","aud":"canary","exp":1}`, `{"exp":"canary"}`, `{"sub":"canary\u0000"}`,
		`{"canary":1,"canary":2}`, `canary`, `{"iss":"https://auth.example","aud":"claims","exp":1,"jti":"canary"}`, `{"SUB":"canary"}`, `{"aud":["canary",1]}`,
	} {
		texts = append(texts, say(`{"alg":"HS256","typ":"at+jwt"}`, p)...)
	}
	for _, text := range texts {
		_, err := verify(text, macSet, expect)
		require.Error(t, err)
		require.NotContains(t, err.Error(), canary)
		require.NotContains(t, err.Error(), "CANARY")
	}
}
