package keystore

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/claviger-go/claviger/keystore/internal/cache"
)

// maxParents is how long a chain of parents may be: token, grant, client.
const maxParents = 3

// standing is a principal that is alive, and until when that is known.
type standing struct {
	principal *Principal
	readings  [maxParents + 1]*cache.Entry[*reading] // of the record and its parents
	until     int64                                  // µs; the first of them expires then
}

// holds reports whether the principal is alive still.
func (s *standing) holds(now time.Time) bool {
	if now.UnixMicro() >= s.until {
		return false
	}
	for _, e := range s.readings {
		if e == nil {
			break
		}
		if !e.Current(now) {
			return false
		}
	}
	return true
}

// Principal returns the record with this id and its parents as a principal, if
// they are alive, read at most MaxStaleness ago. It proves nothing: it is for
// verifiers that have proven already that the client may speak for the record.
// Errors are those of a [Verifier].
func (k *Keys) Principal(ctx context.Context, id string) (*Principal, error) {
	return k.load(ctx, id, 0, k.records.Load)
}

// Refresh returns p as its records stand now, read after the call began: for
// routes that accept no staleness at all. A principal that these Keys did not make
// comes back as it is. Errors are those of a [Verifier].
func (k *Keys) Refresh(ctx context.Context, p *Principal) (*Principal, error) {
	return k.again(ctx, p, k.records.LoadFresh)
}

// Recheck returns p as its records stand, read at most MaxStaleness ago: p itself as
// long as none of them was read again. It is for requests and streams that take long,
// and costs next to nothing. Otherwise it is as Refresh.
func (k *Keys) Recheck(ctx context.Context, p *Principal) (*Principal, error) {
	if !p.nobody() && p.stands != nil {
		now := k.config.Now()
		if s := p.stands.Load(); s != nil && s.holds(now) {
			p.use.see(now)
			return p, nil
		}
	}
	return k.again(ctx, p, k.records.Load)
}

// again asks for the records of p.
func (k *Keys) again(ctx context.Context, p *Principal, from loader) (*Principal, error) {
	switch {
	case p.nobody():
		return nil, &RefusedError{Outcome: OutcomeMissing}
	case !k.Knows(p):
		return p, nil
	case p.alias != "":
		return k.load(ctx, p.alias, 0, from)
	}
	q, err := k.load(ctx, p.record.ID, p.secret, from)
	if err == nil && !slices.Equal(q.record.Generation.Seed, p.record.Generation.Seed) {
		// The session has ended, and another has begun under its id.
		return nil, &RefusedError{Outcome: OutcomeRevoked, KeyID: p.record.ID, Owner: p.record.Owner}
	}
	return q, err
}

// loader is Load or LoadFresh of the records.
type loader func(ctx context.Context, id string, now time.Time) (*cache.Entry[*reading], error)

func (k *Keys) load(ctx context.Context, id string, secret uint32, from loader) (*Principal, error) {
	now := k.config.Now()
	e, err := from(ctx, id, now)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, &RefusedError{Outcome: OutcomeUnknown, KeyID: id}
	case err != nil:
		return nil, unavailable(err)
	}
	return k.living(ctx, e, secret, now, from)
}

func (k *Keys) living(ctx context.Context, e *cache.Entry[*reading], secret uint32, now time.Time, from loader) (*Principal, error) {
	s, err := k.stand(ctx, e, secret, now, from)
	if err != nil {
		return nil, err
	}
	s.principal.use.see(now)
	return s.principal, nil
}

// stand asks the record and its parents whether they are alive, and makes of them
// a principal.
func (k *Keys) stand(ctx context.Context, e *cache.Entry[*reading], secret uint32, now time.Time, from loader) (*standing, error) {
	s := &standing{until: math.MaxInt64}
	var secrets [maxParents + 1]uint32
	depth := 0
	for {
		var err error
		if e, err = k.wake(ctx, e, now); err != nil {
			return nil, err
		}
		r := &e.Value.record
		outcome := r.life(secret, now)
		if outcome == OutcomeAccepted && e.Value.idleAt(now) {
			outcome = OutcomeIdle
		}
		if outcome != OutcomeAccepted {
			return nil, &RefusedError{Outcome: outcome, KeyID: r.ID, Owner: r.Owner}
		}
		s.readings[depth], secrets[depth] = e, secret
		if end := sooner(r.end(secret), e.Value.idle); !end.IsZero() {
			s.until = min(s.until, end.UnixMicro())
		}
		if r.Parent == "" {
			break
		}
		if depth++; depth > maxParents {
			return nil, unavailable(fmt.Errorf("keystore: the record %s has more than %d parents above it", s.readings[0].Value.record.ID, maxParents))
		}
		above, err := from(ctx, r.Parent, now)
		switch {
		case errors.Is(err, ErrNotFound):
			return nil, &RefusedError{Outcome: OutcomeOrphaned, KeyID: r.ID, Owner: r.Owner}
		case err != nil:
			return nil, unavailable(err)
		}
		e, secret = above, r.ParentSecret
	}
	for ; depth >= 0; depth-- {
		rd := s.readings[depth].Value
		if rd.record.Kind == KindAlias && s.principal != nil {
			s.principal = s.principal.by(rd.record.ID)
			continue
		}
		s.principal = rd.principal(secrets[depth], s.principal)
	}
	s.principal.stands.Store(s)
	return s, nil
}

// One rule for all times: what expires at an instant is expired then.
func (r *Record) expired(now time.Time) bool { return !r.Expires.IsZero() && !now.Before(r.Expires) }

func (s *StoredSecret) expired(now time.Time) bool {
	return !s.Expires.IsZero() && !now.Before(s.Expires)
}

// life tells whether the record, and the secret with this number, count at now.
func (r *Record) life(secret uint32, now time.Time) Outcome {
	switch {
	case !r.Revoked.IsZero() || r.Generation.Lowest > r.Generation.N: // the latter: a session that has ended
		return OutcomeRevoked
	case !r.Suspended.IsZero():
		return OutcomeSuspended
	case now.Before(r.NotBefore):
		return OutcomeNotYetValid
	case r.expired(now):
		return OutcomeExpired
	}
	if secret == 0 {
		return OutcomeAccepted
	}
	s, ok := r.secret(secret)
	switch {
	case !ok:
		return OutcomeOrphaned
	case s.expired(now):
		return OutcomeExpired
	}
	return OutcomeAccepted
}

// end is when the record or its secret expires, whichever is first; zero: never.
func (r *Record) end(secret uint32) time.Time {
	s, _ := r.secret(secret)
	return sooner(r.Expires, s.Expires)
}
