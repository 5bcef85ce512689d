-- streams that read only what is new
\pset format unaligned
\pset tuples_only
\set SHOW_CONTEXT never
CREATE SCHEMA watermark;
SET search_path = watermark, public;
SET TimeZone = 'UTC';
CREATE TABLE source (id int PRIMARY KEY, name text, at timestamptz);
CREATE TABLE target (id int PRIMARY KEY, name text);
INSERT INTO source SELECT n, 'name ' || n, '2026-01-01'::timestamptz + n * interval '1 hour' FROM generate_series(1, 9) AS n;
\set counts 'rows_read, inserted, updated, unchanged, deleted, rejected'

-- the rows at the watermark are read again, and those above it
SELECT sync_create_stream('hours', 'target', '{id}', 'TABLE source', watermark => 'at');
SELECT :counts FROM sync_run('hours', true);
SELECT :counts FROM sync_run('hours');
SELECT watermark FROM sync_watermarks WHERE stream_name = 'hours';
SELECT :counts FROM sync_run('hours');
INSERT INTO source VALUES (10, 'tie', '2026-01-01 09:00+0'), (11, 'new', '2026-01-01 12:00+0'), (12, 'too late', '2025-01-01');
SELECT action, key, after FROM sync_diff('hours');
SELECT :counts FROM sync_run('hours', dry_run => true);
SELECT watermark FROM sync_watermarks WHERE stream_name = 'hours';
SELECT :counts FROM sync_run('hours');
SELECT watermark FROM sync_watermarks WHERE stream_name = 'hours';
SELECT :counts FROM sync_run('hours');

-- so are those without a value, and those that nothing can pass
INSERT INTO source VALUES (13, 'none', NULL), (14, 'infinite', 'infinity');
SELECT :counts FROM sync_run('hours');
SELECT :counts FROM sync_run('hours');
SELECT watermark FROM sync_watermarks WHERE stream_name = 'hours';

-- everything is read where that is wanted
SELECT :counts FROM sync_run('hours', full_refresh => true, dry_run => true);
SELECT :counts FROM sync_run('hours', full_refresh => true);
SELECT :counts FROM sync_run('hours');
SELECT rows_read, details FROM sync_history WHERE subject = 'hours' AND details ? 'read_everything' ORDER BY history_id;
SELECT rows_read, details FROM sync_history WHERE subject = 'hours' ORDER BY history_id DESC LIMIT 1;

-- a run that comes to nothing does not move it
INSERT INTO source VALUES (15, 'undone', '2026-01-02');
BEGIN;
SAVEPOINT before;
SELECT :counts FROM sync_run('hours');
ROLLBACK TO before;
SELECT watermark FROM sync_watermarks WHERE stream_name = 'hours';
COMMIT;
ALTER TABLE target ADD CHECK (name <> 'undone');
SELECT :counts FROM sync_run('hours');
SELECT watermark FROM sync_watermarks WHERE stream_name = 'hours';
ALTER TABLE target DROP CONSTRAINT target_name_check;
SELECT :counts FROM sync_run('hours');

-- nor does it fall back when rows leave
DELETE FROM source WHERE id > 11;
SELECT :counts FROM sync_run('hours');
SELECT watermark FROM sync_watermarks WHERE stream_name = 'hours';
SELECT :counts FROM sync_run('hours', full_refresh => true);
SELECT watermark FROM sync_watermarks WHERE stream_name = 'hours';

-- everything is read where the definition, its columns or the target are others
UPDATE sync_streams SET query = query || ' ' WHERE stream_name = 'hours';
SELECT :counts FROM sync_run('hours');
ALTER TABLE source ADD COLUMN extra int DEFAULT 1;
ALTER TABLE target ADD COLUMN extra int;
SELECT :counts FROM sync_run('hours');
TRUNCATE target;
SELECT :counts FROM sync_run('hours');
DELETE FROM sync_watermarks WHERE stream_name = 'hours';
SELECT :counts FROM sync_run('hours');
SELECT :counts FROM sync_run('hours');
SELECT sync_drop_stream('hours');
SELECT count(*) FROM sync_watermarks WHERE stream_name = 'hours';

-- a lookback begins earlier
SELECT sync_create_stream('back', 'target', '{id}', 'SELECT id, name, at FROM source', watermark => 'at', lookback => '3 hours');
SELECT :counts FROM sync_run('back');
UPDATE source SET name = name || '!' WHERE at >= '2026-01-01 09:00+0';
SELECT :counts FROM sync_run('back');
SELECT sync_drop_stream('back');

-- columns of other types, whatever the settings say of how they look
CREATE TABLE kinds (id int PRIMARY KEY, i2 smallint, i4 int, i8 bigint, n numeric, f float8, d date, ts timestamp,
	tz timestamptz, t text, v varchar(40), u uuid);
INSERT INTO kinds SELECT n, n, n, n, n / 3.0, n / 3.0::float8, '2026-01-01'::date + n, '2026-01-01'::timestamp + n * interval '1.000001 s',
	'2026-01-01'::timestamptz + n * interval '1.000001 s', chr(64 + n), chr(96 + n) || 'É', lpad(n::text, 32, '0')::uuid
	FROM generate_series(1, 12) AS n;
SET extra_float_digits = 0;
SET DateStyle = 'SQL, DMY';
SELECT sync_create_stream(c, 'target', '{id}', format('SELECT id, %I FROM kinds', c), watermark => c, lookback => l)
	FROM (VALUES ('i2', '2'), ('i4', '2'), ('i8', '2'), ('n', '0.5'), ('f', '0.5'), ('d', '2 days'), ('ts', '2 s'), ('tz', '2 s'),
		('t', NULL), ('v', NULL), ('u', NULL)) AS v (c, l) \g /dev/null
TRUNCATE target;
INSERT INTO target SELECT id FROM kinds;
SELECT c, rows_read, unchanged FROM unnest('{i2,i4,i8,n,f,d,ts,tz,t,v,u}'::text[]) AS c, sync_run(c);
SELECT stream_name, watermark FROM sync_watermarks ORDER BY stream_name;
SET DateStyle = 'Postgres, MDY';
SET TimeZone = 'Asia/Tokyo';
INSERT INTO kinds SELECT 13, 13, 13, 13, 13, 13, 'infinity', 'infinity', 'infinity', 'Ä', 'Ä', 'ffffffffffffffffffffffffffffffff';
INSERT INTO kinds (id, n, f) VALUES (14, 'NaN', 'NaN'), (15, 'infinity', '-infinity');
SELECT c, rows_read, inserted FROM unnest('{i2,i4,i8,n,f,d,ts,tz,t,v,u}'::text[]) AS c, sync_run(c, true);
SELECT c, rows_read FROM unnest('{i2,i4,i8,n,f,d,ts,tz,t,v,u}'::text[]) AS c, sync_run(c);
SELECT stream_name, watermark FROM sync_watermarks ORDER BY stream_name;
RESET DateStyle;
RESET extra_float_digits;
SET TimeZone = 'UTC';
SELECT sync_drop_stream(stream_name) FROM sync_streams WHERE stream_name IN (SELECT stream_name FROM sync_watermarks) \g /dev/null

-- rows that are put aside are not forgotten when the watermark passes them
CREATE TABLE strict (id int PRIMARY KEY, name text CHECK (name <> 'bad'), at timestamptz);
CREATE TABLE rows (id int, name text, at timestamptz);
INSERT INTO rows VALUES (1, 'good', '2026-01-01'), (2, 'bad', '2026-01-03'), (NULL, 'keyless', '2026-01-04');
SELECT sync_create_stream('aside', 'strict', '{id}', 'TABLE rows', watermark => 'at', max_rejects => 5);
SELECT :counts FROM sync_run('aside');
SELECT watermark FROM sync_watermarks WHERE stream_name = 'aside';
SELECT row_number, raw FROM sync_rejects WHERE stream_name = 'aside' ORDER BY reject_id;
SELECT sync_drop_stream('aside');

-- what is not read is not gone: only a run that reads everything deletes and marks
CREATE TABLE marked (id int PRIMARY KEY, name text, gone timestamptz);
TRUNCATE target;
SELECT sync_create_stream('mirrored', 'target', '{id}', 'TABLE source', watermark => 'at', mode => 'mirror');
SELECT sync_create_stream('marked', 'marked', '{id}', 'SELECT id, name, at FROM source', watermark => 'at', mode => 'soft_delete', deleted_at => 'gone');
SELECT :counts FROM sync_run('mirrored');
SELECT :counts FROM sync_run('marked');
DELETE FROM source WHERE id < 4;
SELECT :counts FROM sync_run('mirrored');
SELECT :counts FROM sync_run('marked');
SELECT :counts FROM sync_run('mirrored', full_refresh => true);
SELECT :counts FROM sync_run('marked', full_refresh => true);
INSERT INTO source VALUES (2, 'back', '2026-01-05');
SELECT :counts FROM sync_run('marked');
SELECT id, name, gone FROM marked WHERE id = 2;

-- many rows at once, and a target that was never analyzed
CREATE TABLE many (id int PRIMARY KEY, n int) WITH (autovacuum_enabled = off);
CREATE TABLE numbers (id int, n int, at int);
INSERT INTO numbers SELECT n, n, n / 1000 FROM generate_series(1, 20000) AS n;
SELECT sync_create_stream('many', 'many', '{id}', 'TABLE numbers', watermark => 'at');
SELECT :counts FROM sync_run('many');
INSERT INTO numbers SELECT n, n, 21 FROM generate_series(20001, 25000) AS n;
UPDATE numbers SET n = -n, at = 22 WHERE id % 4 = 0;
SELECT :counts FROM sync_run('many');
UPDATE numbers SET n = 0, at = 23 WHERE id BETWEEN 7 AND 9;
ANALYZE many;
SELECT :counts FROM sync_run('many');
SELECT count(*) FROM numbers JOIN many USING (id, n);

-- what cannot be
SELECT sync_create_stream('s', 'target', '{id}', 'TABLE source', watermark => 'nothing');
SELECT sync_create_stream('s', 'target', '{id}', 'SELECT id, name, ''{}''::jsonb AS j FROM source', watermark => 'j');
SELECT sync_create_stream('s', 'target', '{id}', 'TABLE source', lookback => '1 hour');
\set SHOW_CONTEXT always
SELECT sync_create_stream('s', 'target', '{id}', 'TABLE source', watermark => 'at', lookback => 'an hour');
\set SHOW_CONTEXT never
SELECT sync_create_stream('s', 'target', '{id}', 'TABLE source', watermark => 'at', lookback => '-1 hour');
SELECT sync_create_stream('s', 'target', '{id}', 'SELECT id, name FROM source', watermark => 'id', lookback => '1 hour');
SELECT sync_create_stream('s', 'target', '{id}', 'SELECT id, name FROM source', watermark => 'id', lookback => '-1');
SELECT sync_create_stream('s', 'target', '{id}', 'SELECT id, name FROM source', watermark => 'name', lookback => '1');
SELECT sync_create_stream('s', 'target', NULL, 'TABLE source', watermark => 'at', mode => 'append');

SELECT sync_drop_stream(stream_name) FROM sync_streams WHERE target ~ '^watermark' \g /dev/null
DELETE FROM sync_rejects;
DELETE FROM sync_history;
SET client_min_messages = error;
DROP SCHEMA watermark CASCADE;
