package jwk

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/claviger-go/claviger/keystore/tokens/internal/strictjson"
)

// maxDocumentBytes bounds what an issuer publishes. Large ones, with certificates,
// have 50 KiB.
const maxDocumentBytes = 256 << 10

// MarshalJSON writes the set as the document that others verify by (RFC 7517 §5).
// A set of secrets is an error.
func (s *Set) MarshalJSON() ([]byte, error) {
	document := struct {
		Keys []*Key `json:"keys"`
	}{append([]*Key{}, s.keys...)} // never null
	return json.Marshal(document)
}

// ParseSet reads the document that an issuer publishes, and returns the keys that
// verify by one of the algorithms allowed; by any but HS256, if none are named. A
// key that names no algorithm has the first allowed that fits it, which is RS256
// for RSA.
//
// RFC 7517 §5 has a key passed over that cannot be used: secrets, those for
// encryption, of other types, or weak. Skipped says why each was. A document that
// is not strict JSON, has over 256 KiB or 100 keys, or two usable ones of one name,
// is an error. One without any usable key is not: its issuer has withdrawn them.
func ParseSet(document []byte, allowed ...Algorithm) (set *Set, skipped []error, err error) {
	if len(document) > maxDocumentBytes {
		return nil, nil, fmt.Errorf("jwk: a document of %d bytes: want at most %d", len(document), maxDocumentBytes)
	}
	published, err := publishedKeys(string(document))
	if err != nil {
		return nil, nil, err
	}
	if len(published) > maxPublicKeys {
		return nil, nil, fmt.Errorf("jwk: a document of %d keys: want at most %d", len(published), maxPublicKeys)
	}
	var keys []*Key
	for i, one := range published {
		key, err := parse(one, allowed)
		if err != nil {
			skipped = append(skipped, fmt.Errorf("jwk: key %d of the document: %w", i+1, err))
			continue
		}
		keys = append(keys, key)
	}
	set, err = NewSet(keys...)
	return set, skipped, err
}

// publishedKeys returns the keys of a document, each as it stands there.
func publishedKeys(document string) ([]strictjson.Value, error) {
	var keys strictjson.Value
	err := strictjson.Object(document, func(name string, value strictjson.Value) {
		if name == "keys" {
			keys = value
		}
	})
	if err != nil {
		return nil, fmt.Errorf("jwk: a document that is %w", err)
	}
	published, err := keys.Array()
	if err != nil {
		return nil, errors.New("jwk: a document without an array of keys")
	}
	return published, nil
}
