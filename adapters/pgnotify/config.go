package pgnotify

import (
	"database/sql"
	"errors"
	"time"

	"github.com/claviger-go/claviger/adapters/sqlstore"
	"github.com/claviger-go/claviger/keystore"
)

// Config adjusts a [Store]. The zero value is safe.
type Config struct {
	_ struct{}

	// Store adjusts the store below. Its PollInterval is how late a change may be heard of while nothing is notified.
	// Defaults to sqlstore's defaults: 1 s.
	Store sqlstore.Config

	// ListenOn is the pool that each Watch takes a connection from, and keeps it. It has to be of
	// github.com/jackc/pgx/v5/stdlib, lead to the database of the store, and pass by any pooler that hands out a connection
	// per transaction, as PgBouncer with pool_mode=transaction does. Defaults to the pool of the store.
	ListenOn *sql.DB

	// Heartbeat is how often a Watch notifies itself, to see that it hears. If nothing comes back for twice as long, it
	// takes another connection; a network that needs longer to connect needs a longer Heartbeat. 100 ms to 1 minute.
	// Defaults to 2 s.
	Heartbeat time.Duration

	// OnListenError is told why a Watch hears no notifications, each time a connection to listen on is lost or tried in
	// vain; meanwhile Watch only polls. It is called in a goroutine of Watch, which waits for it; a panic is dropped.
	// Defaults to nobody.
	OnListenError func(error)
}

// compile fills in the defaults and reports every mistake but those of Store.
func (c *Config) compile(db *sql.DB) error {
	if c.ListenOn == nil {
		c.ListenOn = db
	}
	if c.Heartbeat == 0 {
		c.Heartbeat = 2 * time.Second
	}
	if c.OnListenError == nil {
		c.OnListenError = func(error) {}
	}
	var problems []error
	bad := func(field string, value any, want string) {
		problems = append(problems, &keystore.ConfigError{Field: "pgnotify: " + field, Value: value, Want: want})
	}
	if c.ListenOn == db && db != nil && db.Stats().MaxOpenConnections == 1 {
		bad("db: MaxOpenConns", 1, "2 or more: a Watch keeps one connection; or another pool in Config.ListenOn")
	}
	if c.Heartbeat < 100*time.Millisecond || c.Heartbeat > time.Minute {
		bad("Config.Heartbeat", c.Heartbeat, "100ms to 1m")
	}
	return errors.Join(problems...)
}
