package filestore

import (
	"context"
	"fmt"

	"github.com/claviger-go/claviger/keystore"
)

// Insert stores a new record with r.Version as it stands. An error wraps
//
//   - [keystore.ErrExists] if another mutation than r.Op, or none that is named, has stored a record with this id;
//   - [keystore.ErrQuota] if q.Max is not 0 and the owner has q.Max records or more that count. A negative q.Max
//     admits none;
//   - [ErrFull] if the file would grow beyond 64 MiB.
//
// Any other error means that the id is not 1 to 80 bytes of [0-9A-Za-z:], that r has no JSON encoding, or that the file
// cannot be read or written. r is encoded before Insert returns and not kept.
func (s *Store) Insert(ctx context.Context, r keystore.Record, q keystore.Quota) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := checkID(r.ID); err != nil {
		return err
	}
	e, err := encode(r)
	if err != nil {
		return err
	}
	return s.mutate(ctx, func(base *snapshot) (*snapshot, error) {
		stored, exists := base.byID[e.id]
		switch {
		case exists && stored.writtenBy(e.op):
			return nil, nil
		case exists:
			return nil, keystore.ErrExists
		case base.reached(e, q):
			return nil, keystore.ErrQuota
		}
		return s.within(base.edit(nil, e), s.limit)
	})
}

// Update replaces the record if it is not revoked and its version is r.Version, and stores r.Version+1. Otherwise
// nothing is written, and an error wraps
//
//   - [keystore.ErrNotFound] if no record has this id;
//   - [keystore.ErrRevoked] if the stored record is revoked;
//   - [keystore.ErrConflict] if the stored record has another version;
//   - [keystore.ErrNewerFormat] if this version cannot read the stored record.
//
// The answer is nil if the stored record has r.Version+1 and r.Op: this very update was sent before. Any other error
// means that r has no JSON encoding, or that the file cannot be read or written. r is encoded before Update returns and
// not kept.
func (s *Store) Update(ctx context.Context, r keystore.Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if checkID(r.ID) != nil {
		return keystore.ErrNotFound
	}
	expected := r.Version
	r.Version++
	e, err := encode(r)
	if err != nil {
		return err
	}
	return s.mutate(ctx, func(base *snapshot) (*snapshot, error) {
		stored, exists := base.byID[e.id]
		switch {
		case !exists:
			return nil, keystore.ErrNotFound
		case stored.version == e.version && stored.writtenBy(e.op):
			return nil, nil
		case stored.writtenByNewer:
			_, err := stored.record()
			return nil, err
		case stored.revoked:
			return nil, keystore.ErrRevoked
		case stored.version != expected:
			return nil, keystore.ErrConflict
		}
		return s.within(base.edit(stored, e), 2*s.limit)
	})
}

// Delete removes the record if its version is version; 0 stands for any version. [keystore.ErrConflict] if it has
// another one. To delete what is not there is no error.
func (s *Store) Delete(ctx context.Context, id string, version uint64) error {
	return s.mutate(ctx, func(base *snapshot) (*snapshot, error) {
		stored, exists := base.byID[id]
		switch {
		case !exists:
			return nil, nil
		case version != 0 && version != stored.version:
			return nil, keystore.ErrConflict
		}
		return base.edit(stored, nil), nil
	})
}

func (s *Store) within(next *snapshot, limit int64) (*snapshot, error) {
	if next.size > limit {
		return nil, fmt.Errorf("%w: %s would have %d bytes, at most %d; delete records, or move to a database", ErrFull, s.path, next.size, limit)
	}
	return next, nil
}
