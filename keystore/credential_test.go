package keystore_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// letters is a text of n base62 characters that nobody issued.
func letters(n int) string {
	text := make([]byte, n)
	for i := range text {
		text[i] = base62[rand.IntN(len(base62))]
	}
	return string(text)
}

// openPatient opens Keys that wait for the store as long as a busy machine takes: these tests are not about time.
func openPatient(t testing.TB, store keystore.KeyStore, config keystore.Config) *keystore.Keys {
	t.Helper()
	config.LookupTimeout = time.Minute
	return openKeys(t, store, config)
}

func TestIssue_WellFormed(t *testing.T) {
	t.Parallel()
	for _, config := range []keystore.Config{
		{}, {Brand: "acme0"}, {TagSecret: keystore.GenerateSecret(), RequireTaggedIDs: true}, {SlowHash: true},
	} {
		keys := openPatient(t, newStub(), config)
		for _, env := range []keystore.Env{"", keystore.EnvLive, keystore.EnvTest} {
			id, text := issue(t, keys, keystore.Spec{Owner: "acme", Env: env})
			require.True(t, keystore.WellFormed(text))
			require.Regexp(t, `^[0-9A-Za-z_]+$`, text, "one double-click selects it")
			require.Contains(t, text, "_"+id+"_")
			requireAccepted(t, keys, text)
		}
	}
}

func TestExampleCredential(t *testing.T) {
	t.Parallel()
	require.True(t, keystore.WellFormed(keystore.ExampleCredential))
	require.Equal(t, keystore.ExampleCredential, regexp.MustCompile(keystore.ScannerRule("sk")).FindString("e.g. "+keystore.ExampleCredential+"."))
	for _, config := range []keystore.Config{{}, {AcceptForeign: true}, {Brand: "pk", AcceptForeign: true}} {
		requireRefused(t, openPatient(t, newStub(), config), keystore.ExampleCredential, keystore.OutcomeUnknown)
	}
}

// T-026: every character of a credential counts, also when foreign texts are tried.
func TestT026_EveryCharacterOfACredentialCounts(t *testing.T) {
	t.Parallel()
	for _, config := range []keystore.Config{{}, {TagSecret: keystore.GenerateSecret()}, {AcceptForeign: true}} {
		store := newStub()
		keys := openPatient(t, store, config)
		_, text := issue(t, keys, spec)
		requireAccepted(t, keys, text)
		store.lookups.Store(0)
		refuse := func(mutant string) {
			if mutant == text {
				return
			}
			p, err := keys.Verify(t.Context(), mutant)
			require.Error(t, err, "%q for %q", mutant, text)
			require.NotErrorIs(t, err, keystore.ErrUnavailable)
			require.Nil(t, p)
		}
		for i := range len(text) {
			refuse(text[:i])
			refuse(text[i:])
			refuse(text[:i] + text[i+1:])
			refuse(text[:i] + text[i:i+1] + text[i:])
			for _, c := range []string{"0", "z", "_", "-", " ", "\x00", "é"} {
				refuse(text[:i] + c + text[i+1:])
				refuse(text[:i] + c + text[i:])
				refuse(text + c)
				refuse(c + text)
			}
			c := rune(text[i])
			refuse(text[:i] + string(unicode.ToUpper(c)) + text[i+1:])
			refuse(text[:i] + string(unicode.ToLower(c)) + text[i+1:])
		}
		if !config.AcceptForeign {
			require.Zero(t, store.lookups.Load())
		}
		requireAccepted(t, keys, text)
	}
}

// T-026, with check digits made anew: then each part is refused for what it is.
func TestT026_EveryPartCounts(t *testing.T) {
	t.Parallel()
	keys := openPatient(t, newStub(), keystore.Config{})
	_, text := issue(t, keys, spec)
	body := text[:len(text)-6]
	requireAccepted(t, keys, reform(t, body))
	for i := len("sk_live_"); i < len(body); i++ {
		if body[i] == '_' {
			continue
		}
		want := keystore.OutcomeUnknown
		if i > len("sk_live_")+12 {
			want = keystore.OutcomeWrongSecret
		}
		for _, c := range []byte{'0', 'Z', 'z', body[i] ^ ' '} {
			if c != body[i] && strings.IndexByte(base62, c) >= 0 {
				requireRefused(t, keys, reform(t, body[:i]+string(c)+body[i+1:]), want)
			}
		}
	}
	requireRefused(t, keys, reform(t, strings.Replace(body, "_live_", "_test_", 1)), keystore.OutcomeWrongSecret)
	for _, brand := range []string{"pk", "s", "sk1", "ssk", "abcdefghij012345"} {
		_, err := keys.Verify(t.Context(), reform(t, strings.Replace(body, "sk_", brand+"_", 1)))
		require.ErrorIs(t, err, keystore.ErrUnrecognized)
	}
}

// T-027: what junk costs the store.
func TestT027_JunkAndTheStore(t *testing.T) {
	t.Parallel()
	shaped := func(id int) string { return "sk_live_" + letters(id) + "_" + letters(43) }
	tag := keystore.Config{TagSecret: keystore.GenerateSecret()}
	strict := keystore.Config{TagSecret: tag.TagSecret, RequireTaggedIDs: true}
	for _, row := range []struct {
		desc        string
		config      keystore.Config
		draw        func() string
		want        error
		wantLookups int64
	}{
		{"wrong check, short id", keystore.Config{}, func() string { return shaped(12) + letters(6) }, keystore.ErrUnrecognized, 0},
		{"wrong check, long id", tag, func() string { return shaped(18) + letters(6) }, keystore.ErrUnrecognized, 0},
		{"right check, wrong tag", tag, func() string { return reform(t, shaped(18)) }, nil, 0},
		{"right check, wrong tag, required", strict, func() string { return reform(t, shaped(18)) }, nil, 0},
		{"right check, no tag, required", strict, func() string { return reform(t, shaped(12)) }, nil, 0},
		{"right check, no tag", tag, func() string { return reform(t, shaped(12)) }, nil, 1},
		{"right check, unknown id", keystore.Config{}, func() string { return reform(t, shaped(12)) }, nil, 1},
	} {
		t.Run(row.desc, func(t *testing.T) {
			t.Parallel()
			store := newStub()
			keys := openPatient(t, store, row.config)
			const texts = 10_000
			for range texts {
				_, err := keys.Verify(t.Context(), row.draw())
				if row.want != nil {
					require.ErrorIs(t, err, row.want)
				} else {
					requireOutcome(t, err, keystore.OutcomeUnknown)
				}
			}
			require.Equal(t, row.wantLookups*texts, store.lookups.Load())
		})
	}
}

func TestT027_AWrongSecretIsLookedUpOnce(t *testing.T) {
	t.Parallel()
	for _, config := range []keystore.Config{{}, {TagSecret: keystore.GenerateSecret(), RequireTaggedIDs: true}} {
		store := newStub()
		keys := openPatient(t, store, config)
		id, text := issue(t, keys, spec)
		store.lookups.Store(0)
		wrong := reform(t, "sk_live_"+id+"_"+letters(43))
		for range 10 {
			requireRefused(t, keys, wrong, keystore.OutcomeWrongSecret)
		}
		requireAccepted(t, keys, text)
		require.Equal(t, int64(1), store.lookups.Load())
	}
}

// Keys from before TagSecret work until they are refused as such; those made under it work without it.
func TestTagSecret_ComesAndGoes(t *testing.T) {
	t.Parallel()
	store, secret := newStub(), keystore.GenerateSecret()
	without := openPatient(t, store, keystore.Config{})
	with := openPatient(t, store, keystore.Config{TagSecret: secret})
	required := openPatient(t, store, keystore.Config{TagSecret: secret, RequireTaggedIDs: true})
	other := openPatient(t, store, keystore.Config{TagSecret: keystore.GenerateSecret()})

	shortID, short := issue(t, without, spec)
	require.Len(t, shortID, 12)
	longID, long := issue(t, with, spec)
	require.Len(t, longID, 18)

	requireAccepted(t, without, short)
	requireAccepted(t, without, long)
	requireAccepted(t, with, short)
	requireAccepted(t, with, long)
	requireAccepted(t, required, long)
	store.lookups.Store(0)
	requireRefused(t, required, short, keystore.OutcomeUnknown)
	requireRefused(t, other, long, keystore.OutcomeUnknown)
	require.Zero(t, store.lookups.Load())
	requireAccepted(t, other, short)
}

// A predecessor's keys may look like ours, under another brand.
func TestImport_OurFormUnderAnotherBrand(t *testing.T) {
	t.Parallel()
	store := newStub()
	text := reform(t, "old_live_"+letters(12)+"_"+letters(43))
	keys := openPatient(t, store, keystore.Config{AcceptForeign: true})
	imported := importKey(t, keys, text)
	require.Equal(t, imported.ID, requireAccepted(t, keys, text).KeyID())
	requireRefused(t, keys, reform(t, "old_live_"+letters(12)+"_"+letters(43)), keystore.OutcomeUnknown)

	// The same over somebody's table of digests.
	table := lookupFunc(func(_ context.Context, id string) (keystore.Record, error) {
		if id != aliasID(text) {
			return keystore.Record{}, keystore.ErrNotFound
		}
		return keystore.Record{ID: id, Kind: keystore.KindAPIKey, Owner: "acme", Env: keystore.EnvLive}, nil
	})
	requireAccepted(t, openPatient(t, table, keystore.Config{AcceptForeign: true}), text)
}

func TestScannerRule(t *testing.T) {
	t.Parallel()
	rule := regexp.MustCompile(keystore.ScannerRule("sk"))
	for _, config := range []keystore.Config{{}, {TagSecret: keystore.GenerateSecret()}} {
		_, key := issue(t, openPatient(t, newStub(), config), spec)
		for _, around := range []string{
			"%s", "\n%s\n", "the key is %s.", "(%s)", "<%s>", "“%s”", "key:%s;", "%s, and more",
			`{"key":"%s"}`, `{\"key\":\"%s\"}`, "Authorization: Bearer %s\r\n", "curl -H 'X-API-Key: %s' https://example.com",
			"https://example.com/claims?api_key=%s&page=2", "https://example.com/%s/claims", "https://%s:@example.com/", "https://example.com/?k=%s#top",
			"SK_KEY=%s\n", "export SK_KEY=\"%s\"", "sk_key: %s # secret", "SK_KEY=%s\\nOTHER=1", "-%s-", "%s/",
		} {
			text := fmt.Sprintf(around, key)
			found := rule.FindAllString(text, -1)
			require.Equal(t, []string{key}, found, text)
			require.True(t, keystore.WellFormed(found[0]))
		}
		require.Equal(t, []string{key, key}, rule.FindAllString(key+" "+key, -1))
		for _, neighbour := range []string{
			"a" + key, "_" + key, "1" + key, key + "a", key + "0", key + "_", key + "_x", key[:len(key)-1], key[1:],
			strings.Replace(key, "sk_", "pk_", 1), strings.Replace(key, "_live_", "_prod_", 1), strings.ToUpper(key),
			strings.Replace(key, "_live_", "_live-", 1), key[:20] + "\n" + key[20:], key + key,
		} {
			require.Empty(t, rule.FindAllString(neighbour, -1), neighbour)
		}
	}
}
