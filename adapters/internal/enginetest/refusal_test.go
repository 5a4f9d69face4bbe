package enginetest_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/sqlstore"
	"github.com/claviger-go/claviger/keystore"
)

// refuses opens a store and expects one problem. Tables are missing as well, but settings are judged first.
func refuses(t *testing.T, db *sql.DB, dialect sqlstore.Dialect, setting string, loss bool) {
	t.Helper()
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	_, err := sqlstore.New(t.Context(), db, dialect, sqlstore.Config{})
	var problem *keystore.ConfigError
	require.ErrorAs(t, err, &problem)
	require.Equal(t, "sqlstore: "+setting, problem.Field)
	t.Log(err)

	_, err = sqlstore.New(t.Context(), db, dialect, sqlstore.Config{DangerouslyAcceptLoss: true})
	require.Error(t, err, "there are no tables either")
	require.NotEqual(t, loss, errorsAs[*keystore.ConfigError](err), "only what loses commits can be accepted")
}

func TestNew_RefusesSQLite(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		desc, dsn, setting string
		loss               bool
	}{
		{"no sync", "_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)", "PRAGMA synchronous", true},
		{"some syncs", "_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)", "PRAGMA synchronous", true},
		{"the driver's defaults but for waiting", "_pragma=busy_timeout(5000)", "PRAGMA journal_mode", false},
		{"journal in memory", "_pragma=busy_timeout(5000)&_pragma=journal_mode(MEMORY)", "PRAGMA journal_mode", false},
		{"no waiting", "_pragma=journal_mode(WAL)", "PRAGMA busy_timeout", false},
		{"dirty reads", safePragmas + "&_pragma=read_uncommitted(1)", "PRAGMA read_uncommitted", false},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			t.Parallel()
			db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "keys.db")+"?"+tc.dsn)
			require.NoError(t, err)
			refuses(t, db, sqlstore.SQLite, tc.setting, tc.loss)
		})
	}
}

// The mistake that everybody makes once: Exec sets what the next connection of the pool does not have.
func TestNew_RefusesPragmaByExec(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "keys.db")+
		"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)")
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), "PRAGMA synchronous = FULL")
	require.NoError(t, err)
	refuses(t, db, sqlstore.SQLite, "PRAGMA synchronous", true)
}

func TestNew_RefusesPostgres(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		parameter, value, setting string
		loss                      bool
	}{
		{"synchronous_commit", "off", "synchronous_commit", true},
		{"default_transaction_read_only", "on", "transaction_read_only", false},
	} {
		t.Run(tc.parameter, func(t *testing.T) {
			t.Parallel()
			newSchema(t) // skips the test if there is no server
			config, err := place{dialect: sqlstore.PostgreSQL, name: "claviger_test_none"}.postgresConfig()
			require.NoError(t, err)
			config.RuntimeParams[tc.parameter] = tc.value
			refuses(t, stdlib.OpenDB(*config), sqlstore.PostgreSQL, tc.setting, tc.loss)
		})
	}
}

// What counts is what a session has, wherever it comes from: here neither the server nor the data source name says so.
func TestNew_RefusesPostgresRole(t *testing.T) {
	t.Parallel()
	p := newSchema(t)
	admin, role := p.open(t), p.name
	exec := func(format string) {
		_, err := admin.ExecContext(context.WithoutCancel(t.Context()), fmt.Sprintf(format, role))
		require.NoError(t, err)
	}
	exec("CREATE ROLE %s LOGIN PASSWORD 'claviger'")
	t.Cleanup(func() { exec("DROP ROLE %s") })
	exec("ALTER ROLE %s SET synchronous_commit = off")
	config, err := p.postgresConfig()
	require.NoError(t, err)
	config.User, config.Password = role, "claviger"
	refuses(t, stdlib.OpenDB(*config), p.dialect, "synchronous_commit", true)
}

// The settings of the whole server are judged in sqlstore's own tests: here they would be changed under others' feet.
func TestNew_RefusesMySQL(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ variable, value, setting string }{
		{"autocommit", "0", "autocommit"},
		{"tx_isolation", "'READ-UNCOMMITTED'", "tx_isolation"},
		{"tx_read_only", "1", "tx_read_only"},
	} {
		t.Run(tc.variable, func(t *testing.T) {
			t.Parallel()
			newDatabase(t)
			config, err := place{dialect: sqlstore.MySQL, name: "information_schema"}.mysqlConfig()
			require.NoError(t, err)
			config.Params = map[string]string{tc.variable: tc.value}
			connector, err := mysql.NewConnector(config)
			require.NoError(t, err)
			refuses(t, sql.OpenDB(connector), sqlstore.MySQL, tc.setting, false)
		})
	}
}

func TestNew_RefusesWhatIsNotThere(t *testing.T) {
	t.Parallel()
	p := engines[0].make(t)
	_, err := sqlstore.New(t.Context(), p.open(t), p.dialect, sqlstore.Config{})
	require.ErrorContains(t, err, "Migrate")
	for _, wrong := range []sqlstore.Dialect{sqlstore.PostgreSQL, sqlstore.MySQL} {
		_, err = sqlstore.New(t.Context(), p.open(t), wrong, sqlstore.Config{})
		require.ErrorContains(t, err, "dialect")
	}
}

// A database in memory belongs to its connection.
func TestMemoryIsHeldToOneConnection(t *testing.T) {
	t.Parallel()
	open := func() *sql.DB {
		db, err := sql.Open("sqlite", ":memory:")
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		return db
	}
	db := open()
	db.SetConnMaxLifetime(1)
	require.NoError(t, sqlstore.Migrate(t.Context(), db, sqlstore.SQLite))
	s, err := sqlstore.New(t.Context(), db, sqlstore.SQLite, sqlstore.Config{})
	require.NoError(t, err)
	insert(t, s, usual(1))
	require.Equal(t, 1, db.Stats().MaxOpenConnections)
	_, err = s.Lookup(t.Context(), usual(1).ID)
	require.NoError(t, err, "and it does not expire")

	split := open()
	first, err := split.Conn(t.Context())
	require.NoError(t, err)
	second, err := split.Conn(t.Context())
	require.NoError(t, err)
	require.NoError(t, first.Close())
	require.NoError(t, second.Close())
	require.ErrorContains(t, sqlstore.Migrate(t.Context(), split, sqlstore.SQLite), "SetMaxOpenConns(1)")
}
