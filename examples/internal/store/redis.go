package store

import (
	"cmp"
	"context"
	"errors"
	"net/url"

	"github.com/redis/go-redis/v9"

	"github.com/claviger-go/claviger/adapters/redisstore"
)

func openRedis(ctx context.Context, u *url.URL) (*Store, error) {
	options, err := redis.ParseURL(u.String())
	if err != nil {
		return nil, refused(u, err)
	}
	// As redisstore recommends.
	options.ContextTimeoutEnabled = true
	options.MaxRetries = cmp.Or(options.MaxRetries, 1)
	client := redis.NewClient(options)
	records, err := redisstore.New(ctx, client, redisstore.Config{})
	if err != nil {
		return nil, failed(u, errors.Join(err, client.Close()))
	}
	return &Store{records, client.Close}, nil
}
