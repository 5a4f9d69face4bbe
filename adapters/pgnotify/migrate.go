package pgnotify

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"

	"github.com/claviger-go/claviger/adapters/sqlstore"
)

//go:embed trigger.sql
var triggerText string

// channelText answers the channel of changes, or no row where nobody would send to it.
const channelText = "SELECT 'claviger_' || tgrelid FROM pg_catalog.pg_trigger WHERE tgrelid = 'claviger_counter'::regclass" +
	" AND tgname = 'claviger_notify' AND tgenabled IN ('O', 'A')"

var errNoTrigger = errors.New("claviger_counter has no trigger claviger_notify that is enabled: call pgnotify.Migrate")

// Migrate does what [sqlstore.Migrate] does, and puts a trigger on the change counter, with which every process that
// writes notifies those that listen, also one that knows nothing of this package. Any number of processes may call it at
// the same time. Where nothing is missing it needs no privilege to create anything. PostgreSQL has to be 11 or newer.
//
// Whoever runs migrations by hand finds the trigger in the file trigger.sql of this package.
func Migrate(ctx context.Context, db *sql.DB) error {
	if err := sqlstore.Migrate(ctx, db, sqlstore.PostgreSQL); err != nil {
		return err
	}
	_, err := channel(ctx, db)
	if errors.Is(err, errNoTrigger) {
		err = install(ctx, db)
	}
	if err != nil {
		return fmt.Errorf("pgnotify: migrating: %w", err)
	}
	return nil
}

// install is for one process at a time: two that replace the same function fail, and a trigger that is there already need
// not keep writers waiting.
func install(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(4775340872616)"); err != nil {
		return err
	}
	_, err = channel(ctx, tx)
	if !errors.Is(err, errNoTrigger) {
		return err // another process was faster
	}
	if _, err := tx.ExecContext(ctx, triggerText); err != nil {
		return err
	}
	return tx.Commit()
}

// querier is a *sql.DB or a *sql.Tx.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// channel is where the trigger sends to.
func channel(ctx context.Context, on querier) (name string, err error) {
	err = on.QueryRowContext(ctx, channelText).Scan(&name)
	if errors.Is(err, sql.ErrNoRows) {
		err = errNoTrigger
	}
	return name, err
}
