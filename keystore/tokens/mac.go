package tokens

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"sync"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/keystore/internal/credential"
)

// macDigits is how much of a MAC stands in a token: 160 bits in hex (RFC 6749 §10.10).
const macDigits = 40

// mac is HMAC-SHA-256 under a derived key, in hex and cut. It is a closure, so that
// nothing that prints its owner meets the key.
type mac func(text string) string

func newMAC(key keystore.Secret) mac {
	type state struct {
		hash.Hash

		sum [sha256.Size]byte
	}
	// One that is used again has its key worked in already: half the cost.
	states := sync.Pool{New: func() any { return &state{Hash: hmac.New(sha256.New, []byte(key.Reveal()))} }}
	return func(text string) string {
		s := states.Get().(*state) //nolint:forcetypeassert // see New
		defer states.Put(s)
		s.Reset()
		s.Write(credential.Bytes(text))
		var digits [macDigits]byte
		hex.Encode(digits[:], s.Sum(s.sum[:0])[:macDigits/2])
		return string(digits[:])
	}
}

func (m mac) matches(text, shown string) bool {
	return hmac.Equal(credential.Bytes(m(text)), credential.Bytes(shown))
}

// generation is what the tag of a token is the MAC of: one generation of a session, as
// it was from its beginning or last ending to the next. A signing key alone therefore
// makes no token that counts, nor lets one live longer.
func generation(session string, seed []byte, n uint32, expires int64) string {
	b := make([]byte, 0, 128)
	b = appendField(b, session)
	b = appendField(b, string(seed))
	b = binary.BigEndian.AppendUint32(b, n)
	return string(binary.BigEndian.AppendUint64(b, uint64(expires))) //nolint:gosec // G115: one to one
}

// appendField writes a text so that no two lists of texts are written alike.
func appendField(b []byte, text string) []byte {
	return append(binary.BigEndian.AppendUint64(b, uint64(len(text))), text...)
}
