package across_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// probe is one request to the guarded route.
type probe struct {
	began, answered time.Time
	status          int
}

func (p probe) took() time.Duration { return p.answered.Sub(p.began) }

// use makes one request with the key.
func (o *process) use(ctx context.Context, k key) (p probe, err error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, o.url+"/guarded", http.NoBody)
	if err != nil {
		return p, err
	}
	q.Header.Set("Authorization", "Bearer "+k.Credential)
	p.began = time.Now()
	r, err := o.client.Do(q)
	if err != nil {
		return p, err
	}
	p.answered, p.status = time.Now(), r.StatusCode
	_, err = io.Copy(io.Discard, r.Body)
	_ = r.Body.Close()
	return p, err
}

func (o *process) status(t *testing.T, k key) int {
	t.Helper()
	p, err := o.use(t.Context(), k)
	require.NoError(t, err)
	return p.status
}

// follower uses a key again and again.
type follower struct {
	stop  context.CancelFunc
	ended sync.WaitGroup

	mu     sync.Mutex
	probes []probe
	err    error
	news   chan struct{}
}

// follow begins to use the key, with pauses between the requests, until stop or the end of the test.
func (o *process) follow(t *testing.T, k key, pause time.Duration) *follower {
	t.Helper()
	o.note(k)
	ctx, stop := context.WithCancel(t.Context())
	f := &follower{stop: stop, news: make(chan struct{}, 1)}
	f.ended.Go(func() {
		ticker := time.NewTicker(pause)
		defer ticker.Stop()
		for {
			p, err := o.use(ctx, k)
			if ctx.Err() != nil {
				return
			}
			f.mu.Lock()
			f.probes, f.err = append(f.probes, p), err
			f.mu.Unlock()
			select {
			case f.news <- struct{}{}:
			default:
			}
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	})
	t.Cleanup(f.end)
	return f
}

func (f *follower) end() {
	f.stop()
	f.ended.Wait()
}

// finish ends it and returns all that it saw.
func (f *follower) finish() []probe {
	f.end()
	return f.probes
}

// await waits until the last n probes since a time had this status, and returns the first of them.
func (f *follower) await(t *testing.T, status, n int, since time.Time) probe {
	t.Helper()
	late := time.After(patience)
	for {
		f.mu.Lock()
		probes, err := f.probes, f.err
		f.mu.Unlock()
		require.NoError(t, err)
		if last := len(probes) - n; last >= 0 && probes[last].began.After(since) &&
			!slices.ContainsFunc(probes[last:], func(p probe) bool { return p.status != status }) {
			return probes[last]
		}
		select {
		case <-f.news:
		case <-late:
			require.Failf(t, "still waiting", "for %d answers %d; the last of %d is %+v", n, status, len(probes), probes[max(0, len(probes)-1):])
		}
	}
}

// of are the probes that f is true of.
func of(probes []probe, f func(probe) bool) (found []probe) {
	for _, p := range probes {
		if f(p) {
			found = append(found, p)
		}
	}
	return found
}
