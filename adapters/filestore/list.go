package filestore

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/claviger-go/claviger/keystore"
)

const defaultPage = 100

// List returns a page of the records that match f, newest first; those created in the same microsecond in descending
// order of their ids.
//
// A page is the state of one instant. A record that is there all the time comes on exactly one page, whatever is written
// meanwhile; one inserted meanwhile may come or not. A cursor stands for a place, not for a record, so it remains valid
// when records are deleted, in every process and with any filter. A negative f.Limit counts as 0.
//
// A malformed cursor is an error, and so is a record on the page that has a newer format. All records are looked at,
// which takes less than decoding twenty of them when there are 10,000.
func (s *Store) List(ctx context.Context, f keystore.Filter) (keystore.Page, error) {
	sn, err := s.fresh(ctx)
	if err != nil {
		return keystore.Page{}, err
	}
	from := len(sn.byAge)
	if f.After != "" {
		last, err := parseCursor(f.After)
		if err != nil {
			return keystore.Page{}, err
		}
		from, _ = sn.find(last)
	}
	limit := f.Limit
	if limit <= 0 {
		limit = defaultPage
	}
	return page(ctx, sn.byAge[:from], &f, min(limit, keystore.MaxPage))
}

func page(ctx context.Context, entries []*entry, f *keystore.Filter, limit int) (keystore.Page, error) {
	var p keystore.Page
	var last place
	for _, e := range slices.Backward(entries) {
		if !e.matches(f) {
			continue
		}
		if len(p.Records) == limit {
			p.Next = last.cursor()
			break
		}
		if err := ctx.Err(); err != nil {
			return keystore.Page{}, err
		}
		r, err := e.record()
		if err != nil {
			return keystore.Page{}, err
		}
		p.Records, last = append(p.Records, r), e.place()
	}
	return p, nil
}

// cursor is the place of a record that was on the page, and tells nothing about others: the microseconds of its time, a
// dot and its id, in base64url.
func (p place) cursor() string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d.%s", p.created, p.id))
}

var errCursor = errors.New("filestore: malformed cursor: want the Next of an earlier page, unchanged")

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
