package bulk

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/scopes"
)

// line is what the file says of one key or client.
type line struct {
	Key       string            `json:"key"`
	SHA256    string            `json:"sha256"`
	Kind      keystore.Kind     `json:"kind"`
	ID        string            `json:"id"`
	Hash      string            `json:"hash"`
	Owner     string            `json:"owner"`
	Name      string            `json:"name"`
	Type      string            `json:"type"`
	Env       keystore.Env      `json:"env"`
	Scopes    []scopes.Scope    `json:"scopes"`
	NotBefore string            `json:"not_before"`
	Expires   string            `json:"expires"`
	Meta      map[string]string `json:"meta"`
}

// entry is a line understood. It holds no text of a key.
type entry struct {
	number int
	client bool
	id     string // of the record by which it is found
	digest [sha256.Size]byte
	hash   string
	spec   keystore.Spec
}

// entry understands the line. Whether the spec can be is asked of what is new alone:
// what was imported before may have expired since.
func (l *line) entry(number int, keys *keystore.Keys) (entry, error) {
	spec, err := l.spec()
	if err != nil {
		return entry{}, err
	}
	e := entry{number: number, spec: spec}
	switch l.Kind {
	case "", keystore.KindAPIKey:
		if l.ID != "" || l.Hash != "" {
			return entry{}, errors.New("id and hash belong to a client: a key cannot be found by a slow hash, and gets an id of its own")
		}
		if e.digest, err = l.digest(keys); err != nil {
			return entry{}, err
		}
		e.id = keystore.AliasID(e.digest)
		return e, nil
	case keystore.KindClient:
		if l.Key != "" || l.SHA256 != "" {
			return entry{}, errors.New("key and sha256 belong to a key: a client has an id and a hash")
		}
		e.client, e.id, e.hash = true, l.ID, l.Hash
		return e, nil
	default:
		return entry{}, errors.New(`kind: want "api_key" or "client"`)
	}
}

// check reports why the entry cannot be imported.
func (e *entry) check(keys *keystore.Keys) error {
	if e.client {
		return keys.CheckClient(e.id, e.spec, e.hash)
	}
	return keys.CheckSpec(e.spec)
}

func (l *line) spec() (keystore.Spec, error) {
	spec := keystore.Spec{
		Owner: l.Owner, Name: l.Name, Type: l.Type, Env: l.Env, Scopes: l.Scopes, Meta: l.Meta,
	}
	var err error
	if spec.NotBefore, err = moment("not_before", l.NotBefore); err != nil {
		return spec, err
	}
	spec.Expires, err = moment("expires", l.Expires)
	return spec, err
}

// moment does not quote what it cannot read: columns may have been mixed up.
func moment(field, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s: want a time as in 2026-11-22T03:00:00Z", field)
	}
	return t, nil
}

func (l *line) digest(keys *keystore.Keys) (digest [sha256.Size]byte, err error) {
	switch {
	case l.Key != "" && l.SHA256 != "", l.Key == "" && l.SHA256 == "":
		return digest, errors.New("want one of key and sha256")
	case l.Key != "":
		return keys.ForeignDigest(keystore.NewSecret(l.Key))
	}
	sum, err := hex.DecodeString(l.SHA256)
	if err != nil || len(sum) != len(digest) {
		return digest, errors.New("sha256: want 64 hex digits")
	}
	return [sha256.Size]byte(sum), nil
}
