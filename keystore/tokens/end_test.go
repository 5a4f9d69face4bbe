package tokens_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/keystore/tokens"
	"github.com/claviger-go/claviger/scopes"
)

// S6: one session can be ended, and the others go on; with its id another begins.
func TestS6_End(t *testing.T) {
	t.Parallel()
	for name, config := range formats() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := alone(t, config)
			who := p.key(spec)
			one, two := p.login(who, tokens.Request{SessionID: "1"}), p.login(who, tokens.Request{SessionID: "2"})
			p.clock.move(time.Minute)
			p.requireAccepted(one)
			require.NoError(t, p.End(t.Context(), one.Session))
			p.requireRefused(one, keystore.OutcomeRevoked)
			p.requireAccepted(two)
			require.NoError(t, p.End(t.Context(), one.Session), "T-040: twice is nothing")

			again := p.login(who, tokens.Request{SessionID: "1"})
			require.Equal(t, one.Session, again.Session)
			require.NotEqual(t, one.Text.Reveal(), again.Text.Reveal())
			p.requireAccepted(again)
			p.requireRefused(one, keystore.OutcomeRevoked)
			require.NoError(t, p.keys.Revoke(t.Context(), who.KeyID(), ""))
			p.requireRefused(again, keystore.OutcomeRevoked, "revoking the key ends all of its sessions")
			p.requireRefused(two, keystore.OutcomeRevoked)
		})
	}
}

// End counts whatever clocks say: a process that is behind knows that the session has ended, and begins another.
func TestEnd_ClocksDiffer(t *testing.T) {
	t.Parallel()
	store, ahead, behind := newPlace(), newClock(), newClock()
	ahead.move(time.Minute)
	here, there := start(t, store, ahead, tokens.Config{}), start(t, store, behind, tokens.Config{})
	credential := there.issue(spec)
	token := there.login(there.principal(credential), tokens.Request{})
	require.NoError(t, here.End(t.Context(), token.Session))
	behind.move(5 * time.Second)
	there.requireRefused(token, keystore.OutcomeRevoked)
	again := there.login(there.principal(credential), tokens.Request{})
	there.requireAccepted(again)
	here.requireAccepted(again)
	there.requireRefused(token, keystore.OutcomeRevoked)

	ahead.move(time.Hour) // expired here, and not yet there
	there.requireAccepted(again)
	require.NoError(t, here.EndAll(t.Context(), tokens.Of{Owner: "acme"}))
	behind.move(5 * time.Second)
	there.requireRefused(again, keystore.OutcomeRevoked)
}

func TestEnd_Errors(t *testing.T) {
	t.Parallel()
	p := alone(t, tokens.Config{})
	who := p.key(spec)
	token := p.login(who, tokens.Request{})
	require.NoError(t, p.End(t.Context(), "session:none"))
	require.NoError(t, p.End(t.Context(), ""))
	require.ErrorIs(t, p.End(t.Context(), who.KeyID()), keystore.ErrInvalid)
	p.requireAccepted(token)
	require.ErrorIs(t, p.EndAll(t.Context(), tokens.Of{}), keystore.ErrInvalid)

	// T-040: a store that fails is no success, and the next attempt is one.
	p.store.fail(errors.New("connection refused"))
	requireUnavailable(t, p.End(t.Context(), token.Session))
	requireUnavailable(t, p.EndAll(t.Context(), tokens.Of{Owner: "acme"}))
	p.store.fail(nil)
	p.store.before(func(string) error { return keystore.ErrConflict })
	requireUnavailable(t, p.End(t.Context(), token.Session))
	requireUnavailable(t, p.EndAll(t.Context(), tokens.Of{Owner: "acme"}))
	p.store.before(nil)
	p.requireAccepted(token)
	require.NoError(t, p.End(t.Context(), token.Session))
	p.requireRefused(token, keystore.OutcomeRevoked)
	require.NoError(t, p.keys.Revoke(t.Context(), token.Session, ""))
	require.NoError(t, p.End(t.Context(), token.Session), "one that was revoked is over as well")
}

// Ending all of a key leaves those of others, and all of an owner those of other owners; also while others log in.
func TestEndAll(t *testing.T) {
	t.Parallel()
	p := alone(t, tokens.Config{})
	one, two, other := p.key(spec), p.key(spec), p.key(keystore.Spec{Owner: "umbrella"})
	login := func(who *keystore.Principal) (all []tokens.Token) {
		for i := range 30 {
			all = append(all, p.login(who, tokens.Request{SessionID: fmt.Sprint(i)}))
		}
		return all
	}
	ofOne, ofTwo, ofOther, ofOwner := login(one), login(two), login(other), login(owner("acme"))
	count := func(of tokens.Of) (n int) {
		for s, err := range p.Sessions(t.Context(), of) {
			require.NoError(t, err)
			require.NotEmpty(t, s.ID)
			n++
		}
		return n
	}
	require.Equal(t, []int{30, 90, 120}, []int{count(tokens.Of{KeyID: one.KeyID()}), count(tokens.Of{Owner: "acme"}), count(tokens.Of{})})
	require.NoError(t, p.EndAll(t.Context(), tokens.Of{KeyID: one.KeyID()}))
	for i := range 30 {
		p.requireRefused(ofOne[i], keystore.OutcomeRevoked)
		p.requireAccepted(ofTwo[i])
		p.requireAccepted(ofOther[i])
	}
	require.Equal(t, []int{0, 60}, []int{count(tokens.Of{KeyID: one.KeyID()}), count(tokens.Of{Owner: "acme"})})

	late := tokens.Token{}
	p.store.before(func(string) error {
		p.store.before(nil)
		late = p.login(two, tokens.Request{SessionID: "late"})
		return nil
	})
	require.NoError(t, p.EndAll(t.Context(), tokens.Of{Owner: "acme"}))
	for i := range 30 {
		p.requireRefused(ofTwo[i], keystore.OutcomeRevoked)
		p.requireRefused(ofOwner[i], keystore.OutcomeRevoked)
		p.requireAccepted(ofOther[i])
	}
	p.requireRefused(late, keystore.OutcomeRevoked)

	// Those who log in faster than that are told of.
	p.login(two, tokens.Request{})
	n := 0
	p.store.before(func(verb string) error {
		if n++; verb == "update" {
			p.login(two, tokens.Request{SessionID: fmt.Sprint("more", n)})
		}
		return nil
	})
	requireUnavailable(t, p.EndAll(t.Context(), tokens.Of{KeyID: two.KeyID()}))
}

func TestSessions(t *testing.T) {
	t.Parallel()
	p := alone(t, tokens.Config{})
	who := p.key(spec)
	began := p.clock.Now()
	token := p.login(who, tokens.Request{Client: "app", Audience: "claims", Scopes: []scopes.Scope{"claims:read"}, SessionID: "secret of the client's"})
	p.login(who, tokens.Request{SessionID: "expires"})
	p.clock.move(59 * time.Minute)
	renewed := p.login(who, tokens.Request{Client: "app", Audience: "claims", Scopes: []scopes.Scope{"claims:read"}, SessionID: "secret of the client's"})
	p.clock.move(time.Minute)
	require.NoError(t, p.keys.Suspend(t.Context(), token.Session, ""))
	for range p.Sessions(t.Context(), tokens.Of{}) { //nolint:errcheck // looks at none
		break
	}
	var all []tokens.Session
	for s, err := range p.Sessions(t.Context(), tokens.Of{}) {
		require.NoError(t, err)
		all = append(all, s)
	}
	require.Equal(t, []tokens.Session{{
		ID: token.Session, Owner: "acme", KeyID: who.KeyID(), Client: "app", Scopes: scopes.MustSet("claims:read"), Audiences: []string{"claims"},
		Began: began, Renewed: began.Add(59 * time.Minute), Expires: renewed.Expires, Suspended: true,
	}}, all)
}

// T-037, T-041, T-138: whatever ends or narrows the key counts for its tokens here at once, and in another process that
// hears of nothing within MaxStaleness; and T-082: whoever logs in after a change of the credential has another token.
func TestT037_T041_Causes(t *testing.T) {
	t.Parallel()
	type scene struct {
		*testing.T

		p     *process
		key   string
		token tokens.Token
	}
	edit := func(change func(*keystore.Record)) func(s *scene) {
		return func(s *scene) {
			_, err := s.p.keys.Edit(s.Context(), s.key, func(r *keystore.Record) error {
				change(r)
				return nil
			})
			require.NoError(s, err)
		}
	}
	rotate := func(overlap time.Duration) func(s *scene) {
		return func(s *scene) {
			_, err := s.p.keys.Rotate(s.Context(), s.key, s.p.record(s.key).Version, overlap)
			require.NoError(s, err)
		}
	}
	for _, row := range []struct {
		desc  string
		cause func(s *scene)
		want  keystore.Outcome
	}{
		{"key revoked", func(s *scene) { require.NoError(s, s.p.keys.Revoke(s.Context(), s.key, "")) }, keystore.OutcomeRevoked},
		{"key suspended", func(s *scene) { require.NoError(s, s.p.keys.Suspend(s.Context(), s.key, "")) }, keystore.OutcomeSuspended},
		{"key deleted", func(s *scene) { require.NoError(s, s.p.keys.Delete(s.Context(), s.key)) }, keystore.OutcomeOrphaned},
		{"key expires", edit(func(r *keystore.Record) { r.Expires = r.Created.Add(time.Minute) }), keystore.OutcomeExpired},
		{"key begins later", edit(func(r *keystore.Record) { r.NotBefore = r.Created.AddDate(1, 0, 0) }), keystore.OutcomeNotYetValid},
		{"key replaced", func(s *scene) {
			_, err := s.p.keys.Replace(s.Context(), s.key)
			require.NoError(s, err)
		}, keystore.OutcomeOrphaned},
		{"rotated without overlap", rotate(0), keystore.OutcomeOrphaned},
		{"rotated with overlap", rotate(time.Hour), keystore.OutcomeAccepted},
		{"rotated twice", func(s *scene) { rotate(time.Hour)(s); rotate(time.Hour)(s) }, keystore.OutcomeOrphaned},
		{"overlap ended", func(s *scene) {
			rotate(time.Hour)(s)
			require.NoError(s, s.p.keys.EndOverlap(s.Context(), s.key))
		}, keystore.OutcomeOrphaned},
		{"owner suspended", func(s *scene) { require.NoError(s, s.p.keys.SuspendOwner(s.Context(), "acme")) }, keystore.OutcomeSuspended},
		{"owner revoked", func(s *scene) { require.NoError(s, s.p.keys.RevokeOwner(s.Context(), "acme", "")) }, keystore.OutcomeRevoked},
		{"session ended", func(s *scene) { require.NoError(s, s.p.End(s.Context(), s.token.Session)) }, keystore.OutcomeRevoked},
		{"sessions of the key ended", func(s *scene) { require.NoError(s, s.p.EndAll(s.Context(), tokens.Of{KeyID: s.key})) }, keystore.OutcomeRevoked},
		{"session revoked", func(s *scene) { require.NoError(s, s.p.keys.Revoke(s.Context(), s.token.Session, "")) }, keystore.OutcomeRevoked},
		{"session suspended", func(s *scene) { require.NoError(s, s.p.keys.Suspend(s.Context(), s.token.Session, "")) }, keystore.OutcomeSuspended},
		{"session deleted", func(s *scene) { require.NoError(s, s.p.keys.Delete(s.Context(), s.token.Session)) }, keystore.OutcomeUnknown},
		{"scope removed", edit(func(r *keystore.Record) { r.Scopes = scopes.MustSet("claims:read") }), keystore.OutcomeScopeMissing},
		{"nothing", func(*scene) {}, keystore.OutcomeAccepted},
	} {
		for name, config := range map[string]tokens.Config{"JWT": {}, "opaque": {Opaque: true}} {
			t.Run(row.desc+"/"+name, func(t *testing.T) {
				t.Parallel()
				store, clock := newPlace(), newClock()
				here, there := start(t, store, clock, config), start(t, store, clock, config)
				who := here.key(spec)
				s := &scene{t, here, who.KeyID(), here.login(who, tokens.Request{})}
				clock.move(2 * time.Minute)
				check := func(p *process, want keystore.Outcome) {
					t.Helper()
					who, err := p.Verify(t.Context(), s.token.Text.Reveal())
					if err == nil {
						err = p.admit(who, access("claims:write"))
					}
					if want == keystore.OutcomeAccepted {
						require.NoError(t, err)
						return
					}
					requireOutcome(t, err, want)
				}
				check(here, keystore.OutcomeAccepted)
				check(there, keystore.OutcomeAccepted)
				row.cause(s)
				check(here, row.want)
				clock.move(5*time.Second - time.Microsecond)
				check(there, keystore.OutcomeAccepted)
				clock.move(time.Microsecond)
				check(there, row.want)
			})
		}
	}
}

// T-082, T-138: with another secret of the key, another session; the old one lives as long as its secret.
func TestT138_Rotation(t *testing.T) {
	t.Parallel()
	p := alone(t, tokens.Config{})
	old := p.issue(spec)
	who := p.principal(old)
	before := p.login(who, tokens.Request{SessionID: "s"})
	issued, err := p.keys.Rotate(t.Context(), who.KeyID(), p.record(who.KeyID()).Version, 30*time.Minute)
	require.NoError(t, err)
	after := p.login(p.principal(issued.Credential), tokens.Request{SessionID: "s"})
	require.NotEqual(t, before.Session, after.Session)
	require.Equal(t, before.Text.Reveal(), p.login(p.principal(old), tokens.Request{SessionID: "s"}).Text.Reveal())
	fresh := p.login(p.principal(old), tokens.Request{SessionID: "late"})
	require.Equal(t, 30*time.Minute, fresh.ExpiresIn, "no later than its secret")
	p.clock.move(30*time.Minute - time.Microsecond)
	p.requireAccepted(before)
	p.clock.move(time.Microsecond)
	p.requireRefused(before, keystore.OutcomeExpired)
	p.requireAccepted(after)
	stale := who // as a process may still hold it
	_, err = p.Exchange(t.Context(), stale, tokens.Request{SessionID: "s"})
	requireOutcome(t, err, keystore.OutcomeExpired)
	_, err = p.keys.Replace(t.Context(), who.KeyID())
	require.NoError(t, err)
	_, err = p.Exchange(t.Context(), stale, tokens.Request{SessionID: "new"})
	requireOutcome(t, err, keystore.OutcomeOrphaned)
}

// An imported key has tokens as any other, and they die with its alias's secret.
func TestImportedKey(t *testing.T) {
	t.Parallel()
	p := startWith(t, newPlace(), newClock(), keystore.Config{Ring: ring(t, "2026"), AcceptForeign: true}, tokens.Config{})
	foreign := keystore.NewSecret("6aa0fa0712ab34cd56ef7890abcdef12")
	key, err := p.keys.Import(t.Context(), spec, foreign)
	require.NoError(t, err)
	token := p.login(p.principal(foreign), tokens.Request{})
	require.Equal(t, key.ID, p.requireAccepted(token).KeyID())
	_, err = p.keys.Replace(t.Context(), key.ID)
	require.NoError(t, err)
	p.requireRefused(token, keystore.OutcomeOrphaned)
}

// Who is told what: a session that begins, is renewed and ends.
func TestEvents(t *testing.T) {
	t.Parallel()
	told := make(chan keystore.Event, 100)
	p := startWith(t, newPlace(), newClock(), keystore.Config{Ring: ring(t, "2026"), OnEvent: hear(told), RemindInterval: -1}, tokens.Config{MaxSessions: 1})
	who := p.key(spec)
	require.Equal(t, keystore.EventIssued, (<-told).Type)
	ann := keystore.WithActor(t.Context(), "ann")
	for range 2 {
		token, err := p.Exchange(ann, who, tokens.Request{})
		require.NoError(t, err)
		_, err = p.Exchange(t.Context(), who, tokens.Request{SessionID: "2"})
		require.ErrorIs(t, err, keystore.ErrQuota)
		p.clock.move(time.Hour - time.Minute)
		p.login(who, tokens.Request{})
		require.NoError(t, p.End(ann, token.Session))
		for _, want := range []keystore.Event{
			{Type: keystore.EventIssued, Actor: "ann"}, {Type: keystore.EventQuotaRefused}, {Type: keystore.EventEdited}, {Type: keystore.EventEnded, Actor: "ann"},
		} {
			event := <-told
			require.Equal(t, []any{want.Type, want.Actor, keystore.KindSession, "acme"}, []any{event.Type, event.Actor, event.Kind, event.Owner})
			if want.Type != keystore.EventQuotaRefused {
				require.Equal(t, token.Session, event.KeyID)
			}
		}
		require.Equal(t, "ann", p.record(token.Session).CreatedBy)
	}
	require.Empty(t, told)
}
