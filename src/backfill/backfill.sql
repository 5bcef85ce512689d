-- Backfill: filling a column of an existing table, in batches that commit.

CREATE TABLE sync_backfills (
	relation text NOT NULL,
	column_name text NOT NULL,
	expression text NOT NULL,
	condition text,
	overwrite boolean NOT NULL,
	storage text NOT NULL,
	position bigint NOT NULL DEFAULT 0,
	updated bigint NOT NULL DEFAULT 0,
	run_by text NOT NULL,
	started_at timestamptz NOT NULL DEFAULT now(),
	moved_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT sync_backfills_pkey PRIMARY KEY (relation, column_name)
);
REVOKE ALL ON TABLE sync_backfills FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('sync_backfills', '');

COMMENT ON TABLE sync_backfills IS
'Backfills that are under way or were interrupted, one a row; the same call again goes on from there. Delete a row to have it begin anew.';
COMMENT ON COLUMN sync_backfills.relation IS 'The table, by its full name as in SQL.';
COMMENT ON COLUMN sync_backfills.column_name IS 'The column that is filled.';
COMMENT ON COLUMN sync_backfills.expression IS 'What it is filled with.';
COMMENT ON COLUMN sync_backfills.condition IS 'Which rows are; NULL: all.';
COMMENT ON COLUMN sync_backfills.overwrite IS 'Whether values that are there are replaced.';
COMMENT ON COLUMN sync_backfills.storage IS 'A hash of the files of the table. Where it differs rows have moved, and the walk begins anew.';
COMMENT ON COLUMN sync_backfills.position IS 'The block to go on with.';
COMMENT ON COLUMN sync_backfills.updated IS 'Rows that were filled so far.';
COMMENT ON COLUMN sync_backfills.run_by IS 'The role that began it.';
COMMENT ON COLUMN sync_backfills.started_at IS 'When it began.';
COMMENT ON COLUMN sync_backfills.moved_at IS 'When the last batch was committed.';

CREATE PROCEDURE sync_backfill(relation regclass, column_name text,
	expression text, condition text DEFAULT NULL,
	batch_size integer DEFAULT 10000, overwrite boolean DEFAULT false,
	pause interval DEFAULT '0')
	LANGUAGE c AS 'MODULE_PATHNAME', 'sync_sql_backfill';
REVOKE ALL ON PROCEDURE sync_backfill(regclass, text, text, text, integer, boolean, interval) FROM PUBLIC;
COMMENT ON PROCEDURE sync_backfill(regclass, text, text, text, integer, boolean, interval) IS
'Fill a column of a table from an SQL expression on its rows, in batches that commit, with the rights of the caller. Only rows without a value are touched. Where it was interrupted, the same call goes on; sync_backfills says how far it is, and sync_history what it did.
condition: SQL condition on the rows to be filled; NULL: all.
batch_size: about how many rows are written in one transaction.
overwrite: also replace values that are not what the expression gives.
pause: how long to rest between two batches.
Errors: 25001 in a transaction block, 22023 arguments, 42601 not an expression, 42703 no such column, 42809 not a table, 55006 it is at work already, and those of the table.';
