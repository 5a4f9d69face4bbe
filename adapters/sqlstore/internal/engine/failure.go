package engine

import (
	"errors"
	"reflect"
	"strings"
)

// postgresPassing: serialization failure, deadlock.
func postgresPassing(err error) bool {
	switch sqlState(err) {
	case "40001", "40P01":
		return true
	}
	return false
}

// mysqlPassing: deadlock (also a conflict between Galera's nodes), lock wait timeout, a row changed since the snapshot.
func mysqlPassing(err error) bool {
	switch number(err) {
	case 1213, 1205, 1020:
		return true
	}
	return false
}

// busy: SQLITE_BUSY and SQLITE_LOCKED, with whatever extension. The text is SQLite's own, for drivers with a code of
// another type.
func busy(err error) bool {
	if err == nil {
		return false
	}
	switch number(err) & 0xff {
	case 5, 6:
		return true
	}
	text := err.Error()
	return strings.Contains(text, "database is locked") || strings.Contains(text, "database table is locked")
}

// RacedToCreate recognizes that two transactions of PostgreSQL made the same table at the same time. IF NOT EXISTS does
// not prevent that: unique violation, duplicate table, duplicate object.
func RacedToCreate(err error) bool {
	switch sqlState(err) {
	case "23505", "42P07", "42710":
		return true
	}
	return false
}

// sqlState is how pgx and lib/pq tell the cause.
func sqlState(err error) string {
	var coded interface{ SQLState() string }
	if errors.As(err, &coded) {
		return coded.SQLState()
	}
	return ""
}

// number is the engine's own code: the method Code of modernc.org/sqlite, the field Code of mattn/go-sqlite3, the field
// Number of go-sql-driver/mysql. 0 if there is none. Reflection, since naming the types would import the drivers.
func number(err error) int {
	for ; err != nil; err = errors.Unwrap(err) {
		if coded, ok := err.(interface{ Code() int }); ok {
			return coded.Code()
		}
		v := reflect.Indirect(reflect.ValueOf(err))
		if v.Kind() != reflect.Struct {
			continue
		}
		for _, name := range []string{"Number", "Code"} {
			switch field := v.FieldByName(name); {
			case !field.IsValid():
			case field.CanInt():
				return int(field.Int())
			case field.CanUint():
				return int(field.Uint()) //nolint:gosec // 16 bits
			}
		}
	}
	return 0
}
