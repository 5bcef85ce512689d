-- functions that somebody plants in a search_path are not run by whoever fetches
\pset format unaligned
\pset tuples_only
CREATE ROLE regress_provider_planter;
CREATE SCHEMA planted_for_fetches AUTHORIZATION regress_provider_planter;
SET ROLE regress_provider_planter;
CREATE FUNCTION planted_for_fetches.caught(what text) RETURNS text LANGUAGE plpgsql AS
$$ BEGIN RAISE 'planted % runs', what USING ERRCODE = 'external_routine_exception'; END $$;
-- exactly what it is called with, so that it is chosen before the one that takes anything
CREATE FUNCTION planted_for_fetches.to_jsonb(record) RETURNS jsonb LANGUAGE plpgsql AS
$$ BEGIN PERFORM planted_for_fetches.caught('to_jsonb'); RETURN NULL; END $$;
GRANT USAGE ON SCHEMA planted_for_fetches TO PUBLIC;
RESET ROLE;

SET search_path = public, planted_for_fetches;
INSERT INTO sync_providers (provider_name, base_url) VALUES ('planted', 'http://127.0.0.1:1');
INSERT INTO sync_endpoints (endpoint_name, provider_name, path, parent, query)
VALUES ('planted', 'planted', '/', '{"sql": "SELECT 1 AS id"}', '{"id": "{parent.id}"}');
SELECT complaint($$SELECT to_jsonb(parent) FROM (SELECT 1 AS id) AS parent$$);
SELECT complaint($$SELECT sync_fetch('planted')$$);

RESET search_path;
DELETE FROM sync_endpoints WHERE provider_name = 'planted';
DELETE FROM sync_providers WHERE provider_name = 'planted';
SET client_min_messages = warning;
DROP SCHEMA planted_for_fetches CASCADE;
DROP ROLE regress_provider_planter;
