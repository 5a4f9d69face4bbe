package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/claviger-go/claviger/keystore"
)

// memory is how long Redis remembers that a call has run: longer than a client sends it again.
const memory = time.Minute

// Insert stores a new record with r.Version as it stands. An error wraps
//
//   - [keystore.ErrExists] if another mutation than r.Op, or none that is named, has stored a record with this id;
//   - [keystore.ErrQuota] if q.Max is not 0 and the owner has q.Max records or more that count. A negative q.Max
//     admits none. They are counted by one command, whose cost does not depend on their number.
//
// Any other error means that the id is not 1 to 80 bytes of [0-9A-Za-z:], that r has no JSON encoding, or that Redis
// gave no answer; the record may then be stored. r is encoded before anything is sent and not kept.
func (s *Store) Insert(ctx context.Context, r keystore.Record, q keystore.Quota) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := checkID(r.ID); err != nil {
		return err
	}
	value, err := encode(r)
	if err != nil {
		return err
	}
	now := microseconds(q.Now)
	if now < 1<<63-1 {
		now++ // A record that expires now does not count.
	}
	return s.mutate(ctx, mutation{script: s.scripts.insert, id: r.ID, args: []any{value, q.Max, instant(now)}})
}

// Update replaces the record if it is not revoked and its version is r.Version, and stores r.Version+1. Otherwise
// nothing is written, and an error wraps
//
//   - [keystore.ErrNotFound] if no record has this id;
//   - [keystore.ErrRevoked] if the stored record is revoked;
//   - [keystore.ErrConflict] if the stored record has another version.
//
// The answer is nil if the stored record has r.Version+1 and r.Op: this very update was sent before. Any other error
// means that r has no JSON encoding, that Redis gave no answer, or that too few of Config.Replicas confirmed a
// revocation; the record may then be replaced. r is encoded before anything is sent and not kept. An update that sets
// Revoked is carried out even when the server's memory is full.
func (s *Store) Update(ctx context.Context, r keystore.Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if checkID(r.ID) != nil {
		return keystore.ErrNotFound
	}
	expected := r.Version
	r.Version++
	value, err := encode(r)
	if err != nil {
		return err
	}
	m := mutation{script: s.scripts.update, id: r.ID, args: []any{value, strconv.FormatUint(expected, 10)}}
	if !r.Revoked.IsZero() {
		m.script, m.final = s.scripts.revoke, true
	}
	return s.mutate(ctx, m)
}

// Delete removes the record, and what is known of its usage, if its version is version; 0 stands for any version.
// [keystore.ErrConflict] if it has another one. To delete what is not there is no error. Any other error means that
// Redis gave no answer, or that too few of Config.Replicas confirmed; the record may then be gone. It is carried out
// even when the server's memory is full.
func (s *Store) Delete(ctx context.Context, id string, version uint64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if checkID(id) != nil {
		return nil //nolint:nilerr // a malformed id is one that no record has
	}
	err := s.mutate(ctx, mutation{
		script: s.scripts.delete, id: id, args: []any{strconv.FormatUint(version, 10)}, final: true,
	})
	if errors.Is(err, keystore.ErrNotFound) {
		return nil
	}
	return err
}

// mutation is one call of a script that writes.
type mutation struct {
	script *redis.Script
	id     string
	key    string // what it writes, if not the record
	args   []any
	final  bool // replicas have to confirm what it says
}

func (s *Store) mutate(ctx context.Context, m mutation) error {
	key := m.key
	if key == "" {
		key = s.keys.record(m.id)
	}
	// The nonce stays the same when the client sends the call again, and is another one when the caller does.
	keys := []string{key, s.keys.sent(nonce())}
	args := append([]any{string(s.keys), memory.Milliseconds(), m.id}, m.args...)
	reply, err := within(ctx, s, func() (any, error) {
		if m.final && s.config.Replicas > 0 {
			return s.confirmed(ctx, m.script, keys, args)
		}
		return m.script.Run(ctx, s.client, keys, args...).Result()
	})
	if err != nil {
		return err
	}
	switch reply {
	case replyOK:
		return nil
	case replyMissing:
		return keystore.ErrNotFound
	case replyExists:
		return keystore.ErrExists
	case replyQuota:
		return keystore.ErrQuota
	case replyRevoked:
		return keystore.ErrRevoked
	case replyConflict:
		return keystore.ErrConflict
	}
	return fmt.Errorf("redisstore: a script answered %T, which it never does", reply)
}
