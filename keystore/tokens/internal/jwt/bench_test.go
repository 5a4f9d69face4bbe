package jwt_test

import (
	"slices"
	"testing"
	"time"

	golang "github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore/tokens/internal/jwk"
	"github.com/claviger-go/claviger/keystore/tokens/internal/jwt"
)

// byHand is what a service would write with golang-jwt.
func byHand(text string, key any) error {
	var read struct {
		golang.RegisteredClaims

		Scope string `json:"scope"`
	}
	_, err := golang.ParseWithClaims(text, &read, func(*golang.Token) (any, error) { return key, nil },
		golang.WithValidMethods([]string{"HS256", "EdDSA", "RS256"}), golang.WithIssuer(expect.Issuer), golang.WithAudience(expect.Audiences[0]),
		golang.WithExpirationRequired(), golang.WithTimeFunc(func() time.Time { return now }))
	return err
}

func keyOf(signer *jwk.Signer) any {
	switch signer.Algorithm() {
	case jwk.EdDSA:
		return edKey.Public()
	case jwk.RS256:
		return rsaKey().Public()
	default:
		return secret
	}
}

func BenchmarkVerify(b *testing.B) {
	for signer, keys := range signers(b) {
		text, key := sign(b, signer, header, claims), keyOf(signer)
		for name, check := range map[string]func() error{
			"golang-jwt": func() error { return byHand(text, key) },
			"claviger": func() error {
				_, err := verify(text, keys, expect)
				return err
			},
		} {
			b.Run("alg="+string(signer.Algorithm())+"/by="+name, func(b *testing.B) {
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if err := check(); err != nil {
							b.Error(err)
						}
					}
				})
			})
		}
	}
}

// BenchmarkRatio is how many times our time golang-jwt by hand takes, in turns, so
// that whatever else the machine does burdens both alike.
func BenchmarkRatio(b *testing.B) {
	for signer, keys := range signers(b) {
		text, key := sign(b, signer, header, claims), keyOf(signer)
		b.Run("alg="+string(signer.Algorithm()), func(b *testing.B) {
			const turn = 50
			took := func(check func() error) float64 {
				start := time.Now()
				for range turn {
					require.NoError(b, check())
				}
				return float64(time.Since(start))
			}
			var ratios []float64
			for range max(b.N/turn, 1) {
				ours := took(func() error { _, err := verify(text, keys, expect); return err })
				ratios = append(ratios, took(func() error { return byHand(text, key) })/ours)
			}
			slices.Sort(ratios)
			b.ReportMetric(ratios[len(ratios)/2], "x-claviger")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func BenchmarkSign(b *testing.B) {
	for signer := range signers(b) {
		b.Run("alg="+string(signer.Algorithm()), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := jwt.Sign(signer, header, claims); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A ceiling for what a good token costs where it is seen first: 6, and some for the
// race detector, which empties pools at random.
func TestAllocations(t *testing.T) {
	text := sign(t, mac, header, claims)
	got := testing.AllocsPerRun(200, func() { _ = must(verify(text, macSet, expect)) })
	require.LessOrEqual(t, got, 10.0)
}
