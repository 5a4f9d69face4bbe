package tokens_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/claviger-go/claviger/adapters/memstore"
	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/keystore/tokens"
	"github.com/claviger-go/claviger/scopes"
)

// secret stands for one from a secret manager; see keystore.GenerateSecret.
const secret = "2026-11:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

// A key is exchanged for a token, which then authenticates in its place.
func Example() {
	ctx := context.Background()
	keys := must(keystore.New(memstore.New(), keystore.Config{Ring: must(keystore.ParseRing(secret))}))
	defer keys.Close()
	issuer := must(tokens.New(keys, tokens.Config{Issuer: "https://api.example"}))
	defer issuer.Close()

	key := must(keys.Issue(ctx, keystore.Spec{Owner: "acme", Scopes: []scopes.Scope{"claims:read", "claims:write"}}))
	principal := must(keys.Verify(ctx, key.Credential.Reveal()))
	token := must(issuer.Exchange(ctx, principal, tokens.Request{SessionID: "import-7", Scopes: []scopes.Scope{"claims:read"}}))
	fmt.Println(strings.Count(token.Text.Reveal(), "."), "dots,", token.ExpiresIn, "left")

	who := must(issuer.Verify(ctx, token.Text.Reveal()))
	fmt.Println(who.Owner(), who.KeyID() == key.Record.ID, who.Allows("claims:read"), who.Allows("claims:write"))

	// Logging in again with the same session id returns the same token; with another, another.
	again := must(issuer.Exchange(ctx, principal, tokens.Request{SessionID: "import-7", Scopes: []scopes.Scope{"claims:read"}}))
	fmt.Println(again.Text.Reveal() == token.Text.Reveal())

	if err := issuer.End(ctx, token.Session); err != nil { // logout
		fmt.Println(err)
	}
	_, err := issuer.Verify(ctx, token.Text.Reveal())
	fmt.Println(err != nil)
	// Output:
	// 2 dots, 1h0m0s left
	// acme true true false
	// true
	// true
}

// Somebody whom the app has authenticated itself has no credential here, only an owner's name and scopes.
func ExampleTokens_Exchange_owner() {
	ctx := context.Background()
	keys := must(keystore.New(memstore.New(), keystore.Config{Ring: must(keystore.ParseRing(secret))}))
	defer keys.Close()
	issuer := must(tokens.New(keys, tokens.Config{}))
	defer issuer.Close()

	hash := must(keys.HashPassword(ctx, keystore.NewSecret("correct horse battery"))) // in the app's own table
	if !must(keys.CheckPassword(ctx, hash, keystore.NewSecret("correct horse battery"))) {
		return
	}
	ann := keystore.NewPrincipal(keystore.Record{Owner: "ann", Env: keystore.EnvLive, Scopes: scopes.MustSet("claims:read")})
	token := must(issuer.Exchange(ctx, ann, tokens.Request{Client: "web"}))
	fmt.Println(must(issuer.Verify(ctx, token.Text.Reveal())).Owner(), token.Scopes)
	for session, err := range issuer.Sessions(ctx, tokens.Of{Owner: "ann"}) {
		fmt.Println(session.Client, session.ID == token.Session, err)
	}
	// Output:
	// ann claims:read
	// web true <nil>
}

// Other services verify by what is served here, without the ring and without the store. They see no revocation: let the
// tokens be short.
func ExampleTokens_JWKS() {
	keys := must(keystore.New(memstore.New(), keystore.Config{Ring: must(keystore.ParseRing(secret))}))
	defer keys.Close()
	key := must(tokens.ParseSigningKey("2026-11", []byte(`-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----`)))
	issuer := must(tokens.New(keys, tokens.Config{SigningKeys: []tokens.SigningKey{key}, Lifetime: 5 * time.Minute}))
	defer issuer.Close()
	http.NewServeMux().HandleFunc("GET /.well-known/jwks.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/jwk-set+json")
		_, _ = w.Write(issuer.JWKS())
	})
	fmt.Println(string(issuer.JWKS()))
	// Output:
	// {"keys":[{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"2026-11","use":"sig","alg":"EdDSA"}]}
}
