package pgnotify_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/pgnotify"
	"github.com/claviger-go/claviger/adapters/sqlstore"
	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/scopes"
)

// schema is a schema of a test's own on the real server.
type schema string

// newSchema is empty, and dropped with the test. It skips the test if there is no server.
func newSchema(tb testing.TB) schema {
	tb.Helper()
	admin, err := administrator()
	if err != nil {
		const text = "no PostgreSQL (CLAVIGER_POSTGRES_DSN names another one): %v"
		if os.Getenv("CLAVIGER_REQUIRE_ENGINES") == "1" {
			tb.Fatalf(text, err)
		}
		tb.Skipf(text, err)
	}
	name := schema("claviger_test_" + strings.ToLower(rand.Text()[:12]))
	execf(tb, admin, "CREATE SCHEMA %s", name)
	tb.Cleanup(func() { execf(tb, admin, "DROP SCHEMA %s CASCADE", name) })
	return name
}

// migrated has tables and the trigger.
func migrated(tb testing.TB) schema {
	tb.Helper()
	at := newSchema(tb)
	require.NoError(tb, pgnotify.Migrate(tb.Context(), at.open(tb)))
	return at
}

var administrator = sync.OnceValues(func() (*sql.DB, error) {
	config, err := schema("public").config()
	if err != nil {
		return nil, err
	}
	db := stdlib.OpenDB(*config)
	return db, db.Ping()
})

func (s schema) config() (*pgx.ConnConfig, error) {
	dsn := os.Getenv("CLAVIGER_POSTGRES_DSN")
	if dsn == "" {
		dsn = "postgres://postgres@127.0.0.1:5432/test?sslmode=disable"
	}
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	config.ConnectTimeout = 30 * time.Second // many tests keep the server busy
	config.RuntimeParams["search_path"] = string(s)
	return config, nil
}

// open opens a pool for the time of the test.
func (s schema) open(tb testing.TB, edits ...func(*pgx.ConnConfig)) *sql.DB {
	tb.Helper()
	config, err := s.config()
	require.NoError(tb, err)
	for _, edit := range edits {
		edit(config)
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(idle) // leave room for other tests on the same server
	db.SetMaxIdleConns(idle)
	tb.Cleanup(func() { require.NoError(tb, db.Close()) })
	return db
}

const idle = 12

// address is where the server listens.
func (s schema) address(tb testing.TB) string {
	tb.Helper()
	config, err := s.config()
	require.NoError(tb, err)
	return net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port)))
}

func through(p *proxy) func(*pgx.ConnConfig) {
	return func(c *pgx.ConnConfig) {
		at := netip.MustParseAddrPort(p.address)
		c.Host, c.Port = at.Addr().String(), at.Port()
	}
}

// called gives connections a name, to find them in pg_stat_activity.
func called(name string) func(*pgx.ConnConfig) {
	return func(c *pgx.ConnConfig) { c.RuntimeParams["application_name"] = name }
}

func execf(tb testing.TB, db *sql.DB, format string, args ...any) {
	tb.Helper()
	_, err := db.ExecContext(context.WithoutCancel(tb.Context()), fmt.Sprintf(format, args...))
	require.NoError(tb, err)
}

func open(tb testing.TB, db *sql.DB, config pgnotify.Config) *pgnotify.Store {
	tb.Helper()
	s, err := pgnotify.New(tb.Context(), db, config)
	require.NoError(tb, err)
	return s
}

// plain is another process, which knows nothing of notifications.
func (s schema) plain(tb testing.TB) *sqlstore.Store {
	tb.Helper()
	p, err := sqlstore.New(tb.Context(), s.open(tb), sqlstore.PostgreSQL, sqlstore.Config{})
	require.NoError(tb, err)
	return p
}

var now = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

func apiKey(id string) keystore.Record {
	return keystore.Record{
		ID: id, Version: 1, Op: rand.Text(), Kind: keystore.KindAPIKey, Owner: "acct_1", Env: keystore.EnvLive,
		Scopes: scopes.MustSet("claims:read"), Created: now,
	}
}

func insert(tb testing.TB, s keystore.AdminStore, records ...keystore.Record) {
	tb.Helper()
	for _, r := range records {
		require.NoError(tb, s.Insert(tb.Context(), r, keystore.Quota{}))
	}
}

// update returns the record as it then is.
func update(tb testing.TB, s keystore.AdminStore, r keystore.Record) keystore.Record {
	tb.Helper()
	r.Op = rand.Text()
	require.NoError(tb, s.Update(tb.Context(), r))
	r.Version++
	return r
}
