package redisstore_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/redisstore"
	"github.com/claviger-go/claviger/keystore"
)

// payloads mean something to Redis, to its protocol, to Lua, to patterns or to our own keys and values.
var payloads = []string{
	"*", "?", "[a-z]*", "\\", "{", "}", "{}", "{other}", "a}b{c", ":", "a:b", ":record:", "}:record:victim",
	",", "1,2,live,,", "a,b\nc", "\n", "\r\n", "\r\n*1\r\n$8\r\nFLUSHALL\r\n", "$-1\r\n", "\x00", "a\x00b", "\xff\xfe",
	"]] redis.call('FLUSHALL') --[[", "'; redis.call('FLUSHALL') --", "\"..redis.call('FLUSHALL')..\"", "%s %d %n", "%2C%0A",
	"' OR 1=1 --", "../../etc/passwd", "$(reboot)", "+inf", "-", "+", "(a", "[a", "never", "nan", strings.Repeat("x", 10_000), "é\u2028😀",
}

// T-121, beyond what storetest does: nothing leaves the prefix, and key names say nothing.
func TestInjection(t *testing.T) {
	t.Parallel()
	client := connect(t, address(t))
	name := prefix(t, client)
	s := handle(t, client, redisstore.Config{Prefix: name})
	clean(t, client, name+"x")
	neighbour := handle(t, client, redisstore.Config{Prefix: name + "x"})
	insert(t, s, apiKey("victim"))
	insert(t, neighbour, apiKey("victim"))

	for n, p := range payloads {
		id := strings.Repeat("i", n+1)
		r := apiKey(id, func(r *keystore.Record) {
			r.Op, r.Kind, r.Parent, r.Owner, r.Type, r.Env, r.Name = p, keystore.Kind(p), p, p, p, keystore.Env(p), p
			r.CreatedBy, r.Meta, r.Generation.Signer = p, map[string]string{p: p}, p
		})
		require.NoError(t, s.Insert(t.Context(), r, keystore.Quota{Max: 1, Now: start}))
		want := lookup(t, s, id)
		for _, f := range []keystore.Filter{
			{Owner: p},
			{Type: p},
			{Kind: keystore.Kind(p)},
			{Parent: p},
			{Owner: p, Type: p, Kind: keystore.Kind(p), Parent: p},
		} {
			page, err := s.List(t.Context(), f)
			require.NoError(t, err)
			if !strings.Contains(p, "\xff") { // JSON has no such byte, so neither has the record.
				require.Equal(t, []keystore.Record{want}, page.Records, "%q", p)
			}
		}
		if page, err := s.List(t.Context(), keystore.Filter{After: p}); err == nil {
			require.Empty(t, page.Records, "%q", p)
		}
		_, err := s.Lookup(t.Context(), p)
		require.ErrorIs(t, err, keystore.ErrNotFound)
		require.ErrorIs(t, s.Update(t.Context(), apiKey(p)), keystore.ErrNotFound)
		require.NoError(t, s.Delete(t.Context(), p, 0))
		require.NoError(t, s.AddUsage(t.Context(), []keystore.Usage{{ID: p, Count: 1}}))
		_, err = s.Usage(t.Context(), []string{p})
		require.NoError(t, err)
		r.Owner, r.Op = "x"+p, "o"+p
		require.NoError(t, s.Update(t.Context(), r))
		require.NoError(t, s.Delete(t.Context(), id, 2))
	}

	shape := regexp.MustCompile(`^:(record:[0-9A-Za-z:]{1,80}|all|expiring|usage:[0-9A-Za-z:]{1,80}|(owner|parent|live):[\w-]{22}|sent:[A-Z2-7]{26})$`)
	for _, key := range stored(t, client, name) {
		require.Regexp(t, shape, strings.TrimPrefix(key, "{"+name+"}"))
	}
	for _, s := range []*redisstore.Store{s, neighbour} {
		page, err := s.List(t.Context(), keystore.Filter{})
		require.NoError(t, err)
		require.Equal(t, []keystore.Record{apiKey("victim")}, page.Records)
	}
}

// Whoever writes into a channel of ours can make a watcher read again, and nothing else.
func TestInjection_Channel(t *testing.T) {
	t.Parallel()
	client := connect(t, address(t))
	name := prefix(t, client)
	heard := watch(t, handle(t, client, redisstore.Config{Prefix: name}))
	heard.await(t, nil)
	for _, p := range payloads[:30] {
		require.NoError(t, client.Publish(t.Context(), "{"+name+"}:changes", p).Err())
		if strings.Trim(p, ":") == "" || p == "a:b" {
			heard.await(t, []string{p})
			continue
		}
		if p == ":record:" || p == "never" || p == "nan" {
			continue
		}
		heard.await(t, nil)
	}
}
