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

CREATE FUNCTION sync_task_progress(payload jsonb) RETURNS jsonb
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT jsonb_build_object('report', jsonb_agg(line))
	FROM sync_progress(false, payload ->> 'competition', payload ->> 'environment') AS line;
END;
REVOKE ALL ON FUNCTION sync_task_progress(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION sync_task_progress(jsonb) IS
'Handler of operation type progress: executes a reconciliation, for the competition and the environment that the payload names, {"competition": name, "environment": name}, or without them for all and here.';

INSERT INTO sync_operation_types (operation_type, handler, shipped) VALUES
('stream', 'sync_task_stream(jsonb)', true),
('progress', 'sync_task_progress(jsonb)', true);
