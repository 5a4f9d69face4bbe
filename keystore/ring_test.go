package keystore_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
)

// ringSecret is a ring secret of 32 times the same letter.
func ringSecret(letter string) string {
	return base64.StdEncoding.EncodeToString([]byte(strings.Repeat(letter, 32)))
}

// ring makes a ring of names; the secret of a name is always the same.
func ring(t testing.TB, names ...string) keystore.Ring {
	t.Helper()
	var entries []string
	for _, name := range names {
		entries = append(entries, name+":"+ringSecret(name[len(name)-1:]))
	}
	r, err := keystore.ParseRing(strings.Join(entries, ","))
	require.NoError(t, err)
	return r
}

func TestParseRing(t *testing.T) {
	t.Parallel()
	odd := strings.Repeat("\xfb\xff", 16) // + and / in one alphabet, - and _ in the other
	std, url := base64.StdEncoding.EncodeToString([]byte(odd)), base64.URLEncoding.EncodeToString([]byte(odd))
	for _, row := range []struct{ desc, text string }{
		{"one", "a:" + std},
		{"two", "a:" + std + ",b:" + ringSecret("b")},
		{"spaces, tabs and lines", "\n a:" + std + "\t\r\n,, b:" + ringSecret("b") + " \n"},
		{"unpadded", "a:" + strings.TrimRight(std, "=")},
		{"base64url", "a:" + url},
		{"unpadded base64url", "a:" + strings.TrimRight(url, "=")},
		{"longest name", strings.Repeat("n", 31) + "a:" + std},
		{"every kind of character", "Az09.-a:" + std},
	} {
		t.Run(row.desc, func(t *testing.T) {
			t.Parallel()
			parsed, err := keystore.ParseRing(row.text)
			require.NoError(t, err)
			keys := openPatient(t, newStub(), keystore.Config{Ring: parsed})
			id, text := issue(t, keys, spec)
			requireAccepted(t, keys, text)
			r, err := keys.Lookup(t.Context(), id)
			require.NoError(t, err)
			require.Contains(t, r.Secrets[0].Hash, "a$")
		})
	}
}

// T-031 and T-127: an empty or short secret is refused at the start, and no error tells what stood there.
func TestT031_ParseRingMistakes(t *testing.T) {
	t.Parallel()
	good := ringSecret("x")
	raw := func(n int) string { return base64.StdEncoding.EncodeToString([]byte(strings.Repeat("s", n))) }
	const hexSecret = "00112233445566778899aabbccddeeff"
	for _, row := range []struct {
		desc, text string
		want       []string
	}{
		{"nothing", "", []string{"empty"}},
		{"separators alone", " ,\n", []string{"empty"}},
		{"name alone", "2026", []string{"entry 1: want name:secret"}},
		{"secret alone", good, []string{"entry 1"}},
		{"secret alone that could be a name", hexSecret, []string{"entry 1"}},
		{"name and secret mixed up", hexSecret + ":2026", []string{"entry 1"}},
		{"empty name", ":" + good, []string{"entry 1: want name:secret"}},
		{"empty secret", "a:", []string{"entry 1: want 32 bytes in base64; this is 0 bytes"}},
		{"31 bytes", "a:" + raw(31), []string{"entry 1: want 32 bytes in base64; this is 31 bytes"}},
		{"33 bytes", "a:" + raw(33), []string{"entry 1", "33 bytes"}},
		{"1 MiB", "a:" + raw(1<<20), []string{"entry 1", "1048576 bytes"}},
		{"hex", "a:" + strings.Repeat("0123456789abcdef", 4), []string{"entry 1", "48 bytes"}},
		{"no base64", "a:" + strings.Repeat("s", 42) + "!", []string{"entry 1", "not base64"}},
		{"name too long", strings.Repeat("n", 33) + ":" + good, []string{"entry 1"}},
		{"name with $", "a$b:" + good, []string{"entry 1"}},
		{"name with =", "a=b:" + good, []string{"entry 1"}},
		{"name with _", "a_b:" + good, []string{"entry 1"}},
		{"name with ü", "ü:" + good, []string{"entry 1"}},
		{"name twice", "a:" + good + ",b:" + good + ",a:" + ringSecret("y"), []string{"entry 3: it has the name of entry 1"}},
		{"three mistakes", "a:" + good + ",b,c:" + raw(3) + ",:" + good, []string{"entry 2", "entry 3", "entry 4"}},
	} {
		t.Run(row.desc, func(t *testing.T) {
			t.Parallel()
			parsed, err := keystore.ParseRing(row.text)
			require.Error(t, err)
			require.Equal(t, keystore.Ring{}.String(), parsed.String())
			for _, want := range row.want {
				require.ErrorContains(t, err, want)
			}
			for _, piece := range strings.FieldsFunc(row.text, func(c rune) bool { return strings.ContainsRune(":, \n", c) }) {
				if len(piece) > 8 {
					require.NotContains(t, err.Error(), piece[:8])
				}
			}
		})
	}
}

// The key that hashes is derived as RFC 5869 says, or no key would verify after an upgrade. Another program made this.
func TestRing_Golden(t *testing.T) {
	t.Parallel()
	const id, secret = "7Gk2mXw9QaTz", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ"
	store := newStub()
	put(t, store, id, "", func(r *keystore.Record) {
		r.Kind = keystore.KindAPIKey
		r.Secrets = []keystore.StoredSecret{{N: 1, Hash: "$hmac-sha256$k=2026$" + id + "$xCxRsCC7AjyYbhBnl7OpGoBLI6mgTMr7f6d34Rvb3PY"}}
	})
	parsed, err := keystore.ParseRing("2026:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY")
	require.NoError(t, err)
	requireAccepted(t, openPatient(t, store, keystore.Config{Ring: parsed}), reform(t, "sk_live_"+id+"_"+secret))
}

// T-031: a ring is rotated while keys are in use.
func TestT031_Rotation(t *testing.T) {
	t.Parallel()
	store := newStub()
	hashOf := func(id string) string {
		t.Helper()
		r, err := store.memory.Lookup(t.Context(), id)
		require.NoError(t, err)
		return r.Secrets[0].Hash
	}
	writes := func() int64 { return store.writes.Swap(0) }

	bare := openPatient(t, store, keystore.Config{})
	plainID, plain := issue(t, bare, spec)
	old := openPatient(t, store, keystore.Config{Ring: ring(t, "2025")})
	oldID, oldText := issue(t, old, spec)
	require.Contains(t, hashOf(plainID), "$sha256$")
	require.Contains(t, hashOf(oldID), "$hmac-sha256$k=2025$")

	added := openPatient(t, store, keystore.Config{Ring: ring(t, "2025", "2026")}) // last, everywhere
	writes()
	requireAccepted(t, added, oldText)
	require.Zero(t, writes(), "the first still signs")

	moved := openPatient(t, store, keystore.Config{Ring: ring(t, "2026", "2025")}) // then first
	newID, newText := issue(t, moved, spec)
	require.Contains(t, hashOf(newID), "$hmac-sha256$k=2026$")
	requireAccepted(t, openPatient(t, readOnly{store}, keystore.Config{Ring: ring(t, "2025", "2026")}), newText)
	use, err := moved.RingUse(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string]int{"": 1, "2025": 1, "2026": 1}, use)

	before, err := moved.Lookup(t.Context(), oldID)
	require.NoError(t, err)
	writes()
	requireAccepted(t, moved, oldText)
	require.Equal(t, int64(1), writes(), "hashed anew at the first success")
	for range 3 {
		requireAccepted(t, moved, oldText)
		requireAccepted(t, moved, plain)
	}
	require.Zero(t, writes())
	require.Contains(t, hashOf(oldID), "$hmac-sha256$k=2026$")
	require.Contains(t, hashOf(plainID), "$sha256$", "never from SHA-256 onto a ring")

	after, err := moved.Lookup(t.Context(), oldID)
	require.NoError(t, err)
	require.Equal(t, before.Version+1, after.Version)
	before.Version, before.Op, before.Secrets[0].Hash = after.Version, after.Op, after.Secrets[0].Hash
	require.Equal(t, before, after, "T-032: no other field is touched")

	use, err = moved.RingUse(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string]int{"": 1, "2026": 2}, use)
	dropped := openPatient(t, store, keystore.Config{Ring: ring(t, "2026")})
	for _, text := range []string{plain, oldText, newText} {
		requireAccepted(t, dropped, text)
	}
}

// T-031: while "moved first" is being deployed, some processes hash upwards and some downwards.
func TestT031_ProcessesDoNotFight(t *testing.T) {
	t.Parallel()
	store := newStub()
	before := openPatient(t, store, keystore.Config{Ring: ring(t, "2025", "2026"), MaxStaleness: -1})
	after := openPatient(t, store, keystore.Config{Ring: ring(t, "2026", "2025"), MaxStaleness: -1})
	id, text := issue(t, before, spec)
	store.writes.Store(0)
	for range 20 {
		requireAccepted(t, before, text)
		requireAccepted(t, after, text)
	}
	require.LessOrEqual(t, store.writes.Load(), int64(2))

	restarted := openPatient(t, store, keystore.Config{Ring: ring(t, "2026", "2025")})
	requireAccepted(t, restarted, text)
	r, err := restarted.Lookup(t.Context(), id)
	require.NoError(t, err)
	require.Contains(t, r.Secrets[0].Hash, "k=2026")
}

// T-031: a ring secret that this process lacks is no "no": 503 and an event, and nothing is cached.
func TestT031_MissingRingSecret(t *testing.T) {
	t.Parallel()
	store := newStub()
	id, text := issue(t, openPatient(t, store, keystore.Config{Ring: ring(t, "2026")}), spec)
	for _, config := range []keystore.Config{{}, {Ring: ring(t, "2025")}, {Ring: ring(t, "2025"), SlowHash: true}} {
		var faults []error
		config.OnEvent = func(_ context.Context, e keystore.Event) {
			require.Equal(t, keystore.EventFault, e.Type)
			faults = append(faults, e.Err)
		}
		keys := openPatient(t, store, config)
		store.writes.Store(0)
		for range 2 {
			_, err := keys.Verify(t.Context(), text)
			requireUnavailable(t, err)
		}
		require.NoError(t, keys.Close())
		require.Len(t, faults, 2)
		require.ErrorContains(t, faults[0], id)
		require.ErrorContains(t, faults[0], `"2026"`)
		require.NotContains(t, faults[0].Error(), text[len(text)-49:])
		require.Zero(t, store.writes.Load())
	}
}

func TestRehash_ReadOnlyStoreIsLeftAlone(t *testing.T) {
	t.Parallel()
	store := newStub()
	_, text := issue(t, openPatient(t, store, keystore.Config{Ring: ring(t, "2025")}), spec)
	store.writes.Store(0)
	config := keystore.Config{Ring: ring(t, "2026", "2025"), OnEvent: func(_ context.Context, e keystore.Event) { t.Error(e) }}
	keys := openPatient(t, readOnly{store}, config)
	for range 3 {
		requireAccepted(t, keys, text)
	}
	require.Zero(t, store.writes.Load())
}

// Whatever becomes of the write, the old hash verifies; the next process tries again.
func TestRehash_ThatFails(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		desc       string
		err        error
		wantFaults int
	}{
		{"conflict", keystore.ErrConflict, 0},
		{"revoked meanwhile", keystore.ErrRevoked, 0},
		{"store down", errDown, 1},
		{"deleted meanwhile", keystore.ErrNotFound, 1},
	} {
		t.Run(row.desc, func(t *testing.T) {
			t.Parallel()
			store, faults := newStub(), 0
			id, text := issue(t, openPatient(t, store, keystore.Config{Ring: ring(t, "2025")}), spec)
			config := keystore.Config{Ring: ring(t, "2026", "2025"), OnEvent: func(_ context.Context, e keystore.Event) {
				require.Equal(t, keystore.EventFault, e.Type)
				require.ErrorIs(t, e.Err, row.err)
				faults++
			}}
			store.bendWrites(func(context.Context, string, string, func() error) error { return row.err })
			keys := openPatient(t, store, config)
			for range 3 {
				requireAccepted(t, keys, text)
			}
			require.NoError(t, keys.Close())
			require.Equal(t, row.wantFaults, faults)

			store.bendWrites(nil)
			requireAccepted(t, openPatient(t, store, config), text)
			r, err := store.memory.Lookup(t.Context(), id)
			require.NoError(t, err)
			require.Contains(t, r.Secrets[0].Hash, "k=2026")
		})
	}
}

func TestRingUse_ManyPages(t *testing.T) {
	t.Parallel()
	store := newStub()
	for i := range 2*keystore.MaxPage + 1 {
		put(t, store, fmt.Sprintf("r%d", i), "", func(r *keystore.Record) {
			r.Secrets = []keystore.StoredSecret{{N: 2, Hash: "$hmac-sha256$k=a$x$y"}, {N: 1, Hash: "$sha256$x$y"}}
		})
	}
	use, err := openPatient(t, store, keystore.Config{}).RingUse(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string]int{"a": 2*keystore.MaxPage + 1, "": 2*keystore.MaxPage + 1}, use)
	_, err = openPatient(t, readOnly{store}, keystore.Config{}).RingUse(t.Context())
	require.ErrorIs(t, err, keystore.ErrReadOnly)
}
