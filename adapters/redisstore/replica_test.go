package redisstore_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/redisstore"
	"github.com/claviger-go/claviger/keystore"
)

// Nobody confirms: a revocation is no success, in time, and carried out all the same.
func TestReplicas_None(t *testing.T) {
	t.Parallel()
	at := cluster(t)
	single := connect(t, at)
	spread := connectCluster(t, at, false)
	for desc, client := range map[string]redis.UniversalClient{"a server": single, "a cluster": spread} {
		t.Run(desc, func(t *testing.T) {
			t.Parallel()
			const timeout = 200 * time.Millisecond
			s := handle(t, client, redisstore.Config{Prefix: prefix(t, client), Replicas: 1, ReplicaTimeout: timeout})
			insert(t, s, apiKey("a"), apiKey("b"))
			require.NoError(t, s.Update(t.Context(), apiKey("a", op("1"))), "no revocation")
			refused := func(call func(ctx context.Context) error) {
				t.Helper()
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				begun := time.Now()
				err := call(ctx)
				require.ErrorContains(t, err, "0 of 1 replicas")
				for _, answer := range []error{keystore.ErrNotFound, keystore.ErrRevoked, keystore.ErrConflict} {
					require.NotErrorIs(t, err, answer)
				}
				require.Less(t, time.Since(begun), 3*timeout+time.Second)
			}
			last := apiKey("a", op("2"), version(2), revoked)
			refused(func(ctx context.Context) error { return s.Update(ctx, last) })
			require.EqualValues(t, 3, lookup(t, s, "a").Version)
			refused(func(ctx context.Context) error { return s.Update(ctx, last) }) // again, not yet confirmed
			refused(func(ctx context.Context) error { return s.Update(ctx, apiKey("a", op("3"), version(3), revoked)) })
			refused(func(ctx context.Context) error { return s.Delete(ctx, "b", 0) })
			_, err := s.Lookup(t.Context(), "b")
			require.ErrorIs(t, err, keystore.ErrNotFound)
			refused(func(ctx context.Context) error { return s.Delete(ctx, "b", 0) })
			require.ErrorIs(t, s.Delete(t.Context(), "a", 9), keystore.ErrConflict, "nothing to confirm")
		})
	}
}

func TestReplicas_Confirm(t *testing.T) {
	t.Parallel()
	first := server(t)
	host, port, _ := strings.Cut(first, ":")
	second := server(t, "--replicaof", host, port)
	client, replica := connect(t, first), connect(t, second)
	s := handle(t, client, redisstore.Config{Replicas: 1, ReplicaTimeout: 5 * time.Second})
	insert(t, s, apiKey("a"), apiKey("b"))
	require.NoError(t, s.Update(t.Context(), apiKey("a", op("1"), revoked)))
	value, err := replica.Get(t.Context(), "{claviger}:record:a").Result()
	require.NoError(t, err)
	require.Contains(t, value, `"revoked":{`)
	require.NoError(t, s.Delete(t.Context(), "b", 0))
	require.ErrorIs(t, replica.Get(t.Context(), "{claviger}:record:b").Err(), redis.Nil)
	require.NoError(t, s.Delete(t.Context(), "b", 0))
}

// A lost reply does not lose the confirmation.
func TestReplicas_LostReply(t *testing.T) {
	t.Parallel()
	first := server(t)
	host, port, _ := strings.Cut(first, ":")
	server(t, "--replicaof", host, port)
	p := newProxy(t, first)
	s := handle(t, connect(t, p.Address), redisstore.Config{Replicas: 1, ReplicaTimeout: 5 * time.Second})
	insert(t, s, apiKey("a"), apiKey("b"))
	require.NoError(t, s.Update(t.Context(), apiKey("a", op("1"), revoked)))
	require.NoError(t, s.Delete(t.Context(), "a", 2))
	insert(t, s, apiKey("a"))
	for id, call := range map[string]func() error{
		"a": func() error { return s.Update(t.Context(), apiKey("a", op(""), revoked)) },
		"b": func() error { return s.Delete(t.Context(), "b", 1) },
	} {
		p.scripts.Store(0)
		p.swallow.Store(1)
		require.NoError(t, call(), id)
		require.EqualValues(t, 2, p.scripts.Load(), id)
	}
	require.EqualValues(t, 2, lookup(t, s, "a").Version)
}
