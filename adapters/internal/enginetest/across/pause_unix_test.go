//go:build unix

package across_test

import (
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// T-039: a process that was stopped while a key was revoked refuses it at its first request, and at one that has waited
// for it. Nothing tells a stopped process the time; VC5 lets it ask when it wakes up.
func TestPause(t *testing.T) {
	t.Parallel()
	for _, s := range stores {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			p := s.place(t)
			a, b := start(t, p), start(t, p)
			gone, kept := a.issue(t), a.issue(t)
			for _, k := range []key{gone, kept} {
				f := b.follow(t, k, pace)
				f.await(t, http.StatusOK, 3, time.Time{})
				f.end()
			}

			require.NoError(t, b.command.Process.Signal(syscall.SIGSTOP))
			over := time.After(stopped)
			a.revoke(t, gone)
			<-time.After(maxStaleness)
			waiting := make(chan probe, 1)
			go func() {
				p, err := b.use(t.Context(), gone)
				assert.NoError(t, err)
				waiting <- p
			}()
			<-over
			require.Empty(t, waiting, "it was stopped")
			woken := time.Now()
			require.NoError(t, b.command.Process.Signal(syscall.SIGCONT))
			first, waited := b.status(t, gone), <-waiting
			firstTook := time.Since(woken)
			for _, status := range []int{first, waited.status} {
				assert.NotEqual(t, http.StatusOK, status, "VC5: revoked while the process was stopped")
				if full {
					assert.Equal(t, http.StatusUnauthorized, status)
				}
			}

			f := b.follow(t, gone, pace)
			back := b.follow(t, kept, pace).await(t, http.StatusOK, 3, woken)
			f.await(t, http.StatusUnauthorized, 3, woken)
			assert.Empty(t, accepted(f.finish(), woken))
			pauses.add(s.name, waited.status, first, firstTook, back.answered.Sub(woken))
		})
	}
}
