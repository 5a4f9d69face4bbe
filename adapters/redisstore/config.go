package redisstore

import (
	"errors"
	"time"

	"github.com/claviger-go/claviger/keystore"
)

// Config is how a Store uses a Redis server.
type Config struct {
	_ struct{}

	// Prefix begins the name of every key and channel, in braces: {claviger}:record:…. Stores with the same prefix on
	// the same server or cluster share their records. 1 to 64 bytes of [0-9A-Za-z:._-]. Defaults to "claviger".
	Prefix string
	// Heartbeat bounds how long Watch waits for a connection, and for a heartbeat of its own to come back; two are sent
	// in this time. So a connection that is half open is noticed after 1.5 times as long at most, and a network that
	// needs longer to connect needs a longer Heartbeat. 10 ms to 1 minute. Defaults to 1 s.
	Heartbeat time.Duration
	// Replicas is how many replicas have to confirm a revocation (an Update that sets Revoked, or a Delete) before it
	// is reported as done; see the package doc for what that is worth. 0 to 100. Defaults to 0.
	Replicas int
	// ReplicaTimeout bounds the wait for Replicas. When it has passed, the mutation answers an error although the
	// primary has carried it out. 1 ms to 1 minute. Defaults to 1 s.
	ReplicaTimeout time.Duration
}

const maxPrefix = 64

// compile fills in the defaults and reports every mistake.
func (c *Config) compile() error {
	if c.Prefix == "" {
		c.Prefix = "claviger"
	}
	if c.Heartbeat == 0 {
		c.Heartbeat = time.Second
	}
	if c.ReplicaTimeout == 0 {
		c.ReplicaTimeout = time.Second
	}
	var problems []error
	bad := func(field string, value any, want string) {
		problems = append(problems, &keystore.ConfigError{Field: "redisstore: Config." + field, Value: value, Want: want})
	}
	if len(c.Prefix) > maxPrefix || !consistsOf(c.Prefix, ":._-") {
		bad("Prefix", c.Prefix[:min(len(c.Prefix), maxPrefix)], "1 to 64 bytes of [0-9A-Za-z:._-]")
	}
	if c.Heartbeat < 10*time.Millisecond || c.Heartbeat > time.Minute {
		bad("Heartbeat", c.Heartbeat, "10ms to 1m")
	}
	if c.Replicas < 0 || c.Replicas > 100 {
		bad("Replicas", c.Replicas, "0 to 100")
	}
	if c.ReplicaTimeout < time.Millisecond || c.ReplicaTimeout > time.Minute {
		bad("ReplicaTimeout", c.ReplicaTimeout, "1ms to 1m")
	}
	return errors.Join(problems...)
}
