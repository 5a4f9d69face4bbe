package enginetest_test

import (
	"database/sql"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/internal/enginetest/internal/servers"
	"github.com/claviger-go/claviger/adapters/sqlstore"
)

// place is a database of a test's own. It has a text form for other processes.
type place struct {
	dialect sqlstore.Dialect
	name    string // of the schema or database; for SQLite the path of the file, or :memory:
	address string // host:port to dial instead of the usual one; empty: the usual one
}

// engines are the databases of a test: one place each.
var engines = []struct {
	name string
	make func(testing.TB) place
}{
	{"sqlite", func(tb testing.TB) place {
		return place{dialect: sqlstore.SQLite, name: filepath.Join(tb.TempDir(), "keys.db")}
	}},
	{"memory", func(testing.TB) place { return place{dialect: sqlstore.SQLite, name: ":memory:"} }},
	{"postgres", newSchema},
	{"mariadb", newDatabase},
}

// onEach runs a test on each engine, on an empty place with tables. Databases in memory are left out, since each has but
// one connection.
func onEach(t *testing.T, run func(t *testing.T, p place)) {
	t.Helper()
	on(t, run, "sqlite", "postgres", "mariadb")
}

// onServers is onEach without SQLite.
func onServers(t *testing.T, run func(t *testing.T, p place)) {
	t.Helper()
	on(t, run, "postgres", "mariadb")
}

func on(t *testing.T, run func(t *testing.T, p place), names ...string) {
	t.Helper()
	for _, e := range engines {
		if !slices.Contains(names, e.name) {
			continue
		}
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			p := e.make(t)
			require.NoError(t, sqlstore.Migrate(t.Context(), p.open(t), p.dialect))
			run(t, p)
		})
	}
}

func newSchema(tb testing.TB) place {
	tb.Helper()
	return place{dialect: sqlstore.PostgreSQL, name: servers.NewSchema(tb)}
}

func newDatabase(tb testing.TB) place {
	tb.Helper()
	return place{dialect: sqlstore.MySQL, name: servers.NewDatabase(tb)}
}

// open opens a pool for the time of the test.
func (p place) open(tb testing.TB) *sql.DB {
	tb.Helper()
	db, err := p.pool()
	require.NoError(tb, err)
	db.SetMaxOpenConns(16) // two processes of this size leave room for other tests on the same server
	db.SetMaxIdleConns(16)
	tb.Cleanup(func() { require.NoError(tb, db.Close()) })
	return db
}

// store opens a store on a pool of its own.
func (p place) store(tb testing.TB, config sqlstore.Config) *sqlstore.Store {
	tb.Helper()
	s, err := sqlstore.New(tb.Context(), p.open(tb), p.dialect, config)
	require.NoError(tb, err)
	return s
}

func (p place) String() string { return string(p.dialect) + " " + p.name }

func parsePlace(text string) place {
	dialect, name, _ := strings.Cut(text, " ")
	return place{dialect: sqlstore.Dialect(dialect), name: name}
}
