package sqlstore

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/claviger-go/claviger/keystore"
)

const defaultPage = 100

// List returns a page of the records that match f, newest first; those created in the same microsecond in descending
// order of their ids.
//
// A record that is there all the time comes on exactly one page, whatever is written meanwhile; one inserted meanwhile
// may come or not. A cursor stands for a place, not for a record, so it remains valid when records are deleted. A
// malformed cursor is an error. A negative f.Limit counts as 0.
//
// Each page is one query that continues by index from the cursor. With f.Parent or f.Owner it reads no other records;
// by f.Kind or f.Type alone it reads from the newest on until the page is full.
func (s *Store) List(ctx context.Context, f keystore.Filter) (keystore.Page, error) {
	if err := ctx.Err(); err != nil {
		return keystore.Page{}, err
	}
	limit := f.Limit
	if limit <= 0 {
		limit = defaultPage
	}
	limit = min(limit, keystore.MaxPage)
	text, args, err := listText(f, limit+1) // the one more tells whether there is another page
	if err != nil {
		return keystore.Page{}, err
	}
	found, err := rows(ctx, s, text, args, scanListed)
	if err != nil {
		return keystore.Page{}, s.wrap(ctx, "listing records", err)
	}
	var page keystore.Page
	if len(found) > limit {
		found = found[:limit]
		page.Next = found[limit-1].cursor()
	}
	for _, l := range found {
		if err := ctx.Err(); err != nil {
			return keystore.Page{}, err
		}
		r, err := decode(l.data)
		if err != nil {
			return keystore.Page{}, err
		}
		page.Records = append(page.Records, r)
	}
	return page, nil
}

// listText is made of constants: what a caller says goes into args.
func listText(f keystore.Filter, limit int) (text string, args []any, err error) {
	var where []string
	only := func(condition string, values ...any) {
		where, args = append(where, condition), append(args, values...)
	}
	for _, equal := range []struct{ condition, value string }{
		{"kind = ?", string(f.Kind)},
		{"owner = ?", f.Owner},
		{"type = ?", f.Type},
		{"parent = ?", f.Parent},
	} {
		if equal.value != "" {
			only(equal.condition, []byte(equal.value))
		}
	}
	if !f.ExpiredBefore.IsZero() {
		only("expires < ?", f.ExpiredBefore.Add(time.Microsecond-1).UnixMicro()) // rounded up
	}
	if f.After != "" {
		after, err := parseCursor(f.After)
		if err != nil {
			return "", nil, err
		}
		// The first condition alone would do for an index; MySQL makes no range of a comparison of pairs.
		only("created <= ? AND (created < ? OR id < ?)", after.created, after.created, []byte(after.id))
	}
	text = "SELECT created, id, data FROM claviger_records"
	if len(where) > 0 {
		text += " WHERE " + strings.Join(where, " AND ")
	}
	return text + " ORDER BY created DESC, id DESC LIMIT ?", append(args, limit), nil
}

type listed struct {
	place
	data []byte
}

func scanListed(rows *sql.Rows) (l listed, err error) {
	var id []byte
	err = rows.Scan(&l.created, &id, &l.data)
	l.id = string(id)
	return l, err
}
