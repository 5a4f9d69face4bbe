package jwk

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"math/big"
	"slices"

	"github.com/claviger-go/claviger/keystore/tokens/internal/strictjson"
)

// parse reads a key that verifies signatures by one of the algorithms allowed. Any
// other key is an error.
func parse(published strictjson.Value, allowed []Algorithm) (*Key, error) {
	f := fields{values: map[string]strictjson.Value{}}
	if err := strictjson.Object(string(published), func(name string, value strictjson.Value) { f.values[name] = value }); err != nil {
		return nil, err
	}
	switch {
	case f.has("use") && f.text("use") != "sig", f.has("key_ops") && !slices.Contains(f.texts("key_ops"), "verify"):
		return nil, errors.New("not for verifying")
	case f.has("d"):
		return nil, errors.New("a private key, and published")
	}
	public, err := parsePublic(&f)
	if err != nil {
		return nil, err
	}
	fitting := algorithmsOf(public)
	if f.has("alg") {
		fitting = slices.DeleteFunc(fitting, func(a Algorithm) bool { return string(a) != f.text("alg") })
	}
	if len(allowed) > 0 {
		fitting = slices.DeleteFunc(fitting, func(a Algorithm) bool { return !slices.Contains(allowed, a) })
	}
	if len(fitting) == 0 {
		return nil, errors.New("for an algorithm that does not fit it or is not accepted")
	}
	id := f.optional("kid")
	if f.wrong != "" {
		return nil, errors.New("member " + f.wrong + " is missing or wrong")
	}
	return newPublic(id, fitting[0], public)
}

func parsePublic(f *fields) (crypto.PublicKey, error) {
	switch f.text("kty") + " " + f.optional("crv") {
	case "OKP Ed25519":
		return ed25519.PublicKey(f.bytes("x")), nil
	case "RSA ":
		e := new(big.Int).SetBytes(f.bytes("e"))
		if e.BitLen() > 31 {
			return nil, errors.New("an RSA key with too large an exponent")
		}
		return &rsa.PublicKey{N: new(big.Int).SetBytes(f.bytes("n")), E: int(e.Int64())}, nil
	case "EC P-256":
		return parsePoint(elliptic.P256(), f)
	case "EC P-384":
		return parsePoint(elliptic.P384(), f)
	case "EC P-521":
		return parsePoint(elliptic.P521(), f)
	default: // "oct" among them: a secret that is published is none
		return nil, errors.New("of a type or on a curve that is not used here")
	}
}

func parsePoint(curve elliptic.Curve, f *fields) (crypto.PublicKey, error) {
	x, y := f.bytes("x"), f.bytes("y")
	if len(x) != len(y) { // or a byte could change sides
		return nil, errors.New("a point with coordinates of different lengths")
	}
	return ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, x, y))
}

// fields reads the members of a JWK, and keeps the name of one that is not as it
// has to be.
type fields struct {
	values map[string]strictjson.Value
	wrong  string
}

func (f *fields) has(name string) bool {
	_, found := f.values[name]
	return found
}

func (f *fields) text(name string) string {
	text, err := f.values[name].Text()
	if err != nil {
		f.wrong = name
	}
	return text
}

func (f *fields) texts(name string) []string {
	texts, err := f.values[name].Texts()
	if err != nil {
		f.wrong = name
	}
	return texts
}

func (f *fields) optional(name string) string {
	if !f.has(name) {
		return ""
	}
	return f.text(name)
}

func (f *fields) bytes(name string) []byte {
	text := f.text(name) // without line ends, which base64 overlooks
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		f.wrong = name
	}
	return b
}
