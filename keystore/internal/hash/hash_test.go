package hash_test

import (
	"crypto/fips140"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore/internal/hash"
)

const (
	id     = "7Gk2mXw9QaTz"
	secret = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ"

	// What other programs made of id, secret and password.
	plainGolden  = "$sha256$7Gk2mXw9QaTz$MAomI2WbBBYvureUW1dplwrAIGsLoZkZVpwYUsFQS6Y"
	keyedGolden  = "$hmac-sha256$k=2026$7Gk2mXw9QaTz$4aXyjDQHELdB91unpbwjUoFdqz3t2ZG0CXKPIglNWjM"
	first4Golden = "46a21997"
)

var (
	key2026 = hash.NewKey("2026", []byte("0123456789abcdef0123456789abcdef"))
	key2025 = hash.NewKey("2025", []byte("fedcba9876543210fedcba9876543210"))
)

// personForm is a new hash of a person's secret: OWASP's minimum, or more.
func personForm() string {
	if fips140.Enabled() {
		return `\$pbkdf2-sha256\$i=600000\$[0-9A-Za-z+/]{22}\$[0-9A-Za-z+/]{43}`
	}
	return `\$argon2id\$v=19\$m=19456,t=2,p=1\$[0-9A-Za-z+/]{22}\$[0-9A-Za-z+/]{43}`
}

func TestT019_StoredForms(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		desc string
		keys []hash.Key
		slow bool
		want string
	}{
		{"no ring", nil, false, regexp.QuoteMeta(plainGolden)},
		{"ring of one", []hash.Key{key2026}, false, regexp.QuoteMeta(keyedGolden)},
		{"ring of two: the first signs", []hash.Key{key2026, key2025}, false, regexp.QuoteMeta(keyedGolden)},
		{"slow", nil, true, `\$first4\$` + first4Golden + personForm()},
		{"slow with a ring", []hash.Key{key2026}, true, `\$first4\$` + first4Golden + personForm()},
	} {
		t.Run(row.desc, func(t *testing.T) {
			t.Parallel()
			h := hash.New(row.keys, row.slow, 1)
			stored, err := h.Random(t.Context(), id, secret)
			require.NoError(t, err)
			require.Regexp(t, "^"+row.want+"$", stored)
			require.Equal(t, row.slow, hash.Slow(stored))

			ok, outdated, err := h.CheckRandom(t.Context(), stored, id, secret)
			require.NoError(t, err)
			require.True(t, ok)
			require.False(t, outdated)

			ok, outdated, err = h.CheckRandom(t.Context(), stored, id, strings.ToUpper(secret))
			require.NoError(t, err)
			require.False(t, ok)
			require.False(t, ok && outdated)
		})
	}
}

func TestKeyName(t *testing.T) {
	t.Parallel()
	for stored, want := range map[string]string{
		keyedGolden: "2026", plainGolden: "", hash.None: "", "": "",
		"$hmac-sha256$x=2026$id$digest":           "",
		"$hmac-sha256$2026$id$digest":             "",
		"$hmac-sha256$k=a$b$id$digest":            "",
		keyedGolden + strings.Repeat("A", 1<<20):  "",
		"$first4$00000000$argon2id$v=19$m=8$a$b":  "",
		"$hmac-sha512$k=2026$7Gk2mXw9QaTz$digest": "",
	} {
		require.Equal(t, want, hash.KeyName(stored), "%.80s", stored)
	}
}

// T-031: which stored hashes are made anew.
func TestT031_Outdated(t *testing.T) {
	t.Parallel()
	cheap := "$first4$" + first4Golden + weak(t, id+secret)
	for _, row := range []struct {
		desc         string
		stored       string
		keys         []hash.Key
		slow         bool
		wantOutdated bool
	}{
		{"the first key", keyedGolden, []hash.Key{key2026, key2025}, false, false},
		{"a later key", keyedGolden, []hash.Key{key2025, key2026}, false, true},
		{"sha256 stays off the ring", plainGolden, []hash.Key{key2026}, false, false},
		{"sha256 without a ring", plainGolden, nil, false, false},
		{"sha256 to slow", plainGolden, nil, true, true},
		{"sha256 to slow, with a ring", plainGolden, []hash.Key{key2026}, true, true},
		{"ring to slow", keyedGolden, []hash.Key{key2026}, true, true},
		{"slow with little work", cheap, nil, true, true},
		{"slow with little work, slow no more", cheap, nil, false, true},
	} {
		t.Run(row.desc, func(t *testing.T) {
			t.Parallel()
			ok, outdated, err := hash.New(row.keys, row.slow, 1).CheckRandom(t.Context(), row.stored, id, secret)
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, row.wantOutdated, outdated)
		})
	}
}

func TestT031_LostKey(t *testing.T) {
	t.Parallel()
	for _, keys := range [][]hash.Key{nil, {key2025}} {
		ok, _, err := hash.New(keys, false, 1).CheckRandom(t.Context(), keyedGolden, id, secret)
		require.ErrorIs(t, err, hash.ErrUnknownKey)
		require.ErrorContains(t, err, `"2026"`)
		require.False(t, ok)
	}
	// The name alone is not the key.
	impostor := hash.NewKey("2026", []byte("fedcba9876543210fedcba9876543210"))
	ok, _, err := hash.New([]hash.Key{impostor}, false, 1).CheckRandom(t.Context(), keyedGolden, id, secret)
	require.NoError(t, err)
	require.False(t, ok)
}

func TestNone(t *testing.T) {
	t.Parallel()
	h := hash.New([]hash.Key{key2026}, true, 1)
	h.Hook(func() { t.Error("a slow hash") })
	for _, presented := range []string{"", secret, hash.None, "none"} {
		ok, _, err := h.CheckRandom(t.Context(), hash.None, id, presented)
		require.NoError(t, err)
		require.False(t, ok)
	}
}

// hostile are stored hashes of a key that no check may act on (T-032), with what says so.
func hostile() map[string]error {
	const digest = "MAomI2WbBBYvureUW1dplwrAIGsLoZkZVpwYUsFQS6Y"
	rows := map[string]error{
		"":                                       hash.ErrCorrupt,
		"$":                                      hash.ErrCorrupt,
		"$none$":                                 hash.ErrCorrupt,
		secret:                                   hash.ErrCorrupt,
		id:                                       hash.ErrCorrupt,
		plainGolden[1:]:                          hash.ErrCorrupt,
		plainGolden + "$":                        hash.ErrCorrupt,
		plainGolden + "=":                        hash.ErrCorrupt,
		plainGolden + "\n":                       hash.ErrCorrupt,
		plainGolden + "A":                        hash.ErrCorrupt,
		plainGolden[:len(plainGolden)-1]:         hash.ErrCorrupt,
		plainGolden[:len(plainGolden)-1] + "Z":   hash.ErrCorrupt, // bits behind the last byte
		"$sha256$" + id + "$":                    hash.ErrCorrupt,
		"$sha256$$" + digest:                     hash.ErrCorrupt,
		"$sha256$7Gk2mXw9QaTy$" + digest:         hash.ErrCorrupt, // of another record
		"$sha256$7gk2mxw9qatz$" + digest:         hash.ErrCorrupt,
		"$SHA256$" + id + "$" + digest:           hash.ErrUnsupported,
		"$sha256$i=9$" + id + "$" + digest:       hash.ErrUnsupported,
		"$sha256$=$" + id + "$" + digest:         hash.ErrCorrupt, // a parameter without a name
		"$sha256$$" + id + "$" + digest:          hash.ErrCorrupt,
		"$sha512$" + id + "$" + digest:           hash.ErrUnsupported,
		"$$" + id + "$" + digest:                 hash.ErrUnsupported,
		"$hmac-sha256$" + id + "$" + digest:      hash.ErrUnsupported,
		"$hmac-sha256$2026$" + id + "$" + digest: hash.ErrUnsupported,
		"$hmac-sha256$k=$" + id + "$" + digest:   hash.ErrUnknownKey,
		"$hmac-sha256$k=2026,k=2026$" + id + "$" + digest: hash.ErrUnknownKey,
		"$hmac-sha256$k=2026$7Gk2mXw9QaTy$" + digest:      hash.ErrCorrupt,
		"$pbkdf2-sha256$i=1000$" + id + "$" + digest:      hash.ErrUnsupported,
		"$argon2id$v=19$m=8,t=1,p=1$" + id + "$" + digest: hash.ErrCorrupt,
		"$2b$10$" + id + digest:                           hash.ErrCorrupt,
		plainGolden + strings.Repeat("A", 1<<20):          hash.ErrCorrupt,
		strings.Repeat("$", 1<<20):                        hash.ErrCorrupt,
		"$first4$":                                        hash.ErrCorrupt,
		"$first4$46a2199":                                 hash.ErrCorrupt,
	}
	for stored, want := range hostilePersons() {
		rows["$first4$"+first4Golden+stored] = want
	}
	rows["$first4$"+first4Golden] = hash.ErrUnsupported // and not the stand-in of an absent person
	return rows
}

func TestT032_HostileKeyHashes(t *testing.T) {
	for _, slow := range []bool{false, true} {
		h := hash.New([]hash.Key{key2026}, slow, 1)
		h.Hook(func() { t.Error("a slow hash") })
		for stored, want := range hostile() {
			var ok, outdated bool
			var err error
			allocated := allocations(func() {
				ok, outdated, err = h.CheckRandom(t.Context(), stored, id, secret)
			})
			require.ErrorIs(t, err, want, "%.80s", stored)
			require.False(t, ok || outdated, "%.80s", stored)
			require.Less(t, allocated, uint64(64<<10), "%.80s", stored)
		}
	}
}

// A hash belongs to one record and one secret, in each character.
func TestT026_EveryCharacterOfAHashCounts(t *testing.T) {
	t.Parallel()
	h := hash.New([]hash.Key{key2026}, false, 1)
	for _, stored := range []string{plainGolden, keyedGolden} {
		for i := range len(stored) {
			for _, c := range "AZaz09+/$=," {
				mutant := stored[:i] + string(c) + stored[i+1:]
				ok, _, _ := h.CheckRandom(t.Context(), mutant, id, secret)
				require.Equal(t, mutant == stored, ok, mutant)
			}
		}
	}
}

func FuzzCheckRandom(f *testing.F) {
	for stored := range hostile() {
		f.Add(stored)
	}
	f.Add(plainGolden)
	f.Add(keyedGolden)
	f.Add("$first4$" + first4Golden + "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")
	h := hash.New([]hash.Key{key2026, key2025}, false, 1)
	h.Stub()
	f.Fuzz(func(t *testing.T, stored string) {
		ok, _, err := h.CheckRandom(t.Context(), stored, id, secret)
		require.Equal(t, stored == plainGolden || stored == keyedGolden, ok)
		require.False(t, ok && err != nil)
		ok, _, _ = h.CheckPerson(t.Context(), stored, secret)
		require.False(t, ok)
		require.LessOrEqual(t, len(hash.KeyName(stored)), len(stored))
	})
}
