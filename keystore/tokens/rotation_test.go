package tokens_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	golang "github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/keystore/tokens"
)

// T-074: three processes, restarted one after the other with another key: no token dies, and each is the same everywhere
// that knows its key. A key that leaked goes at once, everywhere, and clients can have another token.
func TestT074_Rotation(t *testing.T) {
	t.Parallel()
	signing := func(letters ...string) tokens.Config {
		config := tokens.Config{}
		for _, letter := range letters {
			config.SigningKeys = append(config.SigningKeys, signingKey(letter, edKey(letter)))
		}
		return config
	}
	rings := func(names ...string) tokens.Config { return tokens.Config{Ring: ring(t, names...)} }
	opaque := func(names ...string) tokens.Config { return tokens.Config{Ring: ring(t, names...), Opaque: true} }
	nameless := func(names ...string) tokens.Config {
		return tokens.Config{Ring: ring(t, names...), OmitKeyID: true}
	}
	for name, config := range map[string]func(...string) tokens.Config{"HS256": rings, "opaque": opaque, "no kid": nameless, "EdDSA": signing} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, clock := newPlace(), newClock()
			first := start(t, store, clock, config("a"))
			credential := first.issue(spec)
			login := func(p *process, id string) tokens.Token {
				return p.login(p.principal(credential), tokens.Request{SessionID: id})
			}
			all := []*process{first, start(t, store, clock, config("a")), start(t, store, clock, config("a"))}
			old := login(first, "s")
			made := []tokens.Token{old}
			for step, next := range []tokens.Config{config("a", "b"), config("b", "a")} {
				for i := range all {
					all[i] = start(t, store, clock, next)
					made = append(made, login(all[i], string(rune('0'+3*step+i))))
					for _, p := range all {
						require.Equal(t, old.Text.Reveal(), login(p, "s").Text.Reveal())
						for _, token := range made {
							p.requireAccepted(token)
						}
					}
				}
			}
			byNew := made[len(made)-1]
			clock.move(2 * time.Second) // a no is remembered for a second
			for i := range all {
				dropped := config("b")
				dropped.DroppedKeys = []string{"a"}
				all[i] = start(t, store, clock, dropped)
				all[i].requireRefused(old, keystore.OutcomeWrongSecret)
				all[i].requireAccepted(byNew)
			}
			again := login(all[0], "s")
			require.Equal(t, old.Session, again.Session)
			for _, p := range all {
				p.requireAccepted(again)
				require.Equal(t, again.Text.Reveal(), login(p, "s").Text.Reveal())
				p.requireRefused(old, keystore.OutcomeWrongSecret)
			}
		})
	}
}

// Without a word about a dropped key a token that names it is unknown only as long as its session is still derived from it.
func TestT074_DroppedInSilence(t *testing.T) {
	t.Parallel()
	store, clock := newPlace(), newClock()
	before, after := start(t, store, clock, tokens.Config{Ring: ring(t, "a")}), start(t, store, clock, tokens.Config{Ring: ring(t, "b")})
	credential := before.issue(spec)
	token := before.login(before.principal(credential), tokens.Request{})
	_, err := after.Verify(t.Context(), token.Text.Reveal())
	requireUnavailable(t, err)
	after.login(after.principal(credential), tokens.Request{})
	after.requireRefused(token, keystore.OutcomeWrongSecret)
	other := before.login(before.principal(credential), tokens.Request{SessionID: "other"})
	clock.move(time.Hour)
	after.requireRefused(other, keystore.OutcomeWrongSecret, "what says itself that it has expired is no good, whoever made it")
}

// What others verify by: golang-jwt by the JWKS, keys that only verify among them.
func TestJWKS(t *testing.T) {
	t.Parallel()
	config := tokens.Config{Issuer: "https://api.example", Audience: "claims", SigningKeys: []tokens.SigningKey{
		signingKey("", edKey("1")), signingKey("rsa", rsaKey()), must(tokens.NewVerifyingKey("retired", edKey("2").Public())),
	}}
	p := alone(t, config)
	var document struct {
		Keys []map[string]string
	}
	require.NoError(t, json.Unmarshal(p.JWKS(), &document))
	require.Len(t, document.Keys, 3)
	for _, key := range document.Keys {
		require.NotContains(t, key, "d")
		require.Equal(t, "sig", key["use"])
	}
	require.Equal(t, []string{"EdDSA", "RS256", "EdDSA"}, []string{document.Keys[0]["alg"], document.Keys[1]["alg"], document.Keys[2]["alg"]})
	require.Equal(t, []string{"rsa", "retired"}, []string{document.Keys[1]["kid"], document.Keys[2]["kid"]})
	require.Len(t, document.Keys[0]["kid"], 43, "a thumbprint")
	p.JWKS()[0] = 'x'
	require.EqualValues(t, '{', p.JWKS()[0])

	parsed, err := golang.Parse(p.login(p.key(spec), tokens.Request{}).Text.Reveal(), func(token *golang.Token) (any, error) {
		require.Equal(t, document.Keys[0]["kid"], token.Header["kid"])
		return edKey("1").Public(), nil
	}, golang.WithValidMethods([]string{"EdDSA"}), golang.WithIssuer("https://api.example"), golang.WithAudience("claims"),
		golang.WithExpirationRequired(), golang.WithTimeFunc(p.clock.Now))
	require.NoError(t, err)
	subject, err := parsed.Claims.GetSubject()
	require.NoError(t, err)
	require.Equal(t, "acme", subject)

	require.JSONEq(t, `{"keys":[]}`, string(alone(t, tokens.Config{}).JWKS()), "an HS256 key is for nobody")
}

func TestParseSigningKey(t *testing.T) {
	t.Parallel()
	encode := func(kind string, der []byte, err error) []byte {
		require.NoError(t, err)
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	pkcs8 := func(key any) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		return encode("PRIVATE KEY", der, err)
	}
	pkix := func(key any) []byte {
		der, err := x509.MarshalPKIXPublicKey(key)
		return encode("PUBLIC KEY", der, err)
	}
	for desc, text := range map[string][]byte{
		"Ed25519": pkcs8(edKey("1")), "RSA": pkcs8(rsaKey()), "RSA, PKCS #1": encode("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey()), nil),
		"after a comment": append([]byte("# my key\n"), pkcs8(edKey("1"))...),
	} {
		key, err := tokens.ParseSigningKey("k", text)
		require.NoError(t, err, desc)
		p := alone(t, tokens.Config{SigningKeys: []tokens.SigningKey{key}})
		header, _ := decoded(t, p.login(p.key(spec), tokens.Request{}).Text.Reveal())
		require.Contains(t, header, `"kid":"k"`, desc)
	}
	for desc, text := range map[string][]byte{"Ed25519": pkix(edKey("1").Public()), "RSA": pkix(rsaKey().Public())} {
		key, err := tokens.ParseSigningKey("k", text)
		require.NoError(t, err, desc)
		alone(t, tokens.Config{SigningKeys: []tokens.SigningKey{signingKey("", edKey("2")), key}})
		_, err = tokens.New(alone(t, tokens.Config{}).keys, tokens.Config{SigningKeys: []tokens.SigningKey{key}})
		require.ErrorContains(t, err, "the first one signs", desc)
	}
	canary := []byte("-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n")
	for _, text := range [][]byte{
		nil, []byte("canary"), canary, encode("PRIVATE KEY", []byte("canary"), nil), encode("EC PRIVATE KEY", []byte("canary"), nil),
		encode("CERTIFICATE", []byte("canary"), nil), append(pkcs8(edKey("1")), pkcs8(edKey("2"))...), pkcs8(edKey("1"))[:100],
	} {
		_, err := tokens.ParseSigningKey("k", text)
		require.Error(t, err)
		require.NotContains(t, err.Error(), "canary")
	}
}

// T-060, T-061: keys that cannot be used, or of which signatures do not repeat, are mistakes.
func TestSigningKeys_Mistakes(t *testing.T) {
	t.Parallel()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	for desc, load := range map[string]func() (tokens.SigningKey, error){
		"no key":                  func() (tokens.SigningKey, error) { return tokens.NewSigningKey("", nil) },
		"a nil key":               func() (tokens.SigningKey, error) { return tokens.NewSigningKey("", ed25519.PrivateKey(nil)) },
		"ECDSA":                   func() (tokens.SigningKey, error) { return tokens.NewSigningKey("", ec) },
		"ECDSA, public":           func() (tokens.SigningKey, error) { return tokens.NewVerifyingKey("", ec.Public()) },
		"a text":                  func() (tokens.SigningKey, error) { return tokens.NewVerifyingKey("", "x") },
		"a name with a space":     func() (tokens.SigningKey, error) { return tokens.NewSigningKey("a b", edKey("1")) },
		"a name of 44 characters": func() (tokens.SigningKey, error) { return tokens.NewSigningKey(strings.Repeat("x", 44), edKey("1")) },
	} {
		_, err := load()
		require.Error(t, err, desc)
	}
	p, good := alone(t, tokens.Config{}), signingKey("good", edKey("1"))
	for desc, row := range map[string]struct {
		config tokens.Config
		want   string
	}{
		"a zero key":               {tokens.Config{SigningKeys: []tokens.SigningKey{good, {}}}, "SigningKeys[1]"},
		"two of one name":          {tokens.Config{SigningKeys: []tokens.SigningKey{good, signingKey("good", edKey("2"))}}, "has the name of an earlier one"},
		"nameless":                 {tokens.Config{SigningKeys: []tokens.SigningKey{good}, OmitKeyID: true}, "OmitKeyID"},
		"dropped, and there":       {tokens.Config{SigningKeys: []tokens.SigningKey{good}, DroppedKeys: []string{"good"}}, "DroppedKeys"},
		"dropped, and in the ring": {tokens.Config{DroppedKeys: []string{"2026"}}, "DroppedKeys"},
		"names too long together":  {tokens.Config{SigningKeys: []tokens.SigningKey{signingKey(strings.Repeat("x", 43), edKey("1"))}, Ring: ring(t, strings.Repeat("r", 21))}, "at most 63 bytes"},
		"17 secrets":               {tokens.Config{Ring: ring(t, strings.Split("abcdefghijklmnopq", "")...)}, "at most 16"},
	} {
		_, err := tokens.New(p.keys, row.config)
		require.ErrorContains(t, err, row.want, desc)
		var mistake *keystore.ConfigError
		require.ErrorAs(t, err, &mistake, desc)
	}
	fits := alone(t, tokens.Config{SigningKeys: []tokens.SigningKey{signingKey(strings.Repeat("x", 43), edKey("1"))}, Ring: ring(t, strings.Repeat("r", 20))})
	fits.requireAccepted(fits.login(fits.key(spec), tokens.Request{}))
}
