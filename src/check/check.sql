-- Checks: what must hold of a table when a stream has written into it.

CREATE TABLE sync_checks (
	stream_name text NOT NULL,
	check_name text NOT NULL,
	kind text NOT NULL,
	column_names text[],
	parent text,
	parent_columns text[],
	condition text,
	min_share numeric,
	max_share numeric,
	severity text NOT NULL DEFAULT 'error',
	CONSTRAINT sync_checks_pkey PRIMARY KEY (stream_name, check_name),
	CONSTRAINT sync_checks_check_name_check CHECK (check_name <> ''),
	CONSTRAINT sync_checks_kind_check CHECK (kind IN ('not_null', 'unique', 'foreign_key', 'condition', 'query', 'row_count')),
	CONSTRAINT sync_checks_severity_check CHECK (severity IN ('error', 'warning'))
);
REVOKE ALL ON TABLE sync_checks FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('sync_checks', '');

COMMENT ON TABLE sync_checks IS
'What must hold when a run of a stream has written, one a row, made by sync_add_check. Conditions run with the rights of whoever runs the stream: let only those write here whom you trust so far.';
COMMENT ON COLUMN sync_checks.stream_name IS 'The stream.';
COMMENT ON COLUMN sync_checks.check_name IS 'Name of the check, for messages.';
COMMENT ON COLUMN sync_checks.kind IS 'not_null: all of the columns have values; unique: no two rows have the same ones; foreign_key: each row that has values there has its row in the parent; condition: each row meets it; query: it finds nothing; row_count: the source has not many fewer or more rows than in the run before.';
COMMENT ON COLUMN sync_checks.column_names IS 'Columns of the target, by their exact names; of not_null, unique and foreign_key.';
COMMENT ON COLUMN sync_checks.parent IS 'The relation that a foreign_key points to, by its full name as in SQL.';
COMMENT ON COLUMN sync_checks.parent_columns IS 'The columns of the parent that match column_names one by one; NULL: they have the same names.';
COMMENT ON COLUMN sync_checks.condition IS 'Of kind condition: an SQL condition on a row of the target that has to be true; of kind query: a query of this database that returns what is wrong.';
COMMENT ON COLUMN sync_checks.min_share IS 'The share of the rows that must be right; NULL: all. Of row_count: how many times the rows of the run before there are at least.';
COMMENT ON COLUMN sync_checks.max_share IS 'Of row_count: how many times the rows of the run before there are at most; NULL: any number.';
COMMENT ON COLUMN sync_checks.severity IS 'error: where it does not hold the run fails, and nothing of it stays; warning: the run warns, and history says so.';

CREATE FUNCTION sync_add_check(stream text, name text, kind text,
	columns text[] DEFAULT NULL, condition text DEFAULT NULL,
	parent text DEFAULT NULL, parent_columns text[] DEFAULT NULL,
	min_share numeric DEFAULT NULL, max_share numeric DEFAULT NULL,
	severity text DEFAULT 'error') RETURNS void
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'sync_sql_add_check';
REVOKE ALL ON FUNCTION sync_add_check(text, text, text, text[], text, text, text[], numeric, numeric, text) FROM PUBLIC;
COMMENT ON FUNCTION sync_add_check(text, text, text, text[], text, text, text[], numeric, numeric, text) IS
'Declare what must hold when a run of the stream has written; runs from now on are checked before they commit. The columns of sync_checks explain the arguments.
Errors: 42704 no such stream, 22023 the check contradicts itself, 42601 not an expression or a query, 42710 the name is taken, 42P01 and 42703 relations or columns missing, 42501 no right.';

CREATE FUNCTION sync_drop_check(stream text, name text) RETURNS void
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'sync_sql_drop_check';
REVOKE ALL ON FUNCTION sync_drop_check(text, text) FROM PUBLIC;
COMMENT ON FUNCTION sync_drop_check(text, text) IS
'Forget a check. Errors: 42704 no such check.';

CREATE FUNCTION sync_check(stream text,
	OUT check_name text, OUT kind text, OUT severity text, OUT passed boolean,
	OUT total bigint, OUT failing bigint, OUT message text) RETURNS SETOF record
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'sync_sql_check';
REVOKE ALL ON FUNCTION sync_check(text) FROM PUBLIC;
COMMENT ON FUNCTION sync_check(text) IS
'The checks of the stream on its target as it is now, one a row; passed is NULL where only a run can tell. Runs nothing, and raises nothing for what does not hold. Errors: 42704 no such stream, and those of the statements.';

CREATE FUNCTION sync_coverage(relation regclass, column_name text,
	OUT total bigint, OUT present bigint, OUT percent numeric) RETURNS SETOF record
	LANGUAGE c STABLE STRICT ROWS 1 AS 'MODULE_PATHNAME', 'sync_sql_coverage';
REVOKE ALL ON FUNCTION sync_coverage(regclass, text) FROM PUBLIC;
COMMENT ON FUNCTION sync_coverage(regclass, text) IS
'How many rows a relation has, how many of them have a value in the column, and their share in percent (NULL where there are no rows), with the rights of the caller. Errors: 42P01, 42703, 42809 nothing that has rows.';

CREATE FUNCTION sync_find_duplicates(relation regclass, columns text[],
	max_rows integer DEFAULT 100,
	OUT key jsonb, OUT count bigint, OUT ctids tid[]) RETURNS SETOF record
	LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'sync_sql_find_duplicates';
REVOKE ALL ON FUNCTION sync_find_duplicates(regclass, text[], integer) FROM PUBLIC;
COMMENT ON FUNCTION sync_find_duplicates(regclass, text[], integer) IS
'What several rows of a relation have in those columns, one a row, most often repeated first: the values, how many rows have them, and, of plain tables and materialized views, where the first ten are. Rows without a value in one of the columns are left out. max_rows: at most so many. With the rights of the caller. Errors: 42P01, 42703, 42809 nothing that has rows.';
