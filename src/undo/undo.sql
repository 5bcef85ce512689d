-- Undo: what runs wrote over, kept for a time.

CREATE TABLE sync_undo_runs (
	undo_id bigint GENERATED ALWAYS AS IDENTITY,
	history_id bigint,
	subject text NOT NULL,
	target text NOT NULL,
	column_names text[] NOT NULL,
	key_count integer NOT NULL,
	written_count integer NOT NULL,
	synced_at text,
	keep interval NOT NULL,
	keep_until timestamptz NOT NULL,
	undoes bigint,
	undone_by bigint,
	CONSTRAINT sync_undo_runs_pkey PRIMARY KEY (undo_id)
);
CREATE INDEX sync_undo_runs_history_id_idx ON sync_undo_runs (history_id);
REVOKE ALL ON TABLE sync_undo_runs FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('sync_undo_runs', '');
SELECT pg_catalog.pg_extension_config_dump('sync_undo_runs_undo_id_seq', '');

COMMENT ON TABLE sync_undo_runs IS
'Runs that sync_undo can take back, and until when.';
COMMENT ON COLUMN sync_undo_runs.undo_id IS 'Identity of the row; a later run on the same target has a larger one.';
COMMENT ON COLUMN sync_undo_runs.history_id IS 'The run, in sync_history; no foreign key, so that history can be cleared by itself.';
COMMENT ON COLUMN sync_undo_runs.subject IS 'The stream of the run.';
COMMENT ON COLUMN sync_undo_runs.target IS 'The table it wrote into, by its full name as in SQL.';
COMMENT ON COLUMN sync_undo_runs.column_names IS 'The columns of the table: first the key, then what an update by the run sets, then all others.';
COMMENT ON COLUMN sync_undo_runs.key_count IS 'How many of them are the key; 0: mode append.';
COMMENT ON COLUMN sync_undo_runs.written_count IS 'How many of them are the key or set by an update.';
COMMENT ON COLUMN sync_undo_runs.synced_at IS 'The one among them that tells when a row was seen; that it has changed since does not count.';
COMMENT ON COLUMN sync_undo_runs.keep IS 'For how long the images are kept.';
COMMENT ON COLUMN sync_undo_runs.keep_until IS 'When they are forgotten, by the next run that keeps some or by sync_purge_undo.';
COMMENT ON COLUMN sync_undo_runs.undoes IS 'The run that this one took back; NULL: none.';
COMMENT ON COLUMN sync_undo_runs.undone_by IS 'The run that took this one back; NULL: it stands.';

CREATE TABLE sync_undo_rows (
	undo_id bigint NOT NULL,
	action text NOT NULL,
	key text[] NOT NULL,
	before text[],
	after text[]
);
CREATE INDEX sync_undo_rows_undo_id_idx ON sync_undo_rows USING brin (undo_id) WITH (pages_per_range = 32, autosummarize);
REVOKE ALL ON TABLE sync_undo_rows FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('sync_undo_rows', '');

COMMENT ON TABLE sync_undo_rows IS
'Images of the rows that these runs wrote. They hold users'' data: who may read them sees rows of all targets.';
COMMENT ON COLUMN sync_undo_rows.undo_id IS 'The run, in sync_undo_runs.';
COMMENT ON COLUMN sync_undo_rows.action IS 'What it did with the row: insert, update or delete.';
COMMENT ON COLUMN sync_undo_rows.key IS 'The key of the row: the first of the columns of the run, as text.';
COMMENT ON COLUMN sync_undo_rows.before IS 'The columns after the key as they were: those that were set, or, of a row that was deleted, all; NULL: the row was added.';
COMMENT ON COLUMN sync_undo_rows.after IS 'The columns after the key as the run left them, likewise; NULL: the row was deleted.';

CREATE FUNCTION sync_undo(run bigint, dry_run boolean DEFAULT false,
	OUT inserted bigint, OUT updated bigint, OUT deleted bigint,
	OUT duration interval) RETURNS record
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'sync_sql_undo';
REVOKE ALL ON FUNCTION sync_undo(bigint, boolean) FROM PUBLIC;
COMMENT ON FUNCTION sync_undo(bigint, boolean) IS
'Take back what a run wrote, by its history_id, with the rights of the caller: rows it deleted are added, those it changed get their values back, those it added are deleted. All of it or nothing: refused where one of the rows has changed since. It is a run itself, and can be taken back.
dry_run: write nothing, and return what would be done; works on a standby too.
Errors: 42704 what the run wrote over is not kept, 55000 undone already, or rows have changed since, 42703 a column is gone, and those of the table.';

CREATE FUNCTION sync_purge_undo(run bigint DEFAULT NULL) RETURNS bigint
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'sync_sql_purge_undo';
REVOKE ALL ON FUNCTION sync_purge_undo(bigint) FROM PUBLIC;
COMMENT ON FUNCTION sync_purge_undo(bigint) IS
'Forget what runs wrote over: of that run at once, or, for NULL, of all whose time is over, which each run that keeps some does as well. Returns of how many runs.';
