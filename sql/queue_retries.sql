-- how operation types have failed tasks tried again
CREATE FUNCTION fail(payload jsonb) RETURNS void LANGUAGE plpgsql
	AS $$BEGIN RAISE EXCEPTION 'not today' USING ERRCODE = payload ->> 'state'; END$$;
CREATE FUNCTION current_path() RETURNS jsonb LANGUAGE sql AS $$SELECT jsonb_build_object('path', current_setting('search_path'))$$;
CREATE VIEW delays AS
SELECT operation_type, attempt, round(extract(epoch FROM scheduled_time - now())) AS seconds, priority
FROM sync_queue ORDER BY queue_id;
CREATE PROCEDURE try_again() LANGUAGE plpgsql
	AS $$BEGIN UPDATE sync_queue SET scheduled_time = now(); END$$;

-- base and factor, up to the cap
INSERT INTO sync_operation_types (operation_type, handler, max_attempts, backoff_base, backoff_factor, backoff_cap)
VALUES ('capped', 'fail(jsonb)', 5, '100 s', 10, '1500 s');
SELECT sync_enqueue('capped', '{"state": "40001"}') > 0 AS queued;
CALL sync_process_queue();
SELECT seconds BETWEEN 90 AND 100 AS base, attempt, priority FROM delays;
CALL try_again();
CALL sync_process_queue();
SELECT seconds BETWEEN 990 AND 1000 AS ten_times, attempt, priority FROM delays;
CALL try_again();
CALL sync_process_queue();
SELECT seconds BETWEEN 1490 AND 1500 AS capped, attempt, priority FROM delays;
CALL try_again();
CALL sync_process_queue();
SELECT seconds BETWEEN 1490 AND 1500 AS still_capped, attempt, priority FROM delays;
CALL try_again();
CALL sync_process_queue();
SELECT count(*) AS left FROM sync_queue;
SELECT attempt, status FROM sync_history WHERE operation = 'capped' ORDER BY history_id;

-- a task may have fewer attempts than its type
SELECT sync_enqueue('capped', '{"state": "40001"}', max_attempts => 1) > 0 AS queued;
CALL sync_process_queue();
SELECT count(*) AS left FROM sync_queue;

-- jitter: the share that is left to chance is, and no more
INSERT INTO sync_operation_types (operation_type, handler, backoff_base, backoff_jitter) VALUES
	('even', 'fail(jsonb)', '1000 s', 0), ('half', 'fail(jsonb)', '1000 s', 0.5), ('all', 'fail(jsonb)', '1000 s', 1);
INSERT INTO sync_queue (operation_type, payload)
SELECT t, '{"state": "08006"}' FROM unnest('{even,half,all}'::text[]) AS t, generate_series(1, 200);
CALL sync_process_queue();
SELECT operation_type, count(*), min(seconds) BETWEEN 490 AND 560 AS from_half, min(seconds) < 50 AS from_nothing, max(seconds) BETWEEN 940 AND 1000 AS up_to_it,
	max(seconds) - min(seconds) > 400 AS apart
FROM delays GROUP BY operation_type ORDER BY operation_type;
DELETE FROM sync_queue;

-- the SQLSTATE decides: of each class whether it is tried again, and where the type says so, that does
INSERT INTO sync_operation_types (operation_type, handler, retry_sqlstates)
VALUES ('plain', 'fail(jsonb)', NULL), ('named', 'fail(jsonb)', '{23,40P01}'), ('never', 'fail(jsonb)', '{}');
INSERT INTO sync_queue (operation_type, payload)
SELECT t, jsonb_build_object('state', s)
FROM unnest('{plain,named,never}'::text[]) AS t,
	unnest('{08006,0A000,22012,23505,28000,40001,40P01,42P01,53300,55P03,57P01,57014,58030,P0001,XX000,SY001}'::text[]) AS s;
CALL sync_process_queue();
SELECT operation, status, string_agg(error_sqlstate, ' ' ORDER BY error_sqlstate) AS states
FROM sync_history WHERE operation IN ('plain', 'named', 'never') GROUP BY 1, 2 ORDER BY 1, 2;
SELECT operation_type, count(*) FROM sync_queue GROUP BY 1 ORDER BY 1;
SELECT count(*) AS alerts FROM sync_alerts WHERE subject IN ('plain', 'named', 'never');
DELETE FROM sync_queue;

-- a task that takes too long is stopped, what it began is undone, and others of the batch are not
CREATE TABLE kept (n int);
CREATE FUNCTION keep(payload jsonb) RETURNS void LANGUAGE plpgsql AS $$BEGIN
	INSERT INTO public.kept VALUES ((payload ->> 'n')::int);
	PERFORM pg_sleep((payload ->> 'sleep')::float);
END$$;
INSERT INTO sync_operation_types (operation_type, handler, timeout) VALUES ('short', 'keep(jsonb)', '200 ms');
INSERT INTO sync_queue (operation_type, payload) VALUES
	('short', '{"n": 1, "sleep": 0}'), ('short', '{"n": 2, "sleep": 60}'), ('short', '{"n": 3, "sleep": 0}');
CALL sync_process_queue();
SELECT n FROM kept ORDER BY n;
SELECT status, error_sqlstate, error_message, count(*), max(duration) < '30 s' AS in_time
FROM sync_history WHERE operation = 'short' GROUP BY 1, 2, 3 ORDER BY 1 DESC;
SELECT payload -> 'n' AS n, attempt, last_error FROM sync_queue;
DELETE FROM sync_queue;

-- search_path of the type, and none else
INSERT INTO sync_operation_types (operation_type, handler, search_path)
VALUES ('path', 'current_path()', 'pg_catalog, pg_temp'), ('own_path', 'current_path()', '"$user", public');
SET search_path = public, pg_temp;
SELECT count(sync_enqueue(t)) FROM unnest('{path,own_path}'::text[]) AS t;
CALL sync_process_queue();
RESET search_path;
SELECT operation, details FROM sync_history WHERE operation LIKE '%path' ORDER BY operation;

DROP TABLE kept;
DROP VIEW delays;
DROP PROCEDURE try_again;
DROP FUNCTION fail, current_path, keep;
DELETE FROM sync_operation_types WHERE NOT shipped AND operation_type IN ('capped', 'even', 'half', 'all', 'plain', 'named', 'never', 'short', 'path', 'own_path');
DELETE FROM sync_alerts;
