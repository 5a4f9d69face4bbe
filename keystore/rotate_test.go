package keystore_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
)

func rotate(t testing.TB, keys *keystore.Keys, id string, overlap time.Duration) (keystore.Record, string) {
	t.Helper()
	r, err := keys.Lookup(t.Context(), id)
	require.NoError(t, err)
	issued, err := keys.Rotate(t.Context(), id, r.Version, overlap)
	require.NoError(t, err)
	return issued.Record, issued.Credential.Reveal()
}

// T-138, T-141, M5: both work for exactly the overlap, in every process, and then only the new one.
func TestT138_RotateOverlaps(t *testing.T) {
	t.Parallel()
	store, clock := newStub(), newClock()
	keys := openKeys(t, store, keystore.Config{Now: clock.Now})
	elsewhere := openKeys(t, store, keystore.Config{Now: clock.Now, MaxStaleness: -1})
	before, old := issueRecord(t, keys, keystore.Spec{
		Owner: "acme", Type: "ucd", MaxPerOwner: 1, Scopes: spec.Scopes, Limits: keystore.Limits{ServerOnly: true}, Meta: map[string]string{"a": "b"},
	})
	requireAccepted(t, keys, old)
	after, fresh := rotate(t, keys, before.ID, time.Hour)

	require.NotEqual(t, old, fresh)
	require.Equal(t, before.ID, after.ID)
	require.Equal(t, []uint32{2, 1}, []uint32{after.Secrets[0].N, after.Secrets[1].N})
	carried := after
	carried.Secrets, carried.Version, carried.Op = before.Secrets, before.Version, before.Op
	require.Equal(t, before, carried, "all but the secrets stays")

	for _, k := range []*keystore.Keys{keys, elsewhere} {
		_, _, ok := requireAccepted(t, k, fresh).Deprecated()
		require.False(t, ok)
		p := requireAccepted(t, k, old)
		since, until, ok := p.Deprecated()
		require.True(t, ok)
		require.Equal(t, clock.Now(), since)
		require.Equal(t, clock.Now().Add(time.Hour), until)
		require.Equal(t, until, p.Expires())
	}
	clock.move(time.Hour - time.Microsecond)
	for _, k := range []*keystore.Keys{keys, elsewhere} {
		requireAccepted(t, k, old)
	}
	clock.move(time.Microsecond)
	for _, k := range []*keystore.Keys{keys, elsewhere} {
		requireRefused(t, k, old, keystore.OutcomeExpired)
		requireAccepted(t, k, fresh)
	}
	require.NoError(t, keys.Revoke(t.Context(), before.ID, ""))
	requireRefused(t, keys, fresh, keystore.OutcomeRevoked)
}

// T-138: at most two are valid, whatever happens inside of an overlap.
func TestT138_RotateWithin(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		desc string
		then func(t *testing.T, keys *keystore.Keys, id string) string // returns the newest text
		// what becomes of the first and the second secret
		first, second keystore.Outcome
	}{
		{"nothing else", func(*testing.T, *keystore.Keys, string) string { return "" }, "", ""},
		{"rotated again", func(t *testing.T, keys *keystore.Keys, id string) string {
			t.Helper()
			_, text := rotate(t, keys, id, time.Hour)
			return text
		}, keystore.OutcomeWrongSecret, ""},
		{"rotated again, without an overlap", func(t *testing.T, keys *keystore.Keys, id string) string {
			t.Helper()
			_, text := rotate(t, keys, id, 0)
			return text
		}, keystore.OutcomeWrongSecret, keystore.OutcomeWrongSecret},
		{"ended early", func(t *testing.T, keys *keystore.Keys, id string) string {
			t.Helper()
			require.NoError(t, keys.EndOverlap(t.Context(), id))
			require.NoError(t, keys.EndOverlap(t.Context(), id), "twice is nothing")
			return ""
		}, keystore.OutcomeWrongSecret, ""},
		{"replaced (M6)", func(t *testing.T, keys *keystore.Keys, id string) string {
			t.Helper()
			issued, err := keys.Replace(t.Context(), id)
			require.NoError(t, err)
			require.Len(t, issued.Record.Secrets, 1, "their hashes are gone")
			return issued.Credential.Reveal()
		}, keystore.OutcomeWrongSecret, keystore.OutcomeWrongSecret},
		{"revoked", func(t *testing.T, keys *keystore.Keys, id string) string {
			t.Helper()
			require.NoError(t, keys.Revoke(t.Context(), id, ""))
			return ""
		}, keystore.OutcomeRevoked, keystore.OutcomeRevoked},
	} {
		t.Run(row.desc, func(t *testing.T) {
			t.Parallel()
			keys := openKeys(t, newStub(), keystore.Config{})
			id, first := issue(t, keys, spec)
			_, second := rotate(t, keys, id, time.Hour)
			newest := row.then(t, keys, id)
			for text, outcome := range map[string]keystore.Outcome{first: row.first, second: row.second, newest: ""} {
				switch {
				case text == "":
				case outcome == "":
					requireAccepted(t, keys, text)
				default:
					requireRefused(t, keys, text, outcome)
				}
			}
		})
	}
}

// T-139: of rotations at once one wins, and the others are told.
func TestT139_RotationsAtOnce(t *testing.T) {
	t.Parallel()
	const contenders, rounds = 16, 200
	keys := openKeys(t, newStub(), keystore.Config{})
	id, _ := issue(t, keys, spec)
	for range rounds {
		r, err := keys.Lookup(t.Context(), id)
		require.NoError(t, err)
		var won atomic.Pointer[string]
		var winners, losers atomic.Int32
		var group sync.WaitGroup
		for range contenders {
			group.Go(func() {
				issued, err := keys.Rotate(t.Context(), id, r.Version, time.Hour)
				if err == nil {
					text := issued.Credential.Reveal()
					won.Store(&text)
					winners.Add(1)
				} else if errors.Is(err, keystore.ErrConflict) {
					losers.Add(1)
				}
			})
		}
		group.Wait()
		require.Equal(t, [2]int32{1, contenders - 1}, [2]int32{winners.Load(), losers.Load()})
		requireAccepted(t, keys, *won.Load())
		r, err = keys.Lookup(t.Context(), id)
		require.NoError(t, err)
		require.LessOrEqual(t, len(r.Secrets), 2)
	}
}

// M6: five keys are enough to be allowed to replace one, and what began with the old secret is dead.
func TestReplace_AtTheQuotaEndsSessions(t *testing.T) {
	t.Parallel()
	store := newStub()
	keys := openKeys(t, store, keystore.Config{})
	five := keystore.Spec{Owner: "acme", Type: "ucd", MaxPerOwner: 5, Scopes: spec.Scopes}
	var id, text string
	for range 5 {
		id, text = issue(t, keys, five)
	}
	put(t, store, "session1", id, func(r *keystore.Record) { r.ParentSecret = 1 })
	put(t, store, "session2", id)
	for _, session := range []string{"session1", "session2"} {
		_, err := keys.Principal(t.Context(), session)
		require.NoError(t, err)
	}
	issued, err := keys.Replace(t.Context(), id)
	require.NoError(t, err)
	requireRefused(t, keys, text, keystore.OutcomeWrongSecret)
	requireAccepted(t, keys, issued.Credential.Reveal())
	_, err = keys.Principal(t.Context(), "session1")
	requireOutcome(t, err, keystore.OutcomeOrphaned)
	_, err = keys.Principal(t.Context(), "session2")
	require.NoError(t, err, "that one obeys the key, and no secret of it")
}

// The old secret of an imported key is its alias.
func TestRotate_ImportedKey(t *testing.T) {
	t.Parallel()
	clock := newClock()
	keys := openKeys(t, newStub(), keystore.Config{AcceptForeign: true, Now: clock.Now})
	r, err := keys.Import(t.Context(), spec, keystore.NewSecret(foreignText))
	require.NoError(t, err)
	_, fresh := rotate(t, keys, r.ID, time.Hour)
	requireAccepted(t, keys, fresh)
	_, _, deprecated := requireAccepted(t, keys, foreignText).Deprecated()
	require.True(t, deprecated)
	clock.move(time.Hour)
	requireRefused(t, keys, foreignText, keystore.OutcomeExpired)
	requireAccepted(t, keys, fresh)

	issued, err := keys.Replace(t.Context(), r.ID)
	require.NoError(t, err)
	requireRefused(t, keys, foreignText, keystore.OutcomeOrphaned)
	requireRefused(t, keys, fresh, keystore.OutcomeWrongSecret)
	requireAccepted(t, keys, issued.Credential.Reveal())
}

func TestRotate_EndsWithTheKey(t *testing.T) {
	t.Parallel()
	clock := newClock()
	keys := openKeys(t, newStub(), keystore.Config{Now: clock.Now})
	short := spec
	short.Expires = clock.Now().Add(time.Hour)
	id, old := issue(t, keys, short)
	r, fresh := rotate(t, keys, id, keystore.MaxOverlap)
	require.Equal(t, r.Expires, r.Secrets[1].Expires)
	clock.move(time.Hour)
	requireRefused(t, keys, old, keystore.OutcomeExpired)
	requireRefused(t, keys, fresh, keystore.OutcomeExpired)
}

func TestRotate_Refuses(t *testing.T) {
	t.Parallel()
	store, clock := newStub(), newClock()
	keys := openKeys(t, store, keystore.Config{Now: clock.Now})
	id, text := issue(t, keys, spec)
	short := spec
	short.Expires = clock.Now().Add(time.Second)
	expired, _ := issue(t, keys, short)
	revoked, _ := issue(t, keys, spec)
	require.NoError(t, keys.Revoke(t.Context(), revoked, ""))
	put(t, store, "session", id)
	put(t, store, "sha256:00", "", func(r *keystore.Record) { r.Kind = keystore.KindAPIKey })
	clock.move(time.Second)
	version := func(id string) uint64 {
		r, _ := keys.Lookup(t.Context(), id)
		return r.Version
	}
	writes := store.writes.Load()
	for _, row := range []struct {
		desc, id string
		version  uint64
		overlap  time.Duration
		want     error
	}{
		{"no such key", "7Gk2mXw9QaTz", 1, 0, keystore.ErrNotFound},
		{"a session", "session", 1, 0, keystore.ErrInvalid},
		{"a key that is its own digest", "sha256:00", 1, 0, keystore.ErrInvalid},
		{"revoked", revoked, version(revoked), 0, keystore.ErrRevoked},
		{"expired", expired, version(expired), 0, keystore.ErrExpired},
		{"an older version", id, version(id) - 1, 0, keystore.ErrConflict},
		{"version 0, which is none", id, 0, 0, keystore.ErrConflict},
		{"a negative overlap", id, version(id), -1, keystore.ErrInvalid},
		{"too long an overlap", id, version(id), keystore.MaxOverlap + 1, keystore.ErrInvalid},
	} {
		_, err := keys.Rotate(t.Context(), row.id, row.version, row.overlap)
		require.ErrorIs(t, err, row.want, row.desc)
	}
	require.Equal(t, writes, store.writes.Load())
	_, err := openKeys(t, readOnly{store}, keystore.Config{}).Rotate(t.Context(), id, version(id), 0)
	require.ErrorIs(t, err, keystore.ErrReadOnly)
	requireAccepted(t, keys, text)
}

// A rotation whose answer was lost has happened: its secret must not be given up as the newest that nobody knows.
func TestRotate_AnswerLost(t *testing.T) {
	t.Parallel()
	store := newStub()
	keys := openKeys(t, store, keystore.Config{})
	id, old := issue(t, keys, spec)
	store.bendWrites(func(_ context.Context, _, _ string, send func() error) error { return errors.Join(send(), errDown) })
	_, fresh := rotate(t, keys, id, time.Hour)
	requireAccepted(t, keys, fresh)
	requireAccepted(t, keys, old)

	store.bendWrites(func(context.Context, string, string, func() error) error { return errDown })
	r, err := keys.Lookup(t.Context(), id)
	require.NoError(t, err)
	_, err = keys.Rotate(t.Context(), id, r.Version, time.Hour)
	requireUnavailable(t, err)
	requireAccepted(t, keys, fresh)
	requireAccepted(t, keys, old)
}
