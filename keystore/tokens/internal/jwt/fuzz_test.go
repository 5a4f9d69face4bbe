package jwt_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	golang "github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore/tokens/internal/jwt"
)

// FuzzForm: nothing passes but what is signed here, and that in one spelling alone.
func FuzzForm(f *testing.F) {
	for _, row := range forms() {
		f.Add(row.text)
	}
	for _, row := range headers() {
		f.Add(encode(row.header) + "." + encode(payload) + ".AA")
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := jwt.Parse(text, 0); err != nil {
			require.ErrorIs(t, err, jwt.ErrMalformed)
			return
		}
		var plain, again []string
		for segment := range strings.SplitSeq(text, ".") {
			plain = append(plain, string(must(base64.RawURLEncoding.DecodeString(segment))))
			again = append(again, encode(plain[len(plain)-1]))
		}
		require.Equal(t, text, strings.Join(again, "."))
		if _, err := jwt.Prove(text, macSet); err == nil { // the fuzzer found back to what a seed was made of
			require.Equal(t, craft(mac, plain[0], plain[1]), text)
		}
	})
}

// FuzzVerify signs what the fuzzer writes. What passes, golang-jwt lets pass too,
// and encoding/json and exact arithmetic read the same claims.
func FuzzVerify(f *testing.F) {
	for _, row := range headers() {
		f.Add(row.header, payload)
	}
	for _, row := range payloads() {
		f.Add(`{"alg":"HS256","typ":"at+jwt"}`, row.payload)
	}
	f.Fuzz(func(t *testing.T, header, payload string) {
		text := craft(mac, header, payload)
		// The first word of its header and claims on what to expect is the token's own.
		want := jwt.Expect{Types: []string{"at+jwt"}, Now: now}
		if token, err := jwt.Parse(text, 0); err == nil {
			want.Types = append(want.Types, token.Header.Type)
			want.Issuer, _ = token.UnprovenIssuer()
		}
		var said struct{ Aud any }
		if json.Unmarshal([]byte(payload), &said) == nil && said.Aud != nil {
			want.Audiences = []string{"claims"}
		}
		got, err := verify(text, macSet, want)
		if err != nil {
			require.Zero(t, got)
			require.True(t, slices.ContainsFunc(reasons, func(reason error) bool { return errors.Is(err, reason) }), err)
			return
		}
		requireLikeGolang(t, text, want, got)
	})
}

func requireLikeGolang(t *testing.T, text string, want jwt.Expect, got jwt.Claims) {
	t.Helper()
	naive := golang.MapClaims{}
	_, err := golang.NewParser(golang.WithValidMethods([]string{"HS256"}), golang.WithStrictDecoding(), golang.WithJSONNumber(), golang.WithoutClaimsValidation()).
		ParseWithClaims(text, naive, func(*golang.Token) (any, error) { return secret, nil })
	require.NoError(t, err)

	texts := map[string]string{"iss": got.Issuer, "sub": got.Subject, "client_id": got.ClientID, "sid": got.Session, "jti": got.ID}
	times := map[string]time.Time{"exp": got.Expires, "nbf": got.NotBefore, "iat": got.Issued}
	others := map[string]string{}
	for _, other := range got.Others {
		others[other.Name] = string(other.Value)
	}
	require.Len(t, others, len(got.Others))
	seen := 0
	for name, value := range naive {
		text, isText := texts[name]
		at, isTime := times[name]
		switch {
		case isText:
			require.Equal(t, text, value)
		case isTime:
			number, _ := new(big.Rat).SetString(string(value.(json.Number)))
			require.GreaterOrEqual(t, nanoseconds(at).Cmp(number), 0)
			require.Negative(t, nanoseconds(at.Add(-1)).Cmp(number))
		case name == "aud":
			require.Equal(t, list(value), got.Audience)
			require.Contains(t, got.Audience, "claims")
		case name == "scope":
			require.Equal(t, strings.Fields(strings.Join(list(value), " ")), append([]string{}, got.Scopes...))
		default:
			seen++
			var other any
			decoder := json.NewDecoder(strings.NewReader(others[name]))
			decoder.UseNumber()
			require.NoError(t, decoder.Decode(&other))
			require.Equal(t, value, other)
		}
	}
	require.Equal(t, len(others), seen)
	for name, text := range texts {
		require.Equal(t, naive[name] != nil, text != "", name)
	}
	require.True(t, want.Now.Before(got.Expires))
	require.False(t, want.Now.Before(got.NotBefore))
	require.False(t, want.Now.Before(got.Issued))
}

func list(value any) (texts []string) {
	if text, ok := value.(string); ok {
		return []string{text}
	}
	for _, one := range value.([]any) {
		texts = append(texts, one.(string))
	}
	return texts
}
