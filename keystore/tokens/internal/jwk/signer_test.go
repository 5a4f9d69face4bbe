package jwk_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore/tokens/internal/jwk"
)

func TestSign_Repeats(t *testing.T) {
	t.Parallel()
	mac, err := jwk.NewSecret("mac", secret)
	require.NoError(t, err)
	ed, err := jwk.NewSigner("ed", edKey)
	require.NoError(t, err)
	rsa, err := jwk.NewSigner("rsa", rsaKey())
	require.NoError(t, err)
	for _, row := range []struct {
		signer    *jwk.Signer
		algorithm jwk.Algorithm
		check     func(text string, signature []byte) bool // as the standard library does it
	}{
		{mac, jwk.HS256, func(text string, signature []byte) bool {
			h := hmac.New(sha256.New, secret)
			h.Write([]byte(text))
			return hmac.Equal(signature, h.Sum(nil))
		}},
		{ed, jwk.EdDSA, func(text string, signature []byte) bool {
			return ed25519.Verify(edKey.Public().(ed25519.PublicKey), []byte(text), signature)
		}},
		{rsa, jwk.RS256, checkRS256},
	} {
		t.Run(string(row.algorithm), func(t *testing.T) {
			t.Parallel()
			require.Equal(t, row.algorithm, row.signer.Algorithm())
			set, err := jwk.NewSet(row.signer.Key)
			require.NoError(t, err)
			for _, text := range []string{"", "text", "another text"} {
				first, err := row.signer.Sign(text)
				require.NoError(t, err)
				require.True(t, row.check(text, first))
				var all sync.WaitGroup
				for range 4 {
					all.Go(func() {
						again, err := row.signer.Sign(text)
						require.NoError(t, err)
						require.Equal(t, first, again)
						require.NoError(t, set.Verify(row.algorithm, row.signer.ID(), text, again))
					})
				}
				all.Wait()
				require.ErrorIs(t, set.Verify(row.algorithm, row.signer.ID(), text+" ", first), jwk.ErrSignature)
				require.ErrorIs(t, set.Verify(row.algorithm, row.signer.ID(), text, first[1:]), jwk.ErrSignature)
				require.ErrorIs(t, set.Verify(row.algorithm, row.signer.ID(), text, nil), jwk.ErrSignature)
			}
		})
	}
}

func checkRS256(text string, signature []byte) bool {
	sum := sha256.Sum256([]byte(text))
	return rsa.VerifyPKCS1v15(&rsaKey().PublicKey, crypto.SHA256, sum[:], signature) == nil
}

// The examples of RFC 7515 §A.1 and RFC 8037 §A.4.
func TestSign_Examples(t *testing.T) {
	t.Parallel()
	decode := func(text string) []byte { return generated(base64.RawURLEncoding.DecodeString(text)) }
	mac, err := jwk.NewSecret("k", decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"))
	require.NoError(t, err)
	ed, err := jwk.NewSigner("", ed25519.NewKeyFromSeed(decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")))
	require.NoError(t, err)
	require.Equal(t, rfcEdThumbprint, ed.ID())
	for _, row := range []struct {
		signer          *jwk.Signer
		text, signature string
	}{
		{mac, "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"},
		{ed, "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc", "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"},
	} {
		signature, err := row.signer.Sign(row.text)
		require.NoError(t, err)
		require.Equal(t, row.signature, base64.RawURLEncoding.EncodeToString(signature))
	}
}

func TestNewSigner_Refuses(t *testing.T) {
	t.Parallel()
	for desc, signer := range map[string]crypto.Signer{
		"nil":                    nil,
		"no Ed25519 key":         ed25519.PrivateKey(nil),
		"an Ed25519 key cut off": edKey[:32],
		"no RSA key":             (*rsa.PrivateKey)(nil),
		"no ECDSA key":           (*ecdsa.PrivateKey)(nil),
		"ECDSA":                  p256Key(), // its signatures do not repeat
		"a key of another type":  elsewhere{public: "text"},
	} {
		t.Run(desc, func(t *testing.T) {
			t.Parallel()
			_, err := jwk.NewSigner("k", signer)
			require.ErrorContains(t, err, "jwk: ")
		})
	}
}

// elsewhere is a key that is kept in another place, and may do as it likes.
type elsewhere struct {
	public crypto.PublicKey
	sign   func(message []byte, options crypto.SignerOpts) ([]byte, error)
}

func (e elsewhere) Public() crypto.PublicKey { return e.public }

func (e elsewhere) Sign(_ io.Reader, message []byte, options crypto.SignerOpts) ([]byte, error) {
	return e.sign(message, options)
}

func TestNewSigner_Elsewhere(t *testing.T) {
	t.Parallel()
	down := errors.New("the key service is down")
	for _, private := range []crypto.Signer{edKey, rsaKey()} {
		local, err := jwk.NewSigner("", private)
		require.NoError(t, err)
		want, err := local.Sign("text")
		require.NoError(t, err)

		remote := func(sign func([]byte, crypto.SignerOpts) ([]byte, error)) *jwk.Signer {
			signer, err := jwk.NewSigner("", elsewhere{private.Public(), sign})
			require.NoError(t, err)
			require.Equal(t, local.ID(), signer.ID())
			return signer
		}
		got, err := remote(func(message []byte, options crypto.SignerOpts) ([]byte, error) {
			return private.Sign(nil, message, options)
		}).Sign("text")
		require.NoError(t, err)
		require.Equal(t, want, got)

		_, err = remote(func([]byte, crypto.SignerOpts) ([]byte, error) { return nil, down }).Sign("text")
		require.ErrorIs(t, err, down)

		_, err = remote(func(message []byte, options crypto.SignerOpts) ([]byte, error) {
			signature, err := private.Sign(nil, message, options)
			signature[0] ^= 1
			return signature, err
		}).Sign("text")
		require.ErrorContains(t, err, "its public key refuses")
	}
}
