package tokens_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	golang "github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/keystore/tokens"
)

// verifications are what is compared: an API key and tokens of it, all of them verified before.
func verifications(tb testing.TB) map[string]func() error {
	tb.Helper()
	of := func(v keystore.Verifier, text string) func() error {
		ctx := tb.Context()
		return func() error {
			_, err := v.Verify(ctx, text)
			return err
		}
	}
	p := alone(tb, tokens.Config{})
	issued, err := p.keys.Issue(tb.Context(), spec)
	require.NoError(tb, err)
	all := map[string]func() error{"key": of(p.keys, issued.Credential.Reveal())}
	who := p.principal(issued.Credential)
	for name, config := range formats() {
		config.PruneInterval = -1
		made, err := tokens.New(p.keys, config)
		require.NoError(tb, err)
		tb.Cleanup(func() { require.NoError(tb, made.Close()) })
		token, err := made.Exchange(tb.Context(), who, tokens.Request{SessionID: name})
		require.NoError(tb, err)
		all[name] = of(made, token.Text.Reveal())
	}
	for _, verify := range all {
		require.NoError(tb, verify())
	}
	return all
}

func BenchmarkVerify(b *testing.B) {
	for name, verify := range verifications(b) {
		b.Run("credential="+name+"/cache=warm", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := verify(); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

// BenchmarkRatio is how many times the time of an API key a token takes, both of them verified before, in turns, so that
// whatever else the machine does burdens both alike.
func BenchmarkRatio(b *testing.B) {
	all := verifications(b)
	for name, verify := range all {
		if name == "key" {
			continue
		}
		b.Run("credential="+name, func(b *testing.B) {
			const turn = 500
			took := func(verify func() error) float64 {
				start := time.Now()
				for range turn {
					if err := verify(); err != nil {
						b.Fatal(err)
					}
				}
				return float64(time.Since(start))
			}
			var ratios []float64
			for range max(b.N/turn, 1) {
				key := took(all["key"])
				ratios = append(ratios, took(verify)/key)
			}
			slices.Sort(ratios)
			b.ReportMetric(ratios[len(ratios)/2], "x-key")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkFirstUse is how many times the time of golang-jwt by hand a JWT takes that was not seen before, of a session that
// was: golang-jwt checks signature and claims alone.
func BenchmarkFirstUse(b *testing.B) {
	p := alone(b, tokens.Config{CacheEntries: 1})
	who := p.key(spec)
	var texts []string
	for i := range 64 {
		texts = append(texts, p.login(who, tokens.Request{SessionID: fmt.Sprint(i)}).Text.Reveal())
	}
	derived, err := p.keys.Ring().Derive("tokens HS256")
	require.NoError(b, err)
	secret := []byte(derived[0].Key.Reveal())
	byHand := func(text string) error {
		_, err := golang.ParseWithClaims(text, &golang.RegisteredClaims{}, func(*golang.Token) (any, error) { return secret, nil },
			golang.WithValidMethods([]string{"HS256"}), golang.WithExpirationRequired(), golang.WithTimeFunc(p.clock.Now))
		return err
	}
	ours := func(text string) error {
		_, err := p.Verify(b.Context(), text)
		return err
	}
	took := func(verify func(text string) error) float64 {
		start := time.Now()
		for _, text := range texts {
			if err := verify(text); err != nil {
				b.Fatal(err)
			}
		}
		return float64(time.Since(start))
	}
	var ratios []float64
	for range max(b.N/len(texts), 1) {
		hand := took(byHand)
		ratios = append(ratios, took(ours)/hand)
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "x-golang-jwt")
	b.ReportMetric(0, "ns/op")
}

// A token that was seen before costs no allocation.
func TestAllocations(t *testing.T) {
	for name, verify := range verifications(t) {
		require.Zero(t, testing.AllocsPerRun(200, func() {
			if err := verify(); err != nil {
				t.Error(err)
			}
		}), name)
	}
}
