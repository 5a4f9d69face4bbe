package memstore_test

import (
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

func TestWatch_WhatIsTold(t *testing.T) {
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

func TestWatch_OverflowBecomesAnything(t *testing.T) {
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

func TestWatch_WaitingIDsAreToldTogether(t *testing.T) {
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
func TestWatch_ChangedMayUseTheStore(t *testing.T) {
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
