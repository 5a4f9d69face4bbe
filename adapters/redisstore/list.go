package redisstore

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"

	"github.com/claviger-go/claviger/keystore"
)

const (
	// stride is how many records one script looks at: 1 to 2 ms in which Redis serves nobody else.
	stride      = 500
	defaultPage = 100
)

// List returns a page of the records that match f, newest first; those created in the same microsecond in descending
// order of their ids.
//
// A record that is there all the time comes on exactly one page, whatever is written meanwhile; one inserted meanwhile
// may come or not. A page is no snapshot: its records are each as they were at some time during the call. A cursor
// stands for a place, not for a record, so it remains valid when records are deleted, in every Store of this prefix and
// with any filter. A negative f.Limit counts as 0.
//
// A malformed cursor is an error. With f.Parent or f.Owner the cost depends on the records of that parent or owner
// alone, with f.ExpiredBefore on those that expired unless they are many; otherwise up to all records are looked at, 500
// in each round trip, about 3 µs for each.
func (s *Store) List(ctx context.Context, f keystore.Filter) (keystore.Page, error) {
	if err := ctx.Err(); err != nil {
		return keystore.Page{}, err
	}
	w := walk{filter: f, limit: min(f.Limit, keystore.MaxPage), under: "+"}
	if f.Limit <= 0 {
		w.limit = defaultPage
	}
	if f.After != "" {
		place, err := parseCursor(f.After)
		if err != nil {
			return keystore.Page{}, err
		}
		w.after, w.under = place, "("+place
	}
	switch {
	case f.Parent != "":
		w.index = s.keys.parent(f.Parent)
	case f.Owner != "":
		w.index = s.keys.owner(f.Owner)
	default:
		w.index = s.keys.all()
		if !f.ExpiredBefore.IsZero() {
			if done, err := s.expired(ctx, &w); done || err != nil {
				return w.page, err
			}
		}
	}
	for done := false; !done; {
		var err error
		if done, err = s.advance(ctx, &w); err != nil {
			return keystore.Page{}, err
		}
	}
	return w.page, nil
}

// walk is a List on its way.
type walk struct {
	filter keystore.Filter
	limit  int
	after  string // the place to begin behind; empty: at the newest
	index  string
	under  string // the bound of the next stride

	page keystore.Page
	last string // the place of the last record on the page
}

// advance takes one stride and reports whether it was the last.
func (s *Store) advance(ctx context.Context, w *walk) (done bool, err error) {
	f := &w.filter
	wanted := w.limit + 1 - len(w.page.Records)
	args := []any{
		string(s.keys), w.under, wanted, stride,
		url.QueryEscape(string(f.Kind)), url.QueryEscape(f.Type), digest(f.Owner), digest(f.Parent), bound(f),
	}
	reply, err := within(ctx, s, func() ([]string, error) {
		return s.scripts.list.Run(ctx, s.client, []string{w.index, s.keys.sent("never")}, args...).StringSlice()
	})
	if err != nil {
		return false, err
	}
	if len(reply)%2 != 1 {
		return false, fmt.Errorf("redisstore: a script answered %d texts, which it never does", len(reply))
	}
	w.under = "(" + reply[0]
	for i := 1; i < len(reply); i += 2 {
		if full, err := w.add(ctx, reply[i], reply[i+1]); full || err != nil {
			return full, err
		}
	}
	return reply[0] == "", nil
}

// add puts a record on the page, and reports whether there was no more room for it.
func (w *walk) add(ctx context.Context, place, value string) (full bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	r, err := decode([]byte(value))
	if err != nil {
		return false, err
	}
	if !matches(&r, &w.filter) {
		return false, nil
	}
	if len(w.page.Records) == w.limit {
		w.page.Next = cursor(w.last)
		return true, nil
	}
	w.page.Records, w.last = append(w.page.Records, r), place
	return false, nil
}

// matches is the filter itself; the scripts compare digests.
func matches(r *keystore.Record, f *keystore.Filter) bool {
	switch {
	case f.Kind != "" && f.Kind != r.Kind,
		f.Type != "" && f.Type != r.Type,
		f.Owner != "" && f.Owner != r.Owner,
		f.Parent != "" && f.Parent != r.Parent:
		return false
	}
	return f.ExpiredBefore.IsZero() || !r.Expires.IsZero() && r.Expires.Before(f.ExpiredBefore)
}

// bound is the first instant that is not before f.ExpiredBefore.
func bound(f *keystore.Filter) string {
	if f.ExpiredBefore.IsZero() {
		return ""
	}
	m := microseconds(f.ExpiredBefore)
	if m < 1<<63-1 && f.ExpiredBefore.Nanosecond()%1000 != 0 {
		m++
	}
	return instant(m)
}

// cursor is the place of a record that was on the page, and tells nothing about others: its time and its id, in
// base64url.
func cursor(place string) string { return base64.RawURLEncoding.EncodeToString([]byte(place)) }

var errCursor = errors.New("redisstore: malformed cursor: want the Next of an earlier page, unchanged")

func parseCursor(text string) (place string, err error) {
	if len(text) > base64.RawURLEncoding.EncodedLen(instantBytes+maxID) {
		return "", errCursor
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) <= instantBytes {
		return "", errCursor
	}
	place = string(raw)
	for i := range instantBytes {
		if c := place[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return "", errCursor
		}
	}
	// Written again, it has to be the same: the decoder skips line ends and spare bits.
	if checkID(place[instantBytes:]) != nil || cursor(place) != text {
		return "", errCursor
	}
	return place, nil
}
