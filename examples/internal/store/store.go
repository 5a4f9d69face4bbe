// Package store opens a store from one URL, for the flag -store of the example programs:
//
//	memory:                                        adapters/memstore
//	file:keys.json                                 adapters/filestore
//	sqlite:keys.db                                 adapters/sqlstore, modernc.org/sqlite
//	postgres://USER:PASSWORD@HOST:5432/DATABASE    adapters/pgnotify, jackc/pgx
//	mysql://USER:PASSWORD@HOST:3306/DATABASE       adapters/sqlstore, go-sql-driver/mysql
//	redis://USER:PASSWORD@HOST:6379/NUMBER         adapters/redisstore, redis/go-redis; rediss:// for TLS
//
// What is behind file: and sqlite: is a path as the system writes it, with nothing encoded: file:/var/lib/app/keys.json,
// file:C:\app\keys.json. The file is made if it is not there, the directory is not.
//
// The others are URLs: a character in the user or password that means something there is percent-encoded, %40 for @.
// What follows a question mark goes to the driver: ?sslmode=verify-full, ?tls=true, ?read_timeout=1s.
//
// A service of your own knows where its records live, and calls that adapter.
package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/claviger-go/claviger/adapters/memstore"
	"github.com/claviger-go/claviger/keystore"
)

const forms = "memory:, file:PATH, sqlite:PATH, postgres://…, mysql://…, redis://… or rediss://…"

// Usage is the help for -store.
const Usage = "`URL` of the store that keeps the keys: " + forms

// Store is an open store. Close it after the Keys on it: they still have usage to write.
type Store struct {
	adapter

	close func() error
}

// adapter is what all adapters are; Keys looks for each of the three.
type adapter interface {
	keystore.AdminStore
	keystore.Watcher
	keystore.UsageStore
}

// Close ends connections, if there are any.
func (s *Store) Close() error { return s.close() }

// Open opens the store that url names, and makes in it what is missing: the file, the tables. No error contains a
// password.
func Open(ctx context.Context, url string) (*Store, error) {
	kind, rest, _ := strings.Cut(url, ":")
	switch kind {
	case "memory":
		return openMemory(rest)
	case "file":
		return openFile(rest) //nolint:contextcheck // filestore.Open takes none
	case "sqlite":
		return openSQLite(ctx, rest)
	case "postgres", "postgresql":
		return openServer(ctx, url, openPostgres)
	case "mysql":
		return openServer(ctx, url, openMySQL)
	case "redis", "rediss":
		return openServer(ctx, url, openRedis)
	}
	return nil, unknown(url)
}

func openMemory(rest string) (*Store, error) {
	if rest != "" {
		return nil, errors.New("store: memory: stands alone, since nothing outlives the process; to keep keys, take file:PATH")
	}
	return &Store{memstore.New(), nothing}, nil
}

// nothing is to be closed.
func nothing() error { return nil }

// unknown repeats of url what can hold no password: it may be the connection string of some driver.
func unknown(url string) error {
	kind, _, found := strings.Cut(url, ":")
	if !found || strings.Trim(kind, "abcdefghijklmnopqrstuvwxyz") != "" {
		return errors.New("store: this is no URL of a store: want " + forms)
	}
	return fmt.Errorf("store: there is none called %s: want %s", kind, forms)
}
