-- Jobs: what people asked for, each owned, limited, and moved along one path.

-- public: it tells a role what it is itself, and the policies below ask it
CREATE FUNCTION sync_job_user() RETURNS text
	LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'sync_sql_job_user';
COMMENT ON FUNCTION sync_job_user() IS
'Whose jobs are one''s own: the setting sync_ext.user_id, else the name of the current role. Only a superuser, or a role with GRANT SET ON PARAMETER sync_ext.user_id, can set that.';

CREATE TABLE sync_jobs (
	id uuid NOT NULL DEFAULT gen_random_uuid(),
	user_id text NOT NULL DEFAULT sync_job_user(),
	platform text NOT NULL,
	username text NOT NULL,
	months_requested integer NOT NULL DEFAULT 3,
	status text NOT NULL DEFAULT 'pending',
	games_found integer NOT NULL DEFAULT 0,
	games_analyzed integer NOT NULL DEFAULT 0,
	error text,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	completed_at timestamptz,
	CONSTRAINT sync_jobs_pkey PRIMARY KEY (id),
	CONSTRAINT sync_jobs_user_id_check CHECK (user_id <> ''),
	CONSTRAINT sync_jobs_platform_check CHECK (platform <> ''),
	CONSTRAINT sync_jobs_username_check CHECK (username <> ''),
	CONSTRAINT sync_jobs_months_requested_check CHECK (months_requested > 0),
	CONSTRAINT sync_jobs_status_check CHECK (status IN ('pending', 'fetching', 'analyzing', 'completed', 'failed')),
	CONSTRAINT sync_jobs_games_check CHECK (games_found >= 0 AND games_analyzed >= 0),
	CONSTRAINT sync_jobs_error_check CHECK (error IS NULL OR status = 'failed'),
	CONSTRAINT sync_jobs_completed_at_check CHECK ((completed_at IS NULL) = (status NOT IN ('completed', 'failed')))
);
CREATE INDEX sync_jobs_user_id_idx ON sync_jobs (user_id, created_at);
CREATE INDEX sync_jobs_active_idx ON sync_jobs (user_id, updated_at) WHERE status IN ('pending', 'fetching', 'analyzing');
REVOKE ALL ON TABLE sync_jobs FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('sync_jobs', '');

COMMENT ON TABLE sync_jobs IS
'What people asked to have synced, one row a job. Whoever is granted access to the table sees and makes only its own: those of sync_job_user(). A job goes from pending to fetching to analyzing to completed, or from any of these to failed, whatever SQL tries.';
COMMENT ON COLUMN sync_jobs.id IS 'Identity of the job; tasks name it as sync_job_id.';
COMMENT ON COLUMN sync_jobs.user_id IS 'Whose job it is: a user of the application, or a role.';
COMMENT ON COLUMN sync_jobs.platform IS 'Where from, as lichess.';
COMMENT ON COLUMN sync_jobs.username IS 'Whose games there.';
COMMENT ON COLUMN sync_jobs.months_requested IS 'How many months back.';
COMMENT ON COLUMN sync_jobs.status IS 'pending, fetching, analyzing, completed or failed.';
COMMENT ON COLUMN sync_jobs.games_found IS 'How many games were found so far; never goes back.';
COMMENT ON COLUMN sync_jobs.games_analyzed IS 'How many of them were analyzed so far; never goes back.';
COMMENT ON COLUMN sync_jobs.error IS 'Why it failed.';
COMMENT ON COLUMN sync_jobs.created_at IS 'When it was asked for.';
COMMENT ON COLUMN sync_jobs.updated_at IS 'When it last changed, or gave a sign of life.';
COMMENT ON COLUMN sync_jobs.completed_at IS 'When it ended, completed or failed.';

CREATE FUNCTION sync_jobs_guard() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'sync_sql_jobs_guard';
REVOKE ALL ON FUNCTION sync_jobs_guard() FROM PUBLIC;
COMMENT ON FUNCTION sync_jobs_guard() IS
'Refuses steps that no job takes and jobs over the limits of their owner; keeps the times.';
CREATE TRIGGER sync_jobs_guard BEFORE INSERT OR UPDATE ON sync_jobs
	FOR EACH ROW EXECUTE FUNCTION sync_jobs_guard();

CREATE FUNCTION sync_jobs_tell() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'sync_sql_jobs_tell';
REVOKE ALL ON FUNCTION sync_jobs_tell() FROM PUBLIC;
COMMENT ON FUNCTION sync_jobs_tell() IS
'Notifies those who LISTEN to channel sync_jobs of what became of a job.';
CREATE TRIGGER sync_jobs_tell AFTER INSERT OR UPDATE ON sync_jobs
	FOR EACH ROW EXECUTE FUNCTION sync_jobs_tell();

CREATE POLICY sync_jobs_see ON sync_jobs FOR SELECT USING (user_id = sync_job_user());
CREATE POLICY sync_jobs_create ON sync_jobs FOR INSERT WITH CHECK (user_id = sync_job_user());
CREATE POLICY sync_jobs_change ON sync_jobs FOR UPDATE USING (user_id = sync_job_user());
ALTER TABLE sync_jobs ENABLE ROW LEVEL SECURITY;

CREATE FUNCTION sync_create_job(platform text, username text,
	months_requested integer DEFAULT 3, user_id text DEFAULT NULL) RETURNS uuid
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'sync_sql_create_job';
REVOKE ALL ON FUNCTION sync_create_job(text, text, integer, text) FROM PUBLIC;
COMMENT ON FUNCTION sync_create_job(text, text, integer, text) IS
'Ask for the games of a player on a platform, of so many months back. Returns the id of the job, which is pending. user_id: NULL: oneself; another one only for who sees all jobs.
Errors: 53400 too many jobs that are active, or that were created within an hour: the detail says how long to wait; 42501 somebody else''s.';

CREATE FUNCTION sync_set_job_status(id uuid, status text, error text DEFAULT NULL) RETURNS void
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'sync_sql_set_job_status';
REVOKE ALL ON FUNCTION sync_set_job_status(uuid, text, text) FROM PUBLIC;
COMMENT ON FUNCTION sync_set_job_status(uuid, text, text) IS
'Move a job to its next status, or to failed, with the error. Setting the status that it has is a sign of life. Errors: 42704 no such job of one''s own, 55000 no step that a job takes.';

CREATE FUNCTION sync_set_job_progress(id uuid, games_found integer DEFAULT NULL,
	games_analyzed integer DEFAULT NULL) RETURNS void
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'sync_sql_set_job_progress';
REVOKE ALL ON FUNCTION sync_set_job_progress(uuid, integer, integer) FROM PUBLIC;
COMMENT ON FUNCTION sync_set_job_progress(uuid, integer, integer) IS
'Say how far a job has come. What is NULL, or less than was said before, stays as it is, so that reports may come late. Errors as in sync_set_job_status.';

CREATE FUNCTION sync_jobs_of(user_id text DEFAULT NULL) RETURNS SETOF sync_jobs
	LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'sync_sql_jobs_of';
REVOKE ALL ON FUNCTION sync_jobs_of(text) FROM PUBLIC;
COMMENT ON FUNCTION sync_jobs_of(text) IS
'The jobs of a user, the latest first. NULL: one''s own; those of another one only for who sees all jobs. Error: 42501 somebody else''s.';

CREATE FUNCTION sync_active_jobs() RETURNS SETOF sync_jobs
	LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'sync_sql_active_jobs';
REVOKE ALL ON FUNCTION sync_active_jobs() FROM PUBLIC;
COMMENT ON FUNCTION sync_active_jobs() IS
'The jobs that have not ended, the oldest first: one''s own, or everyone''s for who sees all jobs.';

CREATE FUNCTION sync_job_compliance(since interval DEFAULT '7 days',
	OUT operation text, OUT subject text, OUT run_by text, OUT runs bigint,
	OUT rows_written bigint, OUT first_run timestamptz, OUT last_run timestamptz) RETURNS SETOF record
	LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'sync_sql_job_compliance';
REVOKE ALL ON FUNCTION sync_job_compliance(interval) FROM PUBLIC;
COMMENT ON FUNCTION sync_job_compliance(interval) IS
'What was synced since so long though no job asked for it, the latest first: runs that succeeded, by what they did, for what and as whom. A run is part of a job when it is made by a task with its sync_job_id.';
