package keystore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/claviger-go/claviger/keystore/internal/credential"
	"github.com/claviger-go/claviger/keystore/internal/hash"
	"github.com/claviger-go/claviger/scopes"
)

// Spec says what an API key shall be. Only Owner is required.
type Spec struct {
	_ struct{}

	// Owner is the account that the key belongs to: 1 to 256 bytes.
	Owner string
	// Name is what people call the key. Defaults to none.
	Name string
	// Type is a policy of the app, at most 64 bytes; quotas count by it. Defaults
	// to none.
	Type string
	// Env is live or test. Defaults to live.
	Env Env

	// Scopes are what the key may do; with a Catalog also names of bundles.
	// Defaults to none: the key authenticates, and may do nothing that asks for a
	// scope.
	Scopes []scopes.Scope
	// FullAccess grants every scope there is and will be, instead of Scopes.
	FullAccess bool

	// Limits narrow where and how the key may be used. Defaults to none.
	Limits Limits
	// NotBefore is when the key begins to work. Defaults to now.
	NotBefore time.Time
	// Expires is the instant from which the key works no more. Defaults to
	// [Config.DefaultLifetime] from now, or never.
	Expires time.Time

	// MaxPerOwner refuses the key (ErrQuota) if Owner would then have more live
	// keys of this Type, also when several processes issue at once. Defaults to
	// no limit.
	MaxPerOwner int

	// Meta are the app's own notes: at most 32, none of them secret.
	Meta map[string]string
}

// Issued is a new key. Credential is nowhere else, and cannot be had again.
type Issued struct {
	Record     Record
	Credential Secret
}

// Issue makes an API key and stores what verifies it.
//
// Errors: [ErrInvalid] says what about the spec is wrong, [ErrQuota] that the
// owner has enough, [ErrReadOnly]; any other wraps [ErrUnavailable], and then no
// key came of it that anybody knows.
func (k *Keys) Issue(ctx context.Context, spec Spec) (Issued, error) {
	const attempts = 3 // an id that exists already is drawn again; 62^12 make that a bug
	for range attempts {
		r, err := k.draft(actor(ctx), spec)
		if err != nil {
			return Issued{}, err
		}
		text := credential.Text{Brand: k.config.Brand, Env: string(r.Env), ID: r.ID, Secret: credential.NewSecret()}
		r.Secrets[0].Hash, err = k.hasher.Random(ctx, r.ID, text.Secret)
		if err != nil {
			return Issued{}, unavailable(err)
		}
		err = k.create(ctx, &r, spec)
		if errors.Is(err, ErrExists) {
			continue
		}
		if err != nil {
			return Issued{}, err
		}
		k.happened(ctx, EventIssued, &r, "")
		return Issued{Record: r, Credential: NewSecret(text.Format())}, nil
	}
	return Issued{}, unavailable(fmt.Errorf("keystore: %d random ids in a row exist already", attempts))
}

// CheckSpec reports what about spec Issue and Import would refuse, without asking
// the store: [ErrInvalid], and what it says about the quota is for the store to say.
func (k *Keys) CheckSpec(spec Spec) error {
	_, err := k.draft("", spec)
	return err
}

// draft is the record of a spec, with one secret still to be hashed.
func (k *Keys) draft(by string, spec Spec) (Record, error) {
	now := k.config.Now()
	r := Record{
		ID: credential.NewID(k.tagKey), Kind: KindAPIKey, Version: uint64(max(now.UnixMicro(), 1)),
		Owner: spec.Owner, Type: spec.Type, Env: spec.Env, Name: spec.Name,
		Secrets: []StoredSecret{{N: 1, Hash: hash.None, Created: now}},
		Limits:  spec.Limits, NotBefore: spec.NotBefore, Expires: spec.Expires,
		Created: now, CreatedBy: by, Meta: spec.Meta,
	}.clone()
	set(&r.Env, EnvLive)
	if r.Expires.IsZero() && k.config.DefaultLifetime > 0 {
		r.Expires = now.Add(k.config.DefaultLifetime)
	}
	var problems []error
	if spec.Owner == "" {
		problems = append(problems, errors.New("Owner is empty: want the account that the key belongs to"))
	}
	if r.expired(now) {
		problems = append(problems, fmt.Errorf("Expires %s has passed", r.Expires.Format(time.RFC3339)))
	}
	if err := k.checkLifetime(now, r.Expires); err != nil {
		problems = append(problems, err)
	}
	if r.expired(r.NotBefore) {
		problems = append(problems, errors.New("NotBefore is not before Expires: the key would never work"))
	}
	if spec.MaxPerOwner < 0 {
		problems = append(problems, fmt.Errorf("MaxPerOwner is %d: want 0 for no limit, or more", spec.MaxPerOwner))
	}
	if spec.FullAccess {
		r.Scopes = scopes.FullAccess()
		if len(spec.Scopes) > 0 {
			problems = append(problems, errors.New("FullAccess and Scopes are both set: want one of them"))
		}
	} else if granted, err := k.config.Catalog.Grant(spec.Scopes...); err != nil {
		problems = append(problems, fmt.Errorf("Scopes: %w", err))
	} else {
		r.Scopes = granted
	}
	if err := k.validate(&r); err != nil {
		problems = append(problems, err)
	}
	if len(problems) > 0 {
		return Record{}, fmt.Errorf("%w: %w", ErrInvalid, errors.Join(problems...))
	}
	return r, nil
}

func (k *Keys) create(ctx context.Context, r *Record, spec Spec) error {
	err := k.insert(ctx, r, Quota{Max: spec.MaxPerOwner, Now: k.config.Now()})
	if errors.Is(err, ErrQuota) {
		k.happened(ctx, EventQuotaRefused, r, "")
		what := "keys"
		if spec.Type != "" {
			what = spec.Type + " keys"
		}
		return fmt.Errorf("%w: %d of %d %s are in use; delete or revoke one first", err, spec.MaxPerOwner, spec.MaxPerOwner, what)
	}
	return err
}

// checkLifetime refuses an expiry beyond what the policy allows.
func (k *Keys) checkLifetime(now, expires time.Time) error {
	switch longest := k.config.MaxLifetime; {
	case longest == 0:
	case expires.IsZero():
		return fmt.Errorf("Expires is not set: want at most %v from now (Config.MaxLifetime)", longest)
	case expires.After(now.Add(longest)):
		return fmt.Errorf("Expires %s: want at most %v from now (Config.MaxLifetime)", expires.Format(time.RFC3339), longest)
	}
	return nil
}
