package across_test

import (
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// T-037, T-118: what is revoked in A is refused there from then on, and in B and C within the bound, though the clock of
// one is five minutes ahead, and of the other behind.
func TestRevocation(t *testing.T) {
	parallel(t)
	for _, s := range stores {
		t.Run(s.name, func(t *testing.T) {
			parallel(t)
			p := s.place(t)
			ahead, behind := p, p
			ahead.Skew, behind.Skew = 5*time.Minute, -5*time.Minute
			a, others := start(t, p), []*process{start(t, ahead), start(t, behind)}
			rounds, lanes := shortOr(5, 200), 1
			if s.seen == polled {
				lanes = shortOr(1, 4)
			}
			var mu sync.Mutex
			var delays []time.Duration
			stale := 0
			t.Run("rounds", func(t *testing.T) {
				for range lanes {
					t.Run("lane", func(t *testing.T) {
						t.Parallel()
						for range rounds / lanes {
							late, accepted := revokeOnce(t, a, others, s.seen)
							mu.Lock()
							delays, stale = append(delays, late...), stale+accepted
							mu.Unlock()
						}
					})
				}
			})
			require.Len(t, delays, 2*rounds, "all rounds have ended")
			countUses(t, a, others)
			a.search(t, p)
			slices.Sort(delays)
			p99 := percentile(delays, 99)
			revocations.add(s.name, rounds, percentile(delays, 50), p99, delays[len(delays)-1], s.seen, stale)
			require.Zero(t, stale)
			if full {
				require.LessOrEqual(t, p99, s.seen)
			}
		})
	}
}

// revokeOnce is one round. It returns how long after the revocation each of the others refused, and how many requests were
// accepted that began later than they may be.
func revokeOnce(t *testing.T, a *process, others []*process, seen time.Duration) (delays []time.Duration, stale int) {
	k := a.issue(t)
	followers := make([]*follower, len(others))
	for i, o := range others {
		followers[i] = o.follow(t, k, seen/200)
	}
	for _, f := range followers {
		f.await(t, http.StatusOK, 1, time.Time{})
	}
	// At any time between two polls, and not always right after one.
	<-time.After(rand.N(seen))
	began := time.Now()
	a.revoke(t, k)
	returned := time.Now()
	assert.NotEqual(t, http.StatusOK, a.status(t, k), "VC6: in the process that revoked it")
	for _, f := range followers {
		refused := f.await(t, http.StatusUnauthorized, 5, began)
		delays = append(delays, max(0, refused.answered.Sub(returned)))
		probes := f.finish()
		assert.Empty(t, of(probes, func(p probe) bool { return p.status == http.StatusUnauthorized && p.answered.Before(began) }),
			"refused before it was revoked")
		assert.Empty(t, of(probes, func(p probe) bool { return p.status == http.StatusOK && p.began.After(refused.answered) }),
			"accepted again")
		stale += len(accepted(probes, returned.Add(maxStaleness)))
	}
	return delays, stale
}

// accepted are the probes that got through although they began at that time or later.
func accepted(probes []probe, after time.Time) []probe {
	return of(probes, func(p probe) bool { return p.status == http.StatusOK && !p.began.Before(after) })
}

// countUses lets all processes count, and most of them end. T-120: the uses are added up, and none is lost.
func countUses(t *testing.T, a *process, others []*process) {
	k := a.issue(t)
	const clients, times = 4, 25
	var group sync.WaitGroup
	for _, o := range append(others, a) {
		for range clients {
			group.Go(func() {
				for n := 0; n < times; {
					p, err := o.use(t.Context(), k)
					if !assert.NoError(t, err) {
						return
					}
					if p.status == http.StatusOK {
						n++
					}
				}
			})
		}
	}
	group.Wait()
	for _, o := range others {
		o.finish(t)
	}
	var used int
	require.NoError(t, a.ask(t.Context(), http.MethodGet, "/usage/"+k.ID, nil, &used))
	assert.Equal(t, (len(others)+1)*clients*times, used)
}

// search looks for the secrets that the process has seen in the files of a store that has files. T-125: none is there.
func (o *process) search(t *testing.T, p place) {
	t.Helper()
	if !filepath.IsAbs(p.Room) {
		return
	}
	files, err := filepath.Glob(p.Room + "*")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	require.NotEmpty(t, o.shown)
	for _, name := range files {
		content, err := os.ReadFile(name)
		require.NoError(t, err)
		for _, secret := range o.shown {
			assert.NotContains(t, string(content), secret, name)
		}
	}
}
