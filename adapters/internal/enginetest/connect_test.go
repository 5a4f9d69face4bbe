package enginetest_test

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"net"
	"strconv"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"

	"github.com/claviger-go/claviger/adapters/internal/enginetest/internal/servers"
	"github.com/claviger-go/claviger/adapters/internal/faultproxy"
	"github.com/claviger-go/claviger/adapters/sqlstore"
)

const safePragmas = "_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"

// pool opens a new pool, as another process would.
func (p place) pool() (*sql.DB, error) {
	connector, err := p.connector()
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

func (p place) connector() (driver.Connector, error) {
	switch p.dialect {
	case sqlstore.SQLite:
		if p.inMemory() {
			return sqlite.NewConnector(p.name)
		}
		return sqlite.NewConnector("file:" + p.name + "?" + safePragmas)
	case sqlstore.PostgreSQL:
		config, err := p.postgresConfig()
		if err != nil {
			return nil, err
		}
		return stdlib.GetConnector(*config), nil
	case sqlstore.MySQL:
		config, err := p.mysqlConfig()
		if err != nil {
			return nil, err
		}
		return mysql.NewConnector(config)
	}
	return nil, fmt.Errorf("no dialect %q", p.dialect)
}

// through is the same place behind a proxy.
func (p place) through(network *faultproxy.Proxy) place {
	p.address = network.Address
	return p
}

func (p place) inMemory() bool { return p.name == ":memory:" }

// server is where the engine listens.
func (p place) server(tb testing.TB) string {
	tb.Helper()
	if p.dialect == sqlstore.MySQL {
		config, err := p.mysqlConfig()
		require.NoError(tb, err)
		return config.Addr
	}
	config, err := p.postgresConfig()
	require.NoError(tb, err)
	return net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port)))
}

func (p place) postgresConfig() (*pgx.ConnConfig, error) { return servers.Postgres(p.name, p.address) }

func (p place) mysqlConfig() (*mysql.Config, error) { return servers.MySQL(p.name, p.address) }
