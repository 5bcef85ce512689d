-- alert channels: what is stored, and what is refused, by name and value; alerts of checks and old streams
\pset format unaligned
\pset tuples_only
CREATE SCHEMA alerts;
SET search_path = alerts, public;

CREATE FUNCTION channel(kind text, config jsonb, more text DEFAULT '') RETURNS SETOF text LANGUAGE sql AS $$
	SELECT complaint(format('SELECT sync_set_alert_channel(''c'', %L, %L%s)', kind, config, more)) $$;
SELECT channel('pager', '{}');
SELECT channel('slack', '[]');
SELECT channel('slack', '{}');
SELECT channel('slack', '{"url": 1}');
SELECT channel('slack', '{"url": "hooks.slack.com/geheim"}');
SELECT channel('slack', '{"url": "https://hooks.slack.com/geheim", "secret": "geheim"}');
SELECT channel('webhook', '{"url": "https://example.org/"}');
SELECT channel('webhook', '{"url": "https://example.org/", "secret": "short"}');
SELECT channel('webhook', '{"url": "https://example.org/", "secret": "0123456789abcdef", "headers": ["X"]}');
SELECT channel('webhook', '{"url": "https://example.org/", "secret": "0123456789abcdef", "headers": {"X Y": "z"}}');
SELECT channel('webhook', '{"url": "https://example.org/", "secret": "0123456789abcdef", "headers": {"X": "y\r\nZ: a"}}');
SELECT channel('webhook', '{"url": "https://example.org/", "secret": "0123456789abcdef", "headers": {"X": 1}}');
SELECT channel('email', '{"host": "mail.example.org", "from": "a@example.org"}');
SELECT channel('email', '{"host": "mail.example.org:25", "from": "a@example.org", "to": "b@example.org"}');
SELECT channel('email', '{"host": "mail.example.org", "from": "a@example.org", "to": []}');
SELECT channel('email', '{"host": "mail.example.org", "from": "a@example.org", "to": "b@example.org>, <c@example.org"}');
SELECT channel('email', '{"host": "mail.example.org", "from": "a@example.org\r\nBcc: x@example.org", "to": "b@example.org"}');
SELECT channel('email', '{"host": "mail.example.org", "from": "a@example.org", "to": ["b@example.org", "c"]}');
SELECT channel('email', '{"host": "mail.example.org", "port": 70000, "from": "a@example.org", "to": "b@example.org"}');
SELECT channel('email', '{"host": "mail.example.org", "tls": "ssl", "from": "a@example.org", "to": "b@example.org"}');
SELECT channel('email', '{"host": "mail.example.org", "user": "u", "from": "a@example.org", "to": "b@example.org"}');
SELECT channel('email', '{"host": "mail.example.org", "user": "u", "password": "geheim", "tls": "none", "from": "a@example.org", "to": "b@example.org"}');

-- without a key for what is secret
SELECT channel('slack', '{"url": "https://hooks.slack.com/geheim"}');

-- limits and events
SELECT channel('email', '{"host": "mail.example.org", "from": "a@example.org", "to": "b@example.org"}', more)
FROM unnest(ARRAY[', events => ''{}''', ', events => ''{task_failed}''', ', events => ''{NULL}''', ', group_window => NULL', ', group_window => ''-1 s''',
	', max_messages => 0', ', max_messages => NULL', ', per => ''0 s''']) AS more;
SELECT complaint($$SELECT sync_set_alert_channel(NULL, 'email', '{}')$$);
SELECT complaint($$SELECT sync_set_alert_channel('', 'email', '{}')$$);
SELECT complaint($$SELECT sync_set_alert_channel('c', 'email', NULL)$$);
SELECT complaint($$SELECT sync_drop_alert_channel('c')$$);
SELECT complaint($$SELECT sync_test_alert('c')$$);

-- one that is right; set again it is replaced
SELECT sync_set_alert_channel('c', 'email', '{"host": "mail.invalid", "from": "a@example.org", "to": ["b@example.org", "c@example.org"]}',
	events => '{check_failed,freshness_missed}', group_window => '0 s', max_messages => 3, per => '1 day');
SELECT kind, config, events, group_window, max_messages, per, active, key_id FROM sync_alert_channels;
SELECT sync_set_alert_channel('c', 'email', '{"host": "mail.invalid", "from": "a@example.org", "to": "b@example.org"}', group_window => '1 hour');
SELECT kind, config, events, group_window, max_messages, per FROM sync_alert_channels;
SELECT complaint($$SELECT sync_deliver_alerts(1, '{}')$$);
SELECT complaint($$SELECT sync_deliver_alerts(1, NULL)$$);
SELECT sync_deliver_alerts(1, '{"channel": "none"}');
SELECT sync_deliver_alerts(1, '{"channel": "c"}');

-- a check that warns, and one that fails the run
CREATE TABLE src (id int PRIMARY KEY, name text);
CREATE TABLE dst (id int PRIMARY KEY, name text);
INSERT INTO src VALUES (1, NULL);
SELECT sync_create_stream('checked', target => 'alerts.dst', key => '{id}', query => 'SELECT * FROM alerts.src');
SELECT sync_add_check('checked', 'named', 'not_null', '{name}', severity => 'warning');
SET client_min_messages = error;
SELECT inserted FROM sync_run('checked');
SELECT sync_drop_check('checked', 'named');
SELECT sync_add_check('checked', 'named', 'not_null', '{name}');
INSERT INTO src VALUES (2, NULL);
SELECT complaint($$SELECT sync_run('checked')$$);
RESET client_min_messages;
SELECT kind, subject, message FROM sync_alerts WHERE subject = 'checked' ORDER BY alert_id;

-- how old a stream may get: told once, and once more when it was fresh meanwhile
SELECT complaint($$SELECT sync_set_freshness('nothing', '1 hour')$$);
SELECT complaint($$SELECT sync_set_freshness('checked', '-1 hour')$$);
SELECT complaint($$SELECT sync_set_freshness(NULL, '1 hour')$$);
SELECT sync_drop_check('checked', 'named');
SELECT sync_set_freshness('checked', '1 microsecond');
CALL sync_process_queue();
CALL sync_process_queue();
SELECT count(*), bool_or(resolved_at IS NOT NULL), min(regexp_replace(message, '\d{4}-.* UTC|at [^;]*', '...')) FROM sync_alerts WHERE kind = 'freshness_missed';
SELECT sync_set_freshness('checked', '1 hour');
CALL sync_process_queue();
SELECT count(*), bool_and(resolved_at IS NOT NULL) FROM sync_alerts WHERE kind = 'freshness_missed';
SELECT count(*) FROM sync_alert_conditions;
SELECT sync_set_freshness('checked', '1 microsecond');
CALL sync_process_queue();
SELECT count(*), bool_and(resolved_at IS NOT NULL) FROM sync_alerts WHERE kind = 'freshness_missed';
SELECT sync_set_freshness('checked', NULL);
CALL sync_process_queue();
SELECT count(*), bool_and(resolved_at IS NOT NULL) FROM sync_alerts WHERE kind = 'freshness_missed';

-- all of it was gathered for the channel, which waits for an hour
SELECT channel_name, kind, subject, alerts, due_at - first_at FROM sync_alert_deliveries WHERE subject = 'checked' ORDER BY kind, due_at;
SELECT operation_type, payload, status FROM sync_queue WHERE operation_type = 'alert';
SELECT sync_acknowledge_alerts(kind => 'check_failed', subject => 'checked'), sync_acknowledge_alerts(subject => 'checked', up_to => 0);
SELECT sync_drop_alert_channel('c');
SELECT count(*) FROM sync_alert_deliveries;
DELETE FROM sync_queue WHERE operation_type = 'alert';
SELECT sync_drop_stream('checked');
DELETE FROM sync_alerts WHERE subject = 'checked';
