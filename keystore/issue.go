package keystore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
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

// ErrWeakKey: a foreign key too short to hold 128 bits.
var ErrWeakKey = errors.New("keystore: the key is too weak to import: want at least 32 hex digits, or 22 letters and digits")

// Issue makes an API key and stores what verifies it.
//
// Errors: [ErrInvalid] says what about the spec is wrong, [ErrQuota] that the
// owner has enough, [ErrReadOnly]; any other wraps [ErrUnavailable], and then no
// key came of it that anybody knows.
func (k *Keys) Issue(ctx context.Context, spec Spec) (Issued, error) {
	const attempts = 3 // an id that exists already is drawn again; 62^12 make that a bug
	for range attempts {
		r, err := k.draft(ctx, spec)
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

// Import takes over a key that exists already: from then on its text verifies as
// it stands, by Keys with [Config.AcceptForeign] and by no others. Stored are a key with an id of
// our own, which is managed like any other, and an alias under the digest of the
// text.
//
// Texts that cannot hold 128 bits are [ErrWeakKey]. That a person may have made
// up a longer one is a threat accepted: its digest is stored unsalted, so import
// what a machine drew at random. A text imported before is [ErrExists]. Other
// errors are those of Issue.
//
// Two records are written, the key first. If the process dies between the two, a
// key stays behind that nothing verifies; importing again works.
func (k *Keys) Import(ctx context.Context, spec Spec, text Secret) (Record, error) {
	foreign := text.Reveal()
	if len(foreign) > maxForeign || !printable(foreign) || strings.Count(foreign, ".") == 2 {
		return Record{}, fmt.Errorf("%w: a foreign key is at most %d visible ASCII characters, and no three segments", ErrInvalid, maxForeign)
	}
	if c, ours := credential.Parse(foreign); ours && c.Brand == k.config.Brand {
		return Record{}, fmt.Errorf("%w: this text has the form of our own credentials, and would never be looked up as foreign", ErrInvalid)
	}
	if weak(foreign) {
		return Record{}, ErrWeakKey
	}
	r, err := k.draft(ctx, spec)
	if err != nil {
		return Record{}, err
	}
	r.Secrets[0].Hash = hash.None // the alias stands for it
	if err := k.create(ctx, &r, spec); err != nil {
		return Record{}, err
	}
	sum := sha256.Sum256([]byte(foreign))
	alias := Record{
		ID: "sha256:" + hex.EncodeToString(sum[:]), Kind: KindAlias, Version: r.Version,
		Parent: r.ID, ParentSecret: r.Secrets[0].N, Env: r.Env, Owner: r.Owner,
		Created: r.Created, CreatedBy: r.CreatedBy,
	}
	if err := k.insert(ctx, &alias, Quota{}); err != nil {
		err = fmt.Errorf("keystore: importing a key: %w", err)
		return Record{}, errors.Join(err, k.takeBack(context.WithoutCancel(ctx), alias.ID, r.ID))
	}
	k.happened(ctx, EventImported, &r, "")
	return r, nil
}

// takeBack removes a key and its alias, if that was written after all: left behind,
// it would keep its text from being imported again. An alias of another key stays.
func (k *Keys) takeBack(ctx context.Context, aliasID, id string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	alias, err := k.Lookup(ctx, aliasID)
	switch {
	case errors.Is(err, ErrNotFound):
		err = nil
	case err == nil && alias.Parent == id:
		err = k.remove(ctx, aliasID)
	}
	return errors.Join(err, k.remove(ctx, id))
}

// draft is the record of a spec, with one secret still to be hashed.
func (k *Keys) draft(ctx context.Context, spec Spec) (Record, error) {
	now := k.config.Now()
	r := Record{
		ID: credential.NewID(k.tagKey), Kind: KindAPIKey, Version: uint64(max(now.UnixMicro(), 1)),
		Owner: spec.Owner, Type: spec.Type, Env: spec.Env, Name: spec.Name,
		Secrets: []StoredSecret{{N: 1, Hash: hash.None, Created: now}},
		Limits:  spec.Limits, NotBefore: spec.NotBefore, Expires: spec.Expires,
		Created: now, CreatedBy: actor(ctx), Meta: spec.Meta,
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
	if err := r.validate(); err != nil {
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

// weak reports whether text cannot hold 128 bits: a hex digit carries 4 bits, any
// letter or digit less than 6.
func weak(text string) bool {
	hexDigits, others := 0, 0
	for i := range len(text) {
		switch c := text[i]; {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'f', 'A' <= c && c <= 'F':
			hexDigits++
		case 'g' <= c && c <= 'z', 'G' <= c && c <= 'Z':
			others++
		}
	}
	return hexDigits+others < 22 || others == 0 && hexDigits < 32
}
