package cache_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore/internal/cache"
)

var errGone, errDown = errors.New("gone"), errors.New("down")

// source answers each read with its number, unless answer says otherwise.
type source struct {
	reads  atomic.Int64
	answer atomic.Pointer[func(ctx context.Context, n int64) (int64, error)]
}

func (s *source) read(ctx context.Context, _ string) (int64, error) {
	n := s.reads.Add(1)
	if answer := s.answer.Load(); answer != nil {
		return (*answer)(ctx, n)
	}
	return n, nil
}

func (s *source) bend(answer func(ctx context.Context, n int64) (int64, error)) {
	s.answer.Store(&answer)
}

func (s *source) fail(err error) {
	s.bend(func(context.Context, int64) (int64, error) { return 0, err })
}

func (s *source) reader(size int) *cache.Reader[int64] {
	return cache.NewReader(cache.Config[int64]{
		Read: s.read, Gone: func(err error) bool { return errors.Is(err, errGone) }, Now: time.Now,
		MaxStaleness: 5 * time.Second, Timeout: 250 * time.Millisecond, Size: size,
	})
}

func requireValue(t *testing.T, want int64, e *cache.Entry[int64], err error) {
	t.Helper()
	require.NoError(t, err)
	require.Equal(t, want, e.Value)
}

func TestReader_RemembersUntilMaxStaleness(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s source
		r, ctx := s.reader(64), t.Context()
		first, err := r.Load(ctx, "a", time.Now())
		requireValue(t, 1, first, err)
		time.Sleep(5*time.Second - time.Microsecond)
		again, err := r.Load(ctx, "a", time.Now())
		require.NoError(t, err)
		require.Same(t, first, again)
		require.True(t, first.Current(time.Now()))
		time.Sleep(time.Microsecond)
		require.False(t, first.Current(time.Now()))
		next, err := r.Load(ctx, "a", time.Now())
		requireValue(t, 2, next, err)
		require.False(t, first.Current(time.Now().Add(-time.Second)), "a newer one has taken its place")
	})
}

// Somebody may have read since the request took its time.
func TestReader_RequestThatIsOlderThanTheEntry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s source
		r, ctx := s.reader(64), t.Context()
		began := time.Now()
		time.Sleep(time.Second)
		e, err := r.Load(ctx, "a", time.Now())
		requireValue(t, 1, e, err)
		e, err = r.Load(ctx, "a", began)
		requireValue(t, 1, e, err)
		time.Sleep(5 * time.Second)
		e, err = r.Load(ctx, "a", began)
		requireValue(t, 2, e, err)
	})
}

func TestReader_EvictedDoubtedGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s source
		r, ctx := s.reader(64), t.Context()
		load := func(id string) (*cache.Entry[int64], error) { return r.Load(ctx, id, time.Now()) }
		a, _ := load("a")
		b, _ := load("b")
		r.Evict("a", "nothing")
		require.False(t, a.Current(time.Now()), "who keeps it learns of it")
		require.True(t, b.Current(time.Now()))
		e, err := load("a")
		requireValue(t, 3, e, err)

		r.DoubtAll()
		require.False(t, b.Current(time.Now()))
		s.fail(errDown)
		e, err = load("b")
		requireValue(t, 2, e, err) // within the bound
		r.Evict("b")
		_, err = load("b")
		require.ErrorIs(t, err, errDown)

		s.fail(fmt.Errorf("no row: %w", errGone))
		_, err = load("a")
		require.ErrorIs(t, err, errGone)
		s.fail(errDown)
		_, err = load("a")
		require.ErrorIs(t, err, errDown, "what is gone is not remembered")
		time.Sleep(5 * time.Second)
		_, err = load("b")
		require.ErrorIs(t, err, errDown)
	})
}

func TestReader_LoadFresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s source
		r, ctx := s.reader(64), t.Context()
		fresh := func() (*cache.Entry[int64], error) { return r.LoadFresh(ctx, "a", time.Now()) }
		old, err := r.Load(ctx, "a", time.Now())
		requireValue(t, 1, old, err)
		e, err := fresh()
		requireValue(t, 2, e, err)
		require.False(t, old.Current(time.Now()))
		e, err = r.Load(ctx, "a", time.Now())
		requireValue(t, 2, e, err)
		s.fail(errDown)
		_, err = fresh()
		require.ErrorIs(t, err, errDown, "it accepts nothing older")
		e, err = r.Load(ctx, "a", time.Now())
		requireValue(t, 2, e, err) // and takes it from nobody

		// It joins no read that is under way, and that one does not land after it.
		gate := make(chan struct{})
		s.bend(func(_ context.Context, n int64) (int64, error) {
			if n == 4 {
				<-gate
			}
			return n, nil
		})
		r.Evict("a")
		slow := make(chan *cache.Entry[int64], 1)
		go func() {
			e, _ := r.Load(ctx, "a", time.Now())
			slow <- e
		}()
		synctest.Wait()
		e, err = fresh()
		requireValue(t, 5, e, err)
		close(gate)
		require.EqualValues(t, 4, (<-slow).Value)
		synctest.Wait()
		e, err = r.Load(ctx, "a", time.Now())
		requireValue(t, 5, e, err)
	})
}

// A read that is stuck is left behind: others wait for it no longer than Timeout, the next request asks anew, and what
// it brings at last is not taken for news.
func TestReader_StuckReadIsLeftBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s source
		r, ctx := s.reader(64), t.Context()
		gate := make(chan struct{})
		s.bend(func(_ context.Context, n int64) (int64, error) {
			if n == 1 {
				<-gate // a lost connection that honours no ctx
			}
			return n, nil
		})
		began := time.Now()
		_, err := r.Load(ctx, "a", began)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 250*time.Millisecond, time.Since(began))
		e, err := r.Load(ctx, "a", time.Now())
		requireValue(t, 2, e, err)
		close(gate)
		synctest.Wait()
		again, err := r.Load(ctx, "a", time.Now())
		require.NoError(t, err)
		require.Same(t, e, again)
	})
}

// One that comes back late, and that nobody has replaced, counts from when it began.
func TestReader_LateRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s source
		r, ctx := s.reader(64), t.Context()
		s.bend(func(_ context.Context, n int64) (int64, error) {
			if n == 1 {
				time.Sleep(4 * time.Second)
			}
			return n, nil
		})
		_, err := r.Load(ctx, "a", time.Now())
		require.ErrorIs(t, err, context.DeadlineExceeded)
		time.Sleep(4 * time.Second)
		e, err := r.Load(ctx, "a", time.Now())
		requireValue(t, 1, e, err)
		time.Sleep(time.Second)
		e, err = r.Load(ctx, "a", time.Now())
		requireValue(t, 2, e, err)
	})
}

func TestReader_ReadThatPanicsOrEndsItsGoroutine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s source
		r, ctx := s.reader(64), t.Context()
		s.bend(func(context.Context, int64) (int64, error) { panic("nil map") })
		_, err := r.Load(ctx, "a", time.Now())
		require.EqualError(t, err, "panic: nil map")
		s.bend(func(context.Context, int64) (int64, error) {
			runtime.Goexit()
			return 0, nil
		})
		_, err = r.Load(ctx, "a", time.Now())
		require.ErrorIs(t, err, context.DeadlineExceeded)
		s.bend(func(_ context.Context, n int64) (int64, error) { return n, nil })
		e, err := r.Load(ctx, "a", time.Now())
		requireValue(t, 3, e, err)
	})
}

func TestReader_OneReadForAllWhoAskTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s source
		r := s.reader(64)
		s.bend(func(_ context.Context, n int64) (int64, error) {
			time.Sleep(100 * time.Millisecond)
			return n, nil
		})
		leader, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		group.Go(func() {
			_, err := r.Load(leader, "a", time.Now())
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
		synctest.Wait()
		for range 16 {
			group.Go(func() {
				if e, err := r.Load(t.Context(), "a", time.Now()); err != nil || e.Value != 1 {
					t.Error(e, err)
				}
			})
		}
		synctest.Wait()
		cancel()
		group.Wait()
		require.EqualValues(t, 1, s.reads.Load())
	})
}

// What falls out for want of room is no longer kept current by anybody.
func TestReader_Sizes(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 2, 63, 64, 1000} {
		var s source
		r := s.reader(size)
		var kept []*cache.Entry[int64]
		for n := range 3 * size {
			e, err := r.Load(t.Context(), fmt.Sprint(n), time.Now())
			require.NoError(t, err)
			kept = append(kept, e)
		}
		current := 0
		for _, e := range kept {
			if e.Current(time.Now()) {
				current++
			}
		}
		require.LessOrEqual(t, current, size)
		require.GreaterOrEqual(t, current, size*8/10)
		require.True(t, kept[len(kept)-1].Current(time.Now()))
	}
}

func TestReader_NoStalenessReadsEveryTime(t *testing.T) {
	t.Parallel()
	var s source
	r := cache.NewReader(cache.Config[int64]{
		Read: s.read, Gone: func(error) bool { return false }, Now: time.Now, MaxStaleness: -1, Timeout: time.Minute, Size: 64,
	})
	for n := range int64(3) {
		e, err := r.Load(t.Context(), "a", time.Now())
		requireValue(t, n+1, e, err)
		require.False(t, e.Current(time.Now()))
	}
	s.fail(errDown)
	_, err := r.Load(t.Context(), "a", time.Now())
	require.ErrorIs(t, err, errDown)
}
