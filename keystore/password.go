package keystore

import (
	"context"
	"fmt"
)

// maxPassword bounds what is hashed; everything below it counts, to the byte.
const maxPassword = 1024

// ErrPasswordTooLong: more than 1,024 bytes. It is decided before any hashing.
var ErrPasswordTooLong = fmt.Errorf("keystore: the password is longer than %d bytes", maxPassword)

// HashPassword hashes a secret that a person chose: argon2id with 19 MiB, t = 2,
// p = 1, about 50 ms; in FIPS mode PBKDF2-HMAC-SHA-256 with 600,000 iterations,
// about 200 ms. The result is a PHC string.
//
// The password counts as its exact bytes: nothing is cut, trimmed or normalized.
// (But that HMAC, so PBKDF2, sees no NUL at the end of at most 64 bytes, and takes
// more than 64 for their SHA-256.) An empty one is [ErrInvalid]: it is rather a
// value that nobody set.
// At most [Config.ConcurrentHashes] run at a time; beyond a bounded queue the
// error wraps [ErrUnavailable].
func (k *Keys) HashPassword(ctx context.Context, password Secret) (string, error) {
	if password.Reveal() == "" {
		return "", fmt.Errorf("%w: the password is empty", ErrInvalid)
	}
	if len(password.Reveal()) > maxPassword {
		return "", ErrPasswordTooLong
	}
	stored, err := k.hasher.Person(ctx, password.Reveal())
	if err != nil {
		return "", unavailable(err)
	}
	return stored, nil
}

// CheckPassword reports whether password is the one that HashPassword hashed, or
// bcrypt elsewhere.
// An empty hash stands for a user who does not exist or has no password: it costs
// the same and is false. Always call it, or the time tells who exists. Anybody may
// guess: a login is for [Keys.CheckLogin].
//
// An error means "cannot answer" and wraps [ErrUnavailable], unless it is
// [ErrPasswordTooLong].
func (k *Keys) CheckPassword(ctx context.Context, stored string, password Secret) (bool, error) {
	if len(password.Reveal()) > maxPassword {
		return false, ErrPasswordTooLong
	}
	ok, _, err := k.hasher.CheckPerson(ctx, stored, password.Reveal())
	if err != nil {
		return false, unavailable(err)
	}
	return ok, nil
}
