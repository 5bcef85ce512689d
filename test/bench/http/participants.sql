-- A table of participants, and the stream that fills it.
SET client_min_messages = warning;
DROP TABLE IF EXISTS participants, participants_by_hand;
CREATE TABLE participants (timing_partner_id bigint, registration_id bigint, race_id bigint, event_id bigint, user_id bigint, first_name text,
	middle_name text, last_name text, email text, birth_date date, gender text, phone text, city text, state text, country text, bib integer,
	chip text, age integer, team_name text, registered_at timestamptz, imported boolean, race_fee numeric, amount_paid numeric,
	modified_at timestamptz, fetched_date timestamptz, PRIMARY KEY (timing_partner_id, registration_id));
CREATE TABLE participants_by_hand (LIKE participants INCLUDING ALL);
UPDATE sync_providers SET base_url = :'url', auth = '[]', credential_fields = '[]' WHERE provider_name = 'runsignup';
UPDATE sync_endpoints SET page = page || '{"size": 1000}' WHERE endpoint_name = 'runsignup_participants';
SELECT sync_drop_stream(stream_name) FROM sync_streams WHERE stream_name = 'participants';
SELECT sync_create_stream('participants', 'participants', endpoint => 'runsignup_participants', params => '{"race_id": 501, "event_id": 71001}',
	tenant_column => 'timing_partner_id', synced_at => 'fetched_date');
INSERT INTO sync_endpoints (endpoint_name, provider_name, path, params, page, records, columns, key)
SELECT 'participants_lines', provider_name, '/lines', params, '{"kind": "single"}', '{"format": "ndjson"}', columns, key
FROM sync_endpoints WHERE endpoint_name = 'runsignup_participants';
SELECT sync_create_stream('participants_lines', 'participants', endpoint => 'participants_lines', params => '{"race_id": 501, "event_id": 71001}',
	tenant_column => 'timing_partner_id', synced_at => 'fetched_date');
