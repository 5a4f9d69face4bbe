package redisstore

import (
	"context"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/claviger-go/claviger/keystore"
)

// batch is how many ids one script or pipeline takes: about 1 ms in which Redis serves nobody else.
const batch = 500

// AddUsage adds each of u to what is known of its id and secret, as [keystore.Usage.Add] does. An id without a record is
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
		var args []any
		key := ""
		for _, u := range chunk {
			if checkID(u.ID) != nil {
				continue
			}
			key = s.keys.usage(u.ID)
			network := ""
			if u.Network.IsValid() {
				network = u.Network.String()
			}
			args = append(args, u.ID, u.Secret, min(u.Count, math.MaxInt64), seconds(u.FirstUsed), seconds(u.LastUsed), network)
		}
		if len(args) == 0 {
			continue
		}
		if err := s.mutate(ctx, mutation{script: s.scripts.usage, key: key, args: args}); err != nil {
			return err
		}
	}
	return nil
}

// seconds counts them since 1970; empty: the zero time.
func seconds(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(t.Truncate(time.Second).Unix(), 10)
}

// Usage returns what is known of ids, in their order. Those without a record and secrets never used are left out.
func (s *Store) Usage(ctx context.Context, ids []string) ([]keystore.Usage, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var known []keystore.Usage
	for chunk := range slices.Chunk(ids, batch) {
		hashes, err := within(ctx, s, func() ([]redis.Cmder, error) {
			return s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
				for _, id := range chunk {
					p.HGetAll(ctx, s.keys.usage(id))
				}
				return nil
			})
		})
		if err != nil {
			return nil, err
		}
		for i, id := range chunk {
			fields, _ := hashes[i].(*redis.MapStringStringCmd)
			rows, err := parseUsage(id, fields.Val())
			if err != nil {
				return nil, err
			}
			known = append(known, rows...)
		}
	}
	return known, nil
}

// parseUsage returns what a hash says of the secrets of a record, in their order.
func parseUsage(id string, fields map[string]string) ([]keystore.Usage, error) {
	rows := map[uint64]keystore.Usage{}
	for field, value := range fields {
		what, number, _ := strings.Cut(field, ":")
		secret, err := strconv.ParseUint(number, 10, 32)
		u := rows[secret]
		u.ID, u.Secret = id, uint32(secret)
		if err == nil {
			err = parseField(&u, what, value)
		}
		if err != nil {
			return nil, fmt.Errorf("redisstore: the usage of %q does not decode: %w", id, err)
		}
		rows[secret] = u
	}
	var known []keystore.Usage
	for _, secret := range slices.Sorted(maps.Keys(rows)) {
		if u := rows[secret]; u.Count != 0 || !u.LastUsed.IsZero() {
			known = append(known, u)
		}
	}
	return known, nil
}

func parseField(u *keystore.Usage, what, value string) (err error) {
	second := func() (time.Time, error) {
		n, err := strconv.ParseInt(value, 10, 64)
		return time.Unix(n, 0).UTC(), err
	}
	switch what {
	case "count":
		u.Count, err = strconv.ParseUint(value, 10, 64)
	case "first":
		u.FirstUsed, err = second()
	case "last":
		u.LastUsed, err = second()
	case "network":
		u.Network, err = netip.ParsePrefix(value)
	}
	return err
}
