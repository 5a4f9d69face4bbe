-- +goose Up

-- MySQL commits each of these statements by itself, so each can be run again after a crash between them.
-- VARBINARY throughout: text compares without case, and even utf8mb4_bin ignores trailing spaces.
CREATE TABLE IF NOT EXISTS claviger_records (
	id      VARBINARY(80)  NOT NULL PRIMARY KEY,
	version BIGINT         NOT NULL,
	op      VARBINARY(64)  NOT NULL,
	kind    VARBINARY(64)  NOT NULL,
	owner   VARBINARY(256) NOT NULL,
	type    VARBINARY(64)  NOT NULL,
	parent  VARBINARY(80)  NULL,     -- NULL: none
	created BIGINT         NOT NULL, -- microseconds since 1970, as the two below
	expires BIGINT         NULL,     -- NULL: never
	revoked BIGINT         NULL,     -- NULL: not revoked
	data    MEDIUMBLOB     NOT NULL,
	INDEX claviger_records_age (created, id),
	INDEX claviger_records_owner (owner, created, id),
	INDEX claviger_records_parent (parent, created, id),
	INDEX claviger_records_expires (expires),
	INDEX claviger_records_quota (owner, type, kind, revoked, expires)
) ENGINE = InnoDB
COMMENT = 'The record is the JSON in data, and nothing else. The other columns are copies for searching: SQL on them REVOKES NOTHING. To end a key by hand, in one transaction: DELETE FROM claviger_records WHERE id = ''…'', then UPDATE claviger_counter SET n = n + 1.';

-- How often a secret of a key was used, first and last (seconds since 1970), and from which network (netip.Prefix in its
-- binary form; empty: not known): apart from the record, whose version it never moves.
CREATE TABLE IF NOT EXISTS claviger_usage (
	id         VARBINARY(80) NOT NULL,
	secret     BIGINT        NOT NULL, -- its number; 0: none
	uses       BIGINT        NOT NULL,
	first_used BIGINT        NOT NULL,
	last_used  BIGINT        NOT NULL,
	network    VARBINARY(17) NOT NULL,
	PRIMARY KEY (id, secret)
) ENGINE = InnoDB;

-- Written first by each insert with a quota, so that those of one owner wait for each other.
CREATE TABLE IF NOT EXISTS claviger_quotas (
	owner VARBINARY(256) NOT NULL,
	type  VARBINARY(64)  NOT NULL,
	kind  VARBINARY(64)  NOT NULL,
	n     BIGINT         NOT NULL,
	PRIMARY KEY (owner, type, kind)
) ENGINE = InnoDB;

-- One row. Each update and each delete adds one, as the last lock it takes: a change with a lower number is committed
-- before one with a higher number. Whoever polls it misses nothing.
CREATE TABLE IF NOT EXISTS claviger_counter (
	one SMALLINT NOT NULL PRIMARY KEY CHECK (one = 1),
	n   BIGINT   NOT NULL
) ENGINE = InnoDB;

INSERT INTO claviger_counter (one, n) VALUES (1, 0) ON DUPLICATE KEY UPDATE one = 1;

-- Which record each number stands for. A number without a row means that anything may have changed.
CREATE TABLE IF NOT EXISTS claviger_changes (
	seq BIGINT        NOT NULL,
	id  VARBINARY(80) NOT NULL,
	PRIMARY KEY (seq, id)
) ENGINE = InnoDB;

-- +goose Down
DROP TABLE IF EXISTS claviger_changes;
DROP TABLE IF EXISTS claviger_counter;
DROP TABLE IF EXISTS claviger_quotas;
DROP TABLE IF EXISTS claviger_usage;
DROP TABLE IF EXISTS claviger_records;
