package keystore_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/scopes"
)

func TestVC9_HitsWriteNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &metered{stub: newStub()}
		keys := openKeys(t, store, keystore.Config{MaxStaleness: time.Hour})
		id, text := issue(t, keys, spec)
		requireAccepted(t, keys, text)
		lookups, writes := store.lookups.Load(), store.writes.Load()
		a := access("claims:read")
		for range 1000 {
			require.NoError(t, admit(t, keys, requireAccepted(t, keys, text), &a))
		}
		require.Zero(t, store.batches.Load())
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.EqualValues(t, 1, store.batches.Load(), "one batch an interval")
		time.Sleep(30 * time.Second)
		synctest.Wait()
		require.EqualValues(t, 1, store.batches.Load(), "and none where nothing was used")
		require.Equal(t, lookups, store.lookups.Load())
		require.Equal(t, writes, store.writes.Load())
		r, err := keys.Lookup(t.Context(), id)
		require.NoError(t, err)
		require.EqualValues(t, 1000, usageOf(t, keys, id).Count)
		after, err := keys.Lookup(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, r, after, "KS13: a use is no change of the record")
	})
}

func usageOf(t testing.TB, keys *keystore.Keys, id string) keystore.Usage {
	t.Helper()
	used, err := keys.Usage(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, used, 1)
	require.Equal(t, id, used[0].ID)
	return used[0]
}

// A hit is on every request's way: it must not cost the garbage collector anything.
func TestVC9_HitsAllocateNothing(t *testing.T) {
	keys := openKeys(t, &metered{stub: newStub()}, keystore.Config{MaxStaleness: time.Hour, AcceptForeign: true})
	_, text := issue(t, keys, spec)
	importKey(t, keys, foreignText)
	a, ctx := access("claims:read"), t.Context()
	for _, text := range []string{text, foreignText} {
		require.Zero(t, testing.AllocsPerRun(100, func() {
			p, err := keys.Verify(ctx, text)
			if err == nil {
				_, err = keys.Admit(ctx, p, &a)
			}
			if err != nil {
				t.Error("refused")
			}
		}))
	}
}

func TestUsage_CountsWhatWasAdmitted(t *testing.T) {
	t.Parallel()
	store, clock := &metered{stub: newStub()}, newClock()
	keys := openKeys(t, store, keystore.Config{Now: clock.Now, AcceptForeign: true})
	id, text := issue(t, keys, spec)
	unused, _ := issue(t, keys, spec)
	imported := importKey(t, keys, foreignText)
	put(t, store.stub, "session", id, func(r *keystore.Record) { r.ParentSecret, r.Scopes = 1, scopes.MustSet("claims:read") })
	a, wrong := access("claims:read"), access("claims:write")

	require.Error(t, admit(t, keys, requireAccepted(t, keys, text), &wrong))
	used, err := keys.Usage(t.Context(), id, unused, imported.ID, "session")
	require.NoError(t, err)
	require.Empty(t, used, "proven, and not admitted")

	first := clock.Now()
	require.NoError(t, admit(t, keys, requireAccepted(t, keys, text), &a))
	require.NoError(t, admit(t, keys, requireAccepted(t, keys, foreignText), &a))
	clock.move(2500 * time.Millisecond)
	s, err := keys.Principal(t.Context(), "session")
	require.NoError(t, err)
	require.NoError(t, admit(t, keys, s, &a))
	require.NoError(t, s.Check(&a), "a check is no use")

	require.Equal(t, keystore.Usage{ID: imported.ID, Secret: 1, Count: 1, FirstUsed: first, LastUsed: first}, usageOf(t, keys, imported.ID))
	last := first.Add(2 * time.Second)
	require.Equal(t, keystore.Usage{ID: "session", Count: 1, FirstUsed: last, LastUsed: last}, usageOf(t, keys, "session"))
	require.Equal(t, keystore.Usage{ID: id, Secret: 1, Count: 2, FirstUsed: first, LastUsed: last}, usageOf(t, keys, id), "its session's use is a use of the key")
	clock.move(-time.Hour)
	require.NoError(t, admit(t, keys, requireAccepted(t, keys, text), &a))
	early := clock.Now().Truncate(time.Second)
	require.Equal(t, keystore.Usage{ID: id, Secret: 1, Count: 3, FirstUsed: early, LastUsed: last}, usageOf(t, keys, id), "the later last one stands")
}

// While two secrets overlap it is seen who still uses the old one, and when last. A session counts for the secret that
// began it.
func TestUsage_SecretsAreCountedApart(t *testing.T) {
	t.Parallel()
	store, clock := &metered{stub: newStub()}, newClock()
	keys := openKeys(t, store, keystore.Config{Now: clock.Now})
	issued, err := keys.Issue(t.Context(), spec)
	require.NoError(t, err)
	id, old := issued.Record.ID, issued.Credential.Reveal()
	put(t, store.stub, "session", id, func(r *keystore.Record) { r.ParentSecret, r.Scopes = 1, scopes.MustSet("claims:read") })
	a, start := access("claims:read"), clock.Now()
	use := func(text string) { require.NoError(t, admit(t, keys, requireAccepted(t, keys, text), &a)) }
	use(old)
	rotated, err := keys.Rotate(t.Context(), id, issued.Record.Version, time.Hour)
	require.NoError(t, err)
	clock.move(time.Minute)
	use(rotated.Credential.Reveal())
	use(old)
	clock.move(time.Minute)
	use(rotated.Credential.Reveal())
	s, err := keys.Principal(t.Context(), "session")
	require.NoError(t, err)
	require.NoError(t, admit(t, keys, s, &a))

	used, err := keys.Usage(t.Context(), id)
	require.NoError(t, err)
	require.ElementsMatch(t, []keystore.Usage{
		{ID: id, Secret: 1, Count: 3, FirstUsed: start, LastUsed: start.Add(2 * time.Minute)},
		{ID: id, Secret: 2, Count: 2, FirstUsed: start.Add(time.Minute), LastUsed: start.Add(2 * time.Minute)},
	}, used)
}

func TestUsage_Add(t *testing.T) {
	t.Parallel()
	at := func(seconds int) time.Time {
		return time.Date(2026, time.November, 22, 3, 0, seconds, 999, time.FixedZone("CET", 3600))
	}
	day := func(seconds int) time.Time { return at(seconds).UTC().Truncate(time.Second) }
	home, office := netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/48")
	first := keystore.Usage{}.Add(keystore.Usage{ID: "a", Secret: 2, Count: 3, FirstUsed: at(5), LastUsed: at(7), Network: home})
	require.Equal(t, keystore.Usage{ID: "a", Secret: 2, Count: 3, FirstUsed: day(5), LastUsed: day(7), Network: home}, first)
	for _, tt := range []struct {
		desc       string
		more, want keystore.Usage
	}{
		{"nothing", keystore.Usage{}, keystore.Usage{Count: 3, FirstUsed: day(5), LastUsed: day(7), Network: home}},
		{"a count alone", keystore.Usage{Count: 1}, keystore.Usage{Count: 4, FirstUsed: day(5), LastUsed: day(7), Network: home}},
		{"earlier", keystore.Usage{FirstUsed: at(1), LastUsed: at(2), Network: office}, keystore.Usage{Count: 3, FirstUsed: day(1), LastUsed: day(7), Network: home}},
		{"between", keystore.Usage{FirstUsed: at(6), LastUsed: at(6), Network: office}, keystore.Usage{Count: 3, FirstUsed: day(5), LastUsed: day(7), Network: home}},
		{"later", keystore.Usage{FirstUsed: at(8), LastUsed: at(9), Network: office}, keystore.Usage{Count: 3, FirstUsed: day(5), LastUsed: day(9), Network: office}},
		{"later, from nobody knows where", keystore.Usage{LastUsed: at(9)}, keystore.Usage{Count: 3, FirstUsed: day(5), LastUsed: day(9)}},
		{"around", keystore.Usage{FirstUsed: at(1), LastUsed: at(9), Network: office}, keystore.Usage{Count: 3, FirstUsed: day(1), LastUsed: day(9), Network: office}},
	} {
		tt.more.ID, tt.more.Secret, tt.want.ID, tt.want.Secret = "a", 2, "a", 2
		require.Equal(t, tt.want, first.Add(tt.more), tt.desc)
	}
}

// T-120: no count is lost between counting and writing, readings that change meanwhile included.
func TestT120_64TimesTenThousand(t *testing.T) {
	t.Parallel()
	clients, requests := 64, 10_000
	if testing.Short() {
		requests = 500
	}
	store := &metered{stub: newStub()}
	keys, err := keystore.New(store, keystore.Config{UsageInterval: time.Millisecond})
	require.NoError(t, err)
	id, text := issue(t, keys, spec)
	a := access("claims:read")
	var group sync.WaitGroup
	for client := range clients {
		group.Go(func() {
			for n := range requests {
				p, err := keys.Verify(t.Context(), text)
				if err != nil || admit(t, keys, p, &a) != nil {
					t.Error("refused")
					return
				}
				if client == 0 && n%(requests/20) == 0 {
					if _, err := keys.Edit(t.Context(), id, func(*keystore.Record) error { return nil }); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	group.Wait()
	require.NoError(t, keys.Close())
	used, err := store.Usage(t.Context(), []string{id})
	require.NoError(t, err)
	require.EqualValues(t, clients*requests, used[0].Count)
	require.Greater(t, store.batches.Load(), int64(1))
}

func TestUsage_KeptWhileTheStoreFails(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		desc string
		hook usageHook
	}{
		{"error", func(context.Context, []keystore.Usage) error { return errDown }},
		{"panic", func(context.Context, []keystore.Usage) error { panic("nil map") }},
		{"hangs", func(ctx context.Context, _ []keystore.Usage) error { <-ctx.Done(); return ctx.Err() }},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := &metered{stub: newStub()}
				var told events
				keys := openKeys(t, store, keystore.Config{OnEvent: told.hear})
				id, text := issue(t, keys, spec)
				a := access("claims:read")
				use := func(times int) {
					for range times {
						require.NoError(t, admit(t, keys, requireAccepted(t, keys, text), &a))
					}
				}
				store.bendUsage(tt.hook)
				use(3)
				time.Sleep(16 * time.Second)
				synctest.Wait()
				require.Len(t, told.faults(), 1)
				use(4)
				time.Sleep(10 * time.Second)
				synctest.Wait()
				require.Len(t, told.faults(), 2)
				limited, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_, err := keys.Usage(limited, id)
				requireUnavailable(t, err)

				store.failUsage(nil)
				require.EqualValues(t, 7, usageOf(t, keys, id).Count)
				require.EqualValues(t, 7, usageOf(t, keys, id).Count, "sent once")
			})
		})
	}
}

// A batch that is on its way when Keys closes is neither cut short nor sent again.
func TestUsage_CloseWhileABatchIsWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &metered{stub: newStub()}
		keys, err := keystore.New(store, keystore.Config{})
		require.NoError(t, err)
		_, text := issue(t, keys, spec)
		a := access("claims:read")
		require.NoError(t, admit(t, keys, requireAccepted(t, keys, text), &a))
		var written atomic.Uint64
		store.bendUsage(func(ctx context.Context, batch []keystore.Usage) error {
			written.Add(batch[0].Count)
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Second):
				return nil
			}
		})
		time.Sleep(10*time.Second + 1)
		synctest.Wait()
		require.EqualValues(t, 1, written.Load())
		require.NoError(t, keys.Close())
		require.EqualValues(t, 1, written.Load())
	})
}

// What waits for the store is bounded, and what was dropped is said.
func TestUsage_WhatWaitsIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &metered{stub: newStub()}
		var told events
		keys := openKeys(t, store, keystore.Config{OnEvent: told.hear, CacheEntries: 2, MaxStaleness: time.Hour})
		a := access("claims:read")
		var ids, texts []string
		for range 3 {
			id, text := issue(t, keys, spec)
			ids, texts = append(ids, id), append(texts, text)
			require.NoError(t, admit(t, keys, requireAccepted(t, keys, text), &a))
		}
		kept := requireAccepted(t, keys, texts[2]) // the one that is counted last
		used, err := keys.Usage(t.Context(), ids...)
		require.NoError(t, err)
		require.Len(t, used, 3, "a store that takes them takes any number")

		store.failUsage(errDown)
		for _, text := range texts {
			require.NoError(t, admit(t, keys, requireAccepted(t, keys, text), &a))
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		// One flush when two were pending, and one in time: either may meet the third.
		require.Contains(t, fmt.Sprint(told.faults()), "usage of 1 keys was dropped")
		store.failUsage(nil)
		for range 2 {
			require.NoError(t, admit(t, keys, kept, &a))
		}
		used, err = keys.Usage(t.Context(), ids...)
		require.NoError(t, err)
		total := 0
		for _, u := range used {
			total += int(u.Count)
		}
		require.Equal(t, 3+2+2, total, "and all is counted again from then on")
	})
}

func TestUsage_StoreThatFails(t *testing.T) {
	t.Parallel()
	store := &faultyUsage{metered{stub: newStub()}}
	keys := openKeys(t, store, keystore.Config{})
	for _, fault := range []string{"error", "panic"} {
		_, err := keys.Usage(t.Context(), fault)
		requireUnavailable(t, err)
	}
}

type faultyUsage struct{ metered }

func (*faultyUsage) Usage(_ context.Context, ids []string) ([]keystore.Usage, error) {
	if slices.Contains(ids, "panic") {
		panic("nil map")
	}
	return nil, errDown
}

// Where every request reads, one key has as many counters as it makes requests: they are bounded all the same.
func TestUsage_CountersOfOneKeyAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &metered{stub: newStub()}
		keys := openKeys(t, store, keystore.Config{MaxStaleness: -1, CacheEntries: 100, UsageInterval: time.Hour})
		_, text := issue(t, keys, spec)
		a := access("claims:read")
		for range 1000 {
			require.NoError(t, admit(t, keys, requireAccepted(t, keys, text), &a))
			synctest.Wait()
		}
		require.EqualValues(t, 10, store.batches.Load())
	})
}
