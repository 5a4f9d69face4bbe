package jwk_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore/tokens/internal/jwk"
)

// Examples of RFC 7638 §3.1 and RFC 8037 appendix A.
const (
	rfcRSA = `{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB"}`
	rfcEd  = `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	p256   = `{"kty":"EC","crv":"P-256","x":"04N0xi21hshyvBp7I167sbE_bXqyqkAPfefdklMO7wY","y":"UI8exy-C06a7DUnjIdENkxeFtHM4-l_41LqEw9nVgmw"}`

	rfcRSAThumbprint = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
	rfcEdThumbprint  = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
)

func document(keys ...string) []byte { return []byte(`{"keys":[` + strings.Join(keys, ",") + `]}`) }

// with adds members to a JWK, or puts others in their place.
func with(jwk, members string) string {
	merged := map[string]json.RawMessage{}
	for _, text := range []string{jwk, "{" + members + "}"} {
		if err := json.Unmarshal([]byte(text), &merged); err != nil {
			panic(err)
		}
	}
	return string(generated(json.Marshal(merged)))
}

func requireNotPublished(t *testing.T, value any) {
	t.Helper()
	text, err := json.Marshal(value)
	require.ErrorContains(t, err, "not for publishing")
	require.Empty(t, text)
}

func published(t *testing.T, set *jwk.Set) string {
	t.Helper()
	text, err := json.Marshal(set)
	require.NoError(t, err)
	return string(text)
}

func TestDocument_RoundTrip(t *testing.T) {
	t.Parallel()
	set := newSet(t,
		newPublic(t, "", "", edKey.Public()), newPublic(t, "r<s>", jwk.PS384, rsaKey().Public()),
		newPublic(t, "p256", "", p256Key().Public()), newPublic(t, "p384", "", p384Key().Public()), newPublic(t, "p521", "", p521Key().Public()))
	text := published(t, set)
	again, skipped, err := jwk.ParseSet([]byte(text))
	require.NoError(t, err)
	require.Empty(t, skipped)
	require.Equal(t, text, published(t, again))

	var read struct {
		Keys []map[string]string `json:"keys"`
	}
	require.NoError(t, json.Unmarshal([]byte(text), &read))
	encode := base64.RawURLEncoding.EncodeToString
	public := edKey.Public().(ed25519.PublicKey)
	require.Equal(t, map[string]string{
		"kty": "OKP", "crv": "Ed25519", "x": encode(public), "use": "sig", "alg": "EdDSA",
		"kid": naiveThumbprint(public),
	}, read.Keys[0])
	require.Equal(t, map[string]string{
		"kty": "RSA", "n": encode(rsaKey().N.Bytes()), "e": "AQAB", "use": "sig", "alg": "PS384", "kid": "r<s>",
	}, read.Keys[1])
	require.Equal(t, []any{"P-521", "ES512", "EC"}, []any{read.Keys[4]["crv"], read.Keys[4]["alg"], read.Keys[4]["kty"]})

	require.JSONEq(t, `{"keys":[]}`, published(t, newSet(t)), "null would be no document")
	requireNotPublished(t, newSet(t, newSecret(t, "k").Key))
}

// naiveThumbprint is RFC 7638 §3 as it is written there.
func naiveThumbprint(public crypto.PublicKey) string {
	encode := base64.RawURLEncoding.EncodeToString
	text := ""
	switch key := public.(type) {
	case ed25519.PublicKey:
		text = `{"crv":"Ed25519","kty":"OKP","x":"` + encode(key) + `"}`
	case *rsa.PublicKey:
		text = `{"e":"` + encode(big.NewInt(int64(key.E)).Bytes()) + `","kty":"RSA","n":"` + encode(key.N.Bytes()) + `"}`
	case *ecdsa.PublicKey:
		point := generated(key.Bytes())[1:]
		half := len(point) / 2
		text = `{"crv":"` + key.Params().Name + `","kty":"EC","x":"` + encode(point[:half]) + `","y":"` + encode(point[half:]) + `"}`
	}
	sum := sha256.Sum256([]byte(text))
	return encode(sum[:])
}

func TestThumbprint(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{rfcRSA: rfcRSAThumbprint, rfcEd: rfcEdThumbprint} {
		set, _, err := jwk.ParseSet(document(text))
		require.NoError(t, err)
		require.Contains(t, published(t, set), `"kid":"`+want+`"`)
	}
	for _, private := range []crypto.Signer{edKey, rsaKey(), p256Key(), p384Key(), p521Key()} {
		require.Equal(t, naiveThumbprint(private.Public()), newPublic(t, "", "", private.Public()).ID())
	}
}

// parsed are keys of a document, and the one algorithm that each verifies.
func parsed() []struct {
	desc, jwk string
	allowed   []jwk.Algorithm
	want      jwk.Algorithm // "" if the key is skipped
} {
	generator := elliptic.P224().Params()
	encode := base64.RawURLEncoding.EncodeToString
	p224 := `{"kty":"EC","crv":"P-224","x":"` + encode(generator.Gx.Bytes()) + `","y":"` + encode(generator.Gy.Bytes()) + `"}`
	type rows = []struct {
		desc, jwk string
		allowed   []jwk.Algorithm
		want      jwk.Algorithm
	}
	return rows{
		{"RSA", rfcRSA, nil, jwk.RS256},
		{"RSA for PS512", with(rfcRSA, `"alg":"PS512"`), nil, jwk.PS512},
		{"RSA, the first allowed", rfcRSA, []jwk.Algorithm{jwk.ES256, jwk.PS256}, jwk.PS256},
		{"Ed25519", rfcEd, nil, jwk.EdDSA},
		{"P-256", p256, []jwk.Algorithm{jwk.RS256, jwk.ES256}, jwk.ES256},
		{"for signatures", with(rfcRSA, `"use":"sig","key_ops":["verify","x"]`), nil, jwk.RS256},
		{"members of no concern", with(rfcEd, `"x5c":["%%%"],"x5t":1,"ext":true,"iat":1e400,"nested":{"d":1}`), nil, jwk.EdDSA},
		{"names of other cases", with(rfcEd, `"D":"x","Use":"enc","ALG":"none"`), nil, jwk.EdDSA},
		{"a modulus with a zero before", with(rfcRSA, `"n":"AN`+zeroBefore(rfcRSA)+`"`), nil, jwk.RS256},

		{"algorithm not allowed", with(rfcRSA, `"alg":"RS256"`), []jwk.Algorithm{jwk.ES256}, ""},
		{"type not allowed", rfcRSA, []jwk.Algorithm{jwk.EdDSA}, ""},
		{"algorithm of another type", with(rfcRSA, `"alg":"ES256"`), nil, ""},
		{"algorithm of another curve", with(p256, `"alg":"ES384"`), nil, ""},
		{"ES521, which is none", with(p256, `"alg":"ES521"`), nil, ""},
		{"HS256 for RSA", with(rfcRSA, `"alg":"HS256"`), nil, ""},
		{"none", with(rfcRSA, `"alg":"none"`), nil, ""},
		{"no name of an algorithm", with(rfcRSA, `"alg":null`), nil, ""},
		{"algorithm for encryption", with(rfcRSA, `"alg":"RSA-OAEP"`), nil, ""},
		{"for encryption", with(rfcRSA, `"use":"enc"`), nil, ""},
		{"for encryption, by operations", with(p256, `"key_ops":["encrypt"]`), nil, ""},
		{"operations are no array", with(p256, `"key_ops":"verify"`), nil, ""},
		{"secret", `{"kty":"oct","alg":"HS256","k":"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}`, nil, ""},
		{"secret that is allowed", `{"kty":"oct","alg":"HS256","k":"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}`, []jwk.Algorithm{jwk.HS256}, ""},
		{"private RSA key", with(rfcRSA, `"d":"AQAB"`), nil, ""},
		{"private Ed25519 key", with(rfcEd, `"d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"`), nil, ""},
		{"no type", `{}`, nil, ""},
		{"type of the future", `{"kty":"AKP","alg":"ML-DSA-44","pub":"x"}`, nil, ""},
		{"type in lower case", with(rfcRSA, `"kty":"rsa"`), nil, ""},
		{"type of another key", with(p256, `"kty":"RSA"`), nil, ""},
		{"X25519", with(rfcEd, `"crv":"X25519"`), nil, ""},
		{"Ed25519 cut off", with(rfcEd, `"x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHUQ"`), nil, ""},
		{"Ed25519 without x", `{"kty":"OKP","crv":"Ed25519"}`, nil, ""},
		{"padded", with(rfcEd, `"x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo="`), nil, ""},
		{"line end", with(rfcEd, `"x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\n"`), nil, ""},
		{"stray bits", with(rfcEd, `"x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURp"`), nil, ""},
		{"e = 1", with(rfcRSA, `"e":"AQ"`), nil, ""},
		{"e = 3", with(rfcRSA, `"e":"Aw"`), nil, ""},
		{"e of 64 bits", with(rfcRSA, `"e":"AQAAAAAAAAAB"`), nil, ""},
		{"RSA of 1024 bits", with(rfcRSA, `"n":"rJBIp6T1YK-RtPyvYqFFlcucqewSAA_IReSFchE8qyiQrbARqRlXWkB2DR8j_pJQnIpYELbQWZC5Cd0PTGAU8rMbar2AW6zpmBbi7aQf17lUBdt8XI9M9rq7FPVQ1dDdUXm1SVH_9qqWhvMPR422SbfHBEzCAtzK0ANDRo6qz78"`), nil, ""},
		{"RSA without n", `{"kty":"RSA","e":"AQAB"}`, nil, ""},
		{"n is a number", with(rfcRSA, `"n":65537`), nil, ""},
		{"P-224", p224, nil, ""},
		{"secp256k1", with(p256, `"crv":"secp256k1"`), nil, ""},
		{"point of another curve", with(p256, `"crv":"P-384"`), nil, ""},
		{"point off the curve", with(p256, `"y":"UI8exy-C06a7DUnjIdENkxeFtHM4-l_41LqEw9nVgnw"`), nil, ""},
		{"a byte of x at y", with(p256, `"x":"04N0xi21hshyvBp7I167sbE_bXqyqkAPfefdklMO7w","y":"BlCPHscvgtOmuw1J4yHRDZMXhbRzOPpf-NS6hMPZ1YJs"`), nil, ""},
		{"point at infinity", with(p256, `"x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"`), nil, ""},
		{"name is a number", with(rfcEd, `"kid":1`), nil, ""},
		{"name is empty", with(rfcEd, `"kid":""`), nil, ""},
		{"name with NUL", with(rfcEd, `"kid":"\u0000"`), nil, ""},
		{"no object", `"key"`, nil, ""},
	}
}

// zeroBefore is the modulus behind a zero byte, without the first two characters
// that this gives.
func zeroBefore(jwk string) string {
	var key struct{ N string }
	if err := json.Unmarshal([]byte(jwk), &key); err != nil {
		panic(err)
	}
	n := generated(base64.RawURLEncoding.DecodeString(key.N))
	return base64.RawURLEncoding.EncodeToString(append([]byte{0}, n...))[2:]
}

// T-064, and RFC 7517 §5: what cannot be used is passed over, and its neighbour
// serves.
func TestT064_ParseSet(t *testing.T) {
	t.Parallel()
	ed := newPublic(t, "neighbour", "", edKey.Public())
	neighbour := string(generated(json.Marshal(ed)))
	for _, row := range parsed() {
		t.Run(row.desc, func(t *testing.T) {
			t.Parallel()
			set, skipped, err := jwk.ParseSet(document(row.jwk), row.allowed...)
			require.NoError(t, err)
			if row.want != "" {
				require.Empty(t, skipped)
				require.Contains(t, published(t, set), `"alg":"`+string(row.want)+`"`)
				return
			}
			require.Len(t, skipped, 1)
			require.ErrorContains(t, skipped[0], "jwk: key 1 of the document: ")
			require.JSONEq(t, `{"keys":[]}`, published(t, set))

			set, skipped, err = jwk.ParseSet(document(row.jwk, neighbour))
			require.NoError(t, err)
			require.NotContains(t, fmt.Sprint(skipped), "key 2")
			require.Contains(t, published(t, set), "neighbour")
		})
	}
}

func TestParseSet_Refuses(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		desc     string
		document []byte
		want     string
	}{
		{"nothing", nil, "not strict JSON"},
		{"a page", []byte("<html>"), "not strict JSON"},
		{"an array", []byte("[" + rfcEd + "]"), "not strict JSON"},
		{"no keys", []byte(`{}`), "without an array"},
		{"a key alone", []byte(rfcEd), "without an array"},
		{"KEYS", []byte(`{"KEYS":[]}`), "without an array"},
		{"keys are null", []byte(`{"keys":null}`), "without an array"},
		{"keys are an object", []byte(`{"keys":{}}`), "without an array"},
		{"keys twice", []byte(`{"keys":[],"keys":[` + rfcEd + `]}`), "not strict JSON"},
		{"a member twice", document(strings.Replace(rfcEd, `"kty"`, `"kty":"RSA","kty"`, 1)), "not strict JSON"},
		{"data after", append(document(rfcEd), '}'), "not strict JSON"},
		{"one name for two", document(with(rfcEd, `"kid":"a"`), with(rfcRSA, `"kid":"a"`)), "the name of an earlier one"},
		{"one key twice", document(rfcEd, rfcEd), "the name of an earlier one"},
		{"101 keys", document(strings.Split(strings.Repeat("{} ", 101), " ")[:101]...), "101 keys: want at most 100"},
		{"too long", append(document(rfcEd), strings.Repeat(" ", 256<<10)...), "want at most 262144"},
	} {
		t.Run(row.desc, func(t *testing.T) {
			t.Parallel()
			set, _, err := jwk.ParseSet(row.document)
			require.ErrorContains(t, err, row.want)
			require.Nil(t, set)
		})
	}
}

// A name that two keys share is no fault if one of them is for something else.
func TestParseSet_NameOfAnotherUse(t *testing.T) {
	t.Parallel()
	set, skipped, err := jwk.ParseSet(document(with(rfcEd, `"kid":"a"`), with(rfcRSA, `"kid":"a","use":"enc"`)))
	require.NoError(t, err)
	require.Len(t, skipped, 1)
	require.Contains(t, published(t, set), "Ed25519")
}

// T-075: a key that its issuer withdraws is gone with the next document, also the
// last one.
func TestT075_Withdrawn(t *testing.T) {
	t.Parallel()
	signer, err := jwk.NewSigner("old", edKey)
	require.NoError(t, err)
	signature, err := signer.Sign("text")
	require.NoError(t, err)
	old := string(generated(json.Marshal(signer.Key)))
	for text, want := range map[string]error{
		string(document(old)):                          nil,
		string(document(old, rfcRSA)):                  nil,
		string(document(with(rfcEd, `"kid":"newer"`))): jwk.ErrUnknownKey,
		string(document()):                             jwk.ErrUnknownKey,
	} {
		set, _, err := jwk.ParseSet([]byte(text))
		require.NoError(t, err)
		require.ErrorIs(t, set.Verify(jwk.EdDSA, "old", "text", signature), want)
	}
}

func FuzzParseSet(f *testing.F) {
	for _, row := range parsed() {
		f.Add(document(row.jwk))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		set, _, err := jwk.ParseSet(text)
		if err != nil {
			return
		}
		// What passes is a document to a careless reader too, and what is left of it one of ours.
		var naive struct{ Keys []json.RawMessage }
		require.NoError(t, json.Unmarshal(text, &naive))
		again, skipped, err := jwk.ParseSet([]byte(published(t, set)))
		require.NoError(t, err)
		require.Empty(t, skipped)
		require.Equal(t, published(t, set), published(t, again))
	})
}
