-- +goose Up

-- Also for CockroachDB. BYTEA throughout: ids differ in case, and a name may hold what TEXT refuses.
CREATE TABLE IF NOT EXISTS claviger_records (
	id      BYTEA  NOT NULL PRIMARY KEY,
	version BIGINT NOT NULL,
	op      BYTEA  NOT NULL,
	kind    BYTEA  NOT NULL,
	owner   BYTEA  NOT NULL,
	type    BYTEA  NOT NULL,
	parent  BYTEA,           -- NULL: none
	created BIGINT NOT NULL, -- microseconds since 1970, as the two below
	expires BIGINT,          -- NULL: never
	revoked BIGINT,          -- NULL: not revoked
	data    BYTEA  NOT NULL
);

CREATE INDEX IF NOT EXISTS claviger_records_age ON claviger_records (created, id);
CREATE INDEX IF NOT EXISTS claviger_records_owner ON claviger_records (owner, created, id);
CREATE INDEX IF NOT EXISTS claviger_records_parent ON claviger_records (parent, created, id) WHERE parent IS NOT NULL;
CREATE INDEX IF NOT EXISTS claviger_records_expires ON claviger_records (expires) WHERE expires IS NOT NULL;
CREATE INDEX IF NOT EXISTS claviger_records_quota ON claviger_records (owner, type, kind, revoked, expires);

COMMENT ON TABLE claviger_records IS
	'The record is the JSON in data, and nothing else. The other columns are copies for searching: SQL on them REVOKES NOTHING. To end a key by hand, in one transaction: DELETE FROM claviger_records WHERE id = ''…'', then UPDATE claviger_counter SET n = n + 1.';

-- How often a secret of a key was used, first and last (seconds since 1970), and from which network (netip.Prefix in its
-- binary form; empty: not known): apart from the record, whose version it never moves.
CREATE TABLE IF NOT EXISTS claviger_usage (
	id         BYTEA  NOT NULL,
	secret     BIGINT NOT NULL, -- its number; 0: none
	uses       BIGINT NOT NULL,
	first_used BIGINT NOT NULL,
	last_used  BIGINT NOT NULL,
	network    BYTEA  NOT NULL,
	PRIMARY KEY (id, secret)
);

-- Written first by each insert with a quota, so that those of one owner wait for each other.
CREATE TABLE IF NOT EXISTS claviger_quotas (
	owner BYTEA  NOT NULL,
	type  BYTEA  NOT NULL,
	kind  BYTEA  NOT NULL,
	n     BIGINT NOT NULL,
	PRIMARY KEY (owner, type, kind)
);

-- One row. Each update and each delete adds one, as the last lock it takes: a change with a lower number is committed
-- before one with a higher number. Whoever polls it misses nothing.
CREATE TABLE IF NOT EXISTS claviger_counter (
	one SMALLINT NOT NULL PRIMARY KEY CHECK (one = 1),
	n   BIGINT   NOT NULL
);

INSERT INTO claviger_counter (one, n) VALUES (1, 0) ON CONFLICT (one) DO NOTHING;

-- Which record each number stands for. A number without a row means that anything may have changed.
CREATE TABLE IF NOT EXISTS claviger_changes (
	seq BIGINT NOT NULL,
	id  BYTEA  NOT NULL,
	PRIMARY KEY (seq, id)
);

-- +goose Down
DROP TABLE IF EXISTS claviger_changes;
DROP TABLE IF EXISTS claviger_counter;
DROP TABLE IF EXISTS claviger_quotas;
DROP TABLE IF EXISTS claviger_usage;
DROP TABLE IF EXISTS claviger_records;
