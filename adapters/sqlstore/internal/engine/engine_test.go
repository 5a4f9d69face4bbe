package engine

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestText(t *testing.T) {
	t.Parallel()
	const text = "SELECT a FROM b WHERE c = ? AND d IN (?, ?) LIMIT ?"
	require.Equal(t, "SELECT a FROM b WHERE c = ? AND d IN (?, ?) LIMIT ? + 0", SQLite().Text(text),
		"SQLite compiles a statement anew each time that a value is bound to a bare limit")
	require.Equal(t, text, MySQL().Text(text))
	require.Equal(t, "SELECT a FROM b WHERE c = $1 AND d IN ($2, $3) LIMIT $4", PostgreSQL().Text(text))
	require.Equal(t, "SELECT 1", PostgreSQL().Text("SELECT 1"))
	require.Contains(t, PostgreSQL().Text(PostgreSQL().AddUsage(2)), "VALUES ($1, $2, $3, $4, $5, $6), ($7, $8, $9, $10, $11, $12) ON CONFLICT")
}

// The errors of the drivers, as far as they are looked at.
type (
	stateError     struct{ state string } // pgx, lib/pq
	methodError    struct{ code int }     // modernc.org/sqlite
	mattnCode      int
	fieldError     struct{ Code, ExtendedCode mattnCode } // mattn/go-sqlite3
	numberError    struct{ Number uint16 }                // go-sql-driver/mysql
	otherCodeError struct{ code uint8 }
)

func (e *stateError) Error() string     { return "state " + e.state }
func (e *stateError) SQLState() string  { return e.state }
func (e *methodError) Error() string    { return fmt.Sprint("code ", e.code) }
func (e *methodError) Code() int        { return e.code }
func (e fieldError) Error() string      { return fmt.Sprint("code ", int(e.Code)) }
func (e *numberError) Error() string    { return fmt.Sprint("number ", e.Number) }
func (e *otherCodeError) Error() string { return "sqlite3: database is locked" }
func (e *otherCodeError) Code() uint8   { return e.code }

func TestPassing(t *testing.T) {
	t.Parallel()
	sqlite, postgres, mysql := SQLite(), PostgreSQL(), MySQL()
	for _, tc := range []struct {
		desc   string
		engine *Engine
		err    error
		want   bool
	}{
		{"busy", sqlite, &methodError{5}, true},
		{"busy snapshot", sqlite, &methodError{5 | 2<<8}, true},
		{"locked in a shared cache", sqlite, &methodError{6 | 1<<8}, true},
		{"constraint", sqlite, &methodError{19}, false},
		{"interrupted", sqlite, &methodError{9}, false},
		{"busy, mattn", sqlite, fieldError{Code: 5, ExtendedCode: 517}, true},
		{"constraint, mattn", sqlite, fieldError{Code: 19}, false},
		{"busy, a code of another type", sqlite, &otherCodeError{5}, true},
		{"table locked", sqlite, errors.New("database table is locked: claviger_records"), true},
		{"no code", sqlite, errors.New("disk I/O error"), false},
		{"serialization failure", postgres, &stateError{"40001"}, true},
		{"deadlock", postgres, &stateError{"40P01"}, true},
		{"unique violation", postgres, &stateError{"23505"}, false},
		{"outcome unknown", postgres, &stateError{"40003"}, false},
		{"killed", postgres, &stateError{"57P01"}, false},
		{"no state", postgres, errors.New("40001"), false},
		{"deadlock", mysql, &numberError{1213}, true},
		{"lock wait timeout", mysql, &numberError{1205}, true},
		{"changed since the snapshot", mysql, &numberError{1020}, true},
		{"duplicate", mysql, &numberError{1062}, false},
		{"no number", mysql, errors.New("Error 1213 (40001): Deadlock found"), false},
	} {
		require.Equal(t, tc.want, tc.engine.Passing(tc.err), tc.desc)
		require.Equal(t, tc.want, tc.engine.Passing(fmt.Errorf("while writing: %w", tc.err)), tc.desc+", wrapped")
		require.False(t, tc.engine.Passing(nil))
	}
}

func TestExists(t *testing.T) {
	t.Parallel()
	require.True(t, MySQL().Exists(fmt.Errorf("inserting: %w", &numberError{1062})))
	require.False(t, MySQL().Exists(&numberError{1213}))
	require.False(t, MySQL().Exists(errors.New("Duplicate entry")), "an answer that nobody understands is none")
	require.False(t, PostgreSQL().Exists(&stateError{"23505"}), "ON CONFLICT leaves none")
	require.False(t, SQLite().Exists(&methodError{1555}))

	for _, state := range []string{"23505", "42P07", "42710"} {
		require.True(t, RacedToCreate(&stateError{state}))
	}
	require.False(t, RacedToCreate(&stateError{"42501"}))
	require.False(t, RacedToCreate(nil))
}
