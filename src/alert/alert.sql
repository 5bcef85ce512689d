-- Alerts: what somebody should look at.

CREATE TABLE sync_alerts (
	alert_id bigint GENERATED ALWAYS AS IDENTITY,
	raised_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	kind text NOT NULL,
	subject text NOT NULL,
	message text NOT NULL,
	queue_id bigint,
	CONSTRAINT sync_alerts_pkey PRIMARY KEY (alert_id)
);
REVOKE ALL ON TABLE sync_alerts FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('sync_alerts', '');
SELECT pg_catalog.pg_extension_config_dump('sync_alerts_alert_id_seq', '');

COMMENT ON TABLE sync_alerts IS 'What somebody should look at, one event a row. Delete what has been seen to.';
COMMENT ON COLUMN sync_alerts.alert_id IS 'Identity of the event.';
COMMENT ON COLUMN sync_alerts.raised_at IS 'When it happened.';
COMMENT ON COLUMN sync_alerts.kind IS 'What happened: task_failed, a task failed and is not tried again.';
COMMENT ON COLUMN sync_alerts.subject IS 'What it happened to: the operation type of the task, and its provider.';
COMMENT ON COLUMN sync_alerts.message IS 'The error.';
COMMENT ON COLUMN sync_alerts.queue_id IS 'The task, which history has more of.';
