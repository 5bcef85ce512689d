-- jobs and the tasks that they consist of
CREATE SCHEMA jobs_tasks;
SET search_path = jobs_tasks, public;
CREATE ROLE regress_player;
CREATE ROLE regress_cheat;
GRANT USAGE ON SCHEMA jobs_tasks TO regress_player, regress_cheat;
TRUNCATE sync_history;
CREATE TABLE games (n int PRIMARY KEY, who text);
GRANT ALL ON games TO regress_player, regress_cheat;
GRANT EXECUTE ON FUNCTION sync_create_job, sync_set_job_status, sync_set_job_progress, sync_jobs_of, sync_enqueue, sync_cancel, sync_upsert
	TO regress_player, regress_cheat;
GRANT SELECT, INSERT ON sync_jobs TO regress_player, regress_cheat;
CREATE FUNCTION see(payload jsonb) RETURNS jsonb LANGUAGE sql SET search_path = public AS $$
	SELECT jsonb_build_object('user', sync_job_user(), 'jobs', (SELECT jsonb_agg(status) FROM sync_jobs_of()))
$$;
CREATE FUNCTION fetch_games(payload jsonb) RETURNS void LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
	job uuid := payload ->> 'job';
BEGIN
	PERFORM sync_upsert('jobs_tasks.games', 'SELECT n, current_user::text AS who FROM generate_series(1, 5) AS n', '{n}');
	PERFORM sync_set_job_progress(job, games_found => 5);
	PERFORM sync_set_job_status(job, 'analyzing');
	PERFORM sync_enqueue('jobs_analyze', payload, sync_job_id => job);
END $$;
CREATE FUNCTION analyze_games(payload jsonb) RETURNS void LANGUAGE sql SET search_path = public AS $$
	SELECT sync_set_job_progress((payload ->> 'job')::uuid, games_analyzed => 5)
$$;
CREATE FUNCTION fail(payload jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN RAISE 'no such player' USING ERRCODE = payload ->> 'state'; END $$;
INSERT INTO sync_operation_types (operation_type, handler, kind, max_attempts, backoff_base) VALUES
	('jobs_see', 'jobs_tasks.see(jsonb)', 'transaction', 4, '0'), ('jobs_see_external', 'jobs_tasks.see(jsonb)', 'external', 4, '0'),
	('jobs_fetch', 'jobs_tasks.fetch_games(jsonb)', 'transaction', 4, '0'), ('jobs_analyze', 'jobs_tasks.analyze_games(jsonb)', 'external', 4, '0'),
	('jobs_fail', 'jobs_tasks.fail(jsonb)', 'transaction', 2, '0');
CREATE VIEW job AS SELECT username, status, games_found AS found, games_analyzed AS analyzed, error, completed_at IS NOT NULL AS ended
	FROM sync_jobs ORDER BY created_at, username;
CREATE VIEW story AS SELECT operation, status, sync_job_id IS NOT NULL AS of_job, details - 'task' AS details, error_message AS error
	FROM sync_history ORDER BY history_id;

-- a job from its first task to its last, which the first puts into the queue
SET ROLE regress_player;
SELECT sync_create_job('lichess', 'ann') AS job \gset
SELECT sync_enqueue('jobs_fetch', jsonb_build_object('job', :'job'), sync_job_id => :'job') > 0 AS queued;
RESET ROLE;
SELECT * FROM job;
CALL sync_process_queue(1);
SELECT * FROM job;
CALL sync_process_queue();
SELECT * FROM job;
SELECT * FROM games ORDER BY 1;
SELECT operation, status, of_job FROM story;

-- one that fails for good fails its job; a failure that is tried again does not
TRUNCATE sync_history;
SET ROLE regress_player;
SELECT sync_create_job('lichess', 'bob') AS job \gset
SELECT count(sync_enqueue('jobs_fail', '{"state": "40001"}', sync_job_id => :'job')) AS queued;
RESET ROLE;
CALL sync_process_queue(1);
SELECT * FROM job WHERE username = 'bob';
CALL sync_process_queue(1);
SELECT * FROM job WHERE username = 'bob';
SELECT operation, status, of_job, error FROM story;

-- of the other tasks of a job that has ended, none is performed any more
TRUNCATE sync_history;
SET ROLE regress_player;
SELECT sync_create_job('lichess', 'cid') AS job \gset
SELECT count(sync_enqueue(t, '{"state": "22012"}', sync_job_id => :'job', priority => p))
FROM (VALUES ('jobs_fail', 1), ('jobs_see', 2), ('jobs_see_external', 3)) AS v (t, p);
RESET ROLE;
CALL sync_process_queue(1);
CALL sync_process_queue();
SELECT * FROM job WHERE username = 'cid';
SELECT operation, status, error FROM story ORDER BY operation;
SELECT count(*) FROM sync_queue WHERE sync_job_id = :'job';

-- nor does one that is done last in the same batch complete it
SET ROLE regress_player;
SELECT sync_create_job('lichess', 'cod') AS job \gset
SELECT count(sync_enqueue(t, '{"state": "22012"}', sync_job_id => :'job')) FROM unnest('{jobs_see,jobs_fail,jobs_see}'::text[]) AS t;
RESET ROLE;
CALL sync_process_queue();
SELECT * FROM job WHERE username = 'cod';

-- a job that has a task in the queue is not stuck
SET ROLE regress_player;
SELECT sync_create_job('lichess', 'coy') AS job \gset
SELECT sync_enqueue('jobs_see', sync_job_id => :'job', scheduled_time => now() + interval '1 day', unique_key => 'coy') > 0 AS queued;
RESET ROLE;
SELECT sync_cleanup_stuck_jobs('0');
DELETE FROM sync_queue WHERE unique_key = 'coy';
SELECT * FROM job WHERE username = 'coy';

-- a task that is cancelled by hand ends its job too
SET ROLE regress_player;
SELECT sync_create_job('lichess', 'dee') AS job \gset
SELECT sync_cancel(sync_enqueue('jobs_see', sync_job_id => :'job'));
RESET ROLE;
SELECT * FROM job WHERE username = 'dee';

-- tasks of both kinds act for the user of their job, also where that is none of the database's
TRUNCATE sync_history;
GRANT SET ON PARAMETER sync_ext.user_id TO regress_player;
SET ROLE regress_player;
BEGIN;
SET LOCAL sync_ext.user_id = 'customer 7';
SELECT sync_create_job('lichess', 'eve') AS job \gset
SELECT count(sync_enqueue(t, sync_job_id => :'job')) AS queued FROM unnest('{jobs_see,jobs_see_external}'::text[]) AS t;
COMMIT;
SELECT sync_enqueue('jobs_see') > 0 AS queued;
RESET ROLE;
CALL sync_process_queue();
SHOW sync_ext.user_id;
SELECT operation, status, of_job, details FROM story ORDER BY of_job, operation;
SELECT * FROM job WHERE username = 'eve';
REVOKE SET ON PARAMETER sync_ext.user_id FROM regress_player;

-- nobody puts a task into somebody else's job, by whatever SQL
TRUNCATE sync_jobs;
SET ROLE regress_player;
SELECT sync_create_job('lichess', 'gil') AS job \gset
RESET ROLE;
GRANT SELECT, INSERT, UPDATE ON sync_queue TO regress_cheat;
GRANT USAGE ON SEQUENCE sync_queue_queue_id_seq TO regress_cheat;
SET ROLE regress_cheat;
SELECT replace(line, :'job', '-') FROM complaint(format('SELECT sync_enqueue(%L, sync_job_id => %L)', 'jobs_see', :'job')) AS line;
SELECT replace(line, :'job', '-') FROM complaint(format('INSERT INTO sync_queue (operation_type, sync_job_id) VALUES (%L, %L)', 'jobs_see', :'job')) AS line;
SELECT sync_enqueue('jobs_see', unique_key => 'mine') > 0 AS queued;
SELECT replace(line, :'job', '-') FROM complaint(format('UPDATE sync_queue SET sync_job_id = %L', :'job')) AS line;
SELECT replace(line, :'job', '-') FROM complaint(format('SELECT sync_enqueue(%L, unique_key => %L, on_duplicate => %L, sync_job_id => %L)', 'jobs_see', 'mine', 'replace', :'job')) AS line;
SELECT complaint('SELECT sync_enqueue(''jobs_see'', sync_job_id => ''00000000-0000-0000-0000-000000000000'')');
RESET ROLE;
SELECT count(*) FROM sync_queue WHERE sync_job_id IS NOT NULL;
CALL sync_process_queue();
SELECT username, status FROM job;

-- what was synced without a job
TRUNCATE sync_history;
SELECT inserted FROM sync_upsert('games', 'SELECT 9 AS n, ''x'' AS who', '{n}');
SELECT inserted FROM sync_upsert('games', 'SELECT 10 AS n, ''x'' AS who', '{n}');
SELECT sync_purge_history() IS NOT NULL AS purged;
SET ROLE regress_player;
SELECT sync_enqueue('jobs_fetch', jsonb_build_object('job', :'job'), sync_job_id => :'job') > 0 AS queued;
RESET ROLE;
CALL sync_process_queue();
SELECT operation, subject, run_by = current_user AS mine, runs, rows_written, first_run < last_run AS several FROM sync_job_compliance();
SELECT count(*) FROM sync_job_compliance('0');
UPDATE sync_history SET started_at = now() - interval '8 days';
SELECT (SELECT count(*) FROM sync_job_compliance()) AS within_a_week, (SELECT count(*) FROM sync_job_compliance('1 year')) AS within_a_year;

\set QUIET
SET client_min_messages = warning;
TRUNCATE sync_jobs, sync_history;
DELETE FROM sync_operation_types WHERE operation_type ~ '^jobs_';
DROP SCHEMA jobs_tasks CASCADE;
DROP OWNED BY regress_player, regress_cheat;
DROP ROLE regress_player, regress_cheat;
