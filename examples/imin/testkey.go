package main

import (
	"context"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/scopes"
)

// testKey is in the documentation, for everybody to try the Events API with.
const testKey = "7e5700000000000000000010e3f1750a"

// tester verifies the test key. What everybody knows has no record: anybody could have it suspended for all others.
type tester struct{ principal *keystore.Principal }

func newTester() tester {
	return tester{keystore.NewPrincipal(keystore.Record{
		ID: "test", Kind: keystore.KindAPIKey, Name: "Lorem Fitsum", Owner: "public", Env: keystore.EnvTest,
		Scopes: scopes.MustSet("events:read"), Limits: keystore.Limits{ServerOnly: true},
	})}
}

// Verify implements [keystore.Verifier].
func (t tester) Verify(_ context.Context, credential string) (*keystore.Principal, error) {
	if credential != testKey {
		return nil, keystore.ErrUnrecognized
	}
	return t.principal, nil
}
