-- Alerts: what somebody should look at, and the channels that tell them.

CREATE TABLE sync_alerts (
	alert_id bigint GENERATED ALWAYS AS IDENTITY,
	raised_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	kind text NOT NULL,
	subject text NOT NULL,
	message text NOT NULL,
	queue_id bigint,
	resolved_at timestamptz,
	acknowledged_at timestamptz,
	acknowledged_by text,
	deliveries bigint[],
	CONSTRAINT sync_alerts_pkey PRIMARY KEY (alert_id)
);
CREATE INDEX sync_alerts_fresh_idx ON sync_alerts (alert_id) WHERE deliveries IS NULL;
REVOKE ALL ON TABLE sync_alerts FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('sync_alerts', '');
SELECT pg_catalog.pg_extension_config_dump('sync_alerts_alert_id_seq', '');

COMMENT ON TABLE sync_alerts IS 'What somebody should look at, one event a row. Acknowledge what has been seen to (sync_acknowledge_alerts), or delete it.';
COMMENT ON COLUMN sync_alerts.alert_id IS 'Identity of the event.';
COMMENT ON COLUMN sync_alerts.raised_at IS 'When it happened.';
COMMENT ON COLUMN sync_alerts.kind IS 'What happened: failed_permanent, a task failed and is not tried again; stuck, its worker was lost; check_failed, a check of a stream did not hold; freshness_missed, a stream is older than it may get; provider_paused; long_backlog, tasks have been due for long.';
COMMENT ON COLUMN sync_alerts.subject IS 'What it happened to: the operation type of the task and its provider, the stream, the provider.';
COMMENT ON COLUMN sync_alerts.message IS 'The error, or what is the case.';
COMMENT ON COLUMN sync_alerts.queue_id IS 'The task, which history has more of.';
COMMENT ON COLUMN sync_alerts.resolved_at IS 'When it was found not to be the case any more; for the last three kinds.';
COMMENT ON COLUMN sync_alerts.acknowledged_at IS 'When somebody said that it is seen to.';
COMMENT ON COLUMN sync_alerts.acknowledged_by IS 'Who said so.';
COMMENT ON COLUMN sync_alerts.deliveries IS 'In which rows of sync_alert_deliveries it is counted, one a channel; NULL: that is still to be found out.';

CREATE TABLE sync_alert_conditions (
	kind text NOT NULL,
	subject text NOT NULL,
	since timestamptz NOT NULL DEFAULT now(),
	alert_id bigint NOT NULL,
	CONSTRAINT sync_alert_conditions_pkey PRIMARY KEY (kind, subject)
);
REVOKE ALL ON TABLE sync_alert_conditions FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('sync_alert_conditions', '');

COMMENT ON TABLE sync_alert_conditions IS 'What is the case at present and was told of once, one condition a row. It goes when that is over.';
COMMENT ON COLUMN sync_alert_conditions.kind IS 'What is the case, as in sync_alerts.';
COMMENT ON COLUMN sync_alert_conditions.subject IS 'With what.';
COMMENT ON COLUMN sync_alert_conditions.since IS 'When that was found.';
COMMENT ON COLUMN sync_alert_conditions.alert_id IS 'The alert that tells of it.';

CREATE TABLE sync_alert_channels (
	channel_name text NOT NULL,
	kind text NOT NULL,
	config jsonb NOT NULL,
	events text[],
	group_window interval NOT NULL,
	max_messages integer NOT NULL,
	per interval NOT NULL,
	active boolean NOT NULL DEFAULT true,
	key_id text,
	sealed bytea,
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	last_delivered_at timestamptz,
	failures integer NOT NULL DEFAULT 0,
	last_error text,
	last_error_at timestamptz,
	gave_up_at timestamptz,
	CONSTRAINT sync_alert_channels_pkey PRIMARY KEY (channel_name),
	CONSTRAINT sync_alert_channels_kind_check CHECK (kind IN ('slack', 'webhook', 'email')),
	CONSTRAINT sync_alert_channels_limits_check CHECK (group_window >= '0' AND max_messages > 0 AND per > '0')
);
REVOKE ALL ON TABLE sync_alert_channels FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('sync_alert_channels', '');

COMMENT ON TABLE sync_alert_channels IS 'Who is told of alerts, and how, one channel a row; made by sync_set_alert_channel.';
COMMENT ON COLUMN sync_alert_channels.channel_name IS 'Name of the channel.';
COMMENT ON COLUMN sync_alert_channels.kind IS 'slack, webhook or email.';
COMMENT ON COLUMN sync_alert_channels.config IS 'Where it leads to, without what is secret.';
COMMENT ON COLUMN sync_alert_channels.events IS 'Kinds of alerts that it is for; NULL: all.';
COMMENT ON COLUMN sync_alert_channels.group_window IS 'For how long alerts of one kind and subject are gathered into one message, from the first of them on.';
COMMENT ON COLUMN sync_alert_channels.max_messages IS 'How many messages may be sent in "per"; what comes beyond is counted in the next one.';
COMMENT ON COLUMN sync_alert_channels.per IS 'See max_messages.';
COMMENT ON COLUMN sync_alert_channels.active IS 'false: it is left alone, and alerts that are raised meanwhile are not sent later.';
COMMENT ON COLUMN sync_alert_channels.key_id IS 'Which key its secrets are encrypted with.';
COMMENT ON COLUMN sync_alert_channels.sealed IS 'Its secrets, encrypted.';
COMMENT ON COLUMN sync_alert_channels.created_at IS 'When it was made; it tells of what was raised since.';
COMMENT ON COLUMN sync_alert_channels.last_delivered_at IS 'When it last took a message.';
COMMENT ON COLUMN sync_alert_channels.failures IS 'How many deliveries have failed since.';
COMMENT ON COLUMN sync_alert_channels.last_error IS 'Why the last of them did.';
COMMENT ON COLUMN sync_alert_channels.last_error_at IS 'When that was.';
COMMENT ON COLUMN sync_alert_channels.gave_up_at IS 'When the last attempt at a message failed: it is sent with the next alert, or an hour later.';

CREATE TABLE sync_alert_deliveries (
	delivery_id bigint GENERATED BY DEFAULT AS IDENTITY,
	channel_name text NOT NULL,
	kind text NOT NULL,
	subject text NOT NULL,
	alerts bigint NOT NULL,
	first_alert_id bigint NOT NULL,
	last_alert_id bigint NOT NULL,
	first_at timestamptz NOT NULL,
	last_at timestamptz NOT NULL,
	first_message text NOT NULL,
	last_message text NOT NULL,
	opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	due_at timestamptz NOT NULL,
	message_id bigint,
	delivered_at timestamptz,
	CONSTRAINT sync_alert_deliveries_pkey PRIMARY KEY (delivery_id)
);
CREATE INDEX sync_alert_deliveries_open_idx ON sync_alert_deliveries (channel_name) WHERE delivered_at IS NULL;
CREATE INDEX sync_alert_deliveries_message_idx ON sync_alert_deliveries (message_id);
CREATE INDEX sync_alert_deliveries_delivered_idx ON sync_alert_deliveries (channel_name, delivered_at) WHERE delivered_at IS NOT NULL;
REVOKE ALL ON TABLE sync_alert_deliveries FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('sync_alert_deliveries', '');
SELECT pg_catalog.pg_extension_config_dump('sync_alert_deliveries_delivery_id_seq', '');

COMMENT ON TABLE sync_alert_deliveries IS 'What a channel is or was told: alerts of one kind and subject, gathered, a row.';
COMMENT ON COLUMN sync_alert_deliveries.delivery_id IS 'Identity of the row; sync_alerts.deliveries refers to it.';
COMMENT ON COLUMN sync_alert_deliveries.channel_name IS 'The channel.';
COMMENT ON COLUMN sync_alert_deliveries.kind IS 'Kind of the alerts.';
COMMENT ON COLUMN sync_alert_deliveries.subject IS 'Their subject.';
COMMENT ON COLUMN sync_alert_deliveries.alerts IS 'How many they are.';
COMMENT ON COLUMN sync_alert_deliveries.first_alert_id IS 'The first of them.';
COMMENT ON COLUMN sync_alert_deliveries.last_alert_id IS 'The last of them.';
COMMENT ON COLUMN sync_alert_deliveries.first_at IS 'When the first was raised.';
COMMENT ON COLUMN sync_alert_deliveries.last_at IS 'When the last was.';
COMMENT ON COLUMN sync_alert_deliveries.first_message IS 'What the first says.';
COMMENT ON COLUMN sync_alert_deliveries.last_message IS 'What the last says.';
COMMENT ON COLUMN sync_alert_deliveries.opened_at IS 'When the row was made.';
COMMENT ON COLUMN sync_alert_deliveries.due_at IS 'When it is to be sent at the earliest.';
COMMENT ON COLUMN sync_alert_deliveries.message_id IS 'The message that it was last put into, which is called by the last of its rows.';
COMMENT ON COLUMN sync_alert_deliveries.delivered_at IS 'When the channel took it; NULL: it has not yet.';

CREATE FUNCTION sync_set_alert_channel(name text, kind text, config jsonb,
	events text[] DEFAULT NULL, group_window interval DEFAULT '1 minute',
	max_messages integer DEFAULT 20, per interval DEFAULT '1 hour') RETURNS void
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'sync_sql_set_alert_channel';
REVOKE ALL ON FUNCTION sync_set_alert_channel(text, text, jsonb, text[], interval, integer, interval) FROM PUBLIC;
COMMENT ON FUNCTION sync_set_alert_channel(text, text, jsonb, text[], interval, integer, interval) IS
'Have alerts told: by slack, {"url": of an incoming webhook}; by webhook, {"url": ..., "secret": to sign with, "headers": {...}}; by email, {"host": ..., "port": ..., "tls": "starttls", "tls" or "none", "user": ..., "password": ..., "from": ..., "to": [...]}. Replaces a channel of the name. URLs, secrets, headers and passwords are encrypted. events: kinds of alerts, NULL for all. Alerts of one kind and subject are gathered for group_window; at most max_messages go out in "per", and the next one counts what was held back.';

CREATE FUNCTION sync_drop_alert_channel(name text) RETURNS void
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'sync_sql_drop_alert_channel';
REVOKE ALL ON FUNCTION sync_drop_alert_channel(text) FROM PUBLIC;
COMMENT ON FUNCTION sync_drop_alert_channel(text) IS
'Have alerts no longer told by a channel; what it was not told yet is dropped.';

CREATE FUNCTION sync_test_alert(channel text) RETURNS text
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'sync_sql_test_alert';
REVOKE ALL ON FUNCTION sync_test_alert(text) FROM PUBLIC;
COMMENT ON FUNCTION sync_test_alert(text) IS
'Send a message to a channel now, to see whether it takes it. Raises where it does not: SY001, no answer; SY002, it was refused.';

CREATE FUNCTION sync_acknowledge_alerts(kind text DEFAULT NULL, subject text DEFAULT NULL,
	up_to bigint DEFAULT NULL) RETURNS bigint
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'sync_sql_acknowledge_alerts';
REVOKE ALL ON FUNCTION sync_acknowledge_alerts(text, text, bigint) FROM PUBLIC;
COMMENT ON FUNCTION sync_acknowledge_alerts(text, text, bigint) IS
'Say that alerts are seen to: those of a kind and a subject, up to an alert_id; NULL: all. Returns how many.';
