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
	id    string
	seen  atomic.Int64 // Unix second of the last verification
	last  atomic.Int64 // Unix second of the last one that was admitted
	count atomic.Uint64
}

// see notes a verification. It writes once a second, since what all cores write
// all the time they wait for.
func (u *use) see(now time.Time) { raise(&u.seen, now.Unix()) }

func raise(v *atomic.Int64, to int64) {
	if v.Load() != to {
		v.Store(to)
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

	flushing sync.Mutex
	unsent   map[string]Usage // what the store could not take yet
}

func newUsageLog(store UsageStore, config Config, fault func(context.Context, error)) *usageLog {
	return &usageLog{
		store: store, interval: config.UsageInterval, limit: config.CacheEntries,
		fault: fault, unsent: map[string]Usage{},
	}
}

// count is on the hot path: one atomic addition, and a lock once per interval.
func (l *usageLog) count(u *use) {
	if u == nil || l.store == nil {
		return
	}
	raise(&u.last, u.seen.Load())
	if u.count.Add(1) == 1 {
		l.mu.Lock()
		l.pending = append(l.pending, u)
		l.mu.Unlock()
	}
}

func (l *usageLog) run(ctx context.Context) {
	ticker := time.NewTicker(l.interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := l.flush(ctx); err != nil && ctx.Err() == nil {
				l.fault(ctx, err)
			}
		}
	}
}

// flush writes what is pending. What the store cannot take waits for the next
// flush, up to the size of the cache.
func (l *usageLog) flush(ctx context.Context) (err error) {
	if l.store == nil {
		return nil
	}
	l.flushing.Lock()
	defer l.flushing.Unlock()
	l.mu.Lock()
	pending := l.pending
	l.pending = nil
	l.mu.Unlock()

	lost := 0
	for _, u := range pending {
		sum, known := l.unsent[u.id]
		if !known && len(l.unsent) >= l.limit {
			lost++
			continue
		}
		last := time.Unix(u.last.Load(), 0).UTC()
		sum.ID, sum.Count = u.id, sum.Count+u.count.Swap(0)
		if last.After(sum.LastUsed) {
			sum.LastUsed = last
		}
		l.unsent[u.id] = sum
	}
	if lost > 0 {
		err = fmt.Errorf("keystore: usage of %d keys was dropped: the store took none for too long", lost)
	}
	if len(l.unsent) == 0 {
		return err
	}
	batch := make([]Usage, 0, len(l.unsent))
	for _, u := range l.unsent {
		batch = append(batch, u)
	}
	if failed := l.write(ctx, batch); failed != nil {
		return errors.Join(err, fmt.Errorf("keystore: writing usage: %w", failed))
	}
	clear(l.unsent)
	return err
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
func (k *Keys) Usage(ctx context.Context, ids ...string) ([]Usage, error) {
	if k.usage.store == nil {
		return nil, ErrReadOnly
	}
	if err := k.usage.flush(ctx); err != nil {
		return nil, unavailable(err)
	}
	used, err := k.usage.store.Usage(ctx, ids)
	if err != nil {
		return nil, unavailable(err)
	}
	return used, nil
}
