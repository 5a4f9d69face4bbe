package engine

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each row changes one setting of a sound connection.
func TestJudge(t *testing.T) {
	t.Parallel()
	sound := map[*Engine]Settings{}
	sqlite, postgres, mysql := SQLite(), PostgreSQL(), MySQL()
	sound[sqlite] = Settings{"journal_mode": "wal", "synchronous": "2", "busy_timeout": "5000", "read_uncommitted": "0"}
	sound[postgres] = Settings{
		"synchronous_commit": "on", "fsync": "on", "transaction_read_only": "off", "pg_is_in_recovery": "off",
	}
	sound[mysql] = Settings{
		"innodb_flush_log_at_trx_commit": "1", "log_bin": "OFF", "sync_binlog": "0", "autocommit": "ON",
		"tx_isolation": "REPEATABLE-READ", "tx_read_only": "OFF", "read_only": "OFF", "innodb_read_only": "OFF", "wsrep_on": "OFF",
	}
	const loss, never = true, false
	for _, tc := range []struct {
		engine        *Engine
		change        Settings
		setting, loss any // setting nil: nothing is wrong
	}{
		{sqlite, Settings{}, nil, nil},
		{sqlite, Settings{"synchronous": "3"}, nil, nil},
		{sqlite, Settings{"synchronous": "1"}, "PRAGMA synchronous", loss},
		{sqlite, Settings{"synchronous": "0"}, "PRAGMA synchronous", loss},
		{sqlite, Settings{"synchronous": ""}, "PRAGMA synchronous", loss},
		{sqlite, Settings{"journal_mode": "delete"}, "PRAGMA journal_mode", never},
		{sqlite, Settings{"journal_mode": "off"}, "PRAGMA journal_mode", never},
		{sqlite, Settings{"busy_timeout": "0"}, "PRAGMA busy_timeout", never},
		{sqlite, Settings{"read_uncommitted": "1"}, "PRAGMA read_uncommitted", never},
		{sqlite, Settings{inMemory: "yes", "journal_mode": "memory", "synchronous": "0", "busy_timeout": "0"}, nil, nil},

		{postgres, Settings{}, nil, nil},
		{postgres, Settings{"synchronous_commit": "local"}, nil, nil},
		{postgres, Settings{"synchronous_commit": "remote_apply"}, nil, nil},
		{postgres, Settings{"synchronous_commit": "off"}, "synchronous_commit", loss},
		{postgres, Settings{"fsync": "off"}, "fsync", loss},
		{postgres, Settings{"pg_is_in_recovery": "on"}, "pg_is_in_recovery", never},
		{postgres, Settings{"transaction_read_only": "on"}, "transaction_read_only", never},
		{postgres, Settings{"default_transaction_use_follower_reads": "on"}, "default_transaction_use_follower_reads", never},

		{mysql, Settings{}, nil, nil},
		{mysql, Settings{"innodb_flush_log_at_trx_commit": "2"}, "innodb_flush_log_at_trx_commit", loss},
		{mysql, Settings{"innodb_flush_log_at_trx_commit": "0"}, "innodb_flush_log_at_trx_commit", loss},
		{mysql, Settings{"log_bin": "ON"}, "sync_binlog", loss},
		{mysql, Settings{"log_bin": "ON", "sync_binlog": "1"}, nil, nil},
		{mysql, Settings{"autocommit": "OFF"}, "autocommit", never},
		{mysql, Settings{"tx_isolation": "READ-UNCOMMITTED"}, "tx_isolation", never},
		{mysql, Settings{"transaction_isolation": "READ-UNCOMMITTED"}, "transaction_isolation", never},
		{mysql, Settings{"transaction_isolation": "READ-COMMITTED"}, nil, nil},
		{mysql, Settings{"read_only": "ON"}, "read_only", never},
		{mysql, Settings{"read_only": "NO_LOCK"}, "read_only", never},
		{mysql, Settings{"super_read_only": "ON"}, "super_read_only", never},
		{mysql, Settings{"innodb_read_only": "ON"}, "innodb_read_only", never},
		{mysql, Settings{"transaction_read_only": "ON"}, "transaction_read_only", never},
		{mysql, Settings{"wsrep_on": "ON", "wsrep_sync_wait": "0"}, "wsrep_sync_wait", never},
		{mysql, Settings{"wsrep_on": "ON", "wsrep_sync_wait": "6"}, "wsrep_sync_wait", never},
		{mysql, Settings{"wsrep_on": "ON"}, "wsrep_sync_wait", never},
		{mysql, Settings{"wsrep_on": "ON", "wsrep_sync_wait": "15"}, nil, nil},
	} {
		s := maps.Clone(sound[tc.engine])
		maps.Copy(s, tc.change)
		problems := tc.engine.Judge(s)
		if tc.setting == nil {
			require.Empty(t, problems, "%s %v", tc.engine.Folder, tc.change)
			continue
		}
		require.Len(t, problems, 1, "%s %v", tc.engine.Folder, tc.change)
		require.Equal(t, tc.setting, problems[0].Setting)
		require.Equal(t, tc.loss, problems[0].Loss, "%s %v", tc.engine.Folder, tc.change)
		require.NotEmpty(t, problems[0].Want)
	}
}

// KS12: what a poll is told by a primary, and by anything else.
func TestJudgeRole(t *testing.T) {
	t.Parallel()
	for _, e := range []*Engine{PostgreSQL(), MySQL()} {
		for _, value := range []string{"off", "OFF", "0"} {
			_, wrong := e.JudgeRole(value)
			require.False(t, wrong, "%s %q", e.RoleSetting, value)
		}
		for _, value := range []string{"on", "ON", "1", "NO_LOCK", ""} {
			p, wrong := e.JudgeRole(value)
			require.True(t, wrong, "%s %q", e.RoleSetting, value)
			require.Equal(t, e.RoleSetting, p.Setting)
			require.Equal(t, value, p.Value)
			require.False(t, p.Loss)
		}
	}
	require.Equal(t, "'off'", SQLite().Role, "a file has no replicas")
}
