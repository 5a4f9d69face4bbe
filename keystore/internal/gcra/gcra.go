// Package gcra limits rates by the generic cell rate algorithm of ITU-T I.371, told
// as a leaky bucket of time: each request adds its cost to what is owed, as long as
// that stays within the limit, and what is owed melts as time passes.
package gcra

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Bucket is what one party owes. The zero value owes nothing. It is safe for
// concurrent use, without a lock.
type Bucket struct {
	until atomic.Int64 // then nothing is owed any more
}

// Take adds cost to what is owed at now, if that stays within limit, and returns
// what is owed then. Times count from any instant, in any unit.
//
// More than limit is owed after the limit was lowered, or the clock set back; then
// it is limit.
func (b *Bucket) Take(now, cost, limit int64) (owed int64, taken bool) {
	for {
		until := b.until.Load()
		owed = min(max(until-now, 0), limit)
		if taken = owed+cost <= limit; taken {
			owed += cost
		}
		if until == now+owed || b.until.CompareAndSwap(until, now+owed) {
			return owed, taken
		}
	}
}

// Buckets are those of many parties, the least recently used forgotten beyond a
// number: at most 300 bytes each besides the ids.
type Buckets struct {
	mu  sync.Mutex
	lru *simplelru.LRU[string, *Bucket]
}

// NewBuckets returns Buckets of at most size parties.
func NewBuckets(size int) *Buckets {
	lru, err := simplelru.NewLRU[string, *Bucket](max(size, 1), nil)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &Buckets{lru: lru}
}

// Of returns the bucket of id. Who keeps it need not ask for it at each request, but
// now and then, or it may be forgotten and another take its place.
func (b *Buckets) Of(id string) *Bucket {
	b.mu.Lock()
	defer b.mu.Unlock()
	if known, ok := b.lru.Get(id); ok {
		return known
	}
	made := new(Bucket)
	b.lru.Add(strings.Clone(id), made)
	return made
}
