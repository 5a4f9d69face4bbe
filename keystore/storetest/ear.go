package storetest

import (
	"context"
	"slices"
	"sync"
	"time"
)

// ear is a Watch on its way, and what it has heard.
type ear struct {
	mu    sync.Mutex
	calls [][]string // one without ids says that anything may have changed

	news  chan struct{} // holds a token when there is some
	ended chan struct{}
	err   error // what Watch returned, once ended is closed
	stop  context.CancelFunc

	patience time.Duration
}

// watch starts a Watch. It may be a while until it hears anything.
func (h *handle) watch(changed func(ids []string)) *ear {
	h.t.Helper()
	ctx, stop := context.WithCancel(h.t.Context())
	e := &ear{news: make(chan struct{}, 1), ended: make(chan struct{}), stop: stop, patience: h.t.suite.patience}
	go func() {
		defer close(e.ended)
		e.err = h.watcher.Watch(ctx, func(ids ...string) {
			e.note(slices.Clone(ids))
			changed(ids)
		})
	}()
	h.t.Cleanup(e.end)
	return e
}

func (e *ear) note(ids []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calls = append(e.calls, ids)
	select {
	case e.news <- struct{}{}:
	default:
	}
}

// end stops the Watch and waits until it has returned, though not for ever.
func (e *ear) end() {
	e.stop()
	select {
	case <-e.ended:
	case <-time.After(e.patience):
	}
}

// listen starts a Watch and returns once it hears what happens.
func (h *handle) listen() *ear {
	h.t.Helper()
	return h.listenTo(func([]string) {})
}

func (h *handle) listenTo(changed func(ids []string)) *ear {
	h.t.Helper()
	e := h.watch(changed)
	r := h.t.key("fence" + h.t.op())
	h.insert(r)
	// Its first call says that it listens. Without one, so does a change that it
	// hears of; others may have come too early.
	for wait := 10 * time.Millisecond; ; wait *= 2 {
		since := e.mark()
		r = h.update(r)
		if e.hears(since, r.ID, min(wait, h.t.suite.WatchDelay)) {
			return e
		}
		if wait > h.t.suite.WatchDelay {
			h.t.wrongf("Watch through %s: heard of none of many Updates, the last one %v ago", h.name, h.t.suite.WatchDelay)
			h.t.FailNow()
		}
	}
}

// mark is where a mutation that has not yet begun will be found.
func (e *ear) mark() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.calls)
}

// since are the calls after a mark.
func (e *ear) since(mark int) [][]string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.calls[mark:])
}

// told reports whether id, or "anything", was among the calls after a mark.
func (e *ear) told(mark int, id string) bool {
	for _, ids := range e.since(mark) {
		if len(ids) == 0 || slices.Contains(ids, id) {
			return true
		}
	}
	return false
}

// hears waits until told, or for as long as it may take.
func (e *ear) hears(mark int, id string, delay time.Duration) bool {
	late := time.After(delay)
	for !e.told(mark, id) {
		select {
		case <-e.news:
		case <-e.ended:
			return e.told(mark, id)
		case <-late:
			return e.told(mark, id)
		}
	}
	return true
}

// speaks waits for any call after a mark, and reports whether there was one. It
// is for those that should keep quiet.
func (e *ear) speaks(mark int, within time.Duration) bool {
	late := time.After(within)
	for len(e.since(mark)) == 0 {
		select {
		case <-e.news:
		case <-late:
			return false
		}
	}
	return true
}

// hears checks that a mutation of id is reported in time.
func (t *trial) hears(e *ear, mark int, id, what string, args ...any) {
	t.Helper()
	if !e.hears(mark, id, t.suite.WatchDelay) {
		t.wrongf("Watch after "+what+": heard neither of %q nor that anything may have changed, for %v", append(args, id, t.suite.WatchDelay)...)
	}
}
