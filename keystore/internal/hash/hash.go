// Package hash makes and checks stored hashes. They are PHC strings, so that
// schemes mix within one store and one record:
//
//	$sha256$<id>$<digest>                     random secret, no ring; the id is the salt
//	$hmac-sha256$k=<name>$<id>$<digest>       random secret, under a ring secret
//	$argon2id$v=19$m=19456,t=2,p=1$…$…        a person's secret
//	$pbkdf2-sha256$i=600000$…$…               a person's secret, in FIPS mode
//	$2b$<cost>$…                              a person's secret, made elsewhere
//	$first4$<8 hex digits>$argon2id$…         a random secret hashed slowly
//	$none                                     matches nothing
package hash

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// None is a stored hash that no secret matches.
const None = "$none"

// What a check answers besides yes and no. All of them mean "cannot answer".
var (
	ErrUnknownKey  = errors.New("hashed under a ring secret that this process lacks")
	ErrUnsupported = errors.New("hashed with a scheme that this process cannot check")
	ErrCorrupt     = errors.New("the stored hash is corrupt")
	ErrBusy        = errors.New("too many password hashes at once")
)

// Key is one secret of the ring, derived for hashing.
type Key struct {
	name string
	sum  func(id, secret string) []byte // a closure: nothing that prints a Key meets its bytes
}

// NewKey names the key that bytes are. It keeps bytes.
func NewKey(name string, bytes []byte) Key {
	return Key{name, func(id, secret string) []byte {
		mac := hmac.New(sha256.New, bytes)
		mac.Write([]byte(id + secret))
		return mac.Sum(nil)
	}}
}

// Hasher makes new hashes under the first key and checks those of any.
type Hasher struct {
	keys []Key
	slow bool
	run  func(ctx context.Context, work func()) error // what is slow, a few at a time
}

// New returns a Hasher. Without keys it makes salted SHA-256; with slow, random
// secrets are hashed as a person's would be. At most permits slow hashes are
// computed at a time.
func New(keys []Key, slow bool, permits int) *Hasher {
	return &Hasher{keys: keys, slow: slow, run: newPool(permits).do}
}

// Random hashes a secret of 256 random bits for the record id.
func (h *Hasher) Random(ctx context.Context, id, secret string) (string, error) {
	switch {
	case h.slow:
		slow, err := h.Person(ctx, id+secret)
		if err != nil {
			return "", err
		}
		return first4Prefix + first4(secret) + slow, nil
	case len(h.keys) > 0:
		key := h.keys[0]
		return "$hmac-sha256$k=" + key.name + "$" + id + "$" + encode(key.sum(id, secret)), nil
	default:
		return "$sha256$" + id + "$" + encode(plain(id, secret)), nil
	}
}

// CheckRandom reports whether secret is the one hashed in stored for id, and
// whether it ought to be hashed anew.
func (h *Hasher) CheckRandom(ctx context.Context, stored, id, secret string) (ok, outdated bool, err error) {
	if stored == None {
		return false, false, nil
	}
	if rest, found := strings.CutPrefix(stored, first4Prefix); found {
		return h.checkFirst4(ctx, rest, id, secret)
	}
	p, err := parsePHC(stored)
	if err != nil || p.salt != id {
		return false, false, ErrCorrupt
	}
	want, err := decode(p.digest, sha256.Size, sha256.Size)
	if err != nil {
		return false, false, ErrCorrupt
	}
	switch {
	case p.scheme == "sha256" && p.param == "":
		// Never onto a ring: processes that do not have it yet would refuse the
		// key, a lost ring would lose it, and 256 random bits gain nothing.
		return same(want, plain(id, secret)), h.slow, nil
	case p.scheme == "hmac-sha256" && p.param == "k":
		for i, key := range h.keys {
			if key.name == p.value {
				return same(want, key.sum(id, secret)), h.slow || i > 0, nil
			}
		}
		return false, false, fmt.Errorf("%w: %q", ErrUnknownKey, p.value)
	}
	return false, false, ErrUnsupported
}

// Slow reports whether checking stored may take a slow hash.
func Slow(stored string) bool { return strings.HasPrefix(stored, first4Prefix) }

// KeyName returns the ring secret that stored needs, "" if none.
func KeyName(stored string) string {
	if p, err := parsePHC(stored); err == nil && p.scheme == "hmac-sha256" && p.param == "k" {
		return p.value
	}
	return ""
}

// plain is SHA-256 of id and secret: at most 55 bytes for an untagged id, so one
// block.
func plain(id, secret string) []byte {
	sum := sha256.Sum256([]byte(id + secret))
	return sum[:]
}

func same(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

// A slow hash of a random secret carries the first four bytes of the secret's
// SHA-256, compared first: a guess at a known id then costs no slow hash, and of
// 256 bits 224 stay unknown.
const (
	first4Prefix = "$first4$"
	first4Digits = 8
)

func (h *Hasher) checkFirst4(ctx context.Context, rest, id, secret string) (ok, outdated bool, err error) {
	if len(rest) < first4Digits {
		return false, false, ErrCorrupt
	}
	p, err := parsePerson(rest[first4Digits:])
	if err != nil || !same([]byte(rest[:first4Digits]), []byte(first4(secret))) {
		return false, false, err
	}
	ok, err = h.check(ctx, p, id+secret)
	return ok, ok && p.weak, err
}

func first4(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:4])
}
