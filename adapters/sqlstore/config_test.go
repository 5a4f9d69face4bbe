package sqlstore

import (
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
)

func TestConfig(t *testing.T) {
	t.Parallel()
	c := Config{}
	require.NoError(t, c.compile())
	require.Equal(t, time.Second, c.PollInterval)
	for _, interval := range []time.Duration{10 * time.Millisecond, time.Minute} {
		c := Config{PollInterval: interval}
		require.NoError(t, c.compile())
		require.Equal(t, interval, c.PollInterval)
	}
	for _, interval := range []time.Duration{-1, 1, 10*time.Millisecond - 1, time.Minute + 1} {
		c := Config{PollInterval: interval}
		var problem *keystore.ConfigError
		require.ErrorAs(t, c.compile(), &problem)
		require.Equal(t, interval, problem.Value)
	}
}

func TestNew_ReportsAllMistakes(t *testing.T) {
	t.Parallel()
	_, err := New(t.Context(), nil, "oracle", Config{PollInterval: -1})
	require.ErrorContains(t, err, `sqlstore: dialect is "oracle"`)
	require.ErrorContains(t, err, "sqlstore: Config.PollInterval is -1ns")
	_, err = New(t.Context(), nil, SQLite, Config{})
	require.ErrorIs(t, err, errNoDatabase)
	require.ErrorIs(t, Migrate(t.Context(), nil, SQLite), errNoDatabase)
	require.ErrorContains(t, Migrate(t.Context(), &sql.DB{}, ""), `dialect is ""`)
	_, err = Migrations("")
	require.ErrorContains(t, err, `dialect is ""`)
}
