package keystore_test

import (
	"context"
	"maps"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/scopes"
)

func TestPrincipal_SaysWhoTheRequestIs(t *testing.T) {
	t.Parallel()
	store, clock := newStub(), newClock()
	keys := openKeys(t, store, keystore.Config{Now: clock.Now})
	soon, later := clock.Now().Add(time.Minute), clock.Now().Add(time.Hour)
	id, text := issue(t, keys, keystore.Spec{
		Owner: "acme", Name: "nightly", Type: "ucd", Env: keystore.EnvTest, Expires: soon,
		Scopes: []scopes.Scope{"claims:*"}, Meta: map[string]string{"team": "blue"},
	})
	p := requireAccepted(t, keys, text)
	require.Equal(t, keystore.KindAPIKey, p.Kind())
	require.Equal(t, id, p.KeyID())
	require.Empty(t, p.Session())
	require.Equal(t, "acme", p.Owner())
	require.Equal(t, "nightly", p.Name())
	require.Equal(t, "ucd", p.Type())
	require.Equal(t, keystore.EnvTest, p.Env())
	require.Equal(t, scopes.MustSet("claims:*"), p.Scopes())
	require.True(t, p.Allows("claims:read"))
	require.False(t, p.Allows("users:read"))
	require.False(t, p.Allows("claims:*"))
	require.Equal(t, soon, p.Expires())
	team, ok := p.Meta("team")
	require.True(t, ok)
	require.Equal(t, "blue", team)
	_, ok = p.Meta("colour")
	require.False(t, ok)
	require.Equal(t, map[string]string{"team": "blue"}, maps.Collect(p.AllMeta()))

	put(t, store, "session", id, func(r *keystore.Record) { r.Owner, r.Expires, r.Scopes = "ann", later, scopes.FullAccess() })
	s, err := keys.Principal(t.Context(), "session")
	require.NoError(t, err)
	require.Equal(t, keystore.KindSession, s.Kind())
	require.Equal(t, id, s.KeyID(), "the key stands behind the session")
	require.Equal(t, "session", s.Session())
	require.Equal(t, "ann", s.Owner())
	require.Equal(t, soon, s.Expires(), "a session ends with its key")
	require.True(t, s.Allows("claims:read"))
	require.False(t, s.Allows("users:read"), "its parent was not granted that")
}

// T-041: whatever ends a parent ends what hangs on it, at any height, and names the record that refuses.
func TestT041_AParentTakesItsChildrenAlong(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		desc string
		do   func(t *testing.T, keys *keystore.Keys, clock *clock, id string)
		want keystore.Outcome
	}{
		{"suspended", func(t *testing.T, keys *keystore.Keys, _ *clock, id string) {
			require.NoError(t, keys.Suspend(t.Context(), id, ""))
		}, keystore.OutcomeSuspended},
		{"revoked", func(t *testing.T, keys *keystore.Keys, _ *clock, id string) {
			require.NoError(t, keys.Revoke(t.Context(), id, ""))
		}, keystore.OutcomeRevoked},
		{"deleted", func(t *testing.T, keys *keystore.Keys, _ *clock, id string) {
			require.NoError(t, keys.Delete(t.Context(), id))
		}, keystore.OutcomeOrphaned},
		{"not yet valid", func(t *testing.T, keys *keystore.Keys, clock *clock, id string) {
			_, err := keys.Edit(t.Context(), id, func(r *keystore.Record) error {
				r.NotBefore = clock.Now().Add(time.Microsecond)
				return nil
			})
			require.NoError(t, err)
		}, keystore.OutcomeNotYetValid},
		{"expired", func(t *testing.T, keys *keystore.Keys, clock *clock, id string) {
			_, err := keys.Edit(t.Context(), id, func(r *keystore.Record) error {
				r.Expires = clock.Now().Add(time.Second)
				return nil
			})
			require.NoError(t, err)
			clock.move(time.Second)
		}, keystore.OutcomeExpired},
	} {
		for height, id := range []string{"one", "two", "three"} {
			t.Run(tt.desc+"/"+id, func(t *testing.T) {
				t.Parallel()
				store, clock := newStub(), newClock()
				keys := openKeys(t, store, keystore.Config{Now: clock.Now})
				put(t, store, "three", "")
				put(t, store, "two", "three")
				put(t, store, "one", "two")
				put(t, store, "zero", "one")
				_, err := keys.Principal(t.Context(), "zero")
				require.NoError(t, err)
				tt.do(t, keys, clock, id)
				_, err = keys.Principal(t.Context(), "zero")
				requireOutcome(t, err, tt.want)
				refuses := id
				if tt.want == keystore.OutcomeOrphaned {
					refuses = []string{"zero", "one", "two"}[height]
				}
				require.Equal(t, refuses, err.(*keystore.RefusedError).KeyID)
			})
		}
	}
}

func TestParents_Chain(t *testing.T) {
	t.Parallel()
	store := newStub()
	keys := openKeys(t, store, keystore.Config{})
	put(t, store, "top", "")
	for parent := "top"; len(parent) < len("top")+4; parent += "x" {
		put(t, store, parent+"x", parent)
	}
	for _, id := range []string{"top", "topx", "topxx", "topxxx"} {
		_, err := keys.Principal(t.Context(), id)
		require.NoError(t, err, "up to three parents")
	}
	_, err := keys.Principal(t.Context(), "topxxxx")
	requireUnavailable(t, err)

	put(t, store, "self", "self")
	put(t, store, "hen", "egg")
	put(t, store, "egg", "hen")
	for _, id := range []string{"self", "hen"} {
		_, err := keys.Principal(t.Context(), id)
		requireUnavailable(t, err)
	}
	put(t, store, "orphan", "nobody")
	_, err = keys.Principal(t.Context(), "orphan")
	require.Equal(t, &keystore.RefusedError{Outcome: keystore.OutcomeOrphaned, KeyID: "orphan", Owner: "acme"}, err)
	_, err = keys.Principal(t.Context(), "nobody")
	require.Equal(t, &keystore.RefusedError{Outcome: keystore.OutcomeUnknown, KeyID: "nobody"}, err)
}

// What hangs on one secret of a key dies with that secret, not with the other.
func TestParents_Secret(t *testing.T) {
	t.Parallel()
	store, clock := newStub(), newClock()
	keys := openKeys(t, store, keystore.Config{Now: clock.Now})
	key := func(secrets ...keystore.StoredSecret) func(*keystore.Record) {
		return func(r *keystore.Record) { r.Kind, r.Secrets = keystore.KindAPIKey, secrets }
	}
	on := func(n uint32) func(*keystore.Record) { return func(r *keystore.Record) { r.ParentSecret = n } }
	put(t, store, "key", "", key(
		keystore.StoredSecret{N: 3, Hash: "$none"},
		keystore.StoredSecret{N: 2, Hash: "$none", Expires: clock.Now().Add(time.Second)},
	))
	for id, n := range map[string]uint32{"on1": 1, "on2": 2, "on3": 3, "onAny": 0} {
		put(t, store, id, "key", on(n))
	}
	principal := func(id string) error { _, err := keys.Principal(t.Context(), id); return err }
	require.NoError(t, principal("on2"))
	require.NoError(t, principal("on3"))
	require.NoError(t, principal("onAny"))
	requireOutcome(t, principal("on1"), keystore.OutcomeOrphaned)
	clock.move(time.Second)
	requireOutcome(t, principal("on2"), keystore.OutcomeExpired)
	require.NoError(t, principal("on3"))
	require.NoError(t, principal("onAny"))
}

// DESIGN §3: an alias is its key by another name, wherever it stands in a chain.
func TestAlias_IsItsKeyByAnotherName(t *testing.T) {
	t.Parallel()
	store := newStub()
	keys := openKeys(t, store, keystore.Config{AcceptForeign: true})
	key := importKey(t, keys, foreignText)
	alias := aliasID(foreignText)
	p := requireAccepted(t, keys, foreignText)
	require.Equal(t, key.ID, p.KeyID())
	require.Equal(t, keystore.KindAPIKey, p.Kind())
	require.True(t, p.Allows("claims:read"))

	put(t, store, "narrow", alias)
	s, err := keys.Principal(t.Context(), "narrow")
	require.NoError(t, err)
	require.Equal(t, "narrow", s.Session(), "a session on an alias remains the session")
	require.False(t, s.Allows("claims:read"), "and is granted no more than itself")
}

func TestAlias_DiesWithItsKeyAndWithTheSecretItStandsFor(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		desc string
		bend func(*keystore.Record)
		want keystore.Outcome
	}{
		{"secret replaced", func(r *keystore.Record) { r.Secrets[0].N = 2 }, keystore.OutcomeOrphaned},
		{"secrets removed", func(r *keystore.Record) { r.Secrets = nil }, keystore.OutcomeOrphaned},
		{"secret rotated, still in its overlap", func(r *keystore.Record) {
			r.Secrets = append([]keystore.StoredSecret{{N: 2, Hash: "$none"}}, r.Secrets...)
			r.Secrets[1].Expires = time.Now().Add(time.Hour)
		}, ""},
		{"secret expired", func(r *keystore.Record) { r.Secrets[0].Expires = time.Now().Add(-time.Hour) }, keystore.OutcomeExpired},
		{"key revoked", func(r *keystore.Record) { r.Revoked.At = time.Now() }, keystore.OutcomeRevoked},
		{"key expired", func(r *keystore.Record) { r.Expires = time.Now().Add(-time.Hour) }, keystore.OutcomeExpired},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			t.Parallel()
			store := newStub()
			keys := openKeys(t, store, keystore.Config{AcceptForeign: true, MaxStaleness: -1})
			key := importKey(t, keys, foreignText)
			requireAccepted(t, keys, foreignText)
			store.bend(func(_ context.Context, id string, ask func() (keystore.Record, error)) (keystore.Record, error) {
				r, err := ask()
				if id == key.ID {
					tt.bend(&r)
				}
				return r, err
			})
			if tt.want == "" {
				requireAccepted(t, keys, foreignText)
				return
			}
			requireRefused(t, keys, foreignText, tt.want)
		})
	}
}

// A proof by digest holds only as long as what stands under the digest can be proven so.
func TestAlias_DigestThatBecomesSomethingElse(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		desc string
		bend func(*keystore.Record)
	}{
		{"a session", func(r *keystore.Record) { r.Kind = keystore.KindSession }},
		{"a client", func(r *keystore.Record) { r.Kind = keystore.KindClient }},
		{"an alias of nothing", func(r *keystore.Record) { r.Kind = keystore.KindAlias }},
		{"a key with a secret", func(r *keystore.Record) { r.Secrets = []keystore.StoredSecret{{N: 1, Hash: "$none"}} }},
	} {
		store := newStub()
		keys := openKeys(t, store, keystore.Config{AcceptForeign: true, MaxStaleness: -1})
		put(t, store, aliasID(foreignText), "", func(r *keystore.Record) { r.Kind = keystore.KindAPIKey })
		requireAccepted(t, keys, foreignText)
		store.bend(func(_ context.Context, _ string, ask func() (keystore.Record, error)) (keystore.Record, error) {
			r, err := ask()
			tt.bend(&r)
			return r, err
		})
		requireRefused(t, keys, foreignText, keystore.OutcomeUnknown)
	}
}

// T-142: nothing that comes out leads back to what the next request is judged by, and nothing that went in does.
func TestT142_WhatComesOutIsTheCallersOwn(t *testing.T) {
	t.Parallel()
	keys := openKeys(t, newStub(), keystore.Config{})
	networks, meta := prefixes("192.0.2.0/24"), map[string]string{"team": "blue"}
	granted := []scopes.Scope{"claims:read"}
	given := keystore.Spec{
		Owner: "acme", Scopes: granted, Meta: meta,
		Limits: keystore.Limits{Networks: networks, Audiences: []string{"claims"}, Methods: []string{"GET"}},
	}
	issued, err := keys.Issue(t.Context(), given)
	require.NoError(t, err)
	id, text := issued.Record.ID, issued.Credential.Reveal()
	p := requireAccepted(t, keys, text)

	spoil := func(r keystore.Record) {
		r.Limits.Networks[0] = netip.MustParsePrefix("0.0.0.0/0")
		r.Limits.Audiences[0], r.Limits.Methods[0] = "all", "DELETE"
		r.Secrets[0] = keystore.StoredSecret{N: 1, Hash: "$none"}
		r.Meta["team"] = "red"
		if list := r.Scopes.Scopes(); len(list) > 0 {
			list[0] = "admin:all"
		}
	}
	spoil(issued.Record)
	require.Equal(t, prefixes("192.0.2.0/24"), networks, "the caller's own spec")
	require.Equal(t, map[string]string{"team": "blue"}, meta)
	networks[0], meta["team"], granted[0] = netip.MustParsePrefix("0.0.0.0/0"), "green", "admin:all"

	looked, err := keys.Lookup(t.Context(), id)
	require.NoError(t, err)
	spoil(looked)
	page, err := keys.List(t.Context(), keystore.Filter{})
	require.NoError(t, err)
	spoil(page.Records[0])
	p.Scopes().Scopes()[0] = "admin:all"
	maps.Collect(p.AllMeta())["team"] = "red"
	var kept *keystore.Record
	edited, err := keys.Edit(t.Context(), id, func(r *keystore.Record) error {
		r.Name, kept = "renamed", r
		return nil
	})
	require.NoError(t, err)
	spoil(edited)
	spoil(*kept)

	for _, p := range []*keystore.Principal{p, requireAccepted(t, keys, text)} {
		a := access("claims:read")
		require.NoError(t, admit(t, keys, p, &a))
		a.Remote = netip.MustParseAddr("198.51.100.1")
		requireOutcome(t, admit(t, keys, p, &a), keystore.OutcomeNetworkRefused)
		team, _ := p.Meta("team")
		require.Equal(t, "blue", team)
		require.False(t, p.Allows("admin:all"))
	}
}

func TestNewPrincipal_IsTheCallersOwn(t *testing.T) {
	t.Parallel()
	r := limited(keystore.Limits{Audiences: []string{"claims"}})
	r.Meta = map[string]string{"team": "blue"}
	p := keystore.NewPrincipal(r)
	r.Limits.Audiences[0], r.Meta["team"] = "other", "red"
	a := access("claims:read")
	require.NoError(t, p.Check(&a))
	team, _ := p.Meta("team")
	require.Equal(t, "blue", team)

	keys := openKeys(t, &metered{stub: newStub()}, keystore.Config{})
	same, err := keys.Refresh(t.Context(), p)
	require.NoError(t, err)
	require.Same(t, p, same, "no store has it")
	require.NoError(t, admit(t, keys, p, &a))
	used, err := keys.Usage(t.Context(), r.ID)
	require.NoError(t, err)
	require.Empty(t, used)
}
