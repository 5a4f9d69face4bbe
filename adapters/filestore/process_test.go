package filestore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/filestore"
	"github.com/claviger-go/claviger/adapters/filestore/internal/disk"
	"github.com/claviger-go/claviger/keystore"
)

// contenders run at the same time in each process.
const contenders = 8

// compete runs try in each of the contenders, and joins what they answer.
func compete(try func(contender int) error) error {
	var wait sync.WaitGroup
	errs := make([]error, contenders)
	for c := range contenders {
		wait.Go(func() { errs[c] = try(c) })
	}
	wait.Wait()
	return errors.Join(errs...)
}

// countUp adds one to a record, args[0] times in each of the contenders.
func countUp(ctx context.Context, s *filestore.Store, _ string, args []string, _ io.Writer) error {
	times, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	return compete(func(int) error {
		for n := 0; n < times; {
			r, err := s.Lookup(ctx, "shared")
			if err != nil {
				return err
			}
			r.ParentSecret, r.Op = r.ParentSecret+1, fmt.Sprint(args[1], time.Now().UnixNano())
			switch err := s.Update(ctx, r); {
			case err == nil:
				n++
			case !errors.Is(err, keystore.ErrConflict):
				return err
			}
		}
		return nil
	})
}

func TestKS8_ConflictsAcrossProcesses(t *testing.T) {
	t.Parallel()
	const times = 10
	path := place(t)
	s := create(t, path)
	insert(t, s, apiKey("shared"))
	other := begin(t, "count", path, strconv.Itoa(times), "other")
	require.NoError(t, countUp(t.Context(), s, path, []string{strconv.Itoa(times), "this"}, nil))
	other.finish(t)
	r := lookup(t, s, "shared")
	require.EqualValues(t, 2*contenders*times, r.ParentSecret)
	require.EqualValues(t, 2*contenders*times+1, r.Version)
}

// quotaOf is a different one in each round.
func quotaOf(round int) int { return round%(2*contenders) + 1 }

// fillQuotas lets each contender insert a record for the owner of each round.
func fillQuotas(ctx context.Context, s *filestore.Store, _ string, args []string, _ io.Writer) error {
	rounds, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	return compete(func(c int) error {
		for round := range rounds {
			r := apiKey(fmt.Sprintf("r%dc%d%s", round, c, args[1]), owner(strconv.Itoa(round)))
			err := s.Insert(ctx, r, keystore.Quota{Max: quotaOf(round), Now: start})
			if err != nil && !errors.Is(err, keystore.ErrQuota) {
				return err
			}
		}
		return nil
	})
}

// T-115: 0 over, and none refused while there is room.
func TestKS7_QuotaAcrossProcesses(t *testing.T) {
	t.Parallel()
	rounds := 48
	if testing.Short() {
		rounds = 8
	}
	path := place(t)
	s := create(t, path)
	other := begin(t, "fill", path, strconv.Itoa(rounds), "other")
	require.NoError(t, fillQuotas(t.Context(), s, path, []string{strconv.Itoa(rounds), "this"}, nil))
	other.finish(t)
	for round := range rounds {
		page, err := s.List(t.Context(), keystore.Filter{Owner: strconv.Itoa(round)})
		require.NoError(t, err)
		require.Len(t, page.Records, quotaOf(round))
	}
}

// announce says each version as soon as it is stored.
func announce(ctx context.Context, s *filestore.Store, _ string, args []string, out io.Writer) error {
	last, err := strconv.ParseUint(args[0], 10, 64)
	for v := uint64(1); err == nil && v < last; v++ {
		err = s.Update(ctx, apiKey("a", version(v)))
		say(out, v+1)
	}
	return err
}

func TestKS4_AcrossProcesses(t *testing.T) {
	t.Parallel()
	path := place(t)
	s := create(t, path)
	insert(t, s, apiKey("a"))
	var told atomic.Uint64
	readers, done := sync.WaitGroup{}, make(chan struct{})
	for range 2 {
		readers.Go(func() {
			for reader := open(t, path); ; {
				known := told.Load()
				r, err := reader.Lookup(t.Context(), "a")
				if err != nil || r.Version < known {
					t.Errorf("Lookup began after version %d was stored, and saw %d (%v)", known, r.Version, err)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	other := begin(t, "announce", path, "300")
	for other.out.Scan() {
		v, err := strconv.ParseUint(other.out.Text(), 10, 64)
		require.NoError(t, err)
		told.Store(v)
		require.GreaterOrEqual(t, lookup(t, s, "a").Version, v)
	}
	other.finish(t)
	close(done)
	readers.Wait()
	require.EqualValues(t, 300, told.Load())
}

// holdLock keeps the lock until it is killed.
func holdLock(ctx context.Context, _ *filestore.Store, path string, _ []string, out io.Writer) error {
	_, err := disk.Acquire(ctx, path+".lock", nil)
	say(out, "held")
	<-ctx.Done()
	return err
}

// A process that holds the lock and does nothing holds up those who write, as long as their ctx lasts, and no reader.
func TestKS3_LockHeldElsewhere(t *testing.T) {
	t.Parallel()
	path := place(t)
	s := create(t, path)
	insert(t, s, apiKey("a"))
	other := begin(t, "hold", path)
	require.True(t, other.out.Scan())
	for name, call := range map[string]func(ctx context.Context) error{
		"Insert":   func(ctx context.Context) error { return s.Insert(ctx, apiKey("b"), unlimited) },
		"Update":   func(ctx context.Context) error { return s.Update(ctx, apiKey("a")) },
		"Delete":   func(ctx context.Context) error { return s.Delete(ctx, "a", 0) },
		"AddUsage": func(ctx context.Context) error { return s.AddUsage(ctx, usedOnce("a")) },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		require.ErrorIs(t, call(ctx), context.DeadlineExceeded, name)
		cancel()
	}
	require.Equal(t, apiKey("a"), lookup(t, s, "a"))
	require.Equal(t, apiKey("a"), lookup(t, open(t, path), "a"))

	waiting := make(chan error, 1)
	go func() { waiting <- s.Insert(t.Context(), apiKey("b"), unlimited) }()
	other.kill(t)
	require.NoError(t, <-waiting, "the lock of a process that is gone is free")
}
