package tokens_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/memstore"
	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/keystore/tokens"
	"github.com/claviger-go/claviger/scopes"
)

// place is where records live for several processes: a memstore that is no Watcher, so that nobody hears of changes, and
// that counts and can be made to fail.
type place struct {
	memory  *memstore.Store
	lookups atomic.Int64
	writes  atomic.Int64
	failure atomic.Pointer[error]
	hook    atomic.Pointer[func(verb string) error] // called before each mutation, and in its place if it returns an error
}

func newPlace() *place { return &place{memory: memstore.New()} }

// fail makes every call answer err from now on; nil: none.
func (s *place) fail(err error) {
	if err == nil {
		s.failure.Store(nil)
		return
	}
	s.failure.Store(&err)
}

// before has hook called before each mutation from now on; nil: none.
func (s *place) before(hook func(verb string) error) {
	if hook == nil {
		s.hook.Store(nil)
		return
	}
	s.hook.Store(&hook)
}

func (s *place) down() error {
	if err := s.failure.Load(); err != nil {
		return *err
	}
	return nil
}

func (s *place) write(verb string, send func() error) error {
	s.writes.Add(1)
	if hook := s.hook.Load(); hook != nil {
		if err := (*hook)(verb); err != nil {
			return err
		}
	}
	if err := s.down(); err != nil {
		return err
	}
	return send()
}

func (s *place) Lookup(ctx context.Context, id string) (keystore.Record, error) {
	s.lookups.Add(1)
	if err := s.down(); err != nil {
		return keystore.Record{}, err
	}
	return s.memory.Lookup(ctx, id)
}

func (s *place) Insert(ctx context.Context, r keystore.Record, q keystore.Quota) error {
	return s.write("insert", func() error { return s.memory.Insert(ctx, r, q) })
}

func (s *place) Update(ctx context.Context, r keystore.Record) error {
	return s.write("update", func() error { return s.memory.Update(ctx, r) })
}

func (s *place) Delete(ctx context.Context, id string, version uint64) error {
	return s.write("delete", func() error { return s.memory.Delete(ctx, id, version) })
}

func (s *place) List(ctx context.Context, f keystore.Filter) (keystore.Page, error) {
	if err := s.down(); err != nil {
		return keystore.Page{}, err
	}
	return s.memory.List(ctx, f)
}

// readOnly hides everything of a store but Lookup.
type readOnly struct{ keystore.KeyStore }

// clock is a wall clock that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, time.November, 22, 3, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// ring makes a ring of names; the secret of a name is always the same.
func ring(t testing.TB, names ...string) keystore.Ring {
	t.Helper()
	var entries []string
	for _, name := range names {
		entries = append(entries, name+":"+base64.StdEncoding.EncodeToString([]byte(strings.Repeat(name[len(name)-1:], 32))))
	}
	r, err := keystore.ParseRing(strings.Join(entries, ","))
	require.NoError(t, err)
	return r
}

// process is one of those that share a place.
type process struct {
	*tokens.Tokens

	t     testing.TB
	keys  *keystore.Keys
	clock *clock
	store *place
}

// start starts a process on a place, with the ring "2026" unless config has one.
func start(t testing.TB, store *place, clock *clock, config tokens.Config) *process {
	t.Helper()
	return startWith(t, store, clock, keystore.Config{Ring: ring(t, "2026")}, config)
}

func startWith(t testing.TB, store *place, clock *clock, base keystore.Config, config tokens.Config) *process {
	t.Helper()
	base.Now, base.LookupTimeout = clock.Now, time.Minute
	keys, err := keystore.New(store, base)
	require.NoError(t, err)
	config.PruneInterval = -1
	made, err := tokens.New(keys, config)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, made.Close())
		require.NoError(t, keys.Close())
	})
	return &process{made, t, keys, clock, store}
}

// alone starts the only process on a place of its own.
func alone(t testing.TB, config tokens.Config) *process {
	t.Helper()
	return start(t, newPlace(), newClock(), config)
}

var spec = keystore.Spec{Owner: "acme", Scopes: []scopes.Scope{"claims:read", "claims:write"}}

func (p *process) issue(spec keystore.Spec) keystore.Secret {
	p.t.Helper()
	issued, err := p.keys.Issue(p.t.Context(), spec)
	require.NoError(p.t, err)
	return issued.Credential
}

// key issues a key and returns its principal.
func (p *process) key(spec keystore.Spec) *keystore.Principal {
	p.t.Helper()
	return p.principal(p.issue(spec))
}

func (p *process) principal(credential keystore.Secret) *keystore.Principal {
	p.t.Helper()
	who, err := p.keys.Verify(p.t.Context(), credential.Reveal())
	require.NoError(p.t, err)
	return who
}

// client issues a client and returns its principal.
func (p *process) client(id string, spec keystore.Spec) *keystore.Principal {
	p.t.Helper()
	stored, err := p.keys.HashPassword(p.t.Context(), keystore.NewSecret("hunter2"))
	require.NoError(p.t, err)
	_, err = p.keys.ImportClient(p.t.Context(), id, spec, keystore.Client{}, stored)
	require.NoError(p.t, err)
	who, err := p.keys.VerifyClient(p.t.Context(), id, keystore.NewSecret("hunter2"))
	require.NoError(p.t, err)
	return who
}

// owner is somebody whom the app has authenticated by itself.
func owner(name string, granted ...scopes.Scope) *keystore.Principal {
	return keystore.NewPrincipal(keystore.Record{Owner: name, Env: keystore.EnvLive, Scopes: scopes.MustSet(granted...)})
}

// login exchanges a principal for a token.
func (p *process) login(who *keystore.Principal, q tokens.Request) tokens.Token {
	p.t.Helper()
	token, err := p.Exchange(p.t.Context(), who, q)
	require.NoError(p.t, err)
	return token
}

func (p *process) requireAccepted(token tokens.Token, why ...any) *keystore.Principal {
	p.t.Helper()
	who, err := p.Verify(p.t.Context(), token.Text.Reveal())
	require.NoError(p.t, err, why...)
	require.NotNil(p.t, who)
	return who
}

func (p *process) requireRefused(token tokens.Token, want keystore.Outcome, why ...any) {
	p.t.Helper()
	p.requireTextRefused(token.Text.Reveal(), want, why...)
}

func (p *process) requireTextRefused(text string, want keystore.Outcome, why ...any) {
	p.t.Helper()
	who, err := p.Verify(p.t.Context(), text)
	require.Nil(p.t, who, why...)
	requireOutcome(p.t, err, want, why...)
}

func requireOutcome(t testing.TB, err error, want keystore.Outcome, why ...any) {
	t.Helper()
	var refused *keystore.RefusedError
	require.ErrorAs(t, err, &refused, why...)
	require.Equal(t, want, refused.Outcome, why...)
	require.NotErrorIs(t, err, keystore.ErrUnavailable)
}

// requireUnavailable is for every answer that must be no answer: neither a yes nor a no.
func requireUnavailable(t testing.TB, err error) {
	t.Helper()
	require.ErrorIs(t, err, keystore.ErrUnavailable)
	var refused *keystore.RefusedError
	require.NotErrorAs(t, err, &refused)
}

// record reads a session from the place.
func (p *process) record(id string) keystore.Record {
	p.t.Helper()
	r, err := p.keys.Lookup(p.t.Context(), id)
	require.NoError(p.t, err)
	return r
}

// decoded are header and claims of a JWT.
func decoded(t testing.TB, text string) (header string, claims map[string]any) {
	t.Helper()
	segments := strings.Split(text, ".")
	require.Len(t, segments, 3)
	h, err := base64.RawURLEncoding.DecodeString(segments[0])
	require.NoError(t, err)
	c, err := base64.RawURLEncoding.DecodeString(segments[1])
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(c, &claims))
	return string(h), claims
}

// edKey is a key that is always the same for the same letter.
func edKey(letter string) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat(letter, ed25519.SeedSize)))
}

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(nil, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func signingKey(id string, private crypto.Signer) tokens.SigningKey {
	return must(tokens.NewSigningKey(id, private))
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// formats are the kinds of token, by name.
func formats() map[string]tokens.Config {
	return map[string]tokens.Config{
		"HS256":    {},
		"system S": {Type: "JWT", OmitKeyID: true, Lifetime: 2 * time.Hour, RenewBefore: -1},
		"EdDSA":    {SigningKeys: []tokens.SigningKey{signingKey("ed-1", edKey("1"))}, Issuer: "https://api.example"},
		"RS256":    {SigningKeys: []tokens.SigningKey{signingKey("rsa-1", rsaKey())}},
		"opaque":   {Opaque: true},
	}
}

// admit asks for access as a guard does.
func (p *process) admit(who *keystore.Principal, a *keystore.Access) error {
	p.t.Helper()
	_, err := p.keys.Admit(p.t.Context(), who, a)
	return err
}
