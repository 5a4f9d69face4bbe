package jwk_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore/tokens/internal/jwk"
)

func newSecret(t *testing.T, id string) *jwk.Signer {
	t.Helper()
	signer, err := jwk.NewSecret(id, append([]byte(id), secret...))
	require.NoError(t, err)
	return signer
}

func newPublic(t *testing.T, id string, algorithm jwk.Algorithm, public crypto.PublicKey) *jwk.Key {
	t.Helper()
	key, err := jwk.NewPublic(id, algorithm, public)
	require.NoError(t, err)
	return key
}

func newSet(t *testing.T, keys ...*jwk.Key) *jwk.Set {
	t.Helper()
	set, err := jwk.NewSet(keys...)
	require.NoError(t, err)
	return set
}

// T-064: names that two keys share, and secrets beside public keys.
func TestT064_NewSet(t *testing.T) {
	t.Parallel()
	public := newPublic(t, "public", "", edKey.Public())
	secrets := make([]*jwk.Key, 17)
	for i := range secrets {
		secrets[i] = newSecret(t, strconv.Itoa(i)).Key
	}
	publics := make([]*jwk.Key, 101)
	for i := range publics {
		publics[i] = newPublic(t, strconv.Itoa(i), "", edKey.Public())
	}
	for _, row := range []struct {
		desc string
		keys []*jwk.Key
		want string // what the error says; "" for none
	}{
		{"none", nil, ""},
		{"16 secrets", secrets[:16], ""},
		{"17 secrets", secrets, "17 keys: want at most 16"},
		{"100 public keys", publics[:100], ""},
		{"101 public keys", publics, "101 keys: want at most 100"},
		{"one name for two", []*jwk.Key{secrets[0], secrets[1], newSecret(t, "0").Key}, "key 3 of the set has the name"},
		{"secret and public key", []*jwk.Key{secrets[0], public}, "keep them apart"},
		{"public key and secret", []*jwk.Key{public, secrets[0]}, "keep them apart"},
		{"nil", []*jwk.Key{public, nil}, "key 2 of the set is nil"},
	} {
		t.Run(row.desc, func(t *testing.T) {
			t.Parallel()
			_, err := jwk.NewSet(row.keys...)
			if row.want == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, row.want)
			}
		})
	}
}

// T-062: the algorithm is the key's. T-065: the name is looked up, and that is all.
func TestT062_T065_Verify(t *testing.T) {
	t.Parallel()
	const text = "header.payload"
	a, b := newSecret(t, "a"), newSecret(t, "b")
	byA, err := a.Sign(text)
	require.NoError(t, err)
	byB, err := b.Sign(text)
	require.NoError(t, err)
	secrets := newSet(t, a.Key, b.Key)

	ed, err := jwk.NewSigner("ed", edKey)
	require.NoError(t, err)
	byEd, err := ed.Sign(text)
	require.NoError(t, err)
	byRSA := signRSA(t, text, nil)
	byPSS := signRSA(t, text, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	public := newSet(t, ed.Key, newPublic(t, "rs", jwk.RS256, rsaKey().Public()), newPublic(t, "ps", jwk.PS256, rsaKey().Public()))
	twoEd := newSet(t, ed.Key, newPublic(t, "ed2", "", edKey.Public()))

	for _, row := range []struct {
		desc      string
		set       *jwk.Set
		algorithm jwk.Algorithm
		id        string
		signature []byte
		want      error
	}{
		{"named", secrets, jwk.HS256, "b", byB, nil},
		{"named wrongly", secrets, jwk.HS256, "a", byB, jwk.ErrSignature},
		{"first, not named", secrets, jwk.HS256, "", byA, nil},
		{"last, not named", secrets, jwk.HS256, "", byB, nil},
		{"a secret that is gone, named", newSet(t, b.Key), jwk.HS256, "a", byA, jwk.ErrUnknownKey},
		{"a secret that is gone, not named", newSet(t, b.Key), jwk.HS256, "", byA, jwk.ErrSignature},
		{"public key, named", public, jwk.EdDSA, "ed", byEd, nil},
		{"public key, not named, sole of its algorithm", public, jwk.EdDSA, "", byEd, nil},
		{"public key, not named, one of two", twoEd, jwk.EdDSA, "", byEd, jwk.ErrSignature},
		{"public key, named, one of two", twoEd, jwk.EdDSA, "ed2", byEd, nil},
		{"RS256", public, jwk.RS256, "rs", byRSA, nil},
		{"PS256", public, jwk.PS256, "ps", byPSS, nil},

		{"RS256 with a PS256 key", public, jwk.RS256, "ps", byRSA, jwk.ErrAlgorithm},
		{"PS256 with a RS256 key", public, jwk.PS256, "rs", byPSS, jwk.ErrAlgorithm},
		{"RS256's signature as PS256's", public, jwk.PS256, "ps", byRSA, jwk.ErrSignature},
		{"RS384 with a RS256 key", public, jwk.RS384, "rs", byRSA, jwk.ErrAlgorithm},
		{"RS384, not named", public, jwk.RS384, "", byRSA, jwk.ErrAlgorithm},
		{"ES256 with an Ed25519 key", public, jwk.ES256, "ed", byEd, jwk.ErrAlgorithm},
		{"HS256 with a public key", public, jwk.HS256, "ed", byA, jwk.ErrAlgorithm},
		{"HS256 with a public key, not named", public, jwk.HS256, "", byA, jwk.ErrAlgorithm},
		{"EdDSA with a secret", secrets, jwk.EdDSA, "a", byEd, jwk.ErrAlgorithm},
		{"none with a secret", secrets, "none", "a", nil, jwk.ErrAlgorithm},
		{"none with a public key", public, "none", "ed", nil, jwk.ErrAlgorithm},
		{"none and a name that is unknown", public, "none", "zz", nil, jwk.ErrAlgorithm},
		{"HS256 and a name that is unknown, with public keys", public, jwk.HS256, "zz", byA, jwk.ErrAlgorithm},
		{"EdDSA and a name that is unknown, with secrets", secrets, jwk.EdDSA, "zz", byEd, jwk.ErrAlgorithm},
		{"hs256", secrets, "hs256", "a", byA, jwk.ErrAlgorithm},
		{"no algorithm", secrets, "", "a", byA, jwk.ErrAlgorithm},

		{"unknown", public, jwk.EdDSA, "zz", byEd, jwk.ErrUnknownKey},
		{"a path", public, jwk.EdDSA, "../../dev/null", byEd, jwk.ErrUnknownKey},
		{"SQL", secrets, jwk.HS256, "' OR 1=1--", byA, jwk.ErrUnknownKey},
		{"NUL", secrets, jwk.HS256, "a\x00", byA, jwk.ErrUnknownKey},
		{"__proto__", secrets, jwk.HS256, "__proto__", byA, jwk.ErrUnknownKey},
		{"another case", secrets, jwk.HS256, "A", byA, jwk.ErrUnknownKey},
		{"empty set", newSet(t), jwk.EdDSA, "ed", byEd, jwk.ErrUnknownKey},
		{"empty set, not named", newSet(t), jwk.HS256, "", byA, jwk.ErrUnknownKey},
		{"no set", nil, jwk.EdDSA, "ed", byEd, jwk.ErrUnknownKey},
		{"zero set", &jwk.Set{}, jwk.EdDSA, "ed", byEd, jwk.ErrUnknownKey},
	} {
		t.Run(row.desc, func(t *testing.T) {
			t.Parallel()
			err := row.set.Verify(row.algorithm, row.id, text, row.signature)
			require.ErrorIs(t, err, row.want)
		})
	}
}

func signRSA(t *testing.T, text string, options *rsa.PSSOptions) []byte {
	t.Helper()
	sum := sha256.Sum256([]byte(text))
	var signature []byte
	var err error
	if options != nil {
		signature, err = rsa.SignPSS(rand.Reader, rsaKey(), crypto.SHA256, sum[:], options)
	} else {
		signature, err = rsa.SignPKCS1v15(nil, rsaKey(), crypto.SHA256, sum[:])
	}
	require.NoError(t, err)
	return signature
}

// T-060, vectors 281 to 286: a salt of another length than the hash, which
// golang-jwt takes. In FIPS mode nobody could make a longer one.
func TestT060_SaltLength(t *testing.T) {
	t.Parallel()
	set := newSet(t, newPublic(t, "ps", jwk.PS256, rsaKey().Public()))
	for _, salt := range []int{1, 20, 31} {
		signature := signRSA(t, "text", &rsa.PSSOptions{SaltLength: salt})
		require.ErrorIs(t, set.Verify(jwk.PS256, "ps", "text", signature), jwk.ErrSignature)
	}
}

// The ES algorithms are verified, never made: RFC 7518 §3.4 has r and s at full
// length, and nothing else.
func TestVerify_ECDSA(t *testing.T) {
	t.Parallel()
	set := newSet(t, newPublic(t, "es", "", p256Key().Public()))
	sum := sha256.Sum256([]byte("text"))
	r, s, err := ecdsa.Sign(rand.Reader, p256Key(), sum[:])
	require.NoError(t, err)
	signature := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	require.NoError(t, set.Verify(jwk.ES256, "es", "text", signature))
	require.ErrorIs(t, set.Verify(jwk.ES256, "es", "text", signature[:63]), jwk.ErrSignature)
	require.ErrorIs(t, set.Verify(jwk.ES256, "es", "text", append(signature, 0)), jwk.ErrSignature)
	require.ErrorIs(t, set.Verify(jwk.ES256, "es", "text", make([]byte, 64)), jwk.ErrSignature)
	der, err := ecdsa.SignASN1(rand.Reader, p256Key(), sum[:])
	require.NoError(t, err)
	require.ErrorIs(t, set.Verify(jwk.ES256, "es", "text", der), jwk.ErrSignature)
}
