-- when a run is not taken back, and with what rights it is
\pset format unaligned
\pset tuples_only
\set SHOW_CONTEXT never
CREATE SCHEMA undo_refused;
SET search_path = undo_refused, public;
CREATE TABLE source (a int, b text, name text);
CREATE TABLE target (a int, b text, name text, note text, PRIMARY KEY (a, b));
SELECT sync_create_stream('r', 'target', '{a,b}', 'TABLE source', mode => 'mirror', max_delete_share => 1, keep_undo => '1 hour');
CREATE VIEW last AS SELECT max(history_id) AS run FROM sync_history WHERE status = 'success';
-- try to undo a run; its number is shown as N
CREATE FUNCTION try(run bigint, dry_run boolean DEFAULT false) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT replace(line, 'run ' || run, 'run N') FROM complaint(format('SELECT sync_undo(%s, %L)', run, dry_run)) AS line
$$;

-- nothing of the kind
SELECT sync_undo(0);
SELECT sync_undo(-1, true);
SELECT sync_undo(NULL) IS NULL;
SELECT sync_create_stream('s', 'target', '{a,b}', 'TABLE source', keep_undo => '0');
SELECT sync_create_stream('s', 'target', '{a,b}', 'TABLE source', keep_undo => '-1 day');
SELECT sync_create_stream('s', 'target', '{a,b}', 'TABLE source', keep_undo => '1 month -31 days');

INSERT INTO source VALUES (1, 'x', 'one'), (2, 'x', 'two'), (3, 'x', 'three'), (4, 'x', 'four');
SELECT inserted FROM sync_run('r');
UPDATE source SET name = upper(name) WHERE a < 3;
DELETE FROM source WHERE a = 3;
INSERT INTO source VALUES (5, 'y', 'five'), (6, 'y', 'six');
SELECT inserted, updated, deleted FROM sync_run('r');
SELECT run FROM last \gset

-- changed, gone, there again: all are named, and nothing is done
UPDATE target SET name = 'Two' WHERE a = 2;
UPDATE target SET note = 'mine' WHERE a = 5;
DELETE FROM target WHERE a = 6;
INSERT INTO target VALUES (3, 'x', 'three');
SELECT try(:run);
SELECT try(:run, true);
SELECT * FROM target ORDER BY a;
SELECT operation, subject, status, error_sqlstate, replace(error_message, 'run ' || :run, 'run N') FROM sync_history ORDER BY history_id DESC LIMIT 1;
-- what has been made as it was is no matter
UPDATE target SET name = 'TWO' WHERE a = 2;
UPDATE target SET note = NULL WHERE a = 5;
INSERT INTO target VALUES (6, 'y', 'six');
DELETE FROM target WHERE a = 3;
SELECT inserted, updated, deleted FROM sync_undo(:run, true);

-- columns and tables that are gone
ALTER TABLE target RENAME note TO remark;
SELECT try(:run);
ALTER TABLE target RENAME remark TO note;
ALTER TABLE target RENAME TO other;
SELECT try(:run);
ALTER TABLE other RENAME TO target;

-- a trigger or a policy that keeps a row as it is
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;
CREATE TRIGGER keep BEFORE UPDATE ON target FOR EACH ROW WHEN (old.a = 1) EXECUTE FUNCTION keep();
SELECT try(:run);
DROP TRIGGER keep ON target;
-- foreign keys hold
CREATE TABLE child (a int, b text, FOREIGN KEY (a, b) REFERENCES target);
INSERT INTO child VALUES (5, 'y');
SELECT try(:run);
DROP TABLE child;
SELECT count(*) FROM target;

-- in a read-only transaction only a dry run
BEGIN READ ONLY;
SELECT inserted, updated, deleted FROM sync_undo(:run, true);
SELECT try(:run);
ROLLBACK;

-- the rights of the caller
CREATE ROLE sync_undoer;
GRANT USAGE ON SCHEMA undo_refused TO sync_undoer;
SET ROLE sync_undoer;
SELECT try(:run);
RESET ROLE;
GRANT EXECUTE ON FUNCTION sync_undo TO sync_undoer;
SET ROLE sync_undoer;
SELECT try(:run);
SELECT count(*) FROM sync_undo_rows;
RESET ROLE;
GRANT SELECT ON target TO sync_undoer;
SET ROLE sync_undoer;
SELECT try(:run);
SELECT inserted, updated, deleted FROM sync_undo(:run, true);
RESET ROLE;
GRANT INSERT, UPDATE, DELETE ON target TO sync_undoer;
-- a row that a policy hides is as good as gone
ALTER TABLE target ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON target TO sync_undoer USING (a <> 5);
SET ROLE sync_undoer;
SELECT try(:run);
RESET ROLE;
ALTER TABLE target DISABLE ROW LEVEL SECURITY;
-- what texts become values by runs as the caller, whatever a domain does
CREATE FUNCTION spy(text) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RAISE NOTICE 'as %', current_user; RETURN true; END$$;
CREATE DOMAIN spied AS text CHECK (spy(VALUE));
SET client_min_messages = warning;
ALTER TABLE target ALTER note TYPE spied;
RESET client_min_messages;
SET ROLE sync_undoer;
SELECT inserted, updated, deleted FROM sync_undo(:run);
RESET ROLE;
SELECT * FROM target ORDER BY a;
SELECT run_by = 'sync_undoer', inserted, updated, deleted FROM sync_history WHERE operation = 'undo' AND status = 'success' ORDER BY history_id DESC LIMIT 1;
DROP OWNED BY sync_undoer;
DROP ROLE sync_undoer;
ALTER TABLE target ALTER note TYPE text;

-- rows that were put aside were not written
CREATE TABLE partly (id int PRIMARY KEY CHECK (id <> 7), v int) PARTITION BY RANGE (id);
CREATE TABLE partly_1 PARTITION OF partly FOR VALUES FROM (0) TO (1500);
CREATE TABLE partly_2 PARTITION OF partly FOR VALUES FROM (1500) TO (3000);
SELECT sync_create_stream('r part', 'partly', '{id}', 'SELECT n AS id, n AS v FROM generate_series(1, 3005) AS n',
	max_rejects => 10, keep_undo => '1 hour');
SELECT inserted, rejected FROM sync_run('r part');
SELECT run AS part FROM last \gset
SELECT count(*), count(DISTINCT key), min(key[1]::int), max(key[1]::int) FROM sync_undo_rows JOIN sync_undo_runs USING (undo_id) WHERE history_id = :part;
SELECT deleted FROM sync_undo(:part);
SELECT count(*) FROM partly;
-- rows of nothing but a key
CREATE TABLE only_key (id int PRIMARY KEY);
SELECT sync_create_stream('r key', 'only_key', '{id}', 'SELECT generate_series(1, 3) AS id', keep_undo => '1 hour');
SELECT inserted FROM sync_run('r key');
SELECT run AS key FROM last \gset
SELECT deleted FROM sync_undo(:key);
SELECT run AS key FROM last \gset
SELECT inserted FROM sync_undo(:key);
SELECT count(*) FROM only_key;
-- what a trigger made of a row is what must still be there
CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN new.name := upper(new.name) || '!'; RETURN new; END$$;
CREATE TABLE shouted (id int PRIMARY KEY, name text);
CREATE TRIGGER shout BEFORE INSERT OR UPDATE ON shouted FOR EACH ROW EXECUTE FUNCTION shout();
SELECT sync_create_stream('r shout', 'shouted', '{id}', 'SELECT a AS id, name FROM source', keep_undo => '1 hour');
SELECT inserted FROM sync_run('r shout');
UPDATE source SET name = 'changed' WHERE a = 1;
SELECT updated > 0 FROM sync_run('r shout');
SELECT run AS shout FROM last \gset
SELECT updated > 0 FROM sync_undo(:shout, true);
SELECT sync_drop_stream(name) FROM unnest('{r,r part,r key,r shout}'::text[]) AS name;
