// Package bboltstore keeps Claviger's records in a bbolt file. It is an example
// of a store of one's own: copy it, and change what your engine does otherwise.
//
// It shows how a transactional key-value store keeps the duties of
// [keystore.KeyStore]: every mutation reads, decides and writes in a single
// transaction; a record is stored as its own encoding; and keys in the order of
// List serve pages, cursors and quotas. One call of storetest proves it.
//
// It is an AdminStore and nothing more. A Watcher would tell of changes that
// other processes make, and there are none; a UsageStore would be one more kind
// of key.
//
// # One process
//
// bbolt locks its file: while a Store is open, no second one can be opened on
// it, here or in another process, and Open fails after a second. So a service
// that runs as several processes needs another store, an admin tool has to ask
// the service, and a new version of the service can open the file only when the
// old one has closed it. Share one Store, and one Keys on it.
//
// # What waits for what
//
// A mutation that returned nil is on the disk. Writes take turns. Reads and
// writes do not wait for each other, except when the file has to grow: then the
// write waits for the reads that have begun, and new reads wait for the write.
// That is why List reads no more than MaxPage records in a transaction.
package bboltstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"

	"go.etcd.io/bbolt"

	"github.com/claviger-go/claviger/keystore"
)

var _ keystore.AdminStore = (*Store)(nil)

const bucket = "claviger"

// isID keeps out what JSON would change on its way, such as broken UTF-8.
var isID = regexp.MustCompile(`^[0-9A-Za-z:]{1,80}$`)

// Store is a [keystore.AdminStore], safe for concurrent use.
type Store struct {
	db *bbolt.DB
	// writing is held by whoever writes. bbolt has a lock for that too, but who
	// waits for that one cannot give up when ctx ends.
	writing chan struct{}
}

// Open opens the file at path, or makes it.
func Open(path string) (*Store, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		return nil, fmt.Errorf("bboltstore: open %s (a timeout: it is open elsewhere): %w", path, err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists([]byte(bucket))
		return err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("bboltstore: open %s: %w", path, err), db.Close())
	}
	return &Store{db: db, writing: make(chan struct{}, 1)}, nil
}

// Close closes the file when all that is under way is done. Whatever is called
// afterwards fails, which Keys takes for "cannot answer".
func (s *Store) Close() error { return s.db.Close() }

// Lookup implements [keystore.KeyStore].
func (s *Store) Lookup(ctx context.Context, id string) (r keystore.Record, err error) {
	err = s.read(ctx, func(b *bbolt.Bucket) error {
		r, err = get(b, id)
		return err
	})
	return r, err
}

// Insert implements [keystore.AdminStore].
func (s *Store) Insert(ctx context.Context, r keystore.Record, q keystore.Quota) error {
	if !isID.MatchString(r.ID) {
		return fmt.Errorf("bboltstore: insert: %q is no id", r.ID)
	}
	return s.write(ctx, func(b *bbolt.Bucket) error {
		switch stored, err := get(b, r.ID); {
		case errors.Is(err, keystore.ErrNotFound):
			return errors.Join(admit(b, r, q), put(b, r))
		case err != nil:
			return err
		case r.Op != "" && r.Op == stored.Op:
			return nil // sent twice
		default:
			return keystore.ErrExists
		}
	})
}

// Update implements [keystore.AdminStore].
func (s *Store) Update(ctx context.Context, r keystore.Record) error {
	return s.write(ctx, func(b *bbolt.Bucket) error {
		stored, err := get(b, r.ID)
		switch {
		case err != nil:
			return err
		case r.Op != "" && r.Op == stored.Op && stored.Version == r.Version+1:
			return nil // sent twice; asked first, since it may have been the revocation
		case !stored.Revoked.IsZero():
			return keystore.ErrRevoked
		case stored.Version != r.Version:
			return keystore.ErrConflict
		}
		r.Version++
		return errors.Join(remove(b, stored), put(b, r))
	})
}

// Delete implements [keystore.AdminStore].
func (s *Store) Delete(ctx context.Context, id string, version uint64) error {
	return s.write(ctx, func(b *bbolt.Bucket) error {
		stored, err := get(b, id)
		switch {
		case errors.Is(err, keystore.ErrNotFound):
			return nil
		case err != nil:
			return err
		case version != 0 && version != stored.Version:
			return keystore.ErrConflict
		}
		return remove(b, stored)
	})
}

func (s *Store) read(ctx context.Context, do func(*bbolt.Bucket) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.db.View(func(tx *bbolt.Tx) error { return do(tx.Bucket([]byte(bucket))) })
}

// write keeps all that do wrote, or nothing when do returns an error.
func (s *Store) write(ctx context.Context, do func(*bbolt.Bucket) error) error {
	select {
	case s.writing <- struct{}{}:
		defer func() { <-s.writing }()
	case <-ctx.Done():
	}
	if err := ctx.Err(); err != nil { // also when both were ready
		return err
	}
	return s.db.Update(func(tx *bbolt.Tx) error { return do(tx.Bucket([]byte(bucket))) })
}

func get(b *bbolt.Bucket, id string) (r keystore.Record, err error) {
	text := b.Get(byID(id))
	if text == nil {
		return r, keystore.ErrNotFound
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("bboltstore: record %s: %w", id, err)
	}
	return r, nil
}
