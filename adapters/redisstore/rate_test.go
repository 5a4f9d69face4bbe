package redisstore_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/redisstore"
	"github.com/claviger-go/claviger/keystore"
)

// rated issues a key with a rate.
func rated(t *testing.T, keys *keystore.Keys, r keystore.Rate) string {
	t.Helper()
	issued, err := keys.Issue(t.Context(), keystore.Spec{Owner: "acct_4711", Limits: keystore.Limits{Rate: r}, FullAccess: true})
	require.NoError(t, err)
	return issued.Credential.Reveal()
}

func request(ctx context.Context, keys *keystore.Keys, text string) (*keystore.Allowance, error) {
	p, err := keys.Verify(ctx, text)
	if err != nil {
		return nil, err
	}
	return keys.Admit(ctx, p, &keystore.Access{Secure: true, Envs: []keystore.Env{keystore.EnvLive}, Requirement: anything})
}

func process(t *testing.T, s keystore.KeyStore, config keystore.Config) *keystore.Keys {
	t.Helper()
	config.LookupTimeout = time.Minute
	keys, err := keystore.New(s, config)
	require.NoError(t, err)
	t.Cleanup(func() { _ = keys.Close() })
	return keys
}

// T-120: two processes on one server share one limit, to the request.
func TestRate_T120_TwoProcesses(t *testing.T) {
	t.Parallel()
	client := connect(t, address(t))
	config := redisstore.Config{Prefix: prefix(t, client)}
	here := process(t, handle(t, client, config), keystore.Config{})
	there := process(t, handle(t, connect(t, address(t)), config), keystore.Config{})
	text := rated(t, here, keystore.Rate{Requests: 50, Per: 24 * time.Hour})
	var admitted, refused atomic.Int64
	var all sync.WaitGroup
	for worker := range 8 {
		keys := here
		if worker%2 == 1 {
			keys = there
		}
		all.Go(func() {
			for range 25 {
				switch got, err := request(t.Context(), keys, text); {
				case err == nil:
					admitted.Add(1)
				case got != nil && got.Exceeded:
					refused.Add(1)
				default:
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 50, admitted.Load())
	require.EqualValues(t, 150, refused.Load())
}

// When the server is gone the limit is each process's own: neither open nor shut. The operator is told once.
func TestRate_ServerGone(t *testing.T) {
	t.Parallel()
	at := address(t)
	p, direct := newProxy(t, at), connect(t, at)
	behind := connect(t, p.Address, func(o *redis.Options) { o.MaxRetries = -1 })
	var mu sync.Mutex
	var faults []string
	store := handle(t, behind, redisstore.Config{Prefix: prefix(t, direct)})
	keys := process(t, struct { // nothing else of it is waited for
		keystore.AdminStore
		keystore.RateStore
	}{store, store}, keystore.Config{
		MaxStaleness: time.Hour, RemindInterval: -1,
		OnEvent: func(_ context.Context, e keystore.Event) {
			mu.Lock()
			defer mu.Unlock()
			if e.Type == keystore.EventFault && strings.Contains(e.Err.Error(), "count requests") {
				faults = append(faults, e.Err.Error())
			}
		},
	})
	text := rated(t, keys, keystore.Rate{Requests: 20, Per: 24 * time.Hour})
	for n := range 5 {
		got, err := request(t.Context(), keys, text)
		require.NoError(t, err)
		require.Equal(t, 19-n, got.Remaining)
	}
	p.Down()
	for n := 5; n < 20; n++ {
		got, err := request(t.Context(), keys, text)
		require.NoError(t, err)
		require.Equal(t, 19-n, got.Remaining, "it is warm")
	}
	for range 5 {
		got, err := request(t.Context(), keys, text)
		require.Error(t, err)
		require.True(t, got.Exceeded)
	}
	require.NoError(t, keys.Close())
	mu.Lock()
	defer mu.Unlock()
	require.Len(t, faults, 1, faults)
}

// A bucket is one key in the prefix's slot, holds an instant, and goes when nothing is owed; deleting the record leaves
// it to that.
func TestRate_WhatIsStored(t *testing.T) {
	t.Parallel()
	client := connect(t, address(t))
	name := prefix(t, client)
	s := handle(t, client, redisstore.Config{Prefix: name})
	owed, taken, err := s.Take(t.Context(), "sha256:0a", 20*time.Second, time.Minute)
	require.NoError(t, err)
	require.True(t, taken)
	require.Equal(t, 20*time.Second, owed)
	require.Equal(t, []string{"{" + name + "}:rate:sha256:0a"}, stored(t, client, name))
	ttl, err := client.PTTL(t.Context(), "{"+name+"}:rate:sha256:0a").Result()
	require.NoError(t, err)
	require.LessOrEqual(t, ttl, 20*time.Second)
	require.Greater(t, ttl, 15*time.Second)
	require.Regexp(t, `^[0-9]{16}$`, client.Get(t.Context(), "{"+name+"}:rate:sha256:0a").Val())

	for _, id := range []string{"", "my secret", "a}b", strings.Repeat("a", 81)} {
		_, _, err := s.Take(t.Context(), id, time.Second, time.Second)
		require.Error(t, err, "%q", id)
		require.NotContains(t, err.Error(), "secret")
	}
	require.Len(t, stored(t, client, name), 1)
	_, taken, err = s.Take(t.Context(), "b", 2*time.Second, time.Second)
	require.NoError(t, err)
	require.False(t, taken, "a cost above the limit")
	require.Len(t, stored(t, client, name), 1)

	_, _, err = s.Take(t.Context(), "brief", 20*time.Millisecond, time.Second)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return len(stored(t, client, name)) == 1 }, 5*time.Second, 5*time.Millisecond)

	require.NoError(t, client.Set(t.Context(), "{"+name+"}:rate:odd", "no number", 0).Err())
	owed, taken, err = s.Take(t.Context(), "odd", time.Second, time.Second)
	require.NoError(t, err)
	require.True(t, taken)
	require.Equal(t, time.Second, owed)
}

// A lost reply: the client sends the script again, and it counts again; nothing is admitted that should not be.
func TestRate_LostReply(t *testing.T) {
	t.Parallel()
	at := address(t)
	p, direct := newProxy(t, at), connect(t, at)
	behind := connect(t, p.Address, func(o *redis.Options) { o.MinRetryBackoff, o.MaxRetryBackoff = time.Millisecond, time.Millisecond })
	s := handle(t, behind, redisstore.Config{Prefix: prefix(t, direct)})
	_, _, err := s.Take(t.Context(), "warm", time.Hour, time.Hour) // the script is known to the server now
	require.NoError(t, err)
	p.swallow.Store(2)
	owed, taken, err := s.Take(t.Context(), "a", time.Hour, 10*time.Hour)
	require.NoError(t, err)
	require.True(t, taken)
	require.InDelta(t, 3*time.Hour, owed, float64(time.Minute))
	p.swallow.Store(1)
	_, taken, err = s.Take(t.Context(), "b", time.Hour, time.Hour)
	require.NoError(t, err)
	require.False(t, taken)
}
