package keystore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/claviger-go/claviger/keystore/internal/cache"
)

// minIdleTimeout is so long that it does not matter when a use is written.
const minIdleTimeout = 24 * time.Hour

var errNoUsage = errors.New("Limits.IdleTimeout: the store keeps no usage (it is no UsageStore), so nobody could tell; leave it unset")

// validate is the record's own, and what only these Keys can tell.
func (k *Keys) validate(r *Record) error {
	err := r.validate()
	if r.Limits.IdleTimeout != 0 && k.usage.store == nil {
		err = errors.Join(err, errNoUsage)
	}
	return err
}

// awake is since when the record is unused, if its last use was at lastUsed: a new
// secret wakes it up as well.
func (r *Record) awake(lastUsed time.Time) time.Time {
	since := r.Created
	if len(r.Secrets) > 0 {
		since = newer(since, r.Secrets[0].Created)
	}
	return newer(newer(since, r.NotBefore), lastUsed)
}

func newer(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// readUse finds out when a record that may become idle was used last, whether or not
// that is written already.
func (k *Keys) readUse(ctx context.Context, rd *reading) error {
	r := &rd.record
	if r.Limits.IdleTimeout == 0 {
		return nil
	}
	if k.usage.store == nil {
		err := fmt.Errorf("keystore: the record %s: %w", r.ID, errNoUsage)
		k.fault(ctx, err)
		return err
	}
	last := k.usage.unwritten(r) // first: what is written meanwhile is then found in the store
	stored, err := k.askUsage(ctx, []string{r.ID})
	if err != nil {
		return fmt.Errorf("keystore: reading when %s was used last: %w", r.ID, err)
	}
	for _, u := range stored {
		last = newer(last, u.LastUsed)
	}
	rd.idle = r.awake(last).Add(r.Limits.IdleTimeout)
	return nil
}

// unwritten is the last use of a record that was counted here and may not be in the
// store yet. Those with a secret that it has no more are older than its newest.
func (l *usageLog) unwritten(r *Record) (last time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	look := func(secret uint32) {
		row := usageRow{r.ID, secret}
		last = newer(last, l.unsent[row].LastUsed)
		for _, u := range l.pending[row] {
			last = newer(last, tickTime(u.last.Load()))
		}
	}
	look(0)
	for _, s := range r.Secrets {
		look(s.N)
	}
	return last
}

// idleAt reports whether the record had been unused for too long at now.
func (rd *reading) idleAt(now time.Time) bool { return !rd.idle.IsZero() && !now.Before(rd.idle) }

// wake reads a record again that seems to be idle, if that was not known yet when it
// was read: it may have been used since.
func (k *Keys) wake(ctx context.Context, e *cache.Entry[*reading], now time.Time) (*cache.Entry[*reading], error) {
	if !e.Value.idleAt(now) || e.ReadSince(e.Value.idle) {
		return e, nil
	}
	id := e.Value.record.ID
	fresh, err := k.records.LoadFresh(ctx, id, now)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, &RefusedError{Outcome: OutcomeUnknown, KeyID: id}
	case err != nil:
		return nil, unavailable(err)
	}
	return fresh, nil
}
