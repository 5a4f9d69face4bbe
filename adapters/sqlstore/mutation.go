package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/claviger-go/claviger/keystore"
)

// The statements that write. Those of a transaction come in this order, so that two never wait for each other: claim,
// record, usage, counter, change.
const (
	insertText = "INSERT INTO claviger_records (id, version, op, kind, owner, type, parent, created, expires, revoked, data)" +
		" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
	updateText = "UPDATE claviger_records SET version = ?, op = ?, kind = ?, owner = ?, type = ?, parent = ?," +
		" created = ?, expires = ?, revoked = ?, data = ? WHERE id = ? AND version = ? AND revoked IS NULL"
	deleteText        = "DELETE FROM claviger_records WHERE id = ?"
	deleteVersionText = "DELETE FROM claviger_records WHERE id = ? AND version = ?"
	forgetText        = "DELETE FROM claviger_usage WHERE id = ?"
	advanceText       = "UPDATE claviger_counter SET n = n + 1 WHERE one = 1"
	// The counter's row is locked by now, so n is this transaction's own.
	announceText = "INSERT INTO claviger_changes (seq, id) VALUES ((SELECT n FROM claviger_counter WHERE one = 1), ?)"
	pruneText    = "DELETE FROM claviger_changes WHERE seq <= ?"

	stampText = "SELECT version, op, revoked FROM claviger_records WHERE id = ?"
)

func (s *Store) insertTexts() []string {
	return []string{s.engine.Claim, quotaText, insertText + s.engine.IgnoreExisting}
}

func (s *Store) updateTexts() []string {
	return []string{updateText, advanceText, announceText + s.engine.IgnoreAnnounced}
}

func (s *Store) deleteTexts() []string {
	return []string{deleteText, deleteVersionText, forgetText, advanceText, announceText + s.engine.IgnoreAnnounced}
}

var errUnchanged = errors.New("nothing was written")

// Insert stores a new record with r.Version as it stands. An error wraps
//
//   - [keystore.ErrExists] if another mutation than r.Op, or none that is named, has stored a record with this id;
//   - [keystore.ErrQuota] if q.Max is not 0 and the owner has q.Max records or more that count. A negative q.Max
//     admits none.
//
// Any other error means that nothing is known (see [Store]), that the id is malformed, that r has no JSON encoding, or
// that a text is longer than its column: owner 256 bytes, type and kind 64.
//
// With a quota the inserts of one owner, type and kind wait for each other, in all processes.
func (s *Store) Insert(ctx context.Context, r keystore.Record, q keystore.Quota) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := checkID(r.ID); err != nil {
		return err
	}
	w, err := rowOf(r)
	if err != nil {
		return err
	}
	err = s.write(ctx, s.insertTexts(), func(t *transaction) error {
		if err := t.admit(ctx, &w, q); err != nil {
			return err
		}
		n, err := t.exec(ctx, insertText+s.engine.IgnoreExisting, w.id, w.version, w.op, w.kind, w.owner, w.typ, w.parent, w.created,
			w.expires, w.revoked, w.data)
		if err == nil && n == 0 || err != nil && s.engine.Exists(err) {
			return keystore.ErrExists
		}
		return err
	})
	if errors.Is(err, keystore.ErrExists) || errors.Is(err, keystore.ErrQuota) {
		// What is stored may be this very insert, sent before. It then counts towards its own quota.
		stored, found, stampErr := s.stamp(ctx, w.id)
		switch {
		case stampErr != nil:
			err = stampErr
		case found && stored.by(r.Op):
			return nil
		case found:
			return keystore.ErrExists
		}
	}
	return s.wrap(ctx, "inserting a record", err)
}

// Update replaces the record if it is not revoked and its version is r.Version, and stores r.Version+1. Otherwise
// nothing is written, and an error wraps
//
//   - [keystore.ErrNotFound] if no record has this id;
//   - [keystore.ErrRevoked] if the stored record is revoked;
//   - [keystore.ErrConflict] if the stored record has another version.
//
// The answer is nil if the stored record has r.Version+1 and r.Op: this very update was sent before. For any other error
// see [Store.Insert].
func (s *Store) Update(ctx context.Context, r keystore.Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if checkID(r.ID) != nil {
		return keystore.ErrNotFound
	}
	expected := r.Version
	r.Version++
	w, err := rowOf(r)
	if err != nil {
		return err
	}
	err = s.write(ctx, s.updateTexts(), func(t *transaction) error {
		n, err := t.exec(ctx, updateText, w.version, w.op, w.kind, w.owner, w.typ, w.parent, w.created, w.expires,
			w.revoked, w.data, w.id, signed(expected))
		if err != nil {
			return err
		}
		if n == 0 {
			return errUnchanged
		}
		return t.announce(ctx, w.id)
	})
	if errors.Is(err, errUnchanged) {
		err = s.explain(ctx, r, w)
	}
	return s.wrap(ctx, "updating a record", err)
}

// explain tells why an update matched no row.
func (s *Store) explain(ctx context.Context, r keystore.Record, w row) error {
	stored, found, err := s.stamp(ctx, w.id)
	switch {
	case err != nil:
		return err
	case !found:
		return keystore.ErrNotFound
	case stored.version == w.version && stored.by(r.Op):
		return nil // sent before; asked first, since it may be what revoked the record
	case stored.revoked:
		return keystore.ErrRevoked
	}
	return keystore.ErrConflict
}

// Delete removes the record, and what is known of its usage, if its version is version; 0 stands for any version.
// [keystore.ErrConflict] if it has another one. To delete what is not there is no error.
func (s *Store) Delete(ctx context.Context, id string, version uint64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if checkID(id) != nil {
		return nil //nolint:nilerr // no record has such an id
	}
	text, args := deleteText, []any{[]byte(id)}
	if version != 0 {
		text, args = deleteVersionText, append(args, signed(version))
	}
	err := s.write(ctx, s.deleteTexts(), func(t *transaction) error {
		n, err := t.exec(ctx, text, args...)
		if err != nil {
			return err
		}
		if n == 0 {
			return errUnchanged
		}
		if _, err := t.exec(ctx, forgetText, []byte(id)); err != nil {
			return err
		}
		return t.announce(ctx, []byte(id))
	})
	if errors.Is(err, errUnchanged) {
		err = nil
		if version != 0 {
			var found bool
			if _, found, err = s.stamp(ctx, []byte(id)); found {
				err = keystore.ErrConflict
			}
		}
	}
	return s.wrap(ctx, "deleting a record", err)
}

// announce makes the change known to every Watch. The row of the counter is what all writers share, so it is locked
// last, and held for one statement and the commit.
func (t *transaction) announce(ctx context.Context, id []byte) error {
	n, err := t.exec(ctx, advanceText)
	if err != nil {
		return err
	}
	if n != 1 {
		return errors.New("claviger_counter has no row")
	}
	_, err = t.exec(ctx, announceText+t.store.engine.IgnoreAnnounced, id)
	return err
}

// stamp is who wrote a record last.
type stamp struct {
	version int64
	op      string
	revoked bool
}

// by reports whether the mutation op wrote it (KS15). An op without a name is nobody's.
func (s stamp) by(op string) bool { return op != "" && s.op == op }

func (s *Store) stamp(ctx context.Context, id []byte) (stored stamp, found bool, err error) {
	query, err := s.statements.prepare(ctx, stampText)
	if err != nil {
		return stamp{}, false, err
	}
	var op []byte
	var revoked sql.NullInt64
	err = s.again(ctx, func() error { return query.QueryRowContext(ctx, id).Scan(&stored.version, &op, &revoked) })
	if errors.Is(err, sql.ErrNoRows) {
		return stamp{}, false, nil
	}
	stored.op, stored.revoked = string(op), revoked.Valid
	return stored, err == nil, err
}
