package redisstore

import (
	"context"
	"slices"

	"github.com/redis/go-redis/v9"
)

// candidates is how many expired records are looked at one by one. Pruning asks often and mostly for few or none, and
// must not walk through a million live records each time. Where there are more, every stride finds some.
const candidates = 10_000

// expired makes the page of a walk from the index of expiries. It reports false if there are too many of them.
func (s *Store) expired(ctx context.Context, w *walk) (done bool, err error) {
	until := "(" + bound(&w.filter)
	places, err := within(ctx, s, func() ([]string, error) {
		return s.client.ZRangeArgs(ctx, redis.ZRangeArgs{
			Key: s.keys.expiring(), Start: "-", Stop: until, ByLex: true, Count: candidates + 1,
		}).Result()
	})
	if err != nil || len(places) > candidates {
		return false, err
	}
	for i, place := range places {
		places[i] = place[min(len(place), instantBytes):]
	}
	slices.Sort(places)
	slices.Reverse(places)
	if w.after != "" {
		places = slices.DeleteFunc(places, func(place string) bool { return place >= w.after })
	}
	for chunk := range slices.Chunk(places, stride) {
		full, err := s.fetch(ctx, w, chunk)
		if full || err != nil {
			return true, err
		}
	}
	return true, nil
}

// fetch adds the records at places to the page until it is full.
func (s *Store) fetch(ctx context.Context, w *walk, places []string) (full bool, err error) {
	names := make([]string, 0, len(places))
	for _, place := range places {
		names = append(names, s.keys.record(place[min(len(place), instantBytes):]))
	}
	values, err := within(ctx, s, func() ([]any, error) { return s.client.MGet(ctx, names...).Result() })
	if err != nil {
		return false, err
	}
	for i, value := range values {
		value, ok := value.(string)
		if !ok {
			continue // deleted meanwhile
		}
		if full, err := w.add(ctx, places[i], value); full || err != nil {
			return full, err
		}
	}
	return false, nil
}
