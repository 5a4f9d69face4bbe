package memstore

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// A change that comes between the token and the news leaves a token without news, which must not become "anything".
func TestWatch_TokenWithoutNews(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New()
		calls := 0
		go func() { _ = s.Watch(t.Context(), func(...string) { calls++ }) }()
		synctest.Wait()
		for w := range s.hub.watchers {
			w.wake <- struct{}{}
		}
		synctest.Wait()
		require.Equal(t, 1, calls)
		s.hub.publish("a")
		synctest.Wait()
		require.Equal(t, 2, calls)
	})
}
