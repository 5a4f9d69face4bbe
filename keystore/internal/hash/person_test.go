package hash_test

import (
	"crypto/fips140"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"runtime"
	"strings"
	"testing"

	"github.com/alexedwards/argon2id"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/claviger-go/claviger/keystore/internal/hash"
)

const (
	argonGolden  = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4" // the reference implementation's test, of "password"
	bcryptGolden = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy"                         // OpenBSD's test, of ""
	pbkdf2Golden = "$pbkdf2-sha256$i=1000$MDEyMzQ1Njc4OWFiY2RlZg$cBg8D2DungRB9k76szThf5ehfyBz991ay6PT8Srwk4M"
)

// weak hashes a person's secret with less work than is due, so that tests are quick.
func weak(t testing.TB, text string) string {
	t.Helper()
	if fips140.Enabled() {
		salt := []byte("0123456789abcdef")
		digest, err := pbkdf2.Key(sha256.New, text, salt, 1000, 32)
		require.NoError(t, err)
		b64 := base64.RawStdEncoding.EncodeToString
		return "$pbkdf2-sha256$i=1000$" + b64(salt) + "$" + b64(digest)
	}
	stored, err := argon2id.CreateHash(text, &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32})
	require.NoError(t, err)
	return stored
}

func allocations(work func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	work()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestPerson(t *testing.T) {
	t.Parallel()
	h := hash.New([]hash.Key{key2026}, false, 2)
	for _, password := range []string{"", "p", "correct horse", strings.Repeat("x", 1<<12), "a\x00b"} {
		stored, err := h.Person(t.Context(), password)
		require.NoError(t, err)
		require.Regexp(t, "^"+personForm()+"$", stored)

		ok, _, err := h.CheckPerson(t.Context(), stored, password)
		require.NoError(t, err)
		require.True(t, ok)
		ok, _, err = h.CheckPerson(t.Context(), stored, password+"x")
		require.NoError(t, err)
		require.False(t, ok)
	}
}

func TestCheckPerson_Golden(t *testing.T) {
	t.Parallel()
	h := hash.New(nil, false, 2)
	for stored, password := range map[string]string{argonGolden: "password", pbkdf2Golden: "correct horse", bcryptGolden: ""} {
		ok, _, err := h.CheckPerson(t.Context(), stored, password)
		if fips140.Enabled() && !strings.HasPrefix(stored, "$pbkdf2") { // T-132
			require.ErrorIs(t, err, hash.ErrUnsupported)
			require.False(t, ok)
			continue
		}
		require.NoError(t, err)
		require.True(t, ok)
		ok, _, err = h.CheckPerson(t.Context(), stored, password+" ")
		require.NoError(t, err)
		require.False(t, ok)
	}
}

// hostilePersons are stored hashes of a person's secret that no check may act on (T-032), with what says so.
func hostilePersons() map[string]error {
	const salt, digest = "MDEyMzQ1Njc4OWFiY2RlZg", "cBg8D2DungRB9k76szThf5ehfyBz991ay6PT8Srwk4M"
	argon := func(params string) string { return "$argon2id$v=19$" + params + "$" + salt + "$" + digest }
	rows := map[string]error{
		"$pbkdf2-sha256$i=0$" + salt + "$" + digest:                        hash.ErrCorrupt,
		"$pbkdf2-sha256$i=999$" + salt + "$" + digest:                      hash.ErrCorrupt,
		"$pbkdf2-sha256$i=-1$" + salt + "$" + digest:                       hash.ErrCorrupt,
		"$pbkdf2-sha256$i=2000001$" + salt + "$" + digest:                  hash.ErrCorrupt,
		"$pbkdf2-sha256$i=99999999999999999$" + salt + "$" + digest:        hash.ErrCorrupt,
		"$pbkdf2-sha256$i=1000,l=32$" + salt + "$" + digest:                hash.ErrCorrupt,
		"$pbkdf2-sha256$l=1000$" + salt + "$" + digest:                     hash.ErrCorrupt,
		"$pbkdf2-sha256$1000$" + salt + "$" + digest:                       hash.ErrCorrupt,
		"$pbkdf2-sha256$" + salt + "$" + digest:                            hash.ErrCorrupt,
		"$pbkdf2-sha256$i=1000$" + salt:                                    hash.ErrCorrupt,
		"$pbkdf2-sha256$i=1000$" + salt + "$":                              hash.ErrCorrupt,
		"$pbkdf2-sha256$i=1000$$" + digest:                                 hash.ErrCorrupt,
		"$pbkdf2-sha256$i=1000$c2FsdA$" + digest:                           hash.ErrCorrupt,
		"$pbkdf2-sha256$i=1000$" + salt + "$cBg8D2DungRB9k76":              hash.ErrCorrupt,
		"$pbkdf2-sha256$i=1000$" + strings.Repeat("A", 400) + "$" + digest: hash.ErrCorrupt,
		"$pbkdf2-sha256$i=1000$" + salt + "$" + strings.Repeat("A", 400):   hash.ErrCorrupt,
		"$pbkdf2-sha512$i=1000$" + salt + "$" + digest:                     hash.ErrUnsupported,
		"$argon2i$v=19$m=64,t=1,p=1$" + salt + "$" + digest:                hash.ErrUnsupported,
		"$argon2d$v=19$m=64,t=1,p=1$" + salt + "$" + digest:                hash.ErrUnsupported,
		"$scrypt$ln=17,r=8,p=1$" + salt + "$" + digest:                     hash.ErrUnsupported,
		plainGolden:                hash.ErrUnsupported,
		keyedGolden:                hash.ErrUnsupported,
		hash.None:                  hash.ErrUnsupported,
		"$":                        hash.ErrUnsupported,
		"correct horse":            hash.ErrUnsupported,
		strings.Repeat("$", 1<<20): hash.ErrCorrupt,
		argon("m=64,t=1,p=1" + strings.Repeat(" ", 1<<20)): hash.ErrCorrupt,
	}
	for _, stored := range []string{
		argon("m=4294967296,t=2,p=1"), argon("m=4194304,t=2,p=1"), argon("m=262145,t=2,p=1"), // KiB
		argon("m=0,t=2,p=1"), argon("m=7,t=2,p=1"), argon("m=-1,t=2,p=1"), argon("m=,t=2,p=1"), argon("m=x,t=2,p=1"),
		argon("m=19456,t=1000000,p=1"), argon("m=19456,t=17,p=1"), argon("m=19456,t=0,p=1"),
		argon("m=19456,t=2,p=0"), argon("m=19456,t=2,p=17"), argon("m=19456,t=2,p=256"), argon("m=19456,t=2"),
		argon("t=1,m=64,p=1"), argon("m=64,t=1,p=1,m=4194304"), argon("m=64,t=1,p=1x"), argon("m=064,t=1,p=1"),
		argon("m=+64,t=1,p=1"), argon("m=0x40,t=1,p=1"), argon("m= 64,t=1,p=1"), argon("m=64,t=1,p=1,data=x"), argon(""),
		"$argon2id$v=16$m=64,t=1,p=1$" + salt + "$" + digest,
		"$argon2id$v=19x$m=64,t=1,p=1$" + salt + "$" + digest,
		"$argon2id$v=$m=64,t=1,p=1$" + salt + "$" + digest,
		"$argon2id$m=64,t=1,p=1$" + salt + "$" + digest,
		"$argon2id$v=19$m=64,t=1,p=1$" + salt,
		"$argon2id$v=19$m=64,t=1,p=1$" + salt + "$",
		"$argon2id$v=19$m=64,t=1,p=1$$" + digest,
		"$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + digest + "$",
		"$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + digest + "=",
		"$argon2id$v=19$m=64,t=1,p=1$" + salt + "$cBg8D2DungRB9k76",
		"$argon2id$v=19$m=64,t=1,p=1$c2FsdA$" + digest,
		"$argon2id$v=19$m=64,t=1,p=1$" + strings.Repeat("A", 400) + "$" + digest,
		"$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + strings.Repeat("A", 400),
		"$argon2id$v=19$m=64,t=1,p=1$ä$" + digest,
		"$2b$16$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy", // minutes
		"$2b$31$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
		"$2b$99$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
		"$2b$-1$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
		"$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhW",
		"$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWyA", "$2b$", "$2",
	} {
		rows[stored] = hash.ErrCorrupt
		if fips140.Enabled() {
			rows[stored] = hash.ErrUnsupported
		}
	}
	return rows
}

func TestT032_HostilePersonHashes(t *testing.T) {
	h := hash.New([]hash.Key{key2026}, false, 1)
	h.Hook(func() { t.Error("a slow hash") })
	for stored, want := range hostilePersons() {
		var ok bool
		var err error
		allocated := allocations(func() { ok, _, err = h.CheckPerson(t.Context(), stored, "correct horse") })
		require.ErrorIs(t, err, want, "%.80s", stored)
		require.False(t, ok, "%.80s", stored)
		require.Less(t, allocated, uint64(64<<10), "%.80s", stored)
	}
}

// In FIPS mode some stored hashes parse and cannot be computed, which is no "no" either.
func TestT132_UncomputableHashes(t *testing.T) {
	t.Parallel()
	const stored = "$pbkdf2-sha256$i=1000$c29tZXNhbHQ$cBg8D2DungRB9k76szThf5ehfyBz991ay6PT8Srwk4M" // 8 bytes of salt
	ok, _, err := hash.New(nil, false, 1).CheckPerson(t.Context(), stored, "correct horse")
	require.Equal(t, fips140.Enforced(), err != nil)
	require.False(t, ok)
}

// T-028: bcrypt sees 72 bytes, so that what is longer would match by its beginning.
func TestT028_BcryptCutsNothing(t *testing.T) {
	t.Parallel()
	if fips140.Enabled() {
		t.Skip("bcrypt is refused in FIPS mode")
	}
	h := hash.New(nil, false, 2)
	long := strings.Repeat("0123456789", 8)
	stored, err := bcrypt.GenerateFromPassword([]byte(long[:72]), bcrypt.MinCost)
	require.NoError(t, err)
	for _, row := range []struct {
		text string
		want bool
	}{{long[:72], true}, {long[:73], false}, {long[:71], false}, {long, false}} {
		ok, outdated, err := h.CheckPerson(t.Context(), string(stored), row.text)
		require.NoError(t, err)
		require.Equal(t, row.want, ok)
		require.True(t, outdated)
	}
}
