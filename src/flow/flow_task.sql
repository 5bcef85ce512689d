-- Streams from endpoints as tasks, and the pages that they have read so far.

CREATE UNLOGGED TABLE sync_pages (
	queue_id bigint NOT NULL,
	page_number bigint NOT NULL,
	part integer NOT NULL,
	definition text NOT NULL,
	parent text,
	constant text,
	lines boolean NOT NULL,
	last boolean NOT NULL,
	next text NOT NULL,
	body text,
	kept_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	CONSTRAINT sync_pages_pkey PRIMARY KEY (queue_id, page_number)
);
ALTER TABLE sync_pages ALTER body SET STORAGE EXTERNAL;
REVOKE ALL ON TABLE sync_pages FROM PUBLIC;

COMMENT ON TABLE sync_pages IS
'Pages that tasks of operation type fetch have read so far, until all have come and are merged together. Not logged: after a crash it is empty, and the tasks begin again.';
COMMENT ON COLUMN sync_pages.queue_id IS 'The task.';
COMMENT ON COLUMN sync_pages.page_number IS 'Number of the page, in the order in which they came.';
COMMENT ON COLUMN sync_pages.part IS '0: of the endpoint of the stream; 1: of that of its tombstones.';
COMMENT ON COLUMN sync_pages.definition IS 'What decided about what is fetched. Where another attempt finds it changed, it begins again.';
COMMENT ON COLUMN sync_pages.parent IS 'The parent that was asked for.';
COMMENT ON COLUMN sync_pages.constant IS 'The constant that was asked for.';
COMMENT ON COLUMN sync_pages.lines IS 'true: the body is a part of an answer that came line by line.';
COMMENT ON COLUMN sync_pages.last IS 'true: it is the last one for that parent and constant.';
COMMENT ON COLUMN sync_pages.next IS 'Where it leads to.';
COMMENT ON COLUMN sync_pages.body IS 'What came; NULL: it is as it was when the stream ran last.';
COMMENT ON COLUMN sync_pages.kept_at IS 'When it came. Another attempt goes on after pages of the last hour only.';

CREATE FUNCTION sync_task_fetch(queue_id bigint, payload jsonb) RETURNS jsonb
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'sync_sql_task_fetch';
REVOKE ALL ON FUNCTION sync_task_fetch(bigint, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION sync_task_fetch(bigint, jsonb) IS
'Handler of operation type fetch: runs a stream whose source is an endpoint, {"stream": name, "params": object, "full_refresh": boolean}, for the timing partner of the task. No transaction is open while the provider is waited for: pages are kept in sync_pages, and merged when all have come. Another attempt goes on after the pages of the one before where these have cursors, keys or URLs, or are all that there are of a parent.';

INSERT INTO sync_operation_types (operation_type, handler, kind, shipped) VALUES
('fetch', 'sync_task_fetch(bigint, jsonb)', 'external', true);
