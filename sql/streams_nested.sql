-- a run that begins in the middle of another one, by a trigger or in a query
\pset format unaligned
\pset tuples_only
\set SHOW_CONTEXT never
CREATE SCHEMA nested;
SET search_path = nested, public;
CREATE TABLE target (id int PRIMARY KEY, v text);
CREATE TABLE other (id int PRIMARY KEY, v text);
CREATE TABLE source AS SELECT n AS id, 'v' || n AS v FROM generate_series(1, 3) AS n;
CREATE FUNCTION runs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM sync_run(TG_ARGV[0]);
	RETURN NEW;
END $$;
SELECT sync_create_stream('outer', 'target', '{id}', 'TABLE source', keep_undo => '1 day');
SELECT sync_create_stream('inner', 'other', '{id}', 'TABLE source');
SELECT sync_create_stream('same target', 'target', '{id}', 'SELECT 4 AS id, ''four'' AS v');
CREATE TABLE seen (history_id bigint);
CREATE VIEW last AS SELECT subject, status, error_sqlstate FROM sync_history
	WHERE history_id > (SELECT coalesce(max(history_id), 0) FROM seen) ORDER BY history_id;
INSERT INTO seen SELECT max(history_id) FROM sync_history;

-- into the same table, before and after rows are written: refused, and history has each run once
CREATE TRIGGER runs BEFORE INSERT ON target FOR EACH ROW EXECUTE FUNCTION runs('outer');
SELECT sync_run('outer');
TABLE last;
DROP TRIGGER runs ON target;
CREATE TRIGGER runs AFTER INSERT ON target FOR EACH STATEMENT EXECUTE FUNCTION runs('same target');
SELECT sync_run('outer');
SELECT sync_upsert('target', 'TABLE source', '{id}');
SELECT sync_run_group('{inner,outer}');
TABLE target;
DROP TRIGGER runs ON target;
TRUNCATE seen;
INSERT INTO seen SELECT max(history_id) FROM sync_history;

-- in the query, and by way of another table
CREATE FUNCTION run_within() RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM sync_run('query'); RETURN 1; END $$;
SELECT sync_create_stream('query', 'target', '{id}', 'SELECT run_within() AS id');
SELECT sync_run('query');
CREATE TRIGGER runs AFTER INSERT ON other FOR EACH STATEMENT EXECUTE FUNCTION runs('outer');
CREATE TRIGGER runs AFTER INSERT ON target FOR EACH STATEMENT EXECUTE FUNCTION runs('inner');
SELECT sync_run('outer');
TABLE last;
TRUNCATE seen;
INSERT INTO seen SELECT max(history_id) FROM sync_history;

-- another table is another one's, and so is the same one once the inner run is over
DROP TRIGGER runs ON other;
SELECT inserted FROM sync_run('outer');
TABLE other;
BEGIN;
SELECT inserted FROM sync_run('same target');
SELECT unchanged FROM sync_run('same target');
SAVEPOINT before;
SELECT sync_run('query');
ROLLBACK TO before;
SELECT unchanged FROM sync_run('same target');
COMMIT;

-- an undo is a run as well
SELECT max(history_id) AS run FROM sync_undo_runs \gset
DROP TRIGGER runs ON target;
CREATE TRIGGER runs AFTER DELETE ON target FOR EACH STATEMENT EXECUTE FUNCTION runs('same target');
SELECT sync_undo(:run);
\echo :SQLSTATE
DROP TRIGGER runs ON target;
SELECT deleted FROM sync_undo(:run);

-- a dry run writes nothing, and may be anywhere
CREATE FUNCTION looks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM sync_run('outer', dry_run => true), count(*) FROM sync_diff('outer');
	RETURN NULL;
END $$;
CREATE TRIGGER looks AFTER INSERT ON target FOR EACH STATEMENT EXECUTE FUNCTION looks();
SELECT inserted FROM sync_run('outer');

SELECT sync_drop_stream(name) FROM unnest('{outer,inner,same target,query}'::text[]) AS name;
TRUNCATE sync_undo_runs, sync_undo_rows;
SET client_min_messages = warning;
DROP SCHEMA nested CASCADE;
