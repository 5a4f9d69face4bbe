package tokens

import (
	"context"
	"errors"
	"fmt"

	"github.com/claviger-go/claviger/keystore"
)

// End ends a session, by logout or because somebody says so: none of its tokens counts
// any more, here when End returns and elsewhere within MaxStaleness. The next login
// with the same session id begins another. A session that has ended, or that there is
// none of, is nothing.
//
// Errors: [keystore.ErrInvalid] for the id of something else; [keystore.ErrReadOnly];
// any other wraps [keystore.ErrUnavailable], and then the session has ended or not: end
// it again.
func (t *Tokens) End(ctx context.Context, id string) error {
	_, err := t.keys.Edit(ctx, id, func(r *keystore.Record) error {
		switch {
		case r.Kind != keystore.KindSession:
			return invalid("%s is no session", id)
		case r.Generation.Lowest > r.Generation.N:
			return errOver
		}
		// What ends it wherever clocks stand; its expiry makes room for another.
		r.Generation.Lowest, r.Generation.Seed = r.Generation.N+1, newSeed()
		r.Expires = earlier(r.Expires, t.keys.Now())
		return nil
	})
	switch {
	case errors.Is(err, errOver), errors.Is(err, keystore.ErrNotFound), errors.Is(err, keystore.ErrRevoked):
		return nil
	case errors.Is(err, keystore.ErrConflict):
		return fmt.Errorf("%w: %w", keystore.ErrUnavailable, err)
	}
	return err
}

var errOver = errors.New("tokens: the session has ended")

// EndAll ends every session of a key, client or owner, in the manner of End. It works
// session by session, and goes over them again until it finds none; whoever may still
// log in has to be kept from it. Naming nobody is [keystore.ErrInvalid]; other errors are
// those of End and of [keystore.Keys.List].
func (t *Tokens) EndAll(ctx context.Context, of Of) error {
	if of == (Of{}) {
		return invalid("nobody is named whose sessions are to end")
	}
	const passes = 16
	for range passes {
		ended, err := t.endEach(ctx, of)
		if err != nil || ended == 0 {
			return err
		}
	}
	return fmt.Errorf("%w: tokens: new sessions began faster than they could be ended", keystore.ErrUnavailable)
}

// endEach ends what it finds, and returns how many that were. What has expired by our
// clock may not have by another's.
func (t *Tokens) endEach(ctx context.Context, of Of) (ended int, err error) {
	surely := t.keys.Now().Add(-pruneAfter)
	for r, err := range t.keys.All(ctx, of.filter()) {
		switch {
		case err != nil:
			return ended, err
		case !r.Revoked.IsZero(), r.Generation.Lowest > r.Generation.N, r.Expires.Before(surely):
			continue
		}
		if err := t.End(ctx, r.ID); err != nil {
			return ended, err
		}
		ended++
	}
	return ended, nil
}
