package enginetest_test

import (
	"bytes"
	"crypto/rand"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/sqlstore"
	"github.com/claviger-go/claviger/keystore"
)

// T-125: nothing that can be presented is in any table, nor in a byte of SQLite's files.
func TestT125_Canary(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, p place) {
		keys, err := keystore.New(p.store(t, polling), keystore.Config{AcceptForeign: true})
		require.NoError(t, err)
		spec := keystore.Spec{Owner: "acct_1", Name: "canary"}
		var canaries []string
		var ids []string
		for range 3 {
			issued, err := keys.Issue(t.Context(), spec)
			require.NoError(t, err)
			text := issued.Credential.Reveal()
			_, err = keys.Verify(t.Context(), text)
			require.NoError(t, err)
			canaries, ids = append(canaries, text[strings.LastIndex(text, "_")+1:]), append(ids, issued.Record.ID)
		}
		foreign := strings.ToLower(rand.Text() + rand.Text())
		imported, err := keys.Import(t.Context(), spec, keystore.NewSecret(foreign))
		require.NoError(t, err)
		_, err = keys.Verify(t.Context(), foreign)
		require.NoError(t, err)
		canaries = append(canaries, foreign)
		require.NoError(t, keys.Suspend(t.Context(), ids[0], keystore.ReasonMisuse))
		require.NoError(t, keys.Revoke(t.Context(), ids[1], keystore.ReasonCompromised))
		require.NoError(t, keys.Delete(t.Context(), ids[2]))
		require.NoError(t, keys.Close())

		kept := dump(t, p.open(t))
		if p.dialect == sqlstore.SQLite {
			files, err := filepath.Glob(p.name + "*")
			require.NoError(t, err)
			require.GreaterOrEqual(t, len(files), 2, "the file and its log")
			for _, file := range files {
				content, err := os.ReadFile(file)
				require.NoError(t, err)
				kept = append(kept, content...)
			}
		}
		require.True(t, bytes.Contains(kept, []byte(ids[0])), "the search finds what is there")
		require.True(t, bytes.Contains(kept, []byte(imported.ID)))
		for _, canary := range canaries {
			require.False(t, bytes.Contains(kept, []byte(canary)), "%d bytes that log somebody in", len(canary))
			half := canary[:len(canary)/2]
			require.False(t, bytes.Contains(kept, []byte(half)), "half of them")
		}
	})
}

// dump is every column of every row of every table.
func dump(t *testing.T, db *sql.DB) (all []byte) {
	t.Helper()
	for _, table := range []string{"records", "usage", "quotas", "counter", "changes"} {
		all = append(all, dumpTable(t, db, "claviger_"+table)...)
	}
	return all
}

func dumpTable(t *testing.T, db *sql.DB, table string) (all []byte) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT * FROM "+table) //nolint:unqueryvet // all there is, also what comes later
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	columns, err := rows.Columns()
	require.NoError(t, err)
	for rows.Next() {
		fields := make([]sql.RawBytes, len(columns))
		into := make([]any, len(columns))
		for i := range fields {
			into[i] = &fields[i]
		}
		require.NoError(t, rows.Scan(into...))
		for _, field := range fields {
			all = append(append(all, field...), '\n')
		}
	}
	require.NoError(t, rows.Err())
	return all
}
