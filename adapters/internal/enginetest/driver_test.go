package enginetest_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/sqlstore"
	"github.com/claviger-go/claviger/keystore"
)

// deaf is a driver that does no more than it has to: its connections are given up when the ctx of a transaction ends, and
// what has been sent is waited for, whatever ctx says. So mattn/go-sqlite3 and lib/pq behave.
type deaf struct {
	driver.Connector

	writing func()       // called while a statement writes
	gate    sync.RWMutex // held for writing while nothing answers
}

func (d *deaf) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := d.Connector.Connect(ctx)
	return deafConn{conn, d}, err
}

type deafConn struct {
	driver.Conn

	driver *deaf
}

func (c deafConn) Prepare(text string) (driver.Stmt, error) {
	stmt, err := c.Conn.Prepare(text)
	return deafStmt{stmt, c.driver}, err
}

type deafStmt struct {
	driver.Stmt

	driver *deaf
}

func (s deafStmt) Exec(args []driver.Value) (driver.Result, error) {
	s.driver.gate.RLock()
	defer s.driver.gate.RUnlock()
	s.driver.writing()
	return s.Stmt.Exec(args) //nolint:staticcheck // what old drivers have
}

func (s deafStmt) Query(args []driver.Value) (driver.Rows, error) {
	s.driver.gate.RLock()
	defer s.driver.gate.RUnlock()
	return s.Stmt.Query(args) //nolint:staticcheck // as Exec
}

// deafened is a pool of such connections.
func (p place) deafened(t *testing.T) (*sql.DB, *deaf) {
	t.Helper()
	connector, err := p.connector()
	require.NoError(t, err)
	d := &deaf{Connector: connector, writing: func() {}}
	db := opened(t, sql.OpenDB(d))
	require.NoError(t, sqlstore.Migrate(t.Context(), db, p.dialect))
	return db, d
}

// KS3: a database in memory is gone with its connection, and a call that is given up must not take it along.
func TestMemorySurvivesCancellation(t *testing.T) {
	t.Parallel()
	db, driver := place{dialect: sqlstore.SQLite, name: ":memory:"}.deafened(t)
	s := storeOn(t, db, place{dialect: sqlstore.SQLite})
	insert(t, s, usual(0))
	for n := range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		driver.writing = func() {
			cancel()
			<-time.After(time.Millisecond) // for database/sql to hear of it
		}
		require.ErrorIs(t, s.Insert(ctx, usual(n+1), keystore.Quota{}), context.Canceled)
		_, err := s.Lookup(t.Context(), usual(0).ID)
		require.NoError(t, err, "after %d", n)
	}
}

// KS12: touch is lost also where the driver itself would wait for ever.
func TestKS12_DeafDriver(t *testing.T) {
	t.Parallel()
	p := engines[0].make(t)
	db, driver := p.deafened(t)
	e := listen(t, storeOn(t, db, p))
	driver.gate.Lock()
	defer driver.gate.Unlock()
	e.await(t, "touch is lost", func() bool { return e.ended != nil && e.anything == 2 })
	require.ErrorIs(t, e.ended, context.DeadlineExceeded)
}

// Stores that are opened at the same time on one pool do not wait for each other's connections.
func TestNew_ManyOnASmallPool(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, p place) {
		db := p.open(t)
		db.SetMaxOpenConns(4)
		var held []*sql.Conn
		for range 4 {
			conn, err := db.Conn(t.Context())
			require.NoError(t, err)
			held = append(held, conn)
		}
		for _, conn := range held {
			require.NoError(t, conn.Close()) // now they are idle
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		var opening sync.WaitGroup
		failures := make(chan error, 16)
		for range 16 {
			opening.Go(func() {
				if _, err := sqlstore.New(ctx, db, p.dialect, sqlstore.Config{}); err != nil {
					failures <- err
				}
			})
		}
		opening.Wait()
		close(failures)
		for err := range failures {
			require.NoError(t, err)
		}
	})
}

// T-122: all connections break at once, as when the server is started again. Each may cost one answer, where the driver
// does not look before it sends; then all is as before, and what was prepared on them is prepared anew.
func TestAllConnectionsKilled(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, p place) {
		db, admin := p.open(t), p.open(t)
		s := storeOn(t, db, p)
		insert(t, s, usual(1))
		e := listen(t, s)
		_, err := s.Lookup(t.Context(), usual(1).ID)
		require.NoError(t, err)
		killAll(t, admin, db, p)
		for _, ask := range []func() error{
			func() error { _, err := s.Lookup(t.Context(), usual(1).ID); return err },
			func() error { _, err := s.List(t.Context(), keystore.Filter{}); return err },
			func() error { return s.Update(t.Context(), usual(1)) },
		} {
			err := ask()
			for broken := db.Stats().OpenConnections; err != nil && broken > 0; broken-- {
				err = ask()
			}
			require.NoError(t, err)
		}
		again := listen(t, s)
		update(t, s, at(usual(1), 2))
		again.await(t, "a change after that is heard of", func() bool { return again.named[usual(1).ID] == 1 })
		e.await(t, "by the Watch from before as well, or it says that it has lost touch", func() bool {
			return e.named[usual(1).ID] == 2 || e.ended != nil && e.anything == 2
		})
	})
}

// KS4, KS12: a pool may lead to another server with its next connection, and without an error. Watch does not take the
// counter of one that is read-only, as replicas are, for news of the primary.
func TestKS12_SilentlyOnAReplica(t *testing.T) {
	t.Parallel()
	p := newSchema(t)
	require.NoError(t, sqlstore.Migrate(t.Context(), p.open(t), p.dialect))
	config, err := p.postgresConfig()
	require.NoError(t, err)
	var replica atomic.Bool
	connector := stdlib.GetConnector(*config, stdlib.OptionBeforeConnect(func(_ context.Context, c *pgx.ConnConfig) error {
		if replica.Load() {
			c.RuntimeParams["default_transaction_read_only"] = "on"
		}
		return nil
	}))
	db := opened(t, sql.OpenDB(connector))
	e := listen(t, storeOn(t, db, p))
	replica.Store(true)
	db.SetMaxIdleConns(0)
	e.await(t, "touch is lost", func() bool { return e.ended != nil && e.anything == 2 })
	var problem *keystore.ConfigError
	require.ErrorAs(t, e.ended, &problem)
	require.Equal(t, "sqlstore: transaction_read_only", problem.Field)
}

// killAll breaks every connection of db.
func killAll(t *testing.T, admin, db *sql.DB, p place) {
	t.Helper()
	var held []*sql.Conn
	for range db.Stats().Idle + 1 {
		conn, err := db.Conn(t.Context())
		require.NoError(t, err)
		held = append(held, conn)
	}
	for _, conn := range held {
		var id int64
		ask, end := "SELECT pg_backend_pid()", "SELECT pg_terminate_backend(%d)"
		if p.dialect == sqlstore.MySQL {
			ask, end = "SELECT CONNECTION_ID()", "KILL CONNECTION %d"
		}
		require.NoError(t, conn.QueryRowContext(t.Context(), ask).Scan(&id))
		_, err := admin.ExecContext(t.Context(), fmt.Sprintf(end, id))
		require.NoError(t, err)
		require.NoError(t, conn.Close())
	}
}
