package pgnotify

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/claviger-go/claviger/keystore"
)

// The pauses before each connection, doubled until a heartbeat has come back. The first has one, too, so that a Watch that
// ends at once makes none: a connection whose making is given up costs the server a second one, to cancel it.
const (
	firstPause = 20 * time.Millisecond
	maxPause   = time.Second
)

// listen wakes the store whenever something is notified, on one connection after the other until ctx ends.
func (s *Store) listen(ctx context.Context) {
	pause := firstPause
	l := s.listener(func() { pause = firstPause })
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, maxPause)
		err := l.run(ctx)
		if ctx.Err() != nil {
			return
		}
		s.tell(fmt.Errorf("pgnotify: listening: %w", err))
	}
}

func (s *Store) tell(err error) {
	defer func() { _ = recover() }() // a hook of the app's
	s.config.OnListenError(err)
}

// listener listens on one connection at a time.
type listener struct {
	store *Store
	own   string // the channel of its heartbeats
	heard func() // called when the first of a connection comes back
}

// patience is how long a listener waits for a connection, and for a heartbeat.
func (l *listener) patience() time.Duration { return 2 * l.store.config.Heartbeat }

// run takes a connection and listens on it until ctx ends, or it is lost, or no heartbeat comes back.
func (l *listener) run(ctx context.Context) error {
	opening, cancel := context.WithTimeout(ctx, l.patience())
	defer cancel()
	changes, err := channel(opening, l.store.db)
	if err != nil {
		return err
	}
	conn, err := l.store.config.ListenOn.Conn(opening)
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.Raw(func(driverConn any) error {
		c, ok := driverConn.(*stdlib.Conn)
		if !ok {
			err = &keystore.ConfigError{
				Field: "pgnotify: the pool to listen on",
				Value: fmt.Sprintf("of %T", driverConn), Want: "one of github.com/jackc/pgx/v5/stdlib, in Config.ListenOn",
			}
			return nil
		}
		defer hangUp(ctx, c.Conn())
		if err = subscribe(opening, c.Conn(), changes, l.own); err == nil {
			err = l.attend(ctx, c.Conn())
		}
		return driver.ErrBadConn // no other user of the pool shall meet a connection that listens
	})
	return err
}

func subscribe(ctx context.Context, conn *pgx.Conn, channels ...string) error {
	for _, name := range channels {
		if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{name}.Sanitize()); err != nil {
			return err
		}
	}
	return nil
}

// hangUp does not wait for a server that does not answer.
func hangUp(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 100*time.Millisecond)
	defer cancel()
	_ = conn.Close(ctx)
}

// attend sends heartbeats and waits for them.
func (l *listener) attend(ctx context.Context, conn *pgx.Conn) error {
	ctx, stop := context.WithCancelCause(ctx)
	var beating sync.WaitGroup
	beating.Go(func() { stop(l.beat(ctx)) })
	defer beating.Wait()
	defer stop(nil)
	err := l.await(ctx, conn)
	if err == nil {
		l.heard()
		l.store.Wake() // for what changed before this connection heard
	}
	for err == nil {
		err = l.await(ctx, conn)
	}
	return err
}

var (
	errDeaf = errors.New("no heartbeat came back: the connection is lost, or those of Config.ListenOn lead to another database" +
		" than those of db, or through a pooler that hands out a connection per transaction (PgBouncer: use pool_mode=session," +
		" or connect to PostgreSQL itself)")
	errTaken = errors.New("the connections of Config.ListenOn have an OnNotification of their own, which keeps what is notified:" +
		" give it a pool without")
)

// await waits for the next heartbeat, and wakes the store for all else that comes.
func (l *listener) await(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeoutCause(ctx, l.patience(), errDeaf)
	defer cancel()
	for {
		n, err := conn.WaitForNotification(ctx)
		switch {
		case err != nil:
			return cmp.Or(context.Cause(ctx), err)
		case n == nil:
			return errTaken
		case n.Channel == l.own:
			return nil
		}
		l.store.Wake()
	}
}

// beat sends heartbeats until one cannot be sent.
func (l *listener) beat(ctx context.Context) error {
	ticker := time.NewTicker(l.store.config.Heartbeat)
	defer ticker.Stop()
	for {
		sending, cancel := context.WithTimeout(ctx, l.store.config.Heartbeat)
		_, err := l.store.db.ExecContext(sending, "SELECT pg_catalog.pg_notify($1, '')", l.own)
		cancel()
		if err != nil {
			return fmt.Errorf("sending a heartbeat: %w", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}
