package jwt_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore/tokens/internal/jwk"
	"github.com/claviger-go/claviger/keystore/tokens/internal/jwt"
)

// payload is what tokens with odd headers say.
const payload = `{"iss":"https://auth.example","aud":"claims","exp":1795352400}`

// headers are headers and why a token that is otherwise good is refused for them;
// fuzzing starts from them.
func headers() []struct {
	threat, header string
	want           error
} {
	return []struct {
		threat, header string
		want           error
	}{
		{"T-060 plain", `{"alg":"HS256","typ":"at+jwt","kid":"2026"}`, nil},
		{"T-060 white space", " {\n\t\"alg\" : \"HS256\" , \"typ\" : \"at+jwt\" } ", nil},
		{"T-060 escapes", `{"\u0061lg":"HS\u00325\u0036","typ":"at\u002Bjwt"}`, nil},
		{"T-060 members of no concern", `{"alg":"HS256","typ":"at+jwt","nonce":"x","ver":[1,{"alg":"none"}]}`, nil},
		{"T-061 none", `{"alg":"none","typ":"at+jwt"}`, jwk.ErrAlgorithm},
		{"T-061 None", `{"alg":"None","typ":"at+jwt"}`, jwk.ErrAlgorithm},
		{"T-061 nOnE", `{"alg":"nOnE","typ":"at+jwt"}`, jwk.ErrAlgorithm},
		{"T-061 none, named key", `{"alg":"none","typ":"at+jwt","kid":"2026"}`, jwk.ErrAlgorithm},
		{"T-061 empty", `{"alg":"","typ":"at+jwt"}`, jwt.ErrMalformed},
		{"T-061 missing", `{"typ":"at+jwt"}`, jwt.ErrMalformed},
		{"T-061 null", `{"alg":null,"typ":"at+jwt"}`, jwt.ErrMalformed},
		{"T-061 array", `{"alg":["HS256"],"typ":"at+jwt"}`, jwt.ErrMalformed},
		{"T-061 number", `{"alg":256,"typ":"at+jwt"}`, jwt.ErrMalformed},
		{"T-061 lower case", `{"alg":"hs256","typ":"at+jwt"}`, jwk.ErrAlgorithm},
		{"T-061 a space after", `{"alg":"HS256 ","typ":"at+jwt"}`, jwk.ErrAlgorithm},
		{"T-061 twice", `{"alg":"HS256","alg":"HS256","typ":"at+jwt"}`, jwt.ErrMalformed},
		{"T-061 twice, other case", `{"alg":"HS256","ALG":"none","typ":"at+jwt"}`, jwt.ErrMalformed},
		{"T-062 RS256", `{"alg":"RS256","typ":"at+jwt","kid":"2026"}`, jwk.ErrAlgorithm},
		{"T-062 HS384", `{"alg":"HS384","typ":"at+jwt","kid":"2026"}`, jwk.ErrAlgorithm},
		{"T-062 HS512", `{"alg":"HS512","typ":"at+jwt"}`, jwk.ErrAlgorithm},
		{"T-065 unknown key", `{"alg":"HS256","typ":"at+jwt","kid":"2025"}`, jwk.ErrUnknownKey},
		{"T-065 a path", `{"alg":"HS256","typ":"at+jwt","kid":"../../dev/null"}`, jwk.ErrUnknownKey},
		{"T-065 SQL", `{"alg":"HS256","typ":"at+jwt","kid":"' OR 1=1--"}`, jwk.ErrUnknownKey},
		{"T-065 __proto__", `{"alg":"HS256","typ":"at+jwt","kid":"__proto__"}`, jwk.ErrUnknownKey},
		{"T-065 4 KB", `{"alg":"HS256","typ":"at+jwt","kid":"` + strings.Repeat("a", 4000) + `"}`, jwk.ErrUnknownKey},
		{"T-065 1 MB", `{"alg":"HS256","typ":"at+jwt","kid":"` + strings.Repeat("a", 1<<20) + `"}`, jwt.ErrMalformed},
		{"T-065 NUL", `{"alg":"HS256","typ":"at+jwt","kid":"2026\u0000"}`, jwt.ErrMalformed},
		{"T-065 line end", `{"alg":"HS256","typ":"at+jwt","kid":"2026\r\n"}`, jwt.ErrMalformed},
		{"T-065 empty", `{"alg":"HS256","typ":"at+jwt","kid":""}`, jwt.ErrMalformed},
		{"T-065 number", `{"alg":"HS256","typ":"at+jwt","kid":2026}`, jwt.ErrMalformed},
		{"T-065 Kelvin", "{\"alg\":\"HS256\",\"typ\":\"at+jwt\",\"\u212Aid\":\"2026\"}", jwt.ErrMalformed},
		{"T-065 KID", `{"alg":"HS256","typ":"at+jwt","KID":"2026"}`, jwt.ErrMalformed},
		{"T-066 crit unknown", `{"alg":"HS256","typ":"at+jwt","crit":["x"],"x":1}`, jwt.ErrMalformed},
		{"T-066 crit empty", `{"alg":"HS256","typ":"at+jwt","crit":[]}`, jwt.ErrMalformed},
		{"T-066 crit duplicate", `{"alg":"HS256","typ":"at+jwt","crit":["x","x"],"x":1}`, jwt.ErrMalformed},
		{"T-066 crit of a registered name", `{"alg":"HS256","typ":"at+jwt","crit":["alg"]}`, jwt.ErrMalformed},
		{"T-066 crit null", `{"alg":"HS256","typ":"at+jwt","crit":null}`, jwt.ErrMalformed},
		{"T-066 crit by escapes", `{"alg":"HS256","typ":"at+jwt","\u0063rit":["x"],"x":1}`, jwt.ErrMalformed},
		{"T-066 Crit", `{"alg":"HS256","typ":"at+jwt","Crit":["x"],"x":1}`, jwt.ErrMalformed},
		{"T-066 b64 false, with crit", `{"alg":"HS256","typ":"at+jwt","crit":["b64"],"b64":false}`, jwt.ErrMalformed},
		{"T-066 b64 false, alone", `{"alg":"HS256","typ":"at+jwt","b64":false}`, jwt.ErrMalformed},
		{"T-066 b64 true", `{"alg":"HS256","typ":"at+jwt","b64":true}`, jwt.ErrMalformed},
		{"T-066 zip", `{"alg":"HS256","typ":"at+jwt","zip":"DEF"}`, jwt.ErrMalformed},
		{"T-066 nested", `{"alg":"HS256","typ":"at+jwt","cty":"JWT"}`, jwt.ErrMalformed},
		{"T-071 PBES2", `{"alg":"PBES2-HS256+A128KW","typ":"at+jwt","enc":"A128GCM","p2c":2147483647,"p2s":"AA"}`, jwt.ErrMalformed},
		{"T-071 PBES2 without enc", `{"alg":"PBES2-HS256+A128KW","typ":"at+jwt","p2c":2147483647,"p2s":"AA"}`, jwk.ErrAlgorithm},
		{"T-070 APPLICATION/AT+JWT", `{"alg":"HS256","typ":"APPLICATION/AT+JWT"}`, nil},
		{"T-070 ID token", `{"alg":"HS256","typ":"JWT"}`, jwt.ErrType},
		{"T-070 logout token", `{"alg":"HS256","typ":"logout+jwt"}`, jwt.ErrType},
		{"T-070 client assertion", `{"alg":"HS256","typ":"client-authentication+jwt"}`, jwt.ErrType},
		{"T-070 none", `{"alg":"HS256"}`, jwt.ErrType},
		{"T-070 longer", `{"alg":"HS256","typ":"at+jwtx"}`, jwt.ErrType},
		{"T-070 application twice", `{"alg":"HS256","typ":"application/application/at+jwt"}`, jwt.ErrType},
		{"T-070 another tree", `{"alg":"HS256","typ":"text/at+jwt"}`, jwt.ErrType},
		{"T-070 empty", `{"alg":"HS256","typ":""}`, jwt.ErrMalformed},
		{"T-070 number", `{"alg":"HS256","typ":1}`, jwt.ErrMalformed},
		{"T-070 Typ", `{"alg":"HS256","Typ":"at+jwt"}`, jwt.ErrMalformed},
		{"T-072 10,000 levels", `{"alg":"HS256","x":` + strings.Repeat("[", 3000) + strings.Repeat("]", 3000) + `}`, jwt.ErrMalformed},
		{"T-073 no JSON", `alg=HS256`, jwt.ErrMalformed},
		{"T-073 data after", `{"alg":"HS256","typ":"at+jwt"}{}`, jwt.ErrMalformed},
		{"T-073 empty", ``, jwt.ErrMalformed},
		{"T-073 BOM", "\xEF\xBB\xBF" + `{"alg":"HS256","typ":"at+jwt"}`, jwt.ErrMalformed},
		{"T-073 invalid UTF-8", `{"alg":"HS256","typ":"at+jwt","x":"` + "\xFF" + `"}`, jwt.ErrMalformed},
	}
}

func TestHeader(t *testing.T) {
	t.Parallel()
	for _, row := range headers() {
		t.Run(row.threat, func(t *testing.T) {
			t.Parallel()
			text := craft(mac, row.header, payload)
			if row.want != nil {
				requireRefused(t, text, macSet, expect, row.want)
				return
			}
			got, err := verify(text, macSet, expect)
			require.NoError(t, err)
			require.Equal(t, "https://auth.example", got.Issuer)
		})
	}
}

// T-061: HS256 under whatever text of a public key an attacker can get hold of.
func TestT061_PublicKeyAsSecret(t *testing.T) {
	t.Parallel()
	for signer, keys := range signers(t) {
		if signer == mac {
			continue
		}
		public := any(edKey.Public())
		if signer.Algorithm() == jwk.RS256 {
			public = rsaKey().Public()
		}
		der := must(x509.MarshalPKIXPublicKey(public))
		document := must(json.Marshal(signer.Key))
		block := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		for _, guess := range [][]byte{der, block, block[:len(block)-1], document, append(document, '\n')} {
			forger := must(jwk.NewSecret("2026", guess))
			for _, h := range []string{`{"alg":"HS256","typ":"at+jwt","kid":"2026"}`, `{"alg":"HS256","typ":"at+jwt"}`} {
				requireRefused(t, craft(forger, h, payload), keys, expect, jwk.ErrAlgorithm)
			}
			h := fmt.Sprintf(`{"alg":%q,"typ":"at+jwt","kid":"2026"}`, signer.Algorithm())
			requireRefused(t, craft(forger, h, payload), keys, expect, jwk.ErrSignature)
		}
	}
}

// T-063: members that point at a key are overlooked: neither used nor fetched.
func TestT063_KeysInTheHeader(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, listener.Close()) }()
	forger := must(jwk.NewSigner("2026", edKey))
	owner := must(jwk.NewSigner("2026", rsaKey()))
	keys := must(jwk.NewSet(owner.Key))
	public := string(must(json.Marshal(forger.Key)))
	url := "http://" + listener.Addr().String() + "/"

	for _, member := range []string{
		`"jwk":` + public, `"jku":"` + url + `"`, `"x5u":"` + url + `"`, `"x5c":["` + url + `"]`, `"x5t":"` + url + `"`, `"x5t#S256":1`,
	} {
		requireRefused(t, craft(forger, `{"alg":"EdDSA","typ":"at+jwt","kid":"2026",`+member+`}`, payload), keys, expect, jwk.ErrAlgorithm)
		requireRefused(t, craft(forger, `{"alg":"RS256","typ":"at+jwt","kid":"2026",`+member+`}`, payload), keys, expect, jwk.ErrSignature)
		_, err := verify(craft(owner, `{"alg":"RS256","typ":"at+jwt","kid":"2026",`+member+`}`, payload), keys, expect)
		require.NoError(t, err, "what another service may need is no fault")
	}

	// Had anything connected, it would be first in line.
	ours, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", listener.Addr().String())
	require.NoError(t, err)
	first, err := listener.Accept()
	require.NoError(t, err)
	require.Equal(t, ours.LocalAddr().String(), first.RemoteAddr().String())
	require.NoError(t, ours.Close())
	require.NoError(t, first.Close())
}
