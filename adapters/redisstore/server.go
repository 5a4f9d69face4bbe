package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/claviger-go/claviger/keystore"
)

// oldest is the first major version whose scripts say what they may do, without which a full memory would keep keys
// from being revoked. Valkey reports a version of Redis, too.
const oldest = 7

// checkServer asks what the server is, and sends the first heartbeat: a user who may not run scripts or publish learns
// it now.
func (s *Store) checkServer(ctx context.Context) error {
	_, err := within(ctx, s, func() (struct{}, error) {
		node, err := s.primary(ctx)
		if err != nil {
			return struct{}{}, err
		}
		if err := inspectNode(node); err != nil {
			return struct{}{}, err
		}
		text, err := node.Info(ctx).Result()
		if err != nil {
			return struct{}{}, fmt.Errorf("asking for INFO: %w", err)
		}
		info := parseInfo(text)
		if info["maxmemory_policy"] == "" {
			// Some hosts leave it out of INFO and forbid CONFIG as well: then nobody can tell.
			policy, _ := node.ConfigGet(ctx, "maxmemory-policy").Result()
			info["maxmemory_policy"] = policy["maxmemory-policy"]
		}
		return struct{}{}, judge(info)
	})
	if err != nil {
		return err
	}
	_, err = within(ctx, s, func() (any, error) {
		return s.scripts.beat.Run(ctx, s.client, []string{s.keys.all()}, s.keys.beat("first"), 0).Result()
	})
	return err
}

func judge(info map[string]string) error {
	var problems []error
	bad := func(field string, value any, want string) {
		problems = append(problems, &keystore.ConfigError{Field: field, Value: value, Want: want})
	}
	version := info["redis_version"]
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err != nil || n < oldest {
		bad("the server's redis_version", strconv.Quote(version), fmt.Sprintf("%d.0 or newer", oldest))
	}
	if role := info["role"]; role != "master" {
		bad("the server's role", strconv.Quote(role), "master: a replica neither takes writes nor sees a revocation at once")
	}
	if policy := info["maxmemory_policy"]; policy != "" && policy != "noeviction" {
		bad("the server's maxmemory-policy", policy, "noeviction: any other drops records when memory is full")
	}
	return errors.Join(problems...)
}

func parseInfo(text string) map[string]string {
	info := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[name] = value
		}
	}
	return info
}
