package credential_test

import (
	"crypto/rand"
	"errors"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore/internal/credential"
)

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// T-029. A byte reduced modulo 62 would show: its chi-square is about 700 here.
func TestT029_RandomnessWithoutRepeatsOrBias(t *testing.T) {
	t.Parallel()
	const draws = 100_000
	for _, row := range []struct {
		desc string
		draw func() string
		size int
	}{
		{"id", func() string { return credential.NewID(nil) }, credential.IDBytes},
		{"tagged id", func() string { return credential.NewID(tagKey) }, credential.IDBytes + credential.TagBytes},
		{"secret", credential.NewSecret, credential.SecretBytes},
	} {
		t.Run(row.desc, func(t *testing.T) {
			t.Parallel()
			seen := make(map[string]struct{}, draws)
			counts := make([][256]int, row.size)
			for range draws {
				text := row.draw()
				if len(text) != row.size {
					t.Fatalf("%q has %d characters", text, len(text))
				}
				seen[text] = struct{}{}
				for i := range len(text) {
					counts[i][text[i]]++
				}
			}
			require.Len(t, seen, draws)
			for position, count := range counts {
				// 61 degrees of freedom: 150 is exceeded once in 10^9 positions.
				require.Less(t, chiSquare(t, count, draws), 150.0, "position %d", position)
			}
		})
	}
}

func chiSquare(t *testing.T, count [256]int, draws int) float64 {
	t.Helper()
	expected, sum, inside := float64(draws)/62, 0.0, 0
	for _, c := range []byte(alphabet) {
		d := float64(count[c]) - expected
		sum += d * d / expected
		inside += count[c]
	}
	require.Equal(t, draws, inside, "characters from outside of the alphabet")
	return sum
}

// T-029: without randomness there is no key. crypto/rand ends the process then, so a process of its own tries it.
func TestT029_FailingSourceMakesNoKey(t *testing.T) {
	t.Parallel()
	if os.Getenv("CLAVIGER_TEST_NO_RANDOMNESS") == "1" {
		rand.Reader = failing{}
		_, _ = os.Stdout.WriteString("made a secret: " + credential.NewSecret())
		os.Exit(0) //nolint:forbidigo // it is a program here
	}
	run := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	run.Env = append(os.Environ(), "CLAVIGER_TEST_NO_RANDOMNESS=1")
	output, err := run.CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, string(output))
	require.NotContains(t, string(output), "made a secret")
	require.Contains(t, string(output), "crypto/rand")
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("no randomness") }
