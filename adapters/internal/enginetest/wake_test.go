package enginetest_test

import (
	"testing"
	"time"

	"github.com/claviger-go/claviger/adapters/sqlstore"
)

// A Watch that is woken asks at once, each Watch of the store does, and so again the next time.
func TestWake(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, p place) {
		s, other := p.store(t, sqlstore.Config{PollInterval: time.Minute}), p.store(t, sqlstore.Config{})
		insert(t, other, usual(1))
		ears := []*ear{listen(t, s), listen(t, s)}
		r := usual(1)
		for n := range 3 {
			r = update(t, other, r)
			s.Wake()
			for _, e := range ears {
				e.await(t, "the change is heard of", func() bool { return e.named[r.ID] == n+1 })
			}
		}
	})
}
