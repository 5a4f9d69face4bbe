package store_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// places give each kind of store a place of the test's own, which is cleaned up. Servers are found as in
// adapters/internal/enginetest.
var places = []struct {
	kind string
	url  func(testing.TB) string
}{
	{"memory", func(testing.TB) string { return "memory:" }},
	{"file", func(tb testing.TB) string { return "file:" + filepath.Join(tb.TempDir(), "keys.json") }},
	{"sqlite", func(tb testing.TB) string { return "sqlite:" + filepath.Join(tb.TempDir(), "keys.db") }},
	{"postgres", newSchema},
	{"mysql", newDatabase},
	{"redis", newNumber},
}

// newSchema is a schema of PostgreSQL.
func newSchema(tb testing.TB) string {
	tb.Helper()
	config, err := pgx.ParseConfig(setting("CLAVIGER_POSTGRES_DSN", "postgres://postgres@127.0.0.1:5432/test?sslmode=disable"))
	require.NoError(tb, err)
	admin := stdlib.OpenDB(*config)
	name := unique()
	createPlace(tb, admin, "CREATE SCHEMA "+name, "DROP SCHEMA "+name+" CASCADE")
	mode := "disable"
	if config.TLSConfig != nil {
		mode = "require"
	}
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(config.User, config.Password), Path: "/" + config.Database,
		Host:     net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port))),
		RawQuery: "sslmode=" + mode + "&search_path=" + name,
	}
	return u.String()
}

// newDatabase is a database of MySQL or MariaDB.
func newDatabase(tb testing.TB) string {
	tb.Helper()
	config, admin := mysqlAdmin(tb)
	name := unique()
	createPlace(tb, admin, "CREATE DATABASE "+name, "DROP DATABASE "+name)
	u := url.URL{Scheme: "mysql", User: url.UserPassword(config.User, config.Passwd), Host: config.Addr, Path: "/" + name}
	return u.String()
}

func mysqlAdmin(tb testing.TB) (*mysql.Config, *sql.DB) {
	tb.Helper()
	config, err := mysql.ParseDSN(setting("CLAVIGER_MYSQL_DSN", "root@tcp(127.0.0.1:3306)/test"))
	require.NoError(tb, err)
	connector, err := mysql.NewConnector(config)
	require.NoError(tb, err)
	return config, sql.OpenDB(connector)
}

// createPlace runs create now and drop after the test.
func createPlace(tb testing.TB, admin *sql.DB, create, drop string) {
	tb.Helper()
	tb.Cleanup(func() { require.NoError(tb, admin.Close()) })
	if err := admin.PingContext(tb.Context()); err != nil {
		missing(tb, err)
	}
	_, err := admin.ExecContext(tb.Context(), create)
	require.NoError(tb, err)
	tb.Cleanup(func() {
		_, err := admin.ExecContext(context.WithoutCancel(tb.Context()), drop)
		require.NoError(tb, err)
	})
}

// newNumber is one of the numbered databases of Redis, an empty one.
func newNumber(tb testing.TB) string {
	tb.Helper()
	address := setting("CLAVIGER_REDIS_ADDR", "127.0.0.1:6379")
	for number := 15; number > 0; number-- {
		client := redis.NewClient(&redis.Options{Addr: address, DB: number})
		tb.Cleanup(func() { _ = client.Close() })
		if err := client.Ping(tb.Context()).Err(); err != nil {
			missing(tb, err)
		}
		const claim = "claviger_test" // that another test is not to take the same
		claimed, err := client.SetNX(tb.Context(), claim, "", 10*time.Minute).Result()
		require.NoError(tb, err)
		if !claimed {
			continue
		}
		tb.Cleanup(func() { require.NoError(tb, client.Del(context.WithoutCancel(tb.Context()), claim).Err()) })
		size, err := client.DBSize(tb.Context()).Result()
		require.NoError(tb, err)
		if size > 1 {
			continue
		}
		tb.Cleanup(func() {
			ctx := context.WithoutCancel(tb.Context())
			keys, err := client.Keys(ctx, "{claviger}*").Result()
			require.NoError(tb, err)
			require.NoError(tb, client.Del(ctx, append(keys, claim)...).Err())
		})
		return "redis://" + address + "/" + strconv.Itoa(number)
	}
	tb.Fatal("Redis has no empty database")
	return ""
}

// missing skips a test for which a server is missing, or fails it where all have to be there.
func missing(tb testing.TB, err error) {
	tb.Helper()
	if os.Getenv("CLAVIGER_REQUIRE_ENGINES") == "1" {
		tb.Fatalf("no server, and CLAVIGER_REQUIRE_ENGINES=1: %v", err)
	}
	tb.Skipf("no server: %v", err)
}

func setting(name, fallback string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return fallback
}

func unique() string { return "claviger_examples_" + strings.ToLower(rand.Text()[:12]) }
