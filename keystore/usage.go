package keystore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/claviger-go/claviger/keystore/internal/misuse"
)

// ticksPerSecond is how finely uses are told apart while they are counted.
const ticksPerSecond = 16

func tick(t time.Time) int64 {
	return t.Unix()*ticksPerSecond + int64(t.Nanosecond())/int64(time.Second/ticksPerSecond)
}

func tickTime(tick int64) time.Time { return time.Unix(tick/ticksPerSecond, 0).UTC() }

// use counts what a principal does between two flushes, without a lock.
type use struct {
	keys   *Keys // that made the principal
	id     string
	secret uint32
	traced bool         // whether anybody wants to know from where it is used
	seen   atomic.Int64 // tick of the last verification
	last   atomic.Int64 // tick of the last one that was admitted
	looked atomic.Int64 // tick of the last one that was traced
	count  atomic.Uint64

	sighting atomic.Pointer[misuse.Sighting] // what was seen then
}

// see notes a verification. It writes once a tick, since what all cores write all
// the time they wait for.
func (u *use) see(now time.Time) { raise(&u.seen, tick(now)) }

func raise(v *atomic.Int64, to int64) {
	for old := v.Load(); old < to; old = v.Load() {
		if v.CompareAndSwap(old, to) {
			return
		}
	}
}

// usageLog gathers uses and writes them in batches.
type usageLog struct {
	store    UsageStore // nil: nothing is counted
	interval time.Duration
	limit    int
	fault    func(context.Context, error)

	mu      sync.Mutex
	pending map[usageRow][]pending // counted since the last flush
	waiting int                    // how many of them
	unsent  map[usageRow]Usage     // what the store does not have yet; only flush changes it
	closed  bool                   // nothing is counted any more
	full    chan struct{}

	flushing sync.Mutex
}

// usageRow is what Usage is kept by.
type usageRow struct {
	id     string
	secret uint32
}

// pending is a use that has been counting since a tick.
type pending struct {
	*use

	since int64
}

func newUsageLog(store UsageStore, config Config, fault func(context.Context, error)) *usageLog {
	return &usageLog{
		store: store, interval: config.UsageInterval, limit: config.CacheEntries, fault: fault,
		pending: map[usageRow][]pending{}, unsent: map[usageRow]Usage{}, full: make(chan struct{}, 1),
	}
}

// count is on the hot path: one atomic addition for p and each of its parents, and
// a lock once per interval.
func count(p *Principal) {
	if p.use == nil || p.use.keys.usage.store == nil {
		return
	}
	seen := p.use.seen.Load()
	for ; p != nil; p = p.parent {
		raise(&p.use.last, seen)
		if p.use.count.Add(1) == 1 {
			p.use.keys.usage.pend(p.use, seen)
		}
	}
}

func (l *usageLog) pend(u *use, since int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	row := usageRow{u.id, u.secret}
	l.pending[row] = append(l.pending[row], pending{u, since})
	// Not rows: where every request reads, one key has as many as it makes requests.
	if l.waiting++; l.waiting >= l.limit {
		select {
		case l.full <- struct{}{}: // do not wait for the interval
		default:
		}
	}
}

// close writes what is pending, and ends the counting.
func (l *usageLog) close(ctx context.Context) error {
	err := l.flush(ctx)
	l.mu.Lock()
	l.closed = true
	clear(l.pending)
	l.mu.Unlock()
	return err
}

// flushTime bounds one flush.
const flushTime = 5 * time.Second

func (l *usageLog) run(ctx context.Context) {
	ticker := time.NewTicker(l.interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-l.full:
		}
		// Cut short by Close, a batch might be written and sent again.
		if err := l.flush(context.WithoutCancel(ctx)); err != nil {
			l.fault(ctx, err)
		}
	}
}

// flush writes what is pending. What the store cannot take waits for the next
// flush, up to the size of the cache.
func (l *usageLog) flush(ctx context.Context) error {
	if l.store == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, flushTime)
	defer cancel()
	l.flushing.Lock()
	defer l.flushing.Unlock()
	batch := l.batch()
	if len(batch) == 0 {
		return nil
	}
	if err := l.write(ctx, batch); err != nil {
		return errors.Join(fmt.Errorf("keystore: writing usage: %w", err), l.drop())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.unsent)
	return nil
}

// batch takes what is pending to what is unsent, and returns all of it.
func (l *usageLog) batch() []Usage {
	l.mu.Lock()
	defer l.mu.Unlock()
	for row, uses := range l.pending {
		sum := l.unsent[row]
		for _, u := range uses {
			more := Usage{
				ID: row.id, Secret: row.secret, Count: u.count.Swap(0),
				FirstUsed: tickTime(u.since), LastUsed: tickTime(u.last.Load()),
			}
			if s := u.sighting.Load(); s != nil {
				more.Network = s.Network
			}
			sum = sum.Add(more)
		}
		l.unsent[row] = sum
	}
	clear(l.pending)
	l.waiting = 0
	batch := make([]Usage, 0, len(l.unsent))
	for _, u := range l.unsent {
		batch = append(batch, u)
	}
	return batch
}

// drop keeps what waits for the store within its limit.
func (l *usageLog) drop() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	lost := len(l.unsent) - l.limit
	if lost <= 0 {
		return nil
	}
	for row := range l.unsent {
		if len(l.unsent) == l.limit {
			break
		}
		delete(l.unsent, row)
	}
	return fmt.Errorf("keystore: usage of %d keys was dropped: the store took none for too long", lost)
}

func (l *usageLog) write(ctx context.Context, batch []Usage) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the store panicked: %v", p)
		}
	}()
	return l.store.AddUsage(ctx, batch)
}

// Usage returns what is known of the use of ids, after writing what is still
// counted here: one for each secret that was used, so that of a key that was
// rotated it tells whether, when and from where the old secret still is. Other
// processes' last interval may be missing. [ErrReadOnly] where the store keeps no
// usage.
func (k *Keys) Usage(ctx context.Context, ids ...string) ([]Usage, error) {
	if k.usage.store == nil {
		return nil, ErrReadOnly
	}
	if err := k.usage.flush(ctx); err != nil {
		return nil, unavailable(err)
	}
	return k.askUsage(ctx, ids)
}

func (k *Keys) askUsage(ctx context.Context, ids []string) (used []Usage, err error) {
	defer recoverInto(&err)
	if used, err = k.usage.store.Usage(ctx, ids); err != nil {
		return nil, unavailable(err)
	}
	return used, nil
}
