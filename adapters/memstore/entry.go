package memstore

import (
	"encoding/json"
	"fmt"
	"strings"
	"unique"

	"github.com/claviger-go/claviger/keystore"
)

// entry is one stored record; the store's mu guards it. A million of them have to fit: what is not filtered on stays in
// the encoding.
type entry struct {
	content
	id   string
	used []used // one for each secret; no part of the record: an Update leaves it alone
}

// content is what an Update replaces. It is copied under the lock and read outside of it.
type content struct {
	data    string // the record's JSON, packed
	version uint64

	owner, parent string // slices of data, where they occur in it
	class         unique.Handle[class]
	created       int64 // times in microseconds
	expires       int64
	revoked       bool
}

// class is what records have in common by the thousand: kept once, and compared by its address.
type class struct {
	kind keystore.Kind
	typ  string
}

// never is the zero time in microseconds.
const never = -62_135_596_800_000_000

func encode(r keystore.Record) (content, error) {
	encoding, err := json.Marshal(r)
	if err != nil {
		return content{}, fmt.Errorf("memstore: encoding a record: %w", err)
	}
	data := pack(encoding)
	return content{
		data:    data,
		version: r.Version,
		owner:   within(data, r.Owner),
		parent:  within(data, r.Parent),
		class:   unique.Make(class{r.Kind, r.Type}),
		created: r.Created.UnixMicro(),
		expires: r.Expires.UnixMicro(),
		revoked: !r.Revoked.IsZero(),
	}, nil
}

// within returns text as a slice of data, or a copy if data does not hold it: never the caller's own bytes, which might
// be a slice of a whole request.
func within(data, text string) string {
	if at := strings.Index(data, text); at >= 0 {
		return data[at : at+len(text)]
	}
	return strings.Clone(text)
}

func (c *content) record() (keystore.Record, error) {
	var r keystore.Record
	if err := r.UnmarshalJSON(unpack(c.data)); err != nil {
		return keystore.Record{}, fmt.Errorf("memstore: a record does not decode: %w", err)
	}
	return r, nil
}

// writtenBy reports whether the mutation op stored this (KS15). An op without a name is nobody's.
func (c *content) writtenBy(op string) bool {
	if op == "" {
		return false
	}
	r, err := c.record()
	return err == nil && r.Op == op
}

func (c *content) matches(f *keystore.Filter) bool {
	switch class := c.class.Value(); {
	case f.Kind != "" && f.Kind != class.kind,
		f.Type != "" && f.Type != class.typ,
		f.Owner != "" && f.Owner != c.owner,
		f.Parent != "" && f.Parent != c.parent:
		return false
	}
	return f.ExpiredBefore.IsZero() || c.expires != never && c.expires < f.ExpiredBefore.UnixMicro()
}
