package redisstore_test

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/claviger-go/claviger/adapters/redisstore"
)

// Every mistake is reported at once, before anything is sent.
func ExampleNew_refused() {
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{"redis.internal:6379"}, RouteByLatency: true})
	defer client.Close()
	_, err := redisstore.New(context.Background(), client, redisstore.Config{Prefix: "keys for {eu}", Replicas: -1})
	fmt.Println(err)

	// Output:
	// redisstore: Config.Prefix is keys for {eu}: want 1 to 64 bytes of [0-9A-Za-z:._-]
	// redisstore: Config.Replicas is -1: want 0 to 100
	// redisstore: client: RouteByLatency is true: want false: a Lookup on a replica does not see a revocation yet
}
