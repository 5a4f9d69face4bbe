package sqlstore

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// place is where a record stands in a List.
type place struct {
	created int64
	id      string
}

// cursor is the place of a record that was on the page, and tells nothing about others: the microseconds of its time, a
// dot and its id, in base64url. Whoever forges one names another place in a list that remains filtered.
func (p place) cursor() string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d.%s", p.created, p.id))
}

var errCursor = errors.New("sqlstore: malformed cursor: want the Next of an earlier page, unchanged")

func parseCursor(text string) (place, error) {
	if len(text) > base64.RawURLEncoding.EncodedLen(len("-9223372036854775808.")+maxID) {
		return place{}, errCursor
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return place{}, errCursor
	}
	microseconds, id, _ := strings.Cut(string(raw), ".")
	created, err := strconv.ParseInt(microseconds, 10, 64)
	p := place{created, id}
	// Written again, it has to be the same: the decoder skips line ends and spare bits, ParseInt signs and zeros.
	if err != nil || checkID(id) != nil || p.cursor() != text {
		return place{}, errCursor
	}
	return p, nil
}
