-- the page that sync_report_html() makes
CREATE FUNCTION work(payload jsonb) RETURNS void LANGUAGE plpgsql
	AS $$BEGIN IF payload ? 'fail' THEN RAISE '%', payload ->> 'fail' USING ERRCODE = '22000'; END IF; END$$;
CREATE FUNCTION cells(page text) RETURNS SETOF text LANGUAGE sql
	AS $$SELECT unnest(xpath('//td/text()', page::xml))::text$$;
CREATE FUNCTION count_of(what text, page text) RETURNS bigint LANGUAGE sql
	AS $$SELECT cardinality(xpath(what, page::xml))$$;
-- without preloading there are no workers, which is said where one looks for them
SELECT * FROM sync_stat_workers;
SET client_min_messages = warning;
SET xmloption = document;
DELETE FROM sync_queue;
DELETE FROM sync_alerts;
TRUNCATE sync_history;

-- of nothing it is well-formed, too
SELECT xml_is_well_formed_document(sync_report_html()), count_of('//h2', sync_report_html()) AS parts;

-- names and messages that would be markup, are not ASCII, or no characters at all
INSERT INTO sync_operation_types (operation_type, handler) VALUES
	('<script>alert("1")</script>', 'work(jsonb)'), ('a&b''s', 'work(jsonb)'), ('läufer', 'work(jsonb)'), (repeat('ö', 50), 'work(jsonb)');
INSERT INTO sync_queue (operation_type, payload, provider_name) VALUES
	('<script>alert("1")</script>', jsonb_build_object('fail', '</td><img src=x onerror="alert(2)">' || chr(1) || chr(127) || chr(8364)), '<i>&amp;'),
	('a&b''s', '{}', NULL);
CALL sync_process_queue();
DELETE FROM sync_queue;
INSERT INTO sync_queue (operation_type, scheduled_time) VALUES ('läufer', now() + interval '1 h'), ('läufer', now() - interval '1 h'), ('a&b''s', now() + interval '1 h'), (repeat('ö', 50), now() + interval '1 h');
CREATE TABLE report_target (id int PRIMARY KEY);
SELECT sync_create_stream('"><b>', 'public.report_target', '{id}', 'SELECT 1 AS id');
SELECT sync_create_stream('broken', 'public.report_target', '{id}', 'SELECT 1 / count(*)::int AS id FROM pg_class WHERE false');
SELECT inserted FROM sync_run('"><b>');
SELECT sync_run('broken');
SET sync_ext.environment = '<prod>';
SELECT sync_report_html() AS page \gset
SELECT xml_is_well_formed_document(:'page'), :'page' ~ '^[\n -~]*$' AS ascii;
SELECT :'page' ~* '<(script|img|i|b|prod)\M' AS injected, :'page' ~ '(http:(?!//www.w3.org/2000/svg")|https:|url\(|@import)' AS fetches;
SELECT cell, count(*) FROM cells(:'page') AS cell WHERE cell ~ 'script|img|a&amp;b|&gt;&lt;b|l.ufer|&lt;i' GROUP BY cell ORDER BY cell COLLATE "C";

-- its plots show what there is: bars of a day, of the queue, and of streams
SELECT count_of('//*[local-name() = "svg"]', :'page') AS plots,
	count_of('//*[local-name() = "rect" and @class = "bad"]/*[local-name() = "title"]', :'page') AS failed,
	count_of('//*[local-name() = "rect" and @class = "late"]/*[local-name() = "title"]', :'page') AS due;
SELECT unnest(xpath('//*[local-name() = "svg"]/*[local-name() = "title"]/text()', :'page'::xml)) AS plots;
SELECT sum(n) FROM (SELECT unnest(xpath('//*[local-name() = "rect" and @class = "good"]/*[local-name() = "title"]/text()', :'page'::xml))::text AS t) AS s,
	LATERAL (SELECT (regexp_match(t, ' (\d+) succeeded$'))[1]::int AS n) AS m;
SELECT x AS shortened FROM unnest(xpath('//*[local-name() = "text" and contains(., "ö")]/text()', :'page'::xml)::text[]) AS x;

-- what began before is left out; history may be long
INSERT INTO sync_history (operation, environment, run_by, status, outcome, started_at, duration)
SELECT 'old', 'e', 'r', 'success', 'success', now() - n * interval '1 hour', '1 s' FROM generate_series(1, 1000) AS n;
SELECT count(*) FILTER (WHERE c = 'old') AS old FROM cells(sync_report_html('59 minutes')) AS c;
SELECT count(*) FILTER (WHERE c = '169') AS runs FROM cells(sync_report_html('169 hours 30 minutes')) AS c;

-- it writes nothing, and is not for everybody
BEGIN READ ONLY;
SELECT length(sync_report_html('1 year')) > 1000 AS made;
COMMIT;
SELECT sync_report_html(NULL) IS NULL AS nothing;
SELECT complaint('SELECT sync_report_html(''0'')'), complaint('SELECT sync_report_html(''-1 day'')'), complaint('SELECT sync_report_html(''200 years'')');
SELECT complaint('SET ROLE pg_monitor; SELECT sync_report_html()');

RESET sync_ext.environment;
RESET xmloption;
RESET client_min_messages;
SELECT sync_drop_stream('"><b>'), sync_drop_stream('broken');
DROP TABLE report_target;
DROP FUNCTION work, cells, count_of;
DELETE FROM sync_queue;
DELETE FROM sync_operation_types WHERE handler = 'work(jsonb)';
DELETE FROM sync_alerts;
TRUNCATE sync_history;
