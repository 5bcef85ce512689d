
-- A table for each thing that a provider gives, a stream that fills it, and views over all of them.
CREATE SCHEMA race;
SELECT p AS provider, count(*) AS tables
	FROM unnest('{runsignup,raceroster,haku,chronotrack,copernico}'::text[]) AS p, sync_create_provider_tables(p, 'race')
	GROUP BY p;

-- What partners 7 and 8 are known by; it is sealed, and nobody can read it back.
SELECT count(sync_set_credential(partner, provider, credential)) AS credentials
	FROM unnest('{7,8}'::bigint[]) AS partner, (VALUES
	('runsignup', '{"api_key": "key", "api_secret": "key-secret"}'::jsonb),
	('raceroster', '{"client_id": "client", "client_secret": "client-secret", "username": "timer", "password": "timer-password"}'),
	('haku', '{"client_id": "client", "client_secret": "client-secret"}'),
	('chronotrack', '{"client_id": "client", "user_id": "timer@example.org", "password": "timer-password"}'),
	('copernico', '{"api_key": "copernico-key"}')) AS c (provider, credential);
SELECT sync_test_credential(7, 'runsignup');

-- What a schedule does each night: the events of everybody, at all providers.
SELECT sync_trigger('event_discovery') > 0 AS triggered;
