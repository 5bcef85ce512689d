-- what was long ago leaves history, and leaves nothing behind
CREATE SCHEMA history_purge;
SET search_path = history_purge, public;
SET client_min_messages = warning;
TRUNCATE sync_history, sync_rejects, sync_undo_runs, sync_undo_rows;

CREATE PROCEDURE ran(subject text, ago interval, number int DEFAULT 1) LANGUAGE sql AS $$
	INSERT INTO sync_history (operation, subject, environment, run_by, status, outcome, started_at, duration)
	SELECT 'progress', subject, 'production', 'me', 'success', 'success', now() - ago, '1 ms'
	FROM generate_series(1, number)
$$;
CREATE VIEW left_over AS
SELECT subject, count(*) FROM sync_history WHERE operation <> 'purge' GROUP BY subject ORDER BY subject;
CREATE VIEW latest AS
SELECT operation, subject, environment, run_by = current_user AS mine, status, deleted, details, error_sqlstate
FROM sync_history WHERE operation = 'purge' ORDER BY history_id DESC LIMIT 1;
CREATE VIEW dead AS
SELECT sum(pg_relation_size(relid)) / 8192 AS pages FROM pg_partition_tree('sync_history');

-- nothing to do
SELECT sync_purge_history('1 day');
SELECT * FROM latest;

-- all that is there is old: what is kept is this purge's own row
CALL ran('old', '2 days', 1000);
SELECT sync_purge_history('1 day');
SELECT * FROM left_over;
SELECT details FROM latest;

-- a few are kept, and moved; so are their identities
CALL ran('old', '2 days', 1000);
CALL ran('new', '1 hour', 10);
SELECT min(history_id) AS first, max(history_id) AS last FROM sync_history WHERE subject = 'new' \gset
SELECT sync_purge_history('1 day');
SELECT * FROM left_over;
SELECT details FROM latest;
SELECT count(*) FROM sync_history WHERE history_id BETWEEN :first AND :last;
SELECT pages < 10 AS small FROM dead;

-- most are kept: the others are deleted
CALL ran('old', '2 days', 5);
SELECT sync_purge_history('1 day');
SELECT * FROM left_over;
SELECT details FROM latest;

-- unless they may stay a little longer
CALL ran('old', '2 days', 5);
SELECT sync_purge_history('1 day', false);
SELECT sync_purge_history('1 day', exact => NULL);
SELECT * FROM left_over;

-- how long is a setting
SHOW sync_ext.history_retention;
CALL ran('old', '89 days');
CALL ran('very old', '91 days');
SELECT sync_purge_history();
SELECT * FROM left_over;
SET sync_ext.history_retention = '2d';
SELECT sync_purge_history(NULL);
SELECT * FROM left_over;
SET sync_ext.history_retention = -1;
CALL ran('very old', '4000 years');
SELECT sync_purge_history();
SELECT * FROM left_over;
SELECT sync_purge_history('100 years');
RESET sync_ext.history_retention;
SELECT sync_purge_history('0');
SELECT count(*) FROM sync_history;
\set VERBOSITY sqlstate
SET sync_ext.history_retention = -2;
\set VERBOSITY default
CREATE ROLE regress_purger;
SET ROLE regress_purger;
SET sync_ext.history_retention = 0;
SELECT complaint('SELECT sync_purge_history()');
RESET ROLE;

-- who may purge needs no right on the tables
GRANT EXECUTE ON FUNCTION sync_purge_history TO regress_purger;
CALL ran('old', '2 days');
SET ROLE regress_purger;
SELECT sync_purge_history('1 day');
RESET ROLE;
SELECT run_by FROM sync_history WHERE operation = 'purge' ORDER BY history_id DESC LIMIT 1;

-- what is refused
SELECT complaint($$SELECT sync_purge_history('-1 day')$$);
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT complaint('SELECT sync_purge_history()');
COMMIT;
BEGIN READ ONLY;
SELECT complaint('SELECT sync_purge_history()');
COMMIT;

-- rejects go with their run
TRUNCATE sync_history;
CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL);
SELECT rejected FROM sync_upsert('t', 'SELECT 1 AS id, NULL::int AS n', '{id}', max_rejects => 10);
SELECT rejected FROM sync_upsert('t', 'SELECT i AS id, NULL::int AS n FROM generate_series(1, 2) AS i', '{id}', max_rejects => 10);
UPDATE sync_history SET started_at = now() - interval '1 month' WHERE rejected = 1;
SELECT sync_purge_history('1 day');
SELECT details -> 'rejects' AS rejects FROM latest;
SELECT count(*) FROM sync_rejects;

-- so do images for undo
SELECT sync_create_stream('purged', 'history_purge.t', '{id}', 'SELECT 1 AS id, 1 AS n', keep_undo => '1 year');
SELECT inserted FROM sync_run('purged');
SELECT (SELECT count(*) FROM sync_undo_runs) AS runs, (SELECT count(*) FROM sync_undo_rows) AS rows;
SELECT sync_purge_history('1 day');
SELECT (SELECT count(*) FROM sync_undo_runs) AS runs, (SELECT count(*) FROM sync_undo_rows) AS rows;
UPDATE sync_history SET started_at = now() - interval '1 month' WHERE subject = 'purged';
SELECT sync_purge_history('1 day');
SELECT details -> 'undo_runs' AS undo_runs FROM latest;
SELECT (SELECT count(*) FROM sync_undo_runs) AS runs, (SELECT count(*) FROM sync_undo_rows) AS rows;
SELECT sync_drop_stream('purged');

-- three months of a run an hour, purged once a day: slots are emptied one after the
-- other and nothing is ever deleted, though all lies in them for two weeks only
TRUNCATE sync_history;
DO $$
BEGIN
	FOR day IN 1..90 LOOP
		UPDATE sync_history SET started_at = started_at - interval '1 day';
		CALL ran('daily', interval '12 hours', 24);
		PERFORM sync_purge_history('12 days', exact => false);
		UPDATE sync_history SET started_at = started_at - interval '1 second' WHERE started_at > now() - interval '1 second';
		IF (SELECT max(now() - started_at) FROM sync_history) > interval '15 days' THEN
			RAISE 'day %: % are left', day, (SELECT count(*) FROM sync_history);
		END IF;
	END LOOP;
END $$;
SELECT count(DISTINCT slot) > 5 AS spread, count(*) BETWEEN 12 * 24 AND 15 * 25 AS kept,
	sum((details -> 'slots_emptied')::int) > 3 AS emptied FROM sync_history;

-- all of it
SELECT sync_purge_history('0');
SELECT count(*) FROM sync_history;

\set QUIET
REVOKE ALL ON FUNCTION sync_purge_history FROM regress_purger;
DROP SCHEMA history_purge CASCADE;
DROP ROLE regress_purger;
