package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

const (
	sinceText = "SELECT id FROM claviger_changes WHERE seq > ? AND seq <= ? ORDER BY seq"

	// pollTimeout is how long a poll may take before Watch has lost touch.
	pollTimeout = 2 * time.Second
	// maxChanges is how many changes since the last poll are named. More are "anything may have changed".
	maxChanges = 1024
	// keptChanges is how many of them stay in the database, for those who poll late.
	keptChanges = 4 * maxChanges
)

// Watch asks for the change counter every Config.PollInterval and calls changed, on the goroutine that called Watch: once
// without ids when it is in touch, and then with the ids of records that any process updated or deleted. changed is
// called without ids for more than 1,024 changes since the last poll, and for a counter that was moved by hand, or back,
// as a restored backup does.
//
// An answer to each poll is its heartbeat. Without one for two seconds, or with an error, it calls changed without ids
// and returns the error; called again it looks at the settings of a connection, as [New] does, so that it does not begin
// on a replica, and is then back in touch. It returns ctx's error when ctx ends. Any number of them may run.
func (s *Store) Watch(ctx context.Context, changed func(ids ...string)) error {
	err := s.watch(ctx, changed)
	if ended := ctx.Err(); ended != nil {
		return ended
	}
	changed()
	return s.wrap(ctx, "watching", err)
}

// Wake makes every Watch of s ask now, not only at its next PollInterval. It is for those who hear by other means that
// something has changed: a hint that is lost costs no more than the rest of the interval. It returns at once.
func (s *Store) Wake() {
	close(*s.wake.Swap(new(make(chan struct{}))))
}

func (s *Store) watch(ctx context.Context, changed func(ids ...string)) error {
	_, err := beat(ctx, s, func(ctx context.Context) (none, error) { return none{}, s.inspect(ctx, 1) })
	if err != nil {
		return err
	}
	wake := *s.wake.Load() // taken before asking: who wakes meanwhile may mean what is not in the answer
	seen, err := beat(ctx, s, s.changes)
	if err != nil {
		return err
	}
	changed() // What happened before is news to this watcher.
	ticker := time.NewTicker(s.config.PollInterval)
	defer ticker.Stop()
	for pruned := int64(0); ; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		case <-wake:
		}
		wake = *s.wake.Load()
		since := seen
		heard, err := beat(ctx, s, func(ctx context.Context) (news, error) { return s.since(ctx, since) })
		if err != nil || ctx.Err() != nil {
			return cmp.Or(ctx.Err(), err)
		}
		if heard.now != seen {
			seen = heard.now
			changed(heard.ids...)
		}
		if seen-pruned > maxChanges {
			pruned = seen
			until := seen - keptChanges
			_, _ = beat(ctx, s, func(ctx context.Context) (none, error) { return none{}, s.prune(ctx, until) })
		}
	}
}

// beat asks once, one at a time. The end of ctx is no reason to stop asking, only to stop waiting: many drivers close a
// connection whose query is given up. And some go on waiting for a server that hangs, whatever their own ctx says.
func beat[T any](ctx context.Context, s *Store, ask func(context.Context) (T, error)) (T, error) {
	select {
	case s.polling <- struct{}{}:
	case <-ctx.Done():
		var zero T
		return zero, ctx.Err()
	}
	waiting, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	return within(waiting, func() (T, error) {
		defer func() { <-s.polling }()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pollTimeout)
		defer cancel()
		return ask(ctx)
	})
}

// news is what a poll has found.
type news struct {
	now int64    // the counter
	ids []string // none if not all changes are known
}

// since returns what has changed since the counter was seen.
func (s *Store) since(ctx context.Context, seen int64) (news, error) {
	now, err := s.changes(ctx)
	if err != nil || now <= seen || now-seen > maxChanges {
		return news{now: now}, err
	}
	ids, err := rows(ctx, s, sinceText, []any{seen, now}, func(rows *sql.Rows) (string, error) {
		var id []byte
		err := rows.Scan(&id)
		return string(id), err
	})
	if int64(len(ids)) != now-seen {
		ids = nil
	}
	return news{now, ids}, err
}

func (s *Store) countText() string {
	return "SELECT n, " + s.engine.Role + " FROM claviger_counter WHERE one = 1"
}

// changes is the change counter of a primary: that of a replica says nothing about what it has not heard of yet.
func (s *Store) changes(ctx context.Context) (n int64, err error) {
	var role string
	err = s.again(ctx, func() error { return s.count.QueryRowContext(ctx).Scan(&n, &role) })
	if errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("claviger_counter has no row: %w", err)
	}
	if err != nil {
		return 0, err
	}
	if p, wrong := s.engine.JudgeRole(role); wrong {
		return 0, refusal(p)
	}
	return n, nil
}

// prune is housekeeping: if it fails, another poll or another process does it.
func (s *Store) prune(ctx context.Context, until int64) error {
	if until <= 0 {
		return nil
	}
	return s.write(ctx, []string{pruneText}, func(t *transaction) error {
		_, err := t.exec(ctx, pruneText, until)
		return err
	})
}
