package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"
)

// lockPoll is how often a lock that another process holds is tried. Short, since a process that mutates without pause
// leaves it free for some ten microseconds at a time; a try costs less than one.
const lockPoll = 250 * time.Microsecond

// Lock keeps other processes from writing, and other Locks in this one. The kernel lets go of it when the process ends,
// however it ends.
//
// The file carries a number, the highest that was written: a memory beside the file that it protects.
type Lock struct{ f *os.File }

// Acquire waits for the lock until ctx ends. Like is the stat of the file to be protected, nil if there is none.
func Acquire(ctx context.Context, path string, like fs.FileInfo) (*Lock, error) {
	for {
		l, err := try(path, like)
		if err == nil {
			return l, nil
		}
		if !errors.Is(err, errHeld) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for %s, which another process holds: %w", path, ctx.Err())
		case <-time.After(lockPoll):
		}
	}
}

var errHeld = errors.New("held by another")

func try(path string, like fs.FileInfo) (lock *Lock, err error) {
	f, err := openLock(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = f.Close() // err is the news
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := Check(path, info); err != nil {
		return nil, err
	}
	if err := holdLock(f); err != nil {
		return nil, err
	}
	// Whoever deleted the file meanwhile made way for a second lock.
	if there, err := Inspect(path); err != nil || !os.SameFile(there, info) {
		return nil, errHeld
	}
	if like != nil {
		if err := adopt(f, like); err != nil {
			return nil, fmt.Errorf("keeping the owner of %s: %w", path, err)
		}
	}
	return &Lock{f}, nil
}

// Release lets the next one in.
func (l *Lock) Release() {
	freeLock(l.f)
	_ = l.f.Close() // there is nothing to write
}

// Number returns what SetNumber wrote, 0 if nothing legible.
func (l *Lock) Number() uint64 { return number(io.NewSectionReader(l.f, 0, 32)) }

// SetNumber notes n. It is not on disk when SetNumber returns: after a power failure the number may be an earlier one.
func (l *Lock) SetNumber(n uint64) error {
	_, err := l.f.WriteAt(fmt.Appendf(nil, "%020d\n", n), 0)
	return err
}

// Number reads the number of the lock at path without taking it: 0 if there is no lock, or nothing legible in it.
func Number(path string) uint64 {
	info, err := Inspect(path)
	if err != nil || !info.Mode().IsRegular() {
		return 0
	}
	f, err := open(path)
	if err != nil {
		return 0
	}
	defer f.Close() //nolint:errcheck // read only
	return number(f)
}

func number(r io.Reader) uint64 {
	text, err := io.ReadAll(io.LimitReader(r, 32))
	if err != nil {
		return 0
	}
	line, ok := strings.CutSuffix(string(text), "\n")
	n, err := strconv.ParseUint(line, 10, 64)
	if !ok || err != nil {
		return 0
	}
	return n
}
