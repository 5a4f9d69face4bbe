package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/claviger-go/claviger/adapters/sqlstore/internal/engine"
	"github.com/claviger-go/claviger/keystore"
)

// everyConnection is how many connections inspect asks to meet those that are idle and, where the pool has room, a new
// one: a setting made by Exec is true of one connection of the pool only, one in the data source name of all of them.
func (s *Store) everyConnection() int {
	stats := s.db.Stats()
	if stats.MaxOpenConnections == 0 {
		return stats.Idle + 1
	}
	return max(1, min(stats.Idle+1, stats.MaxOpenConnections-stats.InUse))
}

// inspect refuses connections with dangerous settings. It looks at fewer than count where others have taken the rest of
// the pool meanwhile: who holds connections and waits for one more may wait for another who does the same.
func (s *Store) inspect(ctx context.Context, count int) error {
	var held []*sql.Conn // all at once, or the same one would be asked again
	defer func() {
		for _, conn := range held {
			_ = conn.Close()
		}
	}()
	var problems []error
	told := map[string]bool{}
	for range count {
		if stats := s.db.Stats(); len(held) > 0 && stats.MaxOpenConnections > 0 && stats.InUse >= stats.MaxOpenConnections {
			break
		}
		conn, err := s.db.Conn(ctx)
		if err != nil {
			return err
		}
		held = append(held, conn)
		settings, err := s.engine.Inspect(ctx, conn)
		if err != nil {
			return fmt.Errorf("reading settings (is it the right dialect?): %w", err)
		}
		for _, p := range s.engine.Judge(settings) {
			if p.Loss && s.config.DangerouslyAcceptLoss {
				continue
			}
			problem := refusal(p)
			if !told[problem.Error()] {
				told[problem.Error()] = true
				problems = append(problems, problem)
			}
		}
	}
	return errors.Join(problems...)
}

func refusal(p engine.Problem) *keystore.ConfigError {
	return &keystore.ConfigError{Field: "sqlstore: " + p.Setting, Value: p.Value, Want: p.Want}
}

// hold keeps a pool on a database in memory to one connection: the next one would find a database of its own, empty.
func hold(ctx context.Context, db *sql.DB, e *engine.Engine) error {
	if !e.OneWriter {
		return nil
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	settings, err := e.Inspect(ctx, conn)
	if err != nil {
		return fmt.Errorf("reading settings (is it the right dialect?): %w", err)
	}
	if !settings.InMemory() {
		return nil
	}
	if open := db.Stats().OpenConnections; open > 1 {
		return fmt.Errorf("the pool has %d connections already, each with a database in memory of its own: "+
			"call db.SetMaxOpenConns(1) first", open)
	}
	db.SetMaxOpenConns(1)
	db.SetMaxIdleConns(1)
	db.SetConnMaxLifetime(0)
	db.SetConnMaxIdleTime(0)
	return nil
}
