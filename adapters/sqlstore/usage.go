package sqlstore

import (
	"context"
	"database/sql"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/claviger-go/claviger/keystore"
)

// batches are the numbers of ids in one statement: a flush of 10,000 is sent in 79, not in 10,000.
func batches() []int { return []int{128, 16, 1} }

// batch is how many of so many ids go into the next statement.
func batch(left int) int {
	for _, n := range batches() {
		if n <= left {
			return n
		}
	}
	return 0
}

func (s *Store) usageTexts() []string {
	var texts []string
	for _, n := range batches() {
		texts = append(texts, s.engine.AddUsage(n))
	}
	return texts
}

// AddUsage adds the counts and keeps the later LastUsed of each id, in whole seconds; all of them or none. An id without
// a record is dropped; one that comes twice is added twice. Update keeps the usage of a record, Delete drops it. No
// record and not the change counter is written, or locked.
//
// If the connection is lost at the very end, the counts may have been added in spite of the error.
func (s *Store) AddUsage(ctx context.Context, u []keystore.Usage) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	sums, err := s.sum(ctx, u)
	if err != nil || len(sums) == 0 {
		return s.wrap(ctx, "writing usage", err)
	}
	err = s.write(ctx, s.usageTexts(), func(t *transaction) error {
		for left := sums; len(left) > 0; {
			n := batch(len(left))
			var args []any
			for _, u := range left[:n] {
				uses := int64(min(u.Count, math.MaxInt64))
				args = append(args, []byte(u.ID), uses, u.LastUsed.Unix())
			}
			if _, err := t.exec(ctx, s.engine.AddUsage(n), args...); err != nil {
				return err
			}
			left = left[n:]
		}
		return nil
	})
	return s.wrap(ctx, "writing usage", err)
}

// sum adds up what comes twice and leaves out ids without a record. Its order is that in which rows are locked.
func (s *Store) sum(ctx context.Context, u []keystore.Usage) ([]keystore.Usage, error) {
	sums := make(map[string]keystore.Usage, len(u))
	for _, u := range u {
		if known, ok := sums[u.ID]; ok {
			u.Count += known.Count
			if known.LastUsed.After(u.LastUsed) {
				u.LastUsed = known.LastUsed
			}
		}
		sums[u.ID] = u
	}
	return byID(ctx, s, "SELECT id FROM claviger_records", slices.Collect(maps.Keys(sums)), func(rows *sql.Rows) (keystore.Usage, error) {
		var id []byte
		err := rows.Scan(&id)
		return sums[string(id)], err
	})
}

// Usage returns what is known of ids. Those without a record and those never used are left out.
func (s *Store) Usage(ctx context.Context, ids []string) ([]keystore.Usage, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	known, err := byID(ctx, s, "SELECT id, uses, last_used FROM claviger_usage", ids, func(rows *sql.Rows) (keystore.Usage, error) {
		var id []byte
		var uses, last int64
		err := rows.Scan(&id, &uses, &last)
		return keystore.Usage{ID: string(id), Count: uint64(uses), LastUsed: time.Unix(last, 0).UTC()}, err //nolint:gosec // never negative
	})
	return known, s.wrap(ctx, "reading usage", err)
}

// byID selects the rows with one of ids, in the order of ids. It asks in batches, so that a few statements serve for all.
func byID[T any](ctx context.Context, s *Store, from string, ids []string, scan func(*sql.Rows) (T, error)) ([]T, error) {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return checkID(id) != nil })
	slices.Sort(ids)
	ids = slices.Compact(ids)
	var all []T
	for len(ids) > 0 {
		n := batch(len(ids))
		args := make([]any, n)
		for i, id := range ids[:n] {
			args[i] = []byte(id)
		}
		ids = ids[n:]
		some, err := rows(ctx, s, from+" WHERE id IN ("+strings.Repeat("?, ", n-1)+"?) ORDER BY id", args, scan)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}
