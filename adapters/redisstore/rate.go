package redisstore

import (
	"context"
	"fmt"
	"time"
)

// Take adds cost to what id owes, if that stays within limit, by the server's clock; it is one script. What is owed is
// forgotten by a server that loses it, and by a replica that is promoted and has not heard of it yet: then at most limit
// is admitted anew. A server whose memory is full answers an error.
//
// The client sends a script again when the reply is lost. A Take sent twice adds its cost twice: the request that could
// not be answered is counted once too often, and none is admitted that should not be.
func (s *Store) Take(ctx context.Context, id string, cost, limit time.Duration) (owed time.Duration, taken bool, err error) {
	if err := ctx.Err(); err != nil {
		return 0, false, err
	}
	if err := checkID(id); err != nil {
		return 0, false, err
	}
	reply, err := within(ctx, s, func() ([]int64, error) {
		return s.scripts.take.Run(ctx, s.client, []string{s.keys.rate(id)}, cost.Microseconds(), limit.Microseconds()).Int64Slice()
	})
	if err != nil {
		return 0, false, err
	}
	if len(reply) != 2 {
		return 0, false, fmt.Errorf("redisstore: a script answered %d numbers, which it never does", len(reply))
	}
	return time.Duration(reply[0]) * time.Microsecond, reply[1] == 1, nil
}
