package tokens_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/memstore"
	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/keystore/tokens"
)

// What is over for an hour goes; what lives, and what is no session, stays.
func TestPrune(t *testing.T) {
	t.Parallel()
	p := alone(t, tokens.Config{})
	short := p.key(keystore.Spec{Owner: "acme", Expires: p.clock.Now().Add(time.Hour)})
	client := p.client("app", spec)
	who := p.key(spec)
	var dead []tokens.Token
	for i := range 250 {
		dead = append(dead, p.login(who, tokens.Request{SessionID: fmt.Sprint(i)}))
	}
	require.NoError(t, p.keys.Revoke(t.Context(), dead[0].Session, ""))
	prune := func(want int) {
		t.Helper()
		got, err := p.Prune(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	p.clock.move(2 * time.Hour)
	prune(0)
	alive := p.login(who, tokens.Request{SessionID: "249"})
	p.clock.move(time.Microsecond)
	prune(249)
	prune(0)
	p.requireAccepted(alive)
	for _, id := range []string{short.KeyID(), client.KeyID(), who.KeyID(), alive.Session} {
		p.record(id)
	}
	require.NoError(t, p.End(t.Context(), alive.Session))
	prune(0)
	p.clock.move(time.Hour + time.Second)
	prune(1)

	// One that begins anew at that moment stays.
	late := p.login(who, tokens.Request{})
	p.clock.move(3 * time.Hour)
	p.store.before(func(string) error {
		p.store.before(nil)
		late = p.login(who, tokens.Request{})
		return nil
	})
	prune(0)
	p.requireAccepted(late)

	p.clock.move(3 * time.Hour)
	down := errors.New("connection refused")
	p.store.before(func(string) error { return down })
	_, err := p.Prune(t.Context())
	requireUnavailable(t, err)
	p.store.fail(down)
	_, err = p.Prune(t.Context())
	requireUnavailable(t, err)
}

// Tokens prune by themselves, until they are closed, and tell of what they cannot.
func TestPruneInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, told := newPlace(), make(chan keystore.Event, 10)
		keys, err := keystore.New(store, keystore.Config{Ring: ring(t, "2026"), OnEvent: hear(told), RemindInterval: -1})
		require.NoError(t, err)
		defer func() { require.NoError(t, keys.Close()) }()
		made, err := tokens.New(keys, tokens.Config{})
		require.NoError(t, err)
		token, err := made.Exchange(t.Context(), owner("ann"), tokens.Request{})
		require.NoError(t, err)
		there := func() bool {
			_, err := keys.Lookup(t.Context(), token.Session)
			return err == nil
		}
		<-told
		time.Sleep(2*time.Hour + 9*time.Minute)
		require.True(t, there())
		time.Sleep(2 * time.Minute)
		require.False(t, there())

		store.fail(errors.New("connection refused"))
		time.Sleep(10 * time.Minute)
		require.ErrorContains(t, (<-told).Err, "connection refused")
		store.fail(nil)
		token, err = made.Exchange(t.Context(), owner("ann"), tokens.Request{})
		require.NoError(t, err)
		<-told
		require.NoError(t, made.Close())
		require.NoError(t, made.Close())
		time.Sleep(24 * time.Hour)
		require.True(t, there(), "closed")
		token, err = made.Exchange(t.Context(), owner("ann"), tokens.Request{})
		require.NoError(t, err, "all else goes on")
		_, err = made.Verify(t.Context(), token.Text.Reveal())
		require.NoError(t, err)
	})
}

// Where nothing can be deleted, the goroutine ends by itself.
func TestPruneInterval_ReadOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		told := make(chan keystore.Event, 10)
		keys, err := keystore.New(readOnly{memstore.New()}, keystore.Config{Ring: ring(t, "2026"), OnEvent: hear(told)})
		require.NoError(t, err)
		made, err := tokens.New(keys, tokens.Config{})
		require.NoError(t, err)
		time.Sleep(time.Hour)
		require.Empty(t, told)
		require.NoError(t, made.Close())
		require.NoError(t, keys.Close())
	})
}
