-- tasks: put in, performed, tried again, cancelled
CREATE TABLE done (n int, what jsonb, by text DEFAULT current_user);
CREATE FUNCTION work(payload jsonb) RETURNS jsonb LANGUAGE sql
	SET search_path = public
	AS $$INSERT INTO done VALUES ((payload ->> 'n')::int, payload) RETURNING jsonb_build_object('did', n)$$;
CREATE FUNCTION work_by_id(id bigint) RETURNS void LANGUAGE sql
	AS $$INSERT INTO public.done VALUES (-1, to_jsonb(id > 0))$$;
CREATE FUNCTION work_by_both(id bigint, payload jsonb) RETURNS void LANGUAGE sql
	AS $$INSERT INTO public.done VALUES (-2, payload || jsonb_build_object('id', id > 0))$$;
CREATE FUNCTION work_of_none() RETURNS void LANGUAGE sql
	AS $$INSERT INTO public.done VALUES (-3, NULL)$$;
CREATE FUNCTION fail(payload jsonb) RETURNS void LANGUAGE plpgsql
	AS $$BEGIN
		INSERT INTO public.done VALUES ((payload ->> 'n')::int, '"undone"');
		RAISE EXCEPTION 'not today' USING ERRCODE = payload ->> 'state';
	END$$;
INSERT INTO sync_operation_types (operation_type, handler) VALUES
	('work', 'work(jsonb)'), ('by_id', 'work_by_id(bigint)'),
	('by_both', 'work_by_both(bigint,jsonb)'), ('of_none', 'work_of_none()'),
	('fail', 'fail(jsonb)');
SELECT operation_type, handler, kind, shipped FROM sync_operation_types WHERE NOT shipped OR operation_type IN ('progress', 'stream') ORDER BY 1;

-- performed in order of priority, scheduled time and identity
SELECT sync_enqueue('work', '{"n": 3}') > 0 AS queued;
SELECT sync_enqueue('work', '{"n": 2}', scheduled_time => now() - interval '1 hour') > 0 AS queued;
SELECT sync_trigger('work', '{"n": 1}') > 0 AS queued;
INSERT INTO sync_queue (operation_type, payload) VALUES ('work', '{"n": 4}'), ('work', '{"n": 5}');
SELECT sync_enqueue('work', '{"n": 6}', priority => 6) > 0 AS queued;
SELECT sync_enqueue('work', '{"n": 9}', scheduled_time => now() + interval '1 hour') > 0 AS queued;
SELECT status, attempt, run_as, priority FROM sync_queue ORDER BY queue_id;
CALL sync_process_queue();
SELECT n FROM done;
SELECT operation, run_by, status, outcome, attempt, details, error_message FROM sync_history WHERE queue_id IS NOT NULL ORDER BY history_id;
SELECT payload FROM sync_queue;
TRUNCATE done;

-- handlers take what they take
SELECT count(sync_enqueue(t, '{"a": 1}')) FROM unnest('{by_id,by_both,of_none}'::text[]) AS t;
CALL sync_process_queue();
SELECT n, what FROM done ORDER BY n DESC;
TRUNCATE done;

-- at most so many
SELECT sync_enqueue_many('[{"operation_type": "work", "payload": {"n": 1}},
	{"operation_type": "work", "payload": {"n": 2}, "priority": 4, "timing_partner_id": 7},
	{"operation_type": "work", "payload": {"n": 3}, "unique_key": "three"},
	{"operation_type": "work", "payload": {"n": 4}, "unique_key": "three"}]');
CALL sync_process_queue(2);
SELECT n FROM done;
CALL sync_process_queue();
SELECT n FROM done;
TRUNCATE done;

-- what fails is undone, and tried again when its SQLSTATE says so
SELECT count(sync_enqueue('fail', jsonb_build_object('n', 1, 'state', s))) FROM unnest('{40001,22012}'::text[]) AS s;
CALL sync_process_queue();
SELECT * FROM done;
SELECT priority, status, attempt, last_error, scheduled_time - now() BETWEEN interval '110 s' AND interval '120 s' AS in_two_minutes
FROM sync_queue WHERE operation_type = 'fail';
SELECT status, outcome, error_sqlstate, error_message, attempt FROM sync_history WHERE operation = 'fail' ORDER BY history_id;
SELECT kind, subject, message FROM sync_alerts WHERE queue_id IS NOT NULL;

-- after 2, 4 and 8 minutes
UPDATE sync_queue SET scheduled_time = now() WHERE operation_type = 'fail';
CALL sync_process_queue();
SELECT priority, attempt, scheduled_time - now() BETWEEN interval '230 s' AND interval '240 s' AS in_four_minutes
FROM sync_queue WHERE operation_type = 'fail';
SELECT sync_retry(queue_id) = queue_id AS retried FROM sync_queue WHERE operation_type = 'fail';
CALL sync_process_queue();
SELECT priority, attempt, scheduled_time - now() BETWEEN interval '470 s' AND interval '480 s' AS in_eight_minutes
FROM sync_queue WHERE operation_type = 'fail';
SELECT sync_retry(queue_id) = queue_id AS retried FROM sync_queue WHERE operation_type = 'fail';
CALL sync_process_queue();
SELECT count(*) FROM sync_queue WHERE operation_type = 'fail';
SELECT status, error_sqlstate, attempt FROM sync_history WHERE operation = 'fail' AND error_sqlstate = '40001' ORDER BY history_id;
SELECT count(*) FROM sync_alerts WHERE queue_id IS NOT NULL;

-- and again from the start, when somebody says so
SELECT count(sync_retry(queue_id)) FROM sync_history WHERE operation = 'fail' AND error_sqlstate = '22012';
SELECT attempt, status, payload FROM sync_queue WHERE operation_type = 'fail';
SELECT complaint('SELECT sync_retry(-1)');

-- cancelled, deleted
SELECT sync_cancel(queue_id) FROM sync_queue WHERE operation_type = 'fail';
SELECT sync_cancel(-1);
SELECT count(sync_enqueue('work', jsonb_build_object('n', n))) FROM generate_series(1, 3) AS n;
UPDATE sync_queue SET status = 'cancelled' WHERE payload = '{"n": 1}';
DELETE FROM sync_queue WHERE payload = '{"n": 2}';
SELECT payload FROM sync_queue ORDER BY queue_id;
SELECT status, outcome, attempt, error_message, details -> 'task' -> 'payload' AS payload
FROM sync_history WHERE status = 'cancelled' ORDER BY history_id;
DELETE FROM sync_queue;

-- one of a kind
SELECT sync_enqueue('work', '{"n": 1}', unique_key => 'k') AS first \gset
SELECT sync_enqueue('work', '{"n": 2}', unique_key => 'k') = :first AS kept;
SELECT sync_enqueue('work', '{"n": 3}', unique_key => 'k', on_duplicate => 'replace', priority => 2) = :first AS replaced;
SELECT regexp_replace(complaint($$SELECT sync_enqueue('work', '{}', unique_key => 'k', on_duplicate => 'fail')$$), '\d+\.$', 'N.') AS complaint;
SELECT complaint($$SELECT sync_enqueue('work', on_duplicate => 'hope')$$);
SELECT payload, priority FROM sync_queue;
DELETE FROM sync_queue;

-- paused
SELECT sync_pause(provider_name => 'p'), sync_pause(provider_name => 'p'), sync_pause(operation_type => 'by_id');
SELECT count(sync_enqueue(t, '{"n": 1}', provider_name => p))
FROM unnest('{work,by_id}'::text[]) AS t, unnest('{p,q,NULL}'::text[]) AS p;
CALL sync_process_queue();
SELECT operation_type, provider_name FROM sync_queue ORDER BY 1, 2;
SELECT sync_resume(provider_name => 'p'), sync_resume(provider_name => 'p');
CALL sync_process_queue();
SELECT operation_type, provider_name FROM sync_queue ORDER BY 1, 2;
SELECT sync_pause();
SELECT sync_resume(operation_type => 'by_id');
CALL sync_process_queue();
SELECT count(*) FROM sync_queue;
SELECT sync_resume(), sync_drain();
CALL sync_process_queue();
SELECT count(*) FROM sync_queue;
TRUNCATE done;

-- the kind that is committed as running first
UPDATE sync_operation_types SET kind = 'external' WHERE operation_type IN ('work', 'fail');
SELECT count(sync_enqueue('work', jsonb_build_object('n', n))) FROM generate_series(1, 3) AS n;
SELECT sync_enqueue('fail', '{"n": 1, "state": "40001"}') > 0 AS queued;
CALL sync_process_queue();
SELECT n FROM done;
SELECT status, attempt, priority, last_error FROM sync_queue;
SELECT operation, status FROM sync_history ORDER BY history_id DESC LIMIT 4;
DELETE FROM sync_queue;
UPDATE sync_operation_types SET kind = 'transaction' WHERE operation_type IN ('work', 'fail');
TRUNCATE done;

-- many tasks of one tenant do not hold back those of another
INSERT INTO sync_queue (operation_type, payload, timing_partner_id)
SELECT 'work', '{"n": 1}', 1 FROM generate_series(1, 300);
INSERT INTO sync_queue (operation_type, payload, timing_partner_id) VALUES ('work', '{"n": 2}', 2);
SELECT operation_type, status, tasks, due, oldest_due >= '0' AS waits, next_due, paused FROM sync_stat_queue;
CALL sync_process_queue(20);
SELECT count(*) FILTER (WHERE n = 2) AS other, count(*) FROM done;
SET sync_ext.batch_size = 1;
SET sync_ext.async_commit = on;
CALL sync_process_queue(80);
RESET sync_ext.batch_size;
RESET sync_ext.async_commit;
CALL sync_process_queue();
SELECT count(*) FROM done;
TRUNCATE done;

-- more tenants than there is room for
INSERT INTO sync_queue (operation_type, payload, timing_partner_id)
SELECT 'work', jsonb_build_object('n', n), n FROM generate_series(1, 3000) AS n;
INSERT INTO sync_queue (operation_type, timing_partner_id, scheduled_time)
SELECT 'work', -n, now() + '1 hour' FROM generate_series(1, 3000) AS n;
CALL sync_process_queue(5000);
SELECT count(*), count(DISTINCT n) FROM done;
SELECT count(*) FROM sync_queue WHERE timing_partner_id > 2;
DELETE FROM sync_queue;
DELETE FROM sync_history WHERE operation = 'work';
TRUNCATE done;

-- no more than may be begun
INSERT INTO sync_operation_types (operation_type, handler, rate_limit, rate_interval, limits_per) VALUES
	('rated', 'work(jsonb)', 5, '1 hour', 'type'), ('rated_each', 'work(jsonb)', 2, '1 hour', 'tenant');
INSERT INTO sync_queue (operation_type, payload, timing_partner_id)
SELECT t, jsonb_build_object('n', length(t)), n % 3 FROM generate_series(1, 12) AS n, unnest('{work,rated,rated_each}'::text[]) AS t;
CALL sync_process_queue();
CALL sync_process_queue();
SELECT n, count(*) FROM done GROUP BY n ORDER BY n;
DELETE FROM sync_queue;
DELETE FROM sync_history WHERE operation = 'work';
TRUNCATE done;

-- how a tenant is doing
SELECT sync_enqueue('work', '{"n": 1}', timing_partner_id => 42, provider_name => 'p') > 0 AS queued;
CALL sync_process_queue();
SELECT sync_enqueue('work', '{"n": 2}', timing_partner_id => 42) > 0 AS queued;
SELECT jsonb_object_keys(sync_status(42));
SELECT jsonb_array_length(s -> 'recent_syncs'), s -> 'recent_syncs' -> 0 ->> 'status',
	(s ->> 'last_successful_sync')::timestamptz <= clock_timestamp(), s -> 'pending_jobs'
FROM sync_status(42) AS s;
SELECT sync_status(43);

-- bad input
SELECT regexp_replace(complaint(statement), 'Task \d+', 'Task N') AS complaint FROM (VALUES
	($$SELECT sync_enqueue('none')$$),
	($$INSERT INTO sync_queue (operation_type) VALUES ('none')$$),
	($$INSERT INTO sync_queue (operation_type, status) VALUES ('work', 'running')$$),
	($$UPDATE sync_queue SET status = 'completed'$$),
	($$UPDATE sync_queue SET status = 'done'$$),
	($$UPDATE sync_queue SET run_as = 'pg_monitor'$$),
	($$TRUNCATE sync_queue$$),
	($$CALL sync_process_queue()$$),
	($$INSERT INTO sync_operation_types (operation_type, handler) VALUES ('x', 'nowhere(jsonb)')$$),
	($$INSERT INTO sync_operation_types (operation_type, handler, retry_sqlstates) VALUES ('x', 'work(jsonb)', '{40,x}')$$),
	($$DELETE FROM sync_operation_types WHERE operation_type = 'stream'$$)) AS s (statement);
CREATE FUNCTION many(jsonb) RETURNS SETOF int LANGUAGE sql AS 'SELECT 1';
INSERT INTO sync_operation_types (operation_type, handler) VALUES ('many', 'many(jsonb)');
SELECT sync_enqueue('many') > 0 AS queued;
CALL sync_process_queue();
SELECT status, error_sqlstate, error_message, error_detail FROM sync_history WHERE operation = 'many';

-- a shipped type that was made one's own, and the handlers that are shipped
UPDATE sync_operation_types SET max_attempts = 2 WHERE operation_type = 'progress';
INSERT INTO sync_operation_types (operation_type, handler, max_attempts) VALUES ('stream', 'sync_task_stream(jsonb)', 1);
SELECT operation_type, max_attempts, shipped FROM sync_operation_types WHERE operation_type IN ('stream', 'progress') ORDER BY 1;
CREATE TABLE athletes (id int PRIMARY KEY, name text);
SELECT sync_create_stream('athletes', 'public.athletes', '{id}', 'SELECT 1 AS id, ''Ann'' AS name');
SELECT sync_enqueue('stream', '{"stream": "athletes"}') > 0 AS queued;
SELECT sync_enqueue('stream') > 0 AS queued;
CALL sync_process_queue();
SELECT * FROM athletes;
SELECT status, details -> 'inserted' AS inserted, error_message FROM sync_history WHERE operation = 'stream' AND queue_id IS NOT NULL ORDER BY history_id;

DROP TABLE done, athletes;
DROP FUNCTION work, work_by_id, work_by_both, work_of_none, fail, many;
DELETE FROM sync_queue;
DELETE FROM sync_operation_types WHERE NOT shipped AND operation_type NOT IN ('stream', 'progress');
SELECT sync_drop_stream('athletes');
