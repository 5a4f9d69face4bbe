package tokens

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/scopes"
)

// Token is a token as a client gets it. Text is nowhere in the store.
type Token struct {
	Text      keystore.Secret
	ExpiresIn time.Duration // what is left, rounded down to the second
	Expires   time.Time     // UTC, in whole seconds
	Session   string        // the id of the session, for [Tokens.End]
	Scopes    scopes.Set
}

// exchangeAttempts bounds how often Exchange starts over because others begin, end and
// renew the same session at the same time.
const exchangeAttempts = 16

// Exchange returns a token for a principal that was proven and admitted: a key, a
// client, or an owner (see the package). While the token of the same session is valid
// it is the same token, byte for byte, in any process; shortly before it expires it is
// another ([Config.RenewBefore]).
//
// It reads session and credential from the store, and writes when a session begins or
// is renewed. RS256 and EdDSA sign anew each time.
//
// Errors: [keystore.ErrInvalid] says what about the request is wrong; a
// [*keystore.RefusedError] that the credential may not do as much (OutcomeScopeMissing),
// is not for that service (OutcomeAudienceRefused), or counts no more, or that the
// session is suspended; [keystore.ErrQuota] that the credential has enough sessions;
// [keystore.ErrReadOnly]. Any other wraps [keystore.ErrUnavailable].
func (t *Tokens) Exchange(ctx context.Context, p *keystore.Principal, q Request) (Token, error) {
	d, err := t.draft(p, q)
	if err != nil {
		return Token{}, err
	}
	for range exchangeAttempts {
		r, err := t.session(ctx, d)
		switch {
		case err == nil:
			return t.token(r)
		case errors.Is(err, errAgain), errors.Is(err, keystore.ErrExists), errors.Is(err, keystore.ErrConflict),
			errors.Is(err, keystore.ErrNotFound), errors.Is(err, keystore.ErrRevoked), errors.Is(err, keystore.ErrExpired):
			continue // somebody else was faster
		default:
			return Token{}, err
		}
	}
	return Token{}, fmt.Errorf("%w: tokens: %s changed %d times while it was read", keystore.ErrUnavailable, d.ID, exchangeAttempts)
}

// errAgain: the session is to be asked for again.
var errAgain = errors.New("tokens: the session has changed meanwhile")

// session returns the session as it stands, if it does.
func (t *Tokens) session(ctx context.Context, d *draft) (*keystore.Record, error) {
	p, err := t.keys.PrincipalNow(ctx, d.ID)
	if isOver(err, d.ID) {
		return nil, t.begin(ctx, d)
	}
	if err != nil {
		return nil, err
	}
	r, _ := p.Record()
	if t.due(&r, d) {
		return t.renew(ctx, d)
	}
	t.extend(ctx, &r)
	return &r, nil
}

// isOver reports whether a refusal says that there is no such session, or no more. A
// session that was revoked is over, like one that has ended: whoever can prove the
// credential may begin another.
func isOver(err error, id string) bool {
	var refused *keystore.RefusedError
	if !errors.As(err, &refused) || refused.KeyID != id {
		return false
	}
	switch refused.Outcome {
	case keystore.OutcomeUnknown, keystore.OutcomeExpired, keystore.OutcomeRevoked:
		return true
	default:
		return false
	}
}

// begin begins a session, in the place of one that is over. It goes on counting where
// that one ended, so that what is left of its tokens is known to be old.
func (t *Tokens) begin(ctx context.Context, d *draft) error {
	r := d.Record
	old, err := t.keys.Lookup(ctx, d.ID)
	switch {
	case err == nil:
		if !t.over(&old) {
			return errAgain // somebody else has begun it
		}
		r.Version, r.Generation.N = old.Version+1, max(old.Generation.N, old.Generation.Lowest)
	case !errors.Is(err, keystore.ErrNotFound):
		return err
	}
	now := t.keys.Now()
	r.Generation.Lowest, r.Generation.Seed = r.Generation.N+1, newSeed()
	r.Created = now
	if err := t.advance(&r, d); err != nil {
		return err
	}
	if _, err := t.text(&r); err != nil {
		return err // before anything is written
	}
	if old.ID != "" {
		if err := t.keys.Discard(ctx, old); err != nil {
			return err
		}
	}
	_, err = t.keys.Create(ctx, r, keystore.Quota{Max: max(t.config.MaxSessions, 0), Now: now})
	if errors.Is(err, keystore.ErrQuota) {
		return fmt.Errorf("%w: %d of %d sessions are in use; end one first", err, t.config.MaxSessions, t.config.MaxSessions)
	}
	if err != nil {
		return err
	}
	return errAgain // begun; whether what it hangs on stands is still to be asked
}

func newSeed() []byte {
	seed := make([]byte, 16)
	rand.Read(seed)
	return seed
}

// over reports whether no token of the session counts any more, nor ever will.
func (t *Tokens) over(r *keystore.Record) bool {
	return !r.Revoked.IsZero() || !t.keys.Now().Before(r.Expires) || r.Generation.Lowest > r.Generation.N
}

// due reports whether another token has to be made.
func (t *Tokens) due(r *keystore.Record, d *draft) bool {
	if t.secrets.makers[r.Generation.Signer] == nil {
		return true // the token that is out cannot be made here, or does not count any more
	}
	left := r.Generation.Expires.Sub(t.keys.Now())
	return left <= t.config.RenewBefore && t.expiry(r.Created, d).After(r.Generation.Expires)
}

// renew starts the next generation, while tokens of this one live out their time.
func (t *Tokens) renew(ctx context.Context, d *draft) (*keystore.Record, error) {
	var stands keystore.Record
	errNotDue := errors.New("renewed already")
	renewed, err := t.keys.Edit(ctx, d.ID, func(r *keystore.Record) error {
		switch {
		case t.over(r):
			return errAgain
		case !t.due(r, d):
			stands = *r
			return errNotDue
		}
		return t.advance(r, d)
	})
	if errors.Is(err, errNotDue) {
		return &stands, nil
	}
	return &renewed, err
}

// advance makes r the next generation, from now on.
func (t *Tokens) advance(r *keystore.Record, d *draft) error {
	now, expires := t.keys.Now(), t.expiry(r.Created, d)
	if !now.Before(expires) {
		return &keystore.RefusedError{Outcome: keystore.OutcomeExpired, KeyID: r.Parent, Owner: r.Owner}
	}
	g := &r.Generation
	g.N++
	g.Issued, g.Expires, g.Signer = now.UTC().Truncate(time.Second), expires, t.secrets.first.name
	r.Expires = t.idleExpiry(r)
	return nil
}

// expiry is that of a token made now, in whole seconds.
func (t *Tokens) expiry(created time.Time, d *draft) time.Time {
	expires := t.keys.Now().Add(t.config.Lifetime)
	if t.config.SessionLifetime > 0 {
		expires = earlier(expires, created.Add(t.config.SessionLifetime))
	}
	expires = expires.UTC().Add(time.Second - 1).Truncate(time.Second)
	if !d.until.IsZero() {
		expires = earlier(expires, d.until)
	}
	return expires
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
