package disk_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/filestore/internal/disk"
)

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

func replace(path, content string) (fs.FileInfo, error) {
	old, err := disk.Inspect(path)
	if err != nil {
		old = nil
	}
	d, err := disk.Prepare(path, old, text(content))
	if err != nil {
		return nil, err
	}
	info, err := d.Commit()
	return info, errors.Join(err, disk.SyncDir(path))
}

func mustReplace(tb testing.TB, path, content string) fs.FileInfo {
	tb.Helper()
	info, err := replace(path, content)
	require.NoError(tb, err)
	return info
}

// places are a file system with a disk below it, and one where a thousand versions fit into a tick of the clock.
func places(tb testing.TB) []string {
	tb.Helper()
	dirs := []string{tb.TempDir()}
	if dir, err := os.MkdirTemp("/dev/shm", "disk"); err == nil { //nolint:usetesting // that is elsewhere
		tb.Cleanup(func() { require.NoError(tb, os.RemoveAll(dir)) })
		dirs = append(dirs, dir)
	}
	return dirs
}

// Inodes come again and sizes are alike; no stat is like any other all the same.
func TestEveryVersionHasAStatOfItsOwn(t *testing.T) {
	t.Parallel()
	for _, dir := range places(t) {
		path := filepath.Join(dir, "file")
		var seen []fs.FileInfo
		for range 500 {
			info := mustReplace(t, path, "same size")
			there, err := disk.Inspect(path)
			require.NoError(t, err)
			require.True(t, disk.Same(info, there), "what Commit says is what others see")
			require.False(t, slices.ContainsFunc(seen, func(before fs.FileInfo) bool {
				return disk.Same(before, info) || !info.ModTime().After(before.ModTime())
			}))
			seen = append(seen, info)
		}
	}
}

// T-118: a clock that was set back, or a file from one that is ahead.
func TestClockRollback(t *testing.T) {
	t.Parallel()
	for _, dir := range places(t) {
		path := filepath.Join(dir, "file")
		mustReplace(t, path, "a")
		ahead := time.Now().Add(1000 * time.Hour)
		require.NoError(t, os.Chtimes(path, ahead, ahead))
		for range 10 {
			before, err := disk.Inspect(path)
			require.NoError(t, err)
			after := mustReplace(t, path, "a")
			require.True(t, after.ModTime().After(before.ModTime()))
			require.Less(t, after.ModTime().Sub(before.ModTime()), 3*time.Second)
		}
	}
}

func TestDraftThatFails(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	mustReplace(t, path, "before")
	old, err := disk.Inspect(path)
	require.NoError(t, err)
	cut := errors.New("cut short")
	_, err = disk.Prepare(path, old, func(w io.Writer) error {
		return errors.Join(text("half of i")(w), cut)
	})
	require.ErrorIs(t, err, cut)

	d, err := disk.Prepare(path, old, text("never"))
	require.NoError(t, err)
	require.FileExists(t, path+".tmp")
	require.NoError(t, d.Discard())
	require.NoError(t, d.Discard())

	require.NoFileExists(t, path+".tmp")
	data, info, err := disk.Read(path, 100)
	require.NoError(t, err)
	require.Equal(t, "before", string(data))
	require.True(t, disk.Same(old, info))
}

func TestReadIsBounded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	mustReplace(t, path, strings.Repeat("x", 1000))
	data, _, err := disk.Read(path, 1000)
	require.NoError(t, err)
	require.Len(t, data, 1000)
	_, _, err = disk.Read(path, 999)
	require.ErrorIs(t, err, disk.ErrTooLarge)
}

// A reader gets one version or another, never some of each, while the file is replaced all the time.
func TestReadWhileReplaced(t *testing.T) {
	t.Parallel()
	for _, dir := range places(t) {
		path := filepath.Join(dir, "file")
		mustReplace(t, path, strings.Repeat("0", 10_000))
		done := make(chan error, 1)
		go func() {
			var errs error
			for n := range 200 {
				_, err := replace(path, strings.Repeat(string(rune('0'+n%10)), 10_000))
				errs = errors.Join(errs, err)
			}
			done <- errs
		}()
		for reading := true; reading; {
			select {
			case err := <-done:
				require.NoError(t, err)
				reading = false
			default:
			}
			data, _, err := disk.Read(path, 10_000)
			require.NoError(t, err)
			require.Equal(t, strings.Repeat(string(data[:1]), 10_000), string(data))
		}
	}
}

func TestLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file.lock")
	require.Zero(t, disk.Number(path))
	l, err := disk.Acquire(t.Context(), path, nil)
	require.NoError(t, err)
	require.Zero(t, l.Number())
	require.NoError(t, l.SetNumber(18446744073709551615))
	require.NoError(t, l.SetNumber(42))
	require.EqualValues(t, 42, l.Number())
	require.EqualValues(t, 42, disk.Number(path), "read without waiting")

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err = disk.Acquire(ctx, path, nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, path)

	got := make(chan uint64)
	go func() {
		next, err := disk.Acquire(t.Context(), path, nil)
		if err != nil {
			close(got)
			return
		}
		got <- next.Number()
		next.Release()
	}()
	l.Release()
	require.EqualValues(t, 42, <-got)

	for _, illegible := range []string{"", "42", "x\n", "-1\n", strings.Repeat("9", 40) + "\n", "\x00\x00\x00\x00"} {
		require.NoError(t, os.WriteFile(path, []byte(illegible), 0o600))
		require.Zero(t, disk.Number(path), "%q", illegible)
	}
}

// One at a time, also if the lock is deleted by hand between two holders.
func TestLockIsExclusive(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file.lock")
	var held atomic.Int32
	done := make(chan error)
	for worker := range 8 {
		go func() {
			for range 100 {
				l, err := disk.Acquire(t.Context(), path, nil)
				if err != nil {
					done <- err
					return
				}
				if n := held.Add(1); n != 1 {
					t.Errorf("%d hold the lock", n)
				}
				<-time.After(50 * time.Microsecond)
				held.Add(-1)
				if worker == 0 {
					_ = os.Remove(path)
				}
				l.Release()
			}
			done <- nil
		}()
	}
	for range 8 {
		require.NoError(t, <-done)
	}
}
