package across_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// story is what B answers for four keys, from before a fault until after it.
type story struct {
	a, b *process

	kept  followed // nothing happens to it
	fresh followed // B has not seen it before the fault
	gone  followed // A revokes it
	own   followed // B revokes it, if not at once then as soon as it can

	cached          time.Time // B has not read kept before
	inForce, healed time.Time // the fault
	goneFrom        time.Time // A is asked to revoke gone
	goneSince       time.Time // A has done it
	ownFrom         time.Time // B is asked to revoke own
	ownSince        time.Time // B has done it
	refused         error     // what B said to that during the fault

	// What judge finds.
	stale        int           // requests with gone, accepted although they began MaxStaleness after goneSince
	lastAccepted time.Duration // how long after goneSince the last one began that was accepted
	served       time.Duration // how long kept was, from cached on
	unavailable  int           // 503s
	slowest      time.Duration // of them
	recovery     time.Duration // until all keys are answered as they should be
}

// followed is a key that B is asked about all the time.
type followed struct {
	key
	*follower
}

var pace = shortOr(100*time.Millisecond, 20*time.Millisecond)

func (s *story) follow(t *testing.T) followed {
	k := s.a.issue(t)
	return followed{k, s.b.follow(t, k, pace)}
}

func begin(t *testing.T, a, b *process) *story {
	s := &story{a: a, b: b}
	s.gone, s.own = s.follow(t), s.follow(t)
	const settled = 3 // in touch by then: what was read before counts no more
	s.gone.await(t, http.StatusOK, settled, time.Time{})
	s.own.await(t, http.StatusOK, settled, time.Time{})
	return s
}

// cache lets B read one more key.
func (s *story) cache(t *testing.T) {
	s.fresh.key = s.a.issue(t)
	s.cached = time.Now()
	s.kept = s.follow(t)
	s.kept.await(t, http.StatusOK, 1, time.Time{})
}

// revoke is what happens during the fault.
func (s *story) revoke(t *testing.T) {
	s.fresh.follower = s.b.follow(t, s.fresh.key, pace)
	s.goneFrom = time.Now()
	s.a.revoke(t, s.gone.key)
	s.goneSince = time.Now()
	s.ownFrom = s.goneSince
	s.refused = s.b.tryRevoke(t.Context(), s.own.key, time.Second)
	if s.refused == nil {
		s.ownSince = time.Now()
	}
}

// recover waits until B answers as before.
func (s *story) recover(t *testing.T) {
	if s.refused != nil {
		s.b.revoke(t, s.own.key)
		s.ownSince = time.Now()
	}
	const times = 5
	s.kept.await(t, http.StatusOK, times, s.healed)
	s.fresh.await(t, http.StatusOK, times, s.healed)
	s.gone.await(t, http.StatusUnauthorized, times, s.healed)
	s.own.await(t, http.StatusUnauthorized, times, s.healed)
}

// revokeAgain returns how soon B sees the next revocation.
func (s *story) revokeAgain(t *testing.T) time.Duration {
	late, stale := revokeOnce(t, s.a, []*process{s.b}, polled)
	assert.Zero(t, stale)
	return late[0]
}

// judge asserts what holds whatever the machine does, and finds the figures.
func (s *story) judge(t *testing.T, total bool) {
	kept, fresh, gone, own := s.kept.finish(), s.fresh.finish(), s.gone.finish(), s.own.finish()

	// A busy machine may have needed several attempts for the first answer.
	kept = kept[slices.IndexFunc(kept, func(p probe) bool { return p.status == http.StatusOK }):]
	for _, p := range kept {
		if p.answered.Before(s.cached.Add(maxStaleness)) {
			assert.Equal(t, http.StatusOK, p.status, "VC8: cached, and served until MaxStaleness")
		}
		if during := p.began.After(s.inForce.Add(maxStaleness)) && p.answered.Before(s.healed); during && total {
			assert.Equal(t, http.StatusServiceUnavailable, p.status, "VC8: and then no more")
		}
		if p.status == http.StatusOK && p.answered.Before(s.healed) {
			s.served = p.began.Sub(s.cached)
		}
	}
	for _, p := range fresh {
		if during := p.began.After(s.inForce) && p.answered.Before(s.healed); during && total {
			assert.Equal(t, http.StatusServiceUnavailable, p.status, "nobody knows the key")
		}
	}
	for _, p := range append(kept, fresh...) {
		assert.Contains(t, []int{http.StatusOK, http.StatusServiceUnavailable}, p.status, "VC8: never 401")
	}
	for _, p := range gone {
		assert.False(t, p.status == http.StatusUnauthorized && p.answered.Before(s.goneFrom), "refused before it was revoked")
	}
	s.stale = len(accepted(gone, s.goneSince.Add(maxStaleness)))
	assert.Zero(t, s.stale, "VC5: accepted when it was revoked for longer than MaxStaleness")
	for _, p := range accepted(gone, s.goneSince) {
		s.lastAccepted = p.began.Sub(s.goneSince)
	}
	for _, p := range own {
		assert.False(t, p.status == http.StatusUnauthorized && p.answered.Before(s.ownFrom), "refused before it was revoked")
	}
	assert.Empty(t, accepted(own, s.ownSince), "VC6: revoked here, and accepted")
	s.measure(append(append(kept, fresh...), gone...), gone)
}

func (s *story) measure(all, gone []probe) {
	for _, p := range all {
		if p.status == http.StatusServiceUnavailable {
			s.unavailable++
			s.slowest = max(s.slowest, p.took())
		}
	}
	wrong := append(of(all, func(p probe) bool { return p.status == http.StatusServiceUnavailable }), accepted(gone, s.goneSince)...)
	for _, p := range wrong {
		s.recovery = max(s.recovery, p.answered.Sub(s.healed))
	}
}
