package enginetest_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/internal/faultproxy"
	"github.com/claviger-go/claviger/adapters/sqlstore"
	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/keystore/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			p := e.make(t)
			var hang func(testing.TB, keystore.KeyStore) func()
			near := p
			switch p.dialect {
			case sqlstore.SQLite:
				// Of a file only the write lock can be kept: nothing but a broken disk hangs its readers.
				hang = occupy(p.open(t), "BEGIN IMMEDIATE")
			default:
				network := faultproxy.New(t, p.server(t))
				near = p.through(network)
				hang = func(testing.TB, keystore.KeyStore) func() { return network.Hang() }
			}
			here, other := near.open(t), p.open(t)
			if p.inMemory() {
				other = here
				hang = occupy(here, "SELECT 1")
			}
			factory, config := suite(t, p, here, other)
			config.Hang = hang
			if !full {
				config.Rounds = 3
			}
			storetest.Run(t, factory, config)
		})
	}
}

func BenchmarkStore(b *testing.B) {
	for _, e := range engines {
		b.Run("engine="+e.name, func(b *testing.B) {
			p := e.make(b)
			here := p.open(b)
			factory, config := suite(b, p, here, here)
			storetest.Benchmark(b, factory, config)
		})
	}
}

// suite makes a store on each of two pools. Cases follow each other, so all of an engine share a place, which is emptied
// in between, and the stores, which keep nothing to themselves: to make a schema, and to open stores on it, takes longer
// than most cases do.
func suite(tb testing.TB, p place, here, other *sql.DB) (storetest.Factory, storetest.Config) {
	tb.Helper()
	require.NoError(tb, sqlstore.Migrate(tb.Context(), other, p.dialect))
	store, elsewhere := storeOn(tb, here, p), storeOn(tb, other, p)
	return func(tb testing.TB) (keystore.KeyStore, keystore.KeyStore) {
		tb.Helper()
		empty(tb, other)
		return store, elsewhere
	}, storetest.Config{AdminStore: true, Watcher: true, UsageStore: true, Seed: seed(other, p)}
}

// occupy takes a connection and keeps it, with the locks of a statement, until release is called.
func occupy(db *sql.DB, statement string) func(testing.TB, keystore.KeyStore) (release func()) {
	return func(tb testing.TB, _ keystore.KeyStore) func() {
		tb.Helper()
		conn, err := db.Conn(tb.Context())
		require.NoError(tb, err)
		_, err = conn.ExecContext(tb.Context(), statement)
		require.NoError(tb, err)
		return sync.OnceFunc(func() {
			if statement != "SELECT 1" {
				_, err := conn.ExecContext(context.WithoutCancel(tb.Context()), "ROLLBACK")
				require.NoError(tb, err)
			}
			require.NoError(tb, conn.Close())
		})
	}
}

// seed puts the large sets of records there.
func seed(db *sql.DB, p place) func(testing.TB, keystore.KeyStore, []keystore.Record) []keystore.Record {
	return func(tb testing.TB, _ keystore.KeyStore, records []keystore.Record) []keystore.Record {
		tb.Helper()
		bulk(tb, db, p, len(records), func(n int) (keystore.Record, []byte) {
			data, err := json.Marshal(records[n])
			require.NoError(tb, err)
			return records[n], data
		})
		return records
	}
}

func storeOn(tb testing.TB, db *sql.DB, p place) *sqlstore.Store {
	tb.Helper()
	s, err := sqlstore.New(tb.Context(), db, p.dialect, polling)
	require.NoError(tb, err)
	return s
}

func empty(tb testing.TB, db *sql.DB) {
	tb.Helper()
	tx, err := db.BeginTx(tb.Context(), nil) //nolint:unqueryvet // Rollback after Commit is an error that says nothing
	require.NoError(tb, err)
	defer func() { _ = tx.Rollback() }()
	for _, table := range []string{"records", "usage", "quotas", "changes"} {
		_, err := tx.ExecContext(tb.Context(), "DELETE FROM claviger_"+table)
		require.NoError(tb, err)
	}
	require.NoError(tb, tx.Commit())
}
