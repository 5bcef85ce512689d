-- what a stream is for: rows of a query into a table
\pset format unaligned
\pset tuples_only
SET datestyle = ISO;
CREATE SCHEMA streams;
SET search_path = streams, public;
CREATE TABLE app_user (uuid int, name text, email text);
INSERT INTO app_user SELECT n, 'Athlete ' || n, 'x' FROM generate_series(1, 5) AS n;
CREATE TABLE athlete (id int PRIMARY KEY, full_name text, note text DEFAULT 'as given', synced_at timestamptz);
SELECT sync_create_stream('athletes', 'athlete', '{id}',
	'SELECT uuid AS id, name AS full_name FROM app_user', synced_at => 'synced_at');
CREATE VIEW last_run AS SELECT status, rows_read, inserted, updated, unchanged, deleted, rejected, bytes, details
FROM sync_history ORDER BY history_id DESC LIMIT 1;
CREATE VIEW history AS SELECT * FROM sync_history WHERE operation <> 'progress';

-- a dry run counts, and writes nothing
BEGIN READ ONLY;
SELECT rows_read, inserted, updated, unchanged, deleted, rejected, bytes, duration >= '0' FROM sync_run('athletes', dry_run => true);
SELECT * FROM sync_diff('athletes', 2);
COMMIT;
SELECT count(*) FROM athlete;
SELECT count(*) FROM history;

-- the first run adds all rows, in the order of the key
SELECT rows_read, inserted, updated, unchanged, deleted, rejected FROM sync_run('athletes');
SELECT id, full_name, note, synced_at IS NOT NULL FROM athlete;
SELECT operation, subject, environment, run_by = current_user, status, rows_read, inserted, duration >= '0' FROM history;

-- the second finds nothing to do, and writes no row
CREATE TABLE before AS SELECT xmin AS writer, ctid AS place, id, synced_at FROM athlete;
SELECT rows_read, inserted, updated, unchanged FROM sync_run('athletes');
SELECT count(*) FROM athlete a JOIN before b USING (id) WHERE (a.xmin, a.ctid) IS DISTINCT FROM (b.writer, b.place);
SELECT count(*) FROM sync_diff('athletes');

-- what is new, changed and gone
INSERT INTO app_user VALUES (6, 'Athlete 6', 'x'), (0, NULL, 'x');
UPDATE app_user SET name = 'Renamed' WHERE uuid = 2;
UPDATE app_user SET name = NULL WHERE uuid = 3;
DELETE FROM app_user WHERE uuid = 4;
UPDATE athlete SET note = 'mine' WHERE id = 2;
SELECT * FROM sync_diff('athletes');
SELECT * FROM sync_diff('athletes', 1);
SELECT count(*) FROM sync_diff('athletes', 0);
SELECT rows_read, inserted, updated, unchanged, deleted FROM sync_run('athletes', true);
SELECT rows_read, inserted, updated, unchanged, deleted FROM sync_run('athletes');
SELECT a.id, a.full_name, a.note, a.xmin <> b.writer AS written, a.synced_at > b.synced_at AS seen
FROM athlete a LEFT JOIN before b USING (id) ORDER BY id;
SELECT rows_read, inserted, updated, unchanged, deleted FROM sync_run('athletes');
SELECT * FROM last_run;

-- the time is that of the transaction, and an earlier command of it is seen
BEGIN;
UPDATE app_user SET name = 'Once more' WHERE uuid = 2;
SELECT updated FROM sync_run('athletes');
SELECT updated FROM sync_run('athletes');
SELECT synced_at = now() FROM athlete WHERE id = 2;
ROLLBACK;
SELECT full_name FROM athlete WHERE id = 2;

-- all rows seen get the time, where that is asked for
SELECT sync_create_stream('seen', 'athlete', '{id}', 'SELECT uuid AS id, name AS full_name FROM app_user WHERE uuid < 3',
	synced_at => 'synced_at', synced_at_rows => 'all');
UPDATE app_user SET name = 'Seen' WHERE uuid = 2;
UPDATE athlete SET synced_at = '2000-01-01';
SELECT rows_read, inserted, updated, unchanged FROM sync_run('seen');
SELECT id, full_name, synced_at > '2000-01-02' FROM athlete ORDER BY id;

-- append adds all rows, and needs no key
CREATE TABLE log (name text, at date DEFAULT '2026-01-01');
SELECT sync_create_stream('log', 'log', query => 'SELECT name FROM app_user WHERE uuid < 3 ORDER BY uuid', mode => 'append');
SELECT * FROM sync_diff('log');
SELECT rows_read, inserted FROM sync_run('log');
SELECT rows_read, inserted FROM sync_run('log');
SELECT name, at, count(*) FROM log GROUP BY 1, 2 ORDER BY 1;

-- a mirror deletes what the source does not have
CREATE TABLE mirror (LIKE athlete INCLUDING ALL);
INSERT INTO mirror SELECT n, 'old' FROM generate_series(0, 9) AS n;
SELECT sync_create_stream('mirror', 'mirror', '{id}', 'SELECT uuid AS id, name AS full_name FROM app_user WHERE uuid > 0', mode => 'mirror');
SELECT action, key FROM sync_diff('mirror');
SELECT rows_read, inserted, updated, unchanged, deleted FROM sync_run('mirror', true);
SELECT rows_read, inserted, updated, unchanged, deleted FROM sync_run('mirror');
SELECT id, full_name FROM mirror ORDER BY id;
SELECT deleted FROM last_run;

-- but not more than it may, and never all of it
DELETE FROM app_user WHERE uuid > 2;
SELECT sync_run('mirror', true);
SELECT sync_run('mirror');
TRUNCATE app_user;
SELECT sync_run('mirror');
SELECT count(*) FROM mirror;
SELECT status, error_sqlstate, error_message FROM history WHERE status = 'failed' ORDER BY history_id;

-- an empty source of an upsert is a warning
SELECT rows_read, unchanged FROM sync_run('athletes');

-- rows that are gone are marked, and marked no more when they are back
INSERT INTO app_user SELECT n, 'Athlete ' || n FROM generate_series(1, 4) AS n;
CREATE TABLE soft (id int PRIMARY KEY, full_name text, deleted_at timestamptz);
SELECT sync_create_stream('soft', 'soft', '{id}', 'SELECT uuid AS id, name AS full_name FROM app_user',
	mode => 'soft_delete', deleted_at => 'deleted_at');
SELECT inserted FROM sync_run('soft');
DELETE FROM app_user WHERE uuid = 2;
SELECT * FROM sync_diff('soft');
SELECT inserted, updated, unchanged, deleted FROM sync_run('soft');
SELECT inserted, updated, unchanged, deleted FROM sync_run('soft');
SELECT id, full_name, deleted_at = now(), deleted_at IS NULL FROM soft ORDER BY id;
INSERT INTO app_user VALUES (2, 'Athlete 2');
SELECT action, key, (before ->> 'deleted_at')::timestamptz = deleted_at, before - 'deleted_at', after
FROM sync_diff('soft'), soft WHERE id = 2;
SELECT inserted, updated, unchanged, deleted FROM sync_run('soft');
SELECT id, full_name, deleted_at IS NULL FROM soft ORDER BY id;

-- nothing declared
SELECT rows_read, inserted, updated, unchanged FROM sync_upsert('athlete', 'VALUES (1, ''One''), (99, ''New'')', '{column1}');
SELECT rows_read, inserted, updated, unchanged FROM sync_upsert('athlete', 'SELECT 1 AS id, ''One'' AS full_name UNION ALL SELECT 99, ''New''', '{id}', dry_run => true);
SELECT rows_read, inserted, updated, unchanged FROM sync_upsert('athlete', 'SELECT 1 AS id, ''One'' AS full_name UNION ALL SELECT 99, ''New''', '{id}');
SELECT full_name FROM athlete WHERE id IN (1, 99) ORDER BY id;
SELECT operation, subject, status, inserted, updated FROM sync_history ORDER BY history_id DESC LIMIT 1;

-- forgetting a stream leaves its target and its history
SELECT sync_drop_stream('athletes');
SELECT sync_run('athletes');
SELECT count(*) FROM athlete;
