package filestore

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/claviger-go/claviger/keystore"
)

// entry is one record: a line of the file, and what is asked of it without decoding. It never changes.
type entry struct {
	line string // the record's own encoding

	id, op                  string
	version                 uint64
	kind                    keystore.Kind
	typ, owner, parent      string
	created, expires        int64 // in microseconds
	revoked, writtenByNewer bool
}

// never is the zero time in microseconds.
const never = -62_135_596_800_000_000

func encode(r keystore.Record) (*entry, error) {
	line, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("filestore: encoding a record: %w", err)
	}
	// Through the decoder: what it refuses would make the whole file unreadable.
	return decode(line)
}

func decode(line []byte) (*entry, error) {
	e := &entry{line: string(line)}
	r, err := e.record()
	if errors.Is(err, keystore.ErrNewerFormat) {
		// It stays as it is, and Lookup answers that error. What has to be known of it is what no format can do without.
		e.writtenByNewer = true
		r, err = outline(line)
	}
	if err == nil {
		err = checkID(r.ID)
	}
	if err != nil {
		return nil, err
	}
	e.id, e.op, e.version = r.ID, r.Op, r.Version
	e.kind, e.typ, e.owner, e.parent = r.Kind, r.Type, r.Owner, r.Parent
	e.created, e.expires = r.Created.UnixMicro(), r.Expires.UnixMicro()
	e.revoked = !r.Revoked.IsZero()
	return e, nil
}

func outline(line []byte) (keystore.Record, error) {
	var o struct {
		ID      string        `json:"id"`
		Op      string        `json:"op"`
		Version uint64        `json:"version"`
		Kind    keystore.Kind `json:"kind"`
		Type    string        `json:"type"`
		Owner   string        `json:"owner"`
		Parent  string        `json:"parent"`
		Created time.Time     `json:"created"`
		Expires time.Time     `json:"expires"`
		Revoked keystore.Mark `json:"revoked"`
	}
	if err := json.Unmarshal(line, &o); err != nil {
		return keystore.Record{}, fmt.Errorf("filestore: decoding a record of a newer format: %w", err)
	}
	return keystore.Record{
		ID: o.ID, Op: o.Op, Version: o.Version, Kind: o.Kind, Type: o.Type, Owner: o.Owner, Parent: o.Parent,
		Created: o.Created, Expires: o.Expires, Revoked: o.Revoked,
	}, nil
}

func (e *entry) record() (keystore.Record, error) {
	var r keystore.Record
	if err := r.UnmarshalJSON([]byte(e.line)); err != nil {
		return keystore.Record{}, fmt.Errorf("filestore: %w", err)
	}
	return r, nil
}

// writtenBy reports whether the mutation op stored this (KS15). An op without a name is nobody's.
func (e *entry) writtenBy(op string) bool { return op != "" && e.op == op }

// live reports whether the record counts towards a quota; it is expired from the instant of its expiry on.
func (e *entry) live(now int64) bool {
	return !e.revoked && (e.expires == never || now < e.expires)
}

func (e *entry) matches(f *keystore.Filter) bool {
	switch {
	case f.Kind != "" && f.Kind != e.kind,
		f.Type != "" && f.Type != e.typ,
		f.Owner != "" && f.Owner != e.owner,
		f.Parent != "" && f.Parent != e.parent:
		return false
	}
	return f.ExpiredBefore.IsZero() || e.expires != never && e.expires < f.ExpiredBefore.UnixMicro()
}

// place is where an entry stands: by age, those of equal age by id, so that their order never changes.
type place struct {
	created int64
	id      string
}

func (e *entry) place() place { return place{e.created, e.id} }

func (p place) compare(q place) int {
	if c := cmp.Compare(p.created, q.created); c != 0 {
		return c
	}
	return strings.Compare(p.id, q.id)
}

const maxID = 80

// checkID is KS6. It does not repeat the id: a credential passed by mistake must not end up in a log.
func checkID(id string) error {
	if id == "" || len(id) > maxID {
		return fmt.Errorf("filestore: the id has %d bytes: want 1 to %d", len(id), maxID)
	}
	for i := range len(id) {
		c := id[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != ':' {
			return fmt.Errorf("filestore: the id has %q at byte %d: want only [0-9A-Za-z:]", c, i)
		}
	}
	return nil
}
