package redisstore_test

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/redisstore"
	"github.com/claviger-go/claviger/keystore"
)

// A client that may answer from elsewhere than the primary is refused before anything is sent (KS4).
func TestNew_Clients(t *testing.T) {
	t.Parallel()
	nowhere := []string{"127.0.0.1:1"}
	for _, tc := range []struct {
		desc   string
		client redis.UniversalClient
		want   string
	}{
		{"none", nil, "client is nil"},
		{"a nil client", (*redis.Client)(nil), "client is nil"},
		{"a nil cluster client", (*redis.ClusterClient)(nil), "client is nil"},
		{"ReadOnly", redis.NewClusterClient(&redis.ClusterOptions{Addrs: nowhere, ReadOnly: true}), "ReadOnly is true: want false"},
		{"RouteByLatency", redis.NewClusterClient(&redis.ClusterOptions{Addrs: nowhere, RouteByLatency: true}), "RouteByLatency is true: want false"},
		{"RouteRandomly", redis.NewClusterClient(&redis.ClusterOptions{Addrs: nowhere, RouteRandomly: true}), "RouteRandomly is true: want false"},
		{"a universal one", redis.NewUniversalClient(&redis.UniversalOptions{Addrs: append(nowhere, "127.0.0.1:2"), RouteRandomly: true}), "RouteRandomly is true"},
		{
			"replicas of a sentinel's", redis.NewFailoverClusterClient(&redis.FailoverOptions{MasterName: "m", SentinelAddrs: nowhere, ReplicaOnly: true}),
			"ReadOnly is true",
		},
		{"a ring", redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"a": nowhere[0]}}), "client is a *redis.Ring: want"},
		{"something else", struct{ redis.UniversalClient }{}, "want a *redis.Client or a *redis.ClusterClient"},
		{"a cache", redis.NewClient(&redis.Options{Addr: nowhere[0], ClientSideCacheConfig: &redis.ClientSideCacheConfig{}}), "client-side caching is on"},
		{"an explicit cache", redis.NewClient(&redis.Options{Addr: nowhere[0], ClientSideCache: redis.NewLocalCache(redis.ClientSideCacheConfig{})}), "client-side caching is on"},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			t.Parallel()
			s, err := redisstore.New(t.Context(), tc.client, redisstore.Config{Replicas: -1})
			require.Nil(t, s)
			require.ErrorContains(t, err, tc.want)
			require.ErrorContains(t, err, "redisstore: Config.Replicas is -1: want 0 to 100", "all mistakes at once")
			require.ErrorAs(t, err, new(*keystore.ConfigError))
		})
	}
}

func TestNew_Config(t *testing.T) {
	t.Parallel()
	client := connect(t, address(t))
	for _, c := range []redisstore.Config{
		{Prefix: "a{b"},
		{Prefix: "a}b"},
		{Prefix: "a*"},
		{Prefix: "a b"},
		{Prefix: "é"},
		{Prefix: "a\x00"},
		{Prefix: strings.Repeat("a", 65)},
		{Heartbeat: 9 * time.Millisecond},
		{Heartbeat: 61 * time.Second},
		{Heartbeat: -1},
		{Replicas: 101},
		{ReplicaTimeout: time.Microsecond},
		{ReplicaTimeout: -time.Second},
		{ReplicaTimeout: 2 * time.Minute},
	} {
		_, err := redisstore.New(t.Context(), client, c)
		require.ErrorAs(t, err, new(*keystore.ConfigError), "%+v", c)
	}
	_, err := redisstore.New(t.Context(), client, redisstore.Config{Prefix: "{", Heartbeat: 1, Replicas: -1, ReplicaTimeout: 1})
	for _, field := range []string{"Prefix", "Heartbeat", "Replicas", "ReplicaTimeout"} {
		require.ErrorContains(t, err, "redisstore: Config."+field)
	}
}

func TestNew_Servers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		desc     string
		settings []string
		want     string
	}{
		{"evicts", []string{"--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"}, "maxmemory-policy is allkeys-lru: want noeviction"},
		{"evicts what expires", []string{"--maxmemory-policy", "volatile-ttl"}, "maxmemory-policy is volatile-ttl: want noeviction"},
		{"a replica", []string{"--replicaof", "127.0.0.1", "1"}, `role is "slave": want master`},
		{"both", []string{"--replicaof", "127.0.0.1", "1", "--maxmemory-policy", "volatile-lru"}, "maxmemory-policy is volatile-lru"},
		{"wants a password", []string{"--requirepass", "correct horse"}, "NOAUTH"},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			t.Parallel()
			at, _ := startServer(t, tc.settings...)
			s, err := redisstore.New(t.Context(), connect(t, at), redisstore.Config{})
			require.Nil(t, s)
			require.ErrorContains(t, err, tc.want)
			require.NotContains(t, err.Error(), "correct horse")
		})
	}
	_, err := redisstore.New(t.Context(), connect(t, freeAddress(t)), redisstore.Config{})
	require.Error(t, err, "nobody there")
}

// What a user needs to be allowed, as the package doc lists it; and that New says so when it is missing.
func TestNew_Permissions(t *testing.T) {
	t.Parallel()
	at := server(t)
	admin := connect(t, at)
	enough := []any{
		"ACL", "SETUSER", "claviger", "reset", "on", ">secret", "~{claviger}*", "&{claviger}:*",
		"+get", "+mget", "+hmget", "+set", "+del", "+hdel", "+hget", "+hgetall", "+hset", "+hincrby", "+exists", "+zadd", "+zrem", "+zrange",
		"+zlexcount", "+zrevrangebylex", "+time", "+evalsha", "+eval", "+publish", "+subscribe", "+info", "+hello", "+ping",
	}
	require.NoError(t, admin.Do(t.Context(), enough...).Err())
	user := func(o *redis.Options) { o.Username, o.Password = "claviger", "secret" }
	s := handle(t, connect(t, at, user), redisstore.Config{})

	insert(t, s, apiKey("a", expires(1)), apiKey("b"))
	require.NoError(t, s.Update(t.Context(), apiKey("a", op("1"), expires(2))))
	require.NoError(t, s.AddUsage(t.Context(), []keystore.Usage{{ID: "a", Count: 1, LastUsed: start}}))
	_, err := s.Usage(t.Context(), []string{"a"})
	require.NoError(t, err)
	_, _, err = s.Take(t.Context(), "a", time.Second, time.Second)
	require.NoError(t, err)
	for _, f := range []keystore.Filter{{}, {ExpiredBefore: start.Add(time.Hour)}} {
		_, err = s.List(t.Context(), f)
		require.NoError(t, err)
	}
	heard := watch(t, s)
	heard.await(t, nil)
	require.NoError(t, s.Delete(t.Context(), "a", 0))
	heard.await(t, []string{"a"})

	for _, without := range []string{"-info", "-evalsha", "-publish", "resetchannels"} {
		require.NoError(t, admin.Do(t.Context(), append(enough, without)...).Err())
		_, err := redisstore.New(t.Context(), connect(t, at, user), redisstore.Config{})
		require.Error(t, err, without)
		require.Regexp(t, "NOPERM|The user executing the script can't", err.Error(), without)
	}
}

// When memory is full nothing is added, and what ends a key is possible all the same.
func TestFullMemory(t *testing.T) {
	t.Parallel()
	at := server(t, "--maxmemory", "20mb", "--maxmemory-policy", "noeviction")
	client := connect(t, at)
	s := handle(t, client, redisstore.Config{Heartbeat: 200 * time.Millisecond})
	insert(t, s, apiKey("a"), apiKey("b"), apiKey("c"))
	heard := watch(t, s)
	heard.await(t, nil)
	for _, size := range []int{1 << 20, 1 << 10, 0} {
		var err error
		for n := 0; err == nil; n++ {
			err = client.Set(t.Context(), name("fill%d.%d", size, n), strings.Repeat("x", size), 0).Err()
		}
		require.ErrorContains(t, err, "OOM")
	}

	require.ErrorContains(t, s.Insert(t.Context(), apiKey("d"), unlimited), "OOM")
	_, err := s.Lookup(t.Context(), "d")
	require.ErrorIs(t, err, keystore.ErrNotFound, "not half of it")
	require.ErrorContains(t, s.Update(t.Context(), apiKey("a", op("1"))), "OOM")
	require.Equal(t, apiKey("a"), lookup(t, s, "a"))
	heard.take()
	require.NoError(t, s.Update(t.Context(), apiKey("a", op("2"), revoked)))
	require.NoError(t, s.Delete(t.Context(), "b", 0))
	heard.await(t, []string{"a"})
	heard.await(t, []string{"b"})
	page, err := s.List(t.Context(), keystore.Filter{})
	require.NoError(t, err)
	require.Equal(t, []string{"c", "a"}, ids(page.Records))
}

// A record in a format of the future is no answer, and nothing overwrites it.
func TestNewerFormat(t *testing.T) {
	t.Parallel()
	client := connect(t, address(t))
	prefix := prefix(t, client)
	s := handle(t, client, redisstore.Config{Prefix: prefix})
	insert(t, s, apiKey("a"), apiKey("b"))
	for id, value := range map[string]string{"a": "2,whatever\n{}", "b": "garbage"} {
		require.NoError(t, client.Set(t.Context(), "{"+prefix+"}:record:"+id, value, 0).Err())
		_, listed := s.List(t.Context(), keystore.Filter{})
		_, looked := s.Lookup(t.Context(), id)
		for _, err := range []error{
			looked, listed,
			s.Insert(t.Context(), apiKey(id), unlimited), s.Update(t.Context(), apiKey(id)), s.Delete(t.Context(), id, 0),
		} {
			require.ErrorContains(t, err, "format")
			for _, answer := range []error{keystore.ErrNotFound, keystore.ErrExists, keystore.ErrConflict} {
				require.NotErrorIs(t, err, answer)
			}
		}
	}
}
