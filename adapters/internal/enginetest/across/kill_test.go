package across_test

import (
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// journal is what a process has acknowledged, and what it has not.
type journal struct {
	mu                       sync.Mutex
	issued, revoked, unknown []key
}

// T-116: a process dies at any moment. What it has acknowledged holds for the others: each key works, and each revoked
// one does not; what it left unanswered can be done again.
func TestKill(t *testing.T) {
	parallel(t)
	for _, s := range stores {
		t.Run(s.name, func(t *testing.T) {
			parallel(t)
			alone(t)
			p := s.place(t)
			witness := start(t, p)
			times, lost, undone := shortOr(2, 30), 0, 0
			var all journal
			for range times {
				j := killInTheMiddle(t, start(t, p))
				for _, k := range j.issued {
					if witness.answer(t, k) != http.StatusOK {
						lost++
					}
				}
				for _, k := range j.revoked {
					if witness.answer(t, k) != http.StatusUnauthorized {
						undone++
					}
				}
				for _, k := range j.unknown {
					witness.revoke(t, k)
					require.Equal(t, http.StatusUnauthorized, witness.answer(t, k))
				}
				all.issued, all.revoked = append(all.issued, j.issued...), append(all.revoked, j.revoked...)
				all.unknown = append(all.unknown, j.unknown...)
			}
			kills.add(s.name, times, len(all.issued)+len(all.revoked), lost, len(all.revoked), undone, len(all.unknown))
			assert.NotEmpty(t, all.issued)
			assert.NotEmpty(t, all.revoked)
			assert.Zero(t, lost)
			assert.Zero(t, undone)
		})
	}
}

// killInTheMiddle lets a process issue keys and revoke every other one, until it is killed.
func killInTheMiddle(t *testing.T, victim *process) *journal {
	t.Helper()
	j := &journal{}
	begun := make(chan struct{})
	var working sync.WaitGroup
	for range 4 {
		working.Go(func() {
			for n := 0; ; n++ {
				k, err := victim.tryIssue(t.Context())
				if err != nil {
					return
				}
				if n%2 == 0 {
					j.note(&j.issued, k)
					continue
				}
				if err := victim.tryRevoke(t.Context(), k, patience); err != nil {
					j.note(&j.unknown, k)
					return
				}
				j.note(&j.revoked, k)
				select {
				case begun <- struct{}{}:
				default:
				}
			}
		})
	}
	<-begun
	<-time.After(rand.N(100 * time.Millisecond))
	victim.kill(t)
	working.Wait()
	return j
}

func (j *journal) note(list *[]key, k key) {
	j.mu.Lock()
	defer j.mu.Unlock()
	*list = append(*list, k)
}

// answer is what the process says for sure: a busy machine may need several attempts.
func (o *process) answer(t *testing.T, k key) int {
	t.Helper()
	for {
		if status := o.status(t, k); status != http.StatusServiceUnavailable {
			return status
		}
	}
}
