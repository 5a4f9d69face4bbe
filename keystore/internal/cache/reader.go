package cache

import (
	"context"
	"fmt"
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Reader reads values by id and remembers them for a while.
//
// How old an answer may be is counted from the start of its read. Concurrent
// requests for one id share one read, which belongs to none of them: a request
// that gives up cancels nobody's. A read that began before an eviction answers
// those who waited for it already, and is then thrown away.
type Reader[V any] struct {
	config Config[V]
	seed   maphash.Seed
	shards []readerShard[V]
	doubts atomic.Uint64 // how often everything was doubted
}

// Config says what to read and for how long to believe it.
type Config[V any] struct {
	Read func(ctx context.Context, id string) (V, error)
	// Gone tells errors that are an answer from those that mean "cannot answer".
	Gone         func(error) bool
	Now          func() time.Time
	MaxStaleness time.Duration // 0 or less: every request reads
	Timeout      time.Duration // of one read
	Size         int
}

type readerShard[V any] struct {
	mu      sync.Mutex
	lru     *simplelru.LRU[string, *Entry[V]]
	flights map[string]*flight[V]
}

// Entry is a value as read at one time. Who keeps one asks Current before each
// use, and need not look it up again.
type Entry[V any] struct {
	Value V

	reader *Reader[V]
	start  time.Time
	wall   int64 // start in µs, by the wall clock alone
	doubts uint64
	gone   atomic.Bool // no longer in the map
}

type flight[V any] struct {
	ctx   context.Context //nolint:containedctx // the flight is what it belongs to; ends with it, or when it takes too long
	done  chan struct{}
	entry *Entry[V]
	err   error
}

// NewReader returns a Reader.
func NewReader[V any](config Config[V]) *Reader[V] {
	r := &Reader[V]{config: config, seed: maphash.MakeSeed(), shards: make([]readerShard[V], powerOfTwo(config.Size/shardHolds, maxShards))}
	for i := range r.shards {
		r.shards[i].lru = newSimple(config.Size/len(r.shards), func(_ string, e *Entry[V]) { e.gone.Store(true) })
		r.shards[i].flights = map[string]*flight[V]{}
	}
	return r
}

// Load returns the value of id as read less than MaxStaleness before now.
func (r *Reader[V]) Load(ctx context.Context, id string, now time.Time) (*Entry[V], error) {
	if r.config.MaxStaleness <= 0 {
		return r.LoadFresh(ctx, id, now)
	}
	s := r.shard(id)
	if e, ok := s.get(id); ok && (e.Current(now) || now.Before(e.start) && e.Current(r.config.Now())) {
		return e, nil // also one that somebody else read since now
	}
	e, err := r.join(ctx, s, id).wait(ctx)
	if err == nil || r.config.Gone(err) {
		return e, err
	}
	// The store cannot answer. What was doubted together with everything else is
	// still within the stated bound; what was evicted by name is not here.
	if e, ok := s.get(id); ok && e.young(r.config.Now()) {
		return e, nil
	}
	return nil, err
}

// LoadFresh returns the value of id by a read that starts now. What was read
// before remains for others, should this one fail.
func (r *Reader[V]) LoadFresh(ctx context.Context, id string, _ time.Time) (*Entry[V], error) {
	s := r.shard(id)
	s.mu.Lock()
	delete(s.flights, id)
	s.mu.Unlock()
	return r.join(ctx, s, id).wait(ctx)
}

// Evict forgets ids: their next Load reads.
func (r *Reader[V]) Evict(ids ...string) {
	for _, id := range ids {
		s := r.shard(id)
		s.mu.Lock()
		s.lru.Remove(id)
		delete(s.flights, id)
		s.mu.Unlock()
	}
}

// DoubtAll makes the next Load of every id read, if the store can answer.
func (r *Reader[V]) DoubtAll() { r.doubts.Add(1) }

// Current reports whether the entry may still be used at now: it was neither
// evicted nor doubted, and is younger than MaxStaleness.
func (e *Entry[V]) Current(now time.Time) bool {
	return !e.gone.Load() && e.doubts == e.reader.doubts.Load() && e.young(now)
}

// ReadSince reports whether the read began at now or later.
func (e *Entry[V]) ReadSince(now time.Time) bool { return !e.start.Before(now) }

// young asks both clocks: a paused machine stops the monotonic one, and a wall
// clock that went backwards tells nothing about age.
func (e *Entry[V]) young(now time.Time) bool {
	monotonic, wall := now.Sub(e.start), time.Duration(now.UnixMicro()-e.wall)*time.Microsecond
	return min(monotonic, wall) >= 0 && max(monotonic, wall) < e.reader.config.MaxStaleness
}

// join returns the flight for id, and starts it if there is none that is young
// enough. One that takes too long is left behind, so that a lost connection does
// not hold an id forever.
func (r *Reader[V]) join(ctx context.Context, s *readerShard[V], id string) *flight[V] {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := r.config.Now()
	if f := s.flights[id]; f != nil && f.ctx.Err() == nil && f.entry.Current(now) {
		return f
	}
	id = strings.Clone(id) // it may be cut from a credential, which must not stay in memory
	flying, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.config.Timeout)
	e := &Entry[V]{reader: r, start: now, wall: now.UnixMicro(), doubts: r.doubts.Load()}
	f := &flight[V]{ctx: flying, done: make(chan struct{}), entry: e}
	s.flights[id] = f
	go r.fly(s, id, f, cancel)
	return f
}

func (r *Reader[V]) fly(s *readerShard[V], id string, f *flight[V], cancel func()) {
	f.entry.Value, f.err = r.read(f.ctx, id)
	s.mu.Lock()
	if s.flights[id] == f {
		delete(s.flights, id)
		if f.err == nil || r.config.Gone(f.err) {
			s.lru.Remove(id) // and so whoever keeps the older entry learns of it
		}
		if f.err == nil {
			s.lru.Add(id, f.entry)
		}
	} else {
		f.entry.gone.Store(true)
	}
	s.mu.Unlock()
	close(f.done)
	cancel()
}

// read turns a panic of the store into an error: one bad row must not end the
// process.
func (r *Reader[V]) read(ctx context.Context, id string) (value V, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return r.config.Read(ctx, id)
}

// wait returns what the flight brought. Landed and timed out may come together;
// landed wins.
func (f *flight[V]) wait(ctx context.Context) (*Entry[V], error) {
	err := error(nil)
	select {
	case <-f.done:
	case <-ctx.Done():
		err = ctx.Err()
	case <-f.ctx.Done():
		err = f.ctx.Err()
	}
	select {
	case <-f.done:
		if f.err != nil {
			return nil, f.err
		}
		return f.entry, nil
	default:
		return nil, err
	}
}

func (r *Reader[V]) shard(id string) *readerShard[V] {
	return &r.shards[within(maphash.String(r.seed, id), len(r.shards))]
}

func (s *readerShard[V]) get(id string) (*Entry[V], bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lru.Get(id)
}
