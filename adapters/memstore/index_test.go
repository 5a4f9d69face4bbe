package memstore

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func newIndex() *index { return &index{group: func(e *entry) string { return e.owner }} }

func stored(owner string, created int64, id string) *entry {
	return &entry{id: id, content: content{owner: owner, created: created}}
}

// requireSound checks what index promises about its chunks.
func requireSound(t *testing.T, x *index) {
	t.Helper()
	for i, chunk := range x.chunks {
		require.NotEmpty(t, chunk)
		require.LessOrEqual(t, len(chunk), chunkSize)
		require.Equal(t, chunkSize, cap(chunk), "grown or cut")
		if i > 0 {
			require.Greater(t, len(chunk)+len(x.chunks[i-1]), chunkSize/2, "two chunks where one would do")
		}
		for _, gone := range chunk[len(chunk):cap(chunk)] {
			require.Nil(t, gone, "a removed entry is kept alive")
		}
	}
}

func TestIndex_LikeASortedSlice(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	x := newIndex()
	var plain []*entry
	// It grows, shrinks and grows again, now and then to nothing.
	for step := range 60_000 {
		if growing := step/10_000%2 == 0; len(plain) == 0 || growing == (random.IntN(10) > 0) {
			e := stored(strconv.Itoa(random.IntN(10)), random.Int64N(50), strconv.Itoa(step))
			x.insert(e)
			plain = append(plain, e)
		} else {
			n := random.IntN(len(plain))
			x.remove(plain[n])
			plain[n] = plain[len(plain)-1]
			plain = plain[:len(plain)-1]
		}
		if step%5_000 != 0 && len(plain) > 2 {
			continue
		}
		requireSound(t, x)
		sorted := slices.SortedFunc(slices.Values(plain), func(a, b *entry) int { return x.place(a).compare(x.place(b)) })
		require.True(t, slices.Equal(sorted, slices.Concat(x.chunks...)))

		from := place{strconv.Itoa(random.IntN(11)), random.Int64N(60), strconv.Itoa(random.IntN(60_000))}
		var want []*entry
		for _, e := range slices.Backward(sorted) {
			if e.owner == from.group && x.place(e).compare(from) < 0 {
				want = append(want, e)
			}
		}
		require.True(t, slices.Equal(want, slices.Collect(x.older(from))))
		require.Len(t, slices.Collect(x.older(newest(from.group))), x.size(from.group))
	}
}

func TestIndex_AppendingFillsChunks(t *testing.T) {
	t.Parallel()
	x := newIndex()
	for n := range int64(10 * chunkSize) {
		x.insert(stored("", n, "a"))
	}
	require.Len(t, x.chunks, 10)
	requireSound(t, x)
}

// A walk over one group asks for the group of its own entries, of one neighbour, and of those met while halving.
func TestIndex_OlderTouchesNoOtherGroup(t *testing.T) {
	t.Parallel()
	x := newIndex()
	for n := range int64(100_000) {
		x.insert(stored(fmt.Sprintf("%05d", n/3), n, "a"))
	}
	asked := 0
	x.group = func(e *entry) string { asked++; return e.owner }
	require.Len(t, slices.Collect(x.older(newest("16666"))), 3)
	require.Less(t, asked, 3+1+20)
}
