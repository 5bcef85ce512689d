-- Streams: declared flows of rows from a source to a table.

CREATE TABLE sync_streams (
	stream_name text NOT NULL,
	target text NOT NULL,
	key_columns text[],
	query text,
	server text,
	file text,
	format text,
	columns text,
	file_options jsonb,
	mode text NOT NULL DEFAULT 'upsert',
	synced_at text,
	synced_at_rows text NOT NULL DEFAULT 'changed',
	deleted_at text,
	duplicates text NOT NULL DEFAULT 'fail',
	order_by text[],
	max_delete_share numeric NOT NULL DEFAULT 0.5,
	max_rejects bigint NOT NULL DEFAULT 0,
	watermark text,
	lookback text,
	max_reject_share numeric,
	keep_undo interval,
	endpoint text,
	params jsonb,
	tenant_column text,
	search_path text,
	CONSTRAINT sync_streams_pkey PRIMARY KEY (stream_name),
	CONSTRAINT sync_streams_stream_name_check CHECK (stream_name <> ''),
	CONSTRAINT sync_streams_mode_check CHECK (mode IN ('upsert', 'append', 'mirror', 'soft_delete')),
	CONSTRAINT sync_streams_synced_at_rows_check CHECK (synced_at_rows IN ('changed', 'all')),
	CONSTRAINT sync_streams_duplicates_check CHECK (duplicates IN ('fail', 'last', 'reject')),
	CONSTRAINT sync_streams_max_delete_share_check CHECK (max_delete_share BETWEEN 0 AND 1),
	CONSTRAINT sync_streams_source_check CHECK (num_nonnulls(query, file, endpoint) = 1),
	CONSTRAINT sync_streams_endpoint_check CHECK (endpoint IS NOT NULL OR num_nulls(params, tenant_column) = 2),
	CONSTRAINT sync_streams_max_reject_share_check CHECK (max_reject_share BETWEEN 0 AND 1),
	CONSTRAINT sync_streams_max_rejects_check CHECK (max_rejects >= 0),
	CONSTRAINT sync_streams_keep_undo_check CHECK (keep_undo > '0')
);
REVOKE ALL ON TABLE sync_streams FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('sync_streams', '');

COMMENT ON TABLE sync_streams IS
'Streams, one a row, made by sync_create_stream. A query in a stream runs with the rights of whoever runs the stream: let only those write here whom you trust so far.';
COMMENT ON COLUMN sync_streams.stream_name IS 'Name of the stream.';
COMMENT ON COLUMN sync_streams.target IS 'Table that rows are merged into, by its full name as in SQL.';
COMMENT ON COLUMN sync_streams.key_columns IS 'Columns of source and target that tell rows apart, by their exact names; the target has a unique index on just these. NULL: mode append.';
COMMENT ON COLUMN sync_streams.query IS 'Query whose rows are the source; NULL: files or an endpoint are. Its columns are matched with those of the target by name.';
COMMENT ON COLUMN sync_streams.server IS 'Foreign server that the query runs on; NULL: this database.';
COMMENT ON COLUMN sync_streams.file IS 'Files of the server whose records are the source: an absolute path, with *, ? and [] as in a shell.';
COMMENT ON COLUMN sync_streams.format IS 'json: an array of objects; ndjson: an object a line; csv. NULL: as the end of the name says, .json, .ndjson, .jsonl or .csv, before a .gz.';
COMMENT ON COLUMN sync_streams.columns IS 'What columns are made of the fields of a record: a list as after SELECT, of the names of fields (texts), record (jsonb), file and line; * are all others by their names. NULL: *.';
COMMENT ON COLUMN sync_streams.file_options IS 'An object: encoding; for json records, the names of the fields that lead to the array, separated by dots; for csv header (true, or an array of names where files have none), delimiter, null, quote and escape as COPY has them.';
COMMENT ON COLUMN sync_streams.mode IS 'upsert: new rows are added and changed ones updated; append: all are added; mirror: as upsert, and rows that the source does not have are deleted; soft_delete: these are marked instead.';
COMMENT ON COLUMN sync_streams.synced_at IS 'Column of the target that gets the time of the transaction when a row is written; NULL: none.';
COMMENT ON COLUMN sync_streams.synced_at_rows IS 'changed: rows that are added or updated get it; all: rows that are right already get it too, which writes each of them.';
COMMENT ON COLUMN sync_streams.deleted_at IS 'Column of the target that mode soft_delete sets to the time when a row is gone from the source, and to NULL when it is back.';
COMMENT ON COLUMN sync_streams.duplicates IS 'When several rows of the source have one key: fail: the run fails; last: the last one by order_by is taken; reject: likewise, and the others are put aside.';
COMMENT ON COLUMN sync_streams.order_by IS 'Columns of the source that order rows with one key, by their exact names; NULLs come last.';
COMMENT ON COLUMN sync_streams.max_delete_share IS 'A run fails that would delete, or mark, more than this share of the rows of the target; between 0 and 1.';
COMMENT ON COLUMN sync_streams.max_rejects IS 'How many rows may be put aside in sync_rejects; a run with more fails and changes nothing. 0: the first such row fails the run, unless there is a max_reject_share.';
COMMENT ON COLUMN sync_streams.max_reject_share IS 'Which share of the rows read may be put aside, between 0 and 1; a run with more fails and changes nothing. NULL: it does not matter.';
COMMENT ON COLUMN sync_streams.watermark IS 'Column of the source that tells which rows are new: a time, a number or a text that grows, or the xmin of a table. A run reads the rows from the watermark of the last one on, and those that have none. NULL: each run reads everything.';
COMMENT ON COLUMN sync_streams.lookback IS 'How far before the watermark a run begins: an interval for a time, a number for a number; NULL: at the watermark.';
COMMENT ON COLUMN sync_streams.keep_undo IS 'For how long it is kept what a run writes over, so that sync_undo can take the run back; NULL: it is not kept.';

COMMENT ON COLUMN sync_streams.endpoint IS 'Endpoint of a provider whose records are the source, a row of sync_endpoints. Its columns that the target has are taken, unless columns says which.';
COMMENT ON COLUMN sync_streams.params IS 'What the endpoint is asked for, an object; a run may add to it, or put others in their place.';
COMMENT ON COLUMN sync_streams.tenant_column IS 'Column of the target, and of its key, that gets the timing_partner_id of the run; a run looks at no rows but those of its own. NULL: none.';
COMMENT ON COLUMN sync_streams.search_path IS 'Schemas in which names in the stream and its checks are looked up, whoever runs it; temporary tables come last. NULL: those of whoever runs it. sync_create_stream without it takes those of the session. Whoever may create objects in one of them can lead astray what names no schema.';

CREATE TABLE sync_watermarks (
	stream_name text NOT NULL,
	timing_partner_id bigint,
	params jsonb NOT NULL DEFAULT '{}',
	endpoint text NOT NULL DEFAULT '',
	parent jsonb,
	watermark text NOT NULL,
	source text NOT NULL,
	definition text NOT NULL,
	moved_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT sync_watermarks_key UNIQUE NULLS NOT DISTINCT (stream_name, timing_partner_id, params, endpoint, parent),
	CONSTRAINT sync_watermarks_stream_name_fkey FOREIGN KEY (stream_name)
		REFERENCES sync_streams ON UPDATE CASCADE ON DELETE CASCADE
);
REVOKE ALL ON TABLE sync_watermarks FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('sync_watermarks', '');

COMMENT ON TABLE sync_watermarks IS
'How far streams have read, one a row; written by sync_run in the transaction that writes the rows. Delete a row to have everything read.';
COMMENT ON COLUMN sync_watermarks.stream_name IS 'The stream.';
COMMENT ON COLUMN sync_watermarks.timing_partner_id IS 'The tenant, of a stream from an endpoint that runs for tenants.';
COMMENT ON COLUMN sync_watermarks.params IS 'Parameters that runs had of their own; {} where they had none.';
COMMENT ON COLUMN sync_watermarks.endpoint IS 'The endpoint that was read; empty where the source is none.';
COMMENT ON COLUMN sync_watermarks.parent IS 'The parent that the endpoint was asked for, where it is read for each by itself.';
COMMENT ON COLUMN sync_watermarks.watermark IS 'The highest value of the watermark column that was read; of xmin, the oldest transaction that was under way at the source when it was read.';
COMMENT ON COLUMN sync_watermarks.source IS 'Where that was: system identifier and database; of xmin, also the timeline and the time of the last crash; of an endpoint, the provider. Elsewhere the watermark means nothing, and everything is read.';
COMMENT ON COLUMN sync_watermarks.definition IS 'A digest of the stream, its target and the columns that were read. Where it differs, everything is read.';
COMMENT ON COLUMN sync_watermarks.moved_at IS 'When it last moved.';

CREATE TABLE sync_validators (
	stream_name text NOT NULL,
	timing_partner_id bigint,
	params jsonb NOT NULL DEFAULT '{}',
	request text NOT NULL,
	url text NOT NULL,
	etag text,
	last_modified text,
	next jsonb NOT NULL,
	definition text NOT NULL,
	CONSTRAINT sync_validators_key UNIQUE NULLS NOT DISTINCT (stream_name, timing_partner_id, params, request),
	CONSTRAINT sync_validators_stream_name_fkey FOREIGN KEY (stream_name)
		REFERENCES sync_streams ON UPDATE CASCADE ON DELETE CASCADE
);
REVOKE ALL ON TABLE sync_validators FROM PUBLIC;

COMMENT ON TABLE sync_validators IS
'What answers of endpoints are known by, one a request of a stream, so that the next run need not read what is as it was; written by sync_run in the transaction that writes the rows, and not dumped. Delete rows to have everything read.';
COMMENT ON COLUMN sync_validators.stream_name IS 'The stream.';
COMMENT ON COLUMN sync_validators.timing_partner_id IS 'The tenant; NULL: none.';
COMMENT ON COLUMN sync_validators.params IS 'Parameters that the run had of its own; {} where it had none.';
COMMENT ON COLUMN sync_validators.request IS 'A hash of the URL and of the credential.';
COMMENT ON COLUMN sync_validators.url IS 'The URL, without what may be secret.';
COMMENT ON COLUMN sync_validators.etag IS 'The ETag of the answer; it is asked for with If-None-Match.';
COMMENT ON COLUMN sync_validators.last_modified IS 'The Last-Modified of the answer; it is asked for with If-Modified-Since.';
COMMENT ON COLUMN sync_validators.next IS 'Where the answer led to.';
COMMENT ON COLUMN sync_validators.definition IS 'A digest of the stream, its target and the endpoint. Where it differs, the row is of no use.';

CREATE TABLE sync_rejects (
	reject_id bigint GENERATED ALWAYS AS IDENTITY,
	history_id bigint NOT NULL,
	stream_name text,
	row_number bigint NOT NULL,
	column_name text,
	error_sqlstate text NOT NULL,
	error_message text NOT NULL,
	error_detail text,
	raw jsonb NOT NULL,
	file_name text,
	line_number bigint,
	refused_at text NOT NULL,
	CONSTRAINT sync_rejects_refused_at_check CHECK (refused_at IN ('fetch', 'read', 'merge')),
	CONSTRAINT sync_rejects_pkey PRIMARY KEY (reject_id)
);
CREATE INDEX sync_rejects_history_id_idx ON sync_rejects (history_id);
REVOKE ALL ON TABLE sync_rejects FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('sync_rejects', '');
SELECT pg_catalog.pg_extension_config_dump('sync_rejects_reject_id_seq', '');

COMMENT ON TABLE sync_rejects IS
'Rows that a run put aside since they could not be merged, and why.';
COMMENT ON COLUMN sync_rejects.reject_id IS 'Identity of the row.';
COMMENT ON COLUMN sync_rejects.history_id IS 'The run, in sync_history; no foreign key, so that history can be cleared by itself.';
COMMENT ON COLUMN sync_rejects.stream_name IS 'The stream; NULL: sync_upsert.';
COMMENT ON COLUMN sync_rejects.row_number IS 'Number of the row in the source as it was read, from 1.';
COMMENT ON COLUMN sync_rejects.column_name IS 'The column that is at fault, where that is known.';
COMMENT ON COLUMN sync_rejects.error_sqlstate IS 'SQLSTATE of what is wrong with it.';
COMMENT ON COLUMN sync_rejects.error_message IS 'What is wrong with it.';
COMMENT ON COLUMN sync_rejects.error_detail IS 'More about that.';
COMMENT ON COLUMN sync_rejects.raw IS 'The row: as the source has it where it was refused at read, else in the columns of the target. What is no JSON is a string.';
COMMENT ON COLUMN sync_rejects.file_name IS 'The file, or the page of an endpoint, that it is in; NULL: it is from neither.';
COMMENT ON COLUMN sync_rejects.line_number IS 'The line of the file that it begins in; its number on a page.';
COMMENT ON COLUMN sync_rejects.refused_at IS 'fetch: it cannot be read, and raw is as the provider gave it; read: its values cannot be those of the columns; merge: a key, a constraint or a trigger refused it.';

CREATE FUNCTION sync_create_stream(name text, target text,
	key text[] DEFAULT NULL, query text DEFAULT NULL, server text DEFAULT NULL,
	mode text DEFAULT 'upsert', synced_at text DEFAULT NULL,
	synced_at_rows text DEFAULT 'changed', deleted_at text DEFAULT NULL,
	duplicates text DEFAULT 'fail', order_by text[] DEFAULT NULL,
	max_delete_share numeric DEFAULT 0.5, max_rejects bigint DEFAULT 0,
	watermark text DEFAULT NULL, lookback text DEFAULT NULL,
	file text DEFAULT NULL, format text DEFAULT NULL, columns text DEFAULT NULL,
	file_options jsonb DEFAULT NULL, max_reject_share numeric DEFAULT NULL,
	keep_undo interval DEFAULT NULL, endpoint text DEFAULT NULL,
	params jsonb DEFAULT NULL, tenant_column text DEFAULT NULL,
	search_path text DEFAULT NULL) RETURNS void
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'sync_sql_create_stream';
REVOKE ALL ON FUNCTION sync_create_stream(text, text, text[], text, text, text, text, text, text, text, text[], numeric, bigint, text, text, text, text, text, jsonb, numeric, interval, text, jsonb, text, text) FROM PUBLIC;
COMMENT ON FUNCTION sync_create_stream(text, text, text[], text, text, text, text, text, text, text, text[], numeric, bigint, text, text, text, text, text, jsonb, numeric, interval, text, jsonb, text, text) IS
'Declare a stream; sync_run runs it. The columns of sync_streams explain the arguments.
Errors: 22023 the definition contradicts itself, 42601 not a query, 42710 the name is taken, 42P01 no such table, 42703 a column is missing, 42809 not a table, 3F000 no such schema, 42P10 no unique index on the key, 42704 no such server, 42501 no right to read files.';

CREATE FUNCTION sync_drop_stream(name text) RETURNS void
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'sync_sql_drop_stream';
REVOKE ALL ON FUNCTION sync_drop_stream(text) FROM PUBLIC;
COMMENT ON FUNCTION sync_drop_stream(text) IS
'Forget a stream. Its target and its history stay. Errors: 42704 no such stream.';

CREATE FUNCTION sync_run(stream text, dry_run boolean DEFAULT false,
	full_refresh boolean DEFAULT false,
	timing_partner_id bigint DEFAULT NULL, params jsonb DEFAULT NULL,
	OUT rows_read bigint, OUT inserted bigint, OUT updated bigint,
	OUT unchanged bigint, OUT deleted bigint, OUT rejected bigint,
	OUT bytes bigint, OUT duration interval) RETURNS record
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'sync_sql_run';
REVOKE ALL ON FUNCTION sync_run(text, boolean, boolean, bigint, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION sync_run(text, boolean, boolean, bigint, jsonb) IS
'Run a stream: read its source, and write into its target what is new, changed or gone, with the rights of the caller. Returns what was done: rows read, rows by what became of them, bytes that came from another server or from files, and the time it took.
dry_run: write nothing, and return what would be done; works on a standby too.
full_refresh: read everything, whatever the watermark.
timing_partner_id, params: of a stream from an endpoint, whom it is run for, with whose credential, and what the endpoint is asked for besides what the stream says.
Errors: 42704 no such stream, 21000 several rows with one key, 23502 no value in the key, SY003 more rejects than max_rejects, SY006 a check does not hold, 55000 more deletes than max_delete_share or an empty source, 08001 and 08006 no connection, SY001 and SY002 no answer of a provider, or none that is in order, 58P01 no such file, XX001 a file is cut off, and those of source and target.';

CREATE FUNCTION sync_replay_rejects(run bigint, dry_run boolean DEFAULT false,
	OUT rows_read bigint, OUT inserted bigint, OUT updated bigint,
	OUT unchanged bigint, OUT deleted bigint, OUT rejected bigint,
	OUT bytes bigint, OUT duration interval) RETURNS record
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'sync_sql_replay_rejects';
REVOKE ALL ON FUNCTION sync_replay_rejects(bigint, boolean) FROM PUBLIC;
COMMENT ON FUNCTION sync_replay_rejects(bigint, boolean) IS
'Try the rows again that a run of a stream put aside, by the definition of the stream as it is now and against its target as it is now. Rows that can be merged leave sync_rejects; the others stay there, with the reason why. Rows that another one of the same key was preferred to are left alone. Returns what sync_run returns.
run: the run, as history_id of sync_history and sync_rejects has it. dry_run: write nothing, and return what would be done.
Errors: 42704 the run has no rejects, 55000 it is of no stream, and those of sync_run.';

CREATE FUNCTION sync_run_group(names text[], dry_run boolean DEFAULT false,
	full_refresh boolean DEFAULT false, timing_partner_id bigint DEFAULT NULL, OUT stream text,
	OUT rows_read bigint, OUT inserted bigint, OUT updated bigint,
	OUT unchanged bigint, OUT deleted bigint, OUT rejected bigint,
	OUT bytes bigint, OUT duration interval) RETURNS SETOF record
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'sync_sql_run_group';
REVOKE ALL ON FUNCTION sync_run_group(text[], boolean, boolean, bigint) FROM PUBLIC;
COMMENT ON FUNCTION sync_run_group(text[], boolean, boolean, bigint) IS
'Run several streams together, all of them or none: sources in this database are read under one snapshot, those on one server in one transaction there; rows are written into a table before those that refer to it by a foreign key, and deleted from it after them. Returns a row for each stream, in the order in which they were run; arguments and columns as in sync_run.
timing_partner_id: run each of the streams for that tenant; all of them have to be from endpoints.
Errors: 22023 no stream, one that comes twice, or one that takes no timing_partner_id, 55000 targets that refer to each other in a circle with no constraint that can be deferred, and those of sync_run.';

CREATE FUNCTION sync_diff(stream text, max_rows integer DEFAULT 100,
	timing_partner_id bigint DEFAULT NULL, params jsonb DEFAULT NULL,
	OUT action text, OUT key jsonb, OUT before jsonb, OUT after jsonb) RETURNS SETOF record
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'sync_sql_diff';
REVOKE ALL ON FUNCTION sync_diff(text, integer, bigint, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION sync_diff(text, integer, bigint, jsonb) IS
'What a run of the stream would change now, one row a change, at most max_rows: action (insert, update, delete), key, and the other columns before and after; of an update only those that differ. Writes nothing. Errors as in sync_run.';

CREATE FUNCTION sync_upsert(target text, query text, key text[],
	dry_run boolean DEFAULT false, synced_at text DEFAULT NULL,
	duplicates text DEFAULT 'fail', order_by text[] DEFAULT NULL,
	max_rejects bigint DEFAULT 0,
	OUT rows_read bigint, OUT inserted bigint, OUT updated bigint,
	OUT unchanged bigint, OUT deleted bigint, OUT rejected bigint,
	OUT bytes bigint, OUT duration interval) RETURNS record
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'sync_sql_upsert';
REVOKE ALL ON FUNCTION sync_upsert(text, text, text[], boolean, text, text, text[], bigint) FROM PUBLIC;
COMMENT ON FUNCTION sync_upsert(text, text, text[], boolean, text, text, text[], bigint) IS
'Merge the rows of a query of this database into a table, as a stream of mode upsert does, with nothing declared. Arguments, result and errors as in sync_create_stream and sync_run.';

CREATE VIEW sync_stat_streams AS
SELECT s.stream_name, s.target, last.started_at AS last_run, last.status AS last_status,
	last.duration AS last_duration, last.rows_read, last.inserted, last.updated, last.deleted, last.rejected,
	success.started_at AS last_success, clock_timestamp() - success.started_at AS age,
	(SELECT count(*) FROM sync_history_streams AS h
	 WHERE h.stream_name = s.stream_name AND h.status = 'failed' AND h.history_id > coalesce(success.history_id, 0)) AS failures,
	last.error_sqlstate AS last_sqlstate, last.error_message AS last_error
FROM sync_streams AS s
LEFT JOIN LATERAL (SELECT h.* FROM sync_history_streams AS h
	WHERE h.stream_name = s.stream_name
	ORDER BY h.history_id DESC LIMIT 1) AS last ON true
LEFT JOIN LATERAL (SELECT h.history_id, h.started_at FROM sync_history_streams AS h
	WHERE h.stream_name = s.stream_name AND h.status = 'success'
	ORDER BY h.history_id DESC LIMIT 1) AS success ON true;
REVOKE ALL ON TABLE sync_stat_streams FROM PUBLIC;
COMMENT ON VIEW sync_stat_streams IS
'How each stream is doing, from its runs in sync_history; made for \watch and for monitors. NULL: it has not run, as far as history goes back.';
COMMENT ON COLUMN sync_stat_streams.stream_name IS 'Name of the stream.';
COMMENT ON COLUMN sync_stat_streams.target IS 'Table that it fills.';
COMMENT ON COLUMN sync_stat_streams.last_run IS 'When its last run began.';
COMMENT ON COLUMN sync_stat_streams.last_status IS 'How that ended: success or failed.';
COMMENT ON COLUMN sync_stat_streams.last_duration IS 'How long it took.';
COMMENT ON COLUMN sync_stat_streams.rows_read IS 'Rows that it read.';
COMMENT ON COLUMN sync_stat_streams.inserted IS 'Rows that it added.';
COMMENT ON COLUMN sync_stat_streams.updated IS 'Rows that it changed.';
COMMENT ON COLUMN sync_stat_streams.deleted IS 'Rows that it deleted, or marked as deleted.';
COMMENT ON COLUMN sync_stat_streams.rejected IS 'Rows that it put aside, in sync_rejects.';
COMMENT ON COLUMN sync_stat_streams.last_success IS 'When its last run that succeeded began: the target is as the source was then.';
COMMENT ON COLUMN sync_stat_streams.age IS 'How long ago that was.';
COMMENT ON COLUMN sync_stat_streams.failures IS 'How many runs have failed since.';
COMMENT ON COLUMN sync_stat_streams.last_sqlstate IS 'SQLSTATE of the error of the last run, where that failed.';
COMMENT ON COLUMN sync_stat_streams.last_error IS 'Message of that error.';
