// Package misuse notices keys that are used as they should not be. It remembers what
// happened in this window of time and in the one before, of a bounded number of keys.
package misuse

import (
	"hash/maphash"
	"math"
	"net/netip"
	"sync"
	"time"
)

// Finding is what was noticed about a key.
type Finding int

// Findings.
const (
	Services Finding = iota // more services use it than it is licensed for
	Browser                 // a browser presented it, and it is for servers
	Exposed                 // it was sent in clear
	findings
)

// Watch is what is remembered. Safe for concurrent use.
type Watch struct {
	seconds int64 // of a window
	limit   int   // of keys in one
	seed    maphash.Seed

	mu          sync.Mutex
	window      int64
	now, before map[string]*key
}

// key is what is known of one. Its window is the one that services is about.
type key struct {
	window   int64
	services services
	found    [findings]struct {
		window int64 // the last one
		run    int   // and how many in a row
	}
}

func newKey() *key {
	k := new(key)
	for what := range k.found {
		k.found[what].window = math.MinInt64
	}
	return k
}

// New returns a Watch with windows of whole seconds and at most so many keys in each.
func New(window time.Duration, keys int) *Watch {
	return &Watch{seconds: max(int64(window/time.Second), 1), limit: keys, seed: maphash.MakeSeed(), now: map[string]*key{}}
}

// Sighting is one use of a key, as far as it tells services apart.
type Sighting struct {
	Network netip.Prefix
	client  uint64
	window  int64
}

// See looks at a use.
func (w *Watch) See(now time.Time, remote netip.Addr, agent string) Sighting {
	return Sighting{Network(remote), maphash.String(w.seed, family(agent)), w.number(now)}
}

// Used notes that a key that is licensed for so many services was used. It returns
// the same as Found; 0 also where the licence covers all that was seen.
func (w *Watch) Used(id string, licensed int, s Sighting) (run int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	k := w.key(id, s.window)
	if k == nil {
		return 0
	}
	if k.window != s.window {
		k.window, k.services = s.window, services{}
	}
	k.services.add(trace{maphash.Comparable(w.seed, s.Network), s.client})
	if k.services.count() <= licensed {
		return 0
	}
	return k.foundIn(s.window, Services)
}

// Found notes a finding. It returns 0 if that is no news in this window, and
// otherwise of how many windows in a row this one is the latest.
func (w *Watch) Found(id string, what Finding, now time.Time) (run int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	window := w.number(now)
	k := w.key(id, window)
	if k == nil {
		return 0
	}
	return k.foundIn(window, what)
}

func (k *key) foundIn(window int64, what Finding) (run int) {
	f := &k.found[what]
	switch f.window {
	case window:
		return 0
	case window - 1:
		f.run++
	default:
		f.run = 1
	}
	f.window = window
	return f.run
}

// Reset makes the windows of a key count anew, from the next one on.
func (w *Watch) Reset(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, k := range []*key{w.now[id], w.before[id]} {
		if k == nil {
			continue
		}
		for what := range k.found {
			k.found[what].run = 0
		}
	}
}

func (w *Watch) number(now time.Time) int64 { return now.Unix() / w.seconds }

// key returns what is known of a key; nil if there is no room for another one, or for
// what comes too late. What was not touched for a whole window is gone.
func (w *Watch) key(id string, window int64) *key {
	switch {
	case window == w.window+1:
		w.window, w.before, w.now = window, w.now, map[string]*key{}
	case window == w.window-1: // looked at in the window before
		return nil
	case window != w.window: // also of a clock that was put back
		w.window, w.before, w.now = window, nil, map[string]*key{}
	}
	k := w.now[id]
	if k != nil || len(w.now) >= w.limit {
		return k
	}
	if k = w.before[id]; k == nil {
		k = newKey()
	}
	w.now[id] = k
	return k
}
