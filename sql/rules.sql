-- rules as rows: other tables, other columns, other conditions
\pset format unaligned
\pset tuples_only
SET client_min_messages = warning;
CREATE SCHEMA "Race Data";
CREATE SCHEMA rules;
SET search_path = rules, public;

-- three key columns, quoted names of mixed case, relations in another schema
CREATE TABLE "Race Data"."Split Times" ("Event" text, "Dist (km)" numeric, "select" date, "Bib" int, secs int);
CREATE TABLE "Race Data"."Imported ""Races""" ("Event ID" varchar(20), km numeric, "Day" date,
	"State" text, "Done" timestamptz, "Runners" int, "Best" int, source text, note text);
CREATE TABLE "Race Data"."Sources" ("Event" text, "Dist (km)" numeric, "select" date, "Partner" text);
INSERT INTO sync_progress_rules (rule_name, label, evidence, key_columns, competition_column,
	progress, progress_key_columns, status_column, done_value, completed_at_column,
	counters, insert_columns)
VALUES ('races of "today"', 'races', '"Race Data"."Split Times"',
	'{Event,"Dist (km)",select}', 'Event',
	'"Race Data"."Imported ""Races"""', '{Event ID,km,Day}', 'State', 'It''s done', 'Done',
	'{"Runners": "count(DISTINCT \"Bib\")", "Best": "min(secs)"}',
	'{"source": {"lookup": "\"Race Data\".\"Sources\"", "column": "Partner",
	   "fallback": "upper(\"Event\") || '' by hand''"},
	  "note": {"fallback": "''km '' || \"Dist (km)\" || '' -- not a comment''"}}');
INSERT INTO "Race Data"."Split Times" VALUES
	('City Run', 10, '2024-05-01', 1, 2000), ('City Run', 10, '2024-05-01', 1, 1900),
	('City Run', 10, '2024-05-01', 2, 2100), ('City Run', 21.1, '2024-05-01', 3, 5000),
	('Trail', 10, '2024-06-01', 1, 3000), ('Trail', NULL, '2024-06-01', 2, 3000);
INSERT INTO "Race Data"."Sources" VALUES ('City Run', 10, '2024-05-01', 'RunSignUp');
INSERT INTO "Race Data"."Imported ""Races""" VALUES ('City Run', 21.1, '2024-05-01', 'open', NULL, 9);
SELECT sync_progress(rule => 'races of "today"');
SELECT sync_progress(rule => 'races of "today"', competition => 'Trail');
SELECT sync_progress(rule => 'races of "today"', dry_run => false);
SELECT "Event ID", km, "Day", "State", "Done" IS NOT NULL, "Runners", "Best", source, note
FROM "Race Data"."Imported ""Races""" ORDER BY 1, 2;
SELECT sync_progress(rule => 'races of "today"');
UPDATE "Race Data"."Imported ""Races""" SET "Best" = 1, source = NULL WHERE km = 10;
SELECT key, before - 'Done', after - 'Done' FROM sync_progress_drift(rule => 'races of "today"');
SELECT complaint('SELECT sync_progress(rule => ''races of "today"'', competition => ''Nowhere'')');

-- position and name give the order, enabled says which run, rules on one evidence stand together
UPDATE sync_progress_rules SET position = 15 WHERE rule_name = 'races of "today"';
CALL football();
CALL field('EPL', 2023, 2023, 2);
SELECT sync_progress();
UPDATE sync_progress_rules SET position = 20 WHERE rule_name = 'races of "today"';
SELECT rule_name FROM sync_progress_drift();
UPDATE sync_progress_rules SET enabled = false WHERE rule_name = 'races of "today"';
SELECT rule_name FROM sync_progress_drift();
DELETE FROM sync_progress_rules WHERE rule_name = 'races of "today"';
DROP SCHEMA "Race Data" CASCADE;

-- evidence_filter: rows that do not meet it are none, nor are those where it is not known
CREATE TABLE clubs (code char(3), year smallint, points int);
INSERT INTO clubs VALUES ('AAA', 2023, 10), ('AAA', 2023, 0), ('AAA', 2022, NULL), ('BBB', 2023, 0);
CREATE TABLE club_progress (code text, year int, status text DEFAULT 'pending', clubs bigint);
INSERT INTO sync_progress_rules (rule_name, label, evidence, key_columns, competition_column,
	progress, completed_at_column, counters, evidence_filter)
VALUES ('club', 'club years', 'clubs', '{code,year}', 'code', 'club_progress', NULL,
	'{"clubs": "count(*)"}', 'points > 0 -- only those that played');
SELECT sync_progress(rule => 'club');
SELECT complaint($$SELECT sync_progress(rule => 'club', competition => 'BBB')$$);
UPDATE sync_progress_rules SET evidence_filter = 'points = 0 OR points IS NULL' WHERE rule_name = 'club';
SELECT sync_progress(rule => 'club', competition => 'BBB');

-- validation: keys that fail it, or where it is not known, are left as they are and counted
UPDATE sync_progress_rules SET evidence_filter = NULL, validation = 'sum(points) >= 10'
WHERE rule_name = 'club';
INSERT INTO club_progress VALUES ('BBB', 2023, 'pending', 77), ('AAA', 2023, 'pending', 1);
SELECT sync_progress(rule => 'club');
SELECT sync_progress(false, rule => 'club');
SELECT * FROM club_progress ORDER BY code, year;
SELECT key FROM sync_progress_drift(rule => 'club');
SELECT rows_read, inserted, updated, unchanged, details FROM sync_history ORDER BY history_id DESC LIMIT 1;

-- without competition_column the first key column heads the report
UPDATE sync_progress_rules SET competition_column = NULL, validation = NULL WHERE rule_name = 'club';
SELECT sync_progress(rule => 'club');
UPDATE sync_progress_rules SET competition_column = 'year' WHERE rule_name = 'club';
SELECT sync_progress(rule => 'club');
SELECT sync_progress(rule => 'club', competition => '2022');

-- no counters at all
UPDATE sync_progress_rules SET counters = '{}' WHERE rule_name = 'club';
SELECT sync_progress(rule => 'club');

-- insert columns: a lookup that need not have the column, and one that has to
CREATE TABLE names (code char(3), year smallint, other text);
INSERT INTO names VALUES ('BBB', 2023, 'other');
ALTER TABLE club_progress ADD name text;
DELETE FROM club_progress WHERE code = 'BBB';
UPDATE sync_progress_rules SET insert_columns =
	'{"name": {"lookup": "names", "column": ["name", "title"], "optional": true, "fallback": "''nameless''"}}'
WHERE rule_name = 'club';
SELECT key, after FROM sync_progress_drift(rule => 'club');
UPDATE sync_progress_rules SET insert_columns = jsonb_set(insert_columns, '{name,optional}', 'false')
WHERE rule_name = 'club';
SELECT complaint($$SELECT sync_progress(rule => 'club')$$);
UPDATE sync_progress_rules SET insert_columns = '{"name": {"lookup": "names", "column": ["name", "other"]}}'
WHERE rule_name = 'club';
SELECT key, after FROM sync_progress_drift(rule => 'club');

-- a table may have a column for each word that the statements use themselves
CREATE TABLE words ("key" text, action text, "before" text, kind text, n int);
INSERT INTO words VALUES ('k', 'a', 'b', 'd', 1);
CREATE TABLE word_progress ("key" text, action text, "before" text, status text, n int, "after" text);
INSERT INTO sync_progress_rules (rule_name, label, evidence, key_columns, progress, completed_at_column,
	counters, insert_columns)
VALUES ('words', 'words', 'words', '{key,action,before}', 'word_progress', NULL,
	'{"n": "sum(n)"}', '{"after": {"column": "kind"}}');
SELECT sync_progress(rule => 'words');
SELECT rule_name, action, key, before, after FROM sync_progress_drift(rule => 'words');
SELECT count(*) FROM sync_progress(false, rule => 'words');
SELECT * FROM word_progress;

\set QUIET
SET client_min_messages = warning;
DELETE FROM sync_progress_rules WHERE rule_name IN ('club', 'words');
DROP SCHEMA rules CASCADE;
