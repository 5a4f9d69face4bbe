package sqlstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/claviger-go/claviger/keystore"
)

// row is a record as its table holds it: its own encoding, and copies of what is searched by.
type row struct {
	id, op, kind, owner, typ []byte

	version int64
	parent  any // []byte, or nil for none
	created int64
	expires any // int64, or nil for never
	revoked any // int64, or nil for not revoked
	data    []byte
}

// rowOf also refuses what a column would cut, which MySQL does without a word unless it is told to be strict.
func rowOf(r keystore.Record) (row, error) {
	for _, text := range []struct {
		name  string
		bytes int
		limit int
	}{
		{"op", len(r.Op), 64},
		{"kind", len(r.Kind), 64},
		{"owner", len(r.Owner), 256},
		{"type", len(r.Type), 64},
		{"parent", len(r.Parent), maxID},
	} {
		if text.bytes > text.limit {
			return row{}, fmt.Errorf("sqlstore: the %s has %d bytes: at most %d", text.name, text.bytes, text.limit)
		}
	}
	data, err := json.Marshal(r)
	if err != nil {
		return row{}, fmt.Errorf("sqlstore: encoding a record: %w", err)
	}
	if len(data) > maxData {
		return row{}, fmt.Errorf("sqlstore: the record has %d bytes: at most %d", len(data), maxData)
	}
	w := row{
		id: []byte(r.ID), op: []byte(r.Op), kind: []byte(r.Kind), owner: []byte(r.Owner), typ: []byte(r.Type),
		version: signed(r.Version),
		created: r.Created.UnixMicro(),
		expires: microseconds(r.Expires),
		revoked: microseconds(r.Revoked.At),
		data:    data,
	}
	if r.Parent != "" {
		w.parent = []byte(r.Parent)
	}
	return w, nil
}

const (
	maxID   = 80
	maxData = 1<<24 - 1 // MEDIUMBLOB; a record that Keys accepts has a fiftieth of that
)

// signed maps versions one to one to what every engine has a type for. They are only compared.
func signed(version uint64) int64 { return int64(version) } //nolint:gosec // two's complement is meant

func microseconds(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

var errID = errors.New("sqlstore: malformed id: want 1 to 80 bytes of [0-9A-Za-z:]")

// checkID is KS6. It does not repeat the id: a credential passed by mistake must not end up in a log.
func checkID(id string) error {
	if id == "" || len(id) > maxID {
		return errID
	}
	for i := range len(id) {
		c := id[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != ':' {
			return errID
		}
	}
	return nil
}
