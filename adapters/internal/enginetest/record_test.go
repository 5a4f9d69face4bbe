package enginetest_test

import (
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/scopes"
)

var now = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

var usualScopes = scopes.MustSet("claims:read", "claims:write", "orders:read")

// usual is the n-th API key, as Keys would make it.
func usual(n int) keystore.Record {
	return keystore.Record{
		ID: usualID(n), Version: 1, Op: op(), Kind: keystore.KindAPIKey,
		Owner: fmt.Sprintf("acct_%06d", n/20), Type: "ucd", Env: keystore.EnvLive, Name: "Production Integration",
		Scopes: usualScopes,
		Secrets: []keystore.StoredSecret{{
			N: 1, Hash: "$hmac-sha256$k=main$" + rand.Text() + rand.Text(), Created: now,
		}},
		Created: now.Add(time.Duration(n) * time.Microsecond), CreatedBy: "admin@example.com",
	}
}

func usualID(n int) string { return fmt.Sprintf("key%09d", n) }

func op() string {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return fmt.Sprintf("%x", b)
}

func insert(t testing.TB, s keystore.AdminStore, records ...keystore.Record) {
	t.Helper()
	for _, r := range records {
		require.NoError(t, s.Insert(t.Context(), r, keystore.Quota{}))
	}
}

// update stores r under an Op of its own and returns it as it then is.
func update(t testing.TB, s keystore.AdminStore, r keystore.Record) keystore.Record {
	t.Helper()
	r.Op = op()
	require.NoError(t, s.Update(t.Context(), r))
	r.Version++
	return r
}

func at(r keystore.Record, version uint64) keystore.Record {
	r.Version = version
	return r
}
