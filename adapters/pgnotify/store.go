package pgnotify

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"github.com/claviger-go/claviger/adapters/sqlstore"
	"github.com/claviger-go/claviger/keystore"
)

var (
	_ keystore.AdminStore = (*Store)(nil)
	_ keystore.Watcher    = (*Store)(nil)
	_ keystore.UsageStore = (*Store)(nil)
)

// Store is a [sqlstore.Store] on PostgreSQL whose Watch is told of changes, besides asking for them.
//
// Make one with [New]; the zero value panics. It is safe for concurrent use. The pools remain the caller's, who closes
// them when no Watch is running any more (after [keystore.Keys.Close]); there is nothing else to close.
type Store struct {
	*sqlstore.Store

	db     *sql.DB
	config Config
}

// New opens a store on db, whose tables and trigger [Migrate] has made.
//
// It refuses what [sqlstore.New] refuses, a Config that makes no sense, and a pool to listen on that hears nothing of what
// was sent through db: one that goes through a pooler, or to another database. Mistakes in the settings come back all at
// once, as joined [*keystore.ConfigError] values. Any other error says what is missing, or that the database did not
// answer.
func New(ctx context.Context, db *sql.DB, config Config) (*Store, error) {
	err := config.compile(db)
	records, refused := sqlstore.New(ctx, db, sqlstore.PostgreSQL, config.Store)
	if err := errors.Join(err, refused); err != nil {
		return nil, err
	}
	s := &Store{records, db, config}
	if err := s.listenOnce(ctx); err != nil {
		return nil, fmt.Errorf("pgnotify: listening: %w", err)
	}
	return s, nil
}

// Watch is that of [sqlstore.Store.Watch], with each poll made as soon as a change is notified; so a change is told within
// milliseconds, once, by its id, also one that was made while nobody listened. That it polls on is what proves touch:
// without an answer for two seconds it calls changed without ids and returns the error.
//
// Its own heartbeats, sent through the pool of the store, prove that it hears notifications. When they do not come back it
// says so to [Config.OnListenError] and takes another connection, after a pause of at most a second, as often as it takes; until one
// hears, it tells of changes within the PollInterval of [Config.Store].
//
// It returns ctx's error when ctx ends. Any number of them may run; each has a connection of its own and two goroutines,
// which are gone when it returns. (pgx may take up to 15 s to give up a connection whose making was interrupted.)
func (s *Store) Watch(ctx context.Context, changed func(ids ...string)) error {
	hearing, stop := context.WithCancel(ctx)
	var ear sync.WaitGroup
	ear.Go(func() { s.listen(hearing) })
	defer ear.Wait()
	defer stop()
	return s.Store.Watch(ctx, changed)
}

// listenOnce returns when the first heartbeat has come back.
func (s *Store) listenOnce(ctx context.Context) error {
	hearing, stop := context.WithCancel(ctx)
	defer stop()
	heard := false
	l := s.listener(func() {
		heard = true
		stop()
	})
	if err := l.run(hearing); !heard {
		return err
	}
	return nil
}

func (s *Store) listener(heard func()) *listener {
	return &listener{store: s, own: "claviger_" + rand.Text(), heard: heard}
}
