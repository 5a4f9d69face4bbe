package enginetest_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/internal/faultproxy"
	"github.com/claviger-go/claviger/adapters/sqlstore"
	"github.com/claviger-go/claviger/keystore"
)

// T-116, T-122: the server drops a connection in the middle of a mutation. Nothing of it has happened, the caller learns
// that there was no answer, and the next try works.
func TestKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, p place) {
		s, admin := p.store(t, polling), p.open(t)
		insert(t, s, usual(1), usual(2))
		e := listen(t, p.store(t, polling))

		// The row of the counter comes after that of the record, so who waits for it is in the middle.
		blocker, err := admin.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = blocker.ExecContext(t.Context(), "UPDATE claviger_counter SET n = n + 1")
		require.NoError(t, err)

		for desc, mutate := range map[string]func(context.Context) error{
			"update": func(ctx context.Context) error { return s.Update(ctx, named(usual(1), "half done")) },
			"delete": func(ctx context.Context) error { return s.Delete(ctx, usual(2).ID, 0) },
		} {
			answered := make(chan error, 1)
			go func() { answered <- mutate(t.Context()) }()
			kill(t, admin, p)
			err := <-answered
			require.Error(t, err, desc)
			for _, answer := range []error{keystore.ErrNotFound, keystore.ErrConflict, keystore.ErrRevoked, keystore.ErrExists} {
				require.NotErrorIs(t, err, answer, desc)
			}
		}
		require.NoError(t, blocker.Rollback())

		r, err := s.Lookup(t.Context(), usual(1).ID)
		require.NoError(t, err)
		require.Equal(t, uint64(1), r.Version)
		require.Equal(t, usual(1).Name, r.Name)
		_, err = s.Lookup(t.Context(), usual(2).ID)
		require.NoError(t, err)
		require.Empty(t, e.named, "what did not happen is not told")

		update(t, s, r)
		require.NoError(t, s.Delete(t.Context(), usual(2).ID, 1))
		e.await(t, "what did happen is", func() bool { return len(e.named) == 2 })
	})
}

func named(r keystore.Record, name string) keystore.Record {
	r.Op, r.Name = op(), name
	return r
}

// kill waits until a connection to this place waits for a lock, and kills it.
func kill(t *testing.T, admin *sql.DB, p place) {
	t.Helper()
	// Only this place's tables can be waited for in vain.
	find, end := "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid IN (SELECT pid FROM pg_locks"+
		" WHERE relation = 'claviger_counter'::regclass)", "SELECT pg_terminate_backend(%d)"
	if p.dialect == sqlstore.MySQL {
		find, end = "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND command NOT IN ('Sleep', 'Killed')"+
			" AND info LIKE 'UPDATE claviger_counter%'", "KILL CONNECTION %d"
	}
	var id int64
	require.Eventually(t, func() bool {
		if admin.QueryRowContext(t.Context(), find).Scan(&id) != nil {
			return false
		}
		_, err := admin.ExecContext(t.Context(), fmt.Sprintf(end, id))
		return err == nil // or it was one that is ending
	}, 20*time.Second, 10*time.Millisecond, "nobody waits for the counter")
}

// KS12, T-122: a network that hangs without an error costs touch after two seconds; Watch says so, and once more when it
// is back.
func TestKS12_LostTouch(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, p place) {
		network := faultproxy.New(t, p.server(t))
		s, other := p.through(network).store(t, polling), p.store(t, polling)
		insert(t, other, usual(1), usual(2))
		e := listen(t, s)
		update(t, other, usual(1))
		e.await(t, "the change is heard of", func() bool { return e.named[usual(1).ID] == 1 })

		release := network.Hang()
		update(t, other, usual(2))
		e.await(t, "touch is lost", func() bool { return e.ended != nil && e.anything == 2 })
		require.ErrorIs(t, e.ended, context.DeadlineExceeded)
		release()
		again := listen(t, s)
		update(t, other, at(usual(1), 2))
		again.await(t, "it is back in touch", func() bool { return again.named[usual(1).ID] == 1 })
	})
}
