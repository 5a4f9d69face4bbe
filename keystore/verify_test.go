package keystore_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash/crc32"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/scopes"
)

var _ keystore.Verifier = (*keystore.Keys)(nil)

// A digest of what a client presents is the id of its alias.
func aliasID(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// reform adds the check digits to the rest of a credential.
func reform(t testing.TB, body string) string {
	t.Helper()
	check := make([]byte, 6)
	for i, rest := 5, crc32.ChecksumIEEE([]byte(body)); i >= 0; i, rest = i-1, rest/62 {
		check[i] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[rest%62]
	}
	require.True(t, keystore.WellFormed(body+string(check)))
	return body + string(check)
}

const foreignText = "6aa0fa0712ab34cd56ef7890abcdef12"

func importKey(t testing.TB, keys *keystore.Keys, text string) keystore.Record {
	t.Helper()
	r, err := keys.Import(t.Context(), spec, keystore.NewSecret(text))
	require.NoError(t, err)
	return r
}

func TestVC1_IdentityIsRememberedAndNoVerdict(t *testing.T) {
	t.Parallel()
	store, clock := newStub(), newClock()
	keys := openKeys(t, store, keystore.Config{Now: clock.Now})
	id, text := issue(t, keys, keystore.Spec{
		Owner: "acme", Scopes: []scopes.Scope{"claims:read"}, Expires: clock.Now().Add(3 * time.Second),
	})
	easy, strict := access("claims:read"), access("claims:write")

	// T-035: what an easy route admitted, a strict one refuses, and the other way round.
	for _, order := range [][]keystore.Access{{easy, strict}, {strict, easy}} {
		for _, a := range order {
			err := admit(t, keys, requireAccepted(t, keys, text), &a)
			if a.Requirement.String() == "claims:read" {
				require.NoError(t, err)
			} else {
				requireOutcome(t, err, keystore.OutcomeScopeMissing)
			}
		}
	}
	lookups := store.lookups.Load()
	clock.move(3 * time.Second)
	requireRefused(t, keys, text, keystore.OutcomeExpired)
	require.Equal(t, lookups, store.lookups.Load(), "the clock alone changed the answer")

	require.NoError(t, keys.Suspend(t.Context(), id, ""))
	requireRefused(t, keys, text, keystore.OutcomeSuspended)
	require.NoError(t, keys.Resume(t.Context(), id))
	clock.move(-time.Second)
	requireAccepted(t, keys, text)
}

func TestVC3_AChangeReachesAllCredentialsOfARecordAtOnce(t *testing.T) {
	t.Parallel()
	store := newWatched()
	keys := openKeys(t, store, keystore.Config{AcceptForeign: true})
	key := importKey(t, keys, foreignText)
	requireAccepted(t, keys, foreignText)
	lookups := store.lookups.Load()

	store.tell(key.ID)
	requireAccepted(t, keys, foreignText)
	require.Equal(t, lookups+1, store.lookups.Load(), "only the key itself is read anew, not its alias")
}

func TestT033_TwoKeysWithTheSameTextDoNotCross(t *testing.T) {
	t.Parallel()
	foreign := keystore.Config{AcceptForeign: true}
	left, right := openKeys(t, newStub(), foreign), openKeys(t, newStub(), foreign)
	here, text := issue(t, left, spec)
	requireAccepted(t, left, text)
	requireRefused(t, right, text, keystore.OutcomeUnknown)
	requireAccepted(t, left, text)

	importKey(t, left, foreignText)
	other, err := right.Import(t.Context(), keystore.Spec{Owner: "other"}, keystore.NewSecret(foreignText))
	require.NoError(t, err)
	for range 2 {
		require.Equal(t, "acme", requireAccepted(t, left, foreignText).Owner())
		require.Equal(t, "other", requireAccepted(t, right, foreignText).Owner())
	}
	require.NoError(t, right.Revoke(t.Context(), other.ID, ""))
	requireAccepted(t, left, foreignText)
	require.NoError(t, left.Revoke(t.Context(), here, ""))
	requireRefused(t, left, text, keystore.OutcomeRevoked)
}

// Whatever is joined somewhere inside, another cut of the same characters is another credential.
func TestT034_AmbiguousConcatenations(t *testing.T) {
	t.Parallel()
	store := newStub()
	keys := openKeys(t, store, keystore.Config{AcceptForeign: true, Brand: "ab"})
	id, text := issue(t, keys, spec)
	importKey(t, keys, foreignText)
	requireAccepted(t, keys, text)
	requireAccepted(t, keys, foreignText)
	secret := text[len("ab_live_")+len(id)+1:]
	for _, other := range []string{
		"a" + "b_live_" + id[:11] + "_" + id[11:] + secret,
		"ab_live_" + id + secret[:1] + "_" + secret[1:],
		"ab_live_" + id + "__" + secret[1:],
		"ab_test_" + id + "_" + secret,
		id + "_" + secret, id + secret, secret,
		text + text, text + foreignText, foreignText + text, foreignText[1:] + foreignText[:1],
		// What is stored proves nothing.
		id, aliasID(foreignText), aliasID(text), aliasID(foreignText)[len("sha256:"):], storedHash(t, keys, id),
	} {
		_, err := keys.Verify(t.Context(), other)
		requireOutcome(t, err, keystore.OutcomeUnknown)
	}
}

// The end of a credential of ours, taken for a foreign key, is a key of its own.
func TestT034_ForeignTextThatEndsLikeOneOfOurs(t *testing.T) {
	t.Parallel()
	keys := openKeys(t, newStub(), keystore.Config{AcceptForeign: true})
	id, text := issue(t, keys, spec)
	imported := map[string]string{text: id}
	for _, length := range []int{49, 54, 55, 56, 64} {
		part := text[len(text)-length:]
		requireRefused(t, keys, part, keystore.OutcomeUnknown)
		imported[part] = importKey(t, keys, part).ID
	}
	for range 3 {
		for text, id := range imported {
			require.Equal(t, id, requireAccepted(t, keys, text).KeyID())
		}
	}
}

func storedHash(t testing.TB, keys *keystore.Keys, id string) string {
	t.Helper()
	r, err := keys.Lookup(t.Context(), id)
	require.NoError(t, err)
	return r.Secrets[0].Hash
}

// A stranger's and a predecessor's key may have any form but ours.
func TestVerify_ForeignForms(t *testing.T) {
	t.Parallel()
	elsewhere := openKeys(t, newStub(), keystore.Config{Brand: "other"})
	_, othersKey := issue(t, elsewhere, spec)
	_, ownKey := issue(t, openKeys(t, newStub(), keystore.Config{}), spec)
	for _, tt := range []struct{ desc, text string }{
		{"hex", foreignText},
		{"a predecessor's key that begins like ours", "sk_live_51H8xJ2eZvKYlo2C0abcdefgh"},
		{"ours, but for the check digits", ownKey[:len(ownKey)-1] + map[bool]string{true: "1", false: "0"}[ownKey[len(ownKey)-1] == '0']},
		{"well formed, of another brand", othersKey},
		{"two segments", "abcdefghijklmnop.qrstuvwxyz012345"},
		{"four segments", "abcdefgh.ijklmnop.qrstuvwx.yz012345"},
		{"punctuation", "!abcdefghijklmnopqrstuvwxyz012345~"},
		{"longest", strings.Repeat("a1g", 4096/3) + "x"},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			t.Parallel()
			store := newStub()
			keys := openKeys(t, store, keystore.Config{AcceptForeign: true})
			requireRefused(t, keys, tt.text, keystore.OutcomeUnknown)
			r := importKey(t, keys, tt.text)
			p := requireAccepted(t, keys, tt.text)
			require.Equal(t, r.ID, p.KeyID())
			require.Equal(t, keystore.KindAPIKey, p.Kind())

			_, err := openKeys(t, store, keystore.Config{}).Verify(t.Context(), tt.text)
			require.ErrorIs(t, err, keystore.ErrUnrecognized, "AcceptForeign is off by default")
		})
	}
}

func TestVerify_Unrecognized(t *testing.T) {
	t.Parallel()
	store := newStub()
	strict, foreign := openKeys(t, store, keystore.Config{}), openKeys(t, store, keystore.Config{AcceptForeign: true})
	for _, text := range []string{
		"", " ", "a b", "\x00", "key\n", "schlüssel", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "..", strings.Repeat("a", 4097),
	} {
		for _, keys := range []*keystore.Keys{strict, foreign} {
			p, err := keys.Verify(t.Context(), text)
			require.Nil(t, p)
			require.ErrorIs(t, err, keystore.ErrUnrecognized)
			require.NotErrorIs(t, err, keystore.ErrUnavailable)
		}
	}
	_, err := strict.Verify(t.Context(), keystore.ExampleCredential[:70]+"X")
	require.ErrorIs(t, err, keystore.ErrUnrecognized)
	_, err = strict.Verify(t.Context(), "other"+keystore.ExampleCredential[2:])
	require.ErrorIs(t, err, keystore.ErrUnrecognized)
	require.Zero(t, store.lookups.Load())
	requireRefused(t, strict, keystore.ExampleCredential, keystore.OutcomeUnknown)
}

func TestT027_WrongSecretCostsOneLookup(t *testing.T) {
	t.Parallel()
	store := newStub()
	keys := openKeys(t, store, keystore.Config{})
	other := openKeys(t, newStub(), keystore.Config{})
	for range 100 {
		_, text := issue(t, other, spec) // well formed, and nobody's here
		requireRefused(t, keys, text, keystore.OutcomeUnknown)
	}
	require.EqualValues(t, 100, store.lookups.Load())

	id, text := issue(t, keys, spec)
	guess := reform(t, "sk_live_"+id+"_"+strings.Repeat("a", 43))
	require.NotEqual(t, text, guess)
	store.lookups.Store(0)
	p, err := keys.Verify(t.Context(), guess)
	require.Nil(t, p)
	require.Equal(t, &keystore.RefusedError{Outcome: keystore.OutcomeWrongSecret, KeyID: id}, err)
	require.EqualValues(t, 1, store.lookups.Load())
	requireAccepted(t, keys, text)
	requireRefused(t, keys, reform(t, strings.Replace(text[:len(text)-6], "_live_", "_test_", 1)), keystore.OutcomeWrongSecret)
}

func TestTaggedIDs(t *testing.T) {
	t.Parallel()
	store, tag := newStub(), keystore.GenerateSecret()
	plain := openKeys(t, store, keystore.Config{})
	tagged := openKeys(t, store, keystore.Config{TagSecret: tag})
	strict := openKeys(t, store, keystore.Config{TagSecret: tag, RequireTaggedIDs: true})
	_, older := issue(t, plain, spec)
	id, newer := issue(t, tagged, spec)
	require.Len(t, id, 18)
	requireAccepted(t, tagged, older)
	requireAccepted(t, tagged, newer)
	requireAccepted(t, strict, newer)
	requireAccepted(t, plain, newer)

	store.lookups.Store(0)
	requireRefused(t, strict, older, keystore.OutcomeUnknown)
	_, junk := issue(t, openKeys(t, newStub(), keystore.Config{TagSecret: keystore.GenerateSecret()}), spec)
	requireRefused(t, tagged, junk, keystore.OutcomeUnknown)
	require.Zero(t, store.lookups.Load(), "junk never reaches the store")
}

// What a refusal says goes to logs: all of it is public, and the owner is named only once the secret was proven.
func TestRefusedError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		keys := openKeys(t, newStub(), keystore.Config{})
		id, text := issue(t, keys, keystore.Spec{Owner: "acme", NotBefore: time.Now().Add(time.Hour), Expires: time.Now().Add(2 * time.Hour)})
		refusal := func() error { _, err := keys.Verify(t.Context(), text); return err }
		want := func(outcome keystore.Outcome) *keystore.RefusedError {
			return &keystore.RefusedError{Outcome: outcome, KeyID: id, Owner: "acme"}
		}
		require.Equal(t, want(keystore.OutcomeNotYetValid), refusal())
		time.Sleep(time.Hour - 1)
		require.Equal(t, want(keystore.OutcomeNotYetValid), refusal())
		time.Sleep(time.Nanosecond)
		require.NoError(t, refusal())
		time.Sleep(time.Hour)
		require.Equal(t, want(keystore.OutcomeExpired), refusal())
		require.NoError(t, keys.Suspend(t.Context(), id, ""))
		require.Equal(t, want(keystore.OutcomeSuspended), refusal())
		require.NoError(t, keys.Revoke(t.Context(), id, ""))
		require.Equal(t, want(keystore.OutcomeRevoked), refusal())
		require.EqualError(t, refusal(), "keystore: refused: credential-revoked ("+id+")")
		require.NotContains(t, refusal().Error(), text[len("sk_live_")+len(id)+1:])
		require.NoError(t, keys.Delete(t.Context(), id))
		require.Equal(t, &keystore.RefusedError{Outcome: keystore.OutcomeUnknown, KeyID: id}, refusal())
		require.EqualError(t, &keystore.RefusedError{Outcome: keystore.OutcomeMissing}, "keystore: refused: credential-missing")
	})
}

// A record that has no secret never authenticates a text of ours, whoever wrote it.
func TestVerify_RecordWithoutSecret(t *testing.T) {
	t.Parallel()
	store := newStub()
	keys := openKeys(t, store, keystore.Config{AcceptForeign: true})
	id, text := issue(t, keys, spec)
	for _, tt := range []struct {
		desc    string
		secrets []keystore.StoredSecret
	}{
		{"none", nil},
		{"$none", []keystore.StoredSecret{{N: 1, Hash: "$none"}}},
	} {
		store.bend(func(_ context.Context, _ string, ask func() (keystore.Record, error)) (keystore.Record, error) {
			r, err := ask()
			r.Secrets = tt.secrets
			return r, err
		})
		requireRefused(t, openKeys(t, store, keystore.Config{}), text, keystore.OutcomeWrongSecret)
	}
	store.bend(nil)
	key := importKey(t, keys, foreignText)
	requireRefused(t, keys, reform(t, "sk_live_"+key.ID+"_"+strings.Repeat("0", 43)), keystore.OutcomeWrongSecret)
	require.NotEqual(t, id, key.ID)
}
