package keystore_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/memstore"
	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/scopes"
)

// stub is a memstore that counts its calls and whose answers a test can bend. It is no Watcher and keeps no usage, so
// that nothing runs in the background: see watched and metered.
type stub struct {
	memory   *memstore.Store
	lookups  atomic.Int64
	writes   atomic.Int64
	onLookup atomic.Pointer[lookupHook]
	onWrite  atomic.Pointer[writeHook]
}

type (
	// lookupHook answers in the store's place; ask is the store itself.
	lookupHook func(ctx context.Context, id string, ask func() (keystore.Record, error)) (keystore.Record, error)
	// writeHook is the same for "insert", "update", "delete" and "list".
	writeHook func(ctx context.Context, verb, id string, send func() error) error
)

func newStub() *stub { return &stub{memory: memstore.New()} }

// bend makes hook answer every Lookup from now on; nil: none.
func (s *stub) bend(hook lookupHook) {
	if hook == nil {
		s.onLookup.Store(nil)
		return
	}
	s.onLookup.Store(&hook)
}

func (s *stub) bendWrites(hook writeHook) {
	if hook == nil {
		s.onWrite.Store(nil)
		return
	}
	s.onWrite.Store(&hook)
}

func (s *stub) Lookup(ctx context.Context, id string) (keystore.Record, error) {
	s.lookups.Add(1)
	ask := func() (keystore.Record, error) { return s.memory.Lookup(ctx, id) }
	if hook := s.onLookup.Load(); hook != nil {
		return (*hook)(ctx, id, ask)
	}
	return ask()
}

func (s *stub) write(ctx context.Context, verb, id string, send func() error) error {
	s.writes.Add(1)
	if hook := s.onWrite.Load(); hook != nil {
		return (*hook)(ctx, verb, id, send)
	}
	return send()
}

func (s *stub) Insert(ctx context.Context, r keystore.Record, q keystore.Quota) error {
	return s.write(ctx, "insert", r.ID, func() error { return s.memory.Insert(ctx, r, q) })
}

func (s *stub) Update(ctx context.Context, r keystore.Record) error {
	return s.write(ctx, "update", r.ID, func() error { return s.memory.Update(ctx, r) })
}

func (s *stub) Delete(ctx context.Context, id string, version uint64) error {
	return s.write(ctx, "delete", id, func() error { return s.memory.Delete(ctx, id, version) })
}

func (s *stub) List(ctx context.Context, f keystore.Filter) (page keystore.Page, err error) {
	err = s.write(ctx, "list", f.Parent, func() (err error) {
		page, err = s.memory.List(ctx, f)
		return err
	})
	return page, err
}

// watched is a stub that passes on what tell says.
type watched struct {
	*stub
	news chan []string
	done chan struct{}
}

func newWatched() *watched {
	return &watched{newStub(), make(chan []string), make(chan struct{})}
}

func (w *watched) Watch(ctx context.Context, changed func(ids ...string)) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case ids := <-w.news:
			changed(ids...)
			w.done <- struct{}{}
		}
	}
}

// tell returns when the news have been heard.
func (w *watched) tell(ids ...string) {
	w.news <- ids
	<-w.done
}

// metered is a stub that keeps usage.
type metered struct {
	*stub
	batches atomic.Int64
	onUsage atomic.Pointer[usageHook]
}

// usageHook comes before AddUsage, and in its place if it returns an error.
type usageHook func(ctx context.Context, u []keystore.Usage) error

func (m *metered) bendUsage(hook usageHook) { m.onUsage.Store(&hook) }

func (m *metered) failUsage(err error) {
	m.bendUsage(func(context.Context, []keystore.Usage) error { return err })
}

func (m *metered) AddUsage(ctx context.Context, u []keystore.Usage) error {
	m.batches.Add(1)
	if hook := m.onUsage.Load(); hook != nil {
		if err := (*hook)(ctx, u); err != nil {
			return err
		}
	}
	return m.memory.AddUsage(ctx, u)
}

func (m *metered) Usage(ctx context.Context, ids []string) ([]keystore.Usage, error) {
	return m.memory.Usage(ctx, ids)
}

// events keeps what Keys told.
type events struct {
	mu   sync.Mutex
	told []keystore.Event
}

func (e *events) hear(_ context.Context, event keystore.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.told = append(e.told, event)
}

func (e *events) all() []keystore.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.told)
}

// take returns what was told, and forgets it.
func (e *events) take() []keystore.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	told := e.told
	e.told = nil
	return told
}

// faults are the texts of the faults told.
func (e *events) faults() (texts []string) {
	for _, event := range e.all() {
		if event.Type == keystore.EventFault {
			texts = append(texts, event.Err.Error())
		}
	}
	return texts
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

var (
	errDown = errors.New("connection refused")
	down    = func(context.Context, string, func() (keystore.Record, error)) (keystore.Record, error) {
		return keystore.Record{}, errDown
	}
	spec = keystore.Spec{Owner: "acme", Scopes: []scopes.Scope{"claims:read"}}
)

func openKeys(t testing.TB, store keystore.KeyStore, config keystore.Config) *keystore.Keys {
	t.Helper()
	if config.LookupTimeout == 0 {
		config.LookupTimeout = time.Minute // a busy machine is no reason to fail
	}
	keys, err := keystore.New(store, config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, keys.Close()) })
	return keys
}

// issue returns the id and the text of a new key.
func issue(t testing.TB, keys *keystore.Keys, spec keystore.Spec) (id, text string) {
	t.Helper()
	r, text := issueRecord(t, keys, spec)
	return r.ID, text
}

func issueRecord(t testing.TB, keys *keystore.Keys, spec keystore.Spec) (r keystore.Record, text string) {
	t.Helper()
	issued, err := keys.Issue(t.Context(), spec)
	require.NoError(t, err)
	return issued.Record, issued.Credential.Reveal()
}

func requireAccepted(t testing.TB, keys *keystore.Keys, text string) *keystore.Principal {
	t.Helper()
	p, err := keys.Verify(t.Context(), text)
	require.NoError(t, err)
	require.NotNil(t, p)
	return p
}

func requireRefused(t testing.TB, keys *keystore.Keys, text string, want keystore.Outcome) {
	t.Helper()
	p, err := keys.Verify(t.Context(), text)
	require.Nil(t, p)
	requireOutcome(t, err, want)
}

func requireOutcome(t testing.TB, err error, want keystore.Outcome) {
	t.Helper()
	var refused *keystore.RefusedError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, want, refused.Outcome)
	require.NotErrorIs(t, err, keystore.ErrUnavailable)
}

// requireUnavailable is for every answer that must be no answer: neither a yes nor a no.
func requireUnavailable(t testing.TB, err error) {
	t.Helper()
	require.ErrorIs(t, err, keystore.ErrUnavailable)
	var refused *keystore.RefusedError
	require.NotErrorAs(t, err, &refused)
}

// access is a GET over HTTPS from 192.0.2.1 that asks for one scope.
func access(scope scopes.Scope) keystore.Access {
	requirement, err := scopes.AllOf(scope)
	if err != nil {
		panic(err)
	}
	return keystore.Access{
		Requirement: requirement, Envs: []keystore.Env{keystore.EnvLive}, Audience: "claims",
		Secure: true, Remote: netip.MustParseAddr("192.0.2.1"), Method: "GET",
	}
}

func admit(t testing.TB, keys *keystore.Keys, p *keystore.Principal, a *keystore.Access) error {
	t.Helper()
	_, err := keys.Admit(t.Context(), p, a)
	return err
}

// put stores a record that Keys would not make by itself: a session, unless edit says otherwise.
func put(t testing.TB, store *stub, id, parent string, edits ...func(*keystore.Record)) {
	t.Helper()
	r := keystore.Record{
		ID: id, Version: 1, Kind: keystore.KindSession, Parent: parent, Owner: "acme", Env: keystore.EnvLive,
		Created: time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC),
	}
	for _, edit := range edits {
		edit(&r)
	}
	require.NoError(t, store.memory.Insert(t.Context(), r, keystore.Quota{}))
}
