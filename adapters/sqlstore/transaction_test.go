package sqlstore

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	errPassing = errors.New("deadlock")
	errFinal   = errors.New("syntax error")
)

func isPassing(err error) bool { return errors.Is(err, errPassing) }

func TestRepeat(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		desc    string
		answers []error
		tries   int
		want    error
	}{
		{"at once", []error{nil}, 1, nil},
		{"after a deadlock", []error{errPassing, nil}, 2, nil},
		{"final", []error{errFinal, nil}, 1, errFinal},
		{"final after a deadlock", []error{errPassing, errFinal, nil}, 2, errFinal},
		{"never", make([]error, 0), attempts, errPassing},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began, tries := time.Now(), 0
				err := repeat(t.Context(), isPassing, func() error {
					tries++
					if tries > len(tc.answers) {
						return errPassing
					}
					return tc.answers[tries-1]
				})
				require.ErrorIs(t, err, tc.want)
				require.Equal(t, tc.tries, tries)
				require.Less(t, time.Since(began), 2*time.Second)
			})
		})
	}
}

func TestRepeat_EndsWithCtx(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		err := repeat(ctx, isPassing, func() error { return errPassing })
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, errPassing)
	})
}

// KS3: what does not know ctx is waited for a moment, and not longer.
func TestWithin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		after := func(d time.Duration) func() (string, error) {
			return func() (string, error) {
				time.Sleep(d)
				return "answer", errFinal
			}
		}
		for _, tc := range []struct {
			desc  string
			takes time.Duration
			want  error
			ends  time.Duration
		}{
			{"in time", 500 * time.Millisecond, errFinal, 500 * time.Millisecond},
			{"a moment late", time.Second + grace/2, errFinal, time.Second + grace/2},
			{"too late", time.Minute, context.DeadlineExceeded, time.Second + grace},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			began := time.Now()
			_, err := within(ctx, after(tc.takes))
			require.ErrorIs(t, err, tc.want, tc.desc)
			require.Equal(t, tc.ends, time.Since(began), tc.desc)
			cancel()
		}
		answer, err := within(context.WithoutCancel(t.Context()), after(time.Hour))
		require.Equal(t, "answer", answer)
		require.ErrorIs(t, err, errFinal)
		synctest.Wait()
	})
}
