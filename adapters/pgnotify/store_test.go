package pgnotify_test

import (
	"database/sql"
	"encoding/json"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/pgnotify"
	"github.com/claviger-go/claviger/adapters/sqlstore"
	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/keystore/storetest"
)

// KS1 to KS15, with polls so rare that whatever Watch tells was notified.
func TestStore(t *testing.T) {
	t.Parallel()
	at := migrated(t)
	network := newProxy(t, at.address(t))
	// The engine's own tests sync every commit; thousands of inserts do without.
	quick := func(c *pgx.ConnConfig) { c.RuntimeParams["synchronous_commit"] = "off" }
	near, far := at.open(t, quick, through(network)), at.open(t, quick)
	// Cases follow each other, so all of them share the stores, which are emptied in between.
	config := pgnotify.Config{Store: sqlstore.Config{PollInterval: time.Minute, DangerouslyAcceptLoss: true}}
	here, there := open(t, near, config), open(t, far, config)
	storetest.Run(t, func(tb testing.TB) (store, other keystore.KeyStore) {
		tb.Helper()
		for _, table := range []string{"records", "usage", "quotas", "changes"} {
			execf(tb, far, "DELETE FROM claviger_%s", table)
		}
		return here, there
	}, storetest.Config{
		AdminStore: true, Watcher: true, UsageStore: true, Rounds: 3,
		Seed: func(tb testing.TB, _ keystore.KeyStore, records []keystore.Record) []keystore.Record {
			tb.Helper()
			seed(tb, far, records)
			return records
		},
		Hang: func(testing.TB, keystore.KeyStore) func() {
			network.freeze(true)
			return func() {
				network.thaw()
				network.reset()
				near.SetMaxIdleConns(-1) // or the next case meets connections that are dead
				near.SetMaxIdleConns(idle)
			}
		},
	})
}

// seed copies records into the table, thousands in one step.
func seed(tb testing.TB, db *sql.DB, records []keystore.Record) {
	tb.Helper()
	conn, err := db.Conn(tb.Context())
	require.NoError(tb, err)
	defer func() { require.NoError(tb, conn.Close()) }()
	columns := []string{"id", "version", "op", "kind", "owner", "type", "parent", "created", "expires", "revoked", "data"}
	row := func(n int) ([]any, error) {
		r := records[n]
		data, err := json.Marshal(r)
		unless := func(zero bool, value any) any {
			if zero {
				return nil
			}
			return value
		}
		return []any{
			[]byte(r.ID), int64(r.Version), []byte(r.Op), []byte(r.Kind), []byte(r.Owner), []byte(r.Type),
			unless(r.Parent == "", []byte(r.Parent)), r.Created.UnixMicro(), unless(r.Expires.IsZero(), r.Expires.UnixMicro()),
			unless(r.Revoked.At.IsZero(), r.Revoked.At.UnixMicro()), data,
		}, err
	}
	require.NoError(tb, conn.Raw(func(driverConn any) error {
		_, err := driverConn.(*stdlib.Conn).Conn().CopyFrom(tb.Context(), pgx.Identifier{"claviger_records"}, columns,
			pgx.CopyFromSlice(len(records), row))
		return err
	}))
}
