package keystore_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
)

// T-041: with the owner goes all that names him, also what has no key as parent, and nobody else's.
func TestT041_Owner(t *testing.T) {
	t.Parallel()
	store := newStub()
	var told events
	keys := openKeys(t, store, keystore.Config{OnEvent: told.hear})
	id, text := issue(t, keys, spec)
	misused, misusedText := issue(t, keys, spec)
	other := spec
	other.Owner = "else"
	_, otherText := issue(t, keys, other)
	put(t, store, "login", "")
	put(t, store, "client", "", func(r *keystore.Record) { r.Kind = keystore.KindClient })
	for i := range keystore.MaxPage {
		put(t, store, fmt.Sprintf("grant%d", i), "client")
	}
	require.NoError(t, keys.Suspend(t.Context(), misused, keystore.ReasonMisuse))
	ann := keystore.WithActor(t.Context(), "ann")
	before := len(told.all())

	require.NoError(t, keys.SuspendOwner(ann, "acme"))
	require.Len(t, told.all(), before+3+keystore.MaxPage)
	require.NoError(t, keys.SuspendOwner(ann, "acme"))
	require.Len(t, told.all(), before+3+keystore.MaxPage, "twice is nothing")
	requireRefused(t, keys, text, keystore.OutcomeSuspended)
	for _, derived := range []string{"login", "client", "grant0", fmt.Sprintf("grant%d", keystore.MaxPage-1)} {
		_, err := keys.Principal(t.Context(), derived)
		requireOutcome(t, err, keystore.OutcomeSuspended)
	}
	requireAccepted(t, keys, otherText)
	r, err := keys.Lookup(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, keystore.Mark{At: r.Suspended.At, Reason: keystore.ReasonOwner, By: "ann"}, r.Suspended)

	require.NoError(t, keys.ResumeOwner(t.Context(), "acme"))
	requireAccepted(t, keys, text)
	requireRefused(t, keys, misusedText, keystore.OutcomeSuspended)
	_, err = keys.Principal(t.Context(), "grant0")
	require.NoError(t, err)

	require.NoError(t, keys.RevokeOwner(t.Context(), "acme", keystore.ReasonOwner))
	require.NoError(t, keys.RevokeOwner(t.Context(), "acme", keystore.ReasonOwner))
	requireRefused(t, keys, text, keystore.OutcomeRevoked)
	requireRefused(t, keys, misusedText, keystore.OutcomeRevoked)
	_, err = keys.Principal(t.Context(), "login")
	requireOutcome(t, err, keystore.OutcomeRevoked)
	requireAccepted(t, keys, otherText)
}

// What is issued while the pass runs is met by the next one.
func TestOwner_IssuedMeanwhile(t *testing.T) {
	t.Parallel()
	store := newStub()
	keys := openKeys(t, store, keystore.Config{})
	issue(t, keys, spec)
	var late string
	store.bendWrites(func(_ context.Context, verb, _ string, send func() error) error {
		if verb == "update" && late == "" {
			late = "once"
			_, late = issue(t, keys, spec) //nolint:contextcheck // of the test itself
		}
		return send()
	})
	require.NoError(t, keys.RevokeOwner(t.Context(), "acme", ""))
	requireRefused(t, keys, late, keystore.OutcomeRevoked)
}

func TestOwner_Refuses(t *testing.T) {
	t.Parallel()
	store := newStub()
	keys := openKeys(t, store, keystore.Config{})
	_, text := issue(t, keys, spec)
	for desc, act := range map[string]func(owner string) error{
		"suspend": func(owner string) error { return keys.SuspendOwner(t.Context(), owner) },
		"resume":  func(owner string) error { return keys.ResumeOwner(t.Context(), owner) },
		"revoke":  func(owner string) error { return keys.RevokeOwner(t.Context(), owner, "") },
	} {
		require.ErrorIs(t, act(""), keystore.ErrInvalid, desc)
		require.NoError(t, act("nobody"), desc)
	}
	requireAccepted(t, keys, text)

	store.bendWrites(func(_ context.Context, verb, _ string, send func() error) error {
		if verb == "update" {
			return errDown
		}
		return send()
	})
	err := keys.RevokeOwner(t.Context(), "acme", "")
	require.ErrorIs(t, err, keystore.ErrUnavailable, "T-040")
	require.ErrorIs(t, err, errDown)
	store.bendWrites(nil)
	require.NoError(t, keys.RevokeOwner(t.Context(), "acme", ""))
	requireRefused(t, keys, text, keystore.OutcomeRevoked)
	require.ErrorIs(t, openKeys(t, readOnly{store}, keystore.Config{}).RevokeOwner(t.Context(), "acme", ""), keystore.ErrReadOnly)
}

// What suspends a key for itself outlasts the suspension of its owner.
func TestResumeOwner_LeavesWhatWasSuspendedMeanwhile(t *testing.T) {
	t.Parallel()
	var told events
	keys := openKeys(t, newStub(), keystore.Config{OnEvent: told.hear})
	id, text := issue(t, keys, spec)
	_, other := issue(t, keys, spec)
	require.NoError(t, keys.SuspendOwner(t.Context(), "acme"))
	told.types(id)
	require.NoError(t, keys.Suspend(t.Context(), id, keystore.ReasonCompromised))
	require.Equal(t, []keystore.EventType{keystore.EventSuspended}, told.types(id))
	require.NoError(t, keys.SuspendOwner(t.Context(), "acme"))
	require.NoError(t, keys.ResumeOwner(t.Context(), "acme"))
	requireRefused(t, keys, text, keystore.OutcomeSuspended)
	requireAccepted(t, keys, other)
}

// One record that cannot be written holds up no other.
func TestRevokeOwner_GoesOn(t *testing.T) {
	t.Parallel()
	store := newStub()
	keys := openKeys(t, store, keystore.Config{})
	var texts []string
	for range 2 {
		_, text := issue(t, keys, spec)
		texts = append(texts, text)
	}
	stuck, last := issue(t, keys, spec)
	store.bendWrites(func(_ context.Context, verb, id string, send func() error) error {
		if verb == "update" && id == stuck {
			return errDown
		}
		return send()
	})
	require.ErrorIs(t, keys.RevokeOwner(t.Context(), "acme", ""), errDown)
	for _, text := range texts {
		requireRefused(t, keys, text, keystore.OutcomeRevoked)
	}
	requireAccepted(t, keys, last)
}
