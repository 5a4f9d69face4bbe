package sqlstore

import (
	"io/fs"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/sqlstore/internal/goose"
)

func TestMigrations(t *testing.T) {
	t.Parallel()
	again := regexp.MustCompile(`^(CREATE (TABLE|INDEX) IF NOT EXISTS|COMMENT ON|INSERT INTO \w+ .* ON (CONFLICT|DUPLICATE KEY))`)
	tables := map[Dialect][]string{}
	for _, dialect := range []Dialect{SQLite, PostgreSQL, MySQL} {
		files, err := Migrations(dialect)
		require.NoError(t, err)
		steps, err := goose.Load(files)
		require.NoError(t, err)
		require.NotEmpty(t, steps)
		for _, step := range steps {
			require.NotEmpty(t, step.Down)
			for _, statement := range step.Up {
				require.Regexp(t, again, statement, "%s: it may run twice, after a crash or a race", dialect)
				if table, ok := strings.CutPrefix(statement, "CREATE TABLE IF NOT EXISTS "); ok {
					name, _, _ := strings.Cut(table, " ")
					tables[dialect] = append(tables[dialect], name)
				}
			}
			for _, statement := range step.Down {
				require.Regexp(t, `^DROP TABLE IF EXISTS claviger_\w+;$`, statement)
			}
		}
		names, err := fs.Glob(files, "*")
		require.NoError(t, err)
		text, err := fs.ReadFile(files, names[0])
		require.NoError(t, err)
		require.Contains(t, string(text), "REVOKES NOTHING", "%s: the schema warns (KS14)", dialect)
	}
	require.Equal(t, tables[SQLite], tables[PostgreSQL])
	require.Equal(t, tables[SQLite], tables[MySQL])
}
