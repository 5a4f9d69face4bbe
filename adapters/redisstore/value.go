package redisstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/claviger-go/claviger/keystore"
)

// encode makes the value of a record's key: one line with what the scripts decide and filter on, then the record's own
// JSON. The line repeats what the JSON says and is written with it; changing it by hand changes nothing for a reader.
//
//	1,version,op,live|revoked,created,expires|never,kind,type,owner,parent,quota
//
// Owner, parent and quota are digests and name the indexes that hold the record.
func encode(r keystore.Record) (string, error) {
	encoding, err := json.Marshal(r)
	if err != nil {
		return "", fmt.Errorf("redisstore: encoding a record: %w", err)
	}
	state, expires := "live", never
	if !r.Revoked.IsZero() {
		state = "revoked"
	}
	if !r.Expires.IsZero() {
		expires = instant(microseconds(r.Expires))
	}
	return strings.Join([]string{
		"1", strconv.FormatUint(r.Version, 10), url.QueryEscape(r.Op), state,
		instant(microseconds(r.Created)), expires, url.QueryEscape(string(r.Kind)), url.QueryEscape(r.Type),
		digest(r.Owner), digest(r.Parent), digest(string(r.Kind), r.Type, r.Owner),
	}, ",") + "\n" + string(encoding), nil
}

func decode(value []byte) (keystore.Record, error) {
	header, encoding, ok := bytes.Cut(value, []byte{'\n'})
	if !ok || !bytes.HasPrefix(header, []byte("1,")) {
		return keystore.Record{}, errors.New("redisstore: a record was written in a format that this version does not know")
	}
	var r keystore.Record
	if err := r.UnmarshalJSON(encoding); err != nil {
		return keystore.Record{}, fmt.Errorf("redisstore: a record does not decode: %w", err)
	}
	return r, nil
}
