package redisstore_test

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/redisstore"
	"github.com/claviger-go/claviger/keystore"
)

// resending is a store behind a proxy that can lose replies, and another handle on the same records.
func resending(t *testing.T, pause time.Duration) (s, other *redisstore.Store, p *proxy) {
	t.Helper()
	at := address(t)
	p = newProxy(t, at)
	direct := connect(t, at)
	config := redisstore.Config{Prefix: prefix(t, direct)}
	behind := connect(t, p.Address, func(o *redis.Options) { o.MinRetryBackoff, o.MaxRetryBackoff = pause, pause })
	s, other = handle(t, behind, config), handle(t, direct, config)
	// Every script is known to the server now, and runs at its first EVALSHA.
	insert(t, s, apiKey("warm"))
	require.NoError(t, s.Update(t.Context(), apiKey("warm", op("1"))))
	require.NoError(t, s.Update(t.Context(), apiKey("warm", op("2"), version(2), revoked)))
	require.NoError(t, s.AddUsage(t.Context(), []keystore.Usage{{ID: "warm", Count: 1}}))
	require.NoError(t, s.Delete(t.Context(), "warm", 3))
	p.scripts.Store(0)
	return s, other, p
}

// The client sends a call again whose reply is lost (KS15).
func TestKS15_LostReply(t *testing.T) {
	t.Parallel()
	s, _, p := resending(t, time.Millisecond)
	usage := keystore.Usage{ID: "a", Count: 3, LastUsed: at(1).Truncate(time.Second)}
	one := keystore.Quota{Max: 1, Now: start}
	for _, step := range []struct {
		desc string
		call func() error
	}{
		{"insert", func() error { return s.Insert(t.Context(), apiKey("a"), one) }},
		{"insert without an op", func() error { return s.Insert(t.Context(), apiKey("b", op(""), owner("x")), one) }},
		{"usage", func() error { return s.AddUsage(t.Context(), []keystore.Usage{usage}) }},
		{"update", func() error { return s.Update(t.Context(), apiKey("a", op("1"))) }},
		{"update without an op", func() error { return s.Update(t.Context(), apiKey("a", op(""), version(2))) }},
		{"revoke", func() error { return s.Update(t.Context(), apiKey("a", op("3"), version(3), revoked)) }},
		{"delete", func() error { return s.Delete(t.Context(), "b", 1) }},
	} {
		p.swallow.Store(2)
		p.scripts.Store(0)
		require.NoError(t, step.call(), step.desc)
		require.EqualValues(t, 3, p.scripts.Load(), "%s: lost twice and answered once", step.desc)
	}
	require.EqualValues(t, 4, lookup(t, s, "a").Version)
	used, err := s.Usage(t.Context(), []string{"a"})
	require.NoError(t, err)
	require.Equal(t, []keystore.Usage{usage}, used, "counted once")
	page, err := s.List(t.Context(), keystore.Filter{})
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, ids(page.Records))
}

// What others do between a call and its second copy stands: nothing deleted comes back, nothing new is removed.
func TestKS15_OthersBetweenTheCopies(t *testing.T) {
	t.Parallel()
	const pause = 300 * time.Millisecond // before the second copy
	for _, tc := range []struct {
		desc    string
		before  []keystore.Record
		call    func(s *redisstore.Store, t *testing.T) error
		ran     func(r keystore.Record, err error) bool
		between func(s *redisstore.Store, t *testing.T) error
		want    func(t *testing.T, r keystore.Record, err error)
	}{
		{
			"an insert, deleted meanwhile", nil,
			func(s *redisstore.Store, t *testing.T) error { return s.Insert(t.Context(), apiKey("a"), unlimited) },
			func(_ keystore.Record, err error) bool { return err == nil },
			func(s *redisstore.Store, t *testing.T) error { return s.Delete(t.Context(), "a", 0) },
			func(t *testing.T, _ keystore.Record, err error) { require.ErrorIs(t, err, keystore.ErrNotFound) },
		},
		{
			"an update, updated meanwhile",
			[]keystore.Record{apiKey("a")},
			func(s *redisstore.Store, t *testing.T) error { return s.Update(t.Context(), apiKey("a", op("mine"))) },
			func(r keystore.Record, _ error) bool { return r.Version == 2 },
			func(s *redisstore.Store, t *testing.T) error {
				return s.Update(t.Context(), apiKey("a", op("other"), version(2)))
			},
			func(t *testing.T, r keystore.Record, err error) {
				require.NoError(t, err)
				require.Equal(t, "other", r.Op)
			},
		},
		{
			"an update, revoked meanwhile",
			[]keystore.Record{apiKey("a")},
			func(s *redisstore.Store, t *testing.T) error { return s.Update(t.Context(), apiKey("a", op("mine"))) },
			func(r keystore.Record, _ error) bool { return r.Version == 2 },
			func(s *redisstore.Store, t *testing.T) error {
				return s.Update(t.Context(), apiKey("a", op("other"), version(2), revoked))
			},
			func(t *testing.T, r keystore.Record, err error) {
				require.NoError(t, err)
				require.False(t, r.Revoked.IsZero())
			},
		},
		{
			"a delete, inserted meanwhile",
			[]keystore.Record{apiKey("a")},
			func(s *redisstore.Store, t *testing.T) error { return s.Delete(t.Context(), "a", 0) },
			func(_ keystore.Record, err error) bool { return err != nil },
			func(s *redisstore.Store, t *testing.T) error {
				return s.Insert(t.Context(), apiKey("a", op("other")), unlimited)
			},
			func(t *testing.T, r keystore.Record, err error) {
				require.NoError(t, err)
				require.Equal(t, "other", r.Op)
			},
		},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			t.Parallel()
			s, other, p := resending(t, pause)
			insert(t, other, tc.before...)
			p.swallow.Store(1)
			answered := make(chan error, 1)
			go func() { answered <- tc.call(s, t) }()
			require.Eventually(t, func() bool { return tc.ran(other.Lookup(t.Context(), "a")) }, 5*time.Second, time.Millisecond)
			require.NoError(t, tc.between(other, t))
			require.NoError(t, <-answered, "it was carried out")
			require.EqualValues(t, 2, p.scripts.Load())
			r, err := other.Lookup(t.Context(), "a")
			tc.want(t, r, err)
		})
	}
}

// One of many consumes a record, whatever becomes of the replies.
func TestKS15_OneConsume(t *testing.T) {
	t.Parallel()
	s, other, p := resending(t, time.Millisecond)
	const contenders, rounds = 16, 30
	for round := range rounds {
		id := strconv.Itoa(round)
		insert(t, other, apiKey(id))
		p.swallow.Store(int64(rand.IntN(3)))
		answers := make([]error, contenders)
		together(contenders, func(c int) {
			through := s
			if c%2 == 1 {
				through = other
			}
			answers[c] = through.Update(t.Context(), apiKey(id, op(strconv.Itoa(c))))
		})
		won := 0
		for _, err := range answers {
			if err == nil {
				won++
				continue
			}
			require.ErrorIs(t, err, keystore.ErrConflict)
		}
		require.Equal(t, 1, won)
		require.EqualValues(t, 2, lookup(t, other, id).Version)
	}
}

// What remembers a call goes by itself.
func TestKS15_MemoryEnds(t *testing.T) {
	t.Parallel()
	client := connect(t, address(t))
	name := prefix(t, client)
	s := handle(t, client, redisstore.Config{Prefix: name})
	insert(t, s, apiKey("a"))
	require.NoError(t, s.Delete(t.Context(), "a", 0))
	left := stored(t, client, name)
	require.Len(t, left, 2, "one for each call, and no index")
	for _, key := range left {
		require.Contains(t, key, "}:sent:")
		ttl, err := client.PTTL(t.Context(), key).Result()
		require.NoError(t, err)
		require.Positive(t, ttl)
		require.LessOrEqual(t, ttl, time.Minute)
	}
}
