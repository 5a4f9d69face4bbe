package storetest

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/claviger-go/claviger/keystore"
)

// table is somebody's own, which nothing but Seed writes to.
type table struct {
	mu   sync.Mutex
	rows map[string][]byte
	key  func(id string) (string, bool)
	kept func(keystore.Record) keystore.Record
}

func (t *table) Lookup(ctx context.Context, id string) (keystore.Record, error) {
	if err := ctx.Err(); err != nil {
		return keystore.Record{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	key, ok := t.key(id)
	row, found := t.rows[key]
	if !ok || !found {
		return keystore.Record{}, keystore.ErrNotFound
	}
	var r keystore.Record
	err := json.Unmarshal(row, &r)
	r.ID = id
	return r, err
}

func wholeTable() *table {
	return &table{
		key:  func(id string) (string, bool) { return id, validID(id) },
		kept: func(r keystore.Record) keystore.Record { return r },
	}
}

// foreignTable has SHA-256 hashes in a binary column, owners and expiries.
func foreignTable() *table {
	return &table{
		key: func(id string) (string, bool) {
			digits, ok := strings.CutPrefix(id, "sha256:")
			digest, err := hex.DecodeString(digits)
			return string(digest), ok && err == nil && len(digest) == 32 && digits == strings.ToLower(digits)
		},
		kept: func(r keystore.Record) keystore.Record {
			return keystore.Record{
				ID: r.ID, Version: 1, Kind: keystore.KindAPIKey, Env: keystore.EnvLive,
				Owner: r.Owner, Created: r.Created, Expires: r.Expires, Revoked: r.Revoked,
			}
		},
	}
}

func readOnly(open func() *table) *suite {
	s := newSuite(func(testing.TB) (store, other keystore.KeyStore) {
		t := open()
		t.rows = map[string][]byte{}
		return t, t
	}, Config{Seed: func(tb testing.TB, store keystore.KeyStore, records []keystore.Record) (held []keystore.Record) {
		t := store.(*table)
		for _, r := range records {
			if key, ok := t.key(r.ID); ok {
				r = t.kept(r)
				var err error
				if t.rows[key], err = json.Marshal(r); err != nil {
					tb.Fatal(err)
				}
				held = append(held, r)
			}
		}
		return held
	}})
	s.records = 100
	return s
}

func TestBrokenReadOnlyStores(t *testing.T) {
	t.Parallel()
	foldsHex := readOnly(func() *table {
		t := foreignTable()
		t.key = func(id string) (string, bool) {
			digest, err := hex.DecodeString(strings.TrimPrefix(id, "sha256:"))
			return string(digest), err == nil
		}
		return t
	})
	hides := readOnly(foreignTable)
	hides.AdminStore = true
	for _, tc := range []struct {
		desc  string
		suite *suite
		fails []string
	}{
		{"any hex will do", foldsHex, []string{"KS6/CaseOfAnAlias"}},
		{"hides AdminStore", hides, []string{"Capabilities/AdminStore"}},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			t.Parallel()
			if o := run(t, tc.suite, every); !slices.Equal(o.failed, tc.fails) {
				t.Errorf("%q fail, want %q", o.failed, tc.fails)
			}
		})
	}
}
