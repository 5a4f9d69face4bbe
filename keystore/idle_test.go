package keystore_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/scopes"
)

const day = 24 * time.Hour

// idleSpec is for a key that dies when it is not used for two days.
var idleSpec = keystore.Spec{Owner: "acme", Scopes: []scopes.Scope{"claims:read"}, Limits: keystore.Limits{IdleTimeout: 2 * day}}

// T-141: whatever the cache remembers, an unused key works until the instant, and from then on not.
func TestIdle_UnusedKeyDiesAtTheInstant(t *testing.T) {
	t.Parallel()
	for _, staleness := range []time.Duration{0, time.Hour, -1} {
		synctest.Test(t, func(t *testing.T) {
			store := &metered{stub: newStub()}
			keys := openKeys(t, store, keystore.Config{MaxStaleness: staleness, UsageInterval: time.Hour})
			id, text := issue(t, keys, idleSpec)
			time.Sleep(2*day - 1)
			requireAccepted(t, keys, text) // which is no use: nothing was admitted
			_, err := keys.Principal(t.Context(), id)
			require.NoError(t, err)
			time.Sleep(time.Nanosecond)
			requireRefused(t, keys, text, keystore.OutcomeIdle)
			_, err = keys.Principal(t.Context(), id)
			requireOutcome(t, err, keystore.OutcomeIdle)
			if staleness >= 0 {
				lookups := store.lookups.Load()
				requireRefused(t, keys, text, keystore.OutcomeIdle)
				require.Equal(t, lookups, store.lookups.Load(), "a dead key costs the store nothing")
			}
			a := access("claims:read")
			require.Empty(t, must(keys.Usage(t.Context(), id)))
			time.Sleep(day)
			requireRefused(t, keys, text, keystore.OutcomeIdle)

			r, err := keys.Edit(t.Context(), id, func(r *keystore.Record) error { r.Limits.IdleTimeout = 4 * day; return nil })
			require.NoError(t, err)
			require.NoError(t, admit(t, keys, requireAccepted(t, keys, text), &a), "a longer timeout wakes it up")
			time.Sleep(4 * day)
			requireRefused(t, keys, text, keystore.OutcomeIdle)
			renewed, err := keys.Rotate(t.Context(), id, r.Version, time.Hour)
			require.NoError(t, err)
			requireAccepted(t, keys, renewed.Credential.Reveal())
			time.Sleep(4 * day)
			requireRefused(t, keys, renewed.Credential.Reveal(), keystore.OutcomeIdle)
		})
	}
}

// Used once a day, just before or after the cache reads it again or usage is written: it lives for ever.
func TestIdle_KeyInUseLivesForEver(t *testing.T) {
	t.Parallel()
	for _, config := range []keystore.Config{
		{MaxStaleness: time.Hour, UsageInterval: time.Minute}, {UsageInterval: time.Hour}, {MaxStaleness: -1, UsageInterval: time.Hour},
	} {
		synctest.Test(t, func(t *testing.T) {
			keys := openKeys(t, &metered{stub: newStub()}, config)
			_, text := issue(t, keys, idleSpec)
			a := access("claims:read")
			for n := range 8 {
				require.NoError(t, admit(t, keys, requireAccepted(t, keys, text), &a))
				time.Sleep(2*day - time.Second - time.Duration(n)*time.Second/7)
			}
			requireAccepted(t, keys, text)
		})
	}
}

// The last use may be counted here and not be written, may just be on its way, or may have been made elsewhere.
func TestIdle_UsesThatAreNotWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &metered{stub: newStub()}
		keys := openKeys(t, store, keystore.Config{UsageInterval: time.Minute})
		id, text := issue(t, keys, idleSpec)
		a := access("claims:read")
		use := func() { require.NoError(t, admit(t, keys, requireAccepted(t, keys, text), &a)) }
		for _, fault := range []usageHook{
			func(context.Context, []keystore.Usage) error { return errDown },
			func(ctx context.Context, _ []keystore.Usage) error { <-ctx.Done(); return ctx.Err() },
		} {
			store.bendUsage(fault)
			for range 3 {
				use()
				time.Sleep(2*day - 3*time.Second)
			}
		}
		use()
		store.failUsage(nil)
		time.Sleep(day)
		elsewhere := time.Now()
		require.NoError(t, store.AddUsage(t.Context(), []keystore.Usage{{ID: id, Secret: 1, Count: 1, LastUsed: elsewhere}}))
		time.Sleep(2*day - 1)
		requireAccepted(t, keys, text)
		time.Sleep(time.Nanosecond)
		requireRefused(t, keys, text, keystore.OutcomeIdle)
	})
}

// The reading that a request meets may be older than a use through another one of the same key.
func TestIdle_UseAfterTheReading(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &metered{stub: newStub()}
		keys := openKeys(t, store, keystore.Config{MaxStaleness: time.Hour, UsageInterval: 10 * time.Second})
		id, text := issue(t, keys, idleSpec)
		a := access("claims:read")
		time.Sleep(2*day - time.Minute)
		p := requireAccepted(t, keys, text)
		time.Sleep(time.Second)
		require.NoError(t, admit(t, keys, p, &a))
		time.Sleep(30 * time.Second) // it is written by now, and forgotten here
		require.Len(t, must(keys.Usage(t.Context(), id)), 1)
		time.Sleep(29*time.Second + 1) // past what the reading says
		requireAccepted(t, keys, text)
	})
}

func TestIdle_BeginsWithNotBefore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		keys := openKeys(t, &metered{stub: newStub()}, keystore.Config{UsageInterval: time.Minute})
		spec := idleSpec
		spec.NotBefore = time.Now().Add(10 * day)
		_, text := issue(t, keys, spec)
		requireRefused(t, keys, text, keystore.OutcomeNotYetValid)
		time.Sleep(12*day - 1)
		requireAccepted(t, keys, text)
		time.Sleep(time.Nanosecond)
		requireRefused(t, keys, text, keystore.OutcomeIdle)
	})
}

// A session that has no timeout dies with its key; one that is used keeps its key alive.
func TestIdle_SessionsAndTheirKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &metered{stub: newStub()}
		keys := openKeys(t, store, keystore.Config{UsageInterval: time.Minute})
		id, text := issue(t, keys, idleSpec)
		put(t, store.stub, "session", id, func(r *keystore.Record) { r.ParentSecret, r.Scopes = 1, scopes.MustSet("claims:read") })
		a := access("claims:read")
		for range 4 {
			s, err := keys.Principal(t.Context(), "session")
			require.NoError(t, err)
			require.NoError(t, admit(t, keys, s, &a))
			time.Sleep(2*day - time.Minute)
		}
		requireAccepted(t, keys, text)
		time.Sleep(time.Minute)
		_, err := keys.Principal(t.Context(), "session")
		requireOutcome(t, err, keystore.OutcomeIdle)
		require.Equal(t, id, err.(*keystore.RefusedError).KeyID)
	})
}

// T-050, VC8: where nobody can tell, the answer is neither yes nor no.
func TestIdle_UsageCannotBeRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &mute{metered: metered{stub: newStub()}}
		keys := openKeys(t, store, keystore.Config{UsageInterval: time.Minute})
		id, text := issue(t, keys, idleSpec)
		_, plain := issue(t, keys, spec)
		requireAccepted(t, keys, text)
		store.fault = func() error { return errDown }
		time.Sleep(5*time.Second - 1)
		requireAccepted(t, keys, text)
		time.Sleep(time.Nanosecond)
		for _, fault := range []func() error{
			func() error { return errDown },
			func() error { panic("nil map") },
		} {
			store.fault = fault
			_, err := keys.Verify(t.Context(), text)
			requireUnavailable(t, err)
			_, err = keys.Principal(t.Context(), id)
			requireUnavailable(t, err)
			requireAccepted(t, keys, plain)
		}
		time.Sleep(2 * day)
		_, err := keys.Verify(t.Context(), text)
		requireUnavailable(t, err)
		store.fault = func() error { return nil }
		requireRefused(t, keys, text, keystore.OutcomeIdle)
	})
}

// mute is a store whose usage cannot be read.
type mute struct {
	metered

	fault func() error
}

func (m *mute) Usage(ctx context.Context, ids []string) ([]keystore.Usage, error) {
	if m.fault != nil {
		if err := m.fault(); err != nil {
			return nil, err
		}
	}
	return m.metered.Usage(ctx, ids)
}

// A limit that nobody could ask for is not written, and a record that has it is not answered for.
func TestIdle_StoreWithoutUsage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newStub()
		var told events
		keys := openKeys(t, store, keystore.Config{OnEvent: told.hear})
		_, err := keys.Issue(t.Context(), idleSpec)
		require.ErrorIs(t, err, keystore.ErrInvalid)
		require.ErrorContains(t, err, "the store keeps no usage")

		counting := openKeys(t, &metered{stub: store}, keystore.Config{UsageInterval: time.Minute})
		id, text := issue(t, counting, idleSpec)
		requireAccepted(t, counting, text)
		_, err = keys.Verify(t.Context(), text)
		requireUnavailable(t, err)
		synctest.Wait()
		require.Equal(t, []string{"keystore: the record " + id + ": Limits.IdleTimeout: the store keeps no usage " +
			"(it is no UsageStore), so nobody could tell; leave it unset"}, told.faults())
		_, err = keys.Edit(t.Context(), id, func(r *keystore.Record) error { r.Name = "x"; return nil })
		require.ErrorIs(t, err, keystore.ErrInvalid)
		_, err = keys.Edit(t.Context(), id, func(r *keystore.Record) error { r.Limits.IdleTimeout = 0; return nil })
		require.NoError(t, err)
		requireAccepted(t, keys, text)
		require.NoError(t, keys.Revoke(t.Context(), id, ""))
	})
}

func TestUnusedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &mute{metered: metered{stub: newStub()}}
		keys := openKeys(t, store, keystore.Config{UsageInterval: time.Minute})
		a := access("claims:read")
		names := map[string]string{}
		make1 := func(name string, edits ...func(*keystore.Spec)) (text string) {
			s := spec
			s.Name = name
			for _, edit := range edits {
				edit(&s)
			}
			id, text := issue(t, keys, s)
			names[name] = id
			return text
		}
		use := func(text string) { require.NoError(t, admit(t, keys, requireAccepted(t, keys, text), &a)) }
		unused := func(d time.Duration) (found []string) {
			for r, err := range keys.UnusedFor(t.Context(), d) {
				require.NoError(t, err)
				found = append(found, r.Name)
			}
			slices.Sort(found)
			return found
		}
		make1("never used")
		early := make1("used at first")
		used := make1("used")
		make1("rotated")
		make1("revoked")
		make1("expired", func(s *keystore.Spec) { s.Expires = time.Now().Add(time.Hour) })
		make1("suspended")
		make1("begins later", func(s *keystore.Spec) { s.NotBefore = time.Now().Add(5 * day) })
		use(early)
		time.Sleep(9 * day)
		require.NoError(t, keys.Revoke(t.Context(), names["revoked"], ""))
		require.NoError(t, keys.Suspend(t.Context(), names["suspended"], ""))
		r, err := keys.Lookup(t.Context(), names["rotated"])
		require.NoError(t, err)
		_, err = keys.Rotate(t.Context(), r.ID, r.Version, 0)
		require.NoError(t, err)
		use(used)
		make1("new")
		time.Sleep(day)

		require.Equal(t, []string{"never used", "suspended", "used at first"}, unused(10*day))
		require.Empty(t, unused(10*day+1))
		require.Equal(t, []string{"begins later", "never used", "suspended", "used at first"}, unused(5*day))
		require.Equal(t, []string{"begins later", "never used", "suspended", "used at first"}, unused(day+1))
		require.Len(t, unused(day), 7)
		for _, err := range keys.UnusedFor(t.Context(), day) {
			require.NoError(t, err)
			break // a caller may stop
		}

		store.fault = func() error { return errDown }
		var got error
		for r, err := range keys.UnusedFor(t.Context(), day) {
			require.Empty(t, r.ID)
			require.NoError(t, got, "an error is the last")
			got = err
		}
		requireUnavailable(t, got)
		for _, store := range []keystore.KeyStore{newStub(), readOnly{newStub()}} {
			got = nil
			for _, err := range openKeys(t, store, keystore.Config{UsageInterval: time.Minute}).UnusedFor(t.Context(), day) {
				got = errors.Join(got, err)
			}
			require.ErrorIs(t, got, keystore.ErrReadOnly)
		}
	})
}
