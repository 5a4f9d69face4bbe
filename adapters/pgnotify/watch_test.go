package pgnotify_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/pgnotify"
	"github.com/claviger-go/claviger/adapters/sqlstore"
	"github.com/claviger-go/claviger/keystore"
)

// pushed polls so rarely that whatever is told was notified.
var pushed = pgnotify.Config{Store: sqlstore.Config{PollInterval: time.Minute}}

// T-037, T-039: a change made by any process, one that knows nothing of notifications included, is told once, by its id;
// what changes no record is not.
func TestKS12_Pushed(t *testing.T) {
	t.Parallel()
	at := migrated(t)
	e := watch(t, open(t, at.open(t), pushed))
	e.await(t)
	for _, writer := range []keystore.AdminStore{at.plain(t), open(t, at.open(t), pushed)} {
		insert(t, writer, apiKey("a"), apiKey("b"))
		a := update(t, writer, apiKey("a"))
		e.await(t, "a")
		require.ErrorIs(t, writer.Update(t.Context(), apiKey("a")), keystore.ErrConflict)
		require.NoError(t, writer.(keystore.UsageStore).AddUsage(t.Context(), []keystore.Usage{{ID: "b", Count: 1, LastUsed: now}}))
		a.Revoked = keystore.Mark{At: now, Reason: keystore.ReasonRequested}
		update(t, writer, a)
		e.await(t, "a")
		require.NoError(t, writer.Delete(t.Context(), "b", 0))
		require.NoError(t, writer.Delete(t.Context(), "a", 0))
		var told []string
		require.Eventually(t, func() bool {
			for _, ids := range e.take() {
				require.NotEmpty(t, ids)
				told = append(told, ids...)
			}
			return len(told) >= 2
		}, 5*time.Second, time.Millisecond)
		require.Equal(t, []string{"b", "a"}, told)
	}
}

// A record deleted by hand, as the schema's comment says, is heard of as soon as any other change.
func TestKS12_PushedByHand(t *testing.T) {
	t.Parallel()
	at := migrated(t)
	db := at.open(t)
	s := open(t, db, pushed)
	insert(t, s, apiKey("a"))
	e := watch(t, s)
	e.await(t)
	execf(t, db, "DELETE FROM claviger_records WHERE id = 'a'; UPDATE claviger_counter SET n = n + 1")
	e.await(t)
}

// Stores of one database that live in different schemas do not wake each other.
func TestKS12_EachSchemaForItself(t *testing.T) {
	t.Parallel()
	here, there := migrated(t), migrated(t)
	insert(t, here.plain(t), apiKey("a"))
	e := watch(t, open(t, here.open(t), pushed))
	e.await(t)
	execf(t, here.open(t), "ALTER TABLE claviger_counter DISABLE TRIGGER claviger_notify")
	update(t, here.plain(t), apiKey("a"))
	other := watch(t, open(t, there.open(t), pushed))
	other.await(t)
	writer, r := there.plain(t), apiKey("b")
	insert(t, writer, r)
	for range 20 { // would wake it long before the last of them
		r = update(t, writer, r)
		other.await(t, "b")
	}
	require.Empty(t, e.take())
}

// A pool of pgxpool behind database/sql serves as well, and gets no connection back that still listens.
func TestKS12_Pgxpool(t *testing.T) {
	t.Parallel()
	at := migrated(t)
	config, err := pgxpool.ParseConfig("")
	require.NoError(t, err)
	config.ConnConfig, err = at.config()
	require.NoError(t, err)
	config.MaxConns = 2
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	db := stdlib.OpenDBFromPool(pool)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	s := open(t, db, pushed)
	insert(t, s, apiKey("a"))
	e := watch(t, s)
	e.await(t)
	update(t, at.plain(t), apiKey("a"))
	e.await(t, "a")
	e.stop()
	require.ErrorIs(t, <-e.ended, context.Canceled)
	for range 2 {
		conn, err := db.Conn(t.Context())
		require.NoError(t, err)
		var channels int
		require.NoError(t, conn.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM pg_listening_channels()").Scan(&channels))
		require.Zero(t, channels)
		t.Cleanup(func() { require.NoError(t, conn.Close()) }) // until then the next one is the other
	}
}

// faults are what happens to the connection that listens. breaks returns what ends it.
var faults = []struct {
	desc   string
	breaks func(t *testing.T, p *proxy, db *sql.DB, name string) (heals func())
	reason string // that OnListenError is told; empty: it depends
}{
	{"reset", func(_ *testing.T, p *proxy, _ *sql.DB, _ string) func() {
		p.reset()
		return func() {}
	}, ""},
	{"terminated by the server", func(t *testing.T, _ *proxy, db *sql.DB, name string) func() {
		execf(t, db, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '%s'", name)
		return func() {}
	}, "57P01"},
	{"half open", func(_ *testing.T, p *proxy, _ *sql.DB, _ string) func() {
		p.freeze(false)
		return func() {}
	}, "no heartbeat came back"},
	{"black hole", func(_ *testing.T, p *proxy, _ *sql.DB, _ string) func() {
		p.freeze(true)
		return p.thaw
	}, "no heartbeat came back"},
	{"down", func(t *testing.T, p *proxy, _ *sql.DB, _ string) func() {
		p.down()
		return func() { p.up(t, p.address) }
	}, ""},
	{"a pooler comes between", func(_ *testing.T, p *proxy, _ *sql.DB, _ string) func() {
		p.deaf.Store(true)
		return func() { p.deaf.Store(false) }
	}, "no heartbeat came back"},
}

// T-122: whatever happens to the connection that listens, Watch goes on; it says why it is deaf, tells what has changed
// within its PollInterval, and listens again when it can.
func TestKS12_Deaf(t *testing.T) {
	t.Parallel()
	for _, tc := range faults {
		t.Run(tc.desc, func(t *testing.T) {
			t.Parallel()
			at := migrated(t)
			network, db := newProxy(t, at.address(t)), at.open(t)
			var told, slow diary
			listenOn := at.open(t, through(network), called(string(at)))
			config := pgnotify.Config{ListenOn: listenOn, Heartbeat: 300 * time.Millisecond, OnListenError: told.note}
			config.Store.PollInterval = 100 * time.Millisecond
			polling := watch(t, open(t, db, config))
			config.Store.PollInterval, config.OnListenError = time.Minute, slow.note
			listening := watch(t, open(t, db, config))
			polling.await(t)
			listening.await(t)
			writer := at.plain(t)
			insert(t, writer, apiKey("a"))
			r := update(t, writer, apiKey("a"))
			listening.await(t, "a")
			polling.await(t, "a")
			told.empty(t)

			heals := tc.breaks(t, network, db, string(at))
			first := told.await(t)[0]
			t.Log(first)
			require.ErrorContains(t, first, "pgnotify: listening: ")
			require.ErrorContains(t, first, tc.reason)
			r = update(t, writer, r)
			polling.await(t, "a")

			heals()
			listening.await(t, "a") // missed, and caught up by name
			slow.await(t)
			update(t, writer, r)
			listening.await(t, "a")
			polling.goesOn(t)
			listening.goesOn(t)
			require.Empty(t, listening.take(), "nothing was in doubt")
		})
	}
}

// A trigger that gets lost is noticed when a connection is made, and one that comes back is found.
func TestKS12_TriggerLost(t *testing.T) {
	t.Parallel()
	at := migrated(t)
	network, db := newProxy(t, at.address(t)), at.open(t)
	var told diary
	e := watch(t, open(t, db, pgnotify.Config{Store: pushed.Store, ListenOn: at.open(t, through(network)), OnListenError: told.note}))
	e.await(t)
	execf(t, db, "DROP FUNCTION claviger_notify() CASCADE")
	require.Eventually(t, func() bool {
		network.reset()
		return strings.Contains(errors.Join(told.await(t)...).Error(), "no trigger claviger_notify that is enabled: call pgnotify.Migrate")
	}, 10*time.Second, time.Millisecond)
	require.NoError(t, pgnotify.Migrate(t.Context(), db))
	writer := at.plain(t)
	insert(t, writer, apiKey("a"))
	update(t, writer, apiKey("a"))
	e.await(t, "a")
}

// When the whole database is out of reach, touch is lost: Watch says so and returns, as that of sqlstore does; called
// again it is in touch as soon as there is an answer.
func TestKS12_LostTouch(t *testing.T) {
	t.Parallel()
	at := migrated(t)
	network := newProxy(t, at.address(t))
	s := open(t, at.open(t, through(network)), pgnotify.Config{})
	writer := at.plain(t)
	insert(t, writer, apiKey("a"))
	e := watch(t, s)
	e.await(t)
	network.freeze(true)
	update(t, writer, apiKey("a"))
	e.await(t)
	require.Error(t, <-e.ended)
	network.thaw()
	again := watch(t, s)
	again.await(t)
	require.NoError(t, writer.Delete(t.Context(), "a", 0))
	again.await(t, "a")
}

// Who acts on what is told ends up with the last version, whatever breaks on the way.
func TestKS12_NothingIsMissed(t *testing.T) {
	t.Parallel()
	at := migrated(t)
	network, db := newProxy(t, at.address(t)), at.open(t)
	s := open(t, db, pgnotify.Config{Store: pushed.Store, ListenOn: at.open(t, through(network))})
	writer := at.plain(t)
	insert(t, writer, apiKey("a"))
	const last = 200
	seen := make(chan uint64, 2*last)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		ended <- s.Watch(ctx, func(...string) {
			if r, err := writer.Lookup(ctx, "a"); err == nil {
				seen <- r.Version
			}
		})
	}()
	r := apiKey("a")
	for r.Version < last {
		r = update(t, writer, r)
		if r.Version%40 == 0 {
			network.reset()
		}
	}
	for v := uint64(0); v != last; {
		select {
		case v = <-seen:
		case <-time.After(10 * time.Second):
			require.Fail(t, "the last version was not seen")
		}
	}
	stop()
	require.ErrorIs(t, <-ended, context.Canceled)
}

// No goroutine and no connection is left when Watch has returned, in touch or not. Not parallel: it counts them all.
func TestWatch_LeavesNothing(t *testing.T) {
	at := migrated(t)
	admin := at.open(t)
	for _, broken := range []bool{false, true} {
		t.Run(fmt.Sprintf("broken=%v", broken), func(t *testing.T) {
			network := newProxy(t, at.address(t))
			var told diary
			listenOn := at.open(t, through(network), called(string(at)))
			db := at.open(t)
			if broken {
				db = at.open(t, through(network))
			}
			s := open(t, db, pgnotify.Config{ListenOn: listenOn, Heartbeat: 300 * time.Millisecond, OnListenError: told.note})
			var ears []*ear
			for range 5 {
				ears = append(ears, watch(t, s))
			}
			require.Eventually(t, func() bool { return listening(t, admin, at) == 5 }, 10*time.Second, time.Millisecond)
			require.Positive(t, ours())
			if broken {
				network.freeze(true)
				told.await(t)
			}
			for _, e := range ears {
				begun := time.Now()
				e.stop()
				require.Error(t, <-e.ended)
				require.Less(t, time.Since(begun), time.Second)
			}
			require.Zero(t, ours())
			require.Zero(t, listenOn.Stats().OpenConnections)
			network.reset() // those that are half open the server cannot know to be lost
			require.Eventually(t, func() bool { return listening(t, admin, at) == 0 }, 10*time.Second, time.Millisecond)
		})
	}
}

// listening counts the connections to listen on.
func listening(t *testing.T, admin *sql.DB, name schema) (n int) {
	t.Helper()
	require.NoError(t, admin.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = $1", string(name)).Scan(&n))
	return n
}

// ours counts the goroutines that the package started.
func ours() (n int) {
	stacks := make([]byte, 1<<22)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		_, by, _ := strings.Cut(stack, "created by ")
		if strings.HasPrefix(by, "github.com/claviger-go/claviger/adapters/pgnotify.") || strings.Contains(stack, "adapters/pgnotify.(*") {
			n++
		}
	}
	return n
}
