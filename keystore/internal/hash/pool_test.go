package hash

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// jobs are pieces of work that last until they are let go.
type jobs struct {
	running, most, begun atomic.Int64
	gate                 chan struct{}
}

func newJobs() *jobs { return &jobs{gate: make(chan struct{})} }

func (j *jobs) work() {
	j.begun.Add(1)
	j.most.Store(max(j.most.Load(), j.running.Add(1)))
	<-j.gate
	j.running.Add(-1)
}

func TestT023_AtMostSoManyAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const permits = 3
		p, j := newPool(permits), newJobs()
		var answered sync.WaitGroup
		var busy, done atomic.Int64
		for range permits * (1 + queuePerPermit) {
			answered.Go(func() {
				require.NoError(t, p.do(t.Context(), j.work))
				done.Add(1)
			})
			synctest.Wait()
		}
		require.Equal(t, int64(permits), j.running.Load())

		// The queue is full: whoever comes now is told so at once.
		for range 100 {
			answered.Go(func() {
				require.ErrorIs(t, p.do(t.Context(), j.work), ErrBusy)
				busy.Add(1)
			})
		}
		synctest.Wait()
		require.Equal(t, int64(100), busy.Load())

		close(j.gate)
		answered.Wait()
		require.Equal(t, int64(permits*(1+queuePerPermit)), done.Load())
		require.Equal(t, int64(permits), j.most.Load())
		requireIdle(t, p)
	})
}

// The memory is in use until the work is done, whoever still waits for its result.
func TestT023_PermitBelongsToTheWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, j := newPool(1), newJobs()
		ctx, leave := context.WithCancel(t.Context())
		var answered sync.WaitGroup
		answered.Go(func() { require.ErrorIs(t, p.do(ctx, j.work), context.Canceled) })
		synctest.Wait()
		leave()
		answered.Wait() // the client is gone, the work is not

		answered.Go(func() { require.NoError(t, p.do(t.Context(), j.work)) })
		synctest.Wait()
		require.Equal(t, int64(1), j.begun.Load())

		j.gate <- struct{}{}
		synctest.Wait()
		require.Equal(t, int64(2), j.begun.Load())
		j.gate <- struct{}{}
		answered.Wait()
		require.Equal(t, int64(1), j.most.Load())
		requireIdle(t, p)
	})
}

// A goroutine left behind would be a deadlock, which fails the bubble.
func TestT023_AThousandClientsDisconnect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const permits = 2
		p, j := newPool(permits), newJobs()
		ctx, leave := context.WithCancel(t.Context())
		var answered sync.WaitGroup
		for range 1000 {
			answered.Go(func() { require.Error(t, p.do(ctx, j.work)) })
		}
		synctest.Wait()
		leave()
		answered.Wait()
		require.Equal(t, int64(permits), j.running.Load())
		close(j.gate)
		synctest.Wait()
		require.Equal(t, int64(permits), j.begun.Load(), "work was begun for a client that had left")
		requireIdle(t, p)
	})
}

func TestT023_NoWorkForWhoLeftBefore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, leave := context.WithCancel(t.Context())
		leave()
		p := newPool(1)
		for range 100 { // select takes any case that is ready
			require.ErrorIs(t, p.do(ctx, func() { t.Error("worked") }), context.Canceled)
		}
		requireIdle(t, p)
	})
}

func requireIdle(t *testing.T, p *pool) {
	t.Helper()
	synctest.Wait()
	require.Empty(t, p.permits)
	require.Zero(t, p.waiting.Load())
}
