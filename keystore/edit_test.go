package keystore_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/scopes"
)

// Each field of a Record is either editable or immutable; a new one has to be put into one of these lists.
func TestEdit_EveryFieldIsEditableOrImmutable(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, time.November, 22, 3, 0, 0, 0, time.UTC)
	editable := map[string]func(*keystore.Record){
		"Name":       func(r *keystore.Record) { r.Name = "renamed" },
		"Scopes":     func(r *keystore.Record) { r.Scopes = scopes.MustSet("users:read") },
		"Limits":     func(r *keystore.Record) { r.Limits.ServerOnly = true },
		"NotBefore":  func(r *keystore.Record) { r.NotBefore = now },
		"Expires":    func(r *keystore.Record) { r.Expires = now.AddDate(1, 0, 0) },
		"Suspended":  func(r *keystore.Record) { r.Suspended = keystore.Mark{At: now, Reason: keystore.ReasonMisuse} },
		"Revoked":    func(r *keystore.Record) { r.Revoked = keystore.Mark{At: now} },
		"Client":     func(r *keystore.Record) { r.Client.Public = true },
		"Grant":      func(r *keystore.Record) { r.Grant.Challenge = "x" },
		"Generation": func(r *keystore.Record) { r.Generation = keystore.Generation{N: 2, Seed: []byte{1}} },
		"Meta":       func(r *keystore.Record) { r.Meta = map[string]string{"team": "red"} },
	}
	immutable := map[string][]func(*keystore.Record){
		"ID":           {func(r *keystore.Record) { r.ID += "x" }},
		"Version":      {func(r *keystore.Record) { r.Version++ }},
		"Op":           {func(r *keystore.Record) { r.Op = "0000000000000000" }},
		"Kind":         {func(r *keystore.Record) { r.Kind = keystore.KindClient }},
		"Parent":       {func(r *keystore.Record) { r.Parent = "other" }},
		"ParentSecret": {func(r *keystore.Record) { r.ParentSecret++ }},
		"Owner":        {func(r *keystore.Record) { r.Owner = "other" }},
		"Type":         {func(r *keystore.Record) { r.Type = "other" }},
		"Env":          {func(r *keystore.Record) { r.Env = keystore.EnvTest }},
		"Created":      {func(r *keystore.Record) { r.Created = now }},
		"Reminded":     {func(r *keystore.Record) { r.Reminded.Due = 7 }},
		"CreatedBy":    {func(r *keystore.Record) { r.CreatedBy = "other" }},
		"Secrets": {
			func(r *keystore.Record) { r.Secrets = nil },
			func(r *keystore.Record) { r.Secrets = append(r.Secrets, keystore.StoredSecret{N: 2, Hash: "$none"}) },
			func(r *keystore.Record) { r.Secrets[0].N = 2 },
			func(r *keystore.Record) { r.Secrets[0].Hash = "$none" },
			func(r *keystore.Record) { r.Secrets[0].Created = now },
			func(r *keystore.Record) { r.Secrets[0].Expires = now },
		},
	}
	for field := range reflect.TypeFor[keystore.Record]().Fields() {
		t.Run(field.Name, func(t *testing.T) {
			t.Parallel()
			store := newStub()
			keys := openKeys(t, store, keystore.Config{})
			id, _ := issue(t, keys, spec)
			before, err := keys.Lookup(t.Context(), id)
			require.NoError(t, err)
			value := func(r keystore.Record) any { return reflect.ValueOf(r).FieldByIndex(field.Index).Interface() }

			change, ok := editable[field.Name]
			if ok {
				want := before
				change(&want)
				after, err := keys.Edit(t.Context(), id, func(r *keystore.Record) error { change(r); return nil })
				require.NoError(t, err)
				require.Equal(t, value(want), value(after))
				require.NotEqual(t, value(before), value(after))
				require.Equal(t, before.Version+1, after.Version)
				require.NotEqual(t, before.Op, after.Op)
				stored, err := keys.Lookup(t.Context(), id)
				require.NoError(t, err)
				require.Equal(t, after, stored)
				return
			}
			require.Contains(t, immutable, field.Name, "neither editable nor immutable")
			for _, change := range immutable[field.Name] {
				_, err := keys.Edit(t.Context(), id, func(r *keystore.Record) error { change(r); return nil })
				require.ErrorIs(t, err, keystore.ErrImmutable)
				require.ErrorContains(t, err, field.Name)
			}
			after, err := keys.Lookup(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, before, after)
		})
	}
}

func TestEdit_32AtOnceAllLand(t *testing.T) {
	t.Parallel()
	keys := openKeys(t, newStub(), keystore.Config{})
	id, text := issue(t, keys, spec)
	var group sync.WaitGroup
	for i := range 32 {
		group.Go(func() {
			_, err := keys.Edit(t.Context(), id, func(r *keystore.Record) error {
				if r.Meta == nil {
					r.Meta = map[string]string{}
				}
				r.Meta[fmt.Sprint(i)] = "here"
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			if _, err := keys.Verify(t.Context(), text); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	r, err := keys.Lookup(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, r.Meta, 32)
}

func TestEdit_GivesUpAtLast(t *testing.T) {
	t.Parallel()
	store := newStub()
	keys := openKeys(t, store, keystore.Config{})
	id, _ := issue(t, keys, spec)
	store.bendWrites(func(context.Context, string, string, func() error) error { return keystore.ErrConflict })
	calls := 0
	_, err := keys.Edit(t.Context(), id, func(*keystore.Record) error { calls++; return nil })
	require.ErrorIs(t, err, keystore.ErrConflict)
	require.Equal(t, 32, calls)
}

func TestEdit_ErrorOfTheCallerWritesNothing(t *testing.T) {
	t.Parallel()
	store := newStub()
	var told events
	keys := openKeys(t, store, keystore.Config{OnEvent: told.hear})
	id, _ := issue(t, keys, spec)
	writes, heard, mine := store.writes.Load(), len(told.all()), errors.New("mine")
	r, err := keys.Edit(t.Context(), id, func(r *keystore.Record) error {
		r.Name = "changed"
		return mine
	})
	require.Same(t, mine, err)
	require.Empty(t, r.Name)
	_, err = keys.Edit(t.Context(), "nothing", func(*keystore.Record) error { t.Error("called"); return nil })
	require.ErrorIs(t, err, keystore.ErrNotFound)
	require.NotErrorIs(t, err, keystore.ErrUnavailable)
	require.Equal(t, writes, store.writes.Load())
	require.Len(t, told.all(), heard)
}

func TestEdit_Expiry(t *testing.T) {
	t.Parallel()
	clock := newClock()
	keys := openKeys(t, newStub(), keystore.Config{Now: clock.Now})
	end := clock.Now().Add(time.Hour)
	id, text := issue(t, keys, keystore.Spec{Owner: "acme", Expires: end})
	move := func(to time.Time) error {
		_, err := keys.Edit(t.Context(), id, func(r *keystore.Record) error { r.Expires = to; return nil })
		return err
	}
	clock.move(time.Hour - 1)
	require.NoError(t, move(end.Add(time.Hour)), "a key may be prolonged to its last instant")
	requireAccepted(t, keys, text)
	require.NoError(t, move(end))
	clock.move(1)
	requireRefused(t, keys, text, keystore.OutcomeExpired)
	for _, to := range []time.Time{end.Add(time.Hour), {}, end.Add(-time.Hour), end.Add(time.Microsecond)} {
		require.ErrorIs(t, move(to), keystore.ErrExpired)
	}
	require.NoError(t, move(end))
	require.NoError(t, move(end.In(time.FixedZone("CET", 3600))))
	_, err := keys.Edit(t.Context(), id, func(r *keystore.Record) error { r.Name = "late"; return nil })
	require.NoError(t, err, "all else may be edited")
	require.NoError(t, keys.Revoke(t.Context(), id, ""))
}

func TestEdit_Catalog(t *testing.T) {
	t.Parallel()
	catalog := scopes.MustCatalog(
		scopes.Definition{Name: "claims:read", Title: "Read"},
		scopes.Definition{Name: "claims:write", Title: "Write", Implies: []scopes.Scope{"claims:read"}},
		scopes.Definition{Name: "clerk", Title: "Clerk", Bundle: []scopes.Scope{"claims:write"}},
	)
	store := newStub()
	loose, keys := openKeys(t, store, keystore.Config{}), openKeys(t, store, keystore.Config{Catalog: catalog})
	id, text := issue(t, loose, keystore.Spec{Owner: "acme", Scopes: []scopes.Scope{"legacy:read"}})
	grant := func(set scopes.Set) (keystore.Record, error) {
		return keys.Edit(t.Context(), id, func(r *keystore.Record) error { r.Scopes = set; return nil })
	}
	_, err := keys.Edit(t.Context(), id, func(r *keystore.Record) error { r.Name = "kept"; return nil })
	require.NoError(t, err, "scopes that are left alone are not judged")
	for _, unknown := range []scopes.Scope{"claims:raed", "users:*"} {
		_, err = grant(scopes.MustSet(unknown))
		require.ErrorIs(t, err, keystore.ErrInvalid)
		require.ErrorIs(t, err, scopes.ErrUnknown)
	}
	require.True(t, requireAccepted(t, keys, text).Allows("legacy:read"))

	r, err := grant(scopes.MustSet("claims:write"))
	require.NoError(t, err)
	require.Equal(t, "claims:read claims:write", r.Scopes.String(), "with what it implies, as at issue")
	r, err = grant(scopes.FullAccess())
	require.NoError(t, err)
	require.Equal(t, "*", r.Scopes.String())
	require.True(t, requireAccepted(t, keys, text).Allows("anything:else"))
	_, err = grant(scopes.Set{})
	require.NoError(t, err)
	require.False(t, requireAccepted(t, keys, text).Allows("claims:read"))
}

// VC6: what an own mutation did counts when it returns, also where its answer was lost.
func TestVC6_OwnMutations(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		desc string
		hook writeHook
	}{
		{"done", nil},
		{"done, and the answer was lost", func(_ context.Context, _, _ string, send func() error) error {
			_ = send()
			return errDown
		}},
		{"done, and then a panic", func(_ context.Context, _, _ string, send func() error) error {
			_ = send()
			panic("nil map")
		}},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			for mutation, c := range map[string]struct {
				do    func(keys *keystore.Keys, id string) error
				check func(keys *keystore.Keys, text string)
			}{
				"Suspend": {
					func(keys *keystore.Keys, id string) error { return keys.Suspend(ctx, id, "") },
					func(keys *keystore.Keys, text string) { requireRefused(t, keys, text, keystore.OutcomeSuspended) },
				},
				"Revoke": {
					func(keys *keystore.Keys, id string) error { return keys.Revoke(ctx, id, "") },
					func(keys *keystore.Keys, text string) { requireRefused(t, keys, text, keystore.OutcomeRevoked) },
				},
				"Delete": {
					func(keys *keystore.Keys, id string) error { return keys.Delete(ctx, id) },
					func(keys *keystore.Keys, text string) { requireRefused(t, keys, text, keystore.OutcomeUnknown) },
				},
				"Edit": {
					func(keys *keystore.Keys, id string) error {
						_, err := keys.Edit(ctx, id, func(r *keystore.Record) error { r.Scopes = scopes.Set{}; return nil })
						return err
					},
					func(keys *keystore.Keys, text string) {
						require.False(t, requireAccepted(t, keys, text).Allows("claims:read"))
					},
				},
			} {
				store := newStub()
				keys := openKeys(t, store, keystore.Config{})
				id, text := issue(t, keys, spec)
				require.True(t, requireAccepted(t, keys, text).Allows("claims:read"))
				store.bendWrites(tt.hook)
				err := c.do(keys, id)
				if tt.hook == nil {
					require.NoError(t, err, mutation)
				} else {
					requireUnavailable(t, err) // T-040: never a success
				}
				c.check(keys, text)
				store.bend(down)
				_, err = keys.Verify(ctx, text)
				if mutation == "Delete" {
					requireOutcome(t, err, keystore.OutcomeUnknown) // as was found out above
				}
				store.bend(nil)
				store.bendWrites(nil)
				require.NoError(t, c.do(keys, id), "and may be tried again")
				c.check(keys, text)
			}
		})
	}
}

// T-040: a mutation that the store refused has not happened, and is told as such.
func TestT040_StoreErrorWhileRevoking(t *testing.T) {
	t.Parallel()
	store := newStub()
	var told events
	keys := openKeys(t, store, keystore.Config{OnEvent: told.hear})
	id, text := issue(t, keys, spec)
	for desc, hook := range map[string]writeHook{
		"error":     func(context.Context, string, string, func() error) error { return errDown },
		"panic":     func(context.Context, string, string, func() error) error { panic("nil map") },
		"not found": func(context.Context, string, string, func() error) error { return keystore.ErrNotFound },
	} {
		requireAccepted(t, keys, text)
		store.bendWrites(hook)
		require.Error(t, keys.Revoke(t.Context(), id, ""), desc)
		require.Error(t, keys.Suspend(t.Context(), id, ""), desc)
		store.bendWrites(nil)
		store.bend(down)
		requireUnavailable(t, keys.Revoke(t.Context(), id, ""))
		_, err := keys.Verify(t.Context(), text)
		requireUnavailable(t, err)
		store.bend(nil)
	}
	requireAccepted(t, keys, text)
	require.Len(t, told.all(), 1, "nothing happened since it was issued")
	require.NoError(t, keys.Revoke(t.Context(), id, ""))
	requireRefused(t, keys, text, keystore.OutcomeRevoked)
}
