// Package enginetest runs the conformance suite, and what only a real server can show, against the databases of
// sqlstore. It is a module of its own, so that nobody who uses Claviger gets its drivers.
//
// SQLite comes with the tests. PostgreSQL and MariaDB or MySQL are looked for at CLAVIGER_POSTGRES_DSN (a URL) and
// CLAVIGER_MYSQL_DSN (user:password@tcp(host:port)/database), else on the usual loopback ports with the engines' default
// local accounts and a database called test. An engine that does not answer is skipped; with CLAVIGER_REQUIRE_ENGINES=1
// it fails. Each test makes a schema or a database of its own, named claviger_test_…, and drops it.
//
// CLAVIGER_HARNESS=full makes everything as large as for the figures in the README: 1,000 rounds of the quota race, for
// one. Otherwise the race detector implies -short, since SQLite, which is C translated to Go, takes ten times as long under
// it.
package enginetest
