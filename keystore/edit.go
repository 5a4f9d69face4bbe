package keystore

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/claviger-go/claviger/scopes"
)

// Errors of mutations, besides those of a store.
var (
	// ErrInvalid: the record as asked for cannot be; the text says what about it.
	ErrInvalid = errors.New("keystore: invalid")
	// ErrImmutable: Edit changed a field that never changes.
	ErrImmutable = errors.New("keystore: immutable field")
	// ErrExpired: Edit moved the expiry of a record that has expired already.
	ErrExpired = errors.New("keystore: the record has expired, and stays so")
)

// editAttempts bounds how often Edit starts over after a conflict.
const editAttempts = 32

// Lookup reads a record from the store, past the cache.
func (k *Keys) Lookup(ctx context.Context, id string) (r Record, err error) {
	defer recoverInto(&err)
	r, err = k.ask(ctx, id)
	return r, wrapStore(err)
}

// Edit reads a record, lets change alter it, and writes it back; after a conflict
// it starts over, so change may run more than once. What change returns as error
// ends it, and nothing is written. The record as stored is returned.
//
// change may set Name, Scopes, Limits, NotBefore, Expires, Suspended, Revoked,
// Client, Grant, Generation and Meta; a change of anything else is
// [ErrImmutable]. Revoked records are [ErrRevoked]. What the store holds then counts
// in this process when Edit returns, also with an error, which may hide a success.
func (k *Keys) Edit(ctx context.Context, id string, change func(*Record) error) (Record, error) {
	before, after, err := k.edit(ctx, id, func(before, after *Record) error {
		if err := change(after); err != nil {
			return err
		}
		return k.allowEdit(before, after)
	})
	if err != nil {
		return before, err
	}
	k.tellEdit(ctx, &before, &after)
	return after, nil
}

// edit is the one way in which a record changes.
func (k *Keys) edit(ctx context.Context, id string, change func(before, after *Record) error) (before, after Record, err error) {
	if k.admin == nil {
		return Record{}, Record{}, ErrReadOnly
	}
	defer k.changed(id) // also where nothing is left to do: somebody else may have done it just now
	for range editAttempts {
		before, err = k.Lookup(ctx, id)
		if err != nil {
			return Record{}, Record{}, err
		}
		if !before.Revoked.IsZero() {
			return before, Record{}, ErrRevoked
		}
		after = before.clone()
		if err := change(&before, &after); err != nil {
			return before, Record{}, err
		}
		if err = k.update(ctx, &after); !errors.Is(err, ErrConflict) {
			return before, after, err
		}
	}
	return Record{}, Record{}, fmt.Errorf("keystore: editing %s: %w, %d times over", id, ErrConflict, editAttempts)
}

// allowEdit refuses what an edit must not do.
func (k *Keys) allowEdit(before, after *Record) error {
	for _, f := range []struct {
		name string
		same bool
	}{
		{"ID", before.ID == after.ID},
		{"Version", before.Version == after.Version},
		{"Op", before.Op == after.Op},
		{"Kind", before.Kind == after.Kind},
		{"Parent", before.Parent == after.Parent},
		{"ParentSecret", before.ParentSecret == after.ParentSecret},
		{"Owner", before.Owner == after.Owner},
		{"Type", before.Type == after.Type},
		{"Env", before.Env == after.Env},
		{"Secrets", sameSecrets(before.Secrets, after.Secrets)},
		{"Created", before.Created.Equal(after.Created)},
		{"CreatedBy", before.CreatedBy == after.CreatedBy},
		{"Reminded", before.Reminded == after.Reminded},
	} {
		if !f.same {
			return fmt.Errorf("%w: %s of %s", ErrImmutable, f.name, before.ID)
		}
	}
	if !before.Expires.Equal(after.Expires) {
		now := k.config.Now()
		if before.expired(now) {
			return fmt.Errorf("%w: %s, on %s; issue a new key", ErrExpired, before.ID, before.Expires.Format(time.RFC3339))
		}
		if err := k.checkLifetime(now, after.Expires); err != nil && after.Kind == KindAPIKey {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	if !before.Scopes.Equal(after.Scopes) {
		granted, err := k.grant(after.Scopes.Scopes())
		if err != nil {
			return err
		}
		after.Scopes = granted
	}
	if err := k.validate(after); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}

func sameSecrets(a, b []StoredSecret) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].N != b[i].N || a[i].Hash != b[i].Hash || !a[i].Created.Equal(b[i].Created) || !a[i].Expires.Equal(b[i].Expires) {
			return false
		}
	}
	return true
}

// grant makes a Set of names; a lone "*" is Full Access, which whoever put it
// into a record granted as such.
func (k *Keys) grant(names []scopes.Scope) (scopes.Set, error) {
	if len(names) == 1 && names[0] == "*" {
		return scopes.FullAccess(), nil
	}
	granted, err := k.config.Catalog.Grant(names...)
	if err != nil {
		return scopes.Set{}, fmt.Errorf("%w: scopes: %w", ErrInvalid, err)
	}
	return granted, nil
}

func (k *Keys) tellEdit(ctx context.Context, before, after *Record) {
	switch {
	case !after.Revoked.IsZero():
		k.happened(ctx, EventRevoked, after, after.Revoked.Reason)
	case !after.Suspended.IsZero() && before.Suspended.Reason != after.Suspended.Reason:
		k.happened(ctx, EventSuspended, after, after.Suspended.Reason)
	case !before.Suspended.IsZero() && after.Suspended.IsZero():
		k.happened(ctx, EventResumed, after, before.Suspended.Reason)
	case after.Generation.Lowest > before.Generation.Lowest:
		k.happened(ctx, EventEnded, after, "")
	default:
		k.happened(ctx, EventEdited, after, "")
	}
}

// Suspend makes a record and all that hangs on it useless until Resume. Suspending
// twice keeps the first mark, unless that was [ReasonOwner]: such a one is lifted by
// [Keys.ResumeOwner], whoever made it.
func (k *Keys) Suspend(ctx context.Context, id string, reason Reason) error {
	return k.mark(ctx, id, func(r *Record) (*Mark, bool) { return &r.Suspended, true }, reason)
}

// Resume ends a suspension. Resuming what is not suspended is nothing.
func (k *Keys) Resume(ctx context.Context, id string) error {
	return k.mark(ctx, id, func(r *Record) (*Mark, bool) { return &r.Suspended, false }, "")
}

// Revoke ends a record for good, and with it all that hangs on it: in this process
// when Revoke returns, in others within MaxStaleness. Revoking twice keeps the first
// mark. After an error the record may be revoked or not: revoke it again.
func (k *Keys) Revoke(ctx context.Context, id string, reason Reason) error {
	err := k.mark(ctx, id, func(r *Record) (*Mark, bool) { return &r.Revoked, true }, reason)
	if errors.Is(err, ErrRevoked) {
		return nil
	}
	return err
}

// mark sets or clears a mark.
func (k *Keys) mark(ctx context.Context, id string, which func(*Record) (*Mark, bool), reason Reason) error {
	before, after, err := k.settle(ctx, id, func(r *Record) bool {
		m, set := which(r)
		// What suspends a key for itself outlasts its owner's suspension.
		more := set && m.Reason == ReasonOwner && reason != ReasonOwner
		if m.IsZero() != set && !more {
			return false
		}
		*m = Mark{}
		if set {
			*m = k.newMark(ctx, reason)
		}
		return true
	})
	if after != nil {
		k.tellEdit(ctx, before, after)
	}
	return err
}

func (k *Keys) newMark(ctx context.Context, reason Reason) Mark {
	set(&reason, ReasonUnspecified)
	return Mark{At: k.config.Now(), Reason: Reason(label(string(reason), maxShort)), By: actor(ctx)}
}

var errNothingToDo = errors.New("nothing to do")

// settle changes a record if change says that there is something to do, and returns
// it as it was and as it is now; no after: nothing was done. It must work however
// somebody else's adapter filled the rest of the record, which is therefore not
// looked at.
func (k *Keys) settle(ctx context.Context, id string, change func(*Record) bool) (before, after *Record, err error) {
	was, is, err := k.edit(ctx, id, func(_, r *Record) error {
		if !change(r) {
			return errNothingToDo
		}
		return nil
	})
	switch {
	case errors.Is(err, errNothingToDo):
		return &was, nil, nil
	case err != nil:
		return nil, nil, err
	}
	return &was, &is, nil
}

// Delete removes a record, and the aliases of an imported key. Its children
// authenticate no more. Deleting what is not there is nothing.
//
// Rather Revoke a key that others may hold: a deleted imported key can be imported
// again.
func (k *Keys) Delete(ctx context.Context, id string) error {
	if k.admin == nil {
		return ErrReadOnly
	}
	if !validID(id) {
		return nil // and not the parent "", which to List is any
	}
	if err := k.remove(ctx, id); err != nil {
		return err
	}
	for alias, err := range k.All(ctx, Filter{Parent: id, Kind: KindAlias}) {
		if err != nil {
			return err
		}
		if err := k.remove(ctx, alias.ID); err != nil {
			return err
		}
	}
	k.happened(ctx, EventDeleted, &Record{ID: id}, "")
	return nil
}

func (k *Keys) remove(ctx context.Context, id string) (err error) {
	defer k.changed(id)
	defer recoverInto(&err)
	return wrapStore(k.admin.Delete(ctx, id, 0))
}

func (k *Keys) insert(ctx context.Context, r *Record, q Quota) error {
	if err := k.validate(r); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return k.write(r, func(r Record) error { return k.admin.Insert(ctx, r, q) })
}

func (k *Keys) update(ctx context.Context, r *Record) error {
	err := k.write(r, func(r Record) error { return k.admin.Update(ctx, r) })
	if err == nil {
		r.Version++
	}
	return err
}

// write is the only way of a record into the store. It takes effect here before
// it returns, whatever the store said: an error may hide a success.
func (k *Keys) write(r *Record, send func(Record) error) (err error) {
	if k.admin == nil {
		return ErrReadOnly
	}
	r.Op = newOp()
	r.normalize()
	defer k.changed(r.ID)
	defer recoverInto(&err)
	return wrapStore(send(r.clone()))
}

func newOp() string {
	var op [8]byte
	rand.Read(op[:])
	return hex.EncodeToString(op[:])
}

// wrapStore keeps a store's definite answers and marks all else as none.
func wrapStore(err error) error {
	if err == nil {
		return nil
	}
	for _, answer := range []error{ErrNotFound, ErrExists, ErrQuota, ErrConflict, ErrRevoked} {
		if errors.Is(err, answer) {
			return err
		}
	}
	return unavailable(err)
}

func recoverInto(err *error) {
	if p := recover(); p != nil {
		*err = unavailable(fmt.Errorf("the store panicked: %v", p))
	}
}
