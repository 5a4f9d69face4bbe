package across_test

import (
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// T-115: of all that try at once, in two processes, exactly as many get a key as there may be.
func TestQuota(t *testing.T) {
	parallel(t)
	for _, s := range stores {
		t.Run(s.name, func(t *testing.T) {
			parallel(t)
			alone(t)
			p := s.place(t)
			processes := []*process{start(t, p), start(t, p)}
			rounds, over, under, unanswered := shortOr(3, 1000), 0, 0, 0
			began := time.Now()
			for round := range rounds {
				limit := round%8 + 1
				values := url.Values{"owner": {strconv.Itoa(round)}, "limit": {strconv.Itoa(limit)}}
				races := make([]race, len(processes))
				var group sync.WaitGroup
				for i, o := range processes {
					group.Go(func() {
						assert.NoError(t, o.ask(t.Context(), http.MethodPost, "/contend", values, &races[i]))
					})
				}
				group.Wait()
				var there int
				require.NoError(t, processes[0].ask(t.Context(), http.MethodGet, "/count", values, &there))
				over += max(0, there-limit)
				lost := int(races[0].Unanswered + races[1].Unanswered)
				if unanswered += lost; lost > 0 {
					continue // a busy engine; nobody knows whose key is there
				}
				under += max(0, limit-there)
				require.Equal(t, int(races[0].Won+races[1].Won), there, "what was acknowledged is there, and nothing else")
			}
			quotas.add(s.name, rounds, over, under, unanswered, time.Since(began)/time.Duration(rounds))
			assert.Zero(t, over)
			assert.Zero(t, under)
			if full {
				assert.Zero(t, unanswered)
			}
		})
	}
}
