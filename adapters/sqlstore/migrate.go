package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/claviger-go/claviger/adapters/sqlstore/internal/engine"
	"github.com/claviger-go/claviger/adapters/sqlstore/internal/goose"
)

//go:embed migrations
var migrations embed.FS

// Migrations are the files that Migrate runs, for those who rather run them with goose:
//
//	goose.NewProvider(goose.DialectPostgres, db, files, goose.WithTableName("claviger_migrations"))
//
// They are kept small, and made so that processes of the version before go on working.
func Migrations(dialect Dialect) (fs.FS, error) {
	e, err := dialect.engine()
	if err != nil {
		return nil, err
	}
	return fs.Sub(migrations, "migrations/"+e.Folder)
}

// Migrate makes the tables of a store, or brings them up to date; all their names begin with claviger_. Any number of
// processes may call it at the same time: one does the work, the others wait for it. Versions are noted in
// claviger_migrations as goose notes them, so Migrate and goose can take turns. A newer version than this one knows is
// left as it is.
func Migrate(ctx context.Context, db *sql.DB, dialect Dialect) error {
	e, err := dialect.engine()
	if err != nil {
		return err
	}
	if db == nil {
		return errNoDatabase
	}
	files, err := Migrations(dialect)
	if err != nil {
		return err
	}
	steps, err := goose.Load(files)
	if err != nil {
		return fmt.Errorf("sqlstore: reading migrations: %w", err)
	}
	passing := func(err error) bool { return e.Passing(err) || engine.RacedToCreate(err) }
	err = repeat(ctx, passing, func() error {
		_, err := within(ctx, func() (none, error) { return none{}, migrate(ctx, db, e, steps) })
		return err
	})
	if err != nil {
		return fmt.Errorf("sqlstore: migrating: %w", err)
	}
	return nil
}

func migrate(ctx context.Context, db *sql.DB, e *engine.Engine, steps []goose.Migration) error {
	if err := hold(ctx, db, e); err != nil {
		return err
	}
	// Asked first, so that a process without the privilege to create anything passes where nothing is missing.
	if applied, err := versions(ctx, db); err == nil && !missing(applied, steps) {
		return nil
	}
	if _, err := db.ExecContext(ctx, e.CreateVersions); err != nil {
		return err
	}
	if e.Unlock == "" {
		return migrateInTransaction(ctx, db, e, steps)
	}
	return migrateUnderLock(ctx, db, e, steps)
}

func migrateInTransaction(ctx context.Context, db *sql.DB, e *engine.Engine, steps []goose.Migration) error {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: e.Isolation}) //nolint:unqueryvet // what fails first is the news
	if err != nil {
		return err
	}
	if _, err = tx.ExecContext(ctx, e.Lock); err == nil {
		err = apply(ctx, tx, e, steps)
	}
	if err != nil {
		_ = tx.Rollback()
		return err
	}
	return tx.Commit()
}

// migrateUnderLock is for an engine whose CREATE TABLE commits.
func migrateUnderLock(ctx context.Context, db *sql.DB, e *engine.Engine, steps []goose.Migration) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	var locked sql.NullInt64
	for attempts := 60; locked.Int64 != 1; attempts-- {
		if attempts == 0 {
			return errors.New("another process has been migrating for a minute")
		}
		if err := conn.QueryRowContext(ctx, e.Lock).Scan(&locked); err != nil {
			return err
		}
	}
	err = apply(ctx, conn, e, steps)
	// Asked even if ctx has ended, since the connection goes back to the pool.
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return errors.Join(err, conn.QueryRowContext(ending, e.Unlock).Scan(&locked))
}

// querier is a *sql.DB, *sql.Tx or *sql.Conn.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// apply runs what is missing and notes it.
func apply(ctx context.Context, on querier, e *engine.Engine, steps []goose.Migration) error {
	applied, err := versions(ctx, on)
	if err != nil {
		return err
	}
	note := func(version int64) error {
		_, err := on.ExecContext(ctx, e.Text("INSERT INTO claviger_migrations (version_id, is_applied) VALUES (?, ?)"), version, true)
		return err
	}
	if len(applied) == 0 {
		if err := note(0); err != nil { // as goose does
			return err
		}
	}
	for _, step := range steps {
		if applied[step.Version] {
			continue
		}
		for _, statement := range step.Up {
			if _, err := on.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("version %d: %w", step.Version, err)
			}
		}
		if err := note(step.Version); err != nil {
			return err
		}
	}
	return nil
}

func missing(applied map[int64]bool, steps []goose.Migration) bool {
	return slices.ContainsFunc(steps, func(step goose.Migration) bool { return !applied[step.Version] })
}

// versions tells of each version that is noted whether it is applied: the latest note counts.
func versions(ctx context.Context, on querier) (map[int64]bool, error) {
	rows, err := on.QueryContext(ctx, "SELECT version_id, is_applied FROM claviger_migrations ORDER BY id")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	applied := map[int64]bool{}
	for rows.Next() {
		var version int64
		var is bool
		if err := rows.Scan(&version, &is); err != nil {
			return nil, err
		}
		applied[version] = is
	}
	return applied, rows.Err()
}
