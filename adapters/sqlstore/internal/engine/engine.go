// Package engine holds what differs between the databases of sqlstore: some texts, the settings that a store must not be
// opened with, and how a driver's errors tell their cause. It imports no driver.
package engine

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
)

// Engine is one kind of database.
type Engine struct {
	// Folder holds its migrations.
	Folder string
	// Isolation is that of writing transactions.
	Isolation sql.IsolationLevel
	// OneWriter: a second writing transaction waits or fails, so those of one process better stand in line.
	OneWriter bool

	// Claim writes the row of an owner, type and kind, and so makes others who do wait.
	Claim string
	// IgnoreExisting ends an insert that shall write nothing where the id exists; empty: it is an error, see Exists.
	IgnoreExisting string
	// Exists recognizes that error.
	Exists func(error) bool
	// IgnoreAnnounced ends the insert of a change: a counter that was set back gives a record a number that it had before.
	IgnoreAnnounced string
	// addToUsage ends an insert of usage that shall add to an existing row.
	addToUsage string

	// CreateVersions makes goose's table of versions, unless it is there.
	CreateVersions string
	// Lock makes migrations wait for each other until the transaction ends, or until Unlock where that is set.
	Lock, Unlock string

	// Inspect reads the settings of a connection that matter.
	Inspect func(context.Context, *sql.Conn) (Settings, error)
	// Judge returns what is wrong with them.
	Judge func(Settings) []Problem
	// Role is an expression that every poll asks for, the value of RoleSetting: it is off on a primary.
	Role, RoleSetting string
	// Passing recognizes errors of a transaction that was undone and may succeed when tried again.
	Passing func(error) bool

	numbered bool   // placeholders are $1, $2 … instead of ?
	limit    string // what stands for LIMIT ?; empty: just that
}

// Text adapts the placeholders of a statement written with question marks, none of them inside of quotes.
func (e *Engine) Text(statement string) string {
	if e.limit != "" {
		statement = strings.ReplaceAll(statement, "LIMIT ?", e.limit)
	}
	if !e.numbered {
		return statement
	}
	var b strings.Builder
	n := 0
	for part := range strings.SplitSeq(statement, "?") {
		if n > 0 {
			b.WriteString("$" + strconv.Itoa(n))
		}
		b.WriteString(part)
		n++
	}
	return b.String()
}

// AddUsage is the statement that adds to so many rows of usage: six values for each.
func (e *Engine) AddUsage(rows int) string {
	values := strings.TrimSuffix(strings.Repeat("(?, ?, ?, ?, ?, ?), ", rows), ", ")
	return "INSERT INTO claviger_usage (id, secret, uses, first_used, last_used, network) VALUES " + values + " " + e.addToUsage
}

// Settings are what Inspect found, by name.
type Settings map[string]string

// InMemory reports whether the database is gone with the connection, and each connection has its own.
func (s Settings) InMemory() bool { return s[inMemory] == "yes" }

const inMemory = "in memory"

// Problem is a setting that sqlstore refuses.
type Problem struct {
	Setting, Value, Want string
	// Loss: with it a crash may undo what was committed; nothing else is wrong with it.
	Loss bool
}

// JudgeRole returns what is wrong with a connection whose Role has this value.
func (e *Engine) JudgeRole(value string) (p Problem, wrong bool) {
	return Problem{Setting: e.RoleSetting, Value: value, Want: onlyPrimary}, !off(value)
}

func off(value string) bool { return strings.EqualFold(value, "off") || value == "0" }

const (
	onlyPrimary = "OFF and a connection to the primary" + noStale

	orLost   = ", or a crash undoes commits and brings a revoked key back"
	noStale  = ", since a replica may not know yet what was revoked (KS4)"
	noTravel = ", or a revocation is not seen after it was made (KS4)"
)

// read adds what a query answers, one name and one value a row.
func (s Settings) read(ctx context.Context, conn *sql.Conn, query string) error {
	rows, err := conn.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return err
		}
		s[strings.ToLower(name)] = value
	}
	return rows.Err()
}
