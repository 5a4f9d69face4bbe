package bboltstore

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"go.etcd.io/bbolt"

	"github.com/claviger-go/claviger/keystore"
)

// A record is stored under its id. Two more keys lead to the id: one among all
// records and one among those of its owner, each with the record's place in the
// order of List, which is newest first.
const all = "all/"

// owned says how long owner is, which keeps what "a/b" owns apart from what "a" does.
func owned(owner string) string { return fmt.Sprintf("owner/%d/%s/", len(owner), owner) }

func byID(id string) []byte { return []byte("id/" + id) }

// place counts down from the year 38504, so that bbolt's order is newest first.
func place(r keystore.Record) string {
	return fmt.Sprintf("%016x/%s", 1<<60-r.Created.UnixMicro(), r.ID)
}

var isPlace = regexp.MustCompile(`^[0-9a-f]{16}/[0-9A-Za-z:]{1,80}$`)

func put(b *bbolt.Bucket, r keystore.Record) error {
	text, err := json.Marshal(r)
	at, id := place(r), []byte(r.ID)
	return errors.Join(err, b.Put(byID(r.ID), text), b.Put([]byte(all+at), id), b.Put([]byte(owned(r.Owner)+at), id))
}

func remove(b *bbolt.Bucket, r keystore.Record) error {
	at := place(r)
	return errors.Join(b.Delete(byID(r.ID)), b.Delete([]byte(all+at)), b.Delete([]byte(owned(r.Owner)+at)))
}

// scan shows visit the records among some, from a place on, as long as it wants more.
func scan(b *bbolt.Bucket, some, from string, visit func(keystore.Record) (more bool)) error {
	cursor := b.Cursor()
	for key, id := cursor.Seek([]byte(some + from)); bytes.HasPrefix(key, []byte(some)); key, id = cursor.Next() {
		if r, err := get(b, string(id)); err != nil || !visit(r) {
			return err
		}
	}
	return nil
}

// List implements [keystore.AdminStore]. It reads at most MaxPage records for a
// page, so a page is short where few of them match f.
func (s *Store) List(ctx context.Context, f keystore.Filter) (page keystore.Page, err error) {
	if f.After != "" && !isPlace.MatchString(f.After) {
		return page, fmt.Errorf("bboltstore: list: the cursor %.100q is not the Next of a page", f.After)
	}
	some := all
	if f.Owner != "" {
		some = owned(f.Owner)
	}
	limit, seen := min(cmp.Or(f.Limit, 100), keystore.MaxPage), 0
	err = s.read(ctx, func(b *bbolt.Bucket) error {
		return scan(b, some, f.After, func(r keystore.Record) (more bool) {
			if len(page.Records) == limit || seen == keystore.MaxPage {
				page.Next = place(r)
				return false
			}
			if seen++; matches(r, f) {
				page.Records = append(page.Records, r)
			}
			return true
		})
	})
	return page, err
}

func matches(r keystore.Record, f keystore.Filter) bool {
	return (f.Kind == "" || f.Kind == r.Kind) &&
		(f.Owner == "" || f.Owner == r.Owner) &&
		(f.Type == "" || f.Type == r.Type) &&
		(f.Parent == "" || f.Parent == r.Parent) &&
		(f.ExpiredBefore.IsZero() || !r.Expires.IsZero() && r.Expires.Before(f.ExpiredBefore))
}

// admit counts the live records that share q with r.
func admit(b *bbolt.Bucket, r keystore.Record, q keystore.Quota) error {
	if q.Max == 0 {
		return nil
	}
	live := 1 // r
	err := scan(b, owned(r.Owner), "", func(other keystore.Record) (more bool) {
		expired := !other.Expires.IsZero() && !q.Now.Before(other.Expires)
		if other.Kind == r.Kind && other.Type == r.Type && other.Revoked.IsZero() && !expired {
			live++
		}
		return live <= q.Max
	})
	if err == nil && live > q.Max {
		return keystore.ErrQuota
	}
	return err
}
