package pgnotify_test

import (
	"database/sql"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/pgnotify"
	"github.com/claviger-go/claviger/adapters/sqlstore"
)

// Ten processes of a new deployment start at the same time: one of them makes the trigger, the others leave it alone.
func TestMigrate_Concurrently(t *testing.T) {
	t.Parallel()
	at := newSchema(t)
	pools := make([]*sql.DB, 10)
	for i := range pools {
		pools[i] = at.open(t)
	}
	var group sync.WaitGroup
	for _, db := range pools {
		group.Go(func() {
			if err := pgnotify.Migrate(t.Context(), db); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	before := trigger(t, pools[0])
	require.NoError(t, pgnotify.Migrate(t.Context(), pools[0]))
	require.Equal(t, before, trigger(t, pools[0]))
	open(t, pools[0], pgnotify.Config{})
}

// trigger is the number of the trigger, which is another one if it was made again.
func trigger(t *testing.T, db *sql.DB) (oid int64) {
	t.Helper()
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT oid FROM pg_trigger"+
		" WHERE tgrelid = 'claviger_counter'::regclass AND NOT tgisinternal").Scan(&oid))
	return oid
}

// A store that nobody would notify is refused, until Migrate has run, or the file by hand.
func TestMigrate_Missing(t *testing.T) {
	t.Parallel()
	at := newSchema(t)
	db := at.open(t)
	refused := func(want string) {
		t.Helper()
		_, err := pgnotify.New(t.Context(), db, pgnotify.Config{})
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "Migrate")
	}
	refused("sqlstore: opening")
	require.NoError(t, sqlstore.Migrate(t.Context(), db, sqlstore.PostgreSQL))
	refused("no trigger")
	require.NoError(t, pgnotify.Migrate(t.Context(), db))
	open(t, db, pgnotify.Config{})

	execf(t, db, "ALTER TABLE claviger_counter DISABLE TRIGGER claviger_notify")
	refused("no trigger")
	require.NoError(t, pgnotify.Migrate(t.Context(), db))
	open(t, db, pgnotify.Config{})

	execf(t, db, "DROP FUNCTION claviger_notify() CASCADE")
	refused("no trigger")
	byHand, err := os.ReadFile("trigger.sql")
	require.NoError(t, err)
	for range 2 {
		execf(t, db, "%s", byHand)
	}
	open(t, db, pgnotify.Config{})
}
