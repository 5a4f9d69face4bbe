// Package sqlstore keeps records in a SQL database: SQLite, PostgreSQL, CockroachDB, MySQL or MariaDB. It imports
// database/sql and no driver; the app brings the one it uses already.
//
//	db, err := sql.Open("pgx", "postgres://app@db.internal/app")
//	err = sqlstore.Migrate(ctx, db, sqlstore.PostgreSQL)
//	store, err := sqlstore.New(ctx, db, sqlstore.PostgreSQL, sqlstore.Config{})
//	keys, err := keystore.New(store, keystore.Config{})
//
// # When to use it
//
// When keys have to outlive a deployment, or more than one process verifies them. SQLite serves the processes of one
// machine; the others serve as many machines as reach the database. One process without a database takes filestore, or
// memstore for tests.
//
// The tests run on SQLite 3.53, PostgreSQL 15 and MariaDB 10.11. For MySQL and CockroachDB the statements keep to what
// those document; run keystore/storetest on yours before you rely on them.
//
// # What it guarantees
//
// A [Store] is a [keystore.AdminStore], a [keystore.Watcher] and a [keystore.UsageStore], and keeps all duties of
// [keystore.KeyStore], KS1 to KS15, across processes. A mutation is committed when it returns, entirely or not at all. A
// change made by another process is heard of within [Config.PollInterval]. Quotas are never passed: the inserts of one
// owner, type and kind wait for each other. What fails for a reason that passes (a deadlock, a serialization failure, a
// busy file) is tried again, twelve times at most.
//
// The engine's clock is never asked: records expire by the clock of [keystore.Keys].
//
// # Settings it refuses
//
// [New] refuses what could bring a revoked key back after a crash, unless [Config.DangerouslyAcceptLoss] is set:
//
//   - SQLite: synchronous below FULL.
//   - PostgreSQL: synchronous_commit off, fsync off.
//   - MySQL, MariaDB: innodb_flush_log_at_trx_commit other than 1; with log_bin also sync_binlog other than 1.
//
// And, in any case, what could keep one alive, or answers wrongly:
//
//   - a replica, or a connection that is read-only as replicas are; Galera without wsrep_sync_wait, CockroachDB with
//     follower reads. A replica that takes writes cannot be told: do not connect to one.
//   - MySQL without autocommit, any engine with dirty reads.
//   - SQLite with another journal_mode than WAL, or without a busy_timeout.
//
// Settings are judged when a store is opened and each time Watch begins, on what connections say of themselves, whether a
// server, a role or a data source name has set them; and each poll asks whether it has come to a replica. Give them to all
// connections, in the data source name:
//
//	SQLite (modernc.org/sqlite)  file:keys.db?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)
//	SQLite (mattn/go-sqlite3)    file:keys.db?_busy_timeout=5000&_journal_mode=WAL&_synchronous=FULL
//	PostgreSQL (jackc/pgx)       postgres://…?target_session_attrs=read-write&connect_timeout=2
//	MySQL (go-sql-driver/mysql)  user@tcp(…)/app?timeout=2s&readTimeout=2s&writeTimeout=2s
//
// target_session_attrs keeps pgx on the primary after a failover. The timeouts bound how long it takes to recover from a
// network that hung without an error: a pool with MaxOpenConns opens connections outside of any call and its ctx, and
// those that hang fill it, without readTimeout in MySQL's driver as long as TCP waits. A write that takes longer than
// readTimeout ends in an error, too, and may have happened. SQLite files belong on a local disk, and never behind
// immutable=1 or nolock=1. PgBouncer in transaction mode needs version 1.21 or later and max_prepared_statements above 0.
//
// Call db.SetMaxIdleConns with as many connections as are busy at a time: database/sql keeps two, and whatever is prepared
// on the others is prepared again. Open one Store for a database and keep it, since what it prepares stays until db is
// closed. After a network hung, lib/pq waits for its server whatever ctx says; pgx does not.
//
// # The tables
//
// A record is its own encoding, in the column data of claviger_records. The other columns are copies to search by: SQL on
// them revokes nothing. To end a key by hand, delete its row and move the counter, so that every process asks anew:
//
//	BEGIN;
//	DELETE FROM claviger_records WHERE id = '7Gk2mXw9QaTz'; -- SQLite: CAST('7Gk2mXw9QaTz' AS BLOB)
//	UPDATE claviger_counter SET n = n + 1;
//	COMMIT;
//
// A restored backup brings back the keys revoked since: revoke them again.
//
// Rows of claviger_quotas stay: one for each owner, type and kind that ever had a quota. All else is deleted with its
// record. Where a process only verifies, its role needs SELECT on claviger_records, claviger_counter and
// claviger_changes; for usage INSERT, UPDATE and SELECT on claviger_usage.
//
// # What it costs
//
// Lookup is one query by primary key, prepared once for each connection, and the decoding of the record. Update and
// Delete are one transaction of three or four statements; those of all processes wait for each other at its end, for one
// statement and the commit. Insert waits for those of the same owner only, and only with a quota. Each Watch asks for one
// row every PollInterval.
//
// # Measured
//
// On two cores of an AMD EPYC with Go 1.26.8, which other work kept busy, with the engines on the same machine. Quota: 1,000
// rounds of 2 × 32 contenders in two processes pass it in none, on each engine. Watch: of 8 writers × 500 changes none is
// missed. Among 1,000,000 records a Lookup takes 1.4 times as long as among 1,000 on SQLite and 1.1 times on PostgreSQL, at
// the 99th percentile, and a List of an owner's 20 keys 1.1 and 1.0 times. A Lookup among 1,000 records, as a multiple of
// a prepared query of the same row:
//
//	                                  SQLite   PostgreSQL   MariaDB
//	all columns                       1.5      1.3          1.2
//	the encoding alone                2.0      1.4          1.3
//	the same, and its ctx never ends  2.8      1.7          2.0
//
// The difference is the decoding of JSON: on SQLite 13 of 24 µs.
//
// The package starts goroutines only within calls: one for a call that waits for the database, which may outlive the call
// when its ctx ends first. There is nothing to close but the *sql.DB.
package sqlstore
