package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/claviger-go/claviger/adapters/filestore/internal/disk"
	"github.com/claviger-go/claviger/keystore"
)

// fresh returns the file as it is after the call began.
func (s *Store) fresh(ctx context.Context) (*snapshot, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if sn := s.unchanged(); sn != nil {
		return sn, nil
	}
	if err := s.loading.enter(ctx); err != nil {
		return nil, err
	}
	defer s.loading.leave()
	// Whoever was in before may have read it.
	if sn := s.unchanged(); sn != nil {
		return sn, nil
	}
	return s.load()
}

// unchanged returns the current snapshot if the file still is the one that it was read from.
func (s *Store) unchanged() *snapshot {
	info, err := disk.Inspect(s.path)
	if err != nil {
		return nil
	}
	if sn := s.current.Load(); sn != nil && disk.Same(sn.info, info) {
		return sn
	}
	return nil
}

// load reads the file. What is wrong with it leaves the current snapshot alone, and nobody gets to see that.
func (s *Store) load() (*snapshot, error) {
	info, err := disk.Inspect(s.path)
	if err == nil && s.refused.err != nil && disk.Same(s.refused.info, info) {
		return nil, s.refused.err
	}
	before := s.current.Load()
	data, info, err := disk.Read(s.path, 2*s.limit)
	switch {
	case errors.Is(err, fs.ErrNotExist) && before != nil:
		return nil, vanished(s.path, before.generation, err)
	case errors.Is(err, disk.ErrTooLarge):
		return nil, damaged(s.path, err.Error())
	case err != nil:
		return nil, fmt.Errorf("filestore: %w", err)
	}
	if err := disk.CheckDir(s.path, info); err != nil {
		return nil, fmt.Errorf("filestore: %w", err)
	}
	sn, err := parse(data, before)
	switch {
	case errors.Is(err, keystore.ErrNewerFormat):
		err = fmt.Errorf("filestore: %s: %w", s.path, err)
	case err != nil:
		err = damaged(s.path, err.Error())
	case before != nil && sn.generation < before.generation:
		err = older(s.path, sn.generation, before.generation)
	}
	if err != nil {
		s.refused = refused{info, err}
		return nil, err
	}
	s.publish(sn, info)
	return sn, nil
}

// publish makes sn the current snapshot; the caller is in the loading gate.
func (s *Store) publish(sn *snapshot, info fs.FileInfo) {
	s.refused = refused{}
	sn.info = info
	if before := s.current.Swap(sn); before != nil && s.hub.listened() {
		s.hub.tell(before.changes(sn))
	}
}

// gate lets one in at a time, and those who wait can give up.
type gate chan struct{}

func newGate() gate { return make(gate, 1) }

func (g gate) enter(ctx context.Context) error {
	select {
	case g <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g gate) leave() { <-g }
