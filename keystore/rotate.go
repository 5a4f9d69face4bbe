package keystore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/claviger-go/claviger/keystore/internal/credential"
)

// How long both secrets of a rotated key work.
const (
	DefaultOverlap = 24 * time.Hour
	MaxOverlap     = 30 * 24 * time.Hour
)

// Rotate gives an API key a new secret. The key keeps its id, its scopes, its
// limits and its place in the owner's quota; the old secret works on for overlap,
// at most [MaxOverlap] and never beyond the key's own expiry, and from then on only
// the new one does. 0 ends the old secret at once, and with it the sessions begun
// with it. In other processes all this counts within MaxStaleness, so an overlap
// shorter than that may last so long there.
//
// version is that of the record as the caller last saw it, so that of two rotations
// at once one wins and the other is [ErrConflict]. A key rotated during an overlap
// keeps its two newest secrets: the oldest ends now.
//
// Requests with the old secret are answered with the headers Deprecation and
// Sunset, and [Keys.Usage] counts them apart. Errors: [ErrInvalid] (not an API key,
// or an overlap out of bounds), [ErrNotFound], [ErrRevoked], [ErrExpired],
// [ErrReadOnly]; any other wraps [ErrUnavailable]: the store could not even say what
// became of it. Then look at the record before rotating again: with two secrets, the
// newest is one that nobody knows, and another rotation would end the one in use.
func (k *Keys) Rotate(ctx context.Context, id string, version uint64, overlap time.Duration) (Issued, error) {
	if overlap < 0 || overlap > MaxOverlap {
		return Issued{}, fmt.Errorf("%w: an overlap of %v: want 0 to %v", ErrInvalid, overlap, MaxOverlap)
	}
	return k.renew(ctx, id, "", func(r *Record, now time.Time) error {
		if r.Version != version {
			return fmt.Errorf("%w: %s has version %d, not %d", ErrConflict, id, r.Version, version)
		}
		r.Secrets = r.Secrets[:1]
		if overlap == 0 {
			r.Secrets = nil
			return nil
		}
		old := &r.Secrets[0]
		old.Expires = sooner(sooner(now.Add(overlap), old.Expires), r.Expires)
		return nil
	})
}

// Replace gives an API key that somebody else may hold a new secret at once, in the
// place of the old ones: their hashes are removed, so that no clock accepts them
// again, and the sessions begun with them are dead. As the key keeps its id, an
// owner who has as many keys as allowed can replace one as well. Errors are those of
// Rotate, without ErrConflict; after one, replace it again.
func (k *Keys) Replace(ctx context.Context, id string) (Issued, error) {
	return k.renew(ctx, id, ReasonCompromised, func(r *Record, _ time.Time) error {
		r.Secrets = nil
		return nil
	})
}

// renew puts a new secret before those that keep leaves.
func (k *Keys) renew(ctx context.Context, id string, reason Reason, keep func(r *Record, now time.Time) error) (Issued, error) {
	text := credential.Text{Brand: k.config.Brand, ID: id, Secret: credential.NewSecret()}
	hashed, err := k.hasher.Random(ctx, id, text.Secret)
	if err != nil {
		return Issued{}, unavailable(err)
	}
	_, after, err := k.edit(ctx, id, func(before, r *Record) error {
		now := k.config.Now()
		text.Env = string(r.Env)
		_, ours := credential.Parse(text.Format())
		switch {
		case r.Kind != KindAPIKey || len(r.Secrets) == 0 || !ours:
			return fmt.Errorf("%w: %s is no API key of ours, so it has no secret to renew", ErrInvalid, id)
		case r.expired(now):
			return fmt.Errorf("%w: %s, on %s; issue a new key", ErrExpired, id, r.Expires.Format(time.RFC3339))
		}
		if err := keep(r, now); err != nil {
			return err
		}
		fresh := StoredSecret{N: before.Secrets[0].N + 1, Hash: hashed, Created: now}
		r.Secrets = append([]StoredSecret{fresh}, r.Secrets...)
		return nil
	})
	if errors.Is(err, ErrUnavailable) {
		after, err = k.renewed(context.WithoutCancel(ctx), id, hashed, err)
	}
	if err != nil {
		return Issued{}, err
	}
	e := Event{Type: EventRotated, KeyID: after.ID, Kind: after.Kind, Owner: after.Owner, Reason: reason}
	if len(after.Secrets) == maxSecret {
		e.Until = after.Secrets[1].Expires
	}
	k.emit(ctx, e)
	return Issued{Record: after, Credential: NewSecret(text.Format())}, nil
}

// renewed tells whether a renewal whose answer was lost has happened: given up, its
// secret would be the key's newest, and known to nobody.
func (k *Keys) renewed(ctx context.Context, id, hashed string, failed error) (Record, error) {
	ctx, cancel := context.WithTimeout(ctx, flushTime)
	defer cancel()
	r, err := k.Lookup(ctx, id)
	if err != nil || len(r.Secrets) == 0 || r.Secrets[0].Hash != hashed {
		return Record{}, failed
	}
	return r, nil
}

// EndOverlap ends the old secret of a key that was rotated, before its time. Without
// an old secret it does nothing.
func (k *Keys) EndOverlap(ctx context.Context, id string) error {
	_, after, err := k.settle(ctx, id, func(r *Record) bool {
		if len(r.Secrets) < maxSecret {
			return false
		}
		r.Secrets = r.Secrets[:1]
		return true
	})
	if after != nil {
		k.happened(ctx, EventOverlapEnded, after, "")
	}
	return err
}
