package redisstore

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// confirmed runs a script and waits until Config.Replicas have what it wrote, or what an earlier call wrote that made it
// unnecessary: whoever is told that a key is revoked may rely on it.
//
// WAIT is about what its own connection wrote, so both need one of their own. A client does not send anything again on
// such a connection; once is done here.
func (s *Store) confirmed(ctx context.Context, script *redis.Script, keys []string, args []any) (any, error) {
	for again := false; ; again = true {
		reply, err := s.confirmedOnce(ctx, script, keys, args)
		if err == nil || again || ctx.Err() != nil {
			return reply, err
		}
		if cluster, ok := s.client.(*redis.ClusterClient); ok {
			cluster.ReloadState(ctx) // The slot may have moved.
		}
	}
}

func (s *Store) confirmedOnce(ctx context.Context, script *redis.Script, keys []string, args []any) (any, error) {
	node, err := s.primary(ctx)
	if err != nil {
		return nil, err
	}
	conn := node.Conn()
	defer conn.Close() //nolint:errcheck // it goes back to its pool
	reply, err := script.Run(ctx, conn, keys, args...).Result()
	if err != nil || reply == replyConflict {
		return reply, err
	}
	timeout := s.config.ReplicaTimeout
	if end, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(end))
	}
	// 0 would wait for ever.
	have, err := conn.Wait(ctx, s.config.Replicas, max(timeout, time.Millisecond)).Result()
	if err != nil {
		return nil, fmt.Errorf("waiting for replicas: %w", err)
	}
	if have < int64(s.config.Replicas) {
		return nil, fmt.Errorf("%d of %d replicas have confirmed after %v: the primary has carried it out, but a failover may undo it",
			have, s.config.Replicas, timeout)
	}
	return reply, nil
}
