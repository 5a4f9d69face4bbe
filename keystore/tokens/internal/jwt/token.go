package jwt

import (
	"encoding/base64"
	"strings"
	"time"
)

// DefaultMaxBytes is how long a token may be where nothing else is configured:
// what nginx and Apache take of one header line, so a longer one could not have
// come through them.
const DefaultMaxBytes = 8 << 10

// Token is a text in the form of a token. Nothing in it is proven.
type Token struct {
	Header Header

	signed    string // header and payload as they stand in the text
	payload   string // decoded
	signature []byte // decoded
}

// Parse reads the form of a token: three canonical segments, together at most
// maxBytes, with a header that asks for nothing we do not do. 0 stands for
// [DefaultMaxBytes]. Any error is an [ErrMalformed].
func Parse(text string, maxBytes int) (Token, error) {
	if maxBytes == 0 {
		maxBytes = DefaultMaxBytes
	}
	if len(text) > maxBytes {
		return Token{}, malformed("too long")
	}
	// Cut, not split: a million dots must not become a million segments.
	header, rest, _ := strings.Cut(text, ".")
	payload, signature, found := strings.Cut(rest, ".")
	if !found {
		return Token{}, malformed("not three segments")
	}
	// One buffer for all three; a dot too many is no base64url.
	decoded := make([]byte, 0, base64.RawURLEncoding.DecodedLen(len(text)))
	decoded, ok1 := appendDecoded(decoded, header)
	headerEnd := len(decoded)
	decoded, ok2 := appendDecoded(decoded, payload)
	payloadEnd := len(decoded)
	decoded, ok3 := appendDecoded(decoded, signature)
	if !ok1 || !ok2 || !ok3 {
		return Token{}, malformed("not canonical base64url")
	}
	readable := string(decoded[:payloadEnd])
	h, err := parseHeader(readable[:headerEnd])
	if err != nil {
		return Token{}, err
	}
	return Token{
		Header:    h,
		signed:    text[:len(header)+1+len(payload)],
		payload:   readable[headerEnd:],
		signature: decoded[payloadEnd:],
	}, nil
}

// appendDecoded decodes a segment. Strict encoding refuses stray bits in the last
// character, but overlooks line ends.
func appendDecoded(to []byte, segment string) ([]byte, bool) {
	decoded, err := base64.RawURLEncoding.Strict().AppendDecode(to, []byte(segment))
	return decoded, err == nil && strings.IndexByte(segment, '\n') < 0 && strings.IndexByte(segment, '\r') < 0
}

// UnprovenIssuer returns who the token says has issued it, "" if nobody: good for
// choosing the keys to prove it by, and for nothing else.
func (t *Token) UnprovenIssuer() (string, error) {
	claims, err := parseClaims(t.payload)
	return claims.Issuer, err
}

// UnprovenSession returns the session and the expiry that the token claims: good for
// finding out whether a key that is not known here may have signed it, and for nothing
// else.
func (t *Token) UnprovenSession() (id string, expires time.Time, err error) {
	claims, err := parseClaims(t.payload)
	return claims.Session, claims.Expires, err
}
