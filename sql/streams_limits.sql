-- streams at the limits: of what can be declared, of names, and of what happens to a target
\pset format unaligned
\pset tuples_only
\set SHOW_CONTEXT never
CREATE SCHEMA limits;
SET search_path = limits, public;

CREATE TABLE target (id int PRIMARY KEY, v text);
INSERT INTO target VALUES (2, 'good');

-- a lookback from which nothing can be taken would pass over rows; a time to keep images that has no end
CREATE TABLE source (id int, n numeric, f float8);
SELECT sync_create_stream('limits', 'target', '{id}', 'SELECT id, n FROM source', watermark => 'n', lookback => 'NaN');
SELECT sync_create_stream('limits', 'target', '{id}', 'SELECT id, n FROM source', watermark => 'n', lookback => 'infinity');
SELECT sync_create_stream('limits', 'target', '{id}', 'SELECT id, f FROM source', watermark => 'f', lookback => 'NaN');
SELECT sync_create_stream('limits', 'target', '{id}', 'SELECT id, f FROM source', watermark => 'f', lookback => '1e300');
SELECT sync_create_stream('limits too', 'target', '{id}', 'SELECT id FROM source', keep_undo => '1000000 years');

-- one that goes beyond what the type of the watermark has goes as far as that
CREATE TABLE long_ago (id int PRIMARY KEY, d date, t timestamptz, s smallint, n numeric, f float8, i int);
CREATE TABLE since (id int PRIMARY KEY);
INSERT INTO long_ago VALUES (1, '4713-01-01 BC', '4713-01-01 BC', -32768, -1e6, -1e300, -2147483648), (2, '2026-01-01', '2026-01-01', -5, 1, -1.7e308, -5);
SELECT sync_create_stream('since ' || c, 'since', '{id}', format('SELECT id, %I FROM long_ago', c), watermark => c, lookback => l)
FROM unnest('{d,t,s,n,f,i}'::text[], '{200000 years,200000 years,32767,1e130000,1.7e308,2147483647}'::text[]) AS u (c, l);
SELECT c, n, rows_read FROM unnest('{d,t,s,n,f,i}'::text[]) AS c, generate_series(1, 2) AS n, sync_run('since ' || c, dry_run => n < 0);

-- names of 63 bytes, and with all that has to be quoted
\set name '"%s $1 ; -- \\ '' äöü aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'
CREATE TABLE :"name" (:"name" int PRIMARY KEY, "a.b" text, "SELECT" text, " " timestamptz);
SELECT octet_length(relname), octet_length(attname) FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
WHERE relnamespace = 'limits'::regnamespace AND relname = :'name' AND attnum = 1;
SELECT sync_create_stream(:'name' || repeat('ä', 100), quote_ident(:'name'), ARRAY[:'name'],
	format('SELECT 1 AS %I, ''x'' AS "a.b", ''y'' AS "SELECT"', :'name'), synced_at => ' ', mode => 'mirror', max_rejects => 1, keep_undo => '1 day');
SELECT inserted FROM sync_run(:'name' || repeat('ä', 100), dry_run => true);
SELECT inserted FROM sync_run(:'name' || repeat('ä', 100));
UPDATE :"name" SET "SELECT" = 'z';
SELECT * FROM sync_diff(:'name' || repeat('ä', 100));
SELECT updated FROM sync_run(:'name' || repeat('ä', 100));
SELECT updated FROM (SELECT max(history_id) AS run FROM sync_undo_runs) AS r, sync_undo(run);
CALL sync_backfill(quote_ident(:'name'), 'a.b', '"SELECT"', overwrite => true);
SELECT * FROM sync_find_duplicates(quote_ident(:'name')::regclass, ARRAY[:'name']);
SELECT "a.b", "SELECT" FROM :"name";

-- a table without columns, and a source without
CREATE TABLE nothing ();
SELECT sync_create_stream('nothing', 'nothing', query => 'SELECT', mode => 'append');
SELECT sync_create_stream('nothing', 'nothing', query => 'SELECT 1 AS a', mode => 'append');
SELECT sync_create_stream('nothing', 'target', '{id}', 'SELECT');

-- types and columns that change after the stream was declared, in one session
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE moods (id int PRIMARY KEY, m mood, p positive);
CREATE TABLE told AS SELECT 1 AS id, 'sad' AS m, 5 AS p;
SELECT sync_create_stream('moods', 'moods', '{id}', 'SELECT * FROM told', max_rejects => 5);
SELECT inserted FROM sync_run('moods');
ALTER TYPE mood RENAME VALUE 'sad' TO 'blue';
SELECT unchanged, rejected FROM sync_run('moods');
UPDATE told SET m = 'blue';
ALTER DOMAIN positive ADD CHECK (VALUE > 100) NOT VALID;
SELECT unchanged, rejected FROM sync_run('moods');
UPDATE told SET p = 101;
SELECT updated, rejected FROM sync_run('moods');
SELECT error_sqlstate, error_message FROM sync_rejects WHERE stream_name = 'moods' ORDER BY reject_id;
ALTER TABLE moods ALTER m TYPE text, ALTER id TYPE bigint;
SELECT unchanged FROM sync_run('moods');
ALTER TABLE moods DROP m;
SELECT sync_run('moods');
ALTER TABLE told DROP m;
SELECT unchanged FROM sync_run('moods');
ALTER TABLE moods RENAME id TO number;
SELECT sync_run('moods');
DROP TABLE moods;
CREATE TABLE moods (p text, id int PRIMARY KEY);
SELECT inserted FROM sync_run('moods');
DROP TABLE moods;
CREATE VIEW moods AS SELECT 1 AS id;
SELECT sync_run('moods');

-- a source that sets its role, or changes or drops what is being run
CREATE ROLE limits_nobody;
CREATE FUNCTION becomes() RETURNS int LANGUAGE plpgsql AS $$ BEGIN SET ROLE limits_nobody; RETURN 5; END $$;
CREATE FUNCTION drops() RETURNS int LANGUAGE plpgsql AS $$ BEGIN DROP TABLE target; RETURN 5; END $$;
CREATE FUNCTION empties() RETURNS int LANGUAGE plpgsql AS $$ BEGIN TRUNCATE target; RETURN 5; END $$;
CREATE FUNCTION adds() RETURNS int LANGUAGE plpgsql AS $$ BEGIN INSERT INTO target VALUES (5, 'before'); RETURN 5; END $$;
\set VERBOSITY sqlstate
SELECT sync_upsert('target', 'SELECT becomes() AS id', '{id}');
SELECT current_user = session_user;
SELECT sync_upsert('target', 'SELECT drops() AS id', '{id}');
SELECT sync_upsert('target', 'SELECT empties() AS id', '{id}');
\set VERBOSITY default
SELECT inserted, updated FROM sync_upsert('target', 'SELECT adds() AS id, ''after'' AS v', '{id}');
TABLE target;

-- rules: what they make of rows is not counted, and images cannot be had through them
CREATE TABLE ruled (id int PRIMARY KEY, v text);
CREATE RULE nothing AS ON INSERT TO ruled DO INSTEAD NOTHING;
SELECT inserted, updated FROM sync_upsert('ruled', 'SELECT 1 AS id, ''a'' AS v', '{id}');
SELECT sync_create_stream('ruled', 'ruled', '{id}', 'SELECT 1 AS id, ''a'' AS v', keep_undo => '1 day');
SELECT sync_run('ruled');
SELECT count(*) FROM ruled;

SELECT sync_drop_stream(stream_name) FROM sync_streams WHERE target ~ '^limits\.';
TRUNCATE sync_undo_runs, sync_undo_rows;
DELETE FROM sync_rejects;
SET client_min_messages = warning;
DROP SCHEMA limits CASCADE;
DROP ROLE limits_nobody;
