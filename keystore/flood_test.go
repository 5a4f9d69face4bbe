package keystore_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
)

// nobodys is the nth of many different texts that nobody has: foreign, or well-formed credentials of ours.
func nobodys(t testing.TB, n int) string {
	t.Helper()
	if n%2 == 0 {
		return fmt.Sprintf("%032x", n)
	}
	return reform(t, fmt.Sprintf("sk_live_%012d_%043d", n, n))
}

// T-140: a flood of unknown keys evicts nobody, stays within its bound, and holds no new key back.
func TestVC4_T140_FloodOfUnknownKeys(t *testing.T) {
	flood, hot := 100_000, 1000
	if testing.Short() {
		flood = 20_000
	}
	store, clock := newStub(), newClock()
	keys := openKeys(t, store, keystore.Config{Now: clock.Now, AcceptForeign: true, CacheEntries: 2000, MaxStaleness: time.Hour})
	texts := make([]string, hot)
	for i := range texts {
		if i%10 == 0 {
			texts[i] = fmt.Sprintf("hot-%032x", i)
			importKey(t, keys, texts[i])
		} else {
			_, texts[i] = issue(t, keys, spec)
		}
		requireAccepted(t, keys, texts[i])
	}
	ask := func(from, to int) {
		for n := from; n < to; n++ {
			if _, err := keys.Verify(t.Context(), nobodys(t, n)); err == nil {
				t.Fatal("accepted")
			}
		}
	}
	ask(0, flood/2) // whatever is bounded is full by now
	full := heapInUse()
	ask(flood/2, flood)
	require.Less(t, heapInUse()-full, int64(1<<20), "no growth")

	lookups := store.lookups.Load()
	for _, text := range texts {
		requireAccepted(t, keys, text)
	}
	require.LessOrEqual(t, store.lookups.Load()-lookups, int64(hot/100), "of the hot keys at least 99 % are remembered")

	// A text that was refused a moment ago, and is imported now.
	text := nobodys(t, flood+2)
	requireRefused(t, keys, text, keystore.OutcomeUnknown)
	importKey(t, keys, text)
	requireAccepted(t, keys, text)
}

func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestVC4_RefusalsAreRememberedForASecondAtMost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newStub()
		keys, other := openKeys(t, store, keystore.Config{AcceptForeign: true}), elsewhere(t, store)
		id, text := issue(t, keys, spec)
		wrong := reform(t, text[:len("sk_live_")+len(id)+1]+fmt.Sprintf("%043d", 0))
		for _, bad := range []struct {
			text string
			want keystore.Outcome
		}{
			{foreignText, keystore.OutcomeUnknown},
			{wrong, keystore.OutcomeWrongSecret},
			{nobodys(t, 1), keystore.OutcomeUnknown},
		} {
			requireRefused(t, keys, bad.text, bad.want)
			lookups := store.lookups.Load()
			time.Sleep(time.Second - 1)
			requireRefused(t, keys, bad.text, bad.want)
			require.Equal(t, lookups, store.lookups.Load())
			time.Sleep(time.Nanosecond)
			requireRefused(t, keys, bad.text, bad.want)
			if bad.want == keystore.OutcomeUnknown {
				require.Equal(t, lookups+1, store.lookups.Load())
			}
		}
		// Imported elsewhere, and nobody tells.
		requireRefused(t, keys, foreignText, keystore.OutcomeUnknown)
		importKey(t, other, foreignText)
		time.Sleep(time.Second)
		requireAccepted(t, keys, foreignText)
		// What is remembered of a text says nothing about the record.
		requireAccepted(t, keys, text)
	})
}

// A refusal is remembered no longer than anything else may be stale.
func TestVC4_RefusalsObeyMaxStaleness(t *testing.T) {
	t.Parallel()
	store, clock := newStub(), newClock()
	keys := openKeys(t, store, keystore.Config{Now: clock.Now, AcceptForeign: true, MaxStaleness: 100 * time.Millisecond})
	requireRefused(t, keys, foreignText, keystore.OutcomeUnknown)
	importKey(t, elsewhere(t, store), foreignText)
	clock.move(100*time.Millisecond - time.Microsecond)
	requireRefused(t, keys, foreignText, keystore.OutcomeUnknown)
	clock.move(time.Microsecond)
	requireAccepted(t, keys, foreignText)
	clock.move(-time.Hour)
	requireAccepted(t, keys, foreignText)
}

// What passes: suspended, early and expired keys are not bad, and a change for the better is not held back.
func TestVC4_OnlyBadCredentialsAreRemembered(t *testing.T) {
	t.Parallel()
	store, clock := newStub(), newClock()
	keys := openKeys(t, store, keystore.Config{Now: clock.Now})
	id, text := issue(t, keys, spec)
	other := elsewhere(t, store)
	require.NoError(t, other.Suspend(t.Context(), id, ""))
	requireRefused(t, keys, text, keystore.OutcomeSuspended)
	require.NoError(t, other.Resume(t.Context(), id))
	p, err := keys.Principal(t.Context(), id)
	require.Nil(t, p)
	requireOutcome(t, err, keystore.OutcomeSuspended) // by the reading
	clock.move(5 * time.Second)
	requireAccepted(t, keys, text)
}

// VC10: a shared read belongs to nobody's request, not even to the one that began it.
func TestVC10_OneClientCancelsNoOthers(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"own", "foreign", "Principal"} {
		for _, leaves := range []int{0, 1, 2} { // 0 began the read
			t.Run(fmt.Sprint(path, " ", leaves), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					store := newStub()
					keys := openKeys(t, store, keystore.Config{AcceptForeign: true})
					id, text := issue(t, keys, spec)
					ask := func(ctx context.Context) error { _, err := keys.Verify(ctx, text); return err }
					switch path {
					case "foreign":
						importKey(t, keys, foreignText)
						text, id = foreignText, aliasID(foreignText)
					case "Principal":
						ask = func(ctx context.Context) error { _, err := keys.Principal(ctx, id); return err }
					}
					reading, release := hold(store, id)
					store.lookups.Store(0)
					answers, ctxs, cancels := make([]chan error, 3), make([]context.Context, 3), make([]func(), 3)
					for i := range answers {
						answers[i] = make(chan error, 1)
						ctxs[i], cancels[i] = context.WithCancel(t.Context())
						go func() { answers[i] <- ask(ctxs[i]) }()
						if i == 0 {
							<-reading
						}
						synctest.Wait()
					}
					cancels[leaves]()
					err := <-answers[leaves]
					requireUnavailable(t, err)
					require.ErrorIs(t, err, context.Canceled)
					synctest.Wait()
					release()
					for i := range answers {
						if i != leaves {
							require.NoError(t, <-answers[i])
						}
						cancels[i]()
					}
					if path != "foreign" { // which reads the key besides
						require.EqualValues(t, 1, store.lookups.Load(), "one read for all")
					}
				})
			})
		}
	}
}

// The same for a slow hash: it is computed once for all who wait, and goes on for the others.
func TestVC10_SlowHash(t *testing.T) {
	t.Parallel()
	store := newStub()
	keys := openKeys(t, store, keystore.Config{SlowHash: true, ConcurrentHashes: 1})
	_, text := issue(t, keys, spec)
	leader, cancel := context.WithCancel(t.Context())
	answers := make(chan error, 64) // more than one permit can serve, were it not shared
	var all sync.WaitGroup
	first := make(chan error, 1)
	all.Go(func() { _, err := keys.Verify(leader, text); first <- err })
	for range cap(answers) {
		all.Go(func() { _, err := keys.Verify(t.Context(), text); answers <- err })
	}
	cancel()
	all.Wait()
	for range cap(answers) {
		require.NoError(t, <-answers)
	}
	if err := <-first; err != nil {
		requireUnavailable(t, err)
	}
}
