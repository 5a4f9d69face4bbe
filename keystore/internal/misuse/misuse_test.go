package misuse

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestNetwork(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		"192.0.2.1": "192.0.2.0/24", "192.0.2.255": "192.0.2.0/24", "::ffff:192.0.2.1": "192.0.2.0/24", "0.0.0.0": "0.0.0.0/24",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1::/48", "2001:db8:1:ffff::": "2001:db8:1::/48", "fe80::1%eth0": "fe80::/48", "::1": "::/48",
	} {
		require.Equal(t, netip.MustParsePrefix(want), Network(netip.MustParseAddr(addr)), addr)
	}
	require.Equal(t, netip.Prefix{}, Network(netip.Addr{}))
}

func TestFamily(t *testing.T) {
	t.Parallel()
	for agent, want := range map[string]string{
		"python-requests/2.31.0": "python-requests", "python-requests": "python-requests", "Go-http-client/1.1": "Go-http-client",
		"Mozilla/5.0 (X11; Linux x86_64)": "Mozilla", "acme importer 7": "acme", "(unknown)": "", "": "", "/": "",
		"curl/8.5.0": "curl", "Java/17.0.9": "Java", "a;b": "a", "a,b": "a", "a\tb": "a",
		strings.Repeat("x", 1<<20) + "/1": strings.Repeat("x", maxFamily),
	} {
		require.Equal(t, want, family(agent), "%.50q", agent)
	}
}

// use is a network and a client, by number.
type use [2]uint64

// The tables of issue and doc: who is one service, and who is not.
func TestServices(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		desc string
		uses []use
		want int
	}{
		{"none", nil, 0},
		{"one", []use{{1, 1}}, 1},
		{"one, many times", []use{{1, 1}, {1, 1}, {1, 1}}, 1},
		{"behind NAT, with several clients", []use{{1, 1}, {1, 2}, {1, 3}}, 1},
		{"several ways out", []use{{1, 1}, {2, 1}, {3, 1}}, 1},
		{"deployed with another client", []use{{1, 1}, {1, 2}}, 1},
		{"moved while it was deployed, in steps", []use{{1, 1}, {1, 2}, {2, 2}}, 1},
		{"two", []use{{1, 1}, {2, 2}}, 2},
		{"two, and one of them moves to where the other is", []use{{1, 1}, {2, 2}, {2, 1}}, 1},
		{"two that a third use joins", []use{{1, 1}, {2, 2}, {1, 2}}, 1},
		{"two chains", []use{{1, 1}, {1, 2}, {3, 3}, {4, 3}}, 2},
		{"two chains, joined in the end", []use{{1, 1}, {1, 2}, {3, 3}, {4, 3}, {4, 2}}, 1},
		{"three", []use{{1, 1}, {2, 2}, {3, 3}}, 3},
		{"a network and a client of the same number have nothing in common", []use{{1, 2}, {2, 1}}, 2},
	} {
		var s services
		for _, u := range tt.uses {
			s.add(trace{u[0], u[1]})
		}
		require.Equal(t, tt.want, s.count(), tt.desc)
	}
}

// naive counts services by walking from use to use.
func naive(uses []use) (count int) {
	seen := map[int]bool{}
	var walk func(int)
	walk = func(i int) {
		seen[i] = true
		for j, u := range uses {
			if !seen[j] && (u[0] == uses[i][0] || u[1] == uses[i][1]) {
				walk(j)
			}
		}
	}
	for i := range uses {
		if !seen[i] {
			count++
			walk(i)
		}
	}
	return count
}

func TestServices_CountsAsWalkingDoes(t *testing.T) {
	t.Parallel()
	for range 20_000 {
		var s services
		var uses []use
		spread := rand.Uint64N(30) + 1
		for range rand.IntN(MaxTraces) + 1 {
			u := use{rand.Uint64N(spread), rand.Uint64N(spread)}
			uses = append(uses, u)
			s.add(trace{u[0], u[1]})
			require.Equal(t, naive(uses), s.count(), uses)
		}
	}
}

// A use that there is no room for may be anybody's, so it counts for nobody.
func TestServices_AreBounded(t *testing.T) {
	t.Parallel()
	var s services
	for n := range uint64(1000) {
		s.add(trace{n, n})
		require.Equal(t, int(min(n+1, MaxTraces)), s.count())
	}
	require.Len(t, s.traces, MaxTraces)
}

const window = 10 * time.Minute

var start = time.Date(2026, time.November, 22, 3, 0, 0, 0, time.UTC)

func at(windows int) time.Time { return start.Add(time.Duration(windows) * window) }

func (w *Watch) used(id string, licensed int, now time.Time, remote, agent string) int {
	return w.Used(id, licensed, w.See(now, netip.MustParseAddr(remote), agent))
}

// Once in a window, and how many windows in a row.
func TestFound(t *testing.T) {
	t.Parallel()
	w := New(window, 10)
	for _, step := range []struct {
		desc   string
		window int
		after  time.Duration
		want   int
	}{
		{"first", 0, 0, 1},
		{"again", 0, time.Second, 0},
		{"at the very end", 0, window - 1, 0},
		{"second", 1, 0, 2},
		{"a moment late, of the window before", 0, window - 1, 0},
		{"third", 2, window - 1, 3},
		{"a window without", 4, 0, 1},
		{"next", 5, 0, 2},
		{"long after", 1000, 0, 1},
		{"the clock was put back", 10, 0, 1},
		{"and goes on", 11, 0, 2},
	} {
		require.Equal(t, step.want, w.Found("a", Browser, at(step.window).Add(step.after)), step.desc)
	}
	require.Equal(t, 1, w.Found("a", Exposed, at(11)), "other findings are counted apart")
	require.Equal(t, 1, w.Found("b", Browser, at(11)), "and other keys")
	require.Equal(t, 1, w.Found("a", Browser, time.Unix(0, 0)), "as long ago as may be")
	require.Equal(t, 2, w.Found("a", Browser, time.Unix(600, 0)))
}

func TestReset(t *testing.T) {
	t.Parallel()
	w := New(window, 10)
	for n, id := range []string{"a", "b", "a", "b"} {
		require.Equal(t, n/2+1, w.Found(id, Browser, at(n/2)))
	}
	w.Reset("a")
	w.Reset("nobody")
	require.Zero(t, w.Found("a", Browser, at(1)), "it was told already")
	require.Equal(t, 1, w.Found("a", Browser, at(2)))
	require.Equal(t, 3, w.Found("b", Browser, at(2)))
	require.Equal(t, 2, w.Found("a", Browser, at(3)))
}

func TestUsed(t *testing.T) {
	t.Parallel()
	w := New(window, 10)
	const one, two, three = "192.0.2.1", "198.51.100.1", "2001:db8::1"
	require.Zero(t, w.used("a", 1, at(0), one, "curl/8"))
	require.Zero(t, w.used("b", 1, at(0), two, "Java/17"))
	require.Equal(t, 1, w.used("a", 1, at(0), two, "Java/17"))
	require.Zero(t, w.used("a", 1, at(0), three, "Go-http-client/1.1"), "once a window")
	require.Zero(t, w.used("c", 2, at(0), one, "curl"))
	require.Zero(t, w.used("c", 2, at(0), two, "Java"), "licensed for two")
	require.Equal(t, 1, w.used("c", 2, at(0), three, "Go"))

	require.Zero(t, w.used("a", 1, at(1), one, "curl/9"), "every window is looked at anew")
	require.Equal(t, 2, w.used("a", 1, at(1), two, "Java/21"))
	require.Zero(t, w.used("a", 1, at(2), two, "Java/21"))
	require.Zero(t, w.used("a", 1, at(3), two, "Java/21"))
	require.Equal(t, 1, w.used("a", 1, at(3), one, "curl"))
}

// However many keys there are, what is kept is bounded, and so is the time it is kept.
func TestWatch_IsBounded(t *testing.T) {
	const keys = 1000
	w := New(window, keys)
	before := heap()
	for n := range 10 * keys {
		for trace := range 3 * MaxTraces {
			w.used(strconv.Itoa(n), 1, at(n/(4*keys)), fmt.Sprintf("10.%d.0.1", trace), strconv.Itoa(trace))
		}
	}
	require.LessOrEqual(t, len(w.now), keys)
	require.LessOrEqual(t, len(w.before), keys)
	grown := int(heap() - before)
	require.Less(t, grown, 2*keys*1024, "about 1 kB for a key")
	runtime.KeepAlive(w)

	require.Equal(t, 0, w.Found("one more", Browser, at(2)), "it is not followed in this window")
	require.Equal(t, 1, w.Found("one more", Browser, at(3)))
	w.Found("one more", Browser, at(5))
	require.Len(t, w.now, 1)
	require.Empty(t, w.before)
}

func heap() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

func TestWatch_Concurrent(t *testing.T) {
	t.Parallel()
	w := New(window, 8)
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for step := range 2000 {
				id, now := strconv.Itoa((n+step)%10), at(step/100)
				w.used(id, 1, now, fmt.Sprintf("10.0.%d.1", step%20), strconv.Itoa(n))
				w.Found(id, Exposed, now)
				if step%50 == 0 {
					w.Reset(id)
				}
			}
		})
	}
	all.Wait()
}

func BenchmarkUsed(b *testing.B) {
	w := New(window, 1000)
	remote := netip.MustParseAddr("192.0.2.1")
	b.ReportAllocs()
	for n := range b.N {
		w.Used("7Gk2mXw9QaTz", 1, w.See(at(n/1000), remote, "python-requests/2.31"))
	}
}
