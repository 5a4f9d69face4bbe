package memstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
)

// watch starts a watcher in a synctest bubble. The function returned lists the calls of changed since it was last
// called; nil stands for a call without ids.
func watch(t *testing.T, s keystore.Watcher) (heard func() [][]string) {
	t.Helper()
	var mu sync.Mutex
	var calls [][]string
	go func() {
		_ = s.Watch(t.Context(), func(ids ...string) {
			mu.Lock()
			defer mu.Unlock()
			calls = append(calls, ids)
		})
	}()
	return func() [][]string {
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		taken := calls
		calls = nil
		return taken
	}
}

func TestKS12_EveryUpdateAndDelete(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		insert(t, s, apiKey("before"))
		var watchers []func() [][]string
		for range 5 {
			watchers = append(watchers, watch(t, s))
		}
		expect := func(ids ...string) {
			t.Helper()
			for _, heard := range watchers {
				require.Equal(t, ids, slices.Concat(heard()...))
			}
		}
		for _, heard := range watchers {
			require.Equal(t, [][]string{nil}, heard(), "anything may have changed before")
		}
		insert(t, s, apiKey("a"), apiKey("A"))
		expect()
		require.NoError(t, s.Update(t.Context(), apiKey("a", op("1"))))
		expect("a")
		require.NoError(t, s.Update(t.Context(), apiKey("A", op("1"), revoked)))
		require.NoError(t, s.Delete(t.Context(), "before", 0))
		expect("A", "before")

		require.Error(t, s.Update(t.Context(), apiKey("a", op("2"))))
		require.Error(t, s.Update(t.Context(), apiKey("A", version(2))))
		require.Error(t, s.Update(t.Context(), apiKey("never")))
		require.Error(t, s.Delete(t.Context(), "a", 9))
		require.NoError(t, s.Delete(t.Context(), "before", 0))
		expect()
	})
}

func TestKS12_OverflowBecomesAnything(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		const many = 10_000
		for n := range many {
			insert(t, s, apiKey(strconv.Itoa(n)))
		}
		quick := watch(t, s)
		quick()
		release := make(chan struct{})
		var slow [][]string
		go func() {
			_ = s.Watch(t.Context(), func(ids ...string) {
				slow = append(slow, ids)
				<-release
			})
		}()
		synctest.Wait()

		var told []string
		for n := range many {
			require.NoError(t, s.Delete(t.Context(), strconv.Itoa(n), 0), "a slow watcher holds nobody up")
			for _, ids := range quick() {
				require.NotEmpty(t, ids)
				told = append(told, ids...)
			}
		}
		require.Len(t, told, many, "another's overflow is not mine")

		release <- struct{}{} // from the first call
		synctest.Wait()
		require.Equal(t, [][]string{nil, nil}, slow)

		insert(t, s, apiKey("a"))
		require.NoError(t, s.Delete(t.Context(), "a", 0))
		release <- struct{}{}
		synctest.Wait()
		require.Equal(t, [][]string{nil, nil, {"a"}}, slow, "after an overflow ids are told again")
		close(release)
	})
}

func TestKS12_WaitingIDsAreToldTogether(t *testing.T) {
	t.Parallel()
	var full []string
	for n := range 1024 {
		full = append(full, strconv.Itoa(n))
	}
	for _, tc := range []struct {
		waiting, want []string
	}{
		{full[:1], full[:1]},
		{full, full},
		{append(slices.Clone(full), "more"), nil},
		{slices.Repeat([]string{"same"}, 3), slices.Repeat([]string{"same"}, 3)},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := open(t)
			release := make(chan struct{})
			var calls [][]string
			go func() {
				_ = s.Watch(t.Context(), func(ids ...string) {
					calls = append(calls, ids)
					<-release
				})
			}()
			synctest.Wait()
			for _, id := range tc.waiting {
				insert(t, s, apiKey(id))
				require.NoError(t, s.Delete(t.Context(), id, 0))
			}
			close(release)
			synctest.Wait()
			require.Equal(t, [][]string{nil, tc.want}, calls)
		})
	}
}

// changed may use the store, mutations included: it is called under no lock.
func TestKS12_ChangedMayUseTheStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		insert(t, s, apiKey("a"), apiKey("b"))
		var seen []error
		go func() {
			_ = s.Watch(t.Context(), func(ids ...string) {
				for _, id := range ids {
					_, err := s.Lookup(t.Context(), id)
					seen = append(seen, err)
					_ = s.Delete(t.Context(), "b", 0)
					clear(ids)
				}
			})
		}()
		synctest.Wait()
		require.NoError(t, s.Delete(t.Context(), "a", 0))
		synctest.Wait()
		require.Len(t, seen, 2)
		for _, err := range seen {
			require.ErrorIs(t, err, keystore.ErrNotFound, "what is told has happened")
		}
	})
}

func TestKS12_WatchEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		insert(t, s, apiKey("a"))
		ctx, cancel := context.WithCancelCause(t.Context())
		ended := make(chan error, 1)
		calls := 0
		go func() { ended <- s.Watch(ctx, func(...string) { calls++ }) }()
		synctest.Wait()
		require.Equal(t, 1, calls)
		cancel(errors.New("enough"))
		require.ErrorIs(t, <-ended, context.Canceled)
		require.NoError(t, s.Delete(t.Context(), "a", 0))
		synctest.Wait()
		require.Equal(t, 1, calls)
	})
}

// A watcher that acts on what it hears ends up with the last version, whatever the interleaving.
func TestKS12_NothingIsMissed(t *testing.T) {
	t.Parallel()
	s := open(t)
	insert(t, s, apiKey("a", version(0)))
	const last = contenders * 50
	ctx, stop := context.WithCancel(t.Context())
	var watchers sync.WaitGroup
	for range 4 {
		watchers.Go(func() {
			ctx, done := context.WithCancel(ctx)
			defer done()
			_ = s.Watch(ctx, func(...string) {
				if r, err := s.Lookup(ctx, "a"); err == nil && r.Version == last {
					done()
				}
			})
		})
	}
	compete(t, func(c int) error {
		for n := 0; n < last/contenders; {
			r, err := s.Lookup(t.Context(), "a")
			if err != nil {
				return err
			}
			r.Op = fmt.Sprint(c, n)
			if s.Update(t.Context(), r) == nil {
				n++
			}
		}
		return nil
	}, nil)
	watchers.Wait()
	stop()
}
