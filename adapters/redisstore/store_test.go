package redisstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/redisstore"
	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/keystore/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	at := address(t)
	var direct *redisstore.Store // the latest other
	proxies := map[keystore.KeyStore]*proxy{}
	storetest.Run(t, func(tb testing.TB) (store, other keystore.KeyStore) {
		tb.Helper()
		p, client := newProxy(tb, at), connect(tb, at)
		config := redisstore.Config{Prefix: prefix(tb, client)}
		here := handle(tb, connect(tb, p.Address), config)
		proxies[here] = p
		direct = handle(tb, client, config)
		return here, direct
	}, suite(proxies, &direct, 8))
}

func suite(proxies map[keystore.KeyStore]*proxy, direct **redisstore.Store, rounds int) storetest.Config {
	return storetest.Config{
		AdminStore: true, Watcher: true, UsageStore: true, RateStore: true,
		Seed: func(tb testing.TB, _ keystore.KeyStore, records []keystore.Record) []keystore.Record {
			tb.Helper()
			fill(tb, *direct, records)
			return records
		},
		Hang: func(_ testing.TB, store keystore.KeyStore) (release func()) {
			p := proxies[store]
			p.Freeze()
			return func() {
				p.Thaw()
				p.Reset()
			}
		},
		Rounds: rounds,
	}
}

// KS3: nothing answers, and every way to use a client ends with ctx, early enough.
func TestKS3_NothingAnswers(t *testing.T) {
	t.Parallel()
	at := address(t)
	for _, punctual := range []bool{false, true} {
		p := newProxy(t, at)
		client := connect(t, p.Address, func(o *redis.Options) { o.ContextTimeoutEnabled = punctual })
		s := handle(t, client, redisstore.Config{Prefix: prefix(t, connect(t, at))})
		insert(t, s, apiKey("a"))
		p.Freeze()
		for desc, call := range map[string]func(ctx context.Context) error{
			"Lookup": func(ctx context.Context) error { _, err := s.Lookup(ctx, "a"); return err },
			"Insert": func(ctx context.Context) error { return s.Insert(ctx, apiKey("b"), unlimited) },
			"Delete": func(ctx context.Context) error { return s.Delete(ctx, "a", 0) },
			"List":   func(ctx context.Context) error { _, err := s.List(ctx, keystore.Filter{}); return err },
		} {
			begun := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			require.ErrorIs(t, call(ctx), context.DeadlineExceeded, desc)
			cancel()
			require.Less(t, time.Since(begun), 400*time.Millisecond, desc)

			begun = time.Now()
			ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
			time.AfterFunc(50*time.Millisecond, cancel)
			require.ErrorIs(t, call(ctx), context.Canceled, desc)
			require.Less(t, time.Since(begun), 400*time.Millisecond, desc)
		}
		p.Thaw()
		require.Eventually(t, func() bool { _, err := s.Lookup(t.Context(), "a"); return err == nil }, 2*time.Second, time.Millisecond)
	}
}

// KS1: a server that is gone has not said no.
func TestKS1_Gone(t *testing.T) {
	t.Parallel()
	at := address(t)
	p := newProxy(t, at)
	s := handle(t, connect(t, p.Address), redisstore.Config{Prefix: prefix(t, connect(t, at))})
	insert(t, s, apiKey("a"))
	p.Down()
	_, err := s.Lookup(t.Context(), "a")
	require.Error(t, err)
	require.NotErrorIs(t, err, keystore.ErrNotFound)
	require.Error(t, s.Delete(t.Context(), "a", 0))
	p.Up(t)
	require.Eventually(t, func() bool { _, err := s.Lookup(t.Context(), "a"); return err == nil }, 2*time.Second, time.Millisecond)
}
