package filestore_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/filestore"
	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/scopes"
)

var (
	start     = time.Date(2026, time.November, 22, 2, 36, 0, 123456000, time.UTC)
	unlimited = keystore.Quota{}
)

// place is the path of a file that does not exist yet, in a directory of its own.
func place(tb testing.TB) string {
	tb.Helper()
	dir := tb.TempDir()
	require.NoError(tb, os.Chmod(dir, 0o700)) // whatever the umask is
	return filepath.Join(dir, "keys.json")
}

func open(tb testing.TB, path string) *filestore.Store {
	tb.Helper()
	s, err := filestore.Open(path, filestore.Config{})
	require.NoError(tb, err)
	return s
}

func create(tb testing.TB, path string) *filestore.Store {
	tb.Helper()
	s, err := filestore.Open(path, filestore.Config{Create: true})
	require.NoError(tb, err)
	return s
}

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

// numbered is one of many usual keys, created in order.
func numbered(n int) keystore.Record {
	return apiKey(fmt.Sprintf("key%09d", n), func(r *keystore.Record) {
		r.Owner = fmt.Sprintf("acct_%07d", n/10)
		r.Created = start.Add(time.Duration(n) * time.Second)
	})
}

func numberedUpTo(n int) []keystore.Record {
	records := make([]keystore.Record, n)
	for i := range records {
		records[i] = numbered(i)
	}
	return records
}

func op(name string) func(*keystore.Record)    { return func(r *keystore.Record) { r.Op = name } }
func owner(name string) func(*keystore.Record) { return func(r *keystore.Record) { r.Owner = name } }

func version(v uint64) func(*keystore.Record) { return func(r *keystore.Record) { r.Version = v } }

func revoked(r *keystore.Record) {
	r.Revoked = keystore.Mark{At: start, Reason: keystore.ReasonCompromised}
}

func insert(tb testing.TB, s keystore.AdminStore, records ...keystore.Record) {
	tb.Helper()
	for _, r := range records {
		require.NoError(tb, s.Insert(tb.Context(), r, unlimited))
	}
}

func lookup(tb testing.TB, s keystore.KeyStore, id string) keystore.Record {
	tb.Helper()
	r, err := s.Lookup(tb.Context(), id)
	require.NoError(tb, err)
	return r
}

func read(tb testing.TB, path string) []byte {
	tb.Helper()
	data, err := os.ReadFile(path)
	require.NoError(tb, err)
	return data
}

func write(tb testing.TB, path string, data []byte) {
	tb.Helper()
	require.NoError(tb, os.WriteFile(path, data, 0o600))
}
