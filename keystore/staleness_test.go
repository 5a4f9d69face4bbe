package keystore_test

import (
	"context"
	"crypto/fips140"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
)

// elsewhere is another process on the same store.
func elsewhere(t testing.TB, store *stub) *keystore.Keys {
	t.Helper()
	return openKeys(t, store, keystore.Config{})
}

func TestVC5_StalenessIsBoundedToTheInstant(t *testing.T) {
	t.Parallel()
	for _, bound := range []time.Duration{0, 100 * time.Millisecond, time.Hour} {
		store, clock := newStub(), newClock()
		keys := openKeys(t, store, keystore.Config{Now: clock.Now, MaxStaleness: bound, AcceptForeign: true})
		if bound == 0 {
			bound = 5 * time.Second // the default
		}
		id, text := issue(t, keys, spec)
		imported := importKey(t, keys, foreignText)
		put(t, store, "session", id)
		session := func() error { _, err := keys.Principal(t.Context(), "session"); return err }
		requireAccepted(t, keys, text)
		requireAccepted(t, keys, foreignText)
		require.NoError(t, session())
		require.NoError(t, elsewhere(t, store).Suspend(t.Context(), id, ""))
		require.NoError(t, elsewhere(t, store).Suspend(t.Context(), imported.ID, ""))

		lookups := store.lookups.Load()
		clock.move(bound - time.Microsecond)
		requireAccepted(t, keys, text)
		requireAccepted(t, keys, foreignText)
		require.NoError(t, session())
		require.Equal(t, lookups, store.lookups.Load())
		clock.move(time.Microsecond)
		requireRefused(t, keys, text, keystore.OutcomeSuspended)
		requireRefused(t, keys, foreignText, keystore.OutcomeSuspended)
		requireOutcome(t, session(), keystore.OutcomeSuspended)
	}
}

// The bound counts from when the read began: how long it takes is part of it.
func TestVC5_CountsFromTheStartOfTheRead(t *testing.T) {
	t.Parallel()
	store, clock := newStub(), newClock()
	keys := openKeys(t, store, keystore.Config{Now: clock.Now})
	_, text := issue(t, keys, spec)
	store.bend(func(_ context.Context, _ string, ask func() (keystore.Record, error)) (keystore.Record, error) {
		r, err := ask()
		clock.move(4 * time.Second)
		return r, err
	})
	requireAccepted(t, keys, text)
	store.bend(nil)
	lookups := store.lookups.Load()
	clock.move(time.Second - time.Microsecond)
	requireAccepted(t, keys, text)
	require.Equal(t, lookups, store.lookups.Load())
	clock.move(time.Microsecond)
	requireAccepted(t, keys, text)
	require.Equal(t, lookups+1, store.lookups.Load())
}

// A Watcher that is silent may have nothing to tell, or may have lost touch: it does not lift the bound.
func TestVC5_WatcherDoesNotLiftTheBound(t *testing.T) {
	t.Parallel()
	store, clock := newWatched(), newClock()
	keys := openKeys(t, store, keystore.Config{Now: clock.Now})
	id, text := issue(t, keys, spec)
	requireAccepted(t, keys, text)
	require.NoError(t, elsewhere(t, store.stub).Revoke(t.Context(), id, ""))
	store.tell("7Gk2mXw9QaTz") // it is alive
	requireAccepted(t, keys, text)
	clock.move(5 * time.Second)
	requireRefused(t, keys, text, keystore.OutcomeRevoked)
}

// For each record by itself: a child read again says nothing about its parent.
func TestVC5_EachRecordByItself(t *testing.T) {
	t.Parallel()
	store, clock := newStub(), newClock()
	keys := openKeys(t, store, keystore.Config{Now: clock.Now})
	put(t, store, "parent", "")
	put(t, store, "child", "parent")
	principal := func(id string) error { _, err := keys.Principal(t.Context(), id); return err }
	require.NoError(t, principal("parent"))
	clock.move(4 * time.Second)
	require.NoError(t, principal("child"))
	require.NoError(t, elsewhere(t, store).Suspend(t.Context(), "parent", ""))
	require.NoError(t, principal("child"))
	clock.move(time.Second)
	requireOutcome(t, principal("child"), keystore.OutcomeSuspended)
}

// skewed is t on a monotonic clock that has run by d more than the wall clock.
func skewed(t time.Time, d time.Duration) time.Time {
	(*struct {
		wall uint64
		ext  int64 // ns since the start of the process, where t has a monotonic reading
		loc  *time.Location
	})(unsafe.Pointer(&t)).ext += int64(d)
	return t
}

// A paused machine stops the monotonic clock; an operator or NTP moves the other.
func TestVC5_TheLargerOfBothClocks(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		desc            string
		monotonic, wall time.Duration
		fresh           bool
	}{
		{"no time passed", 0, 0, false},
		{"just within", 5*time.Second - 1000, 5*time.Second - 1000, false},
		{"both at the bound", 5 * time.Second, 5 * time.Second, true},
		{"machine paused for a minute", time.Second, time.Minute, true},
		{"paused, to the bound", time.Second, 5 * time.Second, true},
		{"wall clock slow", 5 * time.Second, time.Second, true},
		{"wall clock stopped", 5 * time.Second, 0, true},
		{"wall clock set back", time.Second, -time.Millisecond, true},
		{"wall clock set back by an hour", time.Second, -time.Hour, true},
		{"wall clock set forward by an hour", 0, time.Hour, true},
		{"monotonic clock backwards", -time.Millisecond, time.Second, true},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			t.Parallel()
			store, began := newStub(), time.Now()
			now := began
			keys := openKeys(t, store, keystore.Config{Now: func() time.Time { return now }})
			_, text := issue(t, keys, spec)
			requireAccepted(t, keys, text)
			lookups := store.lookups.Load()
			now = skewed(began.Add(tt.wall), tt.monotonic-tt.wall)
			require.Equal(t, tt.monotonic, now.Sub(began))
			require.Equal(t, tt.wall, now.Round(0).Sub(began.Round(0)))
			requireAccepted(t, keys, text)
			if tt.fresh {
				lookups++
			}
			require.Equal(t, lookups, store.lookups.Load())
		})
	}
}

func TestVC5_ClockWithoutMonotonicReading(t *testing.T) {
	t.Parallel()
	store, clock := newStub(), newClock()
	keys := openKeys(t, store, keystore.Config{Now: clock.Now})
	_, text := issue(t, keys, spec)
	requireAccepted(t, keys, text)
	lookups := store.lookups.Load()
	clock.move(-time.Millisecond)
	requireAccepted(t, keys, text)
	require.Equal(t, lookups+1, store.lookups.Load(), "a clock that went backwards tells nothing about age")
	clock.move(time.Millisecond)
	requireAccepted(t, keys, text)
	require.Equal(t, lookups+1, store.lookups.Load())
}

// Revalidation is one Lookup, and no hash as long as the stored one is the same: each argon2id would allocate 19 MiB.
// Not parallel: it measures what the process allocates.
func TestVC5_RevalidationHashesNothing(t *testing.T) {
	store := newStub()
	keys := openKeys(t, store, keystore.Config{SlowHash: true, MaxStaleness: -1})
	id, text := issue(t, keys, spec)
	allocated := func(verifications int) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range verifications {
			requireAccepted(t, keys, text)
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	first := allocated(1)
	store.lookups.Store(0)
	again := allocated(10)
	require.EqualValues(t, 10, store.lookups.Load())
	if !fips140.Enabled() { // PBKDF2 allocates next to nothing
		require.Greater(t, first, uint64(19<<20))
		require.Less(t, again, uint64(1<<20))
	}

	store.bend(func(_ context.Context, _ string, ask func() (keystore.Record, error)) (keystore.Record, error) {
		r, err := ask()
		r.Secrets[0].Hash = "$sha256$" + id + "$47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"
		return r, err
	})
	requireRefused(t, keys, text, keystore.OutcomeWrongSecret)
}

// VC6: news make stale, all or by name, and nothing else.
func TestVC6_News(t *testing.T) {
	t.Parallel()
	store := newWatched()
	keys := openKeys(t, store, keystore.Config{MaxStaleness: time.Hour})
	id, text := issue(t, keys, spec)
	requireAccepted(t, keys, text)
	for _, tt := range []struct {
		desc    string
		ids     []string
		lookups int64
	}{
		{"of all", nil, 1},
		{"of this one", []string{id}, 1},
		{"of this one among others", []string{"7Gk2mXw9QaTz", id, id}, 1},
		{"of another", []string{"7Gk2mXw9QaTz"}, 0},
	} {
		store.tell(tt.ids...)
		store.lookups.Store(0)
		requireAccepted(t, keys, text)
		requireAccepted(t, keys, text)
		require.Equal(t, tt.lookups, store.lookups.Load(), tt.desc)
	}
}

func TestVC5_NegativeReadsEveryTime(t *testing.T) {
	t.Parallel()
	store := newStub()
	keys := openKeys(t, store, keystore.Config{MaxStaleness: -1, AcceptForeign: true})
	other := elsewhere(t, store)
	id, text := issue(t, keys, spec)
	for range 3 {
		store.lookups.Store(0)
		requireAccepted(t, keys, text)
		require.EqualValues(t, 1, store.lookups.Load())
	}
	require.NoError(t, other.Suspend(t.Context(), id, ""))
	requireRefused(t, keys, text, keystore.OutcomeSuspended)
	require.NoError(t, other.Resume(t.Context(), id))
	requireAccepted(t, keys, text)
	require.NoError(t, other.Delete(t.Context(), id))
	requireRefused(t, keys, text, keystore.OutcomeUnknown)

	requireRefused(t, keys, foreignText, keystore.OutcomeUnknown)
	importKey(t, other, foreignText)
	requireAccepted(t, keys, foreignText) // a refusal is read anew as well
	store.bend(down)
	_, err := keys.Verify(t.Context(), foreignText)
	requireUnavailable(t, err)
}

// T-141: nothing remembered outlives the expiry of key, secret or parent, which is the first instant that is too late.
func TestT141_NoEntryOutlivesItsExpiry(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		desc string
		bend func(r *keystore.Record, end time.Time)
		want keystore.Outcome
	}{
		{"key", func(r *keystore.Record, end time.Time) { r.Expires = end }, keystore.OutcomeExpired},
		{"secret", func(r *keystore.Record, end time.Time) { r.Secrets[0].Expires = end }, keystore.OutcomeExpired},
		{"secret before key", func(r *keystore.Record, end time.Time) {
			r.Secrets[0].Expires, r.Expires = end, end.Add(time.Second)
		}, keystore.OutcomeExpired},
		{"key before secret", func(r *keystore.Record, end time.Time) {
			r.Secrets[0].Expires, r.Expires = end.Add(time.Second), end
		}, keystore.OutcomeExpired},
		{"an instant between two microseconds", func(r *keystore.Record, end time.Time) { r.Expires = end }, keystore.OutcomeExpired},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			t.Parallel()
			store, clock := newStub(), newClock()
			keys := openKeys(t, store, keystore.Config{Now: clock.Now, MaxStaleness: time.Hour, AcceptForeign: true})
			id, text := issue(t, keys, spec)
			imported := importKey(t, keys, foreignText)
			put(t, store, "session", id, func(r *keystore.Record) { r.ParentSecret = 1 })
			end := clock.Now().Add(3 * time.Second)
			if tt.desc == "an instant between two microseconds" {
				end = end.Add(500 * time.Nanosecond)
			}
			store.bend(func(_ context.Context, asked string, ask func() (keystore.Record, error)) (keystore.Record, error) {
				r, err := ask()
				if asked == id || asked == imported.ID {
					tt.bend(&r, end)
				}
				return r, err
			})
			accepted := func() {
				require.Equal(t, end, requireAccepted(t, keys, text).Expires())
				require.Equal(t, end, requireAccepted(t, keys, foreignText).Expires())
				p, err := keys.Principal(t.Context(), "session")
				require.NoError(t, err)
				require.Equal(t, end, p.Expires())
			}
			accepted()
			lookups := store.lookups.Load()
			clock.move(end.Sub(clock.Now()) - 1)
			accepted()
			clock.move(1)
			for range 2 {
				requireRefused(t, keys, text, tt.want)
				requireRefused(t, keys, foreignText, tt.want)
				_, err := keys.Principal(t.Context(), "session")
				requireOutcome(t, err, tt.want)
				clock.move(time.Minute)
			}
			require.Equal(t, lookups, store.lookups.Load(), "by the clock alone")
		})
	}
}

func TestT141_NotBefore(t *testing.T) {
	t.Parallel()
	store, clock := newStub(), newClock()
	keys := openKeys(t, store, keystore.Config{Now: clock.Now})
	id, text := issue(t, keys, keystore.Spec{Owner: "acme", NotBefore: clock.Now().Add(time.Second)})
	put(t, store, "session", id)
	requireRefused(t, keys, text, keystore.OutcomeNotYetValid)
	lookups := store.lookups.Load()
	clock.move(time.Second - 1)
	requireRefused(t, keys, text, keystore.OutcomeNotYetValid)
	clock.move(1)
	requireAccepted(t, keys, text)
	require.Equal(t, lookups, store.lookups.Load(), "VC4: what is early is not bad, and nothing holds it back")
	_, err := keys.Principal(t.Context(), "session")
	require.NoError(t, err)
}
