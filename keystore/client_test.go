package keystore_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
)

// A client proves its secret, and everything else costs the same and is a no.
func TestClient_IssueAndVerify(t *testing.T) {
	t.Parallel()
	store := newStub()
	var told events
	keys := openKeys(t, store, keystore.Config{OnEvent: told.hear})
	issued, err := keys.IssueClient(t.Context(), spec, keystore.Client{Grants: []string{"client_credentials"}})
	require.NoError(t, err)
	require.Equal(t, keystore.KindClient, issued.Record.Kind)
	require.Equal(t, keystore.EventIssued, told.all()[0].Type)
	public, err := keys.IssueClient(t.Context(), spec, keystore.Client{Public: true})
	require.NoError(t, err)
	require.Empty(t, public.Record.Secrets)
	require.Empty(t, public.Credential.Reveal())
	id, _ := issue(t, keys, spec)
	suspended, err := keys.IssueClient(t.Context(), spec, keystore.Client{})
	require.NoError(t, err)
	require.NoError(t, keys.Suspend(t.Context(), suspended.Record.ID, ""))

	p, err := keys.VerifyClient(t.Context(), issued.Record.ID, issued.Credential)
	require.NoError(t, err)
	require.Equal(t, []any{keystore.KindClient, issued.Record.ID, "acme"}, []any{p.Kind(), p.KeyID(), p.Owner()})
	for _, row := range []struct {
		desc, id string
		secret   keystore.Secret
		want     keystore.Outcome
	}{
		{"wrong", issued.Record.ID, suspended.Credential, keystore.OutcomeWrongSecret},
		{"empty", issued.Record.ID, keystore.Secret{}, keystore.OutcomeWrongSecret},
		{"a public client without a secret", public.Record.ID, public.Credential, keystore.OutcomeWrongSecret},
		{"unknown", "7Gk2mXw9QaTz", issued.Credential, keystore.OutcomeUnknown},
		{"no id that could be", "", issued.Credential, keystore.OutcomeUnknown},
		{"T-086: a key is no client", id, issued.Credential, keystore.OutcomeUnknown},
		{"suspended", suspended.Record.ID, suspended.Credential, keystore.OutcomeSuspended},
	} {
		_, err := keys.VerifyClient(t.Context(), row.id, row.secret)
		requireOutcome(t, err, row.want)
	}
	_, err = keys.Verify(t.Context(), issued.Credential.Reveal())
	require.ErrorIs(t, err, keystore.ErrUnrecognized, "its secret is no key")

	store.bend(down)
	_, err = keys.VerifyClient(t.Context(), issued.Record.ID, issued.Credential)
	requireUnavailable(t, err)
}

func TestImportClient_Refuses(t *testing.T) {
	t.Parallel()
	store := newStub()
	keys := openKeys(t, store, keystore.Config{})
	stored, err := keys.HashPassword(t.Context(), keystore.NewSecret("correct horse"))
	require.NoError(t, err)
	for desc, row := range map[string]struct{ id, owner, stored string }{
		"an id that no store could keep": {"a-b", "acme", stored},
		"no owner":                       {"shop", "", stored},
		"a hash nobody can check":        {"shop", "acme", "$1$abc"},
		"no hash":                        {"shop", "acme", ""},
		"a key's hash":                   {"shop", "acme", "$sha256$shop$x"},
	} {
		_, err := keys.ImportClient(t.Context(), row.id, keystore.Spec{Owner: row.owner}, keystore.Client{}, row.stored)
		require.ErrorIs(t, err, keystore.ErrInvalid, desc)
	}
	require.Zero(t, store.writes.Load())
	_, err = keys.ImportClient(t.Context(), "shop", spec, keystore.Client{}, stored)
	require.NoError(t, err)
	_, err = keys.ImportClient(t.Context(), "shop", spec, keystore.Client{}, stored)
	require.ErrorIs(t, err, keystore.ErrExists)

	// A fresh hash that cannot be stored leaves the old one in force.
	r, err := store.memory.Lookup(t.Context(), "shop")
	require.NoError(t, err)
	require.Equal(t, stored, r.Secrets[0].Hash)
	store.bendWrites(func(context.Context, string, string, func() error) error { return errDown })
	_, err = keys.VerifyClient(t.Context(), "shop", keystore.NewSecret("correct horse"))
	require.NoError(t, err)
}
