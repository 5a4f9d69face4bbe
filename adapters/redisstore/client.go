package redisstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/claviger-go/claviger/keystore"
)

// inspect refuses a client that could answer from elsewhere than the primary (KS4).
func inspect(client redis.UniversalClient) error {
	const (
		fromPrimary = "false: a Lookup on a replica does not see a revocation yet"
		clients     = "a *redis.Client or a *redis.ClusterClient"
	)
	var problems []error
	bad := func(field string, value any, want string) {
		problems = append(problems, &keystore.ConfigError{Field: "redisstore: " + field, Value: value, Want: want})
	}
	switch c := client.(type) {
	case nil:
		bad("client", "nil", clients)
	case *redis.Client:
		if c == nil {
			bad("client", "nil", clients)
			break
		}
		problems = append(problems, inspectNode(c))
	case *redis.ClusterClient:
		if c == nil {
			bad("client", "nil", clients)
			break
		}
		o := c.Options()
		if o.RouteByLatency {
			bad("client: RouteByLatency", true, fromPrimary)
		}
		if o.RouteRandomly {
			bad("client: RouteRandomly", true, fromPrimary)
		}
		// The other two imply it.
		if o.ReadOnly && !o.RouteByLatency && !o.RouteRandomly {
			bad("client: ReadOnly", true, fromPrimary)
		}
	case *redis.Ring:
		bad("client", "a *redis.Ring", clients+": a ring that loses a server looks for its keys on others")
	default:
		bad("client", fmt.Sprintf("a %T", c), clients+": no other can be asked whether it reads from replicas")
	}
	return errors.Join(problems...)
}

func inspectNode(c *redis.Client) error {
	if o := c.Options(); o.ClientSideCacheConfig != nil || o.ClientSideCache != nil {
		return &keystore.ConfigError{
			Field: "redisstore: client: client-side caching", Value: "on", Want: "off: a cached Lookup may not see a revocation",
		}
	}
	return nil
}

// primary is the client of the one server that holds the prefix.
func (s *Store) primary(ctx context.Context) (*redis.Client, error) {
	if c, ok := s.client.(*redis.ClusterClient); ok {
		return c.MasterForKey(ctx, string(s.keys))
	}
	return s.client.(*redis.Client), nil //nolint:forcetypeassert // inspect refused all others
}
