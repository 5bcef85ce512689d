-- pushes: what is stored, and what is refused, by name and value; who may do what
\pset format unaligned
\pset tuples_only
CREATE SCHEMA pushes;
SET search_path = pushes, public;
CREATE TABLE people (id int, name text, club int, partner int);
INSERT INTO people VALUES (1, 'Ada', 5, 7);
INSERT INTO sync_providers (provider_name, base_url, credential_fields) VALUES
('club', 'https://api.example.org/v1', '["key"]'), ('other', 'https://other.example.org', '[]');
INSERT INTO sync_endpoints (endpoint_name, provider_name, method, path, params, body) VALUES
('club_add', 'club', 'POST', '/clubs/{param.club}/members', '{"club": {"required": true}, "note": {}}', '{"kind": "records"}'),
('club_one', 'club', 'PUT', '/members/{item.id}', '{}', '{"kind": "object"}'),
('club_members', 'club', 'GET', '/members', '{}', NULL),
('other_add', 'other', 'POST', '/members', '{}', '{"kind": "records"}');

-- bodies that rows cannot be pushed in
CREATE FUNCTION body(given text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT complaint(format('UPDATE sync_endpoints SET body = %L WHERE endpoint_name = ''club_add''', given)) $$;
SELECT body('{"kind": "rows"}');
SELECT body('{"kind": "records", "fields": {"a": "b"}}');
SELECT body('{"kind": "records", "value": {"a": "b"}}');
SELECT body('{"kind": "records", "value": ["a"], "envelope": "data"}');
SELECT body('{"kind": "records", "batch": 0}');
SELECT body('{"kind": "records", "nulls": "no"}');
SELECT body('{"kind": "columns", "nulls": "omit"}');
SELECT body('{"kind": "records", "names": "n"}');
SELECT body('{"kind": "object", "batch": 5}');
SELECT body('{"kind": "form_json"}');
SELECT body('{"kind": "form_json", "field": "f", "fields": {"id": "{item.id}"}, "batch": 5}');
SELECT body('{"kind": "records", "failed": "$.failed[*]"}');
SELECT body('{"kind": "records", "message": "$.why"}');
SELECT body('{"kind": "records", "match": "key", "items": "$.results[*]"}');
SELECT body('{"kind": "records", "key": "$.id", "items": "$.results[*]"}');
SELECT body('{"kind": "records", "match": "order"}');
SELECT body('{"kind": "records", "id": "$.["}');
SELECT body('{"kind": "json", "value": {"a": 1}, "id": "$.id"}');
SELECT body('{"kind": "json", "value": {"a": "{items.id}"}}');
SELECT complaint('UPDATE sync_endpoints SET page = ''{"kind": "link"}'' WHERE endpoint_name = ''club_add''');
SELECT complaint('UPDATE sync_endpoints SET each = ''["a"]'' WHERE endpoint_name = ''club_one''');
SELECT body FROM sync_endpoints WHERE endpoint_name = 'club_add';

-- pushes that cannot be
CREATE FUNCTION push(arguments text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT complaint('SELECT sync_create_push(' || arguments || ')') $$;
SELECT push($$NULL, 'club_one', 'TABLE people', '{id}'$$);
SELECT push($$'', 'club_one', 'TABLE people', '{id}'$$);
SELECT push($$'p', NULL, 'TABLE people', '{id}'$$);
SELECT push($$'p', 'none', 'TABLE people', '{id}'$$);
SELECT push($$'p', 'club_members', 'TABLE people', '{id}'$$);
SELECT push($$'p', 'club_one', NULL, '{id}'$$);
SELECT push($$'p', 'club_one', 'DELETE FROM people RETURNING *', '{id}'$$);
SELECT push($$'p', 'club_one', 'TABLE people; TABLE people', '{id}'$$);
SELECT push($$'p', 'club_one', 'TABLE nobody', '{id}'$$);
SELECT push($$'p', 'club_one', 'TABLE people', NULL$$);
SELECT push($$'p', 'club_one', 'TABLE people', '{}'$$);
SELECT push($$'p', 'club_one', 'TABLE people', '{id,id}'$$);
SELECT push($$'p', 'club_one', 'TABLE people', '{id,NULL}'$$);
SELECT push($$'p', 'club_one', 'TABLE people', '{number}'$$);
SELECT push($$'p', 'club_one', 'TABLE people', '{id}', tenant_column => 'owner'$$);
SELECT push($$'p', 'club_one', 'TABLE people', '{id}', tenant_column => 'name'$$);
SELECT push($$'p', 'club_one', 'TABLE people', '{id}', params => '[]'$$);
SELECT push($$'p', 'club_one', 'TABLE people', '{id}', params => NULL$$);
SELECT push($$'p', 'club_one', 'TABLE people', '{id}', params => '{"club": 5}'$$);
SELECT push($$'p', 'club_add', 'TABLE people', '{id}'$$);
SELECT push($$'p', 'club_add', 'TABLE people', '{id}', params => '{"club": 5}', param_columns => '{"club": "club"}'$$);
SELECT push($$'p', 'club_add', 'TABLE people', '{id}', param_columns => '{"club": 5}'$$);
SELECT push($$'p', 'club_add', 'TABLE people', '{id}', param_columns => '{"club": "klub"}'$$);
SELECT push($$'p', 'club_add', 'TABLE people', '{id}', param_columns => '{"club": "club"}', update_endpoint => 'other_add'$$);
SELECT push($$'p', 'club_one', 'TABLE people', '{id}', delete_endpoint => 'club_members'$$);
SELECT push($$'p', 'club_one', 'TABLE people', '{id}', batch_size => 0$$);
SELECT push($$'p', 'club_one', 'TABLE people', '{id}', batch_size => 2$$);
SELECT push($$'p', 'club_one', 'TABLE people', '{id}', max_delete_share => 1.5$$);
SELECT count(*) FROM sync_pushes;

-- one that can, once
SELECT push($$'p', 'club_add', 'SELECT * FROM pushes.people', '{id}', params => '{"note": "it''s"}', param_columns => '{"club": "club"}', tenant_column => 'partner', batch_size => 2, max_delete_share => 0.1$$);
SELECT push($$'p', 'club_one', 'TABLE people', '{id}'$$);
SELECT regexp_replace(line, '\s+', ' ', 'g') FROM sync_export() AS line WHERE line ~ 'sync_create_push';
SELECT complaint('SELECT sync_push_diff(''p'', max_rows => -1, timing_partner_id => 7)');
SELECT complaint('SELECT sync_push_diff(''p'')');
SELECT complaint('SELECT sync_push_diff(''none'')');
SELECT complaint('SELECT sync_push_diff(NULL)');
SELECT complaint('SELECT sync_push_diff(''p'', timing_partner_id => 7)');
SELECT complaint('SELECT sync_resolve_push(''none'', NULL, ''pushed'')');
SELECT complaint('SELECT sync_resolve_push(''p'', NULL, NULL)');
SELECT sync_resolve_push('p', NULL, 'pushed');
SELECT complaint('SELECT sync_task_push(1, ''{}'')');
SELECT complaint('SELECT sync_fetch(''club_add'', ''{"club": 1}'')');

-- who may: nobody, at first; then with the rights of the caller
CREATE ROLE regress_pusher;
GRANT USAGE ON SCHEMA pushes TO regress_pusher;
UPDATE sync_providers SET credential_fields = '[]' WHERE provider_name = 'club';
SET ROLE regress_pusher;
SELECT complaint('SELECT sync_push_diff(''p'', timing_partner_id => 7)');
SELECT complaint('CALL sync_push(''p'', true, 7)');
SELECT complaint('SELECT sync_drop_push(''p'')');
SELECT complaint('SELECT sync_resolve_push(''p'', NULL, ''pushed'')');
SELECT complaint('TABLE sync_pushed');
SELECT complaint('TABLE sync_pushes');
RESET ROLE;
GRANT EXECUTE ON FUNCTION sync_push_diff TO regress_pusher;
SET ROLE regress_pusher;
SELECT complaint('SELECT sync_push_diff(''p'', timing_partner_id => 7)');
RESET ROLE;
GRANT SELECT ON people TO regress_pusher;
SET ROLE regress_pusher;
SELECT * FROM sync_push_diff('p', timing_partner_id => 7);
RESET ROLE;

SELECT sync_drop_push('p');
SELECT complaint('SELECT sync_drop_push(''p'')');
DELETE FROM sync_endpoints WHERE provider_name IN ('club', 'other');
DELETE FROM sync_providers WHERE provider_name IN ('club', 'other');
DROP OWNED BY regress_pusher;
DROP ROLE regress_pusher;
SET client_min_messages = warning;
DROP SCHEMA pushes CASCADE;
