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
)

// ErrWeakKey: a foreign key too short to hold 128 bits.
var ErrWeakKey = errors.New("keystore: the key is too weak to import: want at least 32 hex digits, or 22 letters and digits")

// Import takes over a key that exists already: from then on its text verifies as
// it stands, by Keys with [Config.AcceptForeign] and by no others. Stored are a key
// with an id of our own, which is managed like any other, and an alias under the
// digest of the text.
//
// Texts that cannot hold 128 bits are [ErrWeakKey]. That a person may have made
// up a longer one is a threat accepted: its digest is stored unsalted, so import
// what a machine drew at random. A text imported before is [ErrExists]. Other
// errors are those of Issue.
//
// Two records are written, the key first. If the process dies between the two, a
// key stays behind that nothing verifies; importing again works. Package bulk
// imports many keys from a file.
func (k *Keys) Import(ctx context.Context, spec Spec, text Secret) (Record, error) {
	digest, err := k.ForeignDigest(text)
	if err != nil {
		return Record{}, err
	}
	return k.ImportSHA256(ctx, spec, digest)
}

// ForeignDigest returns the SHA-256 under which Import would keep a text, or why it
// would not: [ErrInvalid] if it has not the form of a foreign key, or [ErrWeakKey].
func (k *Keys) ForeignDigest(text Secret) ([sha256.Size]byte, error) {
	foreign := text.Reveal()
	var none [sha256.Size]byte
	if len(foreign) > maxForeign || !printable(foreign) || strings.Count(foreign, ".") == 2 {
		return none, fmt.Errorf("%w: a foreign key is at most %d visible ASCII characters, and no three segments", ErrInvalid, maxForeign)
	}
	if c, ours := credential.Parse(foreign); ours && c.Brand == k.config.Brand {
		return none, fmt.Errorf("%w: this text has the form of our own credentials, and would never be looked up as foreign", ErrInvalid)
	}
	if weak(foreign) {
		return none, ErrWeakKey
	}
	return sha256.Sum256([]byte(foreign)), nil
}

// ImportSHA256 is Import of a key of which only the SHA-256 is known. Whether its
// text is strong cannot be seen from that: it has to be known.
func (k *Keys) ImportSHA256(ctx context.Context, spec Spec, digest [sha256.Size]byte) (Record, error) {
	r, err := k.draft(actor(ctx), spec)
	if err != nil {
		return Record{}, err
	}
	r.Secrets[0].Hash = hash.None // the alias stands for it
	if err := k.create(ctx, &r, spec); err != nil {
		return Record{}, err
	}
	alias := Record{
		ID: AliasID(digest), Kind: KindAlias, Version: r.Version,
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

// AliasID is the id of the record under which a key with this SHA-256 is found:
// "sha256:" and 64 hex digits.
func AliasID(digest [sha256.Size]byte) string { return "sha256:" + hex.EncodeToString(digest[:]) }

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
