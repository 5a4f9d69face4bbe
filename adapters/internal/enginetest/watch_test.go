package enginetest_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/sqlstore"
	"github.com/claviger-go/claviger/keystore"
)

// ear notes what a Watch reports.
type ear struct {
	mu       sync.Mutex
	named    map[string]int
	anything int // calls without ids
	ended    error
	news     chan struct{}
}

var polling = sqlstore.Config{PollInterval: 20 * time.Millisecond}

// listen starts a Watch for the time of the test and waits until it is in touch.
func listen(t *testing.T, w keystore.Watcher) *ear {
	t.Helper()
	e := &ear{named: map[string]int{}, news: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var watching sync.WaitGroup
	watching.Go(func() {
		err := w.Watch(ctx, e.changed)
		e.mu.Lock()
		defer e.mu.Unlock()
		e.ended = err
		e.wake()
	})
	t.Cleanup(func() {
		cancel()
		watching.Wait()
	})
	e.await(t, "it is in touch", func() bool { return e.anything == 1 })
	return e
}

func (e *ear) changed(ids ...string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(ids) == 0 {
		e.anything++
	}
	for _, id := range ids {
		e.named[id]++
	}
	e.wake()
}

func (e *ear) wake() {
	select {
	case e.news <- struct{}{}:
	default:
	}
}

// await waits until enough was heard.
func (e *ear) await(t *testing.T, what string, enough func() bool) {
	t.Helper()
	late := time.After(10 * time.Second)
	for {
		e.mu.Lock()
		ok, state := enough(), fmt.Sprintf("%d ids named, %d calls without ids, ended: %v", len(e.named), e.anything, e.ended)
		e.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-e.news:
		case <-late:
			require.Fail(t, "still waiting until "+what, state)
		}
	}
}

// KS12: each of 4,000 transactions of 8 concurrent writers is reported, where a number drawn before the commit would miss
// those that commit out of order.
func TestKS12_EveryChangeOfConcurrentWriters(t *testing.T) {
	t.Parallel()
	writers, changes := 8, 500
	if testing.Short() {
		changes = 50
	}
	onEach(t, func(t *testing.T, p place) {
		e := listen(t, p.store(t, polling))
		began := time.Now()
		var writing sync.WaitGroup
		for w := range writers {
			writing.Go(func() {
				s := p.store(t, polling)
				r := usual(w)
				insert(t, s, r)
				for range changes - 1 {
					r = update(t, s, r)
				}
				require.NoError(t, s.Delete(t.Context(), r.ID, r.Version))
			})
		}
		writing.Wait()
		took := time.Since(began)
		sum := func() (sum int) {
			for _, n := range e.named {
				sum += n
			}
			return sum
		}
		e.await(t, "all changes are reported", func() bool { return sum() >= writers*changes || e.anything > 1 })
		require.Equal(t, 1, e.anything, "no call without ids but the first: each change was known")
		for w := range writers {
			require.Equal(t, changes, e.named[usual(w).ID])
		}
		t.Logf("%d of %d changes seen, %d a second", sum(), writers*changes, int(float64(writers*changes)/took.Seconds()))
	})
}

// What was done by hand is heard of: a record deleted as the schema's comment says, a counter set back as by a restored
// backup, more changes than are named.
func TestKS12_ChangesByHand(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, p place) {
		db := p.open(t)
		s := p.store(t, polling)
		insert(t, s, usual(1), usual(2))
		e := listen(t, s)

		id := map[sqlstore.Dialect]string{sqlstore.SQLite: "CAST('key000000001' AS BLOB)"}[p.dialect]
		if id == "" {
			id = "'key000000001'"
		}
		exec := func(statement string) {
			t.Helper()
			_, err := db.ExecContext(t.Context(), statement)
			require.NoError(t, err)
		}
		exec("DELETE FROM claviger_records WHERE id = " + id)
		exec("UPDATE claviger_counter SET n = n + 1")
		e.await(t, "the record deleted by hand is heard of", func() bool { return e.anything == 2 })
		_, err := s.Lookup(t.Context(), usual(1).ID)
		require.ErrorIs(t, err, keystore.ErrNotFound)

		exec("UPDATE claviger_counter SET n = n - 1")
		e.await(t, "the counter set back is heard of", func() bool { return e.anything == 3 })
		update(t, s, usual(2))
		e.await(t, "a change after that is heard of", func() bool { return e.named[usual(2).ID] == 1 || e.anything == 4 })

		exec("UPDATE claviger_counter SET n = n + 5000")
		e.await(t, "5,000 changes at once are heard of", func() bool { return e.anything >= 4 })

		exec("DELETE FROM claviger_counter")
		e.await(t, "the lost counter is an error", func() bool { return e.ended != nil })
		require.ErrorContains(t, e.ended, "claviger_counter has no row")
		require.Error(t, s.Update(t.Context(), usual(2)), "and nobody can write what nobody would hear of")
	})
}

// KS12, T-040: a counter set back gives a number again that the same record had before; it can be revoked all the same.
func TestKS12_NumbersThatComeAgain(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, p place) {
		s := p.store(t, polling)
		insert(t, s, usual(1))
		r := update(t, s, usual(1))
		_, err := p.open(t).ExecContext(t.Context(), "UPDATE claviger_counter SET n = n - 1")
		require.NoError(t, err)
		e := listen(t, s)
		r.Revoked = keystore.Mark{At: now, Reason: keystore.ReasonCompromised}
		r = update(t, s, r)
		e.await(t, "the revocation is heard of", func() bool { return e.anything > 1 || e.named[r.ID] == 1 })
		_, err = p.open(t).ExecContext(t.Context(), "UPDATE claviger_counter SET n = n - 1")
		require.NoError(t, err)
		require.NoError(t, s.Delete(t.Context(), r.ID, r.Version))
	})
}

// The log of changes does not grow for ever.
func TestChangesArePruned(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, p place) {
		db := p.open(t)
		for _, statement := range []string{
			"INSERT INTO claviger_changes (seq, id) VALUES (1, 'a'), (4096, 'b'), (5904, 'c'), (5905, 'd'), (10000, 'e')",
			"UPDATE claviger_counter SET n = 10000",
		} {
			if p.dialect == sqlstore.SQLite {
				statement = blobs(statement)
			}
			_, err := db.ExecContext(t.Context(), statement)
			require.NoError(t, err)
		}
		listen(t, p.store(t, polling))
		var left int
		require.Eventually(t, func() bool {
			require.NoError(t, db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM claviger_changes").Scan(&left))
			return left == 2
		}, 10*time.Second, 20*time.Millisecond)
	})
}
