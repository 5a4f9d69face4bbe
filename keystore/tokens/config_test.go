package tokens_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/memstore"
	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/keystore/tokens"
)

// mistakes takes apart what New joined.
func mistakes(t *testing.T, err error) (fields []string) {
	t.Helper()
	require.Error(t, err)
	if problem, ok := err.(*keystore.ConfigError); ok {
		require.NotEmpty(t, problem.Want)
		return []string{strings.TrimPrefix(problem.Field, "tokens: ")}
	}
	joined, ok := err.(interface{ Unwrap() []error })
	require.True(t, ok, "%T", err)
	for _, err := range joined.Unwrap() {
		fields = append(fields, mistakes(t, err)...)
	}
	return fields
}

func TestT133_AllMistakesAtOnce(t *testing.T) {
	t.Parallel()
	keys, err := keystore.New(memstore.New(), keystore.Config{})
	require.NoError(t, err)
	defer func() { require.NoError(t, keys.Close()) }()
	made, err := tokens.New(keys, tokens.Config{
		Issuer: "a b", Audience: strings.Repeat("x", 257), Type: "ä", Brand: "AT", Lifetime: time.Millisecond,
		SessionLifetime: time.Microsecond, IdleTimeout: time.Second, PruneInterval: time.Millisecond, CacheEntries: -1, OmitKeyID: true,
		SigningKeys: []tokens.SigningKey{{}},
	})
	require.Nil(t, made)
	require.ElementsMatch(t, []string{
		"Config.Issuer", "Config.Audience", "Config.Type", "Config.Brand", "Config.Lifetime", "Config.SessionLifetime", "Config.IdleTimeout",
		"Config.PruneInterval", "Config.CacheEntries", "Config.OmitKeyID", "Config.Ring",
	}, mistakes(t, err))
	require.ErrorContains(t, err, "tokens: Config.Ring is empty: want a ring here or in keystore.Config")
	_, err = tokens.New(nil, tokens.Config{})
	require.Equal(t, []string{"keys"}, mistakes(t, err))
}

func TestT133_EachField(t *testing.T) {
	t.Parallel()
	keys, err := keystore.New(memstore.New(), keystore.Config{Ring: ring(t, "2026")})
	require.NoError(t, err)
	defer func() { require.NoError(t, keys.Close()) }()
	for _, row := range []struct {
		desc   string
		config tokens.Config
		bad    bool
	}{
		{"zero", tokens.Config{}, false},
		{"a second", tokens.Config{Lifetime: time.Second}, false},
		{"less than a second", tokens.Config{Lifetime: time.Second - 1}, true},
		{"negative lifetime", tokens.Config{Lifetime: -time.Hour}, true},
		{"half of it", tokens.Config{Lifetime: time.Hour, RenewBefore: 30 * time.Minute}, false},
		{"more than half of it", tokens.Config{Lifetime: time.Hour, RenewBefore: 30*time.Minute + 1}, true},
		{"never", tokens.Config{RenewBefore: -1}, false},
		{"a session as long as a token", tokens.Config{SessionLifetime: time.Hour}, false},
		{"a session shorter than a token", tokens.Config{SessionLifetime: time.Hour - 1}, true},
		{"negative session", tokens.Config{SessionLifetime: -1}, true},
		{"idle for a minute", tokens.Config{IdleTimeout: time.Minute}, false},
		{"idle for less", tokens.Config{IdleTimeout: time.Minute - 1}, true},
		{"negative idle", tokens.Config{IdleTimeout: -1}, true},
		{"any number", tokens.Config{MaxSessions: -1}, false},
		{"no pruning", tokens.Config{PruneInterval: -1}, false},
		{"pruning too often", tokens.Config{PruneInterval: time.Second - 1}, true},
		{"one entry", tokens.Config{CacheEntries: 1}, false},
		{"too many entries", tokens.Config{CacheEntries: 100_000_001}, true},
		{"brand of 16", tokens.Config{Brand: strings.Repeat("b", 16)}, false},
		{"brand of 17", tokens.Config{Brand: strings.Repeat("b", 17)}, true},
		{"type of 64", tokens.Config{Type: strings.Repeat("t", 64)}, false},
		{"type of 65", tokens.Config{Type: strings.Repeat("t", 65)}, true},
		{"line end in the issuer", tokens.Config{Issuer: "https://api.example\n"}, true},
		{"dropped what is not there", tokens.Config{DroppedKeys: []string{"2025"}}, false},
		{"dropped what is there", tokens.Config{DroppedKeys: []string{"2026"}}, true},
	} {
		made, err := tokens.New(keys, row.config)
		if row.bad {
			require.Len(t, mistakes(t, err), 1, row.desc)
			continue
		}
		require.NoError(t, err, row.desc)
		require.NoError(t, made.Close())
	}
}

// Config.Ring alone will do, and is then what counts.
func TestRing_OfItsOwn(t *testing.T) {
	t.Parallel()
	store, clock := newPlace(), newClock()
	p := startWith(t, store, clock, keystore.Config{}, tokens.Config{Ring: ring(t, "tokens")})
	token := p.login(p.key(spec), tokens.Request{})
	header, _ := decoded(t, token.Text.Reveal())
	require.Contains(t, header, `"kid":"tokens"`)
	p.requireAccepted(token)
	both := startWith(t, store, clock, keystore.Config{Ring: ring(t, "keys")}, tokens.Config{Ring: ring(t, "tokens")})
	both.requireAccepted(token)
	derived := startWith(t, store, clock, keystore.Config{Ring: ring(t, "tokens")}, tokens.Config{})
	derived.requireAccepted(token)
}

// The defaults are what the documentation says.
func TestDefaults(t *testing.T) {
	t.Parallel()
	p := alone(t, tokens.Config{Lifetime: 6 * time.Minute})
	who := p.key(spec)
	first := p.login(who, tokens.Request{})
	p.clock.move(3*time.Minute - time.Microsecond)
	require.Equal(t, first.Text.Reveal(), p.login(who, tokens.Request{}).Text.Reveal())
	p.clock.move(time.Microsecond)
	require.NotEqual(t, first.Text.Reveal(), p.login(who, tokens.Request{}).Text.Reveal(), "half of the lifetime")
	// What the caller does with the slices later is his own affair.
	dropped := []string{"other"}
	config := tokens.Config{DroppedKeys: dropped}
	p = start(t, p.store, p.clock, config)
	dropped[0] = "2026"
	p.requireAccepted(p.login(p.key(spec), tokens.Request{}))
}
