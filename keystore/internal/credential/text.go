// Package credential is the text of a credential: what a client presents.
//
//	<brand>_<env>_<id>_<secret><check>      sk_live_7Gk2mXw9QaTz_…
package credential

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"unsafe"
)

// Lengths of the parts, in bytes.
const (
	IDBytes     = 12
	TagBytes    = 6
	SecretBytes = 43 // 62^43 > 2^256
	checkBytes  = 6  // 62^6 > 2^32
	envBytes    = 4
	BrandBytes  = 16 // at most
)

// Text is a well-formed credential, cut into parts that share its memory.
type Text struct {
	Brand, Env, ID, Secret string
}

// Parse cuts s into its parts. It is false for anything malformed: another
// length, another alphabet, a wrong check. It allocates nothing.
func Parse(s string) (Text, bool) {
	brand, rest, found := strings.Cut(s, "_")
	if !found || !ValidBrand(brand) {
		return Text{}, false
	}
	idBytes := len(rest) - envBytes - 2 - SecretBytes - checkBytes
	if idBytes != IDBytes && idBytes != IDBytes+TagBytes {
		return Text{}, false
	}
	env, id := rest[:envBytes], rest[envBytes+1:envBytes+1+idBytes]
	tail := rest[envBytes+1+idBytes:]
	if env != "live" && env != "test" || rest[envBytes] != '_' || tail[0] != '_' || !base62(id) || !base62(tail[1:]) {
		return Text{}, false
	}
	body := len(s) - checkBytes
	if decode(s[body:]) != uint64(crc32.ChecksumIEEE(Bytes(s[:body]))) {
		return Text{}, false
	}
	return Text{Brand: brand, Env: env, ID: id, Secret: tail[1 : 1+SecretBytes]}, true
}

// Shaped reports whether s has the length and the beginning of a credential of
// this brand: cheap, and enough to look it up among those parsed before.
func Shaped(s, brand string) bool {
	n := len(s) - len(brand) - len("_live_") - IDBytes - len("_") - SecretBytes - checkBytes
	return (n == 0 || n == TagBytes) && s[:len(brand)] == brand && s[len(brand)] == '_'
}

// ValidBrand reports whether brand is 1 to 16 of [a-z0-9].
func ValidBrand(brand string) bool {
	if brand == "" || len(brand) > BrandBytes {
		return false
	}
	for i := range len(brand) {
		if c := brand[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// Format writes the parts as one text, with its check.
func (t Text) Format() string {
	body := t.Brand + "_" + t.Env + "_" + t.ID + "_" + t.Secret
	return body + encode(uint64(crc32.ChecksumIEEE([]byte(body))))
}

// NewSecret draws 256 random bits.
func NewSecret() string { return random(SecretBytes) }

// TagKey makes the tag of an id. It is a closure, so that whatever prints its
// owner, or walks it by reflection, does not meet the key.
type TagKey func(id string) string

// NewTagKey makes tags by HMAC-SHA-256 under key, which it keeps.
func NewTagKey(key []byte) TagKey {
	return func(id string) string {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id))
		return encode(binary.BigEndian.Uint64(mac.Sum(nil)))
	}
}

// NewID draws an id; with a tag key it ends in a tag that only holders of the
// key can make.
func NewID(tag TagKey) string {
	id := random(IDBytes)
	if tag != nil {
		id += tag(id)
	}
	return id
}

// Tagged reports whether id ends in the tag of what stands before it.
func Tagged(id string, tag TagKey) bool {
	if len(id) != IDBytes+TagBytes {
		return false
	}
	want := tag(id[:IDBytes])
	return subtle.ConstantTimeCompare([]byte(id[IDBytes:]), []byte(want)) == 1
}

// Bytes views s as bytes without a copy; nobody may write to them. A copy would
// be the only allocation of a verification: hash functions are called through
// variables, so the compiler cannot keep it on the stack.
func Bytes(s string) []byte {
	return unsafe.Slice(unsafe.StringData(s), len(s)) //nolint:gosec // G103: read only, see above
}

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// digit is the value of a base62 digit, 0xFF for any other byte.
var digit = func() (table [256]byte) { //nolint:gochecknoglobals // a table is what it is
	for i := range table {
		table[i] = 0xFF
	}
	for i := range len(alphabet) {
		table[alphabet[i]] = byte(i)
	}
	return table
}()

func base62(s string) bool {
	var seen byte
	for i := range len(s) {
		seen |= digit[s[i]]
	}
	return seen < 64 // digits are, and so is whatever their bits make together
}

// encode writes the low part of n as six digits, most significant first.
func encode(n uint64) string {
	var out [checkBytes]byte
	for i := range out {
		out[checkBytes-1-i] = alphabet[n%62]
		n /= 62
	}
	return string(out[:])
}

func decode(s string) uint64 {
	var n uint64
	for i := range len(s) {
		n = n*62 + uint64(digit[s[i]])
	}
	return n
}

// random draws n base62 digits without bias: of 256 byte values the 8 that do
// not fill a whole round of 62 are drawn again.
func random(n int) string {
	out := make([]byte, 0, n)
	var draw [64]byte
	for {
		rand.Read(draw[:]) // never fails: it would end the process first
		for _, b := range draw {
			if b >= 4*62 {
				continue
			}
			if out = append(out, alphabet[b%62]); len(out) == n {
				return string(out)
			}
		}
	}
}
