package middleware_test

import (
	"bytes"
	"context"
	"errors"
	"log"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/middleware"
	"github.com/claviger-go/claviger/middleware/authtest"
)

// T-136: whatever becomes of requests, nothing of them goes on running. The
// bubble fails if a goroutine is left in it.
func TestGoroutines_T136(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := authtest.NewStore()
		keys := authtest.Open(t, store, keystore.Config{})
		auth := newAuth(t, keys, middleware.Config{})
		key := authtest.Mint(t, keys, keystore.Spec{}).Credential
		for _, fault := range []authtest.Fault{{}, {Err: errors.New("broken")}, {Hang: true}, {Panic: "boom"}, {}} {
			store.Fail(fault)
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond) // clients that give up
					defer cancel()
					ask(auth.Authenticate, authtest.NewRequest(http.MethodGet, "/", nil, key).WithContext(ctx))
				})
			}
			all.Wait()
			time.Sleep(time.Minute)
		}
	})
}

// T-136: Keys may be closed at any time and twice; what was decided before is
// decided after.
func TestClosedKeys_T136(t *testing.T) {
	t.Parallel()
	keys := authtest.NewKeys(t, keystore.Config{})
	auth := newAuth(t, keys, middleware.Config{})
	key := authtest.Mint(t, keys, keystore.Spec{}).Credential
	require.NoError(t, keys.Close())
	require.NoError(t, keys.Close())
	_, ran := ask(auth.Authenticate, authtest.NewRequest(http.MethodGet, "/", nil, key))
	require.True(t, ran)
	answer, ran := ask(auth.Authenticate, authtest.NewRequest(http.MethodGet, "/", nil, keystore.NewSecret("x")))
	require.False(t, ran)
	require.Equal(t, http.StatusUnauthorized, answer.Code)
}

// T-135: neither a stack of all goroutines nor what net/http prints of a panic
// shows the credential.
func TestCredential_T135(t *testing.T) {
	t.Parallel()
	keys := authtest.NewKeys(t, keystore.Config{})
	auth := newAuth(t, keys, middleware.Config{DangerouslyAcceptQueryKey: true})
	key := authtest.Mint(t, keys, keystore.Spec{}).Credential.Reveal()
	var printed bytes.Buffer
	stacks := make([]byte, 1<<20)
	server := httptest.NewUnstartedServer(auth.Authenticate(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		stacks = stacks[:runtime.Stack(stacks, true)]
		panic("in a handler")
	})))
	server.Config.ErrorLog = log.New(&printed, "", 0)
	server.Start()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/?api_key="+key, http.NoBody)
	require.NoError(t, err)
	answer, err := server.Client().Do(r) //nolint:bodyclose // there is none
	require.Error(t, err)
	require.Nil(t, answer)
	server.Close() // after this nobody prints
	require.Contains(t, printed.String(), "in a handler")
	secret := key[strings.LastIndexByte(key, '_'):]
	require.NotContains(t, printed.String(), secret)
	require.Contains(t, string(stacks), "ServeHTTP")
	require.NotContains(t, string(stacks), secret)
}
