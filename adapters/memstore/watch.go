package memstore

import (
	"context"
	"sync"
)

// queueSize is how many changes wait for a watcher before they become "anything may have changed".
const queueSize = 1024

// hub passes changes on to watchers. It keeps what each of them has still to hear, so a slow one holds up no mutation.
type hub struct {
	mu       sync.Mutex
	watchers map[*watcher]struct{}
}

type watcher struct {
	wake   chan struct{} // holds a token while there is news
	ids    []string
	missed bool // anything may have changed, ids tells nothing more
}

// Watch calls changed, on the goroutine that called Watch and never while a mutation waits for it: once without ids at
// the start, and then with the ids of records that were updated or deleted, in order and as often as they were. A
// mutation is passed on after it has become visible to Lookup. When more than 1,024 ids are waiting because changed is
// slow, they become one call without ids.
//
// Watch returns ctx's error when ctx ends, and nothing else. Any number of them may run. changed may call any method of
// the store, and keep ids.
func (s *Store) Watch(ctx context.Context, changed func(ids ...string)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := s.hub.join()
	defer s.hub.leave(w)
	changed() // What happened before is news to this watcher.
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.wake:
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		// A token may come late, for news that was taken with the one before.
		if ids, missed := s.hub.take(w); missed || len(ids) > 0 {
			changed(ids...)
		}
	}
}

func (h *hub) join() *watcher {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := &watcher{wake: make(chan struct{}, 1)}
	h.watchers[w] = struct{}{}
	return w
}

func (h *hub) leave(w *watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.watchers, w)
}

// take returns what w has still to hear: ids, or none of them when it missed some.
func (h *hub) take(w *watcher) (ids []string, missed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	ids, missed = w.ids, w.missed
	w.ids, w.missed = nil, false
	return ids, missed
}

func (h *hub) publish(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watchers {
		switch {
		case w.missed:
		case len(w.ids) == queueSize:
			w.ids, w.missed = nil, true
		default:
			w.ids = append(w.ids, id)
		}
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}
