package keystore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
)

// SuspendOwner suspends every key, client and session of an owner, with
// [ReasonOwner]. What is suspended already keeps its mark, and so stays suspended
// after [Keys.ResumeOwner].
//
// It works record by record and so not at one instant, and goes over them again until
// none is left that was not suspended. A record that cannot be written holds up no
// other; after an error, call it again. Whoever may
// issue keys has to be kept from issuing more for this owner.
func (k *Keys) SuspendOwner(ctx context.Context, owner string) error {
	return k.eachOf(ctx, owner, func(r *Record) bool {
		if !r.Suspended.IsZero() {
			return false
		}
		r.Suspended = k.newMark(ctx, ReasonOwner)
		return true
	})
}

// ResumeOwner resumes what SuspendOwner suspended, and nothing else.
func (k *Keys) ResumeOwner(ctx context.Context, owner string) error {
	return k.eachOf(ctx, owner, func(r *Record) bool {
		if r.Suspended.Reason != ReasonOwner {
			return false
		}
		r.Suspended = Mark{}
		return true
	})
}

// RevokeOwner revokes every key, client and session of an owner, for good, in the
// manner of SuspendOwner.
func (k *Keys) RevokeOwner(ctx context.Context, owner string, reason Reason) error {
	return k.eachOf(ctx, owner, func(r *Record) bool {
		r.Revoked = k.newMark(ctx, reason)
		return true
	})
}

// eachOf changes the records of an owner until no pass finds one left to change.
func (k *Keys) eachOf(ctx context.Context, owner string, change func(*Record) bool) error {
	if owner == "" {
		return fmt.Errorf("%w: the owner is empty, which to List is any", ErrInvalid)
	}
	const passes = 16
	for range passes {
		left, err := k.passOver(ctx, owner, change)
		if err != nil || left == 0 {
			return err
		}
	}
	return unavailable(fmt.Errorf("keystore: new records of the owner %q came faster than they could be changed", cut(owner)))
}

// passOver returns how many records it met that were to be changed.
func (k *Keys) passOver(ctx context.Context, owner string, change func(*Record) bool) (met int, err error) {
	var problems []error
	for r, err := range k.All(ctx, Filter{Owner: owner}) {
		if err = cmp.Or(err, ctx.Err()); err != nil {
			return met, errors.Join(append(problems, err)...)
		}
		if r.Kind == KindAlias || !r.Revoked.IsZero() || !change(&r) { // an alias obeys its key
			continue
		}
		met++
		before, after, err := k.settle(ctx, r.ID, change)
		switch {
		case errors.Is(err, ErrNotFound) || errors.Is(err, ErrRevoked):
		case err != nil:
			problems = append(problems, err)
		case after != nil:
			k.tellEdit(ctx, before, after)
		}
	}
	return met, errors.Join(problems...)
}
