-- values that cannot be those of the target: their rows are put aside, and tried again
\pset format unaligned
\pset tuples_only
CREATE SCHEMA conversions;
SET search_path = conversions, public;
CREATE VIEW rejected AS SELECT row_number, column_name, error_sqlstate, error_message, raw, refused_at
FROM sync_rejects WHERE history_id = (SELECT max(history_id) FROM sync_history WHERE operation IN ('stream', 'upsert')) ORDER BY reject_id;
CREATE DOMAIN positive AS int CHECK (value > 0);
CREATE DOMAIN given AS text NOT NULL;
CREATE TABLE source (id text, v text, n text, p int, g text);
INSERT INTO source VALUES ('10', 'ok', '1.5', 1, 'g'), ('x', 'no number', '2', 2, 'g'), ('3', 'too long for it', '3', 3, 'g'),
	('4', 'ok', 'nothing', 4, 'g'), ('5', 'ok', '5', -1, 'g'), ('6', 'ok', NULL, NULL, 'g'), ('7', 'ok', '99999', 7, 'g'),
	('8', 'ok', '8.04', 8, NULL), (NULL, 'ok', '9', 9, 'g'), ('2', 'ok', '2', 2, 'g'), ('02', 'ok', '2', 2, 'g');
CREATE TABLE target (id int PRIMARY KEY, v varchar(10), n numeric(4,1), p positive, g given);

-- the first of them fails the run, unless rows may be put aside
SELECT sync_upsert('target', 'TABLE source', '{id}');
SELECT rows_read, inserted, rejected FROM sync_upsert('target', 'TABLE source', '{id}', duplicates => 'reject', max_rejects => 8, dry_run => true);
SELECT rows_read, inserted, rejected FROM sync_upsert('target', 'TABLE source', '{id}', duplicates => 'reject', max_rejects => 8);
SELECT * FROM rejected;
SELECT * FROM target ORDER BY id;
SELECT rows_read, unchanged, rejected FROM sync_upsert('target', 'TABLE source', '{id}', duplicates => 'reject', max_rejects => 8);
SELECT sync_upsert('target', 'TABLE source', '{id}', duplicates => 'reject', max_rejects => 7);

-- many of them, in chunks that are all good, all bad or both; some keys order otherwise as texts
TRUNCATE target;
CREATE VIEW many AS SELECT n::text AS id, CASE WHEN n % 1000 = 5 OR n BETWEEN 4000 AND 6000 THEN 'not a number' ELSE n::text END AS n
FROM generate_series(1, 10000) AS n;
CREATE TABLE numbers (id int PRIMARY KEY, n int);
SELECT rows_read, inserted, rejected FROM sync_upsert('numbers', 'TABLE many', '{id}', max_rejects => 10000);
SELECT count(*), sum(id), sum(n) FROM numbers;
SELECT count(*), count(DISTINCT row_number), min(raw->>'id') FROM rejected;
SELECT rows_read, inserted, unchanged, rejected FROM sync_upsert('numbers', 'TABLE many', '{id}', max_rejects => 10000);

-- what no row is at fault for fails the run
CREATE FUNCTION broken(int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN no_such_function($1); END';
CREATE DOMAIN breaking AS int CHECK (broken(value));
CREATE TABLE broken_target (id int PRIMARY KEY, b breaking);
SELECT sync_upsert('broken_target', 'SELECT 1 AS id, 1 AS b', '{id}', max_rejects => 10);

-- a check that is left halfway by one row works for the next
CREATE TABLE known (n int);
INSERT INTO known SELECT generate_series(1, 100);
CREATE FUNCTION is_known(int) RETURNS boolean LANGUAGE sql AS $$ SELECT 1 / (n - 50) < 9 FROM conversions.known WHERE n = $1; SELECT EXISTS (SELECT FROM conversions.known WHERE n = $1) $$;
CREATE DOMAIN known_number AS int CHECK (is_known(value));
CREATE TABLE known_target (id int PRIMARY KEY, n known_number);
SELECT rows_read, inserted, rejected FROM sync_upsert('known_target', 'SELECT n AS id, n::text AS n FROM generate_series(40, 110, 5) AS n', '{id}', max_rejects => 10);
SELECT column_name, error_sqlstate, raw FROM rejected;
SELECT count(*) FROM known_target;

-- a share of the rows
SELECT sync_create_stream('shared', 'numbers', '{id}', 'TABLE many', max_reject_share => 1.5);
SELECT sync_create_stream('shared', 'numbers', '{id}', 'TABLE many', max_reject_share => -1);
SELECT sync_create_stream('shared', 'numbers', '{id}', 'TABLE many', max_reject_share => 0.2);
TRUNCATE numbers;
SELECT sync_run('shared');
SELECT count(*) FROM numbers;
UPDATE sync_streams SET max_reject_share = 0.21 WHERE stream_name = 'shared';
SELECT inserted, rejected FROM sync_run('shared');

-- tried again: what fits by now leaves, the rest stays with the reason why
INSERT INTO source VALUES ('11', 'ok', '11', 0, 'g');
TRUNCATE target;
SELECT sync_create_stream('again', 'target', '{id}', 'TABLE source', duplicates => 'reject', max_rejects => 20);
SELECT inserted, rejected FROM sync_run('again');
SELECT max(history_id) AS run FROM sync_history \gset
ALTER TABLE target ALTER v TYPE text;
UPDATE sync_rejects SET raw = raw || '{"id": "12"}' WHERE history_id = :run AND raw->>'id' = 'x';
SELECT rows_read, inserted, rejected FROM sync_replay_rejects(:run, dry_run => true);
SELECT rows_read, inserted, rejected FROM sync_replay_rejects(:run);
SELECT * FROM rejected;
SELECT id, v FROM target ORDER BY id;
ALTER TABLE target ADD CHECK (id <> 5);
UPDATE sync_rejects SET raw = raw || '{"p": 5}' WHERE history_id = :run AND raw->>'id' = '5';
SELECT rows_read, inserted, rejected FROM sync_replay_rejects(:run);
SELECT * FROM rejected WHERE refused_at = 'merge' AND error_sqlstate <> '21000';
ALTER TABLE target DROP CONSTRAINT target_id_check;
INSERT INTO target (id, v, g) VALUES (5, 'there by now', 'g');
SELECT rows_read, inserted, updated, rejected FROM sync_replay_rejects(:run);
SELECT v, p FROM target WHERE id = 5;
SELECT operation, status, rows_read, inserted, updated, rejected, details - 'run', details->>'run' = :'run' FROM sync_history
WHERE operation = 'replay' ORDER BY history_id;
SELECT sync_replay_rejects(-1);
CREATE FUNCTION message_of_replay(run bigint) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM sync_replay_rejects(run);
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || replace(SQLERRM, run::text, 'N');
END $$;
SELECT message_of_replay((SELECT min(history_id) FROM sync_rejects WHERE stream_name IS NULL));
SELECT sync_drop_stream('again');
SELECT sync_replay_rejects(:run);
RESET search_path;
