// Package servers finds the engines that the tests run on, and makes room on them for one test. One that does not answer
// skips the test, or fails it with CLAVIGER_REQUIRE_ENGINES=1.
package servers

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/go-redis/v9"
)

// patience is for servers that many tests keep busy.
const patience = 30 * time.Second

// Postgres is how to connect to a schema of the server, at another address if there is one.
func Postgres(schema, address string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(setting("CLAVIGER_POSTGRES_DSN", "postgres://postgres@127.0.0.1:5432/test?sslmode=disable"))
	if err != nil {
		return nil, err
	}
	config.ConnectTimeout = patience
	if schema != "" {
		config.RuntimeParams["search_path"] = schema
	}
	if address != "" {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return nil, err
		}
		config.Host, config.Port = at.Addr().String(), at.Port()
	}
	return config, nil
}

// MySQL is how to connect to a database of MariaDB or MySQL, at another address if there is one.
func MySQL(database, address string) (*mysql.Config, error) {
	config, err := mysql.ParseDSN(setting("CLAVIGER_MYSQL_DSN", "root@tcp(127.0.0.1:3306)/test"))
	if err != nil {
		return nil, err
	}
	config.Timeout = patience
	config.Logger = &mysql.NopLogger{} // connections are broken on purpose
	if database != "" {
		config.DBName = database
	}
	if address != "" {
		config.Addr = address
	}
	return config, nil
}

// Redis is where the server listens.
func Redis() string { return setting("CLAVIGER_REDIS_ADDR", "127.0.0.1:6379") }

func setting(name, fallback string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return fallback
}

// NewSchema makes a schema in PostgreSQL, and drops it after the test.
func NewSchema(tb testing.TB) (name string) {
	tb.Helper()
	return newRoom(tb, "PostgreSQL", postgresAdmin, "CREATE SCHEMA %s", "DROP SCHEMA %s CASCADE")
}

// NewDatabase makes a database in MariaDB or MySQL, and drops it after the test.
func NewDatabase(tb testing.TB) (name string) {
	tb.Helper()
	return newRoom(tb, "MariaDB", mysqlAdmin, "CREATE DATABASE %s", "DROP DATABASE %s")
}

func postgresAdmin() (*sql.DB, error) {
	config, err := Postgres("", "")
	if err != nil {
		return nil, err
	}
	return stdlib.OpenDB(*config), nil
}

func mysqlAdmin() (*sql.DB, error) {
	config, err := MySQL("", "")
	if err != nil {
		return nil, err
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

func newRoom(tb testing.TB, engine string, admin func() (*sql.DB, error), create, drop string) (name string) {
	tb.Helper()
	name = newName()
	ctx := context.WithoutCancel(tb.Context())
	// Each time a connection of its own: one that is kept for the end is one less for the others.
	exec := func(statement string) error {
		db, err := admin()
		if err != nil {
			return err
		}
		_, err = db.ExecContext(ctx, fmt.Sprintf(statement, name))
		return errors.Join(err, db.Close())
	}
	if err := exec("SELECT '%s'"); err != nil {
		missing(tb, engine, err)
	}
	if err := exec(create); err != nil {
		tb.Fatalf("making %s: %v", name, err)
	}
	tb.Cleanup(func() {
		if err := exec(drop); err != nil {
			tb.Errorf("dropping %s: %v", name, err)
		}
	})
	return name
}

// NewPrefix is one of a test's own in Redis. What is stored under it goes with the test.
func NewPrefix(tb testing.TB) (name string) {
	tb.Helper()
	client := redis.NewClient(&redis.Options{Addr: Redis()})
	ctx := context.WithoutCancel(tb.Context())
	if err := client.Ping(ctx).Err(); err != nil {
		_ = client.Close()
		missing(tb, "Redis", err)
	}
	name = newName()
	tb.Cleanup(func() {
		defer func() { _ = client.Close() }()
		for keys := client.Scan(ctx, 0, "{"+name+"}*", 1000).Iterator(); keys.Next(ctx); {
			if err := client.Unlink(ctx, keys.Val()).Err(); err != nil {
				tb.Errorf("emptying %s: %v", name, err)
				return
			}
		}
	})
	return name
}

func newName() string { return "claviger_test_" + strings.ToLower(rand.Text()[:12]) }

func missing(tb testing.TB, engine string, err error) {
	tb.Helper()
	if os.Getenv("CLAVIGER_REQUIRE_ENGINES") == "1" {
		tb.Fatalf("no %s, and CLAVIGER_REQUIRE_ENGINES=1: %v", engine, err)
	}
	tb.Skipf("no %s: %v", engine, err)
}
