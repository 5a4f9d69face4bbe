package sqlstore

import (
	"errors"
	"fmt"
	"time"

	"github.com/claviger-go/claviger/adapters/sqlstore/internal/engine"
	"github.com/claviger-go/claviger/keystore"
)

// Dialect is the kind of database behind a *sql.DB. The zero value is refused.
type Dialect string

// The dialects.
const (
	SQLite     Dialect = "sqlite"   // 3.37 or later
	PostgreSQL Dialect = "postgres" // also CockroachDB
	MySQL      Dialect = "mysql"    // 8.0.16 or later; also MariaDB
)

func (d Dialect) engine() (*engine.Engine, error) {
	switch d {
	case SQLite:
		return engine.SQLite(), nil
	case PostgreSQL:
		return engine.PostgreSQL(), nil
	case MySQL:
		return engine.MySQL(), nil
	}
	return nil, &keystore.ConfigError{
		Field: "sqlstore: dialect", Value: fmt.Sprintf("%q", string(d)),
		Want: "sqlstore.SQLite, sqlstore.PostgreSQL or sqlstore.MySQL",
	}
}

// Config adjusts a [Store]. The zero value is safe.
type Config struct {
	_ struct{}

	// PollInterval is how often Watch asks whether anything has changed: one query for one row. It bounds how late a
	// change made by another process is heard of. 10 ms to 1 min. Defaults to 1 s.
	PollInterval time.Duration

	// DangerouslyAcceptLoss opens databases whose settings let a crash undo what was committed, and so bring a revoked
	// key back. For tests, and where the last second of writes may be lost. Defaults to false.
	DangerouslyAcceptLoss bool
}

func (c *Config) compile() error {
	if c.PollInterval == 0 {
		c.PollInterval = time.Second
	}
	if c.PollInterval < 10*time.Millisecond || c.PollInterval > time.Minute {
		return &keystore.ConfigError{Field: "sqlstore: Config.PollInterval", Value: c.PollInterval, Want: "10ms to 1m"}
	}
	return nil
}

var errNoDatabase = errors.New("sqlstore: db is nil")
