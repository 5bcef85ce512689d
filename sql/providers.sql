-- definitions of providers and endpoints: what is stored, and what is refused, by name and value
\pset format unaligned
\pset tuples_only
CREATE SCHEMA providers;
SET search_path = providers, public;

INSERT INTO sync_providers (provider_name, base_url, credential_fields, auth) VALUES
('club', 'https://api.example.org/v1/', '["key", "secret", "user", "password"]',
	'[{"query": {"key": "{credential.key}"}, "headers": {"X-Secret": "{credential.secret}"}},
	  {"basic": {"user": "{credential.user}", "password": "{credential.password|sha1}"}, "optional": true}]');
INSERT INTO sync_endpoints (endpoint_name, provider_name, path, params, query) VALUES
('club_members', 'club', '/clubs/{param.club}/members', '{"club": {"required": true}, "page": {"default": 1}}', '{"p": "{param.page}"}');

-- one change of a provider that is refused
CREATE FUNCTION provider(change text, given text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT complaint(format('UPDATE sync_providers SET %s = %L WHERE provider_name = ''club''', change, given)) $$;
SELECT provider('base_url', 'api.example.org');
SELECT provider('base_url', 'ftp://api.example.org');
SELECT provider('base_url', 'https://user:secret@api.example.org/');
SELECT provider('base_url', 'https://api.example.org/?key=secret');
SELECT provider('provider_name', 'No Name');
SELECT provider('headers', '[]');
SELECT provider('headers', '{"X Y": "a"}');
SELECT provider('headers', '{"X": 1}');
SELECT provider('headers', '{"X": "{credential.none}"}');
SELECT provider('headers', '{"X": "{param.x}"}');
SELECT provider('query', '{"x": "{nowhere.x}"}');
SELECT provider('query', '{"x": "{credential}"}');
SELECT provider('query', '{"x": "{since.x}"}');
SELECT provider('query', '{"x": "{credential.key|md5}"}');
SELECT provider('query', '{"x": "{credential.key"}');
SELECT provider('query', '{"x": "{}"}');
SELECT provider('auth', '{}');
SELECT provider('auth', '[{"kind": "query"}]');
SELECT provider('auth', '[{}]');
SELECT provider('auth', '[{"basic": {"user": "x"}}]');
SELECT provider('auth', '[{"headers": {"A": "{token.access}"}, "token": {"url": "/t"}}]');
SELECT provider('auth', '[{"headers": {"A": "{token.access}"}, "token": {"url": "/t", "values": {"key": "$.key"}}}]');
SELECT provider('auth', '[{"headers": {"A": "{token.access}"}, "token": {"url": "/t", "method": "PUT", "values": {"access": "$.t"}}}]');
SELECT provider('auth', '[{"headers": {"A": "{token.access}"}, "token": {"url": "/t", "values": {"access": "t.x["}}}]');
SELECT provider('limits', '{"concurrency": 0}');
SELECT provider('limits', '{"requests": 5}');
SELECT provider('limits', '{"requests": -5, "window_ms": 1}');
SELECT provider('limits', '{"requests": 1.5, "window_ms": 1}');
SELECT provider('retry', '{"times": "often"}');
SELECT provider('outcomes', '[{"outcome": "ok"}]');
SELECT provider('outcomes', '[{"status": 404}]');
SELECT provider('outcomes', '[{"status": 4040, "outcome": "ok"}]');
SELECT provider('outcomes', '[{"status": ["5xx", "6xx"], "outcome": "ok"}]');
SELECT provider('outcomes', '[{"status": 404, "outcome": "ignore"}]');
SELECT provider('outcomes', '[{"when": "$.error ? (", "outcome": "fail"}]');

-- likewise of an endpoint
CREATE FUNCTION endpoint(change text, given text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT complaint(format('UPDATE sync_endpoints SET %s = %L WHERE endpoint_name = ''club_members''', change, given)) $$;
SELECT endpoint('path', 'members');
SELECT endpoint('path', '/members?x=1');
SELECT endpoint('path', '/members/{param.member}');
SELECT endpoint('path', '/members/{credential.pin}');
SELECT endpoint('path', '{param.club}{param.page}');
SELECT endpoint('method', 'FETCH');
SELECT endpoint('params', '{"club": "required"}');
SELECT endpoint('params', '{"club": {"needed": true}}');
SELECT endpoint('params', '{"club": {"default": []}}');
SELECT endpoint('params', '{}');
SELECT endpoint('query', '{"p": ["{param.page}"]}');
SELECT endpoint('body', '{"kind": "json", "value": {}}');
SELECT endpoint('page', '{}');
SELECT endpoint('page', '{"kind": "pages"}');
SELECT endpoint('page', '{"kind": "page"}');
SELECT endpoint('page', '{"kind": "single", "param": "page"}');
SELECT endpoint('page', '{"kind": "offset", "param": "o"}');
SELECT endpoint('page', '{"kind": "offset", "param": "o", "size": 0}');
SELECT endpoint('page', '{"kind": "page", "param": "p", "size_param": "n"}');
SELECT endpoint('page', '{"kind": "page", "param": "p", "stop": "never"}');
SELECT endpoint('page', '{"kind": "keyset", "param": "after", "path": 5}');
SELECT endpoint('records', '{"path": "$"}');
SELECT endpoint('records', '{"paths": ["$.a", "$.[b"]}');
SELECT endpoint('records', '{"format": "xml"}');
SELECT endpoint('records', '{"format": "columns", "names": "$.names"}');
SELECT endpoint('parent', '{}');
SELECT endpoint('parent', '{"endpoint": "a", "sql": "SELECT 1"}');
SELECT endpoint('parent', '{"endpoint": "club_members"}');
SELECT endpoint('parent', '{"sql": "DELETE FROM x"}');
SELECT endpoint('parent', '{"endpoint": "a", "collect": {"path": "$.id"}}');
SELECT endpoint('each', '{"a": 1}');
SELECT endpoint('each', '[["a"]]');
SELECT endpoint('columns', '{"a": 1}');
SELECT endpoint('columns', '{"a": {}}');
SELECT endpoint('columns', '{"a": {"path": "$.a", "value": "b"}}');
SELECT endpoint('columns', '{"a": {"path": "$.a", "convert": "money"}}');
SELECT endpoint('columns', '{"a": {"path": "$.a", "convert": "map"}}');
SELECT endpoint('columns', '{"a": {"value": "{param.none}"}}');
SELECT endpoint('incremental', '{}');
SELECT endpoint('incremental', '{"param": "since", "format": "unix"}');
SELECT endpoint('incremental', '{"param": "since", "bound": "open"}');
SELECT endpoint('incremental', '{"mode": "client"}');
SELECT endpoint('incremental', '{"mode": "partition", "value": "{parent.value}"}');
SELECT endpoint('timeout_ms', '0');
SELECT complaint('INSERT INTO sync_endpoints (endpoint_name, provider_name, path) VALUES (''x'', ''nobody'', ''/'')');
SELECT complaint('INSERT INTO sync_endpoints (endpoint_name, provider_name, path, method, body) VALUES (''x'', ''club'', ''/'', ''POST'', ''{"kind": "form_json"}'')');
SELECT complaint('INSERT INTO sync_endpoints (endpoint_name, provider_name, path, method, body) VALUES (''x'', ''club'', ''/'', ''POST'', ''{"kind": "json", "value": {"a": ["{param.q}"]}}'')');

-- nothing of that was stored
SELECT count(*) FROM sync_endpoints WHERE provider_name = 'club';
SELECT auth -> 0 FROM sync_providers WHERE provider_name = 'club';

-- what callers may not ask
SELECT complaint('SELECT sync_fetch(''none'')');
SELECT complaint('SELECT sync_fetch(NULL)');
SELECT complaint('SELECT sync_fetch(''club_members'')');
SELECT complaint('SELECT sync_fetch(''club_members'', ''{"club": ""}'')');
SELECT complaint('SELECT sync_fetch(''club_members'', ''{"club": 1, "klub": 2}'')');
SELECT complaint('SELECT sync_fetch(''club_members'', ''[]'')');
SELECT complaint('SELECT sync_fetch(''club_members'', ''{"club": 1}'', max_rows => -1)');
SELECT complaint('SELECT sync_fetch(''club_members'', ''{"club": 1}'', since => ''2026-01-01'')');
SELECT complaint('SELECT sync_fetch(''club_members'', ''{"club": 1}'')');
SELECT complaint('SELECT sync_fetch(''club_members'', ''{"club": 1}'', timing_partner_id => 7)');

-- credentials without a key
SELECT complaint('SELECT sync_set_credential(7, ''club'', ''{"key": "k"}'')');
SELECT complaint('SELECT sync_set_credential(7, ''club'', ''{"kex": "k"}'')');
SELECT complaint('SELECT sync_set_credential(7, ''club'', ''{"key": ["k"]}'')');
SELECT complaint('SELECT sync_set_credential(7, ''club'', ''"k"'')');
SELECT complaint('SELECT sync_set_credential(7, ''klub'', ''{"key": "k"}'')');
SELECT complaint('SELECT sync_set_credential(NULL, ''club'', ''{"key": "k"}'')');
SELECT complaint('SELECT sync_test_credential(7, ''club'')');

-- a provider whose endpoints are there stays
BEGIN;
DELETE FROM sync_providers WHERE provider_name = 'club';
SELECT complaint('SET CONSTRAINTS ALL IMMEDIATE');
ROLLBACK;
DELETE FROM sync_endpoints WHERE provider_name = 'club';
DELETE FROM sync_providers WHERE provider_name = 'club';
DROP SCHEMA providers CASCADE;
