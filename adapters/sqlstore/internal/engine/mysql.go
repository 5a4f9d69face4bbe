package engine

import (
	"context"
	"database/sql"
	"strconv"
)

// MySQL is also MariaDB.
func MySQL() *Engine {
	return &Engine{
		Folder: "mysql",
		// The server's default. Neither level lets a quota be passed: at REPEATABLE READ the snapshot is made by the
		// first read, which comes after the claim; READ COMMITTED is refused by servers that log statements.
		Isolation: sql.LevelDefault,
		Claim: "INSERT INTO claviger_quotas (owner, type, kind, n) VALUES (?, ?, ?, 1)" +
			" ON DUPLICATE KEY UPDATE n = n + 1",
		// INSERT IGNORE would let more pass than this, and the rows affected by ON DUPLICATE KEY depend on clientFoundRows.
		Exists: func(err error) bool { return number(err) == 1062 },
		// From left to right: network has to be told by the last_used that was.
		IgnoreAnnounced: " ON DUPLICATE KEY UPDATE seq = seq",
		addToUsage: "ON DUPLICATE KEY UPDATE uses = uses + VALUES(uses)," +
			" network = IF(VALUES(last_used) > last_used, VALUES(network), network)," +
			" first_used = LEAST(first_used, VALUES(first_used)), last_used = GREATEST(last_used, VALUES(last_used))",
		CreateVersions: `CREATE TABLE IF NOT EXISTS claviger_migrations (
	id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
	version_id BIGINT NOT NULL,
	is_applied BOOLEAN NOT NULL,
	tstamp     TIMESTAMP NULL DEFAULT now(),
	PRIMARY KEY (id)
)`,
		// Locks of this kind belong to the server and not to a database of it. Each attempt is shorter than readTimeout.
		Lock:        "SELECT GET_LOCK(CONCAT('claviger.', SHA1(DATABASE())), 1)",
		Unlock:      "SELECT RELEASE_LOCK(CONCAT('claviger.', SHA1(DATABASE())))",
		Inspect:     inspectMySQL,
		Role:        "@@read_only",
		RoleSetting: "read_only",
		Judge:       judgeMySQL,
		Passing:     mysqlPassing,
	}
}

func inspectMySQL(ctx context.Context, conn *sql.Conn) (Settings, error) {
	s := Settings{}
	err := s.read(ctx, conn, "SHOW VARIABLES WHERE Variable_name IN ('innodb_flush_log_at_trx_commit', 'log_bin', 'sync_binlog',"+
		" 'autocommit', 'transaction_isolation', 'tx_isolation', 'transaction_read_only', 'tx_read_only',"+
		" 'read_only', 'super_read_only', 'innodb_read_only', 'wsrep_on', 'wsrep_sync_wait')")
	return s, err
}

func judgeMySQL(s Settings) []Problem {
	var problems []Problem
	refuse := func(loss bool, setting, want string) {
		problems = append(problems, Problem{Setting: setting, Value: s[setting], Want: want, Loss: loss})
	}
	for _, setting := range []string{"read_only", "super_read_only", "innodb_read_only", "transaction_read_only", "tx_read_only"} {
		if value, ok := s[setting]; ok && !off(value) {
			refuse(false, setting, onlyPrimary)
		}
	}
	if s["autocommit"] == "OFF" {
		refuse(false, "autocommit", "ON: a read would see, for as long as its connection lives, what the first one saw (KS4)")
	}
	for _, setting := range []string{"transaction_isolation", "tx_isolation"} {
		if s[setting] == "READ-UNCOMMITTED" {
			refuse(false, setting, "READ-COMMITTED or stricter")
		}
	}
	// The first bit makes reads wait for what other nodes have committed.
	if wait, _ := strconv.Atoi(s["wsrep_sync_wait"]); s["wsrep_on"] == "ON" && wait&1 == 0 {
		refuse(false, "wsrep_sync_wait", "1"+noTravel)
	}
	if s["innodb_flush_log_at_trx_commit"] != "1" {
		refuse(true, "innodb_flush_log_at_trx_commit", "1"+orLost)
	}
	// With a binary log a commit is only as durable as that is.
	if s["log_bin"] == "ON" && s["sync_binlog"] != "1" {
		refuse(true, "sync_binlog", "1 with log_bin"+orLost)
	}
	return problems
}
