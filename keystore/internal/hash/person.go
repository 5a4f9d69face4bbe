package hash

import (
	"context"
	"crypto/fips140"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/alexedwards/argon2id"
	"golang.org/x/crypto/bcrypt"
)

// argon2Params are OWASP's minimum for argon2id: about 50 ms and 19 MiB each.
//
//nolint:gochecknoglobals // a constant, if Go had them of structs
var argon2Params = argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

const pbkdf2Iterations = 600_000 // OWASP for PBKDF2-HMAC-SHA-256; about 200 ms

// Bounds for parameters that come from a store, asked before anything is
// allocated: a hostile row must not cost gigabytes or minutes.
const (
	maxArgon2Memory     = 256 * 1024 // KiB
	maxArgon2Iterations = 16
	maxArgon2Threads    = 16
	minPBKDF2Iterations = 1000
	maxPBKDF2Iterations = 2_000_000
	minSalt, maxSalt    = 8, 64
	minDigest           = 16
	maxDigest           = 64
	maxBcryptCost       = 15 // about 2 s
	maxBcrypt           = 72 // bytes
	bcryptBytes         = 60 // of a hash
)

// Person hashes a secret that a person chose.
func (h *Hasher) Person(ctx context.Context, secret string) (string, error) {
	var stored string
	var failed error
	err := h.run(ctx, func() {
		if fips140.Enabled() {
			stored, failed = newPBKDF2(secret)
		} else {
			stored, failed = argon2id.CreateHash(secret, &argon2Params)
		}
	})
	if err != nil {
		return "", err
	}
	return stored, failed
}

// CheckPerson reports whether secret is the one hashed in stored, and whether it
// ought to be hashed anew. With an empty stored hash it does the same work and then
// says no.
func (h *Hasher) CheckPerson(ctx context.Context, stored, secret string) (ok, outdated bool, err error) {
	absent := stored == ""
	if absent {
		stored = standIn()
	}
	p, err := parsePerson(stored)
	if err != nil {
		return false, false, err
	}
	ok, err = h.check(ctx, p, secret)
	return ok && !absent, p.weak, err
}

// IsPerson reports whether stored is a slow hash that can be checked here: nil, or
// what is wrong with it.
func IsPerson(stored string) error {
	_, err := parsePerson(stored)
	return err
}

func (h *Hasher) check(ctx context.Context, p person, secret string) (bool, error) {
	var ok bool
	var failed error
	if err := h.run(ctx, func() { ok, failed = p.matches(secret) }); err != nil {
		return false, err
	}
	return ok, failed
}

// person is a stored slow hash, parsed and bounded.
type person struct {
	matches func(secret string) (bool, error)
	weak    bool // made with less work than a new one
}

func parsePerson(stored string) (person, error) {
	switch {
	case len(stored) > maxStored:
		return person{}, ErrCorrupt
	case strings.HasPrefix(stored, "$argon2id$"):
		return parseArgon2id(stored)
	case strings.HasPrefix(stored, "$pbkdf2-sha256$"):
		return parsePBKDF2(stored)
	case strings.HasPrefix(stored, "$2"):
		return parseBcrypt(stored)
	}
	return person{}, ErrUnsupported
}

func parseArgon2id(stored string) (person, error) {
	if fips140.Enabled() {
		return person{}, fmt.Errorf("%w: argon2id, in FIPS mode", ErrUnsupported)
	}
	p, salt, digest, err := argon2id.DecodeHash(stored)
	switch {
	case err != nil, formatArgon2id(p, salt, digest) != stored, // DecodeHash overlooks what follows a number
		p.Memory < 8 || p.Memory > maxArgon2Memory,
		p.Iterations < 1 || p.Iterations > maxArgon2Iterations,
		p.Parallelism < 1 || p.Parallelism > maxArgon2Threads,
		len(salt) < minSalt || len(salt) > maxSalt,
		len(digest) < minDigest || len(digest) > maxDigest:
		return person{}, ErrCorrupt
	}
	return person{
		matches: func(secret string) (bool, error) { return argon2id.ComparePasswordAndHash(secret, stored) },
		weak:    p.Memory < argon2Params.Memory || p.Memory*p.Iterations < argon2Params.Memory*argon2Params.Iterations,
	}, nil
}

func formatArgon2id(p *argon2id.Params, salt, digest []byte) string {
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", p.Memory, p.Iterations, p.Parallelism, encode(salt), encode(digest))
}

// parseBcrypt reads what other systems made: none is made here.
func parseBcrypt(stored string) (person, error) {
	if fips140.Enabled() {
		return person{}, fmt.Errorf("%w: bcrypt, in FIPS mode", ErrUnsupported)
	}
	cost, err := bcrypt.Cost([]byte(stored))
	if err != nil || cost > maxBcryptCost || len(stored) != bcryptBytes {
		return person{}, ErrCorrupt
	}
	return person{
		matches: func(secret string) (bool, error) {
			// bcrypt sees 72 bytes: what was longer matched nothing but itself cut off.
			if len(secret) > maxBcrypt {
				return false, nil
			}
			err := bcrypt.CompareHashAndPassword([]byte(stored), []byte(secret))
			if errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
				return false, nil
			}
			return err == nil, err
		},
		weak: true,
	}, nil
}

func newPBKDF2(secret string) (string, error) {
	salt := make([]byte, 16)
	rand.Read(salt)
	digest, err := pbkdf2.Key(sha256.New, secret, salt, pbkdf2Iterations, sha256.Size)
	if err != nil {
		return "", err
	}
	return formatPBKDF2(pbkdf2Iterations, salt, digest), nil
}

func parsePBKDF2(stored string) (person, error) {
	p, err := parsePHC(stored)
	if err != nil {
		return person{}, err
	}
	iterations, err := strconv.Atoi(p.value)
	if err != nil || p.param != "i" || iterations < minPBKDF2Iterations || iterations > maxPBKDF2Iterations {
		return person{}, ErrCorrupt
	}
	salt, err := decode(p.salt, minSalt, maxSalt)
	if err != nil {
		return person{}, err
	}
	want, err := decode(p.digest, minDigest, maxDigest)
	if err != nil {
		return person{}, err
	}
	return person{
		matches: func(secret string) (bool, error) {
			got, err := pbkdf2.Key(sha256.New, secret, salt, iterations, len(want))
			return err == nil && same(got, want), err
		},
		weak: iterations < pbkdf2Iterations,
	}, nil
}

func formatPBKDF2(iterations int, salt, digest []byte) string {
	return fmt.Sprintf("$pbkdf2-sha256$i=%d$%s$%s", iterations, encode(salt), encode(digest))
}

// standIn is what an absent person's secret is checked against, so that it takes
// as long as a present one's.
func standIn() string {
	salt, digest := make([]byte, 16), make([]byte, 32)
	if fips140.Enabled() {
		return formatPBKDF2(pbkdf2Iterations, salt, digest)
	}
	return formatArgon2id(&argon2Params, salt, digest)
}
