package keystore_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
)

// hold makes the next Lookup of id read, and then wait between read and return until release is called.
func hold(store *stub, id string) (reading <-chan struct{}, release func()) {
	read, gate := make(chan struct{}), make(chan struct{})
	var held atomic.Bool
	store.bend(func(_ context.Context, asked string, ask func() (keystore.Record, error)) (keystore.Record, error) {
		r, err := ask()
		if asked == id && held.CompareAndSwap(false, true) {
			close(read)
			<-gate
		}
		return r, err
	})
	return read, func() { close(gate) }
}

// T-038: a read that began before a change neither lands after it nor answers a request that began after it.
func TestVC7_T038_LateReadOfAKey(t *testing.T) {
	t.Parallel()
	for _, mutate := range []struct {
		desc string
		do   func(t *testing.T, keys *keystore.Keys, id string)
		want keystore.Outcome
	}{
		{"revoke", func(t *testing.T, keys *keystore.Keys, id string) {
			require.NoError(t, keys.Revoke(t.Context(), id, ""))
		}, keystore.OutcomeRevoked},
		{"suspend", func(t *testing.T, keys *keystore.Keys, id string) {
			require.NoError(t, keys.Suspend(t.Context(), id, ""))
		}, keystore.OutcomeSuspended},
		{"delete", func(t *testing.T, keys *keystore.Keys, id string) {
			require.NoError(t, keys.Delete(t.Context(), id))
		}, keystore.OutcomeUnknown},
	} {
		for _, path := range []string{"own", "own, known before", "foreign", "Principal", "child"} {
			t.Run(mutate.desc+"/"+path, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					store := newStub()
					keys := openKeys(t, store, keystore.Config{AcceptForeign: true})
					id, text := issue(t, keys, spec)
					want := mutate.want
					ask := func() error { _, err := keys.Verify(t.Context(), text); return err }
					switch path {
					case "own, known before":
						require.NoError(t, ask())
						time.Sleep(5 * time.Second)
					case "foreign":
						id, text = importKey(t, keys, foreignText).ID, foreignText
					case "Principal":
						ask = func() error { _, err := keys.Principal(t.Context(), id); return err }
					case "child":
						put(t, store, "session", id)
						ask = func() error { _, err := keys.Principal(t.Context(), "session"); return err }
					}
					reading, release := hold(store, id)
					early := make(chan error, 2)
					for range cap(early) {
						go func() { early <- ask() }()
					}
					<-reading
					synctest.Wait()
					mutate.do(t, keys, id)
					if path == "child" && mutate.desc == "delete" {
						want = keystore.OutcomeOrphaned
					}
					requireOutcome(t, ask(), want) // while the old read is still on its way
					release()
					for range cap(early) {
						if err := <-early; err != nil { // they began before: either answer is right
							requireOutcome(t, err, want)
						}
					}
					synctest.Wait()
					for range 2 {
						requireOutcome(t, ask(), want)
						time.Sleep(time.Second)
					}
				})
			})
		}
	}
}

// The same for news from elsewhere, of an id and of all.
func TestVC7_LateReadAndNews(t *testing.T) {
	t.Parallel()
	for _, all := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			store := newWatched()
			keys := openKeys(t, store, keystore.Config{})
			id, text := issue(t, keys, spec)
			reading, release := hold(store.stub, id)
			early := make(chan error, 1)
			go func() { _, err := keys.Verify(t.Context(), text); early <- err }()
			<-reading
			require.NoError(t, elsewhere(t, store.stub).Revoke(t.Context(), id, ""))
			if all {
				store.tell()
			} else {
				store.tell(id)
			}
			requireRefused(t, keys, text, keystore.OutcomeRevoked)
			release()
			require.NoError(t, <-early)
			synctest.Wait()
			requireRefused(t, keys, text, keystore.OutcomeRevoked)
		})
	}
}

// A "no such record" that is on its way when the key is imported holds nobody back afterwards.
func TestVC7_LateRefusal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newStub()
		keys := openKeys(t, store, keystore.Config{AcceptForeign: true})
		reading, release := hold(store, aliasID(foreignText))
		early := make(chan error, 1)
		go func() { _, err := keys.Verify(t.Context(), foreignText); early <- err }()
		<-reading
		importKey(t, keys, foreignText)
		requireAccepted(t, keys, foreignText)
		release()
		requireOutcome(t, <-early, keystore.OutcomeUnknown)
		synctest.Wait()
		requireAccepted(t, keys, foreignText)
	})
}

// A refusal that was found in a read from before the news does not count as found after them: not even where it is found
// while they are being heard, many ids at once and the one that matters last.
func TestVC7_RefusalWhileNewsAreHeard(t *testing.T) {
	t.Parallel()
	news := slices.Repeat([]string{"7Gk2mXw9QaTz"}, 100_000)
	for range 5 {
		store := newWatched()
		keys := openKeys(t, store, keystore.Config{})
		id, text := issue(t, keys, spec)
		reading, gate, changed := make(chan struct{}), make(chan struct{}), make(chan struct{})
		store.bend(func(_ context.Context, _ string, ask func() (keystore.Record, error)) (keystore.Record, error) {
			r, err := ask()
			select {
			case <-changed:
			default:
				close(reading)
				<-gate
				r.Secrets[0].Hash = "$none" // as it stood then
			}
			return r, err
		})
		var early sync.WaitGroup
		ask := func() { _, _ = keys.Verify(t.Context(), text) }
		early.Go(ask)
		<-reading
		close(changed)
		heard := make(chan struct{})
		early.Go(func() {
			store.tell(append(news, id)...)
			close(heard)
		})
		for range 100 {
			early.Go(ask) // joins the read from before, until the news have come to this id
			runtime.Gosched()
		}
		<-heard
		close(gate)
		early.Wait()
		requireAccepted(t, keys, text)
	}
}

// T-036: no request that starts after Revoke has returned is accepted, whatever load there is.
func TestT036_RevokeThenVerify(t *testing.T) {
	t.Parallel()
	rounds := 10_000
	if testing.Short() {
		rounds = 500
	}
	keys := openKeys(t, &table{records: map[string]keystore.Record{}}, keystore.Config{AcceptForeign: true})
	var presented atomic.Pointer[string] // by the load
	var load sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		load.Go(func() {
			for ; ; runtime.Gosched() {
				select {
				case <-stop:
					return
				default:
				}
				if text := presented.Load(); text != nil {
					_, err := keys.Verify(t.Context(), *text)
					if refused := (*keystore.RefusedError)(nil); err != nil && !errors.As(err, &refused) {
						t.Error(err)
					}
				}
			}
		})
	}
	for n := range rounds {
		text := aliasID(strconv.Itoa(n))[len("sha256:"):]
		var id string
		if n%8 == 0 {
			id = importKey(t, keys, text).ID
		} else {
			id, text = issue(t, keys, spec)
		}
		presented.Store(&text)
		requireAccepted(t, keys, text)
		require.NoError(t, keys.Revoke(t.Context(), id, ""))
		requireRefused(t, keys, text, keystore.OutcomeRevoked)
	}
	close(stop)
	load.Wait()
}

// table is a store that does next to nothing, so that ten thousand rounds are about Keys.
type table struct {
	keystore.AdminStore
	mu      sync.Mutex
	records map[string]keystore.Record
}

func (s *table) Lookup(_ context.Context, id string) (keystore.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.records[id]
	if !ok {
		return r, keystore.ErrNotFound
	}
	return r, nil
}

func (s *table) Insert(_ context.Context, r keystore.Record, _ keystore.Quota) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records[r.ID] = r
	return nil
}

func (s *table) Update(_ context.Context, r keystore.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.records[r.ID].Version != r.Version {
		return keystore.ErrConflict
	}
	r.Version++
	s.records[r.ID] = r
	return nil
}
