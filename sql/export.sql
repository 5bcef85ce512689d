-- export: the SQL that makes all definitions again
\pset format unaligned
\pset tuples_only
CREATE SCHEMA export;
SET search_path = export, public;
-- what is defined by now is not ours
CREATE TABLE others AS TABLE sync_streams;
SELECT count(sync_drop_stream(stream_name)) >= 0 FROM others;
CREATE TABLE other_rules AS SELECT * FROM sync_progress_rules WHERE NOT shipped;
DELETE FROM sync_progress_rules WHERE NOT shipped;
CREATE TABLE other_types AS SELECT * FROM sync_operation_types WHERE NOT shipped;
DELETE FROM sync_operation_types WHERE NOT shipped;
CREATE TABLE other_endpoints AS SELECT * FROM sync_endpoints WHERE NOT shipped;
DELETE FROM sync_endpoints WHERE NOT shipped;
CREATE TABLE other_providers AS SELECT * FROM sync_providers WHERE NOT shipped;
DELETE FROM sync_providers WHERE NOT shipped;
SELECT * FROM sync_export();

CREATE TABLE source (id int, "It's" text, at timestamptz);
CREATE TABLE "Target" (id int PRIMARY KEY, "It's" text, at timestamptz, seen timestamptz, gone timestamptz);
CREATE FOREIGN DATA WRAPPER export_nothing;
CREATE SERVER "export server" FOREIGN DATA WRAPPER export_nothing;
CREATE TABLE teams (team int);
CREATE TABLE done (team int PRIMARY KEY, status text, n bigint, completed_at timestamptz);

-- the least, and the most
SELECT sync_create_stream('least', '"Target"', '{id}', 'SELECT id FROM source');
SELECT sync_create_stream('all of it''s \ "args"', '"Target"', '{id}', E'SELECT id,\n\t"It''s", \'\\\' AS at\nFROM far -- away',
	server => 'export server', mode => 'soft_delete', synced_at => 'seen', synced_at_rows => 'all', deleted_at => 'gone',
	duplicates => 'last', order_by => '{at,"It''s"}', max_delete_share => 0.25, max_rejects => 7, watermark => 'at', lookback => '1 hour',
	max_reject_share => 0.1, keep_undo => '1 mon 3 days 04:05:06');
SELECT sync_create_stream('log', '"Target"', query => 'SELECT id, at FROM source', mode => 'append');
SELECT sync_add_check('log', 'b', 'not_null', '{"It''s",at}', min_share => 0.5);
SELECT sync_add_check('log', 'a "check"', 'condition', condition => '"It''s" <> ''\''', severity => 'warning');
SELECT sync_add_check('least', 'rows', 'row_count', min_share => 0.5, max_share => 2);
SELECT sync_add_check('least', 'parent', 'foreign_key', '{id}', parent => 'source', parent_columns => '{id}');
SELECT sync_add_check('least', 'found', 'query', condition => E'SELECT 1\nWHERE false');
INSERT INTO sync_progress_rules (rule_name, label, evidence, key_columns, progress) VALUES ('export it''s', 'teams', 'export.teams', '{team}', 'export.done');
INSERT INTO sync_progress_rules (rule_name, position, enabled, label, evidence, key_columns, progress, completed_at_column, counters)
	VALUES ('export 2', 5, false, 'teams', 'export.teams', '{team}', 'export.done', NULL, '{"n": "count(*)"}');
UPDATE sync_progress_rules SET enabled = false WHERE rule_name = 'season';
SELECT sync_track_progress('export 2');
INSERT INTO sync_operation_types (operation_type, handler, timeout, backoff_base, retry_sqlstates) VALUES ('export', 'pg_catalog.now()', '1 h', '1 s', '{40}');
INSERT INTO sync_providers (provider_name, base_url, headers) VALUES ('export_web', 'https://example.org', '{"X": "it''s"}');
INSERT INTO sync_endpoints (endpoint_name, provider_name, path, key, timeout_ms, repeatable) VALUES ('export_things', 'export_web', '/things', '{id}', 500, true);
SELECT * FROM sync_export();

-- out and in again: the same export, the same rows, under whatever settings
CREATE TABLE first_export AS SELECT * FROM sync_export() WITH ORDINALITY AS e (statement, n);
CREATE TABLE first_streams AS TABLE sync_streams;
CREATE TABLE first_checks AS TABLE sync_checks;
CREATE TABLE first_rules AS SELECT * FROM sync_progress_rules;
SELECT sync_untrack_progress('export 2');
DELETE FROM sync_progress_rules WHERE NOT shipped AND rule_name <> 'season';
-- a changed one cannot be deleted: it is as it was shipped, as in another database
SET session_replication_role = replica;
UPDATE sync_progress_rules SET shipped = true, enabled = true WHERE rule_name = 'season';
RESET session_replication_role;
SELECT count(sync_drop_stream(stream_name)) FROM sync_streams;
DELETE FROM sync_operation_types WHERE NOT shipped;
DELETE FROM sync_endpoints WHERE NOT shipped;
DELETE FROM sync_providers WHERE NOT shipped;
SELECT count(*) FROM sync_checks;
SET intervalstyle = iso_8601;
SET datestyle = German;
SET standard_conforming_strings = on;
SET search_path = export;
SELECT statement FROM export.first_export ORDER BY n \gexec
SET search_path = public, export;
SET standard_conforming_strings = on;
SELECT n, statement FROM (SELECT * FROM sync_export() WITH ORDINALITY AS e (statement, n)) AS e EXCEPT SELECT n, statement FROM first_export ORDER BY 1;
SELECT count(*) = (SELECT count(*) FROM sync_export()) FROM first_export;
SELECT stream_name FROM (TABLE sync_streams EXCEPT TABLE first_streams) AS s;
SELECT check_name FROM (TABLE sync_checks EXCEPT TABLE first_checks) AS s;
SELECT rule_name FROM (TABLE sync_progress_rules EXCEPT TABLE first_rules) AS s;
RESET intervalstyle;
RESET datestyle;

-- what a definition says can be said by the functions that make it, and is in the export: a new argument belongs there too
SELECT array_agg(name ORDER BY n) AS arguments FROM pg_proc, unnest(proargnames) WITH ORDINALITY AS a (name, n) WHERE proname = 'sync_create_stream';
SELECT array_agg(name ORDER BY n) AS arguments FROM pg_proc, unnest(proargnames) WITH ORDINALITY AS a (name, n) WHERE proname = 'sync_add_check';

SELECT sync_untrack_progress('export 2');
SELECT count(sync_drop_stream(stream_name)) FROM sync_streams;
DELETE FROM sync_progress_rules WHERE rule_name LIKE 'export%';
DELETE FROM sync_operation_types WHERE NOT shipped;
SET session_replication_role = replica;
UPDATE sync_progress_rules SET shipped = true, enabled = true WHERE rule_name = 'season';
RESET session_replication_role;
DELETE FROM sync_endpoints WHERE endpoint_name = 'export_things';
DELETE FROM sync_providers WHERE provider_name = 'export_web';
INSERT INTO sync_providers TABLE other_providers;
INSERT INTO sync_endpoints TABLE other_endpoints;
INSERT INTO sync_progress_rules TABLE other_rules;
INSERT INTO sync_streams TABLE others;
INSERT INTO sync_operation_types TABLE other_types;
