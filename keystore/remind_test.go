package keystore_test

import (
	"context"
	"iter"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
)

func ids(t testing.TB, records iter.Seq2[keystore.Record, error]) (got []string) {
	t.Helper()
	for r, err := range records {
		require.NoError(t, err)
		got = append(got, r.ID)
	}
	return got
}

// types are those of the events told about id since the last call.
func (e *events) types(id string) (types []keystore.EventType) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, event := range e.told {
		if event.KeyID == id {
			types = append(types, event.Type)
		}
	}
	e.told = nil
	return types
}

// C9, M5: who has to act is listed, and told of once, whichever process looks.
func TestRemind_OnceOfEach(t *testing.T) {
	t.Parallel()
	store, clock := newStub(), newClock()
	var told events
	config := keystore.Config{Now: clock.Now, OnEvent: told.hear, RemindInterval: -1}
	keys, elsewhere := openKeys(t, store, config), openKeys(t, store, config)
	remind := func() {
		t.Helper()
		var group sync.WaitGroup
		for _, k := range []*keystore.Keys{keys, elsewhere, keys, elsewhere} {
			group.Go(func() {
				if err := k.Remind(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	}
	short := spec
	short.Expires = clock.Now().Add(120 * day)
	id, _ := issue(t, keys, short)
	revoked, _ := issue(t, keys, short)
	require.NoError(t, keys.Revoke(t.Context(), revoked, ""))
	put(t, store, "session", id)
	told.types(id)

	clock.move(90*day - 1)
	remind()
	require.Empty(t, told.types(id))
	require.Empty(t, ids(t, keys.Due(t.Context(), 0)))

	clock.move(1)
	require.Equal(t, []string{id}, ids(t, keys.Due(t.Context(), 0)))
	remind()
	require.Equal(t, []keystore.EventType{keystore.EventDue}, told.types(id))
	remind()
	require.Empty(t, told.types(id))

	_, text := rotate(t, keys, id, 0)
	clock.move(time.Hour)
	require.Empty(t, ids(t, keys.Due(t.Context(), 0)))
	require.Equal(t, []string{id}, ids(t, keys.Due(t.Context(), time.Hour)))
	told.types(id)

	clock.move(16*day - time.Hour)
	require.Equal(t, []string{id}, ids(t, keys.ExpiringWithin(t.Context(), 0)))
	require.Empty(t, ids(t, keys.ExpiringWithin(t.Context(), 14*day-1)))
	remind()
	require.Equal(t, []keystore.EventType{keystore.EventExpiring}, told.types(id))
	_, err := keys.Edit(t.Context(), id, func(r *keystore.Record) error {
		r.Expires = clock.Now().Add(10 * day)
		return nil
	})
	require.NoError(t, err)
	told.types(id)
	remind()
	require.Equal(t, []keystore.EventType{keystore.EventExpiring}, told.types(id), "another expiry is news")

	clock.move(10 * day)
	requireRefused(t, keys, text, keystore.OutcomeExpired)
	remind()
	require.Equal(t, []keystore.EventType{keystore.EventExpired}, told.types(id))
	remind()
	require.Empty(t, told.types(id))
	require.Empty(t, ids(t, keys.ExpiringWithin(t.Context(), 0)), "it has expired")
	require.Empty(t, ids(t, keys.Due(t.Context(), time.Nanosecond)))
}

// Keys looks by itself, soon after it was opened and then every day.
func TestRemind_ByItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var told events
		keys := openKeys(t, newStub(), keystore.Config{OnEvent: told.hear, RotateAfter: 36 * time.Hour})
		id, _ := issue(t, keys, spec)
		told.types(id)
		time.Sleep(36 * time.Hour)
		synctest.Wait()
		require.Empty(t, told.types(id))
		time.Sleep(13 * time.Hour)
		synctest.Wait()
		require.Equal(t, []keystore.EventType{keystore.EventDue}, told.types(id))
	})
}

func TestRemind_StoreDown(t *testing.T) {
	t.Parallel()
	store, clock := newStub(), newClock()
	var told events
	keys := openKeys(t, store, keystore.Config{Now: clock.Now, OnEvent: told.hear, RemindInterval: -1})
	id, _ := issue(t, keys, spec)
	clock.move(90 * day)
	for _, failing := range []string{"list", "update"} {
		store.bendWrites(func(_ context.Context, verb, _ string, send func() error) error {
			if verb == failing {
				return errDown
			}
			return send()
		})
		require.ErrorIs(t, keys.Remind(t.Context()), errDown)
	}
	store.bendWrites(nil)
	require.NotContains(t, told.types(id), keystore.EventDue)
	require.NoError(t, keys.Remind(t.Context()))
	require.Equal(t, []keystore.EventType{keystore.EventDue}, told.types(id))
	require.ErrorIs(t, openKeys(t, readOnly{store}, keystore.Config{}).Remind(t.Context()), keystore.ErrReadOnly)
}

// A hook that hangs holds up nobody's request, and what it misses is counted.
func TestEvent_SlowHookDelaysNoRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var told events
		release := make(chan struct{})
		store := newStub()
		keys := openKeys(t, store, keystore.Config{MaxStaleness: -1, OnEvent: func(ctx context.Context, e keystore.Event) {
			if e.Type == keystore.EventFault {
				<-release
			}
			told.hear(ctx, e)
		}})
		_, text := issue(t, keys, spec)
		store.bend(func(context.Context, string, func() (keystore.Record, error)) (keystore.Record, error) {
			return keystore.Record{ID: "other"}, nil
		})
		start := time.Now()
		for range 300 {
			_, err := keys.Verify(t.Context(), text)
			requireUnavailable(t, err)
			synctest.Wait() // the hook has the first of them
		}
		require.Zero(t, time.Since(start))
		close(release)
		synctest.Wait()
		faults := told.faults()
		require.Equal(t, 1+256+1, len(faults)) //nolint:testifylint // Len would print them all
		require.Contains(t, faults, "keystore: 43 events were dropped, since OnEvent took none for too long")
	})
}

func TestLifetime(t *testing.T) {
	t.Parallel()
	clock := newClock()
	keys := openKeys(t, newStub(), keystore.Config{Now: clock.Now, MaxLifetime: 90 * day, DefaultLifetime: 30 * day})
	r, _ := issueRecord(t, keys, spec)
	require.Equal(t, clock.Now().Add(30*day), r.Expires)

	longest := spec
	longest.Expires = clock.Now().Add(90 * day)
	r, _ = issueRecord(t, keys, longest)
	longest.Expires = longest.Expires.Add(time.Second)
	_, err := keys.Issue(t.Context(), longest)
	require.ErrorIs(t, err, keystore.ErrInvalid)
	require.ErrorContains(t, err, "MaxLifetime")

	for _, expires := range []time.Time{{}, longest.Expires} {
		_, err = keys.Edit(t.Context(), r.ID, func(r *keystore.Record) error { r.Expires = expires; return nil })
		require.ErrorIs(t, err, keystore.ErrInvalid)
	}
	clock.move(day)
	_, err = keys.Edit(t.Context(), r.ID, func(r *keystore.Record) error { r.Expires = longest.Expires; return nil })
	require.NoError(t, err)

	alone := openKeys(t, newStub(), keystore.Config{Now: clock.Now, MaxLifetime: time.Hour})
	r, _ = issueRecord(t, alone, spec)
	require.Equal(t, clock.Now().Add(time.Hour), r.Expires, "the longest is what a key gets that names none")
}
