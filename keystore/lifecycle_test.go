package keystore_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/scopes"
)

func TestSuspendAndResume(t *testing.T) {
	t.Parallel()
	store, clock := newStub(), newClock()
	keys := openKeys(t, store, keystore.Config{Now: clock.Now})
	id, text := issue(t, keys, spec)
	ann, bob := keystore.WithActor(t.Context(), "ann"), keystore.WithActor(t.Context(), "bob")
	mark := func() keystore.Mark {
		r, err := keys.Lookup(t.Context(), id)
		require.NoError(t, err)
		return r.Suspended
	}
	require.NoError(t, keys.Resume(ann, id), "what is not suspended")
	require.True(t, mark().IsZero())

	first := keystore.Mark{At: clock.Now(), Reason: keystore.ReasonMisuse, By: "ann"}
	require.NoError(t, keys.Suspend(ann, id, keystore.ReasonMisuse))
	require.Equal(t, first, mark())
	requireRefused(t, keys, text, keystore.OutcomeSuspended)
	writes := store.writes.Load()
	clock.move(time.Minute)
	require.NoError(t, keys.Suspend(bob, id, keystore.ReasonCompromised))
	require.Equal(t, first, mark(), "the first mark is kept")
	require.Equal(t, writes, store.writes.Load())

	require.NoError(t, keys.Resume(bob, id))
	require.True(t, mark().IsZero())
	requireAccepted(t, keys, text)
	require.NoError(t, keys.Suspend(t.Context(), id, ""))
	require.Equal(t, keystore.Mark{At: clock.Now(), Reason: keystore.ReasonUnspecified}, mark())
}

func TestRevoke_IsFinal(t *testing.T) {
	t.Parallel()
	clock := newClock()
	keys := openKeys(t, newStub(), keystore.Config{Now: clock.Now})
	id, text := issue(t, keys, keystore.Spec{Owner: "acme", Expires: clock.Now().Add(time.Hour)})
	require.NoError(t, keys.Suspend(t.Context(), id, ""))
	require.NoError(t, keys.Revoke(keystore.WithActor(t.Context(), "ann"), id, "stolen laptop"))
	revoked, err := keys.Lookup(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, keystore.Mark{At: clock.Now(), Reason: "stolen laptop", By: "ann"}, revoked.Revoked)
	require.False(t, revoked.Suspended.IsZero())

	clock.move(time.Minute)
	require.NoError(t, keys.Revoke(t.Context(), id, keystore.ReasonMisuse), "revoking twice")
	require.ErrorIs(t, keys.Suspend(t.Context(), id, ""), keystore.ErrRevoked)
	require.ErrorIs(t, keys.Resume(t.Context(), id), keystore.ErrRevoked)
	_, err = keys.Edit(t.Context(), id, func(r *keystore.Record) error {
		r.Revoked = keystore.Mark{}
		return nil
	})
	require.ErrorIs(t, err, keystore.ErrRevoked)
	after, err := keys.Lookup(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, revoked, after, "the first mark is kept")
	requireRefused(t, keys, text, keystore.OutcomeRevoked)
	require.ErrorIs(t, keys.Revoke(t.Context(), "nothing", ""), keystore.ErrNotFound)
}

// Somebody else revokes between Edit's reading and its writing.
func TestRevoke_BySomebodyElseMeanwhile(t *testing.T) {
	t.Parallel()
	store := newStub()
	keys, elsewhere := openKeys(t, store, keystore.Config{}), openKeys(t, store, keystore.Config{})
	id, _ := issue(t, keys, spec)
	_, err := keys.Edit(t.Context(), id, func(r *keystore.Record) error {
		r.Name = "late"
		return elsewhere.Revoke(t.Context(), id, keystore.ReasonCompromised)
	})
	require.ErrorIs(t, err, keystore.ErrRevoked)
	r, err := keys.Lookup(t.Context(), id)
	require.NoError(t, err)
	require.Empty(t, r.Name)
	require.Equal(t, keystore.ReasonCompromised, r.Revoked.Reason)
}

// A key must not stay alive because the reason or the name of who revokes it cannot be stored.
func TestMarks_AreCut(t *testing.T) {
	t.Parallel()
	store := newStub()
	keys := openKeys(t, store, keystore.Config{})
	long := strings.Repeat("é\x00", 200)
	id, text := issue(t, keys, spec)
	require.NoError(t, keys.Suspend(keystore.WithActor(t.Context(), long), id, keystore.Reason(long)))
	requireRefused(t, keys, text, keystore.OutcomeSuspended)
	require.NoError(t, keys.Revoke(keystore.WithActor(t.Context(), "a\r\nb"), id, "\xff"))
	requireRefused(t, keys, text, keystore.OutcomeRevoked)
	r, err := keys.Lookup(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("é ", 85)+"", r.Suspended.By[:255])
	require.Equal(t, "a  b", r.Revoked.By)
	require.Equal(t, keystore.Reason("\uFFFD"), r.Revoked.Reason)
}

// A record that somebody else's adapter filled with what we would refuse can be stopped all the same.
func TestRevoke_InvalidRecord(t *testing.T) {
	t.Parallel()
	store := newStub()
	keys := openKeys(t, store, keystore.Config{})
	id, text := issue(t, keys, spec)
	r, err := keys.Lookup(t.Context(), id)
	require.NoError(t, err)
	r.Name = "line\nbreak"
	require.NoError(t, store.Update(t.Context(), r))
	requireAccepted(t, keys, text)
	_, err = keys.Edit(t.Context(), id, func(r *keystore.Record) error { r.Owner += ""; r.Meta = map[string]string{"a": "b"}; return nil })
	require.ErrorIs(t, err, keystore.ErrInvalid)
	require.NoError(t, keys.Suspend(t.Context(), id, ""))
	requireRefused(t, keys, text, keystore.OutcomeSuspended)
	require.NoError(t, keys.Resume(t.Context(), id))
	require.NoError(t, keys.Revoke(t.Context(), id, ""))
	requireRefused(t, keys, text, keystore.OutcomeRevoked)
}

// A limit that a newer version wrote and this one does not ask for closes the door, and can be revoked.
func TestVerify_LimitThatIsNotEnforced(t *testing.T) {
	t.Parallel()
	store := newStub()
	keys := openKeys(t, store, keystore.Config{MaxStaleness: -1})
	id, text := issue(t, keys, spec)
	r, err := keys.Lookup(t.Context(), id)
	require.NoError(t, err)
	r.Limits.Rate.Requests = 1
	require.NoError(t, store.Update(t.Context(), r))
	_, err = keys.Verify(t.Context(), text)
	requireUnavailable(t, err)
	require.NoError(t, keys.Revoke(t.Context(), id, ""))
}

// VC6: nil means dead here, also where somebody else had revoked it already.
func TestVC6_RevokedElsewhere(t *testing.T) {
	t.Parallel()
	for desc, stop := range map[string]func(*keystore.Keys, context.Context, string) error{
		"revoke":  func(k *keystore.Keys, ctx context.Context, id string) error { return k.Revoke(ctx, id, "") },
		"suspend": func(k *keystore.Keys, ctx context.Context, id string) error { return k.Suspend(ctx, id, "") },
	} {
		store := newStub()
		keys := openKeys(t, store, keystore.Config{MaxStaleness: time.Hour})
		elsewhere := openKeys(t, store, keystore.Config{})
		id, text := issue(t, keys, spec)
		requireAccepted(t, keys, text)
		require.NoError(t, stop(elsewhere, t.Context(), id), desc)
		require.NoError(t, stop(keys, t.Context(), id), desc)
		_, err := keys.Verify(t.Context(), text)
		var refused *keystore.RefusedError
		require.ErrorAs(t, err, &refused, desc)
	}
}

func TestDelete_TakesAliasesAlong(t *testing.T) {
	t.Parallel()
	store := newStub()
	keys := openKeys(t, store, keystore.Config{AcceptForeign: true})
	key := importKey(t, keys, foreignText)
	other := importKey(t, keys, "x"+foreignText)
	for i := range 120 { // more than a page
		put(t, store, aliasID(foreignText+string(rune('a'+i))), key.ID, func(r *keystore.Record) { r.Kind = keystore.KindAlias })
	}
	put(t, store, "session", key.ID)
	requireAccepted(t, keys, foreignText)
	_, err := keys.Principal(t.Context(), "session")
	require.NoError(t, err)

	require.NoError(t, keys.Delete(t.Context(), key.ID))
	requireRefused(t, keys, foreignText, keystore.OutcomeUnknown)
	_, err = keys.Principal(t.Context(), "session")
	requireOutcome(t, err, keystore.OutcomeOrphaned)
	page, err := keys.List(t.Context(), keystore.Filter{Kind: keystore.KindAlias})
	require.NoError(t, err)
	require.Len(t, page.Records, 1, "the other key's")
	requireAccepted(t, keys, "x"+foreignText)
	_, err = keys.Lookup(t.Context(), other.ID)
	require.NoError(t, err)

	require.NoError(t, keys.Delete(t.Context(), key.ID), "deleting twice")
	require.NoError(t, keys.Delete(t.Context(), "nothing"))
}

// An id that no record can have is nothing, and no filter that matches every alias.
func TestDelete_OfNoID(t *testing.T) {
	t.Parallel()
	store := newStub()
	var told events
	keys := openKeys(t, store, keystore.Config{AcceptForeign: true, OnEvent: told.hear})
	importKey(t, keys, foreignText)
	for _, id := range []string{"", " ", "sk_live_"} {
		require.NoError(t, keys.Delete(t.Context(), id))
	}
	requireAccepted(t, keys, foreignText)
	require.Len(t, told.all(), 1)
}

func TestDelete_ThatFailsHalfWay(t *testing.T) {
	t.Parallel()
	store := newStub()
	keys := openKeys(t, store, keystore.Config{AcceptForeign: true})
	for _, verb := range []string{"delete", "list"} {
		key := importKey(t, keys, foreignText)
		left := 1
		store.bendWrites(func(_ context.Context, v, _ string, send func() error) error {
			if v == verb {
				if left--; left < 0 || verb == "list" {
					return errDown
				}
			}
			return send()
		})
		requireUnavailable(t, keys.Delete(t.Context(), key.ID))
		requireRefused(t, keys, foreignText, keystore.OutcomeOrphaned)
		store.bendWrites(nil)
		require.NoError(t, keys.Delete(t.Context(), key.ID), "and may be tried again")
		page, err := keys.List(t.Context(), keystore.Filter{})
		require.NoError(t, err)
		require.Empty(t, page.Records)
	}
}

func TestLookupAndList(t *testing.T) {
	t.Parallel()
	store, clock := newStub(), newClock()
	keys := openKeys(t, store, keystore.Config{Now: clock.Now})
	elsewhere := openKeys(t, store, keystore.Config{})
	var ids []string
	for range 3 {
		id, _ := issue(t, keys, spec)
		ids = append(ids, id)
		clock.move(time.Second)
	}
	_, err := keys.Principal(t.Context(), ids[0])
	require.NoError(t, err)
	require.NoError(t, elsewhere.Suspend(t.Context(), ids[0], ""))
	r, err := keys.Lookup(t.Context(), ids[0])
	require.NoError(t, err)
	require.False(t, r.Suspended.IsZero(), "past the cache")
	_, err = keys.Lookup(t.Context(), "nothing")
	require.ErrorIs(t, err, keystore.ErrNotFound)

	page, err := keys.List(t.Context(), keystore.Filter{Owner: "acme", Limit: 2})
	require.NoError(t, err)
	require.Equal(t, []string{ids[2], ids[1]}, []string{page.Records[0].ID, page.Records[1].ID})
	page, err = keys.List(t.Context(), keystore.Filter{Owner: "acme", After: page.Next})
	require.NoError(t, err)
	require.Equal(t, ids[0], page.Records[0].ID)

	for _, hook := range []writeHook{
		func(context.Context, string, string, func() error) error { return errDown },
		func(context.Context, string, string, func() error) error { panic("nil map") },
	} {
		store.bendWrites(hook)
		_, err = keys.List(t.Context(), keystore.Filter{})
		requireUnavailable(t, err)
		_, err = keys.RingUse(t.Context())
		requireUnavailable(t, err)
	}
	for _, hook := range []lookupHook{down, func(context.Context, string, func() (keystore.Record, error)) (keystore.Record, error) {
		panic("nil map")
	}} {
		store.bend(hook)
		_, err = keys.Lookup(t.Context(), ids[0])
		requireUnavailable(t, err)
	}
}

func TestRingUse(t *testing.T) {
	t.Parallel()
	ring, err := keystore.ParseRing("a:" + keystore.GenerateSecret().Reveal())
	require.NoError(t, err)
	store := newStub()
	plain, ringed := openKeys(t, store, keystore.Config{}), openKeys(t, store, keystore.Config{Ring: ring})
	for range 3 {
		issue(t, ringed, spec)
	}
	issue(t, plain, spec)
	importKey(t, ringed, foreignText)
	counts, err := plain.RingUse(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string]int{"a": 3, "": 2}, counts)
}

// A second import of a text leaves the first alone, also within the same microsecond.
func TestImport_TwiceAtOnce(t *testing.T) {
	t.Parallel()
	clock := newClock()
	keys := openKeys(t, newStub(), keystore.Config{Now: clock.Now, AcceptForeign: true})
	text := aliasID("twice")[len("sha256:"):]
	first := importKey(t, keys, text)
	_, err := keys.Import(t.Context(), spec, keystore.NewSecret(text))
	require.ErrorIs(t, err, keystore.ErrExists)
	require.Equal(t, first.ID, requireAccepted(t, keys, text).KeyID())
	page, err := keys.List(t.Context(), keystore.Filter{})
	require.NoError(t, err)
	require.Len(t, page.Records, 2, "the second key is taken back")
}

// A secret that another process added is not refused for MaxStaleness.
func TestVerify_SecretAddedElsewhere(t *testing.T) {
	t.Parallel()
	store := newStub()
	keys := openKeys(t, store, keystore.Config{MaxStaleness: time.Hour})
	id, text := issue(t, keys, spec)
	r, err := keys.Lookup(t.Context(), id)
	require.NoError(t, err)
	good := r.Secrets[0].Hash
	r.Secrets[0].Hash = "$none"
	require.NoError(t, store.Update(t.Context(), r))
	_, err = keys.Principal(t.Context(), id) // the record is remembered without the secret
	require.NoError(t, err)
	r.Version++
	r.Secrets[0].Hash = good
	require.NoError(t, store.Update(t.Context(), r))
	requireAccepted(t, keys, text)
}

// A foreign text that is no key of ours may be another verifier's, and its digest is in no log.
func TestVerify_UnknownForeign(t *testing.T) {
	t.Parallel()
	keys := openKeys(t, newStub(), keystore.Config{AcceptForeign: true})
	for range 2 { // the second time from memory
		_, err := keys.Verify(t.Context(), "at_opaque-token-of-another")
		require.ErrorIs(t, err, keystore.ErrUnrecognized)
		var refused *keystore.RefusedError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, keystore.OutcomeUnknown, refused.Outcome)
		require.Empty(t, refused.KeyID)
	}
}

// Whether a principal of a foreign verifier is alive is asked at the door.
func TestAdmit_ForeignPrincipalIsAlive(t *testing.T) {
	t.Parallel()
	clock := newClock()
	keys := openKeys(t, newStub(), keystore.Config{Now: clock.Now})
	a := access("claims:read")
	r := keystore.Record{
		Kind: keystore.KindAPIKey, Env: keystore.EnvLive, Expires: clock.Now().Add(time.Minute),
		Scopes: scopes.MustSet("claims:read"),
	}
	require.NoError(t, admit(t, keys, keystore.NewPrincipal(r), &a))
	clock.move(time.Minute)
	var refused *keystore.RefusedError
	require.ErrorAs(t, admit(t, keys, keystore.NewPrincipal(r), &a), &refused)
	require.Equal(t, keystore.OutcomeExpired, refused.Outcome)
}

// T-033: Keys neither refresh nor count what other Keys made, also where an id is the same in both stores.
func TestT033_PrincipalOfOtherKeys(t *testing.T) {
	t.Parallel()
	mine, theirs := &metered{stub: newStub()}, &metered{stub: newStub()}
	keys, others := openKeys(t, mine, keystore.Config{}), openKeys(t, theirs, keystore.Config{})
	id, text := issue(t, others, spec)
	r, err := others.Lookup(t.Context(), id)
	require.NoError(t, err)
	r.Owner = "somebody else"
	require.NoError(t, mine.Insert(t.Context(), r, keystore.Quota{}))

	p := requireAccepted(t, others, text)
	q, err := keys.Refresh(t.Context(), p)
	require.NoError(t, err)
	require.Same(t, p, q)
	a := access("claims:read")
	require.NoError(t, admit(t, keys, q, &a))
	used, err := keys.Usage(t.Context(), id)
	require.NoError(t, err)
	require.Empty(t, used)
	used, err = others.Usage(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, used, 1)
}
