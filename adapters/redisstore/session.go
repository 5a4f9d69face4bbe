package redisstore

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// watch is one subscribed connection, from connecting until touch is lost.
type watch struct {
	store   *Store
	channel string // of its heartbeats
	changed func(ids ...string)
	heard   chan any // a *redis.Subscription, a *redis.Message or the error that ends it

	sent, returned int  // heartbeats
	subscribed     bool // changes are coming in
	touched        bool // a heartbeat came back
}

func (w *watch) run(ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go w.listen(ctx)

	heartbeat := w.store.config.Heartbeat
	due := time.NewTimer(heartbeat) // to connect
	defer due.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-w.heard:
			switch m := m.(type) {
			case *redis.Subscription:
				if w.confirmed(m) {
					w.beat(ctx)
					due.Reset(heartbeat / 2)
				}
			case *redis.Message:
				w.message(m)
			case error:
				return
			}
		case <-due.C:
			if !w.subscribed || w.sent-w.returned > 1 {
				return
			}
			w.beat(ctx)
			due.Reset(heartbeat / 2)
		}
	}
}

// confirmed reports whether both channels are subscribed now.
func (w *watch) confirmed(m *redis.Subscription) bool {
	if m.Channel == w.store.keys.changes() {
		w.subscribed = true
		w.changed() // What happened before is news to this watcher.
	}
	return m.Count == 2
}

func (w *watch) message(m *redis.Message) {
	switch {
	case m.Channel == w.channel:
		if n, err := strconv.Atoi(m.Payload); err == nil && n > w.returned && n <= w.sent {
			w.returned, w.touched = n, true
		}
	case checkID(m.Payload) == nil:
		w.changed(m.Payload)
	default:
		w.changed() // Nothing of ours says that.
	}
}

// beat sends the next heartbeat. That it cannot be sent shows in that it does not return.
func (w *watch) beat(ctx context.Context) {
	w.sent++
	number := w.sent
	s := w.store
	go func() {
		defer func() { _ = recover() }() // a hook of the app's
		ctx, cancel := context.WithTimeout(ctx, 2*s.config.Heartbeat)
		defer cancel()
		_ = s.scripts.beat.Run(ctx, s.client, []string{s.keys.all()}, w.channel, number).Err()
	}()
}

// listen passes on what comes in. It uses Receive and not Channel, which connects again without a word and drops what
// it has no room for.
func (w *watch) listen(ctx context.Context) {
	sub := w.store.client.Subscribe(ctx)
	closed := context.AfterFunc(ctx, func() { _ = sub.Close() }) // ends a Receive, which does not look at ctx
	defer func() {
		if closed() {
			_ = sub.Close()
		}
	}()
	connecting, cancel := context.WithTimeout(ctx, w.store.config.Heartbeat)
	err := sub.Subscribe(connecting, w.store.keys.changes(), w.channel)
	cancel()
	for err == nil {
		var m any
		if m, err = sub.Receive(ctx); err == nil && !w.pass(ctx, m) {
			return
		}
	}
	w.pass(ctx, err)
}

func (w *watch) pass(ctx context.Context, m any) bool {
	select {
	case w.heard <- m:
		return true
	case <-ctx.Done():
		return false
	}
}
