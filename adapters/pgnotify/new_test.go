package pgnotify_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/pgnotify"
	"github.com/claviger-go/claviger/adapters/sqlstore"
	"github.com/claviger-go/claviger/keystore"
)

// What makes no sense is refused at once, and whole.
func TestNew_RefusesConfig(t *testing.T) {
	t.Parallel()
	db := migrated(t).open(t)
	db.SetMaxOpenConns(1)
	_, err := pgnotify.New(t.Context(), db, pgnotify.Config{
		Heartbeat: time.Millisecond,
		Store:     sqlstore.Config{PollInterval: -1},
	})
	require.EqualError(t, err, "pgnotify: db: MaxOpenConns is 1: want 2 or more: a Watch keeps one connection; or another pool in Config.ListenOn\n"+
		"pgnotify: Config.Heartbeat is 1ms: want 100ms to 1m\n"+
		"sqlstore: Config.PollInterval is -1ns: want 10ms to 1m")
	_, err = pgnotify.New(t.Context(), db, pgnotify.Config{Heartbeat: 2 * time.Minute, ListenOn: db})
	require.ErrorContains(t, err, "MaxOpenConns")
	require.ErrorContains(t, err, "Heartbeat")
	_, err = pgnotify.New(t.Context(), nil, pgnotify.Config{})
	require.ErrorContains(t, err, "db is nil")
}

// A pool that would hear nothing is refused, and the error says what to do.
func TestNew_RefusesToBeDeaf(t *testing.T) {
	t.Parallel()
	at := migrated(t)
	db := at.open(t)
	pooler := newProxy(t, at.address(t))
	pooler.deaf.Store(true)
	for _, tc := range []struct {
		desc     string
		listenOn *sql.DB
		want     string
	}{
		{"a pooler that hands out a connection per transaction", at.open(t, through(pooler)), "PgBouncer"},
		{"another database", at.open(t, func(c *pgx.ConnConfig) { c.Database = "postgres" }), "another database"},
		{"another driver", sql.OpenDB(foreign{}), "want one of github.com/jackc/pgx/v5/stdlib, in Config.ListenOn"},
		{"a handler of the app's", at.open(t, func(c *pgx.ConnConfig) {
			c.OnNotification = func(*pgconn.PgConn, *pgconn.Notification) {}
		}), "OnNotification"},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			t.Parallel()
			_, err := pgnotify.New(t.Context(), db, pgnotify.Config{ListenOn: tc.listenOn, Heartbeat: 500 * time.Millisecond})
			require.ErrorContains(t, err, "pgnotify: listening: ")
			require.ErrorContains(t, err, tc.want)
		})
	}
	s := open(t, db, pgnotify.Config{ListenOn: at.open(t), Heartbeat: 500 * time.Millisecond})
	_, err := s.Lookup(t.Context(), "nobody")
	require.ErrorIs(t, err, keystore.ErrNotFound)
}

// foreign is a driver that is not pgx.
type foreign struct{ driver.Connector }

func (foreign) Connect(context.Context) (driver.Conn, error) { return foreignConn{}, nil }

type foreignConn struct{ driver.Conn }

func (foreignConn) Close() error { return nil }

// A process that only verifies needs no more privileges than with sqlstore.
func TestRoleThatOnlyVerifies(t *testing.T) {
	t.Parallel()
	at := migrated(t)
	admin := at.open(t)
	role := string(at)
	execf(t, admin, "CREATE ROLE %s", role)
	t.Cleanup(func() {
		execf(t, admin, "DROP OWNED BY %s", role)
		execf(t, admin, "DROP ROLE %s", role)
	})
	execf(t, admin, "GRANT USAGE ON SCHEMA %s TO %s", at, role)
	execf(t, admin, "GRANT SELECT ON claviger_records, claviger_counter, claviger_changes, claviger_migrations TO %s", role)
	db := at.open(t, func(c *pgx.ConnConfig) { c.RuntimeParams["role"] = role })
	require.NoError(t, pgnotify.Migrate(t.Context(), db), "nothing is missing")

	e := watch(t, open(t, db, pushed))
	e.await(t)
	writer := at.plain(t)
	insert(t, writer, apiKey("a"))
	update(t, writer, apiKey("a"))
	e.await(t, "a")
}
