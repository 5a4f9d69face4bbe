package engine

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// SQLite is version 3.37 or later, with any driver.
func SQLite() *Engine {
	return &Engine{
		Folder:    "sqlite",
		OneWriter: true,
		Claim: "INSERT INTO claviger_quotas (owner, type, kind, n) VALUES (?, ?, ?, 1)" +
			" ON CONFLICT (owner, type, kind) DO UPDATE SET n = n + 1",
		IgnoreExisting:  " ON CONFLICT (id) DO NOTHING",
		Exists:          func(error) bool { return false },
		IgnoreAnnounced: " ON CONFLICT (seq, id) DO NOTHING",
		addToUsage: "ON CONFLICT (id, secret) DO UPDATE SET uses = uses + excluded.uses," +
			" network = CASE WHEN excluded.last_used > last_used THEN excluded.network ELSE network END," +
			" first_used = MIN(first_used, excluded.first_used), last_used = MAX(last_used, excluded.last_used)",
		CreateVersions: `CREATE TABLE IF NOT EXISTS claviger_migrations (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	version_id INTEGER NOT NULL,
	is_applied INTEGER NOT NULL,
	tstamp     TIMESTAMP DEFAULT (datetime('now'))
)`,
		// The planner looks at a value that is bound to the limit itself, so each call would compile the statement anew:
		// 58 µs instead of 13 for the count of a quota.
		limit: "LIMIT ? + 0",
		// A transaction that begins with a write has the only write lock from there on, whatever its BEGIN said.
		Lock:    "DELETE FROM claviger_migrations WHERE version_id < 0",
		Inspect: inspectSQLite,
		Role:    "'off'",
		Judge:   judgeSQLite,
		Passing: busy,
	}
}

func inspectSQLite(ctx context.Context, conn *sql.Conn) (Settings, error) {
	var file string
	err := conn.QueryRowContext(ctx, "SELECT COALESCE(file, '') FROM pragma_database_list WHERE name = 'main'").Scan(&file)
	if err != nil {
		return nil, err
	}
	s := Settings{}
	if file == "" {
		s[inMemory] = "yes"
	}
	for _, pragma := range []string{"journal_mode", "synchronous", "busy_timeout", "read_uncommitted"} {
		var value string
		if err := conn.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(&value); err != nil {
			return nil, fmt.Errorf("PRAGMA %s: %w", pragma, err)
		}
		s[pragma] = strings.ToLower(value)
	}
	return s, nil
}

func judgeSQLite(s Settings) []Problem {
	var problems []Problem
	if s["read_uncommitted"] != "0" {
		problems = append(problems, Problem{Setting: "PRAGMA read_uncommitted", Value: s["read_uncommitted"], Want: "0"})
	}
	if s.InMemory() {
		return problems
	}
	if s["busy_timeout"] == "0" {
		problems = append(problems, Problem{
			Setting: "PRAGMA busy_timeout", Value: "0",
			Want: "about 5000, in the data source name so that every connection has it, or writers fail instead of waiting",
		})
	}
	if s["journal_mode"] != "wal" {
		problems = append(problems, Problem{
			Setting: "PRAGMA journal_mode", Value: s["journal_mode"],
			// With DELETE even synchronous=FULL may lose a commit: the folder is not synced, so the journal can reappear.
			Want: "WAL, or readers wait for writers, and a crash may bring a revoked key back",
		})
	}
	if s["synchronous"] != "2" && s["synchronous"] != "3" {
		problems = append(problems, Problem{
			Setting: "PRAGMA synchronous", Value: s["synchronous"],
			Want: "2 (FULL), in the data source name so that every connection has it" + orLost, Loss: true,
		})
	}
	return problems
}
