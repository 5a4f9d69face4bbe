package jwt_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/claviger-go/claviger/keystore/tokens/internal/jwk"
	"github.com/claviger-go/claviger/keystore/tokens/internal/jwt"
)

func Example() {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	signer, err := jwk.NewSecret("2026-11", []byte("a secret of at least thirty-two bytes"))
	if err != nil {
		panic(err)
	}
	text, err := jwt.Sign(signer, jwt.Header{Type: "at+jwt", KeyID: signer.ID()}, jwt.Claims{
		Issuer: "https://auth.example", Audience: []string{"claims"}, Subject: "acme", Expires: now.Add(time.Hour),
	})
	if err != nil {
		panic(err)
	}

	keys, err := jwk.NewSet(signer.Key)
	if err != nil {
		panic(err)
	}
	token, err := jwt.Parse(text, 0)
	if err != nil {
		panic(err)
	}
	want := jwt.Expect{Types: []string{"at+jwt"}, Issuer: "https://auth.example", Audiences: []string{"claims"}, Now: now}
	claims, err := token.Verify(keys, want)
	fmt.Println(claims.Subject, err)

	want.Now = claims.Expires
	_, err = token.Verify(keys, want)
	fmt.Println(err, errors.Is(err, jwt.ErrExpired))

	others, err := jwk.NewSet()
	if err != nil {
		panic(err)
	}
	_, err = token.Verify(others, want)
	fmt.Println(err, errors.Is(err, jwk.ErrUnknownKey))
	// Output:
	// acme <nil>
	// jwt: expired true
	// jwk: the token names a key that is not known here true
}
