package filestore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"slices"

	"github.com/claviger-go/claviger/keystore"
)

// Fill inserts records at once, where one Insert for each would rewrite the file as often.
func (s *Store) Fill(ctx context.Context, records []keystore.Record) error {
	return s.mutate(ctx, func(base *snapshot) (*snapshot, error) {
		next := base.edit(nil, nil)
		for _, r := range records {
			e, err := encode(r)
			if err != nil {
				return nil, err
			}
			next.byID[e.id] = e
			next.byAge = append(next.byAge, e)
			next.size += lineSize(e)
		}
		slices.SortFunc(next.byAge, func(a, b *entry) int { return a.place().compare(b.place()) })
		return next, nil
	})
}

// Limit sets how many bytes Insert may fill.
func (s *Store) Limit(bytes int64) { s.limit = bytes }

// Rewrite returns what a file would be with other bytes between its first and its last line, and a sum that fits.
func Rewrite(data []byte, edit func(body []byte) []byte) []byte {
	body := edit(bytes.Clone(data[:len(data)-len(tail(sum{}))]))
	return append(body, tail(sha256.Sum256(body))...)
}

// Path is where the store is.
func (s *Store) Path() string { return s.path }
