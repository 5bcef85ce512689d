-- how streams are doing
CREATE SCHEMA stat_streams;
SET search_path = stat_streams, public;
TRUNCATE sync_history;
CREATE TABLE source (id int, n int);
CREATE TABLE target (id int PRIMARY KEY, n int NOT NULL);
INSERT INTO source VALUES (1, 1), (2, 2);
SELECT sync_create_stream('good', 'target', '{id}', 'SELECT * FROM stat_streams.source');
SELECT sync_create_stream('never', 'target', '{id}', 'SELECT * FROM stat_streams.source');
CREATE VIEW state AS SELECT stream_name, target, last_run IS NOT NULL AS ran, last_status, rows_read, inserted, updated,
	last_success = last_run AS is_success, age BETWEEN '0' AND '1 minute' AS young, failures, last_sqlstate, last_error
FROM sync_stat_streams WHERE target ~ '^stat_streams' ORDER BY 1;
SELECT * FROM state;
SELECT inserted FROM sync_run('good');
SELECT * FROM state;

-- one that fails keeps the age of its last success, and failures are counted from there
INSERT INTO source VALUES (3, NULL);
SELECT complaint('SELECT sync_run(''good'')') LIMIT 1;
SELECT complaint('SELECT sync_run(''good'')') LIMIT 1;
SELECT * FROM state WHERE stream_name = 'good';
UPDATE source SET n = 3 WHERE id = 3;
SELECT inserted, updated FROM sync_run('good');
SELECT * FROM state WHERE stream_name = 'good';

-- what a provider of that name did is no run of the stream, nor is a dry run
INSERT INTO sync_history (operation, subject, environment, run_by, status, outcome, started_at, duration, queue_id)
VALUES ('stream', 'good', 'e', 'me', 'success', 'success', now() + interval '1 hour', '0', 7);
SELECT unchanged FROM sync_run('good', dry_run => true);
SELECT last_run < now() AS ran_before FROM sync_stat_streams WHERE stream_name = 'good';

-- long history is not read for it
INSERT INTO sync_history (operation, subject, environment, run_by, status, outcome, started_at, duration, queue_id)
SELECT 'task', 'good', 'e', 'me', 'success', 'success', now(), '0', n FROM generate_series(1, 20000) AS n;
ANALYZE sync_history;
CREATE FUNCTION plan() RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN RETURN QUERY EXECUTE 'EXPLAIN (COSTS off) SELECT * FROM sync_stat_streams'; END $$;
SELECT count(*) FROM plan() AS line, (SELECT DISTINCT slot FROM sync_history) AS filled
WHERE line ~ format('Seq Scan on sync_history_%s( |$)', slot);

SELECT complaint('SET ROLE pg_monitor; SELECT * FROM sync_stat_streams');
\set QUIET
SET client_min_messages = warning;
TRUNCATE sync_history;
SELECT sync_drop_stream('good'), sync_drop_stream('never') \g /dev/null
DROP SCHEMA stat_streams CASCADE;
