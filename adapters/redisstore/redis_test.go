package redisstore_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/redisstore"
	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/scopes"
)

func TestMain(m *testing.M) {
	redis.SetLogger(silent{}) // Broken connections are what these tests are about.
	m.Run()
}

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// missingf skips a test that needs something, or fails it where everything has to be there.
func missingf(tb testing.TB, format string, args ...any) {
	tb.Helper()
	if os.Getenv("CLAVIGER_REQUIRE_ENGINES") == "1" {
		tb.Fatalf(format, args...)
	}
	tb.Skipf(format, args...)
}

// address is that of a real server; no mock runs Lua as Redis does.
func address(tb testing.TB) string {
	tb.Helper()
	at := os.Getenv("CLAVIGER_REDIS_ADDR")
	if at == "" {
		at = "127.0.0.1:6379"
	}
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(tb.Context(), "tcp", at)
	if err != nil {
		missingf(tb, "no Redis at %s (CLAVIGER_REDIS_ADDR names another address): %v", at, err)
	}
	_ = conn.Close()
	return at
}

func connect(tb testing.TB, at string, edits ...func(*redis.Options)) *redis.Client {
	tb.Helper()
	options := &redis.Options{Addr: at}
	for _, edit := range edits {
		edit(options)
	}
	client := redis.NewClient(options)
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

// prefix is one that nobody else uses; what is stored under it goes with the test.
func prefix(tb testing.TB, client redis.UniversalClient) string {
	tb.Helper()
	name := "test:" + rand.Text()
	clean(tb, client, name)
	return name
}

func clean(tb testing.TB, client redis.UniversalClient, name string) {
	tb.Helper()
	tb.Cleanup(func() {
		ctx := context.Background() //nolint:usetesting // tb.Context has ended by now
		for chunk := range slices.Chunk(stored(tb, client, name), 1000) {
			_ = client.Unlink(ctx, chunk...).Err()
		}
	})
}

// stored are all keys under a prefix.
func stored(tb testing.TB, client redis.UniversalClient, prefix string) (keys []string) {
	tb.Helper()
	ctx := context.Background() //nolint:usetesting // used when tb.Context has ended
	for cursor := uint64(0); ; {
		page, next, err := client.Scan(ctx, cursor, "{"+prefix+"}*", 1000).Result()
		require.NoError(tb, err)
		keys = append(keys, page...)
		if cursor = next; cursor == 0 {
			return keys
		}
	}
}

func handle(tb testing.TB, client redis.UniversalClient, config redisstore.Config) *redisstore.Store {
	tb.Helper()
	s, err := redisstore.New(tb.Context(), client, config)
	require.NoError(tb, err)
	return s
}

// open makes an empty store on the server that is there.
func open(tb testing.TB) *redisstore.Store {
	tb.Helper()
	client := connect(tb, address(tb))
	return handle(tb, client, redisstore.Config{Prefix: prefix(tb, client)})
}

// server starts another one, with settings that would be wrong for the one that is there. It ends with the test.
func server(tb testing.TB, settings ...string) (at string) {
	tb.Helper()
	at, _ = startServer(tb, settings...)
	return at
}

func startServer(tb testing.TB, settings ...string) (at string, kill func()) {
	tb.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		missingf(tb, "redis-server is not installed: %v", err)
	}
	at = freeAddress(tb)
	_, port, err := net.SplitHostPort(at)
	require.NoError(tb, err)
	args := append([]string{"--bind", "127.0.0.1", "--port", port, "--save", "", "--dir", tb.TempDir(), "--repl-diskless-sync-delay", "0"}, settings...)
	var output bytes.Buffer
	command := exec.Command(program, args...) //nolint:noctx // kill ends it
	command.Stdout, command.Stderr = &output, &output
	require.NoError(tb, command.Start())
	kill = sync.OnceFunc(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	tb.Cleanup(kill)
	client := redis.NewClient(&redis.Options{Addr: at})
	defer func() { _ = client.Close() }()
	require.Eventually(tb, func() bool {
		err := client.Ping(tb.Context()).Err()
		var answer redis.Error // that it wants a password, for example
		return err == nil || errors.As(err, &answer) && !redis.IsLoadingError(err)
	}, 10*time.Second, 10*time.Millisecond, "redis-server does not answer: %s", &output)
	return at, kill
}

// freeAddress is one that was free a moment ago.
func freeAddress(tb testing.TB) string {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

var start = time.Date(2026, time.November, 22, 2, 36, 0, 123456000, time.UTC)

// at is n seconds after start.
func at(n int) time.Time { return start.Add(time.Duration(n) * time.Second) }

var anything = scopes.Authenticated()

var unlimited = keystore.Quota{}

// apiKey is a record as an app's usual key has it.
func apiKey(id string, edits ...func(*keystore.Record)) keystore.Record {
	r := keystore.Record{
		ID: id, Version: 1, Op: "ab54a98ceb1f0ad2", Kind: keystore.KindAPIKey,
		Owner: "acct_4711aaa", Type: "ucd", Env: keystore.EnvLive, Name: "nightly batch import",
		Scopes: scopes.MustSet("claims:read", "claims:write"),
		Secrets: []keystore.StoredSecret{{
			N: 1, Hash: "$hmac-sha256$k=2026-11$7Gk2mXw9QaTz$47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU", Created: start,
		}},
		Created: start, CreatedBy: "user_0815",
	}
	for _, edit := range edits {
		edit(&r)
	}
	return r
}

func owner(name string) func(*keystore.Record) { return func(r *keystore.Record) { r.Owner = name } }
func op(name string) func(*keystore.Record)    { return func(r *keystore.Record) { r.Op = name } }
func version(v uint64) func(*keystore.Record)  { return func(r *keystore.Record) { r.Version = v } }
func created(n int) func(*keystore.Record)     { return func(r *keystore.Record) { r.Created = at(n) } }

func expires(n int) func(*keystore.Record) { return func(r *keystore.Record) { r.Expires = at(n) } }

func revoked(r *keystore.Record) {
	r.Revoked = keystore.Mark{At: at(1), Reason: keystore.ReasonRequested}
}

func insert(tb testing.TB, s keystore.AdminStore, records ...keystore.Record) {
	tb.Helper()
	for _, r := range records {
		require.NoError(tb, s.Insert(tb.Context(), r, unlimited))
	}
}

func lookup(tb testing.TB, s keystore.KeyStore, id string) keystore.Record {
	tb.Helper()
	r, err := s.Lookup(tb.Context(), id)
	require.NoError(tb, err)
	return r
}

func ids(records []keystore.Record) []string {
	names := []string{}
	for _, r := range records {
		names = append(names, r.ID)
	}
	return names
}

// together runs f for 0 to n-1 at the same time, as far as the machine lets it.
func together(n int, f func(i int)) {
	var wait sync.WaitGroup
	begin := make(chan struct{})
	for i := range n {
		wait.Go(func() {
			<-begin
			f(i)
		})
	}
	close(begin)
	wait.Wait()
}

func name(format string, args ...any) string { return fmt.Sprintf(format, args...) }
