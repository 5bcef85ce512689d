-- History: what was done, by whom, and how it ended.

-- History lies in eight slots that are filled in turn, so that old history goes by
-- TRUNCATE; history_slot.c and history_purge.c say how.
CREATE SEQUENCE sync_history_slot_seq AS integer MINVALUE 0 MAXVALUE 7 START 0 CYCLE;
REVOKE ALL ON SEQUENCE sync_history_slot_seq FROM PUBLIC;
COMMENT ON SEQUENCE sync_history_slot_seq IS
'The slot of sync_history that new rows go into: its last value.';

CREATE FUNCTION sync_history_slot() RETURNS smallint
	LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'sync_sql_history_slot';
REVOKE ALL ON FUNCTION sync_history_slot() FROM PUBLIC;
COMMENT ON FUNCTION sync_history_slot() IS
'The slot of sync_history that new rows go into.';

CREATE TABLE sync_history (
	history_id bigint GENERATED ALWAYS AS IDENTITY,
	operation text NOT NULL,
	subject text,
	environment text NOT NULL,
	run_by text NOT NULL,
	status text NOT NULL,
	outcome text NOT NULL,
	started_at timestamptz NOT NULL,
	duration interval NOT NULL,
	rows_read bigint NOT NULL DEFAULT 0,
	inserted bigint NOT NULL DEFAULT 0,
	updated bigint NOT NULL DEFAULT 0,
	unchanged bigint NOT NULL DEFAULT 0,
	deleted bigint NOT NULL DEFAULT 0,
	rejected bigint NOT NULL DEFAULT 0,
	bytes bigint NOT NULL DEFAULT 0,
	details jsonb,
	error_sqlstate text,
	error_message text,
	error_detail text,
	error_hint text,
	error_context text,
	queue_id bigint,
	attempt integer,
	timing_partner_id bigint,
	sync_job_id uuid,
	slot smallint NOT NULL DEFAULT sync_history_slot(),
	CONSTRAINT sync_history_pkey PRIMARY KEY (history_id, slot),
	CONSTRAINT sync_history_status_check CHECK (status IN ('success', 'failed', 'failed_permanent', 'cancelled', 'stuck')),
	CONSTRAINT sync_history_outcome_check CHECK (
		outcome IN ('success', 'configuration', 'connection', 'sql', 'unexpected')
		AND (outcome = 'success') = (error_sqlstate IS NULL))
) PARTITION BY LIST (slot);
CREATE TABLE sync_history_0 PARTITION OF sync_history FOR VALUES IN (0);
CREATE TABLE sync_history_1 PARTITION OF sync_history FOR VALUES IN (1);
CREATE TABLE sync_history_2 PARTITION OF sync_history FOR VALUES IN (2);
CREATE TABLE sync_history_3 PARTITION OF sync_history FOR VALUES IN (3);
CREATE TABLE sync_history_4 PARTITION OF sync_history FOR VALUES IN (4);
CREATE TABLE sync_history_5 PARTITION OF sync_history FOR VALUES IN (5);
CREATE TABLE sync_history_6 PARTITION OF sync_history FOR VALUES IN (6);
CREATE TABLE sync_history_7 PARTITION OF sync_history FOR VALUES IN (7);
CREATE INDEX sync_history_timing_partner_id_idx ON sync_history (timing_partner_id, started_at) WHERE timing_partner_id IS NOT NULL;
CREATE INDEX sync_history_failed_task_idx ON sync_history (queue_id) WHERE queue_id IS NOT NULL AND status <> 'success';
CREATE INDEX sync_history_failed_group_idx ON sync_history ((details -> 'task' ->> 'task_group'))
	WHERE queue_id IS NOT NULL AND status <> 'success' AND details -> 'task' ->> 'task_group' IS NOT NULL;
CREATE INDEX sync_history_started_at_idx ON sync_history USING brin (started_at);
CREATE INDEX sync_history_stream_idx ON sync_history (subject, history_id) WHERE operation = 'stream' AND queue_id IS NULL;
CREATE INDEX sync_history_stream_tenant_idx ON sync_history (subject, timing_partner_id, history_id)
	WHERE operation = 'stream' AND queue_id IS NULL;
REVOKE ALL ON TABLE sync_history, sync_history_0, sync_history_1, sync_history_2, sync_history_3,
	sync_history_4, sync_history_5, sync_history_6, sync_history_7 FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('sync_history', '');
SELECT pg_catalog.pg_extension_config_dump('sync_history_0', '');
SELECT pg_catalog.pg_extension_config_dump('sync_history_1', '');
SELECT pg_catalog.pg_extension_config_dump('sync_history_2', '');
SELECT pg_catalog.pg_extension_config_dump('sync_history_3', '');
SELECT pg_catalog.pg_extension_config_dump('sync_history_4', '');
SELECT pg_catalog.pg_extension_config_dump('sync_history_5', '');
SELECT pg_catalog.pg_extension_config_dump('sync_history_6', '');
SELECT pg_catalog.pg_extension_config_dump('sync_history_7', '');
SELECT pg_catalog.pg_extension_config_dump('sync_history_slot_seq', '');
SELECT pg_catalog.pg_extension_config_dump('sync_history_history_id_seq', '');

COMMENT ON TABLE sync_history IS
'One row for each executed run, also for one that failed and was rolled back. Dry runs leave none.';
COMMENT ON COLUMN sync_history.history_id IS 'Identity of the run.';
COMMENT ON COLUMN sync_history.operation IS 'What kind of run it was: progress, stream, upsert, replay, undo, backfill or purge; of an attempt at a task, its operation type.';
COMMENT ON COLUMN sync_history.subject IS 'What the run was for: the competition it was restricted to, the stream, the table, the column; NULL where it was for everything.';
COMMENT ON COLUMN sync_history.environment IS 'Where it ran: sync_ext.environment for this database, else the name of the foreign server.';
COMMENT ON COLUMN sync_history.run_by IS 'The role whose rights the run had.';
COMMENT ON COLUMN sync_history.status IS 'success or failed. An attempt at a task that failed is to be tried again; failed_permanent: it is not; cancelled: somebody gave it up; stuck: its worker was lost.';
COMMENT ON COLUMN sync_history.outcome IS 'How it ended, for a monitor; follows from error_sqlstate. success: without an error; configuration: what was to be run, or the rights to it, is not right; connection: another server could not be reached, or the session was ended; sql: the data, a constraint or a lock was in the way; unexpected: this server lacks something or failed, or the run was canceled.';
COMMENT ON COLUMN sync_history.started_at IS 'When the run began.';
COMMENT ON COLUMN sync_history.duration IS 'How long it took, up to the writing of this row.';
COMMENT ON COLUMN sync_history.rows_read IS 'Rows that were read: of evidence, summed over the rules, or of the source.';
COMMENT ON COLUMN sync_history.inserted IS 'Rows that were added.';
COMMENT ON COLUMN sync_history.updated IS 'Rows that were changed.';
COMMENT ON COLUMN sync_history.unchanged IS 'Keys, or rows, that were right already.';
COMMENT ON COLUMN sync_history.deleted IS 'Rows that were deleted, or marked as deleted.';
COMMENT ON COLUMN sync_history.rejected IS 'Rows that were put aside, in sync_rejects.';
COMMENT ON COLUMN sync_history.bytes IS 'Bytes that came from another server, or from files.';
COMMENT ON COLUMN sync_history.details IS 'The counts of each step of the run, by its name; which run it took back (undoes), what of the checks did not hold (checks); of a task that failed for good or was cancelled, the task, and whether it was retried.';
COMMENT ON COLUMN sync_history.error_sqlstate IS 'SQLSTATE of the error of a failed run.';
COMMENT ON COLUMN sync_history.error_message IS 'Message of that error.';
COMMENT ON COLUMN sync_history.error_detail IS 'Detail of that error.';
COMMENT ON COLUMN sync_history.error_hint IS 'Hint of that error.';
COMMENT ON COLUMN sync_history.error_context IS 'Where in the work that error was raised.';
COMMENT ON COLUMN sync_history.queue_id IS 'The task of the queue that this was an attempt at; NULL: none.';
COMMENT ON COLUMN sync_history.attempt IS 'Which attempt at it this was, from 1.';
COMMENT ON COLUMN sync_history.timing_partner_id IS 'Tenant whose task it was.';
COMMENT ON COLUMN sync_history.sync_job_id IS 'Job that the task was part of.';
COMMENT ON COLUMN sync_history.slot IS 'Where the row lies; of no meaning but to sync_purge_history.';
COMMENT ON TABLE sync_history_0 IS 'A slot of sync_history.';
COMMENT ON TABLE sync_history_1 IS 'A slot of sync_history.';
COMMENT ON TABLE sync_history_2 IS 'A slot of sync_history.';
COMMENT ON TABLE sync_history_3 IS 'A slot of sync_history.';
COMMENT ON TABLE sync_history_4 IS 'A slot of sync_history.';
COMMENT ON TABLE sync_history_5 IS 'A slot of sync_history.';
COMMENT ON TABLE sync_history_6 IS 'A slot of sync_history.';
COMMENT ON TABLE sync_history_7 IS 'A slot of sync_history.';

CREATE VIEW sync_history_streams AS
SELECT subject AS stream_name, history_id, status, started_at, duration, rows_read, inserted, updated,
	deleted, rejected, error_sqlstate, error_message
FROM sync_history
WHERE operation = 'stream' AND queue_id IS NULL;
REVOKE ALL ON TABLE sync_history_streams FROM PUBLIC;
COMMENT ON VIEW sync_history_streams IS
'The runs of streams in sync_history, one a row: what a task did is the run of its stream, not its own row.';
COMMENT ON COLUMN sync_history_streams.stream_name IS 'Name of the stream.';
COMMENT ON COLUMN sync_history_streams.history_id IS 'Identity of the run; this and what follows is as in sync_history.';
COMMENT ON COLUMN sync_history_streams.status IS 'success or failed.';
COMMENT ON COLUMN sync_history_streams.started_at IS 'When the run began.';
COMMENT ON COLUMN sync_history_streams.duration IS 'How long it took.';
COMMENT ON COLUMN sync_history_streams.rows_read IS 'Rows that were read of the source.';
COMMENT ON COLUMN sync_history_streams.inserted IS 'Rows that were added.';
COMMENT ON COLUMN sync_history_streams.updated IS 'Rows that were changed.';
COMMENT ON COLUMN sync_history_streams.deleted IS 'Rows that were deleted, or marked as deleted.';
COMMENT ON COLUMN sync_history_streams.rejected IS 'Rows that were put aside.';
COMMENT ON COLUMN sync_history_streams.error_sqlstate IS 'SQLSTATE of the error of a failed run.';
COMMENT ON COLUMN sync_history_streams.error_message IS 'Message of that error.';

CREATE FUNCTION sync_purge_history(keep interval DEFAULT NULL, exact boolean DEFAULT true) RETURNS bigint
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'sync_sql_purge_history';
REVOKE ALL ON FUNCTION sync_purge_history(interval, boolean) FROM PUBLIC;
COMMENT ON FUNCTION sync_purge_history(interval, boolean) IS
'Delete the history of runs that began longer ago than keep, with what belongs to them: rejects, and images for undo. Returns how many runs were forgotten; leaves a row in sync_history.
keep: NULL: the setting sync_ext.history_retention, which may say to keep all.
exact: false: only what can be had for nothing, whole slots; the rest is kept for up to a sixth of keep longer.
What others are reading or writing for longer than two seconds is left to the next purge, with a warning.
Errors: 22023 keep is negative, 25001 isolation level, 55P03 another purge is at work.';

CREATE FUNCTION sync_stat_runs(OUT pid integer, OUT database oid, OUT role oid,
	OUT operation text, OUT subject text, OUT dry_run boolean,
	OUT started_at timestamptz, OUT phase text, OUT phase_started_at timestamptz,
	OUT rows bigint, OUT total bigint, OUT total_is_exact boolean, OUT bytes bigint) RETURNS SETOF record
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'sync_sql_stat_runs';
REVOKE ALL ON FUNCTION sync_stat_runs() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sync_stat_runs() TO pg_monitor;
COMMENT ON FUNCTION sync_stat_runs() IS
'The runs at work, of this server''s databases, as sync_stat_progress shows them. None where the library is not in shared_preload_libraries.';

CREATE VIEW sync_stat_progress AS
SELECT r.pid, d.datname AS database, u.rolname AS role, r.operation, r.subject, r.dry_run, r.started_at,
	r.phase, r.phase_started_at, r.rows, r.total, r.total_is_exact, r.bytes
FROM sync_stat_runs() AS r
LEFT JOIN pg_catalog.pg_database AS d ON d.oid = r.database
LEFT JOIN pg_catalog.pg_roles AS u ON u.oid = r.role;
REVOKE ALL ON TABLE sync_stat_progress FROM PUBLIC;
GRANT SELECT ON TABLE sync_stat_progress TO pg_monitor;
COMMENT ON VIEW sync_stat_progress IS
'The runs at work on this server, as they are now; empty where the library is not in shared_preload_libraries. A role sees its own runs, and all with the rights of pg_read_all_stats.';
COMMENT ON COLUMN sync_stat_progress.pid IS 'The process, as in pg_stat_activity.';
COMMENT ON COLUMN sync_stat_progress.database IS 'The database it works in.';
COMMENT ON COLUMN sync_stat_progress.role IS 'The role whose rights the run has.';
COMMENT ON COLUMN sync_stat_progress.operation IS 'What kind of run it is, as in sync_history.';
COMMENT ON COLUMN sync_stat_progress.subject IS 'What it is for, as in sync_history; cut to 127 bytes.';
COMMENT ON COLUMN sync_stat_progress.dry_run IS 'Whether it writes nothing.';
COMMENT ON COLUMN sync_stat_progress.started_at IS 'When the run began.';
COMMENT ON COLUMN sync_stat_progress.phase IS 'What it is at: starting, waiting (for another run of its target), connecting, comparing, deleting, updating, inserting, refreshing (the time of rows that are right already), checking, reconciling, backfilling, purging, finishing.';
COMMENT ON COLUMN sync_stat_progress.phase_started_at IS 'When that began.';
COMMENT ON COLUMN sync_stat_progress.rows IS 'Rows that this phase has passed; rules, when reconciling; blocks of the table, when backfilling.';
COMMENT ON COLUMN sync_stat_progress.total IS 'Of how many; NULL where that is not known.';
COMMENT ON COLUMN sync_stat_progress.total_is_exact IS 'false: the total is the planner''s estimate.';
COMMENT ON COLUMN sync_stat_progress.bytes IS 'Bytes that came from another server, or from files, so far.';
