package redisstore_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/redisstore"
	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/keystore/storetest"
)

// The same on a cluster, of one node: every script has to name its slot, and every key has to be in it.
func TestStore_Cluster(t *testing.T) {
	t.Parallel()
	at := cluster(t)
	var direct *redisstore.Store // not through the cluster's client, which is slower
	proxies := map[keystore.KeyStore]*proxy{}
	storetest.Run(t, func(tb testing.TB) (store, other keystore.KeyStore) {
		tb.Helper()
		client, p := connect(tb, at), newProxy(tb, at)
		config := redisstore.Config{Prefix: prefix(tb, client)}
		direct = handle(tb, client, config)
		here := handle(tb, connectCluster(tb, p.Address, true), config)
		proxies[here] = p
		return here, handle(tb, connectCluster(tb, at, false), config)
	}, suite(proxies, &direct, 2))
}

func cluster(tb testing.TB) (at string) {
	tb.Helper()
	at = server(tb, "--cluster-enabled", "yes")
	client := connect(tb, at)
	require.NoError(tb, client.ClusterAddSlotsRange(tb.Context(), 0, 16383).Err())
	awaitCluster(tb, client)
	return at
}

func awaitCluster(tb testing.TB, client *redis.Client) {
	tb.Helper()
	require.Eventually(tb, func() bool {
		info, err := client.ClusterInfo(tb.Context()).Result()
		return err == nil && strings.Contains(info, "cluster_state:ok")
	}, 20*time.Second, 10*time.Millisecond)
}

// connectCluster finds the nodes behind at; through at, if they are to be reached by no other way.
func connectCluster(tb testing.TB, at string, through bool) *redis.ClusterClient {
	tb.Helper()
	client := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: []string{at},
		Dialer: func(ctx context.Context, network, node string) (net.Conn, error) {
			var dialer net.Dialer
			if through {
				node = at // The cluster names its own address, behind the proxy.
			}
			return dialer.DialContext(ctx, network, node)
		},
	})
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

// While the slot is moved to another shard, a mutation is refused as a whole and a List altogether, wherever its keys are just then.
func TestCluster_MovingSlot(t *testing.T) {
	t.Parallel()
	from, to := cluster(t), server(t, "--cluster-enabled", "yes")
	source, target := connect(t, from), connect(t, to)
	host, port, _ := strings.Cut(to, ":")
	require.NoError(t, source.ClusterMeet(t.Context(), host, port).Err())
	awaitCluster(t, target)
	awaitCluster(t, source)
	id := func(c *redis.Client) string { return c.Do(t.Context(), "CLUSTER", "MYID").Val().(string) }
	slot := source.ClusterKeySlot(t.Context(), "{claviger}").Val()
	set := func(c *redis.Client, state ...any) {
		t.Helper()
		require.NoError(t, c.Do(t.Context(), append([]any{"CLUSTER", "SETSLOT", slot}, state...)...).Err())
	}

	s := handle(t, connectCluster(t, from, false), redisstore.Config{})
	insert(t, s, apiKey("a"), apiKey("b"))
	set(target, "IMPORTING", id(source))
	set(source, "MIGRATING", id(target))
	check := func() {
		t.Helper()
		_, listed := s.List(t.Context(), keystore.Filter{})
		for _, err := range []error{
			listed,
			s.Insert(t.Context(), apiKey("c"), unlimited),
			s.Update(t.Context(), apiKey("a", op("1"))), s.Update(t.Context(), apiKey("b", op("1"), revoked)),
			s.Delete(t.Context(), "a", 0), s.AddUsage(t.Context(), []keystore.Usage{{ID: "a", Count: 1}}),
		} {
			require.ErrorContains(t, err, "TRYAGAIN")
		}
		for _, id := range []string{"a", "b"} {
			require.Equal(t, apiKey(id), lookup(t, s, id))
		}
		_, err := s.Lookup(t.Context(), "c")
		require.ErrorIs(t, err, keystore.ErrNotFound)
	}
	check()
	for _, key := range []string{"{claviger}:record:a", "{claviger}:all"} {
		require.NoError(t, source.Migrate(t.Context(), host, port, key, 0, time.Second).Err())
		check()
	}
	for _, key := range stored(t, source, "claviger") {
		require.NoError(t, source.Migrate(t.Context(), host, port, key, 0, time.Second).Err())
	}
	for _, c := range []*redis.Client{target, source} {
		set(c, "NODE", id(target))
	}
	require.Eventually(t, func() bool { return s.Insert(t.Context(), apiKey("c"), unlimited) == nil }, 5*time.Second, 10*time.Millisecond)
	require.Equal(t, []string{"c", "b", "a"}, ids(listAll(t, s, keystore.Filter{})))
}
