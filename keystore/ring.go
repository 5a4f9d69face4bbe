package keystore

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// Ring is a list of named 32-byte secrets, held outside the store, under which
// hashes are made: whoever steals the store alone can check no guess. The first
// one signs, all of them verify. The zero value is no ring.
//
// To rotate, add a new secret last, deploy that everywhere, then move it first.
// [Keys.RingUse] tells when no record needs the old one any more. A ring that is
// lost loses every key hashed under it.
//
// It prints as [redacted], under every verb and in every encoding.
type Ring struct {
	concealed
	entries []ringEntry
}

type ringEntry struct {
	name   string
	secret Secret // 32 bytes
}

const ringSecretBytes = 32

// ParseRing reads a ring as it stands in an environment variable or a secret
// manager: entries "name:secret", separated by commas or white space, where name
// is 1 to 32 of [0-9A-Za-z.-] and secret is 32 bytes in base64 of any flavour
// ([GenerateSecret], or "openssl rand -base64 32").
//
//	2026-11:hqXz…=,2025-11:Zk3c…=
//
// Every mistake is reported at once, by its position; nothing of the text is
// quoted, since a secret may stand where the name should.
func ParseRing(text string) (Ring, error) {
	var ring Ring
	var problems []error
	position := map[string]int{}
	fields := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) })
	for i, field := range fields {
		name, encoded, found := strings.Cut(field, ":")
		secret, err := decodeSecret(encoded)
		switch {
		case !found || !validRingName(name):
			err = errors.New("want name:secret, with a name of 1 to 32 of [0-9A-Za-z.-]")
		case position[name] > 0:
			err = fmt.Errorf("it has the name of entry %d", position[name])
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("keystore: ring entry %d: %w", i+1, err))
		}
		position[name] = i + 1
		ring.entries = append(ring.entries, ringEntry{name, NewSecret(string(secret))})
	}
	if len(fields) == 0 {
		problems = append(problems, errors.New("keystore: the ring is empty: want at least one name:secret"))
	}
	if len(problems) > 0 {
		return Ring{}, errors.Join(problems...)
	}
	return ring, nil
}

// GenerateSecret draws 32 random bytes, in unpadded base64url: a secret for a
// [Ring] or for [Config.TagSecret].
func GenerateSecret() Secret {
	b := make([]byte, ringSecretBytes)
	rand.Read(b)
	return NewSecret(base64.RawURLEncoding.EncodeToString(b))
}

// derive makes from each secret a key for one purpose, so that who was given the
// key of one purpose cannot make what another protects.
func (r Ring) derive(purpose string) (map[string][]byte, []string, error) {
	keys, names := map[string][]byte{}, []string{}
	for _, e := range r.entries {
		key, err := hkdf.Key(sha256.New, []byte(e.secret.Reveal()), nil, "claviger v1 "+purpose, sha256.Size)
		if err != nil {
			return nil, nil, fmt.Errorf("keystore: deriving from ring secret %q: %w", e.name, err)
		}
		keys[e.name], names = key, append(names, e.name)
	}
	return keys, names, nil
}

func validRingName(name string) bool {
	return name != "" && len(name) <= 32 && !strings.ContainsFunc(name, func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '.' && c != '-'
	})
}

// decodeSecret reads 32 bytes in standard or URL base64, padded or not, perhaps
// with the line end of the file it came from.
func decodeSecret(encoded string) ([]byte, error) {
	unified := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(strings.TrimSpace(encoded), "="))
	secret, err := base64.RawStdEncoding.DecodeString(unified)
	if err != nil {
		return nil, errors.New("want 32 bytes in base64; this is not base64")
	}
	if len(secret) != ringSecretBytes {
		return nil, fmt.Errorf("want 32 bytes in base64; this is %d bytes", len(secret))
	}
	return secret, nil
}
