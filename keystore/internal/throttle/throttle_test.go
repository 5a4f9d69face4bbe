package throttle_test

import (
	"math/rand/v2"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore/internal/throttle"
)

var start = time.Date(2026, time.November, 22, 3, 0, 0, 0, time.UTC)

func after(d time.Duration) time.Time { return start.Add(d) }

func patient(limit int) *throttle.Throttle[string] {
	return throttle.New[string](throttle.Config{Max: limit, Window: time.Minute, Size: 8}, start)
}

func TestWrong_DifferentOnesCount(t *testing.T) {
	t.Parallel()
	th := patient(3)
	for _, digest := range []uint32{1, 1, 2, 2, 2, 1} {
		require.False(t, th.Wrong("a", digest, start))
	}
	require.Zero(t, th.Admit("a", start))
	require.True(t, th.Wrong("a", 3, start), "it says so")
	require.Equal(t, time.Minute+time.Second, th.Admit("a", start))
	require.False(t, th.Wrong("a", 4, start), "once")
	require.Zero(t, th.Admit("b", start), "nobody else has to wait")
}

// One that is repeated for days counts once.
func TestWrong_RepeatedForDays(t *testing.T) {
	t.Parallel()
	th := patient(2)
	for minute := range 4 * 24 * 60 {
		require.False(t, th.Wrong("a", 1, after(time.Duration(minute)*time.Minute)))
		require.Zero(t, th.Admit("a", after(time.Duration(minute)*time.Minute)))
	}
}

// In any Window, to the second, and what is older is forgotten one by one.
func TestAdmit_SlidingWindow(t *testing.T) {
	t.Parallel()
	th := patient(3)
	for i, at := range []time.Duration{0, 20 * time.Second, 40 * time.Second} {
		require.Equal(t, i == 2, th.Wrong("a", uint32(i), after(at)))
	}
	wait := th.Admit("a", after(40*time.Second))
	require.Equal(t, 21*time.Second, wait)
	require.Positive(t, th.Admit("a", after(40*time.Second+wait-1)))
	require.Zero(t, th.Admit("a", after(40*time.Second+wait)))
	require.False(t, th.Wrong("a", 9, after(62*time.Second)), "it was said")
	require.Positive(t, th.Admit("a", after(62*time.Second)))
	require.False(t, th.Wrong("a", 8, after(102*time.Second)))
	require.True(t, th.Wrong("a", 7, after(102*time.Second)), "more than a minute ago")
	require.Zero(t, th.Admit("a", after(time.Hour)))

	require.False(t, th.Wrong("a", 1, after(-time.Hour)), "a clock set back")
}

// Against the slow definition: a list of all wrong guesses with their times.
func TestThrottle_LikeTheDefinition(t *testing.T) {
	t.Parallel()
	type wrong struct {
		digest uint32
		at     int64
	}
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 2))
		limit := 1 + random.IntN(6)
		th := patient(limit)
		var all []wrong
		second := int64(0)
		for step := range 400 {
			second += random.Int64N(20)
			now := after(time.Duration(second) * time.Second)
			counting := map[uint32]bool{}
			for _, w := range all {
				if second-w.at <= 60 {
					counting[w.digest] = true
				}
			}
			if (len(counting) < limit) != (th.Admit("a", now) == 0) {
				t.Fatalf("seed %d, step %d: %d of %d count", seed, step, len(counting), limit)
			}
			digest := random.Uint32N(12)
			th.Wrong("a", digest, now)
			if len(counting) < limit && !counting[digest] {
				all = append(all, wrong{digest, second})
			}
		}
	}
}

// Beyond Max, so many pass in a second, and those who come at once share them.
func TestAdmit_Spare(t *testing.T) {
	t.Parallel()
	th := throttle.New[string](throttle.Config{Max: 1, Window: time.Minute, Spare: 100 * time.Millisecond, Size: 8}, start)
	for range 1000 {
		require.Zero(t, th.Admit("a", start), "not yet")
	}
	th.Wrong("a", 1, start)
	passed := 0
	for ms := range 3000 {
		if th.Admit("a", after(time.Duration(ms)*time.Millisecond)) == 0 {
			passed++
		}
	}
	require.Equal(t, 10+29, passed)
	wait := th.Admit("a", after(3*time.Second-time.Millisecond))
	require.Equal(t, time.Millisecond, wait)
	require.Zero(t, th.Admit("a", after(3*time.Second)))
}

// Guesses whose check takes long: not more than Max, also at once.
func TestTry_AtOnce(t *testing.T) {
	t.Parallel()
	th := patient(10)
	var passed atomic.Int64
	var all sync.WaitGroup
	for digest := range uint32(64) {
		all.Go(func() {
			if _, wait := th.Try("a", digest, start); wait == 0 {
				passed.Add(1)
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 10, passed.Load())
}

func TestTry_KnownAndForgotten(t *testing.T) {
	t.Parallel()
	th := patient(2)
	counted, wait := th.Try("a", 1, start)
	require.True(t, counted)
	require.Zero(t, wait)
	require.False(t, th.Wrong("a", 1, start), "counted already")
	counted, wait = th.Try("a", 1, start)
	require.False(t, counted, "whoever takes it back must not free a place")
	require.Zero(t, wait)
	counted, _ = th.Try("a", 2, start)
	require.True(t, counted)
	counted, wait = th.Try("a", 3, start)
	require.False(t, counted)
	require.Positive(t, wait)
	th.Forget("a", 2)
	th.Forget("a", 3)
	th.Forget("b", 1)
	counted, _ = th.Try("a", 3, start)
	require.True(t, counted)
}

// T-140: whoever comes, it takes no more memory than is said, and those seen last are remembered.
func TestThrottle_T140_Heap(t *testing.T) {
	const size, limit = 512, 100
	th := throttle.New[netip.Prefix](throttle.Config{Max: limit, Window: time.Hour, Size: size}, start)
	network := func(i int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
	}
	before := heapInUse()
	for i := range 5 * size {
		for digest := range uint32(limit + 10) {
			th.Wrong(network(i), digest, start)
		}
	}
	require.Less(t, heapInUse()-before, int64(size*(300+8*128)))
	require.Positive(t, th.Admit(network(5*size-1), start))
	require.Zero(t, th.Admit(network(0), start))
	runtime.KeepAlive(th)
}

func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
