package across_test

import (
	"context"
	"database/sql"
	"net"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/claviger-go/claviger/adapters/internal/enginetest/internal/servers"
	"github.com/claviger-go/claviger/adapters/pgnotify"
	"github.com/claviger-go/claviger/adapters/sqlstore"
)

// database is a store in SQL.
type database struct {
	schema
	server
}

// server is an engine. The timeouts are those that sqlstore's package doc shows.
type server struct {
	makeRoom func(testing.TB) string
	connect  func(room, address string) (*sql.DB, error)
	listens  func() (address string, err error)
}

// schema is what uses the engine.
type schema struct {
	migrate func(context.Context, *sql.DB) error
	open    func(context.Context, *sql.DB) (records, error)
}

var (
	inSQLite       = database{polling(sqlstore.SQLite), server{newPath, connectSQLite, nil}}
	inPostgres     = database{polling(sqlstore.PostgreSQL), postgres}
	inPostgresPush = database{notifying, postgres}
	inMariaDB      = database{polling(sqlstore.MySQL), server{servers.NewDatabase, connectMariaDB, mariadbAddress}}

	postgres = server{servers.NewSchema, connectPostgres, postgresAddress}
)

func polling(dialect sqlstore.Dialect) schema {
	return schema{
		func(ctx context.Context, db *sql.DB) error { return sqlstore.Migrate(ctx, db, dialect) },
		func(ctx context.Context, db *sql.DB) (records, error) {
			return sqlstore.New(ctx, db, dialect, sqlstore.Config{})
		},
	}
}

var notifying = schema{
	pgnotify.Migrate,
	func(ctx context.Context, db *sql.DB) (records, error) {
		return pgnotify.New(ctx, db, pgnotify.Config{})
	},
}

func newPath(tb testing.TB) string { return filepath.Join(tb.TempDir(), "keys.db") }

func connectSQLite(path, _ string) (*sql.DB, error) {
	return sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
}

func connectPostgres(schema, address string) (*sql.DB, error) {
	config, err := servers.Postgres(schema, address)
	if err != nil {
		return nil, err
	}
	config.ConnectTimeout = 2 * time.Second
	return stdlib.OpenDB(*config), nil
}

func postgresAddress() (string, error) {
	config, err := servers.Postgres("", "")
	if err != nil {
		return "", err
	}
	return net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port))), nil
}

func connectMariaDB(name, address string) (*sql.DB, error) {
	config, err := servers.MySQL(name, address)
	if err != nil {
		return nil, err
	}
	config.Timeout, config.ReadTimeout, config.WriteTimeout = 2*time.Second, 2*time.Second, 2*time.Second
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

func mariadbAddress() (string, error) {
	config, err := servers.MySQL("", "")
	if err != nil {
		return "", err
	}
	return config.Addr, nil
}

func (d *database) room(tb testing.TB) string {
	tb.Helper()
	room := d.makeRoom(tb)
	db, err := d.connect(room, "")
	require.NoError(tb, err)
	defer func() { require.NoError(tb, db.Close()) }()
	require.EventuallyWithT(tb, func(c *assert.CollectT) {
		require.NoError(c, d.migrate(tb.Context(), db))
	}, patience, 100*time.Millisecond)
	return room
}

func (d *database) open(ctx context.Context, room, address string) (*backend, error) {
	db, err := d.connect(room, address)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	s, err := d.schema.open(ctx, db)
	return opened(s, db.Close), err
}

func (d *database) address(tb testing.TB) string {
	tb.Helper()
	address, err := d.listens()
	require.NoError(tb, err)
	return address
}
