package jwk_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore/tokens/internal/jwk"
)

var (
	secret  = []byte("0123456789abcdef0123456789abcdef")
	edKey   = ed25519.NewKeyFromSeed(secret)
	rsaKey  = sync.OnceValue(func() *rsa.PrivateKey { return generated(rsa.GenerateKey(rand.Reader, 2048)) })
	p256Key = sync.OnceValue(func() *ecdsa.PrivateKey { return generated(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	p384Key = sync.OnceValue(func() *ecdsa.PrivateKey { return generated(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)) })
	p521Key = sync.OnceValue(func() *ecdsa.PrivateKey { return generated(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)) })
)

func generated[T any](key T, err error) T {
	if err != nil {
		panic(err)
	}
	return key
}

func TestNewPublic(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		public  crypto.PublicKey
		usual   jwk.Algorithm
		fitting []jwk.Algorithm
	}{
		{edKey.Public(), jwk.EdDSA, []jwk.Algorithm{jwk.EdDSA}},
		{rsaKey().Public(), jwk.RS256, []jwk.Algorithm{jwk.RS256, jwk.RS384, jwk.RS512, jwk.PS256, jwk.PS384, jwk.PS512}},
		{p256Key().Public(), jwk.ES256, []jwk.Algorithm{jwk.ES256}},
		{p384Key().Public(), jwk.ES384, []jwk.Algorithm{jwk.ES384}},
		{p521Key().Public(), jwk.ES512, []jwk.Algorithm{jwk.ES512}},
	} {
		key, err := jwk.NewPublic("k", "", row.public)
		require.NoError(t, err)
		require.Equal(t, row.usual, key.Algorithm())
		require.Equal(t, "k", key.ID())
		for _, algorithm := range []jwk.Algorithm{
			jwk.HS256, jwk.EdDSA, jwk.RS256, jwk.RS384, jwk.RS512, jwk.PS256, jwk.PS384, jwk.PS512,
			jwk.ES256, jwk.ES384, jwk.ES512, "none", "HS384", "ES256K", "rs256",
		} {
			_, err := jwk.NewPublic("k", algorithm, row.public)
			fits := false
			for _, one := range row.fitting {
				fits = fits || one == algorithm
			}
			require.Equal(t, fits, err == nil, "%s and %T", algorithm, row.public)
		}
	}
}

// T-064.
func TestT064_WeakKeys(t *testing.T) {
	t.Parallel()
	modulus := func(bits int, low uint64) *big.Int {
		n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
		return n.Or(n, new(big.Int).SetUint64(low))
	}
	for _, row := range []struct {
		desc   string
		public crypto.PublicKey
	}{
		{"RSA of 1024 bits", &rsa.PublicKey{N: modulus(1024, 1), E: 65537}},
		{"RSA of 2047 bits", &rsa.PublicKey{N: modulus(2047, 1), E: 65537}},
		{"RSA of 8193 bits", &rsa.PublicKey{N: modulus(8193, 1), E: 65537}},
		{"even modulus", &rsa.PublicKey{N: modulus(2048, 2), E: 65537}},
		{"negative modulus", &rsa.PublicKey{N: new(big.Int).Neg(modulus(2048, 1)), E: 65537}},
		{"no modulus", &rsa.PublicKey{E: 65537}},
		{"no RSA key", (*rsa.PublicKey)(nil)},
		{"e = 0", &rsa.PublicKey{N: modulus(2048, 1)}},
		{"e = 1", &rsa.PublicKey{N: modulus(2048, 1), E: 1}},
		{"e = 3", &rsa.PublicKey{N: modulus(2048, 1), E: 3}},
		{"e = 65535", &rsa.PublicKey{N: modulus(2048, 1), E: 65535}},
		{"e = 65538", &rsa.PublicKey{N: modulus(2048, 1), E: 65538}},
		{"e = -65537", &rsa.PublicKey{N: modulus(2048, 1), E: -65537}},
		{"P-224", &ecdsa.PublicKey{Curve: elliptic.P224()}},
		{"no point", &ecdsa.PublicKey{Curve: elliptic.P256()}},
		{"off the curve", &ecdsa.PublicKey{Curve: elliptic.P256(), X: big.NewInt(1), Y: big.NewInt(1)}}, //nolint:staticcheck // SA1019: as an app may still do it
		{"no curve", &ecdsa.PublicKey{}},
		{"no ECDSA key", (*ecdsa.PublicKey)(nil)},
		{"Ed25519 of 31 bytes", ed25519.PublicKey(secret[1:])},
		{"Ed25519 of no bytes", ed25519.PublicKey(nil)},
		{"a private key", edKey},
		{"bytes", secret},
		{"nil", nil},
	} {
		t.Run(row.desc, func(t *testing.T) {
			t.Parallel()
			_, err := jwk.NewPublic("k", "", row.public)
			require.ErrorContains(t, err, "jwk: ")
		})
	}
	_, err := jwk.NewSecret("k", secret[1:])
	require.ErrorContains(t, err, "31 bytes: want at least 32")
	_, err = jwk.NewSecret("", secret)
	require.ErrorContains(t, err, "without a name")
}

// A key is a copy: what its maker does to the original later changes nothing.
func TestNewPublic_Copies(t *testing.T) {
	t.Parallel()
	signer, err := jwk.NewSigner("k", edKey)
	require.NoError(t, err)
	signature, err := signer.Sign("text")
	require.NoError(t, err)
	original, ok := edKey.Public().(ed25519.PublicKey)
	require.True(t, ok)
	original = append(ed25519.PublicKey(nil), original...)
	key, err := jwk.NewPublic("k", "", original)
	require.NoError(t, err)
	clear(original)
	set, err := jwk.NewSet(key)
	require.NoError(t, err)
	require.NoError(t, set.Verify(jwk.EdDSA, "k", "text", signature))

	bytes := append([]byte(nil), secret...)
	mac, err := jwk.NewSecret("k", bytes)
	require.NoError(t, err)
	before, err := mac.Sign("text")
	require.NoError(t, err)
	clear(bytes)
	after, err := mac.Sign("text")
	require.NoError(t, err)
	require.Equal(t, before, after)
}

// T-127: no print of a signer or of its key has the secret in it.
func TestSecret_Silent(t *testing.T) {
	t.Parallel()
	signer, err := jwk.NewSecret("k", secret)
	require.NoError(t, err)
	set, err := jwk.NewSet(signer.Key)
	require.NoError(t, err)
	forms := []string{string(secret), fmt.Sprintf("%x", secret), strings.Trim(fmt.Sprintf("%d", secret), "[]"), fmt.Sprintf("%X", secret)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		for _, value := range []any{signer, *signer, signer.Key, *signer.Key, set} {
			for _, form := range forms {
				require.NotContains(t, fmt.Sprintf(verb, value), form)
			}
		}
	}
	for _, value := range []any{signer, signer.Key, set} {
		requireNotPublished(t, value)
	}
}
