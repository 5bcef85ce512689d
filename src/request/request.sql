-- Requests to the web through the queue, and their answers.

CREATE TABLE sync_requests (
	queue_id bigint NOT NULL,
	run_as regrole NOT NULL,
	url text NOT NULL,
	headers jsonb,
	body text,
	created_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT sync_requests_pkey PRIMARY KEY (queue_id)
);
REVOKE ALL ON TABLE sync_requests FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('sync_requests', '');

COMMENT ON TABLE sync_requests IS
'What nobody is to see of requests that are in the queue, or have failed: it is not in their payload. Kept until a request has been answered, or until its history is purged.';
COMMENT ON COLUMN sync_requests.queue_id IS 'Task that performs it.';
COMMENT ON COLUMN sync_requests.run_as IS 'Role that it runs as.';
COMMENT ON COLUMN sync_requests.url IS 'Whole URL.';
COMMENT ON COLUMN sync_requests.headers IS 'Headers that are sent.';
COMMENT ON COLUMN sync_requests.body IS 'Body that is sent.';
COMMENT ON COLUMN sync_requests.created_at IS 'When it was made.';

CREATE TABLE sync_answers (
	queue_id bigint NOT NULL,
	status integer NOT NULL,
	headers jsonb NOT NULL,
	body text,
	body_bytes bytea,
	run_as oid NOT NULL,
	received_at timestamptz NOT NULL,
	CONSTRAINT sync_answers_pkey PRIMARY KEY (queue_id)
);
CREATE INDEX sync_answers_received_at_idx ON sync_answers USING brin (received_at);
CREATE POLICY sync_answers_see ON sync_answers FOR SELECT
	USING (EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.oid = run_as
		AND pg_catalog.pg_has_role(r.oid, 'MEMBER')));
ALTER TABLE sync_answers ENABLE ROW LEVEL SECURITY;
REVOKE ALL ON TABLE sync_answers FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('sync_answers', '');

COMMENT ON TABLE sync_answers IS
'Answers to requests, one each: the last that came. A role that is granted SELECT sees those to requests of roles that it is a member of. They go when the history of their time is purged.';
COMMENT ON COLUMN sync_answers.queue_id IS 'Request, as sync_request() returned it.';
COMMENT ON COLUMN sync_answers.status IS 'Status of HTTP, as 200.';
COMMENT ON COLUMN sync_answers.headers IS 'Headers, by their names in lower case; what came more than once is joined by a comma.';
COMMENT ON COLUMN sync_answers.body IS 'Body, where its Content-Type is one of text, or says nothing.';
COMMENT ON COLUMN sync_answers.body_bytes IS 'Body, where its Content-Type is another, as that of an image.';
COMMENT ON COLUMN sync_answers.run_as IS 'OID of the role whose request it was.';
COMMENT ON COLUMN sync_answers.received_at IS 'When it came.';

CREATE FUNCTION sync_request(url text, method text DEFAULT 'GET', headers jsonb DEFAULT NULL,
	body text DEFAULT NULL, timeout interval DEFAULT NULL, retry boolean DEFAULT NULL,
	priority integer DEFAULT 5, scheduled_time timestamptz DEFAULT now(),
	unique_key text DEFAULT NULL, timing_partner_id bigint DEFAULT NULL,
	provider_name text DEFAULT NULL) RETURNS bigint
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'sync_sql_request';
REVOKE ALL ON FUNCTION sync_request(text, text, jsonb, text, interval, boolean, integer, timestamptz, text, bigint, text) FROM PUBLIC;
COMMENT ON FUNCTION sync_request(text, text, jsonb, text, interval, boolean, integer, timestamptz, text, bigint, text) IS
'Have a request sent to the web once this transaction has committed, through the queue; returns its queue_id, by which its answer is found in sync_answers. headers is an object of texts. timeout is for the whole of it, and sync_ext.http_timeout where it is NULL. What fails in a way that might pass is tried again, but a POST or PATCH only where retry says that it may be done twice. Where a request of this unique_key is there already, that one is kept.';

CREATE FUNCTION sync_task_request(queue_id bigint, payload jsonb) RETURNS jsonb
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'sync_sql_task_request';
REVOKE ALL ON FUNCTION sync_task_request(bigint, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION sync_task_request(bigint, jsonb) IS
'Handler of operation type request: sends the request that the payload is, {"url": ..., "method": ..., "headers": {...}, "body": ..., "timeout_ms": ..., "retry": ...}, and keeps its answer in sync_answers. Many are under way at once.';

INSERT INTO sync_operation_types (operation_type, handler, kind, retry_sqlstates, shipped) VALUES
('request', 'sync_task_request(bigint, jsonb)', 'external', '{SY,08,40,53,55,57,58,XX}', true);
