package filestore_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/filestore"
	"github.com/claviger-go/claviger/keystore"
)

// watch starts a watcher in a synctest bubble. The functions returned list the calls of changed since last asked, nil
// standing for a call without ids, and tell how Watch has ended.
func watch(ctx context.Context, s keystore.Watcher) (heard func() [][]string, ended func() error) {
	var mu sync.Mutex
	var calls [][]string
	answer := make(chan error, 1)
	go func() {
		answer <- s.Watch(ctx, func(ids ...string) {
			mu.Lock()
			defer mu.Unlock()
			calls = append(calls, ids)
		})
	}()
	heard = func() [][]string {
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		taken := calls
		calls = nil
		return taken
	}
	ended = func() error {
		synctest.Wait()
		select {
		case err := <-answer:
			return err
		default:
			return nil
		}
	}
	return heard, ended
}

func TestKS12_MutationsHereAreToldAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := create(t, place(t))
		insert(t, s, apiKey("before"))
		heard, _ := watch(t.Context(), s)
		require.Equal(t, [][]string{nil}, heard(), "anything may have changed before")
		began := time.Now()
		insert(t, s, apiKey("a"), apiKey("A"))
		require.Empty(t, heard())
		require.NoError(t, s.Update(t.Context(), apiKey("a", op("1"))))
		require.Equal(t, [][]string{{"a"}}, heard())
		require.NoError(t, s.Delete(t.Context(), "before", 0))
		require.Equal(t, [][]string{{"before"}}, heard())
		require.ErrorIs(t, s.Update(t.Context(), apiKey("a", op("2"))), keystore.ErrConflict)
		require.NoError(t, s.Delete(t.Context(), "before", 0))
		require.NoError(t, s.AddUsage(t.Context(), usedOnce("a")))
		require.Empty(t, heard())
		require.Zero(t, time.Since(began))
	})
}

func TestKS12_MutationsElsewhereAreToldInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := place(t)
		s := create(t, path)
		other := open(t, path)
		insert(t, s, apiKey("a"), apiKey("b"), apiKey("c"), apiKey("d"))
		heard, _ := watch(t.Context(), s)
		quick, err := filestore.Open(path, filestore.Config{WatchInterval: 10 * time.Millisecond})
		require.NoError(t, err)
		heardByQuick, _ := watch(t.Context(), quick)
		require.Equal(t, [][]string{nil}, heard())
		require.Equal(t, [][]string{nil}, heardByQuick())

		time.Sleep(time.Millisecond)
		require.NoError(t, other.Update(t.Context(), apiKey("b", op("1"))))
		require.NoError(t, other.Delete(t.Context(), "c", 0))
		insert(t, other, apiKey("e"), apiKey("f"))
		require.NoError(t, other.AddUsage(t.Context(), usedOnce("a")))
		require.Empty(t, heard())
		time.Sleep(10 * time.Millisecond)
		require.Equal(t, [][]string{{"b", "c"}}, heardByQuick())
		require.Empty(t, heard())
		time.Sleep(time.Second)
		require.Equal(t, [][]string{{"b", "c"}}, heard())
		time.Sleep(time.Minute)
		require.Empty(t, heard())

		// What a Lookup comes upon need not wait.
		require.NoError(t, other.Update(t.Context(), apiKey("a", op("1"))))
		require.Empty(t, heard())
		lookup(t, s, "a")
		require.Equal(t, [][]string{{"a"}}, heard())
	})
}

// Whoever mutates one record twice between two looks may have done more that is not to be seen.
func TestKS12_MoreMutationsThanDifferences(t *testing.T) {
	t.Parallel()
	for desc, tc := range map[string]struct {
		mutate func(t *testing.T, other *filestore.Store)
		want   [][]string
	}{
		"nothing": {func(*testing.T, *filestore.Store) {}, nil},
		"inserts": {func(t *testing.T, other *filestore.Store) { insert(t, other, apiKey("b"), apiKey("c")) }, nil},
		"an update": {func(t *testing.T, other *filestore.Store) {
			require.NoError(t, other.Update(t.Context(), apiKey("a")))
		}, [][]string{{"a"}}},
		"two updates": {func(t *testing.T, other *filestore.Store) {
			require.NoError(t, other.Update(t.Context(), apiKey("a")))
			require.NoError(t, other.Update(t.Context(), apiKey("a", version(2))))
		}, [][]string{nil}},
		"an insert and an update of it": {func(t *testing.T, other *filestore.Store) {
			insert(t, other, apiKey("b"))
			require.NoError(t, other.Update(t.Context(), apiKey("b")))
		}, [][]string{nil}},
		"an insert and a delete of it": {func(t *testing.T, other *filestore.Store) {
			insert(t, other, apiKey("b"))
			require.NoError(t, other.Delete(t.Context(), "b", 0))
		}, [][]string{nil}},
		"a delete and an insert of the same": {func(t *testing.T, other *filestore.Store) {
			require.NoError(t, other.Delete(t.Context(), "a", 0))
			insert(t, other, apiKey("a"))
		}, [][]string{nil}},
	} {
		synctest.Test(t, func(t *testing.T) {
			path := place(t)
			s := create(t, path)
			insert(t, s, apiKey("a"))
			heard, _ := watch(t.Context(), s)
			require.Equal(t, [][]string{nil}, heard())
			tc.mutate(t, open(t, path))
			time.Sleep(time.Second)
			require.Equal(t, tc.want, heard(), desc)
		})
	}
}

func TestKS12_OverflowBecomesAnything(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := create(t, quickPlace(t))
		require.NoError(t, s.Fill(t.Context(), numberedUpTo(1_100)))
		release := make(chan struct{})
		var slow [][]string
		go func() {
			_ = s.Watch(t.Context(), func(ids ...string) {
				slow = append(slow, ids)
				<-release
			})
		}()
		synctest.Wait()
		for n := range 1_025 {
			require.NoError(t, s.Delete(t.Context(), numbered(n).ID, 0), "a slow watcher holds nobody up")
		}
		release <- struct{}{} // from the first call
		synctest.Wait()
		require.Equal(t, [][]string{nil, nil}, slow)
		require.NoError(t, s.Delete(t.Context(), numbered(1_026).ID, 0))
		require.NoError(t, s.Delete(t.Context(), numbered(1_027).ID, 0))
		release <- struct{}{}
		synctest.Wait()
		require.Equal(t, [][]string{nil, nil, {numbered(1_026).ID, numbered(1_027).ID}}, slow, "after an overflow ids are told again")
		close(release)
	})
}

func TestKS12_TouchIsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path, s, content, _ := small(t)
		heard, ended := watch(t.Context(), s)
		require.Equal(t, [][]string{nil}, heard())
		require.NoError(t, os.Truncate(path, 10))
		time.Sleep(time.Second)
		require.Equal(t, [][]string{nil}, heard())
		require.ErrorIs(t, ended(), filestore.ErrDamaged)

		heard, ended = watch(t.Context(), s)
		require.Equal(t, [][]string{nil}, heard())
		require.ErrorIs(t, ended(), filestore.ErrDamaged)

		write(t, path, content)
		heard, ended = watch(t.Context(), s)
		require.Equal(t, [][]string{nil}, heard(), "back in touch")
		time.Sleep(time.Minute)
		require.NoError(t, ended())
		require.Empty(t, heard())
	})
}

func TestKS12_WatchEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path, s, _, _ := small(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		heard, ended := watch(ctx, s)
		require.Equal(t, [][]string{nil}, heard())
		cancel(errors.New("enough"))
		require.ErrorIs(t, ended(), context.Canceled)
		require.NoError(t, os.Remove(path))
		time.Sleep(time.Minute)
		require.Empty(t, heard())
	})
}

func TestKS12_ChangedMayUseTheStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, s, _, _ := small(t)
		var seen []error
		go func() {
			_ = s.Watch(t.Context(), func(ids ...string) {
				for _, id := range ids {
					_, err := s.Lookup(t.Context(), id)
					seen = append(seen, err, s.Delete(t.Context(), "key000000002", 0))
					clear(ids)
				}
			})
		}()
		synctest.Wait()
		require.NoError(t, s.Delete(t.Context(), "key000000001", 0))
		synctest.Wait()
		require.Len(t, seen, 4)
		require.ErrorIs(t, seen[0], keystore.ErrNotFound, "what is told has happened")
	})
}
