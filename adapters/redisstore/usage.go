package redisstore

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/claviger-go/claviger/keystore"
)

// batch is how many ids one script or command takes: about 1 ms in which Redis serves nobody else.
const batch = 500

// AddUsage adds the counts and keeps the later LastUsed of each id, in whole seconds. An id without a record is
// dropped; one that comes twice is added twice. Update keeps the usage of a record, Delete drops it. A count ends at
// 2^63-1.
//
// Each 500 of u are added at once or not at all. After an error some may have been added, and count twice if they are
// added again.
func (s *Store) AddUsage(ctx context.Context, u []keystore.Usage) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for chunk := range slices.Chunk(u, batch) {
		args := make([]any, 0, 3*len(chunk))
		for _, u := range chunk {
			if checkID(u.ID) != nil {
				continue
			}
			last := ""
			if !u.LastUsed.IsZero() {
				last = strconv.FormatInt(u.LastUsed.Truncate(time.Second).Unix(), 10)
			}
			args = append(args, u.ID, min(u.Count, math.MaxInt64), last)
		}
		if len(args) == 0 {
			continue
		}
		if err := s.mutate(ctx, mutation{script: s.scripts.usage, key: s.keys.usage(), args: args}); err != nil {
			return err
		}
	}
	return nil
}

// Usage returns what is known of ids, in their order. Those without a record and those never used are left out.
func (s *Store) Usage(ctx context.Context, ids []string) ([]keystore.Usage, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var known []keystore.Usage
	for chunk := range slices.Chunk(ids, batch) {
		fields := make([]string, 0, 2*len(chunk))
		for _, id := range chunk {
			fields = append(fields, "count:"+id, "last:"+id)
		}
		values, err := within(ctx, s, func() ([]any, error) {
			return s.client.HMGet(ctx, s.keys.usage(), fields...).Result()
		})
		if err != nil {
			return nil, err
		}
		for i, id := range chunk {
			u, err := parseUsage(id, values[2*i], values[2*i+1])
			if err != nil {
				return nil, err
			}
			if u.Count != 0 || !u.LastUsed.IsZero() {
				known = append(known, u)
			}
		}
	}
	return known, nil
}

func parseUsage(id string, count, last any) (u keystore.Usage, err error) {
	u.ID = id
	if count, ok := count.(string); ok {
		if u.Count, err = strconv.ParseUint(count, 10, 64); err != nil {
			return u, fmt.Errorf("redisstore: the usage of %q does not decode: %w", id, err)
		}
	}
	if last, ok := last.(string); ok {
		second, err := strconv.ParseInt(last, 10, 64)
		if err != nil {
			return u, fmt.Errorf("redisstore: the usage of %q does not decode: %w", id, err)
		}
		u.LastUsed = time.Unix(second, 0).UTC()
	}
	return u, nil
}
