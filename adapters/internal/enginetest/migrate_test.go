package enginetest_test

import (
	"database/sql"
	"io/fs"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/sqlstore"
)

func notes(t *testing.T, p place) (versions []int64) {
	t.Helper()
	rows, err := p.open(t).QueryContext(t.Context(), "SELECT version_id FROM claviger_migrations WHERE is_applied ORDER BY id")
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	for rows.Next() {
		var version int64
		require.NoError(t, rows.Scan(&version))
		versions = append(versions, version)
	}
	require.NoError(t, rows.Err())
	return versions
}

// Ten processes of a new deployment start at the same time.
func TestMigrate_TenProcesses(t *testing.T) {
	t.Parallel()
	for _, e := range engines {
		if e.name == "memory" {
			continue
		}
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			p := e.make(t)
			var processes []*process
			for range 10 {
				processes = append(processes, start(t, "migrate", p))
			}
			for _, other := range processes {
				other.finish(t)
			}
			require.Equal(t, []int64{0, 1}, notes(t, p), "one of them did it")
			insert(t, p.store(t, sqlstore.Config{}), usual(1))
		})
	}
}

func TestMigrate_Concurrently(t *testing.T) {
	t.Parallel()
	for _, e := range engines {
		if e.name == "memory" {
			continue
		}
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			p := e.make(t)
			var group sync.WaitGroup
			for range 10 {
				group.Go(func() {
					if err := sqlstore.Migrate(t.Context(), p.open(t), p.dialect); err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()
			insert(t, p.store(t, sqlstore.Config{}), usual(1))
		})
	}
}

// What goose has done Migrate leaves alone, and the other way round: goose reads and writes its table as here.
func TestMigrate_TakesTurnsWithGoose(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, p place) {
		s := p.store(t, sqlstore.Config{})
		insert(t, s, usual(1))
		db := p.open(t)
		exec := func(statement string) {
			t.Helper()
			_, err := db.ExecContext(t.Context(), statement)
			require.NoError(t, err)
		}

		exec("DELETE FROM claviger_migrations WHERE version_id = 1") // half of goose down
		require.NoError(t, sqlstore.Migrate(t.Context(), db, p.dialect))
		require.Equal(t, []int64{0, 1}, notes(t, p))
		_, err := s.Lookup(t.Context(), usual(1).ID)
		require.NoError(t, err, "a statement that is run again destroys nothing")

		exec("INSERT INTO claviger_migrations (version_id, is_applied) VALUES (99, TRUE)")
		require.NoError(t, sqlstore.Migrate(t.Context(), db, p.dialect), "a newer version is no reason to stop")
		require.Equal(t, []int64{0, 1, 99}, notes(t, p))
	})
}

// The way down leaves nothing, and the way up works again.
func TestMigrate_DownAndUp(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, p place) {
		db := p.open(t)
		files, err := sqlstore.Migrations(p.dialect)
		require.NoError(t, err)
		for _, statement := range down(t, files) {
			_, err := db.ExecContext(t.Context(), statement)
			require.NoError(t, err)
		}
		_, err = db.ExecContext(t.Context(), "DELETE FROM claviger_migrations WHERE version_id > 0")
		require.NoError(t, err)
		_, err = sqlstore.New(t.Context(), db, p.dialect, sqlstore.Config{})
		require.ErrorContains(t, err, "Migrate", "the error says what to do")
		require.NoError(t, sqlstore.Migrate(t.Context(), db, p.dialect))
		insert(t, p.store(t, sqlstore.Config{}), usual(1))
	})
}

// down are the statements of the way down, by goose's simplest rule: each ends with a line that ends with a semicolon.
func down(t *testing.T, files fs.FS) (statements []string) {
	t.Helper()
	names, err := fs.Glob(files, "*.sql")
	require.NoError(t, err)
	require.Len(t, names, 1, "one version: this test knows no more")
	text, err := fs.ReadFile(files, names[0])
	require.NoError(t, err)
	return statementsAfter(string(text), "-- +goose Down")
}

// T-122: who waits for another process's migration does so for longer than its driver waits for an answer.
func TestMigrate_WaitsLongerThanReadTimeout(t *testing.T) {
	t.Parallel()
	p := newDatabase(t)
	other, err := p.open(t).Conn(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, other.Close()) }()
	lock := func(statement string) {
		var done int
		require.NoError(t, other.QueryRowContext(t.Context(), statement).Scan(&done))
		require.Equal(t, 1, done)
	}
	lock("SELECT GET_LOCK(CONCAT('claviger.', SHA1(DATABASE())), 0)")
	config, err := p.mysqlConfig()
	require.NoError(t, err)
	config.ReadTimeout = 2 * time.Second
	connector, err := mysql.NewConnector(config)
	require.NoError(t, err)
	db := opened(t, sql.OpenDB(connector))
	migrated := make(chan error, 1)
	go func() { migrated <- sqlstore.Migrate(t.Context(), db, p.dialect) }()
	<-time.After(2 * config.ReadTimeout)
	lock("SELECT RELEASE_LOCK(CONCAT('claviger.', SHA1(DATABASE())))")
	require.NoError(t, <-migrated)
}
