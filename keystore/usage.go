package keystore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// use counts what a principal does between two flushes, without a lock.
type use struct {
	log   *usageLog // of the Keys that made the principal
	id    string
	seen  atomic.Int64 // Unix second of the last verification
	last  atomic.Int64 // Unix second of the last one that was admitted
	count atomic.Uint64
}

// see notes a verification. It writes once a second, since what all cores write
// all the time they wait for.
func (u *use) see(now time.Time) { raise(&u.seen, now.Unix()) }

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
	pending []*use // those counted since the last flush
	closed  bool   // nothing is counted any more
	full    chan struct{}

	flushing sync.Mutex
	unsent   map[string]Usage // what the store could not take yet
}

func newUsageLog(store UsageStore, config Config, fault func(context.Context, error)) *usageLog {
	return &usageLog{
		store: store, interval: config.UsageInterval, limit: config.CacheEntries,
		fault: fault, unsent: map[string]Usage{}, full: make(chan struct{}, 1),
	}
}

// count is on the hot path: one atomic addition for p and each of its parents, and
// a lock once per interval.
func count(p *Principal) {
	if p.use == nil || p.use.log.store == nil {
		return
	}
	seen := p.use.seen.Load()
	for ; p != nil; p = p.parent {
		raise(&p.use.last, seen)
		if p.use.count.Add(1) == 1 {
			p.use.log.pend(p.use)
		}
	}
}

func (l *usageLog) pend(u *use) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.pending = append(l.pending, u)
	if len(l.pending) >= l.limit {
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
	l.closed, l.pending = true, nil
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
	l.mu.Lock()
	pending := l.pending
	l.pending = nil
	l.mu.Unlock()

	for _, u := range pending {
		sum := l.unsent[u.id]
		last := time.Unix(u.last.Load(), 0).UTC()
		sum.ID, sum.Count = u.id, sum.Count+u.count.Swap(0)
		if last.After(sum.LastUsed) {
			sum.LastUsed = last
		}
		l.unsent[u.id] = sum
	}
	if len(l.unsent) == 0 {
		return nil
	}
	batch := make([]Usage, 0, len(l.unsent))
	for _, u := range l.unsent {
		batch = append(batch, u)
	}
	if err := l.write(ctx, batch); err != nil {
		return errors.Join(fmt.Errorf("keystore: writing usage: %w", err), l.drop())
	}
	clear(l.unsent)
	return nil
}

// drop keeps what waits for the store within its limit.
func (l *usageLog) drop() error {
	lost := len(l.unsent) - l.limit
	if lost <= 0 {
		return nil
	}
	for id := range l.unsent {
		if len(l.unsent) == l.limit {
			break
		}
		delete(l.unsent, id)
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
// counted here; ids never used are left out. Other processes' last interval may
// be missing. [ErrReadOnly] where the store keeps no usage.
func (k *Keys) Usage(ctx context.Context, ids ...string) (used []Usage, err error) {
	if k.usage.store == nil {
		return nil, ErrReadOnly
	}
	if err := k.usage.flush(ctx); err != nil {
		return nil, unavailable(err)
	}
	defer recoverInto(&err)
	if used, err = k.usage.store.Usage(ctx, ids); err != nil {
		return nil, unavailable(err)
	}
	return used, nil
}
