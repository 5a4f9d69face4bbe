package keystore

import (
	"context"
	"errors"
	"fmt"
)

// What this file exports is for packages built on Keys, such as keystore/tokens: they
// keep records of their own kind through Keys, and touch neither the store nor the
// secrets of the ring. An app has no need of it.

// Create stores a record that the caller has drawn up, and returns it as stored.
// Created, CreatedBy and Version are set here; r.Version is the least that Version
// will be, for an id that is used again. API keys and aliases are [ErrInvalid]: Issue
// and Import make those.
//
// A record that exists is [ErrExists], also where the quota is full besides. Other
// errors are those of [Keys.Issue].
func (k *Keys) Create(ctx context.Context, r Record, q Quota) (Record, error) {
	if r.Kind == KindAPIKey || r.Kind == KindAlias {
		return Record{}, fmt.Errorf("%w: Create makes no record of kind %q", ErrInvalid, r.Kind)
	}
	now := k.config.Now()
	r = r.clone()
	r.Version = max(r.Version, uint64(max(now.UnixMicro(), 1)))
	r.Created, r.CreatedBy = now, actor(ctx)
	if err := k.insert(ctx, &r, q); err != nil {
		return Record{}, k.refuseCreation(ctx, &r, err)
	}
	k.happened(ctx, EventIssued, &r, "")
	return r, nil
}

// refuseCreation tells a full quota from a record that takes up the room itself: a
// store may answer either.
func (k *Keys) refuseCreation(ctx context.Context, r *Record, err error) error {
	if !errors.Is(err, ErrQuota) {
		return err
	}
	switch _, missing := k.Lookup(ctx, r.ID); {
	case missing == nil:
		return fmt.Errorf("%w: %s", ErrExists, r.ID)
	case !errors.Is(missing, ErrNotFound):
		return missing
	}
	k.happened(ctx, EventQuotaRefused, r, "")
	return err
}

// Discard deletes a record that is over and that nobody needs to hear of, if the
// store has it as it stands in r; else it is [ErrConflict]. One that is not there is
// nothing.
func (k *Keys) Discard(ctx context.Context, r Record) (err error) {
	if k.admin == nil {
		return ErrReadOnly
	}
	defer k.changed(r.ID)
	defer recoverInto(&err)
	return wrapStore(k.admin.Delete(ctx, r.ID, r.Version))
}

// PrincipalNow is [Keys.Principal], read after the call began.
func (k *Keys) PrincipalNow(ctx context.Context, id string) (*Principal, error) {
	return k.load(ctx, id, 0, k.records.LoadFresh)
}

// Record returns a copy of the record behind the principal, as last read, and which of
// its secrets proved it: 0 for none.
func (p *Principal) Record() (r Record, secret uint32) {
	if p.nobody() {
		return Record{}, 0
	}
	return p.record.clone(), p.secret
}

// Knows reports whether these Keys read p from the store: if not, its id may be that of
// somebody else's record here.
func (k *Keys) Knows(p *Principal) bool { return !p.nobody() && p.use != nil && p.use.keys == k }

// Fault tells OnEvent of something that went wrong in the background, or that a person
// has to look into, without waiting for it.
func (k *Keys) Fault(ctx context.Context, err error) { k.fault(ctx, err) }

// Ring is the configured one.
func (k *Keys) Ring() Ring { return k.config.Ring }

// DerivedKey is made from one secret of a [Ring], for one purpose.
type DerivedKey struct {
	Name string // of the ring secret
	Key  Secret // 32 bytes
}

// Derive makes from each secret, in the order of the ring, a key for a purpose of the
// caller's, by HKDF-SHA-256: who is given one can make neither the secret nor a key for
// another purpose, and least of all the key that secrets are hashed under.
func (r Ring) Derive(purpose string) ([]DerivedKey, error) {
	keys, names, err := r.derive("for " + purpose)
	if err != nil {
		return nil, err
	}
	derived := make([]DerivedKey, 0, len(names))
	for _, name := range names {
		derived = append(derived, DerivedKey{name, NewSecret(string(keys[name]))})
	}
	return derived, nil
}
