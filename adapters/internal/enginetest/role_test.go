package enginetest_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/sqlstore"
	"github.com/claviger-go/claviger/keystore"
)

// A process that only verifies can be given the least: to read three tables, and to write usage.
func TestRoleThatOnlyVerifies(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, p place) {
		full := p.store(t, polling)
		insert(t, full, usual(1))
		db := p.as(t, p.name, "SELECT ON claviger_records", "SELECT ON claviger_counter", "SELECT ON claviger_changes",
			"SELECT, INSERT, UPDATE ON claviger_usage")
		require.NoError(t, sqlstore.Migrate(t.Context(), db, p.dialect), "nothing is missing")
		s := storeOn(t, db, p)
		e := listen(t, s)
		r, err := s.Lookup(t.Context(), usual(1).ID)
		require.NoError(t, err)
		update(t, full, r)
		e.await(t, "the change is told", func() bool { return e.named[r.ID] == 1 })
		require.NoError(t, s.AddUsage(t.Context(), []keystore.Usage{{ID: r.ID, Count: 1, LastUsed: now}}))
		used, err := s.Usage(t.Context(), []string{r.ID})
		require.NoError(t, err)
		require.Len(t, used, 1)
		require.Error(t, s.Update(t.Context(), at(r, 2)))
		require.Error(t, s.Insert(t.Context(), usual(2), keystore.Quota{}))
		require.Error(t, s.Delete(t.Context(), r.ID, 0))
	})
}

// as is a pool of a user with a few privileges. User and place have the same name.
func (p place) as(t *testing.T, user string, privileges ...string) *sql.DB {
	t.Helper()
	admin := p.open(t)
	exec := func(format string, args ...any) {
		t.Helper()
		_, err := admin.ExecContext(context.WithoutCancel(t.Context()), fmt.Sprintf(format, args...))
		require.NoError(t, err)
	}
	if p.dialect == sqlstore.PostgreSQL {
		exec("CREATE ROLE %s", user)
		t.Cleanup(func() {
			exec("DROP OWNED BY %s", user)
			exec("DROP ROLE %s", user)
		})
		exec("GRANT USAGE ON SCHEMA %s TO %s", p.name, user)
		exec("GRANT SELECT ON claviger_migrations TO %s", user)
		for _, privilege := range privileges {
			exec("GRANT %s TO %s", privilege, user)
		}
		config, err := p.postgresConfig()
		require.NoError(t, err)
		config.RuntimeParams["role"] = user
		return opened(t, stdlib.OpenDB(*config))
	}
	exec("CREATE USER %s@'%%' IDENTIFIED BY 'claviger'", user)
	t.Cleanup(func() { exec("DROP USER %s@'%%'", user) })
	exec("GRANT SELECT ON claviger_migrations TO %s@'%%'", user)
	for _, privilege := range privileges {
		exec("GRANT %s TO %s@'%%'", privilege, user)
	}
	config, err := p.mysqlConfig()
	require.NoError(t, err)
	config.User, config.Passwd = user, "claviger"
	connector, err := mysql.NewConnector(config)
	require.NoError(t, err)
	return opened(t, sql.OpenDB(connector))
}

func opened(t *testing.T, db *sql.DB) *sql.DB {
	t.Helper()
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}
