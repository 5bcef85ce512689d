-- Performing tasks, and the handlers that come with the extension.

CREATE PROCEDURE sync_process_queue(max_tasks integer DEFAULT 1000)
	LANGUAGE c AS 'MODULE_PATHNAME', 'sync_sql_process_queue';
REVOKE ALL ON PROCEDURE sync_process_queue(integer) FROM PUBLIC;
COMMENT ON PROCEDURE sync_process_queue(integer) IS
'Perform the tasks that are due, at most so many, in this session, as a worker does: each as the role that put it there, and committed as they are done. For pg_cron, or by hand, where there are no workers. Not inside a transaction.';

CREATE FUNCTION sync_task_stream(payload jsonb) RETURNS jsonb
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT to_jsonb(r) FROM sync_run(coalesce(payload ->> 'stream', '')) AS r;
END;
REVOKE ALL ON FUNCTION sync_task_stream(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION sync_task_stream(jsonb) IS
'Handler of operation type stream: runs the stream that the payload names, {"stream": name}.';

CREATE FUNCTION sync_task_athletes(payload jsonb) RETURNS jsonb
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT sync_task_stream('{"stream": "athletes"}' || payload);
END;
REVOKE ALL ON FUNCTION sync_task_athletes(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION sync_task_athletes(jsonb) IS
'Handler of operation type athletes: runs the stream athletes, or the one that the payload names.';

CREATE FUNCTION sync_task_progress(payload jsonb) RETURNS jsonb
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT jsonb_build_object('report', jsonb_agg(line))
	FROM sync_progress(false, payload ->> 'competition', payload ->> 'environment') AS line;
END;
REVOKE ALL ON FUNCTION sync_task_progress(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION sync_task_progress(jsonb) IS
'Handler of operation type progress: executes a reconciliation, for the competition and the environment that the payload names, {"competition": name, "environment": name}, or without them for all and here.';

CREATE FUNCTION sync_queue_job() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'sync_sql_queue_job';
REVOKE ALL ON FUNCTION sync_queue_job() FROM PUBLIC;
COMMENT ON FUNCTION sync_queue_job() IS
'Refuses a task that is part of somebody else''s job.';
CREATE TRIGGER sync_queue_job BEFORE INSERT OR UPDATE OF sync_job_id ON sync_queue
	FOR EACH ROW WHEN (NEW.sync_job_id IS NOT NULL) EXECUTE FUNCTION sync_queue_job();

CREATE FUNCTION sync_cleanup_stuck_jobs(older_than interval DEFAULT '1 hour') RETURNS bigint
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'sync_sql_cleanup_stuck_jobs';
REVOKE ALL ON FUNCTION sync_cleanup_stuck_jobs(interval) FROM PUBLIC;
COMMENT ON FUNCTION sync_cleanup_stuck_jobs(interval) IS
'Fail the jobs that have not ended, have no task in the queue, and gave no sign of life for longer than that: one''s own, or everyone''s for who sees all jobs. Returns how many. Error: 22023 older_than is negative.';

INSERT INTO sync_operation_types (operation_type, handler, shipped) VALUES
('stream', 'sync_task_stream(jsonb)', true),
('athletes', 'sync_task_athletes(jsonb)', true),
('progress', 'sync_task_progress(jsonb)', true);
