-- Alerts on their way: the tasks that tell channels of them.

CREATE FUNCTION sync_deliver_alerts(queue_id bigint, payload jsonb) RETURNS jsonb
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'sync_sql_deliver_alerts';
REVOKE ALL ON FUNCTION sync_deliver_alerts(bigint, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION sync_deliver_alerts(bigint, jsonb) IS
'Handler of operation type alert: tells a channel of what is due. The extension puts its tasks into the queue by itself.';

INSERT INTO sync_operation_types (operation_type, handler, kind, timeout, max_attempts, backoff_base, backoff_factor, backoff_cap, shipped)
VALUES ('alert', 'sync_deliver_alerts(bigint,jsonb)', 'external', '5 minutes', 8, '30 seconds', 2, '15 minutes', true);
