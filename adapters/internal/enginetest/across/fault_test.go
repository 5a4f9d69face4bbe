package across_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/internal/faultproxy"
)

// fault is something that happens to a network.
type fault struct {
	name    string
	total   bool // no read can succeed
	bus     bool // only to the connection on which the process hears of changes
	inflict func(*testing.T, *faultproxy.Proxy) (heal func())
}

var faults = []fault{
	{"latency 50 ms", false, false, delay(50 * time.Millisecond)},
	{"latency 5 s", true, false, delay(5 * time.Second)},
	{"resets", false, false, resetAgainAndAgain},
	{"half-open", true, false, freeze},
	{"half-open bus", false, true, freeze},
	{"hanging", true, false, func(_ *testing.T, p *faultproxy.Proxy) func() { return p.Hang() }},
	{"down", true, false, func(t *testing.T, p *faultproxy.Proxy) func() {
		p.Down()
		return func() { p.Up(t) }
	}},
}

func delay(d time.Duration) func(*testing.T, *faultproxy.Proxy) func() {
	return func(_ *testing.T, p *faultproxy.Proxy) func() {
		p.Delay(d)
		return func() { p.Delay(0) }
	}
}

func freeze(_ *testing.T, p *faultproxy.Proxy) func() {
	p.Freeze()
	return p.Thaw
}

func resetAgainAndAgain(t *testing.T, p *faultproxy.Proxy) func() {
	ticker, healed := time.NewTicker(250*time.Millisecond), make(chan struct{})
	go func() {
		defer ticker.Stop()
		for {
			p.Reset()
			select {
			case <-ticker.C:
			case <-healed:
				return
			case <-t.Context().Done():
				return
			}
		}
	}()
	return func() { close(healed) }
}

// T-039, T-122: B reaches the engine through a network that fails, while A revokes. B accepts nothing that it must not,
// serves what it may, answers 503 to the rest, and is soon what it was before, with nothing left over (T-136).
func TestFault(t *testing.T) {
	parallel(t)
	for _, s := range stores {
		if s.address == nil {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			parallel(t)
			p := s.place(t)
			a := start(t, p)
			for _, f := range faults {
				t.Run(f.name, func(t *testing.T) {
					t.Parallel()
					f.try(t, p, a, faultproxy.New(t, s.address(t)))
				})
			}
		})
	}
}

func (f *fault) try(t *testing.T, p place, a *process, network *faultproxy.Proxy) {
	if f.bus {
		p.Bus = network.Address
	} else {
		p.Address = network.Address
	}
	b := start(t, p)
	s := begin(t, a, b)
	goroutines, links := b.goroutines(t), network.Links()
	s.cache(t)
	heal := f.inflict(t, network)
	s.inForce = time.Now()
	over := time.After(outage)
	s.revoke(t)
	if f.total {
		require.Error(t, s.refused, "T-040: nobody can have revoked that")
	}
	<-over
	s.healed = time.Now()
	heal()
	s.recover(t)
	again := s.revokeAgain(t)
	s.judge(t, f.total)

	outages.add(p.Store, f.name, s.stale, s.lastAccepted, s.served, s.unavailable, s.slowest, s.recovery, again)
	if full {
		assert.LessOrEqual(t, s.slowest, 300*time.Millisecond)
		assert.LessOrEqual(t, s.recovery, 2*time.Second)
	}
	assert.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.LessOrEqual(c, b.goroutines(t), goroutines+5)
		assert.LessOrEqual(c, network.Links(), max(links, connections+1), "the pool, and one that listens")
	}, patience, 100*time.Millisecond, "left over")
	b.close(t)
	assert.Eventually(t, func() bool { return network.Links() == 0 }, patience, 10*time.Millisecond, "connections left over")
	b.end(t)
}
