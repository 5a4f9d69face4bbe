package keystore_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/claviger-go/claviger/adapters/memstore"
	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/scopes"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// A service issues a key, shows its text once, and from then on verifies what clients present.
func ExampleKeys_Issue() {
	keys := must(keystore.New(memstore.New(), keystore.Config{Brand: "acme"}))
	defer keys.Close()

	issued := must(keys.Issue(context.Background(), keystore.Spec{
		Owner:   "account-42",
		Name:    "nightly import",
		Scopes:  []scopes.Scope{"claims:read"},
		Expires: time.Now().AddDate(1, 0, 0),
	}))
	text := issued.Credential.Reveal() // nobody can show it again
	fmt.Println(text[:len("acme_live_")], len(text), "characters")
	fmt.Println(issued.Credential, issued.Record.Scopes)
	// Output:
	// acme_live_ 72 characters
	// [redacted] claims:read
}

func ExampleKeys_Verify() {
	ctx := context.Background()
	keys := must(keystore.New(memstore.New(), keystore.Config{}))
	defer keys.Close()
	issued := must(keys.Issue(ctx, keystore.Spec{Owner: "account-42", Scopes: []scopes.Scope{"claims:read"}}))

	p := must(keys.Verify(ctx, issued.Credential.Reveal()))
	fmt.Println(p.Owner(), p.Allows("claims:read"), p.Allows("claims:write"))

	for _, text := range []string{keystore.ExampleCredential, "hello"} {
		_, err := keys.Verify(ctx, text)
		var refused *keystore.RefusedError
		switch {
		case errors.As(err, &refused): // no
			fmt.Println(refused.Outcome)
		case errors.Is(err, keystore.ErrUnrecognized): // ask the next verifier
			fmt.Println("another form")
		case errors.Is(err, keystore.ErrUnavailable): // 503: neither yes nor no
			fmt.Println("try again later")
		}
	}
	// Output:
	// account-42 true false
	// credential-unknown
	// another form
}

// Keys that clients have already go on working as they stand.
func ExampleKeys_Import() {
	ctx := context.Background()
	keys := must(keystore.New(memstore.New(), keystore.Config{AcceptForeign: true}))
	defer keys.Close()

	old := keystore.NewSecret("6aa0fa0712ab34cd56ef7890abcdef12")
	key := must(keys.Import(ctx, keystore.Spec{Owner: "account-42"}, old))
	p := must(keys.Verify(ctx, old.Reveal()))
	fmt.Println(p.Owner(), p.KeyID() == key.ID)

	_, err := keys.Import(ctx, keystore.Spec{Owner: "account-42"}, keystore.NewSecret("swordfish"))
	fmt.Println(errors.Is(err, keystore.ErrWeakKey))
	// Output:
	// account-42 true
	// true
}

func ExampleKeys_Edit() {
	ctx := context.Background()
	keys := must(keystore.New(memstore.New(), keystore.Config{}))
	defer keys.Close()
	issued := must(keys.Issue(ctx, keystore.Spec{Owner: "account-42"}))

	after := must(keys.Edit(ctx, issued.Record.ID, func(r *keystore.Record) error {
		r.Name = "nightly import"
		r.Scopes = scopes.MustSet("claims:read")
		return nil
	}))
	fmt.Println(after.Name, after.Scopes)

	_, err := keys.Edit(ctx, issued.Record.ID, func(r *keystore.Record) error {
		r.Owner = "account-43"
		return nil
	})
	fmt.Println(errors.Is(err, keystore.ErrImmutable))
	// Output:
	// nightly import claims:read
	// true
}

func ExampleKeys_Revoke() {
	ctx := keystore.WithActor(context.Background(), "ann@example.com")
	keys := must(keystore.New(memstore.New(), keystore.Config{
		OnEvent: func(_ context.Context, e keystore.Event) { fmt.Printf("%s: %s %q\n", e.Actor, e.Type, e.Reason) },
	}))
	defer keys.Close()
	issued := must(keys.Issue(ctx, keystore.Spec{Owner: "account-42"}))

	if err := keys.Revoke(ctx, issued.Record.ID, keystore.ReasonCompromised); err != nil {
		panic(err) // it may be revoked or not: try again
	}
	_, err := keys.Verify(ctx, issued.Credential.Reveal())
	fmt.Println(strings.Split(err.Error(), " (")[0])
	// Output:
	// ann@example.com: issued ""
	// ann@example.com: revoked "compromised"
	// keystore: refused: credential-revoked
}

// A key is rotated: for a while both secrets work, then the new one alone.
func ExampleKeys_Rotate() {
	ctx, now := context.Background(), time.Date(2026, time.November, 22, 3, 0, 0, 0, time.UTC)
	keys := must(keystore.New(memstore.New(), keystore.Config{Now: func() time.Time { return now }}))
	defer keys.Close()
	issued := must(keys.Issue(ctx, keystore.Spec{Owner: "account-42"}))

	renewed := must(keys.Rotate(ctx, issued.Record.ID, issued.Record.Version, keystore.DefaultOverlap))
	old := must(keys.Verify(ctx, issued.Credential.Reveal()))
	_, until, deprecated := old.Deprecated()
	fmt.Println(deprecated, until)

	now = now.Add(keystore.DefaultOverlap)
	_, err := keys.Verify(ctx, issued.Credential.Reveal())
	fmt.Println(err != nil)
	fmt.Println(must(keys.Verify(ctx, renewed.Credential.Reveal())).KeyID() == issued.Record.ID)
	// Output:
	// true 2026-11-23 03:00:00 +0000 UTC
	// true
	// true
}

// Which keys have a secret that is too old.
func ExampleKeys_Due() {
	ctx, now := context.Background(), time.Date(2026, time.November, 22, 3, 0, 0, 0, time.UTC)
	keys := must(keystore.New(memstore.New(), keystore.Config{Now: func() time.Time { return now }}))
	defer keys.Close()
	must(keys.Issue(ctx, keystore.Spec{Owner: "account-42", Name: "nightly import"}))
	now = now.Add(90 * 24 * time.Hour)
	must(keys.Issue(ctx, keystore.Spec{Owner: "account-42", Name: "new"}))

	for r, err := range keys.Due(ctx, 0) {
		if err != nil {
			panic(err)
		}
		fmt.Println(r.Name, "since", r.Secrets[0].Created.Format(time.DateOnly))
	}
	// Output:
	// nightly import since 2026-11-22
}

// A key that is licensed for one service is used by two: the app hears of it, and after three such windows in a row the
// key is suspended.
func ExampleMisusePolicy() {
	ctx, now := context.Background(), time.Date(2026, time.November, 22, 3, 0, 0, 0, time.UTC)
	keys := must(keystore.New(memstore.New(), keystore.Config{
		Misuse: keystore.MisusePolicy{SuspendServices: true, Window: 10 * time.Minute, Windows: 3},
		OnEvent: func(_ context.Context, e keystore.Event) {
			if e.Type == keystore.EventMisuse {
				fmt.Println(e.Time.Format(time.TimeOnly), e.Owner, e.Reason, e.Network) // write to the customer
			}
		},
		Now: func() time.Time { return now },
	}))
	issued := must(keys.Issue(ctx, keystore.Spec{Owner: "account-42", Limits: keystore.Limits{Services: 1}}))

	// This is what package middleware does after it has let a request through:
	request := func(remote, userAgent string) {
		p := must(keys.Verify(ctx, issued.Credential.Reveal()))
		p.Trace(func() (netip.Addr, string) { return netip.MustParseAddr(remote), userAgent })
		now = now.Add(time.Minute)
	}
	request("192.0.2.1", "importer/1.4")
	request("192.0.2.1", "curl/8.5")       // by the same service
	request("203.0.113.9", "importer/1.5") // from another of its hosts
	request("198.51.100.7", "Go-http-client/1.1")
	_ = keys.Close() // tells what is still to be told
	// Output: 03:03:00 account-42 services 198.51.100.0/24
}

// Whoever guesses has to wait; who has logged in from there before does not.
func ExampleKeys_CheckLogin() {
	ctx := context.Background()
	keys := must(keystore.New(memstore.New(), keystore.Config{Throttle: keystore.Throttle{Passwords: 2}}))
	defer keys.Close()
	stored := must(keys.HashPassword(ctx, keystore.NewSecret("correct horse")))
	home, elsewhere := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.51.100.1")

	for _, try := range []struct {
		from     netip.Addr
		password string
	}{{home, "correct horse"}, {elsewhere, "123456"}, {elsewhere, "hunter2"}, {elsewhere, "letmein"}, {home, "correct horse"}} {
		ok, err := keys.CheckLogin(ctx, keystore.Login{
			Account: "ann", Remote: try.from, Stored: stored, Password: keystore.NewSecret(try.password),
		})
		var refused *keystore.RefusedError
		switch {
		case errors.As(err, &refused): // 429
			fmt.Println(refused.Outcome, refused.RetryAfter > time.Hour)
		case err != nil: // 503
			fmt.Println("try again later")
		default:
			fmt.Println(ok)
		}
	}
	// Output:
	// true
	// false
	// false
	// throttled true
	// true
}

// customers stands for a table that a service has already: SHA-256 of each key, in hex, and whose it is.
type customers map[string]string

// Lookup implements [keystore.KeyStore]. Verification needs no more than this.
func (c customers) Lookup(_ context.Context, id string) (keystore.Record, error) {
	owner, ok := c[strings.TrimPrefix(id, "sha256:")]
	if !ok {
		return keystore.Record{}, keystore.ErrNotFound
	}
	return keystore.Record{
		ID: id, Kind: keystore.KindAPIKey, Owner: owner, Env: keystore.EnvLive, Scopes: scopes.MustSet("claims:read"),
	}, nil
}

// A read-only adapter over somebody's table: the digest of what a client presents is the id that is looked up.
func ExampleKeyStore() {
	digest := sha256.Sum256([]byte("6aa0fa0712ab34cd56ef7890abcdef12"))
	table := customers{hex.EncodeToString(digest[:]): "account-42"}
	keys := must(keystore.New(table, keystore.Config{AcceptForeign: true}))
	defer keys.Close()

	p := must(keys.Verify(context.Background(), "6aa0fa0712ab34cd56ef7890abcdef12"))
	fmt.Println(p.Owner(), p.Scopes())
	_, err := keys.Verify(context.Background(), hex.EncodeToString(digest[:]))
	fmt.Println(err != nil, "what the table holds is no key")
	_, err = keys.Issue(context.Background(), keystore.Spec{Owner: "account-42"})
	fmt.Println(err)
	// Output:
	// account-42 claims:read
	// true what the table holds is no key
	// keystore: the store is read-only
}
