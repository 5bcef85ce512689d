-- tasks that wait for others
CREATE TABLE waits_done (place int GENERATED ALWAYS AS IDENTITY, what text, by text DEFAULT current_user);
CREATE FUNCTION waits_work(payload jsonb) RETURNS void LANGUAGE sql
	AS $$INSERT INTO public.waits_done (what) VALUES (payload ->> 'what')$$;
CREATE FUNCTION waits_grow(payload jsonb) RETURNS void LANGUAGE sql SET search_path = public AS $$
	INSERT INTO waits_done (what) VALUES ('grow ' || (payload ->> 'n'));
	INSERT INTO sync_queue (operation_type, payload, task_group)
	SELECT 'waits_grow', jsonb_build_object('n', (payload ->> 'n')::int - 1), 'growing' WHERE (payload ->> 'n')::int > 1;
$$;
CREATE FUNCTION waits_fail(payload jsonb) RETURNS void LANGUAGE plpgsql
	AS $$BEGIN RAISE EXCEPTION 'not today' USING ERRCODE = coalesce(payload ->> 'state', '22012'); END$$;
INSERT INTO sync_operation_types (operation_type, handler, backoff_base, max_attempts) VALUES
	('waits_work', 'waits_work(jsonb)', '2 minutes', 4), ('waits_grow', 'waits_grow(jsonb)', '2 minutes', 4),
	('waits_fail', 'waits_fail(jsonb)', '0', 2);
TRUNCATE sync_history, sync_alerts;
ALTER SEQUENCE sync_queue_queue_id_seq RESTART WITH 1001;
CREATE VIEW waits_queue AS
	SELECT queue_id, payload ->> 'what' AS what, status, after, after_group, on_failure, task_group FROM sync_queue ORDER BY queue_id;
CREATE VIEW waits_story AS
	SELECT queue_id, operation, status, attempt, error_sqlstate AS state, error_message AS error FROM sync_history ORDER BY history_id;

-- each after what it waits for, whatever its priority
SELECT sync_enqueue('waits_work', '{"what": "events"}', priority => 9) AS events \gset
SELECT sync_enqueue('waits_work', '{"what": "participants"}', after => ARRAY[:events], priority => 5) AS participants \gset
SELECT sync_enqueue('waits_work', '{"what": "results"}', after => ARRAY[:events, :participants], priority => 1) > 0 AS queued;
INSERT INTO sync_queue (operation_type, payload, after) VALUES ('waits_work', '{"what": "by hand"}', ARRAY[:participants]);
SELECT sync_enqueue_many(jsonb_build_array(
	jsonb_build_object('operation_type', 'waits_work', 'payload', '{"what": "one of many"}'::jsonb, 'after', ARRAY[:events]),
	jsonb_build_object('operation_type', 'waits_work', 'payload', '{"what": "free"}'::jsonb, 'after', '{}'::bigint[])));
SELECT * FROM waits_queue;
SELECT operation_type, status, tasks, due, next_due FROM sync_stat_queue ORDER BY status;
CALL sync_process_queue();
SELECT what FROM waits_done ORDER BY place;
SELECT count(*) FROM sync_queue;
TRUNCATE waits_done;

-- for what has ended already
SELECT sync_enqueue('waits_work', '{"what": "late"}', after => ARRAY[:events, :participants]) AS late \gset
CALL sync_process_queue();
SELECT what FROM waits_done;
TRUNCATE waits_done;

-- a scheduled time still counts
SELECT sync_enqueue('waits_work', '{"what": "later"}', after => ARRAY[:late], scheduled_time => now() + '1 hour') AS later \gset
CALL sync_process_queue();
SELECT status, scheduled_time > now() + '59 minutes' AS later FROM sync_queue;
SELECT sync_cancel(:later);

-- one that fails for good fails those that wait for it, and those that wait for these; or frees them
TRUNCATE sync_history, sync_alerts;
SELECT sync_enqueue('waits_fail', '{"state": "40001"}') AS bad \gset
SELECT sync_enqueue('waits_work', '{"what": "fails"}', after => ARRAY[:bad]) AS fails \gset
SELECT sync_enqueue('waits_work', '{"what": "fails likewise"}', after => ARRAY[:fails], on_failure => 'fail') AS likewise \gset
SELECT sync_enqueue('waits_work', '{"what": "runs all the same"}', after => ARRAY[:bad, :fails], on_failure => 'run') > 0 AS queued;
CALL sync_process_queue();
SELECT * FROM waits_story;
SELECT what FROM waits_done;
SELECT kind, subject, message FROM sync_alerts;
SELECT * FROM waits_queue;

-- so does one that failed before
SELECT sync_enqueue('waits_work', '{"what": "too late"}', after => ARRAY[:bad]) AS too_late \gset
CALL sync_process_queue();
SELECT status, error FROM waits_story WHERE queue_id = :too_late;

-- one that was tried again by hand has not failed any longer
UPDATE sync_operation_types SET handler = 'waits_work(jsonb)' WHERE operation_type = 'waits_fail';
TRUNCATE waits_done;
SELECT sync_retry(:bad) = :bad AS retried;
SELECT sync_enqueue('waits_work', '{"what": "after the retry"}', after => ARRAY[:bad]) > 0 AS queued;
SELECT sync_retry(:likewise) = :likewise AS retried, sync_retry(:fails) = :fails AS retried;
SELECT * FROM waits_queue;
CALL sync_process_queue();
SELECT what FROM waits_done ORDER BY place;
SELECT sync_enqueue('waits_work', '{"what": "and later"}', after => ARRAY[:bad]) > 0 AS queued;
CALL sync_process_queue();
SELECT what FROM waits_done ORDER BY place DESC LIMIT 1;
UPDATE sync_operation_types SET handler = 'waits_fail(jsonb)' WHERE operation_type = 'waits_fail';
TRUNCATE waits_done, sync_history;

-- cancelled, deleted, freed by hand, replaced
SELECT sync_enqueue('waits_work', '{"what": "first"}', scheduled_time => now() + '1 hour') AS first \gset
SELECT sync_enqueue('waits_work', '{"what": "cancelled"}', after => ARRAY[:first]) AS cancelled \gset
SELECT sync_enqueue('waits_work', '{"what": "deleted"}', after => ARRAY[:first]) AS deleted \gset
SELECT sync_enqueue('waits_work', '{"what": "freed"}', after => ARRAY[:first]) AS freed \gset
SELECT sync_enqueue('waits_work', '{"what": "replaced"}', after => ARRAY[:first], unique_key => 'waits') AS replaced \gset
SELECT sync_enqueue('waits_work', '{"what": "kept"}', unique_key => 'waits') = :replaced AS kept;
SELECT sync_enqueue('waits_work', '{"what": "waits no longer"}', unique_key => 'waits', on_duplicate => 'replace') = :replaced AS replaced;
SELECT sync_enqueue('waits_work', '{"what": "with the first"}', after => ARRAY[:first]) AS with_first \gset
SELECT complaint(format('SELECT sync_retry(%s)', :freed));
SELECT sync_cancel(:cancelled);
DELETE FROM sync_queue WHERE queue_id = :deleted;
UPDATE sync_queue SET after = NULL WHERE queue_id = :freed;
SELECT * FROM waits_queue;
CALL sync_process_queue();
SELECT what FROM waits_done ORDER BY place;
SELECT sync_cancel(:first);
CALL sync_process_queue();
SELECT queue_id, status, attempt, state, error FROM waits_story WHERE status <> 'success';
SELECT count(*) FROM sync_queue;
TRUNCATE waits_done, sync_history;

-- a pending one can be told to wait
SELECT sync_enqueue('waits_work', '{"what": "one"}') AS one \gset
SELECT sync_enqueue('waits_work', '{"what": "two"}', priority => 1) AS two \gset
UPDATE sync_queue SET after = ARRAY[:one] WHERE queue_id = :two;
CALL sync_process_queue();
SELECT what FROM waits_done ORDER BY place;
TRUNCATE waits_done, sync_history;

-- after a group, and what its tasks add to it
SELECT sync_enqueue('waits_work', '{"what": "all done"}', after_group => 'growing', priority => 0) > 0 AS queued;
SELECT sync_enqueue('waits_grow', '{"n": 3}', task_group => 'growing') > 0 AS queued;
INSERT INTO sync_queue (operation_type, payload, task_group)
SELECT 'waits_work', '{"what": "part"}', 'growing' FROM generate_series(1, 100) AS n;
CALL sync_process_queue();
SELECT what, count(*) FROM waits_done GROUP BY what ORDER BY min(place);
TRUNCATE waits_done, sync_history;

-- of which some fail, while it waits
SELECT count(sync_enqueue(t, '{"what": "part"}', task_group => 'failing')) FROM unnest('{waits_work,waits_fail,waits_work}'::text[]) AS t;
SELECT sync_enqueue('waits_work', '{"what": "not all done"}', after_group => 'failing') > 0 AS queued;
SELECT sync_enqueue('waits_work', '{"what": "all over"}', after_group => 'failing', on_failure => 'run') > 0 AS queued;
CALL sync_process_queue();
SELECT what FROM waits_done ORDER BY place;
SELECT status, error FROM waits_story WHERE state = '55000';

-- a group that is over is forgotten: its name may be used again
SELECT sync_enqueue('waits_work', '{"what": "new part"}', task_group => 'failing') > 0 AS queued;
SELECT sync_enqueue('waits_work', '{"what": "all done again"}', after_group => 'failing') > 0 AS queued;
CALL sync_process_queue();
SELECT what FROM waits_done ORDER BY place OFFSET 3;
TRUNCATE waits_done, sync_history;

-- nobody else's tasks are in it
CREATE ROLE regress_waiter;
GRANT EXECUTE ON FUNCTION sync_enqueue TO regress_waiter;
GRANT INSERT ON waits_done TO regress_waiter;
SELECT sync_enqueue('waits_work', '{"what": "not yours"}', task_group => 'ours', scheduled_time => now() + '1 hour') > 0 AS queued;
SET ROLE regress_waiter;
SELECT sync_enqueue('waits_work', '{"what": "mine"}', task_group => 'ours') > 0 AS queued;
SELECT sync_enqueue('waits_work', '{"what": "after mine"}', after_group => 'ours') > 0 AS queued;
RESET ROLE;
CALL sync_process_queue();
SELECT what, by FROM waits_done ORDER BY place;
DELETE FROM sync_queue;
TRUNCATE waits_done, sync_history, sync_alerts;

-- those that come to wait for each other through a group fail
SELECT sync_enqueue('waits_work', '{"what": "sum"}', after_group => 'circle') AS sum \gset
SELECT sync_enqueue('waits_work', '{"what": "part"}', after => ARRAY[:sum], task_group => 'circle') AS part \gset
SELECT sync_enqueue('waits_work', '{"what": "outside"}', after => ARRAY[:part], on_failure => 'run') > 0 AS queued;
CALL sync_process_queue();
CALL sync_process_queue();
SELECT regexp_replace(error, '\d+', 'N') AS error FROM waits_story WHERE state = '55000' ORDER BY 1;
SELECT what FROM waits_done;
SELECT kind, subject, message FROM sync_alerts;
SELECT count(*) FROM sync_queue;
TRUNCATE waits_done, sync_history, sync_alerts;

-- many that wait for one, and one that waits for many
SELECT sync_enqueue('waits_work', '{"what": "one"}') AS one \gset
INSERT INTO sync_queue (operation_type, payload, after) SELECT 'waits_work', '{"what": "many"}', ARRAY[:one] FROM generate_series(1, 2500);
INSERT INTO sync_queue (operation_type, payload, after) SELECT 'waits_work', '{"what": "last"}', array_agg(queue_id) FROM sync_queue;
CALL sync_process_queue(10000);
SELECT what, count(*) FROM waits_done GROUP BY what ORDER BY min(place);
TRUNCATE waits_done, sync_history;

-- a tenant's, as sync_status counts them
SELECT sync_enqueue('waits_work', timing_partner_id => 7, scheduled_time => now() + '1 hour') AS one \gset
SELECT sync_enqueue('waits_work', timing_partner_id => 7, after => ARRAY[:one]) > 0 AS queued;
SELECT s -> 'pending_jobs' AS pending, s -> 'waiting_jobs' AS waiting FROM sync_status(7) AS s;

-- what cannot be
SELECT regexp_replace(line, 'task \d+', 'task N', 'gi') AS complaint FROM (VALUES
	($$SELECT sync_enqueue('waits_work', after => '{99999}')$$),
	($$INSERT INTO sync_queue (queue_id, operation_type, after) VALUES (5000, 'waits_work', '{5000}')$$),
	($$SELECT sync_enqueue('waits_work', after => '{NULL}')$$),
	($$SELECT sync_enqueue('waits_work', after => '{1}', on_failure => 'hope')$$),
	($$SELECT sync_enqueue('waits_work', task_group => 'g', after_group => 'g')$$),
	($$SELECT sync_enqueue('waits_work', task_group => '')$$),
	($$INSERT INTO sync_queue (operation_type, on_failure) VALUES ('waits_work', 'hope')$$),
	($$INSERT INTO sync_queue (operation_type, run_as, status, lease_until, worker_pid, after)
		VALUES ('waits_work', 'pg_monitor', 'running', now(), 1, '{1}')$$),
	($$UPDATE sync_queue SET waiting_on = 1 WHERE status = 'waiting'$$),
	($$UPDATE sync_queue SET status = 'failed' WHERE status = 'waiting'$$),
	($$UPDATE sync_queue SET after = ARRAY[queue_id + 1] WHERE status = 'pending'$$)) AS s (statement),
	complaint(statement) AS line;
UPDATE sync_queue SET status = 'pending' WHERE status = 'waiting' RETURNING status, after IS NOT NULL AS waits;

DELETE FROM sync_queue;
DELETE FROM sync_operation_types WHERE operation_type LIKE 'waits%';
TRUNCATE sync_history, sync_alerts;
DROP VIEW waits_queue, waits_story;
DROP TABLE waits_done;
DROP FUNCTION waits_work, waits_fail, waits_grow;
REVOKE EXECUTE ON FUNCTION sync_enqueue FROM regress_waiter;
DROP ROLE regress_waiter;
