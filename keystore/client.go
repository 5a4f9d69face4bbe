package keystore

import (
	"context"
	"errors"
	"fmt"

	"github.com/claviger-go/claviger/keystore/internal/credential"
	"github.com/claviger-go/claviger/keystore/internal/hash"
)

// IssueClient makes a client: a program that exchanges its id and secret for tokens
// (OAuth 2). Its secret is 43 letters and digits, hashed as a person's would be; a
// public client has none. Type, quota and the rest of the spec mean what they mean
// for a key. Errors are those of [Keys.Issue].
func (k *Keys) IssueClient(ctx context.Context, spec Spec, client Client) (Issued, error) {
	var secret, stored string
	if !client.Public {
		secret = credential.NewSecret()
		var err error
		if stored, err = k.hasher.Person(ctx, secret); err != nil {
			return Issued{}, unavailable(err)
		}
	}
	r, err := k.newClient(ctx, "", spec, client, stored)
	if err != nil {
		return Issued{}, err
	}
	k.happened(ctx, EventIssued, &r, "")
	return Issued{Record: r, Credential: NewSecret(secret)}, nil
}

// ImportClient takes over a client that exists already, with its id (1 to 80 bytes of
// [0-9A-Za-z:]) and the hash of its secret: argon2id or PBKDF2-HMAC-SHA-256 as a PHC
// string, or bcrypt. It is hashed anew when the client first proves its secret. A
// hash that cannot be checked here is [ErrInvalid], an id that exists [ErrExists].
func (k *Keys) ImportClient(ctx context.Context, id string, spec Spec, client Client, stored string) (Record, error) {
	if err := k.CheckClient(id, spec, stored); err != nil {
		return Record{}, err
	}
	r, err := k.newClient(ctx, id, spec, client, stored)
	if err != nil {
		return Record{}, err
	}
	k.happened(ctx, EventImported, &r, "")
	return r, nil
}

// CheckClient reports what ImportClient would refuse, without asking the store.
func (k *Keys) CheckClient(id string, spec Spec, stored string) error {
	err := k.CheckSpec(spec)
	if !validID(id) {
		err = errors.Join(err, fmt.Errorf("%w: the id %q: want 1 to %d bytes of [0-9A-Za-z:]", ErrInvalid, cut(id), maxID))
	}
	if unusable := hash.IsPerson(stored); unusable != nil {
		err = errors.Join(err, fmt.Errorf("%w: %w: want argon2id, pbkdf2-sha256 or bcrypt", ErrInvalid, unusable))
	}
	return err
}

func (k *Keys) newClient(ctx context.Context, id string, spec Spec, client Client, stored string) (Record, error) {
	r, err := k.draft(actor(ctx), spec)
	if err != nil {
		return Record{}, err
	}
	r.Kind, r.Client = KindClient, client
	if id != "" {
		r.ID = id
	}
	r.Secrets[0].Hash = stored
	if stored == "" {
		r.Secrets = nil
	}
	err = k.create(ctx, &r, spec)
	return r, err
}

// VerifyClient proves a client by its id and secret. Unknown, revoked and wrong cost
// the same one slow hash, but for an imported one that was made otherwise, and are
// told apart by the [*RefusedError] alone. Guesses are not throttled. Nothing is
// remembered: it is for exchanging a secret for a token, not for every request.
// Public clients prove nothing and are refused.
func (k *Keys) VerifyClient(ctx context.Context, id string, secret Secret) (*Principal, error) {
	looking, cancel := context.WithTimeout(ctx, k.config.LookupTimeout)
	defer cancel()
	r, err := k.Lookup(looking, id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, unavailable(err)
	}
	known := err == nil && r.Kind == KindClient
	var stored string
	var n uint32
	if known && len(r.Secrets) > 0 {
		stored, n = r.Secrets[0].Hash, r.Secrets[0].N
	}
	ok, outdated, err := k.hasher.CheckPerson(ctx, stored, cutPassword(secret))
	switch {
	case err != nil:
		return nil, unavailable(err)
	case !known:
		return nil, &RefusedError{Outcome: OutcomeUnknown}
	case !ok || len(secret.Reveal()) > maxPassword:
		return nil, &RefusedError{Outcome: OutcomeWrongSecret, KeyID: r.ID}
	}
	if outdated {
		k.renewHash(ctx, r, secret)
	}
	return k.load(ctx, r.ID, n, k.records.LoadFresh)
}

// cutPassword bounds what is hashed of a secret that is refused for its length.
func cutPassword(secret Secret) string {
	return secret.Reveal()[:min(len(secret.Reveal()), maxPassword)]
}

// renewHash hashes a client's secret as it would be today. Where that fails the old
// hash still verifies.
func (k *Keys) renewHash(ctx context.Context, r Record, secret Secret) {
	if k.admin == nil {
		return
	}
	fresh, err := k.hasher.Person(ctx, secret.Reveal())
	if err == nil {
		err = k.replaceHash(context.WithoutCancel(ctx), r.clone(), r.Secrets[0].N, fresh)
	}
	if err != nil && !errors.Is(err, ErrConflict) && !errors.Is(err, ErrRevoked) {
		k.fault(ctx, fmt.Errorf("keystore: hashing the secret of %s anew: %w", r.ID, err))
	}
}
