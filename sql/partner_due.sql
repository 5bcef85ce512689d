-- What is due for race-timing partners, and which events belong together.
SET client_min_messages = warning;
CREATE SCHEMA partner_due;
SET search_path = partner_due, public;
CREATE FUNCTION nothing(jsonb) RETURNS void LANGUAGE sql AS '';
INSERT INTO sync_operation_types (operation_type, handler) VALUES ('fetch', 'partner_due.nothing(jsonb)');
SELECT count(*) FROM unnest('{runsignup,chronotrack,copernico}'::text[]) AS p, sync_create_provider_tables(p);
INSERT INTO runsignup_events (timing_partner_id, race_id, event_id) VALUES (7, '501', '71001'), (7, '501', '71002'), (8, '502', '71003');

CREATE VIEW fetches AS
SELECT timing_partner_id AS partner, provider_name AS provider, event_id AS event, priority, payload, unique_key
FROM sync_queue WHERE operation_type = 'fetch' ORDER BY 1, 2, 5;

-- an operation of one tenant and provider: each of its feeds, for each event
SELECT sync_trigger('participants', timing_partner_id => 7, provider_name => 'runsignup') > 0 AS put;
CALL sync_process_queue(1);
SELECT * FROM fetches;
SELECT details - 'task' AS details FROM sync_history WHERE operation = 'participants' ORDER BY history_id DESC LIMIT 1;
-- again, while they wait: none is added; of one event alone
SELECT sync_enqueue('participants', timing_partner_id => 7, provider_name => 'runsignup', event_id => 71002, priority => 0) > 0 AS put;
CALL sync_process_queue(1);
SELECT count(*) FROM fetches;
DELETE FROM sync_queue WHERE operation_type = 'fetch';
SELECT sync_enqueue('event_discovery', timing_partner_id => 8, provider_name => 'runsignup', priority => 3) > 0 AS put;
CALL sync_process_queue(1);
SELECT * FROM fetches;
DELETE FROM sync_queue WHERE operation_type = 'fetch';

-- an endpoint that is asked for linked events
SELECT sync_link_events(7, 'runsignup', '71001', 'copernico', 'city-run', '{"race_id": 501}', '{"login": "a@example.org", "preset": "p", "event": "10K"}');
SELECT sync_link_events(7, 'runsignup', '71002', 'copernico', 'city-run', '{"race_id": 501}', '{"login": "a@example.org", "preset": "p", "event": "Half"}');
SELECT sync_trigger('results', timing_partner_id => 7, provider_name => 'copernico') > 0 AS put;
CALL sync_process_queue(1);
SELECT * FROM fetches;
DELETE FROM sync_queue WHERE operation_type = 'fetch';

-- results are published once they are approved: those that there are
INSERT INTO sync_operation_types (operation_type, handler) VALUES ('push', 'partner_due.nothing(jsonb)');
SELECT sync_approve_results(7, 'runsignup', '71001') > 0 AS put;
CALL sync_process_queue(1);
SELECT timing_partner_id, provider_name, sync_direction, priority, payload, unique_key FROM sync_queue WHERE operation_type = 'push';
DELETE FROM sync_queue WHERE operation_type = 'push';
SELECT sync_approve_results(7, 'runsignup', '9');
INSERT INTO copernico_results (timing_partner_id, race_id, event, bib, place, fetched_date) VALUES
(7, 'city-run', '10K', '212', '1', '2020-01-01'), (7, 'city-run', 'Half', '1', '1', '2020-01-01'),
(7, 'city-run', '10K', '213', '2', now() + '1 hour'), (8, 'city-run', '10K', '5', '1', '2020-01-01');
SELECT query AS results FROM sync_pushes WHERE push_name = 'runsignup_push_results' \gset
:results;
INSERT INTO runsignup_participants (timing_partner_id, registration_id, event_id, bib, first_name) VALUES
(7, '880101', '71001', '212', 'Iris'), (7, '880102', '71003', '1', 'Ann'), (8, '880101', '71001', '3', 'Bo');
SELECT query AS starters FROM sync_pushes WHERE push_name = 'copernico_push_participants' \gset
:starters;

-- an approval holds for what was approved
UPDATE sync_links SET approved_at = now(), approved_by = 'me';
SELECT sync_link_events(7, 'runsignup', '71001', 'copernico', 'city-run', '{"race_id": 501}', '{"login": "a@example.org", "preset": "p", "event": "10K"}');
SELECT sync_link_events(7, 'runsignup', '71002', 'copernico', 'city-run', '{"race_id": 501}', '{"login": "a@example.org", "preset": "q", "event": "Half"}');
SELECT event_id, approved_by, scoring_params ->> 'preset' AS preset FROM sync_links ORDER BY 1;
SELECT sync_unlink_events(7, 'runsignup', '71002', 'copernico', 'city-run');
SELECT sync_unlink_events(7, 'runsignup', '71002', 'copernico', 'city-run');

-- nobody's in particular, without a credential: nothing to do
SELECT sync_trigger('results') > 0 AS put;
CALL sync_process_queue(1);
SELECT status, details FROM sync_history WHERE operation = 'results' ORDER BY history_id DESC LIMIT 1;

-- refused
SELECT sync_task_feed();
SELECT sync_link_events(7, 'nobody', '1', 'copernico', 'x');
SELECT sync_link_events(7, 'runsignup', '1', 'copernico', 'x', '[]');
SELECT sync_trigger('event_discovery', timing_partner_id => 7, provider_name => 'haku') > 0 AS put;
SELECT sync_trigger('event_discovery', timing_partner_id => 7, provider_name => 'nobody') > 0 AS put;
CALL sync_process_queue(2);
SELECT status, error_sqlstate, error_message, error_hint FROM sync_history WHERE operation = 'event_discovery' AND status <> 'success' ORDER BY history_id DESC LIMIT 2;
\set VERBOSITY terse
SELECT sync_schedule_partner(7);
SELECT sync_unschedule_partner(7);
\set VERBOSITY default

SELECT count(sync_drop_stream(stream_name)) FROM sync_streams WHERE target ~ 'partner_due';
DELETE FROM sync_queue WHERE operation_type IN ('fetch', 'event_discovery');
DELETE FROM sync_links;
SELECT sync_drop_push('runsignup_push_results');
SELECT sync_drop_push('copernico_push_participants');
DELETE FROM sync_operation_types WHERE operation_type IN ('fetch', 'push') AND NOT shipped;
DROP SCHEMA partner_due CASCADE;
