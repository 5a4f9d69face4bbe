package enginetest_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/sqlstore"
	"github.com/claviger-go/claviger/keystore"
)

// bulk writes records a thousand at a time, and commits once.
func bulk(tb testing.TB, db *sql.DB, p place, count int, record func(n int) (keystore.Record, []byte)) {
	tb.Helper()
	const batch = 1000
	columns := []string{"id", "version", "op", "kind", "owner", "type", "parent", "created", "expires", "revoked", "data"}
	tx, err := db.BeginTx(tb.Context(), nil) //nolint:unqueryvet // Rollback after Commit is an error that says nothing
	require.NoError(tb, err)
	defer func() { _ = tx.Rollback() }()
	for n := 0; n < count; n += batch {
		var rows []string
		var args []any
		for i := n; i < min(n+batch, count); i++ {
			r, data := record(i)
			rows = append(rows, "("+strings.Join(placeholders(p, len(args), len(columns)), ", ")+")")
			args = append(args, []byte(r.ID), int64(r.Version), []byte(r.Op), []byte(r.Kind), []byte(r.Owner), []byte(r.Type),
				blob(r.Parent), r.Created.UnixMicro(), micros(r.Expires), micros(r.Revoked.At), data)
		}
		_, err := tx.ExecContext(tb.Context(),
			"INSERT INTO claviger_records ("+strings.Join(columns, ", ")+") VALUES "+strings.Join(rows, ", "), args...)
		require.NoError(tb, err)
	}
	require.NoError(tb, tx.Commit())
}

// blob is NULL for no text.
func blob(text string) any {
	if text == "" {
		return nil
	}
	return []byte(text)
}

func micros(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: t.UnixMicro(), Valid: !t.IsZero()}
}

// fill makes usual records, which all say the same in spite of their columns, and gathers what planners want to know.
func fill(tb testing.TB, db *sql.DB, p place, count int) {
	tb.Helper()
	same, err := json.Marshal(usual(0))
	require.NoError(tb, err)
	bulk(tb, db, p, count, func(n int) (keystore.Record, []byte) {
		r := usual(n)
		if n%1000 == 0 {
			r.Expires = r.Created
		}
		return r, same
	})
	_, err = db.ExecContext(tb.Context(), map[sqlstore.Dialect]string{
		sqlstore.SQLite:     "PRAGMA optimize", // no ANALYZE: few run it
		sqlstore.PostgreSQL: "VACUUM ANALYZE claviger_records",
		sqlstore.MySQL:      "ANALYZE TABLE claviger_records",
	}[p.dialect])
	require.NoError(tb, err)
}

func placeholders(p place, after, n int) (texts []string) {
	for i := range n {
		if p.dialect == sqlstore.PostgreSQL {
			texts = append(texts, fmt.Sprintf("$%d", after+i+1))
		} else {
			texts = append(texts, "?")
		}
	}
	return texts
}

// Among 100,000 records each query goes by the index that was made for it.
func TestPlans(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, p place) {
		records := 100_000
		if testing.Short() {
			records = 10_000
		}
		fill(t, p.open(t), p, records)
		db, recorder := p.record(t)
		s, err := sqlstore.New(t.Context(), db, p.dialect, sqlstore.Config{})
		require.NoError(t, err)

		r := usual(records / 2)
		id, owner, kind, typ := []byte(r.ID), []byte(r.Owner), []byte(r.Kind), []byte(r.Type)
		created := r.Created.UnixMicro()
		list := func(f keystore.Filter) func() error {
			return func() error {
				f.Limit = 20
				page, err := s.List(t.Context(), f)
				require.NotEmpty(t, page.Records)
				return err
			}
		}
		page, err := s.List(t.Context(), keystore.Filter{Limit: 7})
		require.NoError(t, err)
		require.Len(t, page.Records, 7)
		for _, tc := range []struct {
			desc  string
			do    func() error
			text  string // a part of the statement
			args  []any
			index string
		}{
			{"Lookup", func() error {
				_, err := s.Lookup(t.Context(), r.ID)
				return err
			}, "SELECT data FROM", []any{id}, "primary"},
			{"List", list(keystore.Filter{}), "ORDER BY", []any{21}, "claviger_records_age"},
			{"List on", list(keystore.Filter{After: page.Next}), "ORDER BY", []any{created, created, id, 21}, "claviger_records_age"},
			{"List of an owner", list(keystore.Filter{Owner: r.Owner}), "ORDER BY", []any{owner, 21}, "claviger_records_owner"},
			{"List of expired", list(keystore.Filter{ExpiredBefore: now.AddDate(1, 0, 0)}), "ORDER BY", []any{created, 21}, "claviger_records_expires"},
			{"quota", func() error {
				r := usual(records)
				r.Owner = "acct_000001"
				return s.Insert(t.Context(), r, keystore.Quota{Max: 100, Now: now})
			}, "COUNT(*)", []any{owner, typ, kind, created, 100}, "claviger_records_"},
		} {
			require.NoError(t, tc.do(), tc.desc)
			text := recorder.last(tc.text)
			plan := explain(t, p, text, tc.args)
			t.Logf("%s: %s", tc.desc, plan)
			want := tc.index
			if want == "primary" {
				want = map[sqlstore.Dialect]string{
					sqlstore.SQLite: "sqlite_autoindex_claviger_records_1 (id=?)", sqlstore.PostgreSQL: "claviger_records_pkey",
					sqlstore.MySQL: "const PRIMARY",
				}[p.dialect]
			}
			require.Contains(t, plan, want, "%s: %s", tc.desc, text)
		}
	})
}

// explain is the plan in one line.
func explain(t *testing.T, p place, text string, args []any) string {
	t.Helper()
	db := p.open(t)
	switch p.dialect {
	case sqlstore.SQLite:
		text = "EXPLAIN QUERY PLAN " + text
	case sqlstore.PostgreSQL:
		text, args = "EXPLAIN "+text, append([]any{pgx.QueryExecModeSimpleProtocol}, args...)
	case sqlstore.MySQL:
		text = "EXPLAIN " + text
	}
	rows, err := db.QueryContext(t.Context(), text, args...)
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	columns, err := rows.Columns()
	require.NoError(t, err)
	var plan []string
	for rows.Next() {
		fields := make([]sql.NullString, len(columns))
		into := make([]any, len(columns))
		for i := range fields {
			into[i] = &fields[i]
		}
		require.NoError(t, rows.Scan(into...))
		for i, f := range fields {
			if f.Valid && columns[i] != "possible_keys" {
				plan = append(plan, f.String)
			}
		}
	}
	require.NoError(t, rows.Err())
	return strings.Join(plan, " ")
}
