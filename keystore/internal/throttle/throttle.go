// Package throttle counts different wrong guesses, and slows down who makes too many.
//
// A guess that is repeated is no new one: whatever tries one outdated secret for
// days counts once.
package throttle

import (
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/claviger-go/claviger/keystore/internal/gcra"
)

// Config says how many guesses are too many.
type Config struct {
	Max    int           // different wrong guesses in any Window
	Window time.Duration // whole seconds
	// Spare is how often one may guess beyond Max, with as many at once as come
	// together in a second. 0: not at all.
	Spare time.Duration
	Size  int // of how many this is remembered; the least recently seen are forgotten
}

// Throttle counts guesses by who makes them. It takes about 300 bytes for each of
// Config.Size, and 8 more for each of Config.Max guesses, rounded up to a power of
// two. It is safe for concurrent use.
type Throttle[K comparable] struct {
	config Config
	start  time.Time

	mu       sync.Mutex
	suspects *simplelru.LRU[K, *suspect]
}

type suspect struct {
	wrong []guess // different ones, oldest first, at most Max
	told  uint32  // when it was last reported that they are Max
	spare gcra.Bucket
}

// guess is 32 bits of a digest: among a hundred, two that differ are taken for one
// about once in forty million times.
type guess struct{ digest, at uint32 }

// New returns a Throttle whose clock starts at now.
func New[K comparable](config Config, now time.Time) *Throttle[K] {
	lru, err := simplelru.NewLRU[K, *suspect](max(config.Size, 1), nil)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &Throttle[K]{config: config, start: now, suspects: lru}
}

// Admit tells how long who has to wait before the next guess; 0: not at all.
func (t *Throttle[K]) Admit(who K, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	s, known := t.suspects.Get(who)
	if !known {
		return 0
	}
	return t.wait(s, now)
}

// Wrong counts a guess that was wrong. It reports whether there are Max of them
// now, once in each Window.
func (t *Throttle[K]) Wrong(who K, digest uint32, now time.Time) (full bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.suspect(who)
	t.add(s, digest, now)
	second := t.second(now)
	if len(s.wrong) < t.config.Max || s.told != 0 && t.within(s.told, second) {
		return false
	}
	s.told = second
	return true
}

// Try is for guesses whose check takes long, so that many at once are not more than
// Max either: it counts the guess as wrong beforehand, unless who has to wait or the
// guess was counted before. What was counted and turned out not to be wrong is for
// Forget.
func (t *Throttle[K]) Try(who K, digest uint32, now time.Time) (counted bool, wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.suspect(who)
	if wait = t.wait(s, now); wait > 0 {
		return false, wait
	}
	return t.add(s, digest, now), 0
}

// Forget takes a guess back.
func (t *Throttle[K]) Forget(who K, digest uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s, known := t.suspects.Peek(who); known {
		s.wrong = slices.DeleteFunc(s.wrong, func(g guess) bool { return g.digest == digest })
		if len(s.wrong) == 0 {
			t.suspects.Remove(who)
		}
	}
}

func (t *Throttle[K]) suspect(who K) *suspect {
	s, known := t.suspects.Get(who)
	if !known {
		s = new(suspect)
		t.suspects.Add(who, s)
	}
	return s
}

func (t *Throttle[K]) wait(s *suspect, now time.Time) time.Duration {
	t.age(s, now)
	if len(s.wrong) < t.config.Max {
		return 0
	}
	if spare := t.config.Spare; spare > 0 {
		owed, taken := s.spare.Take(int64(now.Sub(t.start)), int64(spare), int64(max(time.Second, spare)))
		if taken {
			return 0
		}
		return time.Duration(owed) + spare - max(time.Second, spare)
	}
	oldest := t.start.Add(time.Duration(s.wrong[0].at) * time.Second)
	return max(oldest.Add(t.config.Window).Sub(now), 1)
}

// add reports whether the guess is new and there was room for it.
func (t *Throttle[K]) add(s *suspect, digest uint32, now time.Time) bool {
	t.age(s, now)
	if len(s.wrong) >= t.config.Max || slices.ContainsFunc(s.wrong, func(g guess) bool { return g.digest == digest }) {
		return false
	}
	s.wrong = append(s.wrong, guess{digest, t.second(now)})
	return true
}

// age drops guesses that are older than Window.
func (t *Throttle[K]) age(s *suspect, now time.Time) {
	second := t.second(now)
	s.wrong = slices.DeleteFunc(s.wrong, func(g guess) bool { return !t.within(g.at, second) })
}

// within reports whether less than Window may have passed. Seconds are rounded down,
// so that one more has to.
func (t *Throttle[K]) within(at, now uint32) bool {
	return int64(now)-int64(at) <= int64(t.config.Window/time.Second)
}

// second counts from 1 on.
func (t *Throttle[K]) second(now time.Time) uint32 {
	return uint32(max(now.Sub(t.start)/time.Second, 0)) + 1 //nolint:gosec // G115: enough for a century
}
