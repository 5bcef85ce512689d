-- jobs: their path, their times, their counters, their limits
CREATE SCHEMA jobs;
SET search_path = jobs, public;
SET timezone = 'UTC';
CREATE VIEW job AS
SELECT user_id = current_user AS mine, platform, username, months_requested AS months, status, games_found AS found,
	games_analyzed AS analyzed, error, updated_at > created_at AS updated, completed_at >= updated_at AS ended
FROM sync_jobs ORDER BY created_at, username;

-- errors, without what differs from run to run
CREATE FUNCTION refusal(statement text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT regexp_replace(line, '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}', 'UUID') FROM complaint(statement) AS line
	WHERE line !~ 'Failing row'
$$;

-- one that goes its way
SELECT sync_create_job('lichess', 'ann') AS job \gset
SELECT * FROM job;
SELECT sync_set_job_status(:'job', 'fetching');
SELECT sync_set_job_progress(:'job', 10);
SELECT sync_set_job_progress(:'job', games_analyzed => 3);
SELECT sync_set_job_progress(:'job', 7, 2);
SELECT * FROM job;
SELECT sync_set_job_status(:'job', 'analyzing'), sync_set_job_status(:'job', 'analyzing');
SELECT sync_set_job_progress(:'job', 12, 12), sync_set_job_status(:'job', 'completed');
SELECT * FROM job;

-- and that nothing changes any more
SELECT refusal(format('SELECT sync_set_job_status(%L, %L)', :'job', status))
FROM unnest(ARRAY['pending', 'fetching', 'analyzing', 'failed', 'completed', 'done']) AS status;
SELECT refusal(format('SELECT sync_set_job_progress(%L, 13)', :'job'));
SELECT refusal(format('SELECT sync_set_job_progress(%L, 12)', :'job'));
SELECT updated_at, completed_at FROM sync_jobs \gset old_
UPDATE sync_jobs SET updated_at = now(), completed_at = now() + interval '1 day';
SELECT updated_at = :'old_updated_at', completed_at = :'old_completed_at' FROM sync_jobs;
SELECT refusal('UPDATE sync_jobs SET error = ''x''');

-- each step, by plain SQL
TRUNCATE sync_jobs;
SET sync_ext.job_limit_active = -1;
SET sync_ext.job_limit_hourly = -1;
CREATE FUNCTION step(before text, after text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	job uuid := sync_create_job('lichess', before || ' ' || after);
	way text[] := '{pending,fetching,analyzing,completed}';
BEGIN
	FOR i IN 2..array_position(way, CASE before WHEN 'failed' THEN 'pending' ELSE before END) LOOP
		UPDATE sync_jobs SET status = way[i] WHERE id = job;
	END LOOP;
	IF before = 'failed' THEN
		UPDATE sync_jobs SET status = 'failed', error = 'no' WHERE id = job;
	END IF;
	UPDATE sync_jobs SET status = after WHERE id = job;
	RETURN 'yes';
EXCEPTION WHEN object_not_in_prerequisite_state THEN
	RETURN replace(SQLERRM, job::text, '-');
END $$;
SELECT before, after, step(before, after)
FROM unnest('{pending,fetching,analyzing,completed,failed}'::text[]) WITH ORDINALITY AS b (before, m),
	unnest('{pending,fetching,analyzing,completed,failed}'::text[]) WITH ORDINALITY AS a (after, n)
ORDER BY m, n;
SELECT status, count(*), bool_and((completed_at IS NULL) = (status NOT IN ('completed', 'failed'))) FROM sync_jobs GROUP BY 1 ORDER BY 1;
TRUNCATE sync_jobs;
SELECT sync_create_job('lichess', 'bob', 1) AS job \gset
SELECT refusal('UPDATE sync_jobs SET status = ''completed''');
SELECT refusal('UPDATE sync_jobs SET status = ''done''');
SELECT refusal('UPDATE sync_jobs SET status = NULL');
SELECT refusal(format('INSERT INTO sync_jobs (id, platform, username) VALUES (%L, %L, %L) ON CONFLICT (id) DO UPDATE SET status = %L', :'job', 'x', 'y', 'completed'));
SELECT refusal($$MERGE INTO sync_jobs AS j USING (SELECT 1) AS one ON true WHEN MATCHED THEN UPDATE SET status = 'analyzing'$$);

-- counters do not go back, by plain SQL either; what was asked for stays
UPDATE sync_jobs SET games_found = 5, games_analyzed = 2;
SELECT refusal('UPDATE sync_jobs SET games_found = 4');
SELECT refusal('UPDATE sync_jobs SET games_analyzed = games_analyzed - 1');
SELECT refusal('UPDATE sync_jobs SET games_found = NULL');
SELECT refusal('UPDATE sync_jobs SET ' || change) FROM (VALUES ('id = gen_random_uuid()'), ('user_id = ''eve'''), ('platform = ''chess.com'''),
	('username = ''eve'''), ('months_requested = 12'), ('created_at = now() - interval ''1 day''')) AS v (change);
SELECT refusal('UPDATE sync_jobs SET error = ''but it goes on''');
SELECT updated_at AS before FROM sync_jobs \gset
UPDATE sync_jobs SET updated_at = 'epoch', completed_at = now();
SELECT updated_at > :'before' AS by_itself, completed_at FROM sync_jobs;

-- a job that fails says why
SELECT refusal(format('SELECT sync_set_job_status(%L, %L, %L)', :'job', 'fetching', 'why'));
SELECT sync_set_job_status(:'job', 'failed', 'HTTP 404: no such player');
SELECT * FROM job;
TRUNCATE sync_jobs;

-- how a job begins
SELECT refusal('INSERT INTO sync_jobs (platform, username, status) VALUES (''lichess'', ''eve'', ''completed'')');
SELECT refusal($$SELECT sync_create_job('', 'eve')$$);
SELECT refusal($$SELECT sync_create_job('lichess', NULL)$$);
SELECT refusal($$SELECT sync_create_job('lichess', 'eve', 0)$$);
SELECT refusal($$SELECT sync_create_job('lichess', 'eve', NULL)$$);
SELECT refusal($$INSERT INTO sync_jobs (platform, username, months_requested) VALUES ('lichess', 'eve', -1)$$);
SELECT refusal($$SELECT sync_set_job_status('00000000-0000-0000-0000-000000000000', 'fetching')$$) ~ '^42704 job "00000000-' AS unknown;
SELECT refusal($$SELECT sync_set_job_status(NULL, 'fetching')$$);
SELECT refusal($$SELECT sync_set_job_status('00000000-0000-0000-0000-000000000000', NULL)$$);
INSERT INTO sync_jobs (platform, username, updated_at, completed_at) VALUES ('lichess', 'zoe', 'infinity', NULL);
SELECT created_at = updated_at AS same FROM sync_jobs;
TRUNCATE sync_jobs;

-- limits: so many that are active
SET sync_ext.job_limit_active = 2;
SELECT sync_create_job('lichess', 'ann', user_id => 'u1') AS job \gset
SELECT sync_create_job('lichess', 'ann', user_id => 'u1') IS NOT NULL AS second, sync_create_job('lichess', 'ann', user_id => 'u2') IS NOT NULL AS other;
SELECT refusal($$SELECT sync_create_job('lichess', 'ann', user_id => 'u1')$$);
SELECT refusal($$INSERT INTO sync_jobs (user_id, platform, username) VALUES ('u1', 'lichess', 'ann')$$);
SELECT sync_set_job_status(:'job', 'failed');
SELECT sync_create_job('lichess', 'ann', user_id => 'u1') IS NOT NULL AS again;
SELECT refusal($$INSERT INTO sync_jobs (user_id, platform, username) SELECT 'u3', 'lichess', 'ann' FROM generate_series(1, 3)$$);
SELECT count(*) FROM sync_jobs WHERE user_id = 'u3';
INSERT INTO sync_jobs (user_id, platform, username) SELECT 'u3', 'lichess', 'ann' FROM generate_series(1, 2);

-- and so many within an hour, also where the transaction has an old snapshot
SET sync_ext.job_limit_active = -1;
SET sync_ext.job_limit_hourly = 3;
INSERT INTO sync_jobs (user_id, platform, username, created_at, updated_at, completed_at, status)
SELECT 'u4', 'lichess', n::text, now() - n * interval '25 minutes', now() - n * interval '25 minutes', now(), 'completed' FROM generate_series(1, 4) AS n;
SELECT sync_create_job('lichess', 'ann', user_id => 'u4') IS NOT NULL AS third;
SELECT regexp_replace(line, 'Wait for @ (9 mins 59 secs|10 mins)', 'Wait for ten minutes') FROM refusal($$SELECT sync_create_job('lichess', 'ann', user_id => 'u4')$$) AS line;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM sync_jobs WHERE user_id = 'u4';
SELECT refusal($$SELECT sync_create_job('lichess', 'ann', user_id => 'u4')$$) ~ '^53400' LIMIT 1;
COMMIT;
SET sync_ext.job_limit_hourly = 0;
SELECT refusal($$SELECT sync_create_job('lichess', 'ann', user_id => 'u5')$$);
RESET sync_ext.job_limit_hourly;
RESET sync_ext.job_limit_active;
SHOW sync_ext.job_limit_hourly;
SHOW sync_ext.job_limit_active;

-- looking at jobs
SELECT username, status FROM sync_jobs_of('u4');
SELECT count(*) FROM sync_jobs_of();
SELECT user_id, count(*) FROM sync_active_jobs() GROUP BY 1 ORDER BY 1;

-- those that no longer move
INSERT INTO sync_jobs (user_id, platform, username, status, created_at, updated_at) VALUES
	('u6', 'lichess', 'old', 'fetching', now() - interval '3 hours', '2026-01-02 03:04:05.678'),
	('u6', 'lichess', 'new', 'fetching', now() - interval '3 hours', now() - interval '59 minutes');
SELECT refusal($$SELECT sync_cleanup_stuck_jobs('-1 hour')$$);
SELECT sync_cleanup_stuck_jobs();
SELECT username, status, error, completed_at > now() - interval '1 hour' AS ended FROM sync_jobs_of('u6') ORDER BY 1;
SELECT sync_cleanup_stuck_jobs('30 minutes'), sync_cleanup_stuck_jobs('30 minutes') AS no_more;

\set QUIET
SET client_min_messages = warning;
TRUNCATE sync_jobs;
DROP SCHEMA jobs CASCADE;
