package sqlstore

import (
	"context"
	"database/sql"
	"sync"

	"github.com/claviger-go/claviger/adapters/sqlstore/internal/engine"
)

// statements prepares each text once. database/sql then keeps it prepared on every connection that used it.
type statements struct {
	db     *sql.DB
	engine *engine.Engine
	turn   chan struct{} // held by who prepares
	mu     sync.RWMutex  // never held while the database is asked
	// By text with question marks. All texts are made of constants: the most there can be are the 64 forms of List.
	prepared map[string]*sql.Stmt
}

func newStatements(db *sql.DB, e *engine.Engine) *statements {
	return &statements{db: db, engine: e, turn: make(chan struct{}, 1), prepared: map[string]*sql.Stmt{}}
}

// prepare takes a connection of the pool, which may have only one: never call it inside of a transaction.
func (p *statements) prepare(ctx context.Context, text string) (*sql.Stmt, error) {
	if s := p.ready(text); s != nil {
		return s, nil
	}
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s := p.ready(text); s != nil {
		return s, nil // somebody else was faster
	}
	s, err := p.db.PrepareContext(ctx, p.engine.Text(text)) //nolint:sqlclosecheck // kept until db is closed
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.prepared[text] = s
	return s, nil
}

// ready returns the statement if it is prepared.
func (p *statements) ready(text string) *sql.Stmt {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.prepared[text]
}

// rows returns what scan makes of each row that a query of constant text selects.
func rows[T any](ctx context.Context, s *Store, text string, args []any, scan func(*sql.Rows) (T, error)) (all []T, err error) {
	query, err := s.statements.prepare(ctx, text)
	if err != nil {
		return nil, err
	}
	err = s.again(ctx, func() error {
		all = nil
		selected, err := query.QueryContext(ctx, args...)
		if err != nil {
			return err
		}
		defer func() { _ = selected.Close() }()
		for selected.Next() {
			one, err := scan(selected)
			if err != nil {
				return err
			}
			all = append(all, one)
		}
		return selected.Err()
	})
	return all, err
}
