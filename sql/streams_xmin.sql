-- streams that find what is new by the transaction that wrote it
\pset format unaligned
\pset tuples_only
\set SHOW_CONTEXT never
CREATE SCHEMA xmins;
SET search_path = xmins, public;
CREATE TABLE source (id int PRIMARY KEY, name text);
CREATE TABLE target (id int PRIMARY KEY, name text);
INSERT INTO source SELECT n, 'name ' || n FROM generate_series(1, 9) AS n;
\set counts 'rows_read, inserted, updated, unchanged, deleted, rejected'

-- nothing but what was written since is read
SELECT sync_create_stream('x', 'target', '{id}', 'SELECT xmin, * FROM source', watermark => 'xmin');
SELECT :counts FROM sync_run('x', true);
SELECT :counts FROM sync_run('x');
SELECT :counts FROM sync_run('x');
INSERT INTO source VALUES (10, 'new');
UPDATE source SET name = 'changed' WHERE id IN (3, 4);
SELECT action, key FROM sync_diff('x');
SELECT :counts FROM sync_run('x', dry_run => true);
SELECT :counts FROM sync_run('x');
SELECT :counts FROM sync_run('x');
SELECT :counts FROM sync_run('x', full_refresh => true);
SELECT count(*) FROM source JOIN target USING (id, name);

-- also by the transaction that runs it, before and after
BEGIN;
INSERT INTO source VALUES (11, 'before');
SAVEPOINT inner_one;
INSERT INTO source VALUES (12, 'in a subtransaction');
RELEASE inner_one;
SELECT :counts FROM sync_run('x');
INSERT INTO source VALUES (13, 'after');
COMMIT;
SELECT :counts FROM sync_run('x');
SELECT :counts FROM sync_run('x');

-- what is undone leaves the watermark
INSERT INTO source VALUES (14, 'later');
BEGIN;
SELECT :counts FROM sync_run('x');
ROLLBACK;
SELECT :counts FROM sync_run('x');

-- a rewrite of the table keeps or renews what tells; frozen rows are old
VACUUM (FULL, FREEZE) source;
SELECT :counts FROM sync_run('x');
ALTER TABLE source ALTER COLUMN name TYPE varchar(40);
SELECT :counts FROM sync_run('x');
SELECT :counts FROM sync_run('x');
ALTER TABLE source ALTER COLUMN name TYPE text;
SELECT :counts FROM sync_run('x', full_refresh => true);

-- under another name, of a table with partitions, of a subquery, of the outer side of a join
CREATE TABLE parts (id int, name text) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (100) TO (200);
INSERT INTO parts VALUES (1, 'one'), (101, 'two');
TRUNCATE target;
SELECT sync_create_stream('parts', 'target', '{id}', 'SELECT p.* FROM (SELECT id, name, xmin AS written FROM parts) AS p', watermark => 'written');
SELECT sync_create_stream('join', 'target', '{id}', 'SELECT s.id, s.name, p.xmin FROM source AS s LEFT JOIN parts AS p USING (id)', watermark => 'xmin');
SELECT :counts FROM sync_run('parts');
INSERT INTO parts VALUES (102, 'three');
SELECT :counts FROM sync_run('parts');
SELECT :counts FROM sync_run('parts');
SELECT :counts FROM sync_run('join');
-- rows without a value are always read
SELECT :counts FROM sync_run('join');

-- what has been put back, or is too old to tell, is noticed
SELECT :counts FROM sync_run('x');
UPDATE sync_watermarks SET watermark = watermark::bigint + 1000000 WHERE stream_name = 'x';
SELECT :counts FROM sync_run('x');
UPDATE sync_watermarks SET source = '1' || source WHERE stream_name = 'x';
SELECT :counts FROM sync_run('x');
SELECT rows_read, details FROM sync_history WHERE subject = 'x' AND details ? 'read_everything' ORDER BY history_id;
SELECT :counts FROM sync_run('x');

-- what has no xmin of its own
CREATE VIEW a_view AS SELECT id, name FROM source;
CREATE VIEW telling AS SELECT id, name, xmin AS written FROM source;
CREATE FOREIGN DATA WRAPPER xmin_nothing;
CREATE SERVER xmin_nowhere FOREIGN DATA WRAPPER xmin_nothing;
CREATE FOREIGN TABLE a_foreign (id int, name text) SERVER xmin_nowhere;
CREATE FOREIGN TABLE parts_3 PARTITION OF parts FOR VALUES FROM (200) TO (300) SERVER xmin_nowhere;
SELECT sync_create_stream('s', 'target', '{id}', 'TABLE source', watermark => 'xmin');
SELECT sync_create_stream('s', 'target', '{id}', 'SELECT xmin, * FROM a_view', watermark => 'xmin');
SELECT sync_create_stream('s', 'target', '{id}', 'TABLE telling', watermark => 'written');
SELECT sync_create_stream('s', 'target', '{id}', 'SELECT xmin, * FROM a_foreign', watermark => 'xmin');
SELECT sync_create_stream('s', 'target', '{id}', 'SELECT xmin, * FROM parts', watermark => 'xmin');
SELECT sync_create_stream('s', 'target', '{id}', 'SELECT xmax AS xmin, id, name FROM source', watermark => 'xmin');
SELECT sync_create_stream('s', 'target', '{id}', 'SELECT id, name, xmin::text::xid AS xmin FROM source', watermark => 'xmin');
SELECT sync_create_stream('s', 'target', '{id}', 'SELECT xmin, id, max(name) AS name FROM source GROUP BY id', watermark => 'xmin');
SELECT sync_create_stream('s', 'target', '{id}', 'SELECT xmin, * FROM source', watermark => 'xmin', lookback => '10');
-- also where it was one when the stream was declared
SELECT :counts FROM sync_run('parts');

SELECT sync_drop_stream(stream_name) FROM sync_streams WHERE target ~ '^xmins' \g /dev/null
DELETE FROM sync_history;
SET client_min_messages = error;
DROP SCHEMA xmins CASCADE;
DROP FOREIGN DATA WRAPPER xmin_nothing CASCADE;
