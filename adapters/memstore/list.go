package memstore

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/claviger-go/claviger/keystore"
)

// stride is how many records List looks at before it lets writers in and asks ctx again.
const stride = 1024

const defaultPage = 100

// List returns a page of the records that match f, newest first; those created in the same microsecond in descending
// order of their ids.
//
// A record that is there all the time comes on exactly one page, whatever is written meanwhile; one inserted meanwhile
// may come or not. A page is no snapshot: its records are each as they
// were at some time during the call. A cursor stands for a place, not for a record, so it remains valid when records
// are deleted, in this Store and with any filter. A negative f.Limit counts as 0.
//
// A malformed cursor is an error. With f.Parent or f.Owner the cost depends on the records of that parent or owner
// alone; otherwise up to all records are looked at, about 30 ms for each million.
func (s *Store) List(ctx context.Context, f keystore.Filter) (keystore.Page, error) {
	x, group := &s.byAge, ""
	switch {
	case f.Parent != "":
		x, group = &s.byParent, f.Parent
	case f.Owner != "":
		x, group = &s.byOwner, f.Owner
	}
	w := walk{index: x, at: newest(group), filter: f, limit: f.Limit}
	if f.Limit <= 0 {
		w.limit = defaultPage
	}
	w.limit = min(w.limit, keystore.MaxPage)
	if f.After != "" {
		var err error
		if w.at.created, w.at.id, err = parseCursor(f.After); err != nil {
			return keystore.Page{}, err
		}
	}
	for done := false; !done; {
		if err := ctx.Err(); err != nil {
			return keystore.Page{}, err
		}
		done = s.advance(&w)
	}
	return w.page(ctx)
}

// walk is a List on its way.
type walk struct {
	index  *index
	at     place // the last record looked at
	filter keystore.Filter
	limit  int

	found []content
	last  place // the last record found
	more  bool  // there is another one
}

// advance takes one stride and reports whether it was the last.
func (s *Store) advance(w *walk) (done bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	looked := 0
	for e := range w.index.older(w.at) {
		if looked == stride {
			return false
		}
		looked++
		w.at = w.index.place(e)
		if !e.matches(&w.filter) {
			continue
		}
		if len(w.found) == w.limit {
			w.more = true
			return true
		}
		w.found, w.last = append(w.found, e.content), w.at
	}
	return true
}

func (w *walk) page(ctx context.Context) (keystore.Page, error) {
	var page keystore.Page
	for _, c := range w.found {
		if err := ctx.Err(); err != nil {
			return keystore.Page{}, err
		}
		r, err := c.record()
		if err != nil {
			return keystore.Page{}, err
		}
		page.Records = append(page.Records, r)
	}
	if w.more {
		page.Next = w.last.cursor()
	}
	return page, nil
}

// cursor is the place of a record that was on the page, and tells nothing about others: the microseconds of its time, a
// dot and its id, in base64url.
func (p place) cursor() string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d.%s", p.created, p.id))
}

var errCursor = errors.New("memstore: malformed cursor: want the Next of an earlier page, unchanged")

func parseCursor(text string) (created int64, id string, err error) {
	if len(text) > base64.RawURLEncoding.EncodedLen(len("-9223372036854775808.")+maxID) {
		return 0, "", errCursor
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return 0, "", errCursor
	}
	microseconds, id, _ := strings.Cut(string(raw), ".")
	created, err = strconv.ParseInt(microseconds, 10, 64)
	// Written again, it has to be the same: the decoder skips line ends and spare bits, ParseInt signs and zeros.
	if err != nil || checkID(id) != nil || (place{created: created, id: id}).cursor() != text {
		return 0, "", errCursor
	}
	return created, id, nil
}
