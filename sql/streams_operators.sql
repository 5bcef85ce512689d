-- operators are those of the types, not those that a search_path finds
\pset format unaligned
\pset tuples_only
\set SHOW_CONTEXT never
CREATE SCHEMA operators;
CREATE SCHEMA elsewhere;
SET search_path = operators, public;

-- checks of types whose operators no path finds, or finds others under their name
CREATE EXTENSION hstore SCHEMA elsewhere;
CREATE EXTENSION citext SCHEMA elsewhere;
CREATE TABLE parent (h elsewhere.hstore UNIQUE, c elsewhere.citext UNIQUE, n bigint UNIQUE, v varchar UNIQUE, j json);
INSERT INTO parent VALUES ('a=>1', 'Abc', 1, 'x', '1'), (NULL, 'x', NULL, 'ABC', NULL);
CREATE TABLE target (id int PRIMARY KEY, h elsewhere.hstore, c elsewhere.citext, i int, n numeric, v varchar, j json);
CREATE TABLE source AS SELECT 1 AS id, 'a=>1'::elsewhere.hstore AS h, 'ABC'::elsewhere.citext AS c, 1 AS i, 1.0 AS n, 'x'::varchar AS v;
SELECT sync_create_stream('operators', 'target', '{id}', 'TABLE source');
SELECT sync_add_check('operators', parent || ' for ' || child, 'foreign_key', ARRAY[child], parent => 'parent', parent_columns => ARRAY[parent])
FROM (VALUES ('h', 'h'), ('c', 'c'), ('i', 'n'), ('n', 'n'), ('v', 'v'), ('c', 'v'), ('v', 'c')) AS pairs (child, parent) \g /dev/null
SELECT inserted FROM sync_run('operators');
UPDATE source SET h = 'a=>2', i = 2, n = 1.5, v = 'y';
SELECT sync_run('operators');
-- a text of the parent is not that in other capitals, a citext is
UPDATE source SET h = 'a=>1', i = 1, n = 1, v = 'x', c = 'aBC';
UPDATE parent SET v = 'abc' WHERE v = 'ABC';
SELECT sync_drop_check('operators', 'v for v');
SELECT sync_run('operators');
SELECT sync_add_check('operators', 'none', 'foreign_key', '{j}', parent => 'parent', parent_columns => '{j}');
SELECT sync_add_check('operators', 'none', 'foreign_key', '{v}', parent => 'parent', parent_columns => '{n}');

-- operators that somebody has planted
CREATE FUNCTION planted(varchar, varchar) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'planted'; END $$;
CREATE FUNCTION planted(numeric, bigint) RETURNS numeric LANGUAGE plpgsql AS $$ BEGIN RAISE 'planted'; END $$;
CREATE FUNCTION planted(bigint, int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'planted'; END $$;
CREATE OPERATOR = (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = planted);
CREATE OPERATOR <> (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = planted);
CREATE OPERATOR < (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = planted);
CREATE OPERATOR >= (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = planted);
CREATE OPERATOR * (LEFTARG = numeric, RIGHTARG = bigint, FUNCTION = planted);
CREATE OPERATOR / (LEFTARG = numeric, RIGHTARG = bigint, FUNCTION = planted);
CREATE OPERATOR = (LEFTARG = bigint, RIGHTARG = int, FUNCTION = planted);
CREATE OPERATOR > (LEFTARG = bigint, RIGHTARG = int, FUNCTION = planted);
SET search_path = operators, public, pg_catalog;
CREATE TABLE words (v varchar PRIMARY KEY, w varchar, at varchar);
INSERT INTO words VALUES ('a', 'b', '1'), ('c', NULL, '2');
SELECT * FROM sync_coverage('words', 'w');
SELECT * FROM sync_find_duplicates('words', '{w}');
SELECT sync_create_stream('planted', 'words', '{v}', $$SELECT 'a'::varchar AS v, 'changed'::varchar AS w, '3'::varchar AS at
	UNION ALL SELECT 'd', 'new', '4' UNION ALL SELECT 'd', 'newer', '5'$$,
	mode => 'mirror', duplicates => 'reject', order_by => '{at}', watermark => 'at', max_rejects => 5, keep_undo => '1 day');
SELECT sync_add_check('planted', 'unique', 'unique', '{v,w}', min_share => 0.5);
SELECT sync_add_check('planted', 'foreign', 'foreign_key', '{v}', parent => 'words');
SELECT action, key FROM sync_diff('planted');
SELECT inserted, updated, deleted, rejected FROM sync_run('planted', dry_run => true);
SELECT inserted, updated, deleted, rejected FROM sync_run('planted');
SELECT rows_read, rejected FROM sync_run('planted');
SELECT check_name, passed FROM sync_check('planted');
SELECT inserted, updated, deleted FROM (SELECT max(history_id) AS run FROM sync_undo_runs) AS r, sync_undo(run);
TABLE words;

-- a backfill that overwrites, of types with an equality and without
ALTER TABLE words ADD j json, ADD c elsewhere.citext, ADD p point;
CALL sync_backfill('words', 'w', $$CASE WHEN v OPERATOR(pg_catalog.=) 'a' THEN 'b' ELSE 'filled' END::varchar$$, overwrite => true);
CALL sync_backfill('words', 'j', $$'{"a": 1}'::json$$, overwrite => true);
CALL sync_backfill('words', 'j', $$'{"a": 1}'::json$$, overwrite => true);
CALL sync_backfill('words', 'c', $$'Abc'::elsewhere.citext$$, overwrite => true);
CALL sync_backfill('words', 'c', $$NULL$$, overwrite => true);
CALL sync_backfill('words', 'c', $$NULL$$, overwrite => true);
CALL sync_backfill('words', 'p', $$point(1, 2)$$, overwrite => true);
TABLE words;
SELECT updated FROM sync_history WHERE operation = 'backfill' AND subject LIKE 'operators.%' ORDER BY history_id;

SELECT sync_drop_stream(name) FROM unnest('{operators,planted}'::text[]) AS name;
DELETE FROM sync_rejects;
TRUNCATE sync_undo_runs, sync_undo_rows;
SET client_min_messages = error;
DROP SCHEMA operators CASCADE;
DROP SCHEMA elsewhere CASCADE;
