-- What Migrate installs beside the tables of sqlstore. It may be run by hand, with the search_path of the store, as often
-- as one likes. To undo it: DROP FUNCTION claviger_notify() CASCADE.

-- The channel has the number of the table in its name, since channels belong to a database and stores to a schema.
CREATE OR REPLACE FUNCTION claviger_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_catalog.pg_notify('claviger_' || TG_RELID, '');
	RETURN NULL;
END
$$;

DROP TRIGGER IF EXISTS claviger_notify ON claviger_counter;

-- Every change of a record moves this counter in its own transaction, whoever makes it, and so do those by hand.
CREATE TRIGGER claviger_notify AFTER UPDATE ON claviger_counter
	FOR EACH STATEMENT EXECUTE FUNCTION claviger_notify();
