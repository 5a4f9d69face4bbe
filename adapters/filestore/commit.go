package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/claviger-go/claviger/adapters/filestore/internal/disk"
)

// mutateAttempts bounds how often a mutation starts over because something that does not take the lock has replaced the
// file, such as an operator.
const mutateAttempts = 3

var errOvertaken = errors.New("something that does not take the lock replaces the file")

// mutate replaces the file by what change makes of it, alone among all processes. A nil snapshot changes nothing.
func (s *Store) mutate(ctx context.Context, change func(*snapshot) (*snapshot, error)) error {
	lock, release, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	for range mutateAttempts {
		base, err := s.fresh(ctx)
		if err != nil {
			return err
		}
		if known := lock.Number(); base.generation < known {
			return older(s.path, base.generation, known)
		}
		next, err := change(base)
		if err != nil || next == nil {
			return err
		}
		if err := s.commit(ctx, lock, base.info, next); !errors.Is(err, errOvertaken) {
			return err
		}
	}
	return fmt.Errorf("filestore: %s: %w", s.path, errOvertaken)
}

// lock keeps all others from writing, in this process and elsewhere, until release.
func (s *Store) lock(ctx context.Context) (lock *disk.Lock, release func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if err := s.writing.enter(ctx); err != nil {
		return nil, nil, err
	}
	info, err := disk.Inspect(s.path)
	if err != nil {
		info = nil // whoever needs the file will say so
	}
	lock, err = disk.Acquire(ctx, s.lockPath(), info)
	if err != nil {
		s.writing.leave()
		return nil, nil, fmt.Errorf("filestore: %w", err)
	}
	return lock, func() {
		lock.Release()
		s.writing.leave()
	}, nil
}

// commit writes next over the file that old is the stat of; nil if there must be none.
func (s *Store) commit(ctx context.Context, lock *disk.Lock, old fs.FileInfo, next *snapshot) error {
	draft, err := disk.Prepare(s.path, old, next.write)
	if err != nil {
		return fmt.Errorf("filestore: nothing is changed: %w", err)
	}
	replaced := s.replace(ctx, draft, old, next)
	if err := errors.Join(replaced, draft.Discard()); err != nil {
		return err
	}
	if err := disk.SyncDir(s.path); err != nil {
		return fmt.Errorf("filestore: changed, but perhaps not beyond a power failure: %w", err)
	}
	// It only remembers. The change is done, whether or not there is room for a number.
	_ = lock.SetNumber(next.generation)
	return nil
}

// replace is the moment at which the mutation happens.
func (s *Store) replace(ctx context.Context, draft *disk.Draft, old fs.FileInfo, next *snapshot) error {
	if err := s.loading.enter(ctx); err != nil {
		return err
	}
	defer s.loading.leave()
	if err := ctx.Err(); err != nil {
		return err
	}
	info, err := disk.Inspect(s.path)
	switch {
	case old == nil && errors.Is(err, fs.ErrNotExist):
	case old == nil || err != nil || !disk.Same(old, info):
		return errOvertaken
	}
	info, err = draft.Commit()
	if err != nil {
		return fmt.Errorf("filestore: nothing is changed: %w", err)
	}
	s.publish(next, info)
	return nil
}

// create writes a file without records, unless another process has just done so.
func (s *Store) create(ctx context.Context) error {
	if err := disk.CheckDir(s.path, nil); err != nil {
		return fmt.Errorf("filestore: %w", err)
	}
	lock, release, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	_, err = disk.Inspect(s.path)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if known := lock.Number(); known > 0 {
		return vanished(s.path, known, err)
	}
	return s.commit(ctx, lock, nil, newSnapshot(1))
}
