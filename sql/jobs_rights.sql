-- whose jobs are whose
CREATE SCHEMA jobs_rights;
SET search_path = jobs_rights, public;
CREATE ROLE regress_ann;
CREATE ROLE regress_bob;
CREATE ROLE regress_web;
CREATE ROLE regress_staff BYPASSRLS;
GRANT USAGE ON SCHEMA jobs_rights TO regress_ann, regress_bob, regress_web, regress_staff;

-- nobody may do anything
SET ROLE regress_ann;
SELECT complaint('SELECT * FROM sync_jobs');
SELECT complaint($$SELECT sync_create_job('lichess', 'x')$$);
SELECT complaint($$SELECT sync_set_job_status(gen_random_uuid(), 'failed')$$);
SELECT complaint('SELECT sync_set_job_progress(gen_random_uuid(), 1)');
SELECT complaint('SELECT * FROM sync_jobs_of()');
SELECT complaint('SELECT * FROM sync_active_jobs()');
SELECT complaint('SELECT sync_cleanup_stuck_jobs()');
RESET ROLE;
GRANT SELECT, INSERT, UPDATE, DELETE ON sync_jobs TO regress_ann, regress_bob, regress_web, regress_staff;
GRANT EXECUTE ON FUNCTION sync_create_job, sync_set_job_status, sync_set_job_progress, sync_jobs_of, sync_active_jobs,
	sync_cleanup_stuck_jobs TO regress_ann, regress_bob, regress_web, regress_staff;

-- each role sees and makes its own
SET ROLE regress_ann;
SELECT sync_create_job('lichess', 'ann1') AS job \gset
INSERT INTO sync_jobs (platform, username) VALUES ('lichess', 'ann2');
SET ROLE regress_bob;
SELECT sync_create_job('lichess', 'bob1') IS NOT NULL AS created;
SELECT user_id, username FROM sync_jobs ORDER BY 2;
SELECT user_id, username FROM sync_active_jobs();
SELECT user_id, username FROM sync_jobs_of();
SELECT count(*) FROM sync_jobs_of('regress_bob');
SELECT complaint($$SELECT * FROM sync_jobs_of('regress_ann')$$);
SELECT complaint($$SELECT sync_create_job('lichess', 'x', user_id => 'regress_ann')$$);
SELECT complaint($$INSERT INTO sync_jobs (user_id, platform, username) VALUES ('regress_ann', 'lichess', 'x')$$);
SELECT replace(line, :'job', '-') FROM complaint(format('SELECT sync_set_job_status(%L, %L)', :'job', 'failed')) AS line;
SELECT replace(line, :'job', '-') FROM complaint(format('SELECT sync_set_job_progress(%L, 99)', :'job')) AS line;
UPDATE sync_jobs SET status = 'failed' WHERE username = 'ann1';
UPDATE sync_jobs SET games_found = 7;
SELECT regexp_replace(line, '".*"', '-') FROM complaint($$UPDATE sync_jobs SET user_id = 'regress_ann'$$) AS line;
DELETE FROM sync_jobs;
SELECT sync_cleanup_stuck_jobs('0');

-- who creates a job cannot say that it is an old one, to get around the limits
SELECT complaint($$INSERT INTO sync_jobs (platform, username, status, created_at) VALUES ('lichess', 'x', 'completed', '2020-01-01')$$);
INSERT INTO sync_jobs (platform, username, created_at) SELECT 'lichess', 'y', '2020-01-01' FROM generate_series(1, 2);
SELECT count(*) FROM sync_jobs WHERE created_at < now();
SELECT complaint($$INSERT INTO sync_jobs (platform, username, created_at) SELECT 'lichess', 'z', '2020-01-01' FROM generate_series(1, 9)$$);
SELECT complaint('SET sync_ext.job_limit_active = 100');
SELECT complaint('SET sync_ext.job_limit_hourly = -1');
RESET ROLE;
SELECT user_id, username, status, games_found FROM sync_jobs ORDER BY 1, 2;

-- nobody becomes somebody else by a setting
SET ROLE regress_bob;
SELECT complaint($$SET sync_ext.user_id = 'regress_ann'$$);
SELECT complaint($$SELECT set_config('sync_ext.user_id', 'regress_ann', true)$$);
SELECT complaint($$ALTER ROLE regress_bob SET sync_ext.user_id = 'regress_ann'$$);
RESET ROLE;
GRANT CREATE ON SCHEMA jobs_rights TO regress_bob;
SET ROLE regress_bob;
SELECT complaint($$CREATE FUNCTION trick() RETURNS SETOF sync_jobs LANGUAGE sql SET sync_ext.user_id = 'regress_ann' AS 'SELECT * FROM sync_jobs'$$);
SELECT complaint($$GRANT SET ON PARAMETER sync_ext.user_id TO regress_bob$$);
SELECT sync_job_user();

-- nor by planting what the policies might call
CREATE FUNCTION jobs_rights.sync_job_user() RETURNS text LANGUAGE sql AS 'SELECT ''regress_ann''';
CREATE FUNCTION jobs_rights.peek(text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$ BEGIN RAISE NOTICE 'saw %', $1; RETURN true; END $$;
SELECT username FROM sync_jobs WHERE peek(username) ORDER BY 1;
DROP FUNCTION jobs_rights.sync_job_user(), jobs_rights.peek(text);

-- a front end that was granted it does, one transaction at a time
RESET ROLE;
GRANT SET ON PARAMETER sync_ext.user_id TO regress_web;
SET ROLE regress_web;
BEGIN;
SET LOCAL sync_ext.user_id = 'customer 1';
SELECT sync_create_job('chess.com', 'c1') IS NOT NULL AS created;
INSERT INTO sync_jobs (platform, username) VALUES ('chess.com', 'c1 too');
SELECT count(*) FROM sync_jobs_of('customer 1');
SELECT user_id, username FROM sync_jobs ORDER BY 2;
COMMIT;
SELECT sync_job_user(), count(*) FROM sync_jobs;
SELECT complaint($$SELECT * FROM sync_jobs_of('customer 1')$$);
BEGIN;
SET LOCAL sync_ext.user_id = 'customer 2';
SELECT count(*) FROM sync_jobs;
SELECT complaint($$SELECT sync_create_job('chess.com', 'x', user_id => 'customer 1')$$);
-- also for roles that it becomes
SET LOCAL sync_ext.user_id = 'customer 1';
RESET ROLE;
GRANT regress_bob TO regress_web;
SET LOCAL ROLE regress_bob;
SELECT user_id, username FROM sync_jobs ORDER BY 2;
SELECT complaint($$SET LOCAL sync_ext.user_id = 'customer 2'$$);
COMMIT;

-- the empty setting is none
RESET ROLE;
SET sync_ext.user_id = '';
SELECT sync_job_user() = current_user;
RESET sync_ext.user_id;

-- staff sees all, and acts for all
SET ROLE regress_staff;
SELECT user_id, count(*) FROM sync_jobs GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM sync_active_jobs();
SELECT sync_create_job('lichess', 'for cid', user_id => 'cid') IS NOT NULL AS created;
SELECT sync_set_job_status(:'job', 'failed', 'by staff');
SELECT status, error FROM sync_jobs WHERE id = :'job';
SELECT complaint('SELECT sync_cleanup_stuck_jobs(''0'')');
RESET ROLE;
SELECT DISTINCT status FROM sync_jobs;

\set QUIET
SET client_min_messages = warning;
TRUNCATE sync_jobs;
REVOKE SET ON PARAMETER sync_ext.user_id FROM regress_web;
DROP SCHEMA jobs_rights CASCADE;
DROP OWNED BY regress_ann, regress_bob, regress_web, regress_staff;
DROP ROLE regress_ann, regress_bob, regress_web, regress_staff;
