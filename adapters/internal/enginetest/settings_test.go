package enginetest_test

import (
	"database/sql"
	"fmt"
	"maps"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/sqlstore"
	"github.com/claviger-go/claviger/keystore"
)

// connected are pools on new places whose connections differ in what changes how engines or drivers answer.
func connected(t *testing.T, run func(t *testing.T, db *sql.DB, dialect sqlstore.Dialect)) {
	t.Helper()
	for _, parameters := range []string{
		"", "_txlock=deferred", "_txlock=immediate", "_txlock=exclusive",
	} {
		t.Run("sqlite?"+parameters, func(t *testing.T) {
			db, err := sql.Open("sqlite", "file:"+engines[0].make(t).name+"?"+safePragmas+"&"+parameters)
			require.NoError(t, err)
			ready(t, db, sqlstore.SQLite, run)
		})
	}
	for _, parameters := range []map[string]string{
		{"default_transaction_isolation": "repeatable read"},
		{"default_transaction_isolation": "serializable"},
	} {
		t.Run(fmt.Sprint("postgres?", parameters), func(t *testing.T) {
			p := newSchema(t)
			config, err := p.postgresConfig()
			require.NoError(t, err)
			maps.Copy(config.RuntimeParams, parameters)
			ready(t, stdlib.OpenDB(*config), p.dialect, run)
		})
	}
	t.Run("postgres?exec", func(t *testing.T) {
		p := newSchema(t)
		config, err := p.postgresConfig()
		require.NoError(t, err)
		config.DefaultQueryExecMode = pgx.QueryExecModeExec
		ready(t, stdlib.OpenDB(*config), p.dialect, run)
	})
	for desc, change := range map[string]func(*mysql.Config){
		"clientFoundRows":   func(c *mysql.Config) { c.ClientFoundRows = true },
		"interpolateParams": func(c *mysql.Config) { c.InterpolateParams = true },
		"read-committed":    func(c *mysql.Config) { c.Params = map[string]string{"tx_isolation": "'READ-COMMITTED'"} },
		"serializable":      func(c *mysql.Config) { c.Params = map[string]string{"tx_isolation": "'SERIALIZABLE'"} },
		"lax":               func(c *mysql.Config) { c.Params = map[string]string{"sql_mode": "''"} },
		"safe-updates":      func(c *mysql.Config) { c.Params = map[string]string{"sql_safe_updates": "1"} },
		"latin1":            func(c *mysql.Config) { c.Collation = "latin1_swedish_ci" },
	} {
		t.Run("mariadb?"+desc, func(t *testing.T) {
			p := newDatabase(t)
			config, err := p.mysqlConfig()
			require.NoError(t, err)
			change(config)
			connector, err := mysql.NewConnector(config)
			require.NoError(t, err)
			ready(t, sql.OpenDB(connector), p.dialect, run)
		})
	}
}

func ready(t *testing.T, db *sql.DB, dialect sqlstore.Dialect, run func(t *testing.T, db *sql.DB, dialect sqlstore.Dialect)) {
	t.Helper()
	t.Parallel()
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	db.SetMaxOpenConns(8)
	db.SetMaxIdleConns(8)
	require.NoError(t, sqlstore.Migrate(t.Context(), db, dialect))
	run(t, db, dialect)
}

// T-117, T-123, KS7 to KS9: the answers are the same whatever the data source name says.
func TestAnywhere(t *testing.T) {
	t.Parallel()
	connected(t, func(t *testing.T, db *sql.DB, dialect sqlstore.Dialect) {
		t.Helper()
		s, err := sqlstore.New(t.Context(), db, dialect, polling)
		require.NoError(t, err)
		first := usual(1)
		insert(t, s, first)
		require.NoError(t, s.Insert(t.Context(), first, keystore.Quota{}), "sent twice")
		second := usual(1)
		second.Name = "somebody else's"
		require.ErrorIs(t, s.Insert(t.Context(), second, keystore.Quota{}), keystore.ErrExists)
		found, err := s.Lookup(t.Context(), first.ID)
		require.NoError(t, err)
		require.Equal(t, first, found, "never overwritten")

		text := usual(2)
		text.Owner, text.Meta = "Ünïcödé ' \" \\ ％ \u200b 🗝", map[string]string{"a": "'; DROP TABLE claviger_records; --"}
		insert(t, s, text)
		page, err := s.List(t.Context(), keystore.Filter{Owner: text.Owner})
		require.NoError(t, err)
		require.Equal(t, []keystore.Record{text}, page.Records)

		e := listen(t, s)
		moved := named(first, "renamed")
		require.NoError(t, s.Update(t.Context(), moved))
		require.NoError(t, s.Update(t.Context(), moved), "sent twice")
		require.ErrorIs(t, s.Update(t.Context(), named(first, "late")), keystore.ErrConflict)
		require.ErrorIs(t, s.Update(t.Context(), usual(3)), keystore.ErrNotFound)
		require.ErrorIs(t, s.Delete(t.Context(), first.ID, 1), keystore.ErrConflict)
		gone := at(moved, 2)
		gone.Revoked = keystore.Mark{At: now, Reason: keystore.ReasonMisuse}
		gone = update(t, s, gone)
		require.ErrorIs(t, s.Update(t.Context(), named(gone, "alive again")), keystore.ErrRevoked)
		require.NoError(t, s.AddUsage(t.Context(), []keystore.Usage{{ID: first.ID, Count: 2, LastUsed: now}}))
		require.NoError(t, s.AddUsage(t.Context(), []keystore.Usage{{ID: first.ID, Count: 3, LastUsed: now.Add(-1)}}))
		used, err := s.Usage(t.Context(), []string{first.ID})
		require.NoError(t, err)
		require.Equal(t, []keystore.Usage{{ID: first.ID, Count: 5, LastUsed: now}}, used)
		require.NoError(t, s.Delete(t.Context(), first.ID, 3))
		require.NoError(t, s.Delete(t.Context(), first.ID, 3), "sent twice")
		used, err = s.Usage(t.Context(), []string{first.ID})
		require.NoError(t, err)
		require.Empty(t, used)
		e.await(t, "two updates and a delete are told", func() bool { return e.named[first.ID] == 3 })
	})
}

// KS7: neither does the isolation level let a quota be passed.
func TestKS7_QuotaAnywhere(t *testing.T) {
	t.Parallel()
	connected(t, func(t *testing.T, db *sql.DB, dialect sqlstore.Dialect) {
		t.Helper()
		s, err := sqlstore.New(t.Context(), db, dialect, polling)
		require.NoError(t, err)
		for round := range 3 {
			for n := range limit - 1 {
				require.NoError(t, s.Insert(t.Context(), contender(round, fmt.Sprintf("before%d", n)), quota))
			}
			won, err := race(t.Context(), s, round, "here")
			require.NoError(t, err)
			require.Equal(t, 1, won)
		}
	})
}

// A pool may be as small as one connection.
func TestOneConnection(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, p place) {
		db := p.open(t)
		db.SetMaxOpenConns(1)
		s := storeOn(t, db, p)
		e := listen(t, s)
		won, err := race(t.Context(), s, 0, "here")
		require.NoError(t, err)
		require.Equal(t, limit, won)
		insert(t, s, usual(1))
		update(t, s, usual(1))
		e.await(t, "the change is told", func() bool { return e.named[usual(1).ID] == 1 })
		require.NoError(t, s.AddUsage(t.Context(), []keystore.Usage{{ID: usual(1).ID, Count: 1, LastUsed: now}}))
	})
}
