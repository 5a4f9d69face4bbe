package keystore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// currentFormat is the newest form of a record that this version reads. A new
// field that narrows what a record allows gets a new number, so that a process
// which does not know it answers an error instead of dropping it.
const currentFormat = 1

// ErrNewerFormat: a record was written by a newer version of Claviger, and may
// carry a restriction that this one would not honour. It counts as "cannot
// answer".
var ErrNewerFormat = errors.New("keystore: the record's format is newer than this version of Claviger reads")

// plainRecord is a Record without its methods, or MarshalJSON would call itself.
type plainRecord Record

type encodedRecord struct {
	Format int `json:"format"`
	plainRecord
}

// format is the lowest format that holds the record: a process restarted with a
// newer version must not make the others refuse every key it touches.
func (r *Record) format() int { return 1 }

// MarshalJSON encodes the record as an adapter stores it: one JSON object with a
// member "format", unset fields left out, times as RFC 3339 in UTC with at most
// microseconds.
func (r Record) MarshalJSON() ([]byte, error) {
	r.Secrets = slices.Clone(r.Secrets)
	r.normalize()
	return json.Marshal(encodedRecord{r.format(), plainRecord(r)})
}

// UnmarshalJSON decodes what MarshalJSON made. A newer format is
// [ErrNewerFormat]; an unknown member is an error as well, never dropped.
func (r *Record) UnmarshalJSON(data []byte) error {
	var e encodedRecord
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&e)
	if err == nil {
		if _, trailing := decoder.Token(); trailing != io.EOF {
			err = errors.New("data after the record")
		}
	}
	if err != nil {
		// A newer format is the more useful news than the member it added.
		var header struct {
			Format int `json:"format"`
		}
		if json.Unmarshal(data, &header) == nil && header.Format > currentFormat {
			return fmt.Errorf("%w (format %d, known up to %d)", ErrNewerFormat, header.Format, currentFormat)
		}
		return fmt.Errorf("keystore: decoding a record: %w", err)
	}
	switch {
	case e.Format > currentFormat:
		return fmt.Errorf("%w (format %d, known up to %d)", ErrNewerFormat, e.Format, currentFormat)
	case e.Format < 1:
		return errors.New("keystore: decoding a record: member \"format\" is missing")
	}
	decoded := Record(e.plainRecord)
	if err := decoded.checkTimes(); err != nil {
		return fmt.Errorf("keystore: decoding a record: %w", err)
	}
	decoded.normalize()
	*r = decoded
	return nil
}
