package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/redisstore"
	"github.com/claviger-go/claviger/keystore"
)

// ear collects what a watcher hears; nil stands for a call without ids.
type ear struct {
	mu    sync.Mutex
	calls [][]string
	times []time.Time
	end   context.CancelFunc
	ended chan error
}

func watch(tb testing.TB, s keystore.Watcher) *ear {
	tb.Helper()
	ctx, end := context.WithCancel(tb.Context())
	e := &ear{end: end, ended: make(chan error, 1)}
	go func() {
		e.ended <- s.Watch(ctx, func(ids ...string) {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.calls, e.times = append(e.calls, ids), append(e.times, time.Now())
		})
	}()
	return e
}

// take returns what was heard since the last time.
func (e *ear) take() [][]string {
	e.mu.Lock()
	defer e.mu.Unlock()
	calls := e.calls
	e.calls, e.times = nil, nil
	return calls
}

// await waits for such a call, and forgets it and all before it.
func (e *ear) await(tb testing.TB, want []string) time.Time {
	tb.Helper()
	var when time.Time
	require.Eventually(tb, func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		i := slices.IndexFunc(e.calls, func(ids []string) bool { return slices.Equal(ids, want) })
		if i < 0 {
			return false
		}
		when = e.times[i]
		e.calls, e.times = e.calls[i+1:], e.times[i+1:]
		return true
	}, 15*time.Second, time.Millisecond, "%v was not heard", want)
	return when
}

// behind is a store that watches through a proxy, and a writer that does not.
func behind(tb testing.TB, heartbeat time.Duration) (watcher, writer *redisstore.Store, p *proxy) {
	tb.Helper()
	at := address(tb)
	p = newProxy(tb, at)
	direct := connect(tb, at)
	config := redisstore.Config{Prefix: prefix(tb, direct), Heartbeat: heartbeat}
	through := connect(tb, p.Address, func(o *redis.Options) { o.ContextTimeoutEnabled = true })
	return handle(tb, through, config), handle(tb, direct, config), p
}

// T-039: a mutation is heard of, in order, and nothing else is.
func TestKS12_InTouch(t *testing.T) {
	t.Parallel()
	s, writer, _ := behind(t, 0)
	heard := watch(t, s)
	heard.await(t, nil)
	insert(t, writer, apiKey("a"), apiKey("b"))
	require.NoError(t, writer.Update(t.Context(), apiKey("a", op("1"))))
	require.NoError(t, writer.Update(t.Context(), apiKey("a", op("2"), version(2), revoked)))
	require.ErrorIs(t, writer.Update(t.Context(), apiKey("a", op("3"), version(3))), keystore.ErrRevoked)
	require.ErrorIs(t, writer.Delete(t.Context(), "a", 9), keystore.ErrConflict)
	require.NoError(t, writer.AddUsage(t.Context(), []keystore.Usage{{ID: "b", Count: 1}}))
	require.NoError(t, writer.Delete(t.Context(), "b", 0))
	require.NoError(t, writer.Delete(t.Context(), "b", 0))
	require.NoError(t, writer.Delete(t.Context(), "a", 0))
	var all []string
	require.Eventually(t, func() bool {
		all = append(all, slices.Concat(heard.take()...)...)
		return len(all) >= 4
	}, 5*time.Second, time.Millisecond)
	require.Equal(t, []string{"a", "a", "b", "a"}, all)
}

// T-122: whatever happens to the connection, it is said when touch is lost and when it is back, and within the bounds.
func TestKS12_LostTouch(t *testing.T) {
	t.Parallel()
	const heartbeat = time.Second // the default
	for _, tc := range []struct {
		desc          string
		breaks, heals func(t *testing.T, p *proxy)
		noticed       time.Duration // at the latest
		lasts         time.Duration // beyond being noticed
	}{
		{
			"half open", func(_ *testing.T, p *proxy) { p.Freeze() }, func(_ *testing.T, p *proxy) { p.Thaw() },
			heartbeat * 3 / 2, 0,
		},
		{
			"half open for long", func(_ *testing.T, p *proxy) { p.Freeze() }, func(_ *testing.T, p *proxy) { p.Thaw() },
			heartbeat * 3 / 2, 2 * time.Second,
		},
		{
			"half open for a moment", func(_ *testing.T, p *proxy) { p.Freeze(); p.Thaw() }, func(*testing.T, *proxy) {},
			heartbeat * 3 / 2, 0,
		},
		{
			"reset", func(_ *testing.T, p *proxy) { p.Reset() }, func(*testing.T, *proxy) {},
			0, 0,
		},
		{
			"down", func(_ *testing.T, p *proxy) { p.Down() }, func(t *testing.T, p *proxy) { p.Up(t) },
			0, 2 * time.Second,
		},
		{
			"too slow", func(_ *testing.T, p *proxy) { p.Delay(2 * heartbeat) },
			func(_ *testing.T, p *proxy) { p.Delay(0); p.Reset() },
			heartbeat * 3 / 2, 0,
		},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			t.Parallel()
			s, writer, p := behind(t, 0)
			insert(t, writer, apiKey("a"))
			heard := watch(t, s)
			heard.await(t, nil)
			require.NoError(t, writer.Update(t.Context(), apiKey("a", op("1"))))
			heard.await(t, []string{"a"})

			broken := time.Now()
			tc.breaks(t, p)
			lost := heard.await(t, nil)
			t.Logf("noticed after %v", lost.Sub(broken).Round(time.Millisecond))
			require.Less(t, lost.Sub(broken), tc.noticed+500*time.Millisecond)
			if tc.lasts > 0 {
				heard.take()
				time.Sleep(tc.lasts) // an outage
				require.Empty(t, heard.take(), "nothing new can be said")
			}

			healed := time.Now()
			tc.heals(t, p)
			back := heard.await(t, nil)
			t.Logf("back after %v", back.Sub(healed).Round(time.Millisecond))
			require.Less(t, back.Sub(healed), 2*time.Second)
			require.NoError(t, writer.Update(t.Context(), apiKey("a", op("2"), version(2))))
			heard.await(t, []string{"a"})
		})
	}
}

// Where nothing can be reached yet, Watch waits for it.
func TestKS12_BeginsOutOfTouch(t *testing.T) {
	t.Parallel()
	s, writer, p := behind(t, 100*time.Millisecond)
	insert(t, writer, apiKey("a"))
	p.Down()
	heard := watch(t, s)
	heard.await(t, nil)
	p.Up(t)
	heard.await(t, nil)
	require.NoError(t, writer.Delete(t.Context(), "a", 0))
	heard.await(t, []string{"a"})
}

// Who acts on what it hears ends up with the last version, whatever breaks on the way.
func TestKS12_NothingIsMissed(t *testing.T) {
	t.Parallel()
	s, writer, p := behind(t, 200*time.Millisecond)
	insert(t, writer, apiKey("a"))
	ctx, end := context.WithCancel(t.Context())
	defer end()
	var mu sync.Mutex
	var seen uint64
	go func() {
		_ = s.Watch(ctx, func(...string) {
			if r, err := writer.Lookup(ctx, "a"); err == nil {
				mu.Lock()
				seen = r.Version
				mu.Unlock()
			}
		})
	}()
	const last = 300
	for v := uint64(1); v < last; v++ {
		require.NoError(t, writer.Update(t.Context(), apiKey("a", op(fmt.Sprint(v)), version(v))))
		if v%50 == 0 {
			p.Reset()
		}
	}
	require.Eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return seen == last
	}, 5*time.Second, time.Millisecond)
}

// A primary that became a replica still answers and still passes on what it hears of; a heartbeat tells.
func TestKS12_Demoted(t *testing.T) {
	t.Parallel()
	first, second := server(t), server(t)
	client := connect(t, first)
	s := handle(t, client, redisstore.Config{Heartbeat: 200 * time.Millisecond})
	insert(t, s, apiKey("a"))
	heard := watch(t, s)
	heard.await(t, nil)
	host, port, _ := strings.Cut(second, ":")
	require.NoError(t, client.ReplicaOf(t.Context(), host, port).Err())
	heard.await(t, nil)
	require.Error(t, s.Update(t.Context(), apiKey("a", op("1"))))
	require.Error(t, s.Insert(t.Context(), apiKey("b"), unlimited))
}

func TestKS12_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	s, writer, p := behind(t, 0)
	insert(t, writer, apiKey("a"))
	for _, broken := range []bool{false, true} {
		heard := watch(t, s)
		if broken {
			p.Freeze()
		} else {
			heard.await(t, nil)
		}
		heard.end()
		select {
		case err := <-heard.ended:
			require.ErrorIs(t, err, context.Canceled)
		case <-time.After(5 * time.Second):
			require.Fail(t, "Watch goes on")
		}
		heard.take()
		if !broken {
			require.NoError(t, writer.Update(t.Context(), apiKey("a", op("1"))))
		}
	}
	ctx, end := context.WithCancelCause(t.Context())
	end(errors.New("enough"))
	require.ErrorIs(t, s.Watch(ctx, nil), context.Canceled)
}

// No goroutine is left when ctx has ended, in touch or not. Not parallel: it counts them all.
func TestWatch_LeavesNothing(t *testing.T) {
	s, _, p := behind(t, 100*time.Millisecond)
	var ears []*ear
	for range 5 {
		ears = append(ears, watch(t, s))
	}
	for _, e := range ears {
		e.await(t, nil)
	}
	require.Positive(t, ours())
	p.Freeze()
	for _, e := range ears {
		e.await(t, nil)
	}
	for _, e := range ears {
		e.end()
		require.ErrorIs(t, <-e.ended, context.Canceled)
	}
	require.Eventually(t, func() bool { return ours() == 0 }, 3*time.Second, 5*time.Millisecond, "left over")
}

// ours counts the goroutines that the package started.
func ours() (n int) {
	stacks := make([]byte, 1<<22)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		_, by, _ := strings.Cut(stack, "created by ")
		if strings.HasPrefix(by, "github.com/claviger-go/claviger/adapters/redisstore.") {
			n++
		}
	}
	return n
}
