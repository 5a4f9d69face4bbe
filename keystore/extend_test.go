package keystore_test

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/scopes"
)

// session is a record as keystore/tokens draws it up.
func session(id, parent string) keystore.Record {
	return keystore.Record{
		ID: id, Kind: keystore.KindSession, Parent: parent, Owner: "acme", Type: parent, Env: keystore.EnvLive,
		Generation: keystore.Generation{N: 1, Lowest: 1, Seed: []byte("0123456789abcdef")},
	}
}

func TestCreate(t *testing.T) {
	t.Parallel()
	store, clock, told := newStub(), newClock(), &events{}
	keys := openKeys(t, store, keystore.Config{Now: clock.Now, OnEvent: told.hear, RemindInterval: -1})
	ann := keystore.WithActor(t.Context(), "ann")
	drawn := session("session:1", "")
	created, err := keys.Create(ann, drawn, keystore.Quota{Max: 1, Now: clock.Now()})
	require.NoError(t, err)
	stored, err := keys.Lookup(t.Context(), "session:1")
	require.NoError(t, err)
	require.Equal(t, stored, created)
	require.Equal(t, []any{clock.Now(), "ann", uint64(clock.Now().UnixMicro())}, []any{stored.Created, stored.CreatedBy, stored.Version})
	drawn.Generation.Seed[0] = 'x'
	require.Equal(t, stored, created, "the caller's slices stay his own")
	require.Equal(t, []keystore.EventType{keystore.EventIssued}, types(told))

	// KS7: one that exists is told from a full quota, whichever the store says.
	_, err = keys.Create(ann, session("session:1", ""), keystore.Quota{Max: 1, Now: clock.Now()})
	require.ErrorIs(t, err, keystore.ErrExists)
	_, err = keys.Create(ann, session("session:2", ""), keystore.Quota{Max: 1, Now: clock.Now()})
	require.ErrorIs(t, err, keystore.ErrQuota)
	require.Equal(t, []keystore.EventType{keystore.EventIssued, keystore.EventQuotaRefused}, types(told))
	store.bend(down)
	_, err = keys.Create(ann, session("session:2", ""), keystore.Quota{Max: 1, Now: clock.Now()})
	requireUnavailable(t, err)
	store.bend(nil)

	later := session("session:3", "")
	later.Version = stored.Version + 7
	created, err = keys.Create(ann, later, keystore.Quota{})
	require.NoError(t, err)
	require.Equal(t, stored.Version+7, created.Version, "an id that is used again repeats no version, whatever the clock says")

	for desc, r := range map[string]keystore.Record{
		"a key": {ID: "k", Kind: keystore.KindAPIKey, Env: "live"}, "an alias": {ID: "sha256:1", Kind: keystore.KindAlias, Env: "live"},
		"no kind": {ID: "k", Env: "live"}, "no env": {ID: "k", Kind: keystore.KindSession}, "no id": {Kind: keystore.KindSession, Env: "live"},
	} {
		_, err := keys.Create(ann, r, keystore.Quota{})
		require.ErrorIs(t, err, keystore.ErrInvalid, desc)
	}
	_, err = openKeys(t, readOnly{store}, keystore.Config{}).Create(ann, session("session:4", ""), keystore.Quota{})
	require.ErrorIs(t, err, keystore.ErrReadOnly)
}

func types(e *events) (all []keystore.EventType) {
	for _, event := range e.all() {
		all = append(all, event.Type)
	}
	return all
}

func TestDiscard(t *testing.T) {
	t.Parallel()
	store, told := newStub(), &events{}
	keys := openKeys(t, store, keystore.Config{OnEvent: told.hear, RemindInterval: -1})
	old, err := keys.Create(t.Context(), session("session:1", ""), keystore.Quota{})
	require.NoError(t, err)
	_, err = keys.Principal(t.Context(), old.ID)
	require.NoError(t, err)
	fresh, err := keys.Edit(t.Context(), old.ID, func(r *keystore.Record) error { r.Name = "x"; return nil })
	require.NoError(t, err)
	told.told = nil
	require.ErrorIs(t, keys.Discard(t.Context(), old), keystore.ErrConflict)
	require.NoError(t, keys.Discard(t.Context(), fresh))
	_, err = keys.Principal(t.Context(), old.ID)
	requireOutcome(t, err, keystore.OutcomeUnknown)
	require.NoError(t, keys.Discard(t.Context(), fresh), "twice is nothing")
	require.Empty(t, told.all())
	require.ErrorIs(t, openKeys(t, readOnly{store}, keystore.Config{}).Discard(t.Context(), fresh), keystore.ErrReadOnly)
	store.bendWrites(func(_ context.Context, _, _ string, _ func() error) error { return errDown })
	requireUnavailable(t, keys.Discard(t.Context(), fresh))
}

func TestPrincipal_Record(t *testing.T) {
	t.Parallel()
	keys, other := openKeys(t, newStub(), keystore.Config{AcceptForeign: true}), openKeys(t, newStub(), keystore.Config{})
	issued, text := issueRecord(t, keys, spec)
	p := requireAccepted(t, keys, text)
	r, secret := p.Record()
	require.Equal(t, issued, r)
	require.EqualValues(t, 1, secret)
	r.Secrets[0].Hash = "changed" // T-142
	again, _ := p.Record()
	require.Equal(t, issued, again)

	imported := importKey(t, keys, foreignText)
	r, secret = requireAccepted(t, keys, foreignText).Record()
	require.Equal(t, imported.ID, r.ID)
	require.EqualValues(t, 1, secret)

	require.True(t, keys.Knows(p))
	for _, stranger := range []*keystore.Principal{nil, {}, keystore.NewPrincipal(issued), requireAccepted(t, other, second(issue(t, other, spec)))} {
		require.False(t, keys.Knows(stranger))
	}
	r, secret = (*keystore.Principal)(nil).Record()
	require.Equal(t, keystore.Record{}, r)
	require.Zero(t, secret)
}

func second(_, text string) string { return text }

// What people and apps say of a key holds for its tokens; they are asked about the key, and not about the session.
func TestPrincipal_OfAToken(t *testing.T) {
	t.Parallel()
	keys := openKeys(t, newStub(), keystore.Config{})
	key, _ := issue(t, keys, keystore.Spec{Owner: "acme", Name: "nightly", Type: "ucd", Meta: map[string]string{"tier": "gold"}})
	drawn := session("session:1", key)
	drawn.Name, drawn.Scopes = "app", scopes.MustSet("claims:read")
	_, err := keys.Create(t.Context(), drawn, keystore.Quota{})
	require.NoError(t, err)
	p, err := keys.Principal(t.Context(), "session:1")
	require.NoError(t, err)
	tier, _ := p.Meta("tier")
	require.Equal(t, []string{key, "nightly", "ucd", "gold", "session:1"}, []string{p.KeyID(), p.Name(), p.Type(), tier, p.Session()})
	for name, value := range p.AllMeta() {
		require.Equal(t, []string{"tier", "gold"}, []string{name, value})
	}
}

// T-119: asking again costs nothing as long as nothing was read again, and tells of the same within MaxStaleness.
func TestRecheck(t *testing.T) {
	t.Parallel()
	store, clock := newStub(), newClock()
	keys := openKeys(t, store, keystore.Config{Now: clock.Now, AcceptForeign: true})
	id, text := issue(t, keys, spec)
	imported := importKey(t, keys, foreignText)
	for _, row := range []struct{ id, text string }{{id, text}, {imported.ID, foreignText}} {
		p := requireAccepted(t, keys, row.text)
		lookups := store.lookups.Load()
		clock.move(5*time.Second - time.Microsecond)
		for range 3 {
			same, err := keys.Recheck(t.Context(), p)
			require.NoError(t, err)
			require.Same(t, p, same)
		}
		require.Equal(t, lookups, store.lookups.Load())
		require.NoError(t, elsewhere(t, store).Suspend(t.Context(), row.id, ""))
		_, err := keys.Recheck(t.Context(), p)
		require.NoError(t, err)
		clock.move(time.Microsecond)
		_, err = keys.Recheck(t.Context(), p)
		requireOutcome(t, err, keystore.OutcomeSuspended)
		require.NoError(t, keys.Resume(t.Context(), row.id))
		p, err = keys.Recheck(t.Context(), p)
		require.NoError(t, err)
		require.NoError(t, keys.Revoke(t.Context(), row.id, ""))
		_, err = keys.Recheck(t.Context(), p)
		requireOutcome(t, err, keystore.OutcomeRevoked)
	}
	_, err := keys.Recheck(t.Context(), nil)
	requireOutcome(t, err, keystore.OutcomeMissing)
	foreign := keystore.NewPrincipal(keystore.Record{Owner: "ann"})
	same, err := keys.Recheck(t.Context(), foreign)
	require.NoError(t, err)
	require.Same(t, foreign, same)

	always := openKeys(t, store, keystore.Config{Now: clock.Now, MaxStaleness: -1})
	p := requireAccepted(t, always, second(issue(t, always, spec)))
	lookups := store.lookups.Load()
	_, err = always.Recheck(t.Context(), p)
	require.NoError(t, err)
	require.Equal(t, lookups+1, store.lookups.Load())
}

// A session that has ended is dead by any clock, and one that began anew under its id is another.
func TestEndedSession(t *testing.T) {
	t.Parallel()
	told := &events{}
	keys := openKeys(t, newStub(), keystore.Config{OnEvent: told.hear, RemindInterval: -1})
	r, err := keys.Create(t.Context(), session("session:1", ""), keystore.Quota{})
	require.NoError(t, err)
	p, err := keys.Principal(t.Context(), r.ID)
	require.NoError(t, err)
	ended, err := keys.Edit(t.Context(), r.ID, func(r *keystore.Record) error {
		r.Generation.Lowest, r.Generation.Seed = 2, []byte("another")
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, []keystore.EventType{keystore.EventIssued, keystore.EventEnded}, types(told))
	_, err = keys.Principal(t.Context(), r.ID)
	requireOutcome(t, err, keystore.OutcomeRevoked)
	ended.Generation.N = 2
	require.NoError(t, keys.Discard(t.Context(), ended))
	_, err = keys.Create(t.Context(), ended, keystore.Quota{})
	require.NoError(t, err)
	_, err = keys.PrincipalNow(t.Context(), r.ID)
	require.NoError(t, err)
	for _, ask := range []func(context.Context, *keystore.Principal) (*keystore.Principal, error){keys.Recheck, keys.Refresh} {
		_, err = ask(t.Context(), p)
		requireOutcome(t, err, keystore.OutcomeRevoked)
	}
}

func TestPrincipalNow(t *testing.T) {
	t.Parallel()
	store := newStub()
	keys := openKeys(t, store, keystore.Config{})
	id, _ := issue(t, keys, spec)
	_, err := keys.Principal(t.Context(), id)
	require.NoError(t, err)
	require.NoError(t, elsewhere(t, store).Suspend(t.Context(), id, ""))
	_, err = keys.Principal(t.Context(), id)
	require.NoError(t, err)
	_, err = keys.PrincipalNow(t.Context(), id)
	requireOutcome(t, err, keystore.OutcomeSuspended)
}

func TestFault(t *testing.T) {
	t.Parallel()
	told := make(chan keystore.Event, 1)
	keys := openKeys(t, newStub(), keystore.Config{RemindInterval: -1, OnEvent: func(_ context.Context, e keystore.Event) { told <- e }})
	keys.Fault(t.Context(), errors.New("pruning: connection refused"))
	event := <-told
	require.Equal(t, keystore.EventFault, event.Type)
	require.EqualError(t, event.Err, "pruning: connection refused")
}

// What is derived for others is no key of ours, and says nothing of the secret.
func TestRing_Derive(t *testing.T) {
	t.Parallel()
	keys := openKeys(t, newStub(), keystore.Config{Ring: ring(t, "b", "a")})
	seen := map[string]bool{}
	for _, purpose := range []string{"", "hash", "tokens", "token"} {
		derived, err := keys.Ring().Derive(purpose)
		require.NoError(t, err)
		require.Len(t, derived, 2)
		require.Equal(t, []string{"b", "a"}, []string{derived[0].Name, derived[1].Name})
		for i, letter := range []string{"b", "a"} {
			key := derived[i].Key.Reveal()
			require.Len(t, key, 32)
			want, err := hkdf.Key(sha256.New, []byte(strings.Repeat(letter, 32)), nil, "claviger v1 for "+purpose, 32)
			require.NoError(t, err)
			require.Equal(t, string(want), key)
			hashing, err := hkdf.Key(sha256.New, []byte(strings.Repeat(letter, 32)), nil, "claviger v1 hash", 32)
			require.NoError(t, err)
			require.NotEqual(t, string(hashing), key)
			require.False(t, seen[key])
			seen[key] = true
		}
		require.NotContains(t, fmt.Sprintf("%v %+v %#v", derived, derived, derived), derived[0].Key.Reveal())
	}
	none, err := openKeys(t, newStub(), keystore.Config{}).Ring().Derive("tokens")
	require.NoError(t, err)
	require.Empty(t, none)
}
