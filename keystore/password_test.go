package keystore_test

import (
	"context"
	"crypto/fips140"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
)

// T-028: a password is its exact bytes, all of them.
func TestT028_Passwords(t *testing.T) {
	t.Parallel()
	keys := openPatient(t, newStub(), keystore.Config{})
	long := strings.Repeat("0123456789", 103)
	for _, row := range []struct {
		desc, password string
		others         []string
	}{
		{"1 byte", "x", []string{"", "X"}},
		{"15 bytes", long[:15], []string{long[:16]}},
		{"64 bytes, the block of SHA-256", long[:64], []string{long[:64] + "\x00"}},
		{"73 bytes, one more than bcrypt reads", long[:73], []string{long[:72] + "x"}},
		{"1,024 bytes", long[:1024], []string{long[:1023]}},
		{"NUL inside", "correct\x00horse", []string{"correct\x00staple"}},
		{"NUL behind", "correct horse\x00", []string{"correct horse"}},
		{"composed (NFC)", "caf\u00e9", []string{"cafe\u0301"}},
		{"spaces around", " correct horse ", []string{"correct horse"}},
		{"no UTF-8", "\xff\xfe", []string{"\ufffd\ufffd"}},
	} {
		t.Run(row.desc, func(t *testing.T) {
			t.Parallel()
			if fips140.Enabled() && strings.HasSuffix(row.password, "\x00") {
				t.Skip("PBKDF2 sees no NUL at the end")
			}
			stored, err := keys.HashPassword(t.Context(), keystore.NewSecret(row.password))
			require.NoError(t, err)
			require.Regexp(t, "^"+slowForm()+"$", stored)
			ok, err := keys.CheckPassword(t.Context(), stored, keystore.NewSecret(row.password))
			require.NoError(t, err)
			require.True(t, ok)
			for _, other := range row.others {
				ok, err := keys.CheckPassword(t.Context(), stored, keystore.NewSecret(other))
				require.NoError(t, err)
				require.False(t, ok, "%q", other)
			}
		})
	}
}

func TestT028_PasswordsNeverHashed(t *testing.T) {
	t.Parallel()
	keys := openPatient(t, newStub(), keystore.Config{})
	for _, size := range []int{1025, 1_000_000} {
		tooLong := keystore.NewSecret(strings.Repeat("x", size))
		stored, err := keys.HashPassword(t.Context(), tooLong)
		require.ErrorIs(t, err, keystore.ErrPasswordTooLong)
		require.Empty(t, stored)
		ok, err := keys.CheckPassword(t.Context(), "", tooLong)
		require.ErrorIs(t, err, keystore.ErrPasswordTooLong)
		require.False(t, ok)
	}
	for _, empty := range []keystore.Secret{{}, keystore.NewSecret("")} {
		stored, err := keys.HashPassword(t.Context(), empty)
		require.ErrorIs(t, err, keystore.ErrInvalid)
		require.Empty(t, stored)
	}
}

func TestHashPassword_Salted(t *testing.T) {
	t.Parallel()
	keys := openPatient(t, newStub(), keystore.Config{Ring: ring(t, "2026")})
	password := keystore.NewSecret("correct horse")
	one, err := keys.HashPassword(t.Context(), password)
	require.NoError(t, err)
	other, err := keys.HashPassword(t.Context(), password)
	require.NoError(t, err)
	require.NotEqual(t, one, other)

	// A hash stands on its own: another process checks it, whatever its ring.
	ok, err := openPatient(t, newStub(), keystore.Config{SlowHash: true}).CheckPassword(t.Context(), one, password)
	require.NoError(t, err)
	require.True(t, ok)
}

// T-032 and T-050: what cannot be checked is no wrong password.
func TestCheckPassword_CannotAnswer(t *testing.T) {
	t.Parallel()
	keys := openPatient(t, newStub(), keystore.Config{})
	gone, leave := context.WithCancel(t.Context())
	leave()
	for _, row := range []struct {
		desc   string
		ctx    context.Context
		stored string
	}{
		{"4 GiB", t.Context(), "$argon2id$v=19$m=4194304,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$cBg8D2DungRB9k76szThf5ehfyBz991ay6PT8Srwk4M"},
		{"scrypt", t.Context(), "$scrypt$ln=17,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$cBg8D2DungRB9k76szThf5ehfyBz991ay6PT8Srwk4M"},
		{"plain text", t.Context(), "correct horse"},
		{"a key's hash", t.Context(), "$sha256$7Gk2mXw9QaTz$MAomI2WbBBYvureUW1dplwrAIGsLoZkZVpwYUsFQS6Y"},
		{"nothing matches", t.Context(), "$none"},
		{"client gone", gone, ""},
	} {
		ok, err := keys.CheckPassword(row.ctx, row.stored, keystore.NewSecret("correct horse"))
		requireUnavailable(t, err)
		require.False(t, ok, row.desc)
		require.NotContains(t, err.Error(), "correct horse", row.desc)
	}
	_, err := keys.HashPassword(gone, keystore.NewSecret("correct horse"))
	requireUnavailable(t, err)
	require.ErrorIs(t, err, context.Canceled)
}
