package sqlstore

import (
	"cmp"
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

// AddUsage adds each of u to what is known of its id and secret, as [keystore.Usage.Add] does; all of them or none. An id
// without a record is dropped; one that comes twice is added twice. Update keeps the usage of a record, Delete drops it.
// No record and not the change counter is written, or locked.
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
				args = append(args, usageArgs(u)...)
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

// neverFirst stands for a first use that is not known: any other is earlier.
const neverFirst = math.MaxInt64

func usageArgs(u keystore.Usage) []any {
	first := int64(neverFirst)
	if !u.FirstUsed.IsZero() {
		first = u.FirstUsed.Unix()
	}
	network := []byte{}
	if u.Network.IsValid() {
		network, _ = u.Network.MarshalBinary() // never fails
	}
	return []any{[]byte(u.ID), int64(u.Secret), int64(min(u.Count, math.MaxInt64)), first, u.LastUsed.Unix(), network}
}

// sum adds up what comes twice and leaves out ids without a record. Its order is that in which rows are locked.
func (s *Store) sum(ctx context.Context, u []keystore.Usage) ([]keystore.Usage, error) {
	sums := map[string][]keystore.Usage{}
	for _, u := range u {
		if u.Count == 0 && u.LastUsed.IsZero() {
			continue
		}
		of := sums[u.ID]
		i, found := slices.BinarySearchFunc(of, u.Secret, func(u keystore.Usage, n uint32) int { return cmp.Compare(u.Secret, n) })
		if !found {
			of = slices.Insert(of, i, keystore.Usage{})
		}
		of[i] = of[i].Add(u)
		sums[u.ID] = of
	}
	known, err := byID(ctx, s, "SELECT id FROM claviger_records", slices.Collect(maps.Keys(sums)), func(rows *sql.Rows) ([]keystore.Usage, error) {
		var id []byte
		err := rows.Scan(&id)
		return sums[string(id)], err
	})
	return slices.Concat(known...), err
}

// Usage returns what is known of ids. Those without a record and secrets never used are left out.
func (s *Store) Usage(ctx context.Context, ids []string) ([]keystore.Usage, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	known, err := byID(ctx, s, "SELECT id, secret, uses, first_used, last_used, network FROM claviger_usage", ids, scanUsage)
	return known, s.wrap(ctx, "reading usage", err)
}

func scanUsage(rows *sql.Rows) (u keystore.Usage, err error) {
	var id, network []byte
	var first, last int64
	if err := rows.Scan(&id, &u.Secret, &u.Count, &first, &last, &network); err != nil {
		return u, err
	}
	u.ID, u.LastUsed = string(id), time.Unix(last, 0).UTC()
	if first != neverFirst {
		u.FirstUsed = time.Unix(first, 0).UTC()
	}
	if len(network) > 0 {
		err = u.Network.UnmarshalBinary(network)
	}
	return u, err
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
