// Package cache holds what verification remembers: a bounded map, and a reader of
// records that bounds how stale an answer may be.
package cache

import (
	"sync"
	"sync/atomic"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	maxShards  = 32
	shardHolds = 64   // entries that make a shard worth having
	frontHolds = 1024 // at most
)

// LRU is a bounded map that forgets the least recently used. It is sharded, so
// that requests for different keys seldom wait for one another; and in front of it
// stands a table of what was found last, so that those for the same key never do.
// What is found there does not count as used, and may have been removed just now.
type LRU[K comparable, V any] struct {
	shards []lruShard[K, V]
	front  []atomic.Pointer[pair[K, V]]
	hash   func(K) uint64
}

type pair[K comparable, V any] struct {
	key   K
	value V
}

type lruShard[K comparable, V any] struct {
	mu  sync.Mutex
	lru *simplelru.LRU[K, V]
	_   [48]byte // two locks on one cache line would wait for one another
}

// NewLRU returns an LRU of about size entries, spread by hash.
func NewLRU[K comparable, V any](size int, hash func(K) uint64) *LRU[K, V] {
	c := &LRU[K, V]{
		shards: make([]lruShard[K, V], powerOfTwo(size/shardHolds, maxShards)),
		front:  make([]atomic.Pointer[pair[K, V]], powerOfTwo(size, frontHolds)),
		hash:   hash,
	}
	for i := range c.shards {
		c.shards[i].lru = newSimple[K, V](size/len(c.shards), nil)
	}
	return c
}

// Get returns the value of key and marks it used.
func (c *LRU[K, V]) Get(key K) (V, bool) {
	s, front := c.places(key)
	if p := front.Load(); p != nil && p.key == key {
		return p.value, true
	}
	s.mu.Lock()
	v, ok := s.lru.Get(key)
	s.mu.Unlock()
	if ok {
		front.Store(&pair[K, V]{key, v})
	}
	return v, ok
}

// Put remembers the value of key.
func (c *LRU[K, V]) Put(key K, value V) {
	s, front := c.places(key)
	s.mu.Lock()
	s.lru.Add(key, value)
	s.mu.Unlock()
	front.Store(&pair[K, V]{key, value})
}

// Remove forgets key, unless somebody is just finding it.
func (c *LRU[K, V]) Remove(key K) {
	s, front := c.places(key)
	s.mu.Lock()
	s.lru.Remove(key)
	s.mu.Unlock()
	if p := front.Load(); p != nil && p.key == key {
		front.CompareAndSwap(p, nil)
	}
}

// places takes the shard from the low bits of the hash and the front from others.
func (c *LRU[K, V]) places(key K) (*lruShard[K, V], *atomic.Pointer[pair[K, V]]) {
	h := c.hash(key)
	return &c.shards[within(h, len(c.shards))], &c.front[within(h>>32, len(c.front))]
}

// within maps a hash to an index below n, which is a power of two.
func within(hash uint64, n int) uint64 {
	return hash & uint64(n-1) //nolint:gosec // G115: n is at least 1
}

// powerOfTwo is the largest one up to n and limit, and at least 1.
func powerOfTwo(n, limit int) int {
	p := 1
	for p < limit && 2*p <= n {
		p *= 2
	}
	return p
}

func newSimple[K comparable, V any](size int, evicted func(K, V)) *simplelru.LRU[K, V] {
	lru, err := simplelru.NewLRU(max(size, 1), evicted)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return lru
}
