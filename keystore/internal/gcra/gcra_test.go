package gcra_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore/internal/gcra"
)

// naive is the definition: what is owed is added up, and melts step by step.
type naive struct{ owed, last int64 }

func (n *naive) take(now, cost, limit int64) (owed int64, taken bool) {
	for ; n.last < now; n.last++ {
		if n.owed > 0 {
			n.owed--
		}
	}
	n.owed = min(n.owed, limit)
	if n.owed+cost > limit {
		return n.owed, false
	}
	n.owed += cost
	return n.owed, true
}

func TestTake_LikeTheDefinition(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		cost := 1 + random.Int64N(50)
		limit := cost * (1 + random.Int64N(20))
		var fast gcra.Bucket
		var slow naive
		now := int64(0)
		for step := range 500 {
			now += random.Int64N(2 * cost)
			if random.IntN(50) == 0 { // an edit
				cost = 1 + random.Int64N(50)
				limit = cost * (1 + random.Int64N(20))
			}
			owed, taken := fast.Take(now, cost, limit)
			wantOwed, wantTaken := slow.take(now, cost, limit)
			if owed != wantOwed || taken != wantTaken {
				t.Fatalf("seed %d, step %d: %d owed, taken %t; want %d, %t", seed, step, owed, taken, wantOwed, wantTaken)
			}
		}
	}
}

// In any window there are at most as many as the burst and what melts meanwhile.
func TestTake_NoWindowHasMore(t *testing.T) {
	t.Parallel()
	const cost, burst = 10, 5
	random := rand.New(rand.NewPCG(7, 7))
	var b gcra.Bucket
	var admitted []int64
	for now := int64(0); now < 20_000; now += random.Int64N(8) {
		if _, taken := b.Take(now, cost, cost*burst); taken {
			admitted = append(admitted, now)
		}
	}
	require.Greater(t, len(admitted), 1900, "nobody gets less either")
	for i := range admitted {
		for j := i; j < len(admitted); j++ {
			if window := admitted[j] - admitted[i]; int64(j-i+1) > burst+window/cost {
				t.Fatalf("%d within %d", j-i+1, window)
			}
		}
	}
}

// A clock that is set back, or a limit that is lowered, costs the burst and not the time between.
func TestTake_ClockSetBack(t *testing.T) {
	t.Parallel()
	var b gcra.Bucket
	for range 5 {
		_, taken := b.Take(1_000_000, 10, 50)
		require.True(t, taken)
	}
	owed, taken := b.Take(0, 10, 50)
	require.False(t, taken)
	require.EqualValues(t, 50, owed)
	_, taken = b.Take(9, 10, 50)
	require.False(t, taken)
	owed, taken = b.Take(10, 10, 50)
	require.True(t, taken, "what was cut melts")
	require.EqualValues(t, 50, owed)
}

// T-120: nothing is over-granted, whoever comes at once, and nothing is lost.
func TestTake_T120_AtOnce(t *testing.T) {
	t.Parallel()
	const workers, each, places = 64, 10_000, 12_345
	var b gcra.Bucket
	var admitted atomic.Int64
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for range each {
				if _, taken := b.Take(0, 3, 3*places); taken {
					admitted.Add(1)
				}
			}
		})
	}
	all.Wait()
	require.EqualValues(t, places, admitted.Load())
}

func TestBuckets_OneForEach(t *testing.T) {
	t.Parallel()
	b := gcra.NewBuckets(2)
	first := b.Of("a")
	require.Same(t, first, b.Of("a"))
	require.NotSame(t, first, b.Of("A"))
	b.Of("a")
	b.Of("c") // "A" was not used for longer
	require.Same(t, first, b.Of("a"))
	b.Of("d")
	b.Of("e")
	require.NotSame(t, first, b.Of("a"), "bounded")

	// Those who ask for the first time together get the same.
	b = gcra.NewBuckets(100)
	var found [16]*gcra.Bucket
	var all sync.WaitGroup
	for i := range found {
		all.Go(func() { found[i] = b.Of("x") })
	}
	all.Wait()
	for _, other := range found {
		require.Same(t, found[0], other)
	}
}

// What the doc says of memory.
func TestBuckets_Heap(t *testing.T) {
	const size = 20_000
	b := gcra.NewBuckets(size)
	before := heapInUse()
	for i := range 5 * size {
		b.Of(fmt.Sprintf("%012d", i)).Take(0, 1, 1)
	}
	require.Less(t, heapInUse()-before, int64(size*300))
	runtime.KeepAlive(b)
}

func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
