package store

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"log"
	"net/url"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/claviger-go/claviger/adapters/pgnotify"
	"github.com/claviger-go/claviger/adapters/sqlstore"
)

// The drivers would wait as long as TCP does.
const (
	connectTimeout = 5 * time.Second
	answerTimeout  = 10 * time.Second
)

func openPostgres(ctx context.Context, u *url.URL) (*Store, error) {
	// Written anew: to pgx a password ends at the first @, to net/url at the last.
	config, err := pgx.ParseConfig(u.String())
	if err != nil {
		return nil, refused(u, err)
	}
	config.ConnectTimeout = cmp.Or(config.ConnectTimeout, connectTimeout)
	if config.ValidateConnect == nil { // no target_session_attrs in the URL
		config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	s, err := openSQL(ctx, stdlib.GetConnector(*config), notifying)
	if err != nil {
		return nil, failed(u, err)
	}
	return s, nil
}

func openMySQL(ctx context.Context, u *url.URL) (*Store, error) {
	config, err := mysqlConfig(u)
	if err != nil {
		return nil, refused(u, err)
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, refused(u, err)
	}
	s, err := openSQL(ctx, connector, polling(sqlstore.MySQL))
	if err != nil {
		return nil, failed(u, err)
	}
	return s, nil
}

// mysqlConfig lets the driver read host, database and settings in a form of its own, tcp(HOST)/DATABASE?SETTINGS. That
// form has no way to encode a password, and takes the last slash for the one before the database.
func mysqlConfig(u *url.URL) (*mysql.Config, error) {
	database := strings.TrimPrefix(u.Path, "/")
	if u.Host == "" || database == "" {
		return nil, errors.New("it has to name a host and a database")
	}
	settings := strings.ReplaceAll(u.RawQuery, "/", "%2F")
	config, err := mysql.ParseDSN("tcp(" + u.Host + ")/" + url.PathEscape(database) + "?" + settings)
	if err != nil {
		return nil, err
	}
	config.User = u.User.Username()
	config.Passwd, _ = u.User.Password()
	config.Timeout = cmp.Or(config.Timeout, connectTimeout)
	config.ReadTimeout = cmp.Or(config.ReadTimeout, answerTimeout)
	config.WriteTimeout = cmp.Or(config.WriteTimeout, answerTimeout)
	return config, nil
}

// openSQL opens a pool for open, which makes the tables first, or brings them up to date.
func openSQL[S adapter](ctx context.Context, connector driver.Connector, open func(context.Context, *sql.DB) (S, error)) (*Store, error) {
	db := sql.OpenDB(connector)
	records, err := open(ctx, db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &Store{records, db.Close}, nil
}

func polling(dialect sqlstore.Dialect) func(context.Context, *sql.DB) (*sqlstore.Store, error) {
	return func(ctx context.Context, db *sql.DB) (*sqlstore.Store, error) {
		if err := sqlstore.Migrate(ctx, db, dialect); err != nil {
			return nil, err
		}
		return sqlstore.New(ctx, db, dialect, sqlstore.Config{})
	}
}

func notifying(ctx context.Context, db *sql.DB) (*pgnotify.Store, error) {
	if err := pgnotify.Migrate(ctx, db); err != nil {
		return nil, err
	}
	return pgnotify.New(ctx, db, pgnotify.Config{OnListenError: func(err error) { log.Print("store: ", err) }})
}
