-- Workers, as those who watch them see them.

CREATE FUNCTION sync_stat_workers_rows(OUT pid integer, OUT datname name, OUT worker integer,
	OUT state text, OUT queue_id bigint, OUT task_since timestamptz,
	OUT started_at timestamptz, OUT performed bigint, OUT failed bigint,
	OUT in_flight integer) RETURNS SETOF record
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'sync_sql_stat_workers';
REVOKE ALL ON FUNCTION sync_stat_workers_rows() FROM PUBLIC;
COMMENT ON FUNCTION sync_stat_workers_rows() IS 'The rows of sync_stat_workers.';

CREATE VIEW sync_stat_workers AS SELECT * FROM sync_stat_workers_rows();
REVOKE ALL ON TABLE sync_stat_workers FROM PUBLIC;
COMMENT ON VIEW sync_stat_workers IS
'Processes that perform tasks, in all databases; empty where sync_ext is not in shared_preload_libraries.';
COMMENT ON COLUMN sync_stat_workers.pid IS 'Process.';
COMMENT ON COLUMN sync_stat_workers.datname IS 'Database that it is in.';
COMMENT ON COLUMN sync_stat_workers.worker IS 'Number of the background worker, from 0; NULL: a session, in sync_process_queue().';
COMMENT ON COLUMN sync_stat_workers.state IS 'idle: it waits for work, or for the web; performing: it is at work on a task; busy: it looks for tasks or settles them.';
COMMENT ON COLUMN sync_stat_workers.queue_id IS 'The task that it is at work on.';
COMMENT ON COLUMN sync_stat_workers.task_since IS 'Since when.';
COMMENT ON COLUMN sync_stat_workers.started_at IS 'When it was started.';
COMMENT ON COLUMN sync_stat_workers.performed IS 'How many attempts at tasks it has made.';
COMMENT ON COLUMN sync_stat_workers.failed IS 'How many of them failed.';
COMMENT ON COLUMN sync_stat_workers.in_flight IS 'How many tasks it performs beside each other, which wait for the web.';
