package memstore_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/memstore"
	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/keystore/storetest"
	"github.com/claviger-go/claviger/scopes"
)

// The duties KS1 to KS15 are proven by storetest; the tests in this package are about what memstore promises besides.

func open(*testing.T) *memstore.Store { return memstore.New() }

// place has the same handle twice: a Store is one process's.
func place(testing.TB) (store, other keystore.KeyStore) { //nolint:ireturn // it is a storetest.Factory
	s := memstore.New()
	return s, s
}

var declared = storetest.Config{AdminStore: true, Watcher: true, UsageStore: true}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, place, declared)
}

func BenchmarkStore(b *testing.B) { storetest.Benchmark(b, place, declared) }

var start = time.Date(2026, time.November, 22, 2, 36, 0, 123456000, time.UTC)

// at is n seconds after start.
func at(n int) time.Time { return start.Add(time.Duration(n) * time.Second) }

var unlimited = keystore.Quota{}

// apiKey is a record as an app's usual key has it.
func apiKey(id string, edits ...func(*keystore.Record)) keystore.Record {
	r := keystore.Record{
		ID: id, Version: 1, Op: "ab54a98ceb1f0ad2", Kind: keystore.KindAPIKey,
		Owner: "acct_4711aaa", Type: "ucd", Env: keystore.EnvLive, Name: "nightly batch import",
		Scopes: scopes.MustSet("claims:read", "claims:write"),
		Secrets: []keystore.StoredSecret{{
			N: 1, Hash: "$hmac-sha256$k=2026-11$7Gk2mXw9QaTz$47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU", Created: start,
		}},
		Created: start, CreatedBy: "user_0815",
	}
	for _, edit := range edits {
		edit(&r)
	}
	return r
}

func owner(name string) func(*keystore.Record) { return func(r *keystore.Record) { r.Owner = name } }
func op(name string) func(*keystore.Record)    { return func(r *keystore.Record) { r.Op = name } }
func created(n int) func(*keystore.Record)     { return func(r *keystore.Record) { r.Created = at(n) } }

func insert(t *testing.T, s keystore.AdminStore, records ...keystore.Record) {
	t.Helper()
	for _, r := range records {
		require.NoError(t, s.Insert(t.Context(), r, unlimited))
	}
}

func lookup(t *testing.T, s keystore.KeyStore, id string) keystore.Record {
	t.Helper()
	r, err := s.Lookup(t.Context(), id)
	require.NoError(t, err)
	return r
}
