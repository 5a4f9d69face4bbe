package sqlstore

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"time"
)

// transaction is one that writes. Its first statement is always a write: SQLite then takes the only write lock at once,
// even where BEGIN is deferred, and waits for it as long as busy_timeout says, instead of failing when a read lock has
// to become one; and MySQL makes its snapshot after the lock that the write waited for.
type transaction struct {
	tx    *sql.Tx
	store *Store
}

// exec runs one of the statements that write was told of, and returns how many rows it wrote.
func (t *transaction) exec(ctx context.Context, text string, args ...any) (int64, error) {
	write := t.statement(ctx, text) //nolint:sqlclosecheck // ends with the transaction
	result, err := write.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (t *transaction) statement(ctx context.Context, text string) *sql.Stmt {
	return t.tx.StmtContext(ctx, t.store.statements.ready(text))
}

// write runs work in a transaction, and again if it was undone for a reason that passes. An error of work undoes it. work
// may go on for a while after write has returned, so it writes to nothing outside of itself.
//
// texts are the statements it may need, prepared when they are needed first: a process that only verifies and counts
// uses needs no privilege to write records.
func (s *Store) write(ctx context.Context, texts []string, work func(*transaction) error) error {
	for _, text := range texts {
		if _, err := s.statements.prepare(ctx, text); err != nil { //nolint:sqlclosecheck // kept
			return err
		}
	}
	return s.again(ctx, func() error {
		leave, err := s.enter(ctx)
		if err != nil {
			return err
		}
		_, err = within(ctx, func() (none, error) {
			defer leave()
			return none{}, s.transact(ctx, work)
		})
		return err
	})
}

func (s *Store) transact(ctx context.Context, work func(*transaction) error) error {
	begin := ctx
	if s.engine.OneWriter {
		// Without a ctx to end, since database/sql may then drop the connection, and a database in memory with it. Nothing
		// is waited for but the pool, by one writer at a time, and its statements see ctx.
		begin = context.WithoutCancel(ctx)
	}
	tx, err := s.db.BeginTx(begin, &sql.TxOptions{Isolation: s.engine.Isolation}) //nolint:unqueryvet // what fails first is the news
	if err != nil {
		return err
	}
	if err := cmp.Or(work(&transaction{tx, s}), ctx.Err()); err != nil {
		_ = tx.Rollback() // if it cannot be sent, the connection is lost, and the server does the same
		return err
	}
	return tx.Commit()
}

// enter waits in line where only one can write: SQLite itself only lets the others try again and again.
func (s *Store) enter(ctx context.Context) (leave func(), err error) {
	if s.line == nil {
		return func() {}, nil
	}
	select {
	case s.line <- struct{}{}:
		return func() { <-s.line }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// grace is how long what was begun has to end after its ctx has, before nobody waits for it any more.
const grace = 100 * time.Millisecond

type none struct{}

// within stops waiting for f soon after ctx ends; f then ends by itself, a while later. Not everything in it knows ctx:
// SQLite waits for another process's lock as long as busy_timeout says, and a Commit in some drivers for a hung server as
// long as TCP does.
func within[T any](ctx context.Context, f func() (T, error)) (T, error) {
	if ctx.Done() == nil {
		return f()
	}
	type answer struct {
		value T
		err   error
	}
	answered := make(chan answer, 1)
	go func() {
		value, err := f()
		answered <- answer{value, err}
	}()
	select {
	case a := <-answered:
		return a.value, a.err
	case <-ctx.Done():
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case a := <-answered:
		return a.value, a.err
	case <-timer.C:
		var zero T
		return zero, ctx.Err()
	}
}

// attempts bounds how often a deadlock, a serialization failure or a busy database is met before it is an error.
const attempts = 12

// again repeats what failed for a reason that passes: after 1 ms, then up to twice as long each time, at most 256 ms.
func (s *Store) again(ctx context.Context, attempt func() error) error {
	return repeat(ctx, s.engine.Passing, attempt)
}

func repeat(ctx context.Context, passing func(error) bool, attempt func() error) error {
	for n := 1; ; n++ {
		err := attempt()
		if err == nil || n == attempts || !passing(err) {
			return err
		}
		pause := time.Millisecond << min(n, 8)
		var spread [1]byte // or those who collided meet again
		_, _ = rand.Read(spread[:])
		timer := time.NewTimer(pause/2 + pause*time.Duration(spread[0])/512)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(ctx.Err(), err)
		}
	}
}
