package tokens_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/keystore/tokens"
)

// T-088: a session that is renewed for ever ends all the same, and a login then begins another.
func TestT088_AbsoluteTimeout(t *testing.T) {
	t.Parallel()
	p := alone(t, tokens.Config{SessionLifetime: 10 * time.Hour})
	who := p.key(spec)
	began := p.clock.Now()
	token := p.login(who, tokens.Request{})
	for p.clock.Now().Before(began.Add(10 * time.Hour)) {
		require.False(t, token.Expires.After(began.Add(10*time.Hour)))
		require.Equal(t, began, p.record(token.Session).Created)
		p.requireAccepted(token)
		p.clock.move(5 * time.Minute)
		token = p.login(who, tokens.Request{})
	}
	require.Equal(t, p.clock.Now(), p.record(token.Session).Created, "another session")
	require.Equal(t, time.Hour, token.ExpiresIn)

	// Without a bound it goes on.
	p = alone(t, tokens.Config{})
	who = p.key(spec)
	first := p.login(who, tokens.Request{})
	for range 100 {
		p.clock.move(58 * time.Minute)
		p.requireAccepted(p.login(who, tokens.Request{}))
	}
	require.Equal(t, began, p.record(first.Session).Created)
}

// T-088: a session that nobody uses ends, in whichever process; one that is used, or logged into, does not.
func TestT088_IdleTimeout(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]tokens.Config{"JWT": {}, "opaque": {Opaque: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config.IdleTimeout, config.Lifetime = 15*time.Minute, 2*time.Hour
			store, clock := newPlace(), newClock()
			here, there := start(t, store, clock, config), start(t, store, clock, config)
			credential := here.issue(spec)
			who := here.principal(credential)
			token := here.login(who, tokens.Request{})
			for i := range 11 {
				clock.move(10 * time.Minute)
				switch i % 3 {
				case 0:
					here.requireAccepted(token)
				case 1:
					there.requireAccepted(token)
				case 2:
					require.Equal(t, token.Text.Reveal(), there.login(there.principal(credential), tokens.Request{}).Text.Reveal())
				}
			}
			clock.move(10*time.Minute - time.Second)
			here.requireAccepted(token)
			clock.move(time.Second)
			here.requireRefused(token, keystore.OutcomeExpired, "used or not, it lives for two hours")

			token = here.login(who, tokens.Request{})
			clock.move(15*time.Minute - time.Microsecond)
			there.requireAccepted(token)
			clock.move(15*time.Minute - time.Microsecond)
			here.requireAccepted(token)
			clock.move(15 * time.Minute)
			here.requireRefused(token, keystore.OutcomeExpired)
			there.requireRefused(token, keystore.OutcomeExpired)
			again := here.login(who, tokens.Request{})
			require.NotEqual(t, token.Text.Reveal(), again.Text.Reveal())
			clock.move(time.Second)
			there.requireAccepted(again)
			there.requireRefused(token, keystore.OutcomeRevoked, "it does not come back")
		})
	}
}

// A session in use is written once in an eighth of the time, whoever uses it; a store that fails is no reason to refuse.
func TestIdleTimeout_Writes(t *testing.T) {
	t.Parallel()
	p := alone(t, tokens.Config{IdleTimeout: 8 * time.Minute})
	token := p.login(p.key(spec), tokens.Request{})
	use := func() {
		var group sync.WaitGroup
		for range 16 {
			group.Go(func() {
				if _, err := p.Verify(t.Context(), token.Text.Reveal()); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	}
	use()
	writes := p.store.writes.Load()
	for range 30 {
		p.clock.move(2 * time.Second)
		if p.clock.Now().Second() == 0 {
			break
		}
		use()
	}
	require.Equal(t, writes, p.store.writes.Load())
	use()
	require.Equal(t, writes+1, p.store.writes.Load())

	p.requireAccepted(token)
	p.clock.move(time.Minute)
	p.requireAccepted(token)
	p.store.before(func(string) error { return errors.New("connection refused") })
	p.clock.move(time.Minute)
	p.requireAccepted(token)
	p.store.before(nil)
	p.clock.move(6 * time.Minute)
	p.requireAccepted(token)
}

// T-118: clocks of processes may differ: expires_in is what is left by one's own, and no token is refused because it was
// made in the future.
func TestT118_Clocks(t *testing.T) {
	t.Parallel()
	for name, config := range formats() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config.RenewBefore, config.Lifetime = 0, 0
			store, ahead, behind := newPlace(), newClock(), newClock()
			ahead.move(5 * time.Minute)
			a, b := start(t, store, ahead, config), start(t, store, behind, config)
			credential := b.issue(spec)
			token := a.login(a.principal(credential), tokens.Request{})
			same := b.login(b.principal(credential), tokens.Request{})
			require.Equal(t, token.Text.Reveal(), same.Text.Reveal())
			require.Equal(t, []time.Duration{time.Hour, 65 * time.Minute}, []time.Duration{token.ExpiresIn, same.ExpiresIn})
			a.requireAccepted(token)
			b.requireAccepted(token)
			behind.move(-time.Hour) // jumps back
			b.requireAccepted(token)
			ahead.move(time.Hour - time.Nanosecond)
			a.requireAccepted(token)
			ahead.move(time.Nanosecond)
			a.requireRefused(token, keystore.OutcomeExpired)
		})
	}
}

// T-119: whether a request may go on is decided when it starts; one that takes long can ask again.
func TestT119_LongRequests(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		desc  string
		cause func(p *process, token tokens.Token, key string) error
		want  keystore.Outcome
	}{
		{"ended", func(p *process, token tokens.Token, _ string) error { return p.End(p.t.Context(), token.Session) }, keystore.OutcomeRevoked},
		{"key revoked", func(p *process, _ tokens.Token, key string) error { return p.keys.Revoke(p.t.Context(), key, "") }, keystore.OutcomeRevoked},
		{"expired", func(p *process, _ tokens.Token, _ string) error { p.clock.move(time.Hour); return nil }, keystore.OutcomeExpired},
	} {
		t.Run(row.desc, func(t *testing.T) {
			t.Parallel()
			store, clock := newPlace(), newClock()
			here, there := start(t, store, clock, tokens.Config{}), start(t, store, clock, tokens.Config{})
			credential := here.issue(spec)
			key := here.principal(credential)
			token := here.login(key, tokens.Request{})
			who := here.requireAccepted(token)
			for range 10 { // the stream
				clock.move(time.Second)
				same, err := here.keys.Recheck(t.Context(), who)
				require.NoError(t, err)
				who = same
			}
			require.NoError(t, row.cause(there, token, key.KeyID()))
			require.NoError(t, here.admit(who, access("claims:read")), "as it was when the request began")
			_, err := here.keys.Refresh(t.Context(), who)
			requireOutcome(t, err, row.want)
			clock.move(5 * time.Second)
			_, err = here.keys.Recheck(t.Context(), who)
			requireOutcome(t, err, row.want)
			if row.desc == "ended" { // and begun anew: somebody else's session, so to speak
				there.login(there.principal(credential), tokens.Request{})
				_, err = here.keys.Refresh(t.Context(), who)
				requireOutcome(t, err, row.want)
			}
		})
	}
}
