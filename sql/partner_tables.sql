-- Tables of what providers give, and views over all of them.
SET client_min_messages = warning;
CREATE SCHEMA partner_tables;
SET search_path = partner_tables, public;

SELECT p AS provider, string_agg(t, ' ' ORDER BY t) AS tables
FROM unnest('{runsignup,raceroster,haku,chronotrack,copernico}'::text[]) AS p,
	sync_create_provider_tables(p) AS t
GROUP BY p ORDER BY p;
SELECT stream_name, key_columns, mode, synced_at FROM sync_streams WHERE target ~ 'partner_tables' ORDER BY 1;

-- types follow from how values are converted; what is there already stays
SELECT attname, atttypid::regtype, attnotnull FROM pg_attribute
WHERE attrelid = 'chronotrack_results'::regclass AND attnum > 0 ORDER BY attnum;
SELECT count(*) AS made_again FROM sync_create_provider_tables('runsignup', 'partner_tables');

-- one row a provider
INSERT INTO runsignup_participants (timing_partner_id, registration_id, event_id, bib, first_name, last_name)
VALUES (7, '880101', '71001', '212', 'Iris', 'Vantage');
INSERT INTO haku_participants (timing_partner_id, registration_number, event_id, full_name, cancelled)
VALUES (7, 'R1', '5', 'Ann Mary Quay', 'true');
INSERT INTO copernico_participants (timing_partner_id, participant_id, race_id, bib, first_name)
VALUES (8, 'P1', 'city-run', '9', 'Zoë');
SELECT timing_partner_id, provider_name, event_id, participant_id, bib, first_name, last_name, cancelled
FROM unified_participants ORDER BY 1, 2;
INSERT INTO copernico_results (timing_partner_id, race_id, event, bib, place, gender_place, chip_time)
VALUES (8, 'city-run', '10K', '9', '3', '-', '0:45:10');
INSERT INTO chronotrack_results (timing_partner_id, event_id, race_name, interval, bracket, bib, place)
VALUES (7, '11', '5K', 'Full', 'SEX', '4', 1), (7, '11', '5K', 'Full', '', '4', 2);
SELECT timing_partner_id, provider_name, event_id, sub_event, bib, category, place, gender_place, chip_time
FROM unified_results ORDER BY 1, 2;
SELECT count(*) FROM unified_events;

-- a provider of one's own joins them, and its table grows with its definition
INSERT INTO sync_providers (provider_name, base_url) VALUES ('eighth', 'http://127.0.0.1:1');
INSERT INTO sync_endpoints (endpoint_name, provider_name, path, columns, key, feed) VALUES
('eighth_races', 'eighth', '/races', '{"id": "$.id", "title": "$.title"}', '{id}',
 '{"operation": "event_discovery", "unified": {"event_id": "id", "name": "upper(title)"}}');
SELECT * FROM sync_create_provider_tables('eighth');
INSERT INTO eighth_races (timing_partner_id, id, title) VALUES (7, '1', 'harbour loop');
SELECT timing_partner_id, provider_name, event_id, name, city FROM unified_events;
UPDATE sync_endpoints SET columns = columns || '{"meters": {"path": "$.m", "convert": "number"}}' WHERE endpoint_name = 'eighth_races';
SELECT * FROM sync_create_provider_tables('eighth');
SELECT title, meters FROM eighth_races;

-- refused
SELECT sync_create_provider_tables('nobody');
SELECT sync_create_provider_tables(NULL);
SELECT sync_create_provider_tables('lichess');
SELECT sync_create_provider_tables('eighth', 'nowhere');
UPDATE sync_endpoints SET feed = '{"operation": "everything"}' WHERE endpoint_name = 'eighth_races';
UPDATE sync_endpoints SET feed = '{"operation": "results", "parent": "x"}' WHERE endpoint_name = 'eighth_races';
UPDATE sync_endpoints SET feed = '{"operation": "event_discovery", "unified": {"event_id": "no_column"}}' WHERE endpoint_name = 'eighth_races';
\set VERBOSITY sqlstate
SELECT sync_create_provider_tables('eighth');
\set VERBOSITY default
INSERT INTO sync_endpoints (endpoint_name, provider_name, path, feed) VALUES
('eighth_raw', 'eighth', '/raw', '{"operation": "results"}');

UPDATE sync_endpoints SET feed = '{"operation": "publish_results"}' WHERE endpoint_name = 'eighth_races';
UPDATE sync_endpoints SET feed = '{"operation": "publish_results", "query": "SELECT 1"}' WHERE endpoint_name = 'eighth_races';

-- a role that may not make tables there makes none
CREATE ROLE regress_partner;
GRANT USAGE ON SCHEMA partner_tables TO regress_partner;
GRANT EXECUTE ON FUNCTION sync_create_provider_tables(text, text), sync_create_stream TO regress_partner;
DROP TABLE eighth_races CASCADE;
SET ROLE regress_partner;
\set VERBOSITY terse
SELECT sync_create_provider_tables('eighth', 'partner_tables');
\set VERBOSITY default
-- and reads of the views what it may read of the tables
RESET ROLE;
GRANT SELECT ON unified_participants TO regress_partner;
SET ROLE regress_partner;
SELECT count(*) FROM partner_tables.unified_participants;
RESET ROLE;

SELECT count(sync_drop_stream(stream_name)) FROM sync_streams WHERE target ~ 'partner_tables';
SELECT count(*) FROM (SELECT push_name FROM sync_pushes) AS p, sync_drop_push(push_name);
DELETE FROM sync_endpoints WHERE provider_name = 'eighth';
DELETE FROM sync_providers WHERE provider_name = 'eighth';
DROP SCHEMA partner_tables CASCADE;
DROP OWNED BY regress_partner;
DROP ROLE regress_partner;
