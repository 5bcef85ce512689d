-- constraints that are deferred are checked by the run, not by the commit
\pset format unaligned
\pset tuples_only
CREATE SCHEMA deferred;
SET search_path = deferred, public;
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int PRIMARY KEY, parent int, u int,
	CONSTRAINT "Known" FOREIGN KEY (parent) REFERENCES parent DEFERRABLE INITIALLY DEFERRED,
	CONSTRAINT once UNIQUE (u) DEFERRABLE INITIALLY DEFERRED);
INSERT INTO parent VALUES (1), (2);
CREATE VIEW source AS SELECT * FROM (VALUES (1, 1, 1), (2, 9, 2), (3, 2, 3)) AS v (id, parent, u);
SELECT sync_create_stream('deferred', 'child', '{id}', 'SELECT * FROM source');

-- the run fails, inside of a transaction that goes on, and history says so
BEGIN;
SAVEPOINT before;
SELECT sync_run('deferred');
ROLLBACK TO before;
COMMIT;
SELECT sync_run('deferred');
SELECT status, error_sqlstate, error_message FROM sync_history WHERE subject = 'deferred' AND status <> 'success' ORDER BY history_id DESC LIMIT 1;
TABLE child;

-- where rows may be put aside, those that break them are
UPDATE sync_streams SET max_rejects = 5 WHERE stream_name = 'deferred';
CREATE OR REPLACE VIEW source AS SELECT * FROM (VALUES (1, 1, 1), (2, 9, 2), (3, 2, 3), (4, NULL, 3)) AS v (id, parent, u);
SELECT rows_read, inserted, rejected FROM sync_run('deferred');
TABLE child;
SELECT row_number, r.error_sqlstate FROM sync_rejects AS r WHERE stream_name = 'deferred' ORDER BY 1;

-- what is right only at the end is right, and the constraints are deferred as before
CREATE OR REPLACE VIEW source AS SELECT * FROM (VALUES (1, 1, 3), (3, 2, 1)) AS v (id, parent, u);
BEGIN;
SELECT inserted, updated, rejected FROM sync_run('deferred');
INSERT INTO child VALUES (7, 7, 7);
INSERT INTO parent VALUES (7);
COMMIT;
TABLE child;

-- a row that others still refer to is gone from a mirror; a constraint trigger
SELECT sync_create_stream('parents', 'parent', '{id}', 'SELECT 1 AS id UNION ALL SELECT 7', mode => 'mirror');
SELECT sync_run('parents');
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused at last' USING ERRCODE = '23514'; END $$;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON parent DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.id > 10) EXECUTE FUNCTION refuse();
SELECT sync_upsert('parent', 'SELECT 11 AS id', '{id}');
SELECT inserted, rejected FROM sync_upsert('parent', 'SELECT generate_series(9, 11) AS id', '{id}', max_rejects => 5);

-- of a group, when all of it is written
CREATE TABLE boss (id int PRIMARY KEY, club int);
CREATE TABLE club (id int PRIMARY KEY, boss int REFERENCES boss DEFERRABLE INITIALLY DEFERRED);
ALTER TABLE boss ADD FOREIGN KEY (club) REFERENCES club DEFERRABLE INITIALLY DEFERRED;
SELECT sync_create_stream('deferred boss', 'boss', '{id}', 'SELECT 1 AS id, 2 AS club');
SELECT sync_create_stream('deferred club', 'club', '{id}', 'SELECT 2 AS id, 1 AS boss');
SELECT stream, inserted FROM sync_run_group('{deferred boss,deferred club}') ORDER BY 1;
DELETE FROM sync_streams WHERE stream_name = 'deferred club';
SELECT sync_create_stream('deferred club', 'club', '{id}', 'SELECT 3 AS id, 4 AS boss');
SELECT sync_run_group('{deferred boss,deferred club}');

SELECT sync_drop_stream(stream_name) FROM sync_streams WHERE stream_name LIKE 'deferred%' OR stream_name = 'parents';
SET client_min_messages = warning;
DROP SCHEMA deferred CASCADE;
