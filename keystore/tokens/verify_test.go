package tokens_test

import (
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/keystore/tokens"
	"github.com/claviger-go/claviger/scopes"
)

// refused is what every text gets that is not exactly a token: a no, and from no store.
func (p *process) requireNoToken(text string) {
	p.t.Helper()
	who, err := p.Verify(p.t.Context(), text)
	require.Nil(p.t, who)
	var refused *keystore.RefusedError
	if !errors.Is(err, keystore.ErrUnrecognized) {
		require.ErrorAs(p.t, err, &refused, text)
	}
}

// T-026, T-073: every character of a token counts, at every position, whether the token was seen before or not.
func TestT026_EveryCharacterCounts(t *testing.T) {
	t.Parallel()
	for name, config := range formats() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := alone(t, config)
			text := p.login(p.key(spec), tokens.Request{}).Text.Reveal()
			for _, seen := range []bool{false, true} {
				if seen {
					_, err := p.Verify(t.Context(), text)
					require.NoError(t, err)
				}
				lookups := p.store.lookups.Load()
				for i := range len(text) {
					p.requireNoToken(text[:i])
					p.requireNoToken(text[i+1:])
					p.requireNoToken(text[:i] + text[i+1:])
					p.requireNoToken(text[:i] + text[i:i+1] + text[i:])
					flipped := []byte(text)
					for _, bit := range []byte{1, 0x20} {
						flipped[i] = text[i] ^ bit
						p.requireNoToken(string(flipped))
					}
				}
				for _, other := range []string{
					text + "\n", text + " ", text + "=", text + ".", text + "A", " " + text, "Bearer " + text, strings.ToUpper(text), strings.ToLower(text),
					strings.ReplaceAll(text, "_", "-"), text + text, "",
				} {
					if other != text {
						p.requireNoToken(other)
					}
				}
				require.LessOrEqual(t, p.store.lookups.Load()-lookups, int64(200), "T-027: what nobody issued asks no store, but for other names of keys")
			}
		})
	}
}

// A token that names a key which this process lacks is neither good nor bad, and asked anew each time; unless that key was
// dropped.
func TestUnknownKeys(t *testing.T) {
	t.Parallel()
	keyed := func(id, letter string) tokens.Config {
		return tokens.Config{SigningKeys: []tokens.SigningKey{signingKey(id, edKey(letter))}}
	}
	for _, row := range []struct {
		desc        string
		made, check tokens.Config
		drop        string
	}{
		{"HS256", tokens.Config{Ring: ring(t, "new")}, tokens.Config{Ring: ring(t, "old")}, "new"},
		{"opaque", tokens.Config{Ring: ring(t, "new"), Opaque: true}, tokens.Config{Ring: ring(t, "old")}, "new"},
		{"EdDSA", keyed("new", "1"), keyed("old", "2"), "new"},
	} {
		t.Run(row.desc, func(t *testing.T) {
			t.Parallel()
			store, clock := newPlace(), newClock()
			maker, checker := start(t, store, clock, row.made), start(t, store, clock, row.check)
			token := maker.login(maker.key(spec), tokens.Request{})
			maker.requireAccepted(token)
			for range 2 {
				_, err := checker.Verify(t.Context(), token.Text.Reveal())
				requireUnavailable(t, err)
				require.NotContains(t, err.Error(), "new", "T-127: what the token calls it is not for logs")
			}
			row.check.DroppedKeys = []string{"other", row.drop}
			start(t, store, clock, row.check).requireRefused(token, keystore.OutcomeWrongSecret)
		})
	}

	// A tag is made with the ring, also where a signing key is known.
	store, clock := newPlace(), newClock()
	both := func(config tokens.Config, ring keystore.Ring) tokens.Config {
		config.Ring = ring
		return config
	}
	maker, checker := start(t, store, clock, both(keyed("k", "1"), ring(t, "new"))), start(t, store, clock, both(keyed("k", "1"), ring(t, "old")))
	token := maker.login(maker.key(spec), tokens.Request{})
	_, err := checker.Verify(t.Context(), token.Text.Reveal())
	requireUnavailable(t, err)

	// Where JWTs name no key, one that nobody here made is no good.
	nameless := tokens.Config{OmitKeyID: true, Ring: ring(t, "new")}
	maker = start(t, store, clock, nameless)
	nameless.Ring = ring(t, "old")
	start(t, store, clock, nameless).requireRefused(maker.login(maker.key(spec), tokens.Request{}), keystore.OutcomeWrongSecret)
}

// Names that anybody can make up ask the store a hundred times a second, and not more.
func TestUnknownKeys_Flood(t *testing.T) {
	t.Parallel()
	p := alone(t, tokens.Config{})
	flood := func() (refused int) {
		for i := range 1000 {
			_, err := p.Verify(t.Context(), fmt.Sprintf("at_live_%064x_1_9999999999_made-up_%080d", i, i))
			if !errors.Is(err, keystore.ErrUnavailable) {
				requireOutcome(t, err, keystore.OutcomeUnknown)
				refused++
			}
		}
		return refused
	}
	for range 3 {
		lookups := p.store.lookups.Load()
		require.Equal(t, 100, flood())
		require.Equal(t, lookups+100, p.store.lookups.Load())
		p.clock.move(time.Second)
	}
	// A store that fails is no answer here either.
	p.store.fail(errors.New("connection refused"))
	require.Zero(t, flood())
}

// Somebody is told of keys that are missing, and once a minute at most, since names can be made up.
func TestUnknownKeys_Event(t *testing.T) {
	t.Parallel()
	store, clock, told := newPlace(), newClock(), make(chan keystore.Event, 100)
	p := startWith(t, store, clock, keystore.Config{Ring: ring(t, "old"), OnEvent: hear(told), RemindInterval: -1}, tokens.Config{})
	maker := start(t, store, clock, tokens.Config{Ring: ring(t, "new")})
	token := maker.login(maker.key(spec), tokens.Request{})
	for range 3 {
		for range 5 {
			_, err := p.Verify(t.Context(), token.Text.Reveal())
			requireUnavailable(t, err)
		}
		clock.move(time.Minute)
		event := <-told
		require.Equal(t, keystore.EventFault, event.Type)
		require.ErrorContains(t, event.Err, "lacks")
	}
	require.Empty(t, told)
}

// hear puts events into a channel.
func hear(told chan keystore.Event) func(context.Context, keystore.Event) {
	return func(_ context.Context, event keystore.Event) { told <- event }
}

// Tokens of others are for somebody else to judge.
func TestUnrecognized(t *testing.T) {
	t.Parallel()
	ours := alone(t, tokens.Config{Issuer: "https://api.example"})
	for _, config := range []tokens.Config{
		{Issuer: "https://other.example"},
		{},
		{Issuer: "https://api.example/"},
		{Opaque: true, Brand: "xt"},
		{Issuer: "https://other.example", Ring: ring(t, "x")},
		{Issuer: "https://other.example", SigningKeys: []tokens.SigningKey{signingKey("", edKey("1"))}},
	} {
		theirs := alone(t, config)
		_, err := ours.Verify(t.Context(), theirs.login(theirs.key(spec), tokens.Request{}).Text.Reveal())
		require.ErrorIs(t, err, keystore.ErrUnrecognized)
	}
	for _, text := range []string{
		"", "x", keystore.ExampleCredential, "at_live_", "at_", strings.Repeat(".", 100), strings.Repeat("a.", 100), strings.Repeat("x", 5000),
		"at_live_" + strings.Repeat("0", 64) + "_1_1_2026_" + strings.Repeat("0", 79), "at_" + strings.Repeat("_", 300),
	} {
		_, err := ours.Verify(t.Context(), text)
		require.ErrorIs(t, err, keystore.ErrUnrecognized, text)
	}
	ours.requireTextRefused("at_live_"+strings.Repeat("0", 64)+"_1_9999999999_2026_"+strings.Repeat("0", 80), keystore.OutcomeWrongSecret)

	another := alone(t, tokens.Config{Issuer: "https://api.example", Type: "JWT"})
	ours.requireRefused(another.login(another.key(spec), tokens.Request{}), keystore.OutcomeWrongSecret, "T-070: another type")
	forged := alone(t, tokens.Config{Issuer: "https://api.example", SigningKeys: []tokens.SigningKey{signingKey("2026", edKey("1"))}})
	ours.requireRefused(forged.login(forged.key(spec), tokens.Request{}), keystore.OutcomeWrongSecret, "another algorithm")
}

// A token of either format is accepted, whichever is handed out.
func TestBothFormats(t *testing.T) {
	t.Parallel()
	store, clock := newPlace(), newClock()
	jwts, opaques := start(t, store, clock, tokens.Config{}), start(t, store, clock, tokens.Config{Opaque: true})
	credential := jwts.issue(spec)
	one, two := jwts.login(jwts.principal(credential), tokens.Request{}), opaques.login(opaques.principal(credential), tokens.Request{})
	require.Regexp(t, `^at_live_[0-9a-f]{64}_1_\d{10}_2026_[0-9a-f]{80}$`, two.Text.Reveal())
	require.Equal(t, one.Session, two.Session)
	for _, p := range []*process{jwts, opaques} {
		p.requireAccepted(one)
		p.requireAccepted(two)
	}
	test := opaques.login(opaques.key(keystore.Spec{Owner: "acme", Env: keystore.EnvTest}), tokens.Request{})
	require.Regexp(t, `^at_test_`, test.Text.Reveal())
	require.Equal(t, keystore.EnvTest, opaques.requireAccepted(test).Env())
}

// VC1, VC5, VC9: what is remembered is that a token is genuine; it costs no Lookup until what was read is too old, and
// then one for each record.
func TestVC5_Cost(t *testing.T) {
	t.Parallel()
	for name, config := range formats() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := alone(t, config)
			token := p.login(p.key(spec), tokens.Request{})
			p.requireAccepted(token)
			lookups, writes := p.store.lookups.Load(), p.store.writes.Load()
			p.clock.move(5*time.Second - time.Microsecond)
			for range 10 {
				p.requireAccepted(token)
			}
			require.Equal(t, lookups, p.store.lookups.Load())
			p.clock.move(time.Microsecond)
			for range 10 {
				p.requireAccepted(token)
			}
			require.Equal(t, lookups+2, p.store.lookups.Load(), "the session and its key")
			require.Equal(t, writes, p.store.writes.Load())
		})
	}
}

// VC8: with the store down a token serves as long as it may be stale, and then there is no answer.
func TestVC8_StoreDown(t *testing.T) {
	t.Parallel()
	p := alone(t, tokens.Config{})
	who := p.key(spec)
	token, unseen := p.login(who, tokens.Request{}), p.login(who, tokens.Request{SessionID: "unseen"})
	p.requireAccepted(token)
	p.clock.move(4 * time.Second)
	p.store.fail(errors.New("connection refused"))
	p.requireAccepted(token)
	p.clock.move(time.Second)
	for _, token := range []tokens.Token{token, unseen} {
		for range 2 {
			_, err := p.Verify(t.Context(), token.Text.Reveal())
			requireUnavailable(t, err)
		}
	}
	p.store.fail(nil)
	p.requireAccepted(token)
	p.requireAccepted(unseen)
}

// A no that was read before the request began is no answer to a token that was made since, elsewhere.
func TestVerify_TokenMadeJustNow(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		desc   string
		age    time.Duration
		change func(t *testing.T, there *process, old tokens.Token, key string) (credential keystore.Secret)
		want   keystore.Outcome // of the old token, there
	}{
		{"begun after it ended", time.Minute, func(t *testing.T, there *process, old tokens.Token, _ string) (_ keystore.Secret) {
			require.NoError(t, there.End(t.Context(), old.Session))
			return keystore.Secret{}
		}, keystore.OutcomeRevoked},
		{"begun after it was revoked", time.Minute, func(t *testing.T, there *process, old tokens.Token, _ string) (_ keystore.Secret) {
			require.NoError(t, there.keys.Revoke(t.Context(), old.Session, ""))
			return keystore.Secret{}
		}, keystore.OutcomeRevoked},
		{"begun after it was deleted", time.Minute, func(t *testing.T, there *process, old tokens.Token, _ string) (_ keystore.Secret) {
			require.NoError(t, there.keys.Delete(t.Context(), old.Session))
			return keystore.Secret{}
		}, keystore.OutcomeWrongSecret},
		{"begun after it expired", time.Hour - time.Second, func(_ *testing.T, there *process, _ tokens.Token, _ string) (_ keystore.Secret) {
			there.clock.move(time.Second)
			return keystore.Secret{}
		}, keystore.OutcomeExpired},
		{"with a key rotated just now", time.Minute, func(t *testing.T, there *process, _ tokens.Token, key string) keystore.Secret {
			issued, err := there.keys.Rotate(t.Context(), key, there.record(key).Version, 0)
			require.NoError(t, err)
			return issued.Credential
		}, keystore.OutcomeOrphaned},
	} {
		t.Run(row.desc, func(t *testing.T) {
			t.Parallel()
			store, clock := newPlace(), newClock()
			here, there := start(t, store, clock, tokens.Config{RenewBefore: -1}), start(t, store, clock, tokens.Config{RenewBefore: -1})
			credential := there.issue(spec)
			who := there.principal(credential)
			old := there.login(who, tokens.Request{})
			clock.move(row.age)
			here.requireAccepted(old)
			if fresh := row.change(t, there, old, who.KeyID()); fresh.Reveal() != "" {
				who = there.principal(fresh)
			}
			made := there.login(who, tokens.Request{})
			require.NotEqual(t, old.Text.Reveal(), made.Text.Reveal())
			here.requireAccepted(made)
			there.requireAccepted(made)
			there.requireRefused(old, row.want)

			lookups := store.lookups.Load()
			for range 10 {
				there.requireRefused(old, row.want)
			}
			require.Equal(t, lookups, store.lookups.Load(), "a dead token asks no store")
			if row.want == keystore.OutcomeExpired {
				return
			}
			clock.move(time.Second)
			there.requireRefused(old, row.want)
			require.Greater(t, store.lookups.Load(), lookups, "but once a second")
			clock.move(4 * time.Second)
			here.requireRefused(old, row.want)
		})
	}
}

// T-062: a signing key that leaked makes no token that counts: neither of a session that there is, nor wider, longer, nor
// of an earlier one. Nor does what a service was given that verifies.
func TestLeakedSigningKey(t *testing.T) {
	t.Parallel()
	private := edKey("1")
	p := alone(t, tokens.Config{SigningKeys: []tokens.SigningKey{signingKey("k", private)}})
	who := p.key(spec)
	token := p.login(who, tokens.Request{Scopes: []scopes.Scope{"claims:read"}})
	text := token.Text.Reveal()
	sign := func(claims string) string {
		signed := text[:strings.Index(text, ".")+1] + base64.RawURLEncoding.EncodeToString([]byte(claims))
		signature, err := private.Sign(nil, []byte(signed), crypto.Hash(0))
		require.NoError(t, err)
		return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(text, ".")[1])
	require.NoError(t, err)
	claims := string(payload)
	require.Equal(t, text, sign(claims), "the test signs as we do")
	other := p.login(who, tokens.Request{SessionID: "other"})
	for desc, forged := range map[string]string{
		"longer":          strings.Replace(claims, fmt.Sprint(token.Expires.Unix()), fmt.Sprint(token.Expires.Unix()+1), 1),
		"next generation": strings.Replace(claims, `"jti":"1.`, `"jti":"2.`, 1),
		"of no number":    strings.Replace(claims, `"jti":"1.`, `"jti":".`, 1),
		"other session":   strings.Replace(claims, token.Session, other.Session, 1),
		"a key":           strings.Replace(claims, token.Session, who.KeyID(), 1),
		"no session":      strings.Replace(claims, token.Session, "session:"+strings.Repeat("0", 64), 1),
		"other tag":       strings.Replace(claims, `"jti":"1.`, `"jti":"1.0`, 1),
	} {
		require.NotEqual(t, claims, forged, desc)
		who, err := p.Verify(t.Context(), sign(forged))
		require.Nil(t, who, desc)
		var refused *keystore.RefusedError
		require.ErrorAs(t, err, &refused, desc)
	}
	// What else it says counts for nothing here: the record does.
	wider, err := p.Verify(t.Context(), sign(strings.Replace(claims, `"scope":"claims:read"`, `"scope":"*"`, 1)))
	require.NoError(t, err)
	require.False(t, wider.Allows("claims:write"))
	require.NoError(t, p.End(t.Context(), token.Session))
	p.login(who, tokens.Request{Scopes: []scopes.Scope{"claims:read"}})
	p.requireTextRefused(sign(claims), keystore.OutcomeRevoked)
}

// The keys derived for one purpose are no help with another.
func TestDerivedKeys_AreApart(t *testing.T) {
	t.Parallel()
	p := alone(t, tokens.Config{})
	signed := p.login(p.key(spec), tokens.Request{}).Text.Reveal()
	cut := strings.LastIndex(signed, ".")
	for _, purpose := range []string{"tokens HS256", "tokens tag", "tokens opaque", "hash", "HS256", ""} {
		derived, err := ring(t, "2026").Derive(purpose)
		require.NoError(t, err)
		mac := hmac.New(sha256.New, []byte(derived[0].Key.Reveal()))
		mac.Write([]byte(signed[:cut]))
		require.Equal(t, purpose == "tokens HS256", base64.RawURLEncoding.EncodeToString(mac.Sum(nil)) == signed[cut+1:], purpose)
	}
}
