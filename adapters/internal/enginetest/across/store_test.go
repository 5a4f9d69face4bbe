package across_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/filestore"
	"github.com/claviger-go/claviger/adapters/internal/enginetest/internal/servers"
	"github.com/claviger-go/claviger/adapters/redisstore"
	"github.com/claviger-go/claviger/keystore"
)

// What all processes run with. The first is the default of keystore.Config.
const (
	maxStaleness = 5 * time.Second
	connections  = 4 // in a pool
)

// store is a kind of place where records live.
type store struct {
	name string
	// room makes one for a test, and skips the test where there is no engine.
	room func(testing.TB) string
	// open opens it, at the usual address of the engine or at another one.
	open func(ctx context.Context, room, address string) (*backend, error)
	// address is where the engine listens; nil: there is none.
	address func(testing.TB) string
	// seen is how soon a revocation is seen elsewhere (p99).
	seen time.Duration
}

// backend is a store that a process has opened.
type backend struct {
	keystore.AdminStore
	keystore.Watcher
	keystore.UsageStore

	close func() error
}

// records is what all stores can do.
type records interface {
	keystore.AdminStore
	keystore.Watcher
	keystore.UsageStore
}

func opened(s records, end func() error) *backend { return &backend{s, s, s, end} }

const (
	polled = 1500 * time.Millisecond
	pushed = 100 * time.Millisecond
)

var stores = []store{
	{"file", newFile, openFile, nil, polled},
	{"sqlite", inSQLite.room, inSQLite.open, nil, polled},
	{"postgres", inPostgres.room, inPostgres.open, inPostgres.address, polled},
	{"postgres notify", inPostgresPush.room, inPostgresPush.open, inPostgresPush.address, pushed},
	{"mariadb", inMariaDB.room, inMariaDB.open, inMariaDB.address, polled},
	{"redis", servers.NewPrefix, openRedis, redisAddress, pushed},
}

func newFile(tb testing.TB) string {
	path := filepath.Join(tb.TempDir(), "keys.json")
	_, err := filestore.Open(path, filestore.Config{Create: true})
	require.NoError(tb, err)
	return path
}

func openFile(_ context.Context, path, _ string) (*backend, error) {
	s, err := filestore.Open(path, filestore.Config{}) //nolint:contextcheck // it takes none
	return opened(s, func() error { return nil }), err
}

// openRedis has the client that redisstore's package doc shows.
func openRedis(ctx context.Context, prefix, address string) (*backend, error) {
	if address == "" {
		address = servers.Redis()
	}
	redis.SetLogger(silent{}) // it tells of each connection that is broken on purpose
	client := redis.NewClient(&redis.Options{
		Addr: address, ContextTimeoutEnabled: true, MaxRetries: 1, PoolSize: connections,
	})
	s, err := redisstore.New(ctx, client, redisstore.Config{Prefix: prefix})
	return opened(s, client.Close), err
}

func redisAddress(testing.TB) string { return servers.Redis() }

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// place is a store of a test's own, as its processes are told of it.
type place struct {
	Store   string        // name of the store
	Room    string        // what its room returned
	Address string        // of a proxy before the engine; empty: none
	Bus     string        // of a proxy through which changes are heard of; empty: Address
	Skew    time.Duration // how far the clock of the process is ahead
}

func (s *store) place(tb testing.TB) place { return place{Store: s.name, Room: s.room(tb)} }

func (p place) open(ctx context.Context) (*backend, error) {
	for _, s := range stores {
		if s.name != p.Store {
			continue
		}
		b, err := s.open(ctx, p.Room, p.Address)
		if err != nil || p.Bus == "" {
			return b, err
		}
		bus, err := s.open(ctx, p.Room, p.Bus)
		return &backend{b, bus, b, func() error { return errors.Join(b.close(), bus.close()) }}, err
	}
	return nil, errors.New("no store is called " + p.Store)
}

// openPatiently tries again: an engine that many tests keep busy may need longer than the timeouts of a client allow.
func (p place) openPatiently(ctx context.Context) (*backend, error) {
	for end := time.Now().Add(patience); ; {
		b, err := p.open(ctx)
		if err == nil || time.Now().After(end) {
			return b, err
		}
		if b != nil {
			_ = b.close()
		}
	}
}
