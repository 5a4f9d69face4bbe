package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/claviger-go/claviger/adapters/sqlstore/internal/engine"
	"github.com/claviger-go/claviger/keystore"
)

var (
	_ keystore.AdminStore = (*Store)(nil)
	_ keystore.Watcher    = (*Store)(nil)
	_ keystore.UsageStore = (*Store)(nil)
)

// Store keeps records in a SQL database.
//
// Make one with [New]; the zero value panics. It is safe for concurrent use and must not be copied. The *sql.DB remains
// the caller's, who closes it; there is nothing else to close.
//
// Every method honours ctx, and answers its error once it has ended. An error that wraps none of keystore's sentinels
// means that the database did not answer, or not in time: then a mutation may have happened or not. The same call again
// is safe, since the record's Op tells it apart (KS15).
type Store struct {
	db         *sql.DB
	engine     *engine.Engine
	config     Config
	statements *statements
	line       chan struct{}                 // where writers wait if the engine takes one at a time; nil if not
	polling    chan struct{}                 // held by the one poll that is on its way
	wake       atomic.Pointer[chan struct{}] // closed, and replaced, by Wake

	lookup *sql.Stmt // these two serve every request and every poll
	count  *sql.Stmt
}

// New opens a store on db, whose tables [Migrate] has made.
//
// It looks at every idle connection of db and a new one, and refuses settings with which a revoked key could come back
// or go on working; the package comment lists them. All mistakes come back at once, as joined [*keystore.ConfigError]
// values. Any other error means that the database did not answer, or has no such tables.
//
// A database in memory belongs to its connection, so New and Migrate hold db to a single one, which never expires.
func New(ctx context.Context, db *sql.DB, dialect Dialect, config Config) (*Store, error) {
	e, err := dialect.engine()
	if err := errors.Join(err, config.compile()); err != nil {
		return nil, err
	}
	if db == nil {
		return nil, errNoDatabase
	}
	s := &Store{db: db, engine: e, config: config, statements: newStatements(db, e), polling: make(chan struct{}, 1)}
	s.wake.Store(new(make(chan struct{})))
	if e.OneWriter {
		s.line = make(chan struct{}, 1)
	}
	if err := hold(ctx, db, e); err != nil {
		return nil, s.wrap(ctx, "opening", err)
	}
	if err := s.inspect(ctx, s.everyConnection()); err != nil {
		return nil, s.wrap(ctx, "opening", err)
	}
	if err := s.open(ctx); err != nil {
		return nil, s.wrap(ctx, "opening (has Migrate made the tables?)", err)
	}
	return s, nil
}

func (s *Store) open(ctx context.Context) (err error) {
	if s.lookup, err = s.statements.prepare(ctx, lookupText); err != nil {
		return err
	}
	if s.count, err = s.statements.prepare(ctx, s.countText()); err != nil {
		return err
	}
	_, err = s.changes(ctx)
	return err
}

const lookupText = "SELECT data FROM claviger_records WHERE id = ?"

// Lookup returns the record with exactly this id, or [keystore.ErrNotFound]; a malformed id is one that no record has.
// It costs one query by primary key, with a prepared statement, and the decoding of the record: in SQLite about 24 µs.
func (s *Store) Lookup(ctx context.Context, id string) (keystore.Record, error) {
	if err := ctx.Err(); err != nil {
		return keystore.Record{}, err
	}
	if checkID(id) != nil {
		return keystore.Record{}, keystore.ErrNotFound
	}
	var data []byte
	err := s.again(ctx, func() error { return s.lookup.QueryRowContext(s.pointContext(ctx), []byte(id)).Scan(&data) })
	if errors.Is(err, sql.ErrNoRows) {
		return keystore.Record{}, keystore.ErrNotFound
	}
	if err != nil {
		return keystore.Record{}, s.wrap(ctx, "reading a record", err)
	}
	return decode(data)
}

// pointContext is the ctx of a point query. In SQLite nothing that such a query could wait for looks at an interrupt: not
// the disk, and not the busy handler. To wait for the end of ctx all the same takes two goroutines, which cost more than
// the query does. A pool with a limit may have to be waited for.
func (s *Store) pointContext(ctx context.Context) context.Context {
	if s.engine.OneWriter && s.db.Stats().MaxOpenConnections == 0 {
		return context.WithoutCancel(ctx)
	}
	return ctx
}

func decode(data []byte) (keystore.Record, error) {
	var r keystore.Record
	if err := r.UnmarshalJSON(data); err != nil {
		return keystore.Record{}, fmt.Errorf("sqlstore: a record does not decode: %w", err)
	}
	return r, nil
}

// wrap leaves keystore's answers as they are. Drivers tell in many ways that ctx ended; callers ask for one.
func (s *Store) wrap(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*keystore.ConfigError](err); ok {
		return err
	}
	for _, answer := range []error{keystore.ErrNotFound, keystore.ErrExists, keystore.ErrQuota, keystore.ErrConflict, keystore.ErrRevoked} {
		if errors.Is(err, answer) {
			return err
		}
	}
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		return fmt.Errorf("sqlstore: %s: %w: %w", doing, ended, err)
	}
	return fmt.Errorf("sqlstore: %s: %w", doing, err)
}
