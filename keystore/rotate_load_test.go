package keystore_test

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/memstore"
	"github.com/claviger-go/claviger/keystore"
)

// era is when a secret works: from its rotation until the end of the overlap after the next one.
type era struct {
	text string
	ends atomic.Int64 // Unix µs; 0: not yet known
	over atomic.Int64 // from when on it must be refused: later than ends, if the rotation itself took longer
}

// while a key is rotated a thousand times, its clients switch when they like within the overlap. No request of
// theirs fails, in the process that rotates or in another, and none is accepted once the overlap is over.
func TestR11_RotationsUnderLoad(t *testing.T) {
	t.Parallel()
	rotations, overlap := 1000, 4*time.Millisecond
	if testing.Short() {
		rotations = 100
	}
	store := memstore.New()
	here := openKeys(t, store, keystore.Config{})
	// An overlap is exact where it is longer than MaxStaleness, as it should be.
	elsewhere := openKeys(t, store, keystore.Config{MaxStaleness: overlap / 2})
	issued, err := here.Issue(t.Context(), spec)
	require.NoError(t, err)
	var eras [3]atomic.Pointer[era] // the newest, the one that ends, and one that has ended
	eras[0].Store(&era{text: issued.Credential.Reveal()})

	var accepted, refused atomic.Int64
	var done atomic.Bool
	var clients sync.WaitGroup
	for n := range 4 {
		clients.Go(func() {
			keys := []*keystore.Keys{here, elsewhere}[n%2]
			for !done.Load() {
				e := eras[rand.IntN(len(eras))].Load()
				if e == nil {
					continue
				}
				before := time.Now().UnixMicro()
				_, err := keys.Verify(t.Context(), e.text)
				after, ends, over := time.Now().UnixMicro(), e.ends.Load(), e.over.Load()
				for err != nil && ends == 0 && !done.Load() { // rotated a moment ago, and not noted yet
					time.Sleep(time.Millisecond)
					ends = e.ends.Load()
				}
				switch {
				case err == nil && over != 0 && before >= over:
					t.Errorf("accepted %d µs after its end", before-over)
				case err != nil && (ends == 0 || after < ends):
					t.Errorf("refused before its end: %v", err)
				case err == nil:
					accepted.Add(1)
				default:
					refused.Add(1)
				}
				time.Sleep(2 * time.Millisecond)
			}
		})
	}
	version := issued.Record.Version
	for range rotations {
		renewed, err := here.Rotate(t.Context(), issued.Record.ID, version, overlap)
		require.NoError(t, err)
		version = renewed.Record.Version
		ending := eras[0].Load()
		ends := renewed.Record.Secrets[1].Expires
		ending.over.Store(max(ends.UnixMicro(), time.Now().Add(overlap/2).UnixMicro()))
		ending.ends.Store(ends.UnixMicro())
		eras[2].Store(eras[1].Load())
		eras[1].Store(ending)
		eras[0].Store(&era{text: renewed.Credential.Reveal()})
		time.Sleep(overlap + time.Millisecond)
	}
	done.Store(true)
	clients.Wait()
	require.Positive(t, accepted.Load())
	require.Positive(t, refused.Load())
	t.Logf("%d rotations, %d requests accepted, %d refused after their end", rotations, accepted.Load(), refused.Load())
}
