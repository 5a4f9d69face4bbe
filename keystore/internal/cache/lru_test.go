package cache_test

import (
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore/internal/cache"
)

func spread() func(int) uint64 {
	seed := maphash.MakeSeed()
	return func(key int) uint64 { return maphash.Comparable(seed, key) }
}

// crowded puts all keys into one shard, and in front of it into one place.
func crowded(int) uint64 { return 0 }

func TestLRU_Sizes(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 2, 63, 64, 65, 1000, 100_000} {
		t.Run(fmt.Sprint("size=", size), func(t *testing.T) {
			t.Parallel()
			c := cache.NewLRU[int, int](size, spread())
			found := func(keys int) (n int) {
				for key := range keys {
					switch value, ok := c.Get(key); {
					case ok && value != -key:
						t.Fatalf("%d belongs to another key than %d", value, key)
					case ok:
						n++
					}
				}
				return n
			}
			for key := range size {
				c.Put(key, -key)
			}
			require.GreaterOrEqual(t, found(size), size*8/10, "what fits is kept, but for what fell into a fuller shard")
			for key := size; key < 2*size; key++ {
				c.Put(key, -key)
			}
			_, ok := c.Get(2*size - 1)
			require.True(t, ok)
			require.LessOrEqual(t, found(2*size), size+min(size, 1024))
		})
	}
}

func TestLRU_Order(t *testing.T) {
	t.Parallel()
	for _, size := range []int{2, 3, 63} {
		c := cache.NewLRU[int, string](size, crowded)
		for key := range size {
			c.Put(key, "first")
		}
		_, ok := c.Get(0) // used again, so 1 is now the least recently used
		require.True(t, ok)
		c.Put(size, "one too many")
		for key := range size + 1 {
			_, ok := c.Get(key)
			require.Equal(t, key != 1, ok, "size %d, key %d", size, key)
		}
		c.Put(0, "second")
		value, _ := c.Get(0)
		require.Equal(t, "second", value)
		c.Remove(0)
		_, ok = c.Get(0)
		require.False(t, ok)
		c.Remove(0)
		value, _ = c.Get(2)
		require.NotEmpty(t, value)
	}
}

// What is found is what was put last and not removed since, whichever of the two levels it is found in.
func TestLRU_AgreesWithAMap(t *testing.T) {
	t.Parallel()
	for _, hash := range []func(int) uint64{spread(), crowded} {
		for _, size := range []int{1, 2, 64, 500} {
			c, model := cache.NewLRU[int, int](size, hash), map[int]int{}
			random := rand.New(rand.NewPCG(1, uint64(size)))
			hits := 0
			for n := range 20_000 {
				switch key := random.IntN(2 * size); random.IntN(4) {
				case 0:
					c.Put(key, n)
					model[key] = n
				case 1:
					if random.IntN(4) == 0 {
						c.Remove(key)
						delete(model, key)
					}
				default:
					if value, ok := c.Get(key); ok {
						hits++
						if want, known := model[key]; !known || value != want {
							t.Fatalf("found %d, want %d, %t", value, want, known)
						}
					}
				}
			}
			require.Positive(t, hits)
		}
	}
}

func TestLRU_Concurrently(t *testing.T) {
	t.Parallel()
	c := cache.NewLRU[int, int](64, spread())
	var group sync.WaitGroup
	for n := range 8 {
		group.Go(func() {
			random := rand.New(rand.NewPCG(2, uint64(n)))
			for range 5000 {
				key := random.IntN(128)
				switch random.IntN(3) {
				case 0:
					c.Put(key, -key)
				case 1:
					c.Remove(key)
				default:
					if value, ok := c.Get(key); ok && value != -key {
						t.Errorf("%d belongs to another key than %d", value, key)
					}
				}
			}
		})
	}
	group.Wait()
}
