package pgnotify_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
)

// ear notes what a Watch tells; nil stands for a call without ids.
type ear struct {
	mu    sync.Mutex
	calls [][]string
	times []time.Time
	stop  context.CancelFunc
	ended chan error
}

func watch(tb testing.TB, s keystore.Watcher) *ear {
	tb.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(tb.Context()))
	e := &ear{stop: stop, ended: make(chan error, 1)}
	var watching sync.WaitGroup
	watching.Go(func() {
		e.ended <- s.Watch(ctx, func(ids ...string) {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.calls, e.times = append(e.calls, slices.Clone(ids)), append(e.times, time.Now())
		})
	})
	tb.Cleanup(func() { // before the pools are closed
		stop()
		watching.Wait()
	})
	return e
}

// await waits for such a call, and forgets it and all before it.
func (e *ear) await(tb testing.TB, ids ...string) (when time.Time) {
	tb.Helper()
	require.Eventually(tb, func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		i := slices.IndexFunc(e.calls, func(call []string) bool { return slices.Equal(call, ids) })
		if i < 0 {
			return false
		}
		when = e.times[i]
		e.calls, e.times = e.calls[i+1:], e.times[i+1:]
		return true
	}, 15*time.Second, time.Millisecond, "%v was not told", ids)
	return when
}

// take returns what was told since the last time.
func (e *ear) take() [][]string {
	e.mu.Lock()
	defer e.mu.Unlock()
	calls := e.calls
	e.calls, e.times = nil, nil
	return calls
}

// goesOn checks that Watch has not returned.
func (e *ear) goesOn(tb testing.TB) {
	tb.Helper()
	select {
	case err := <-e.ended:
		require.NoError(tb, err, "Watch has ended")
	default:
	}
}

// diary notes what OnListenError is told.
type diary struct {
	mu     sync.Mutex
	errors []error
}

func (d *diary) note(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.errors = append(d.errors, err)
	panic("and panics")
}

// await waits for an entry, and returns all so far.
func (d *diary) await(tb testing.TB) (errs []error) {
	tb.Helper()
	require.Eventually(tb, func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		errs, d.errors = d.errors, nil
		return len(errs) > 0
	}, 15*time.Second, time.Millisecond, "OnListenError was not told")
	return errs
}

func (d *diary) empty(tb testing.TB) {
	tb.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	require.Empty(tb, d.errors)
}
