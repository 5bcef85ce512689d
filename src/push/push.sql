-- Pushes: rows of this database that are sent to providers, and what became of each.

CREATE TABLE sync_pushes (
	push_name text NOT NULL,
	endpoint text NOT NULL,
	update_endpoint text,
	delete_endpoint text,
	query text NOT NULL,
	key_columns text[] NOT NULL,
	params jsonb NOT NULL DEFAULT '{}',
	param_columns jsonb NOT NULL DEFAULT '{}',
	tenant_column text,
	not_sent text[],
	batch_size integer,
	max_delete_share numeric NOT NULL DEFAULT 0.5,
	CONSTRAINT sync_pushes_pkey PRIMARY KEY (push_name),
	CONSTRAINT sync_pushes_push_name_check CHECK (push_name <> ''),
	CONSTRAINT sync_pushes_batch_size_check CHECK (batch_size > 0),
	CONSTRAINT sync_pushes_max_delete_share_check CHECK (max_delete_share BETWEEN 0 AND 1)
);
REVOKE ALL ON TABLE sync_pushes FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('sync_pushes', '');

COMMENT ON TABLE sync_pushes IS
'Pushes, one a row, made by sync_create_push. The query runs with the rights of whoever pushes: let only those write here whom you trust so far.';
COMMENT ON COLUMN sync_pushes.push_name IS 'Name of the push.';
COMMENT ON COLUMN sync_pushes.endpoint IS 'Endpoint that rows are pushed to; see sync_endpoints.';
COMMENT ON COLUMN sync_pushes.update_endpoint IS 'Endpoint for rows that were pushed before and have changed; NULL: the same.';
COMMENT ON COLUMN sync_pushes.delete_endpoint IS 'Endpoint for rows that were pushed before and are gone; it sees their key and their remote_id. NULL: those are left alone.';
COMMENT ON COLUMN sync_pushes.query IS 'Query whose rows are pushed, in its order.';
COMMENT ON COLUMN sync_pushes.key_columns IS 'Columns that tell rows apart, by their exact names.';
COMMENT ON COLUMN sync_pushes.params IS 'Parameters of the endpoints that are always the same: {"race_id": 501}.';
COMMENT ON COLUMN sync_pushes.param_columns IS 'Parameters that come from columns of the row: {"race_id": "race"}. Rows with the same ones go into a request together; the columns are not sent.';
COMMENT ON COLUMN sync_pushes.tenant_column IS 'Column of a whole number that says whose the row is: only rows of the timing partner at hand are pushed. NULL: all rows are, whoever''s credential is used. It is not sent.';
COMMENT ON COLUMN sync_pushes.not_sent IS 'Columns that are not sent, and do not count as changed; templates can name them.';
COMMENT ON COLUMN sync_pushes.batch_size IS 'Rows a request at most, where the endpoint takes more; NULL: as it says.';
COMMENT ON COLUMN sync_pushes.max_delete_share IS 'A push fails that would delete more than this share of what it has pushed; between 0 and 1.';

CREATE TABLE sync_pushed (
	push_name text NOT NULL,
	timing_partner_id bigint,
	key jsonb NOT NULL,
	params jsonb NOT NULL,
	state text NOT NULL,
	remote_id text,
	content bytea,
	pushed_at timestamptz,
	action text NOT NULL,
	error text,
	changed_at timestamptz NOT NULL,
	batch text NOT NULL,
	batch_position bigint NOT NULL,
	sent jsonb,
	sent_content bytea,
	CONSTRAINT sync_pushed_key UNIQUE NULLS NOT DISTINCT (push_name, timing_partner_id, key),
	CONSTRAINT sync_pushed_state_check CHECK (state IN ('sending', 'pushed', 'failed', 'unknown')),
	CONSTRAINT sync_pushed_action_check CHECK (action IN ('create', 'update', 'delete'))
);
REVOKE ALL ON TABLE sync_pushed FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('sync_pushed', '');

COMMENT ON TABLE sync_pushed IS 'What was pushed, a row each: what the provider has of it, and how it went last.';
COMMENT ON COLUMN sync_pushed.push_name IS 'The push; rows stay when it is dropped, unless that says otherwise.';
COMMENT ON COLUMN sync_pushed.timing_partner_id IS 'Whose credential was used; NULL: nobody''s.';
COMMENT ON COLUMN sync_pushed.key IS 'Key of the row, an object.';
COMMENT ON COLUMN sync_pushed.params IS 'Parameters of the endpoint that it was pushed with.';
COMMENT ON COLUMN sync_pushed.state IS 'sending: it is being sent, or its process was lost; pushed: the provider has it; failed: the provider does not take it; unknown: it was sent, and no answer says what became of it.';
COMMENT ON COLUMN sync_pushed.remote_id IS 'What the provider knows it by, where its answer says so; {item.remote_id} in templates.';
COMMENT ON COLUMN sync_pushed.content IS 'A hash (SHA-256) of what the provider has, parameters included; NULL: it never took it.';
COMMENT ON COLUMN sync_pushed.pushed_at IS 'When the provider last took it; NULL: never.';
COMMENT ON COLUMN sync_pushed.action IS 'What was done last, or tried: create, update or delete.';
COMMENT ON COLUMN sync_pushed.error IS 'Why it failed, or is unknown.';
COMMENT ON COLUMN sync_pushed.changed_at IS 'When its state changed.';
COMMENT ON COLUMN sync_pushed.batch IS 'The request that it went with last: a hash of the push and of all that was sent, which is also {idempotency_key}.';
COMMENT ON COLUMN sync_pushed.batch_position IS 'Its place in that request.';
COMMENT ON COLUMN sync_pushed.sent IS 'The row as it was sent, as long as it is not known what became of it.';
COMMENT ON COLUMN sync_pushed.sent_content IS 'A hash of what was sent last.';

CREATE FUNCTION sync_create_push(name text, endpoint text, query text,
	key text[], params jsonb DEFAULT '{}', param_columns jsonb DEFAULT '{}',
	tenant_column text DEFAULT NULL, not_sent text[] DEFAULT NULL,
	update_endpoint text DEFAULT NULL, delete_endpoint text DEFAULT NULL,
	batch_size integer DEFAULT NULL, max_delete_share numeric DEFAULT 0.5)
	RETURNS void
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'sync_sql_create_push';
REVOKE ALL ON FUNCTION sync_create_push(text, text, text, text[], jsonb, jsonb, text, text[], text, text, integer, numeric) FROM PUBLIC;
COMMENT ON FUNCTION sync_create_push(text, text, text, text[], jsonb, jsonb, text, text[], text, text, integer, numeric) IS
'Declare a push; sync_push sends its rows. The columns of sync_pushes explain the arguments.
Errors: 22023 the definition contradicts itself or an endpoint, 42601 not a query, 42703 a column is missing, 42704 no such endpoint, 42710 the name is taken, 55000 the endpoint takes no rows.';

CREATE FUNCTION sync_drop_push(name text, forget boolean DEFAULT false) RETURNS void
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'sync_sql_drop_push';
REVOKE ALL ON FUNCTION sync_drop_push(text, boolean) FROM PUBLIC;
COMMENT ON FUNCTION sync_drop_push(text, boolean) IS
'Drop a push. What it pushed is remembered, so that one of the same name goes on where it was.
forget: forget that as well: one of the same name pushes everything. Errors: 42704 no such push.';

CREATE PROCEDURE sync_push(name text, dry_run boolean DEFAULT false,
	timing_partner_id bigint DEFAULT NULL,
	INOUT rows_read bigint DEFAULT NULL, INOUT created bigint DEFAULT NULL,
	INOUT updated bigint DEFAULT NULL, INOUT unchanged bigint DEFAULT NULL,
	INOUT deleted bigint DEFAULT NULL, INOUT failed bigint DEFAULT NULL,
	INOUT unknown bigint DEFAULT NULL, INOUT requests bigint DEFAULT NULL,
	INOUT bytes bigint DEFAULT NULL, INOUT duration interval DEFAULT NULL)
	LANGUAGE c AS 'MODULE_PATHNAME', 'sync_sql_push';
REVOKE ALL ON PROCEDURE sync_push(text, boolean, bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint, interval) FROM PUBLIC;
COMMENT ON PROCEDURE sync_push(text, boolean, bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint, interval) IS
'Push what is new, changed or gone, with the rights of the caller, and remember in sync_pushed what became of each row. What is about to be sent is committed first: not inside a transaction. Shows rows by what became of them (failed: refused; unknown: sent, and nobody says; those are sent again only where that does no harm), requests, bytes sent and time.
dry_run: send and write nothing, and show what would be done; works on a standby and inside a transaction too.
timing_partner_id: with the credential of that tenant, and only its rows where the push has a tenant_column.
Errors: 42704 no such push, 25001 in a transaction block, 55006 it is at work already, 21000 several rows with one key, 23502 no value in the key, 55000 more deletes than max_delete_share, SY001 no whole answer, SY002 an answer that is not in order, and those of the query.';

CREATE FUNCTION sync_push_diff(name text, max_rows integer DEFAULT 100,
	timing_partner_id bigint DEFAULT NULL, OUT action text, OUT key jsonb,
	OUT remote_id text, OUT request bigint, OUT method text, OUT url text,
	OUT body text) RETURNS SETOF record
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'sync_sql_push_diff';
REVOKE ALL ON FUNCTION sync_push_diff(text, integer, bigint) FROM PUBLIC;
COMMENT ON FUNCTION sync_push_diff(text, integer, bigint) IS
'What a push would send now, one row a row, at most max_rows: action (create, update, delete; again for what is sent again as it was), key, the id that the provider knows it by, and the number of the request that it goes with; with the first row of each also that request, without who asks. Sends and writes nothing. Errors as in sync_push.';

CREATE FUNCTION sync_resolve_push(name text, key jsonb, outcome text,
	remote_id text DEFAULT NULL, timing_partner_id bigint DEFAULT NULL) RETURNS bigint
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'sync_sql_resolve_push';
REVOKE ALL ON FUNCTION sync_resolve_push(text, jsonb, text, text, bigint) FROM PUBLIC;
COMMENT ON FUNCTION sync_resolve_push(text, jsonb, text, text, bigint) IS
'Say what became of rows of which a push does not know it, after a look at the provider. Returns how many rows that settles.
key: of the row, an object; NULL: all that are unknown. outcome: pushed, the provider has done what was sent; not_pushed, it has not, and the next push sends it again. remote_id: what the provider knows it by.
Errors: 22023 no such outcome, 42704 no such push, 55006 it is at work.';

CREATE FUNCTION sync_task_push(queue_id bigint, payload jsonb) RETURNS jsonb
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'sync_sql_task_push';
REVOKE ALL ON FUNCTION sync_task_push(bigint, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION sync_task_push(bigint, jsonb) IS
'Handler of operation type push: does what sync_push does, {"push": name}, for the timing partner of the task, many beside each other in one worker. The queue calls it, and nobody else.';

INSERT INTO sync_operation_types (operation_type, handler, kind, shipped) VALUES
('push', 'sync_task_push(bigint,jsonb)', 'external', true);
