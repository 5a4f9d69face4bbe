package filestore

import (
	"context"
	"sync"
	"time"
)

// queueSize is how many changes wait for a watcher before they become "anything may have changed".
const queueSize = 1024

// Watch calls changed, on the goroutine that called Watch: once without ids at the start, and then with the ids of
// records that any process has updated or deleted. A mutation by this Store, and one that its Lookup has come upon, is
// told at once, others within Config.WatchInterval. Instead of ids there are none when more than 1,024 are waiting, since
// changed is slow, and when other processes have mutated more than can be seen in what they left: one record several
// times, say, between two looks at the file.
//
// Every look is a proof of touch by itself: it compares what is there with what was there before, so nothing is missed,
// however long the process was stopped. When the file cannot be read, Watch calls changed without ids and returns the
// error; called again, it does so again until the file is back, and then begins with changed without ids. Otherwise it
// returns ctx's error when ctx ends. Any number of them may run. changed may call any method of the store, and keep ids.
func (s *Store) Watch(ctx context.Context, changed func(ids ...string)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := s.hub.join()
	defer s.hub.leave(w)
	ticker := time.NewTicker(s.interval)
	defer ticker.Stop()
	for begun := false; ; begun = true {
		if _, err := s.fresh(ctx); err != nil {
			if ctx.Err() == nil {
				changed()
			}
			return err
		}
		switch ids, all := s.hub.take(w); {
		case all, !begun: // What happened before is news to this watcher.
			changed()
		case len(ids) > 0:
			changed(ids...)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.wake:
		case <-ticker.C:
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// hub passes changes on to watchers. It keeps what each of them has still to hear, so a slow one holds up no mutation.
type hub struct {
	mu       sync.Mutex
	watchers map[*watcher]struct{}
}

type watcher struct {
	wake chan struct{} // holds a token while there is news
	ids  []string
	all  bool // anything may have changed, ids tells nothing more
}

func newHub() hub { return hub{watchers: map[*watcher]struct{}{}} }

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

// listened reports whether anybody wants to know: to compare two snapshots takes longer than to look here.
func (h *hub) listened() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.watchers) > 0
}

func (h *hub) tell(ids []string, all bool) {
	if len(ids) == 0 && !all {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watchers {
		if w.all = w.all || all || len(w.ids)+len(ids) > queueSize; w.all {
			w.ids = nil
		} else {
			w.ids = append(w.ids, ids...)
		}
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// take returns what w has still to hear: ids, or all.
func (h *hub) take(w *watcher) (ids []string, all bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	ids, all = w.ids, w.all
	w.ids, w.all = nil, false
	return ids, all
}
