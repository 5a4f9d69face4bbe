package enginetest_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// recorder is a driver that notes which statements are prepared, since they are nobody's business but sqlstore's.
type recorder struct {
	driver.Connector

	mu    sync.Mutex
	texts []string
}

// record opens a pool whose statements are noted.
func (p place) record(tb testing.TB) (*sql.DB, *recorder) {
	tb.Helper()
	connector, err := p.connector()
	require.NoError(tb, err)
	r := &recorder{Connector: connector}
	db := sql.OpenDB(r)
	tb.Cleanup(func() { require.NoError(tb, db.Close()) })
	return db, r
}

// last returns the statement prepared last that contains part.
func (r *recorder) last(part string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, text := range slices.Backward(r.texts) {
		if strings.Contains(text, part) {
			return text
		}
	}
	return ""
}

func (r *recorder) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := r.Connector.Connect(ctx)
	return recordedConn{conn, r}, err
}

// recordedConn hides all shortcuts of the real one, so that everything is prepared.
type recordedConn struct {
	driver.Conn

	recorder *recorder
}

func (c recordedConn) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	c.recorder.mu.Lock()
	c.recorder.texts = append(c.recorder.texts, text)
	c.recorder.mu.Unlock()
	return c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, text)
}

func (c recordedConn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	return c.Conn.(driver.ConnBeginTx).BeginTx(ctx, options)
}
