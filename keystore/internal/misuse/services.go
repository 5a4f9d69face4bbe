package misuse

import (
	"math/bits"
	"net/netip"
	"slices"
	"strings"
)

// Network is as much of an address as tells services apart: a host that changes its
// address (DHCP, IPv6 privacy extensions) mostly stays in it.
func Network(remote netip.Addr) netip.Prefix {
	remote = remote.Unmap().WithZone("")
	size := 48
	if remote.Is4() {
		size = 24
	}
	network, err := remote.Prefix(size)
	if err != nil {
		return netip.Prefix{}
	}
	return network
}

// maxFamily bounds how much is looked at of what a client calls itself.
const maxFamily = 64

// family is the first product in a User-Agent without its version (RFC 9110
// §10.1.5): "python-requests" of "python-requests/2.31".
func family(agent string) string {
	if len(agent) > maxFamily {
		agent = agent[:maxFamily]
	}
	if end := strings.IndexAny(agent, "/ (;,\t"); end >= 0 {
		agent = agent[:end]
	}
	return agent
}

// MaxTraces bounds how many different uses of a key are kept for a window.
const MaxTraces = 16

// trace is where a use came from and what client it was made by, hashed.
type trace struct{ network, client uint64 }

// services sorts the uses of a key by who makes them. Uses that share a network or a
// client belong together, also by way of others: one service may have several
// clients, and several ways out. So those that are left apart have nothing in common.
type services struct {
	traces []trace
	who    [MaxTraces]int8 // the service that the trace belongs to
}

// add notes a use. Where there is no room any more it may be anybody's.
func (s *services) add(p trace) {
	n := len(s.traces)
	if n == MaxTraces || slices.Contains(s.traces, p) {
		return
	}
	s.traces = append(s.traces, p)
	s.who[n] = int8(n) //nolint:gosec // below MaxTraces. It is nobody's but this one's.
	for i, known := range s.traces[:n] {
		if known.network == p.network || known.client == p.client {
			s.join(s.who[i], s.who[n])
		}
	}
}

func (s *services) join(one, other int8) {
	for i := range s.traces {
		if s.who[i] == one {
			s.who[i] = other
		}
	}
}

// count is how many services there are at least.
func (s *services) count() int {
	var seen uint32
	for i := range s.traces {
		seen |= 1 << s.who[i]
	}
	return bits.OnesCount32(seen)
}
