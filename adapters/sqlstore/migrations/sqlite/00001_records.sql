-- +goose Up

-- STRICT: SQLite would otherwise keep whatever type it is given, and a text never equals the same bytes.
CREATE TABLE IF NOT EXISTS claviger_records (
	-- The record is the JSON in data, and nothing else. The other columns are copies for searching:
	-- SQL on them REVOKES NOTHING. To end a key by hand, in one transaction:
	--   DELETE FROM claviger_records WHERE id = CAST('…' AS BLOB);
	--   UPDATE claviger_counter SET n = n + 1;
	id      BLOB    NOT NULL PRIMARY KEY,
	version INTEGER NOT NULL,
	op      BLOB    NOT NULL,
	kind    BLOB    NOT NULL,
	owner   BLOB    NOT NULL,
	type    BLOB    NOT NULL,
	parent  BLOB,             -- NULL: none
	created INTEGER NOT NULL, -- microseconds since 1970, as the two below
	expires INTEGER,          -- NULL: never
	revoked INTEGER,          -- NULL: not revoked
	data    BLOB    NOT NULL
) STRICT;

CREATE INDEX IF NOT EXISTS claviger_records_age ON claviger_records (created, id);
CREATE INDEX IF NOT EXISTS claviger_records_owner ON claviger_records (owner, created, id);
CREATE INDEX IF NOT EXISTS claviger_records_parent ON claviger_records (parent, created, id) WHERE parent IS NOT NULL;
CREATE INDEX IF NOT EXISTS claviger_records_expires ON claviger_records (expires) WHERE expires IS NOT NULL;
CREATE INDEX IF NOT EXISTS claviger_records_quota ON claviger_records (owner, type, kind, revoked, expires);

-- How often a secret of a key was used, first and last (seconds since 1970), and from which network (netip.Prefix in its
-- binary form; empty: not known): apart from the record, whose version it never moves.
CREATE TABLE IF NOT EXISTS claviger_usage (
	id         BLOB    NOT NULL,
	secret     INTEGER NOT NULL, -- its number; 0: none
	uses       INTEGER NOT NULL,
	first_used INTEGER NOT NULL,
	last_used  INTEGER NOT NULL,
	network    BLOB    NOT NULL,
	PRIMARY KEY (id, secret)
) STRICT, WITHOUT ROWID;

-- Written first by each insert with a quota, so that those of one owner wait for each other.
CREATE TABLE IF NOT EXISTS claviger_quotas (
	owner BLOB    NOT NULL,
	type  BLOB    NOT NULL,
	kind  BLOB    NOT NULL,
	n     INTEGER NOT NULL,
	PRIMARY KEY (owner, type, kind)
) STRICT, WITHOUT ROWID;

-- One row. Each update and each delete adds one, as the last lock it takes: a change with a lower number is committed
-- before one with a higher number. Whoever polls it misses nothing.
CREATE TABLE IF NOT EXISTS claviger_counter (
	one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
	n   INTEGER NOT NULL
) STRICT;

INSERT INTO claviger_counter (one, n) VALUES (1, 0) ON CONFLICT (one) DO NOTHING;

-- Which record each number stands for. A number without a row means that anything may have changed.
CREATE TABLE IF NOT EXISTS claviger_changes (
	seq INTEGER NOT NULL,
	id  BLOB    NOT NULL,
	PRIMARY KEY (seq, id)
) STRICT, WITHOUT ROWID;

-- +goose Down
DROP TABLE IF EXISTS claviger_changes;
DROP TABLE IF EXISTS claviger_counter;
DROP TABLE IF EXISTS claviger_quotas;
DROP TABLE IF EXISTS claviger_usage;
DROP TABLE IF EXISTS claviger_records;
