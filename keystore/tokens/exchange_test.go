package tokens_test

import (
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/keystore/tokens"
	"github.com/claviger-go/claviger/scopes"
)

// S2 and S3: a JWT whose header is exactly this, with what is left of two hours.
func TestS2_Answer(t *testing.T) {
	t.Parallel()
	p := alone(t, formats()["system S"])
	p.clock.move(400 * time.Millisecond)
	who := p.key(spec)
	token := p.login(who, tokens.Request{})
	require.True(t, strings.HasPrefix(token.Text.Reveal(), "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."))
	_, claims := decoded(t, token.Text.Reveal())
	require.Equal(t, 7200*time.Second, token.ExpiresIn)

	p.clock.move(time.Minute)
	require.Equal(t, 7140*time.Second, p.login(who, tokens.Request{}).ExpiresIn)
	p.clock.move(time.Millisecond * 700)
	require.Equal(t, 7139*time.Second, p.login(who, tokens.Request{}).ExpiresIn, "rounded down")
	require.EqualValues(t, token.Expires.Unix(), claims["exp"])
}

// Everything that a token says, as RFC 9068 §2.2 names it, and nothing else. I4: an hour, to the second.
func TestClaims(t *testing.T) {
	t.Parallel()
	p := alone(t, tokens.Config{Issuer: "https://api.example", Audience: "claims"})
	p.clock.move(250 * time.Millisecond)
	now := p.clock.Now()
	who := p.key(spec)
	token := p.login(who, tokens.Request{SessionID: "7"})
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"at+jwt","kid":"2026"}`))
	require.Equal(t, header, strings.Split(token.Text.Reveal(), ".")[0])
	_, claims := decoded(t, token.Text.Reveal())
	jti := claims["jti"]
	require.Regexp(t, `^1\.[0-9a-f]{40}$`, jti)
	require.Equal(t, map[string]any{
		"iss": "https://api.example", "sub": "acme", "aud": "claims", "client_id": who.KeyID(), "scope": "claims:read claims:write",
		"sid": token.Session, "iat": float64(now.Unix()), "exp": float64(now.Unix() + 3601), "jti": jti,
	}, claims, "iat is rounded down, and exp up")
	require.Equal(t, time.Unix(now.Unix()+3601, 0).UTC(), token.Expires)
	require.Equal(t, 3600*time.Second, token.ExpiresIn)
	require.Equal(t, spec.Scopes, token.Scopes.Scopes())

	_, claims = decoded(t, p.login(owner("ann", "claims:read"), tokens.Request{Client: "app"}).Text.Reveal())
	require.Equal(t, []any{"ann", "app"}, []any{claims["sub"], claims["client_id"]})
	_, claims = decoded(t, alone(t, tokens.Config{}).login(owner("ann"), tokens.Request{}).Text.Reveal())
	require.NotContains(t, claims, "iss")
	require.NotContains(t, claims, "aud")
	require.NotContains(t, claims, "scope")
	require.NotContains(t, claims, "client_id")
}

// S4: the same token while it is valid, byte for byte, from any process on the same store and ring.
func TestS4_SameToken(t *testing.T) {
	t.Parallel()
	for name, config := range formats() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config.RenewBefore = -1
			store, clock := newPlace(), newClock()
			a, b := start(t, store, clock, config), start(t, store, clock, config)
			credential := a.issue(spec)
			who := a.principal(credential)
			first := a.login(who, tokens.Request{SessionID: "s"})
			for first.Expires.Sub(clock.Now()) > time.Second {
				clock.move(first.Expires.Sub(clock.Now()) / 2)
				for _, p := range []*process{a, b} {
					again := p.login(p.principal(credential), tokens.Request{SessionID: "s"})
					require.Equal(t, first.Text.Reveal(), again.Text.Reveal())
					require.Equal(t, first.Expires.Sub(clock.Now()).Truncate(time.Second), again.ExpiresIn)
					p.requireAccepted(first)
				}
			}
			clock.move(time.Second)
			a.requireRefused(first, keystore.OutcomeExpired)
			after := b.login(b.principal(credential), tokens.Request{SessionID: "s"})
			require.NotEqual(t, first.Text.Reveal(), after.Text.Reveal())
			require.Equal(t, first.Session, after.Session)
			a.requireAccepted(after)
			b.requireAccepted(after)
			b.requireRefused(first, keystore.OutcomeExpired)
		})
	}
}

// S4: 64 logins at once, in two processes, whether the session is new, is to be renewed, has expired or has ended; and
// also if there may be no other.
func TestS4_ConcurrentLogins(t *testing.T) {
	t.Parallel()
	for _, config := range []tokens.Config{{}, {MaxSessions: 1}, {Opaque: true}} {
		store, clock := newPlace(), newClock()
		processes := []*process{start(t, store, clock, config), start(t, store, clock, config)}
		credential := processes[0].issue(spec)
		credentials := []*keystore.Principal{processes[0].principal(credential), processes[1].principal(credential)}
		logins := func() tokens.Token {
			var all [64]tokens.Token
			var group sync.WaitGroup
			for i := range all {
				group.Go(func() {
					var err error
					all[i], err = processes[i%2].Exchange(t.Context(), credentials[i%2], tokens.Request{SessionID: "s"})
					if err != nil {
						t.Errorf("login %d: %v", i, err)
					}
				})
			}
			group.Wait()
			for _, token := range all {
				require.Equal(t, all[0].Text.Reveal(), token.Text.Reveal())
			}
			for _, p := range processes {
				p.requireAccepted(all[0])
			}
			return all[0]
		}
		seen := map[string]bool{}
		for _, next := range []func(tokens.Token){
			func(tokens.Token) { clock.move(56 * time.Minute) }, // to be renewed
			func(tokens.Token) { clock.move(2 * time.Hour) },    // expired
			func(last tokens.Token) { require.NoError(t, processes[0].End(t.Context(), last.Session)) },
			func(last tokens.Token) {
				require.NoError(t, processes[0].keys.Revoke(t.Context(), last.Session, ""))
			},
			func(tokens.Token) {},
		} {
			token := logins()
			require.False(t, seen[token.Text.Reveal()])
			seen[token.Text.Reveal()] = true
			next(token)
		}
	}
}

// S5: each session id has its own token; any text is one, up to a stated length.
func TestS5_SessionIDs(t *testing.T) {
	t.Parallel()
	p := alone(t, tokens.Config{})
	who := p.key(spec)
	ids := []string{
		"", " ", "a", "A", "a ", "\x00", "\xff\xfe", "6f1c0f6e-0b0e-4e0e-8f43-0c6e5f7b1d10", "ß", "ss", "/../", "'; DROP TABLE records", "{}",
		strings.Repeat("x", tokens.MaxSessionIDBytes-1), strings.Repeat("x", tokens.MaxSessionIDBytes),
	}
	seen := map[string]string{}
	for _, id := range ids {
		token := p.login(who, tokens.Request{SessionID: id})
		require.NotContains(t, seen, token.Text.Reveal(), "%q", id)
		seen[token.Text.Reveal()] = id
		require.Equal(t, token.Text.Reveal(), p.login(who, tokens.Request{SessionID: id}).Text.Reveal())
		p.requireAccepted(token)
	}
	writes := p.store.writes.Load()
	_, err := p.Exchange(t.Context(), who, tokens.Request{SessionID: strings.Repeat("x", tokens.MaxSessionIDBytes+1)})
	require.ErrorIs(t, err, keystore.ErrInvalid)
	require.ErrorContains(t, err, "the session id has 257 bytes: want at most 256")
	require.Equal(t, writes, p.store.writes.Load())
}

// I5: with more than five minutes left the same token, with less a fresh one, and the old one lives out its time.
func TestI5_Renewal(t *testing.T) {
	t.Parallel()
	for name, config := range formats() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config.RenewBefore, config.Lifetime = 0, time.Hour
			store, clock := newPlace(), newClock()
			p, other := start(t, store, clock, config), start(t, store, clock, config)
			credential := p.issue(spec)
			who := p.principal(credential)
			first := p.login(who, tokens.Request{})
			clock.move(55*time.Minute - time.Microsecond)
			require.Equal(t, first.Text.Reveal(), p.login(who, tokens.Request{}).Text.Reveal())
			other.requireAccepted(first)
			clock.move(time.Microsecond)
			second := p.login(who, tokens.Request{})
			require.NotEqual(t, first.Text.Reveal(), second.Text.Reveal())
			require.Equal(t, first.Session, second.Session)
			require.Equal(t, time.Hour, second.ExpiresIn)
			require.Equal(t, second.Text.Reveal(), p.login(who, tokens.Request{}).Text.Reveal())
			clock.move(5*time.Minute - time.Microsecond)
			for _, q := range []*process{p, other} {
				q.requireAccepted(first, "the old one lives out its time")
				q.requireAccepted(second)
			}
			clock.move(time.Microsecond)
			for _, q := range []*process{p, other} {
				q.requireRefused(first, keystore.OutcomeExpired)
				q.requireAccepted(second)
			}
			require.Equal(t, second.Text.Reveal(), other.login(other.principal(credential), tokens.Request{}).Text.Reveal())
		})
	}
}

// A token that would not outlive the one that is out takes nobody further.
func TestRenewal_OnlyIfItOutlives(t *testing.T) {
	t.Parallel()
	p := alone(t, tokens.Config{})
	until := p.clock.Now().Add(30*time.Minute + 200*time.Millisecond)
	who := p.key(keystore.Spec{Owner: "acme", Expires: until})
	first := p.login(who, tokens.Request{})
	require.Equal(t, 30*time.Minute, first.ExpiresIn, "T-085: never later than the key's, also not for who sees the token alone")
	writes := p.store.writes.Load()
	for range 29 {
		p.clock.move(time.Minute)
		require.Equal(t, first.Text.Reveal(), p.login(who, tokens.Request{}).Text.Reveal())
	}
	require.Equal(t, writes, p.store.writes.Load())
	p.clock.move(time.Minute)
	p.requireRefused(first, keystore.OutcomeExpired)
	_, err := p.Exchange(t.Context(), who, tokens.Request{})
	requireOutcome(t, err, keystore.OutcomeExpired)
}

// Live sessions of a credential are limited; what has ended, expired or was revoked makes room.
func TestMaxSessions(t *testing.T) {
	t.Parallel()
	p := alone(t, tokens.Config{MaxSessions: 2})
	who, other := p.key(spec), p.key(spec)
	first := p.login(who, tokens.Request{SessionID: "1"})
	second := p.login(who, tokens.Request{SessionID: "2"})
	full := func() {
		t.Helper()
		_, err := p.Exchange(t.Context(), who, tokens.Request{SessionID: "3"})
		require.ErrorIs(t, err, keystore.ErrQuota)
		require.ErrorContains(t, err, "2 of 2 sessions are in use; end one first")
		require.Equal(t, first.Text.Reveal(), p.login(who, tokens.Request{SessionID: "1"}).Text.Reveal())
	}
	full()
	p.login(other, tokens.Request{SessionID: "3"})
	p.login(owner("acme"), tokens.Request{SessionID: "3"})
	require.NoError(t, p.End(t.Context(), second.Session))
	p.login(who, tokens.Request{SessionID: "2"})
	full()
	require.NoError(t, p.keys.Revoke(t.Context(), second.Session, ""))
	p.login(who, tokens.Request{SessionID: "2"})
	full()
	p.clock.move(time.Hour + time.Second)
	p.login(who, tokens.Request{SessionID: "3"})
	first = p.login(who, tokens.Request{SessionID: "1"})
	_, err := p.Exchange(t.Context(), who, tokens.Request{SessionID: "2"})
	require.ErrorIs(t, err, keystore.ErrQuota, "one that begins anew counts as well")

	p.login(owner("acme"), tokens.Request{SessionID: "4"})
	_, err = p.Exchange(t.Context(), owner("acme"), tokens.Request{SessionID: "5"})
	require.NoError(t, err)
	_, err = p.Exchange(t.Context(), owner("acme"), tokens.Request{SessionID: "6"})
	require.ErrorIs(t, err, keystore.ErrQuota)

	unlimited := start(t, newPlace(), newClock(), tokens.Config{MaxSessions: -1})
	who = unlimited.key(spec)
	for i := range 1100 {
		unlimited.login(who, tokens.Request{SessionID: fmt.Sprint(i)})
	}
}

// Clients bring ids of up to 80 bytes, of which a quota sees 64.
func TestMaxSessions_LongID(t *testing.T) {
	t.Parallel()
	p := alone(t, tokens.Config{MaxSessions: 1})
	one := p.client(strings.Repeat("c", 80), spec)
	first := p.login(one, tokens.Request{})
	require.Equal(t, strings.Repeat("c", 80), p.requireAccepted(first).KeyID())
	_, err := p.Exchange(t.Context(), one, tokens.Request{SessionID: "2"})
	require.ErrorIs(t, err, keystore.ErrQuota)
}

// A store that fails on the way hands out nothing, and nothing is lost.
func TestExchange_StoreDown(t *testing.T) {
	t.Parallel()
	down := errors.New("connection refused")
	p := alone(t, tokens.Config{})
	who := p.key(spec)
	p.store.fail(down)
	_, err := p.Exchange(t.Context(), who, tokens.Request{})
	requireUnavailable(t, err)
	p.store.fail(nil)
	first := p.login(who, tokens.Request{})
	for _, step := range []struct {
		verb string
		move time.Duration
	}{{"update", 56 * time.Minute}, {"delete", 2 * time.Hour}, {"insert", 2 * time.Hour}} {
		p.clock.move(step.move)
		p.store.before(func(verb string) error {
			if verb == step.verb {
				return down
			}
			return nil
		})
		_, err = p.Exchange(t.Context(), who, tokens.Request{})
		requireUnavailable(t, err)
		p.store.before(nil)
		p.requireAccepted(p.login(who, tokens.Request{}), step.verb)
	}
	require.Equal(t, first.Session, p.login(who, tokens.Request{}).Session)

	keys, err := keystore.New(readOnly{p.store}, keystore.Config{Ring: ring(t, "2026"), Now: p.clock.Now, LookupTimeout: time.Minute})
	require.NoError(t, err)
	defer func() { require.NoError(t, keys.Close()) }()
	elsewhere, err := tokens.New(keys, tokens.Config{PruneInterval: -1})
	require.NoError(t, err)
	_, err = elsewhere.Verify(t.Context(), p.login(who, tokens.Request{}).Text.Reveal())
	require.NoError(t, err)
	_, err = elsewhere.Exchange(t.Context(), owner("ann", "claims:read"), tokens.Request{})
	require.ErrorIs(t, err, keystore.ErrReadOnly)
}

// A JWT that no server would take is refused before anything is written; an opaque token is always short.
func TestExchange_TooLong(t *testing.T) {
	t.Parallel()
	var many []scopes.Scope
	for i := range 200 {
		many = append(many, scopes.Scope(fmt.Sprintf("claims:%03d-%s", i, strings.Repeat("x", 40))))
	}
	p := alone(t, tokens.Config{})
	who := p.key(keystore.Spec{Owner: "acme", Scopes: many})
	writes := p.store.writes.Load()
	_, err := p.Exchange(t.Context(), who, tokens.Request{})
	require.ErrorIs(t, err, keystore.ErrInvalid)
	require.Equal(t, writes, p.store.writes.Load())
	p.requireAccepted(p.login(who, tokens.Request{Scopes: many[:40]}))

	short := alone(t, tokens.Config{Opaque: true})
	token := short.login(short.key(keystore.Spec{Owner: "acme", Scopes: many}), tokens.Request{})
	require.Less(t, len(token.Text.Reveal()), 200)
	short.requireAccepted(token)
}

// hsm is a signing key that is elsewhere, and may not answer.
type hsm struct {
	crypto.Signer

	failure error
}

func (h *hsm) Sign(random io.Reader, message []byte, options crypto.SignerOpts) ([]byte, error) {
	if h.failure != nil {
		return nil, h.failure
	}
	return h.Signer.Sign(random, message, options)
}

// A signing key that does not answer is no fault of the request's, and no session begins.
func TestExchange_SigningKeyDown(t *testing.T) {
	t.Parallel()
	key := &hsm{Signer: edKey("1")}
	p := alone(t, tokens.Config{SigningKeys: []tokens.SigningKey{signingKey("k", key)}})
	who := p.key(spec)
	token := p.login(who, tokens.Request{})
	key.failure = errors.New("connection refused")
	writes := p.store.writes.Load()
	for _, id := range []string{"", "new"} {
		_, err := p.Exchange(t.Context(), who, tokens.Request{SessionID: id})
		requireUnavailable(t, err)
	}
	require.Equal(t, writes, p.store.writes.Load())
	p.requireAccepted(token)
}

// A session that is suspended is neither handed out nor replaced by another.
func TestExchange_SuspendedSession(t *testing.T) {
	t.Parallel()
	p := alone(t, tokens.Config{})
	who := p.key(spec)
	token := p.login(who, tokens.Request{})
	require.NoError(t, p.keys.Suspend(t.Context(), token.Session, ""))
	_, err := p.Exchange(t.Context(), who, tokens.Request{})
	requireOutcome(t, err, keystore.OutcomeSuspended)
	require.NoError(t, p.keys.Resume(t.Context(), token.Session))
	require.Equal(t, token.Text.Reveal(), p.login(who, tokens.Request{}).Text.Reveal())
}

// Others may always be faster; then there is no answer, and nothing hangs.
func TestExchange_AlwaysTooLate(t *testing.T) {
	t.Parallel()
	p := alone(t, tokens.Config{})
	who := p.key(spec)
	p.store.before(func(verb string) error {
		if verb == "insert" {
			return keystore.ErrExists
		}
		return nil
	})
	_, err := p.Exchange(t.Context(), who, tokens.Request{})
	requireUnavailable(t, err)
	p.store.before(nil)
	token := p.login(who, tokens.Request{})

	// One that is ended while it is about to be renewed begins anew.
	p.clock.move(56 * time.Minute)
	p.store.before(func(verb string) error {
		p.store.before(nil)
		require.NoError(t, p.End(t.Context(), token.Session))
		return nil
	})
	after := p.login(who, tokens.Request{})
	require.Equal(t, time.Hour, after.ExpiresIn)
	p.requireAccepted(after)
	p.requireRefused(token, keystore.OutcomeRevoked)
}
