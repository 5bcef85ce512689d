-- checks: what must hold when a run has written, before it commits
\pset format unaligned
\pset tuples_only
\set SHOW_CONTEXT never
CREATE SCHEMA checks;
SET search_path = checks, public;
CREATE TABLE "Source" (id int, name text, sku text, team int);
CREATE TABLE "Target" (id int PRIMARY KEY, name text, sku text, team int);
CREATE TABLE team (team_id int PRIMARY KEY);
INSERT INTO team VALUES (1), (2);
SELECT sync_create_stream('guarded', '"Target"', '{id}', 'TABLE "Source"');
\set try 'SELECT inserted, updated, unchanged, rows_read FROM sync_run(''guarded'')'

-- what is refused
SELECT sync_add_check('none', 'c', 'not_null', '{name}');
SELECT sync_add_check('guarded', NULL, 'not_null', '{name}');
SELECT sync_add_check('guarded', 'c', 'nothing', '{name}');
SELECT sync_add_check('guarded', 'c', NULL);
SELECT sync_add_check('guarded', 'c', 'not_null');
SELECT sync_add_check('guarded', 'c', 'not_null', '{no such}');
SELECT sync_add_check('guarded', 'c', 'not_null', '{name}', severity => 'fatal');
SELECT sync_add_check('guarded', 'c', 'not_null', '{name}', min_share => 1.5);
SELECT sync_add_check('guarded', 'c', 'not_null', '{name}', min_share => 'NaN');
SELECT sync_add_check('guarded', 'c', 'not_null', '{name}', max_share => 1);
SELECT sync_add_check('guarded', 'c', 'not_null', '{name}', condition => 'true');
SELECT sync_add_check('guarded', 'c', 'unique');
SELECT sync_add_check('guarded', 'c', 'foreign_key', '{team}');
SELECT sync_add_check('guarded', 'c', 'foreign_key', '{team}', parent => 'nowhere');
SELECT sync_add_check('guarded', 'c', 'foreign_key', '{team}', parent => 'team');
SELECT sync_add_check('guarded', 'c', 'foreign_key', '{name}', parent => 'team', parent_columns => '{team_id}');
SELECT sync_add_check('guarded', 'c', 'foreign_key', '{team}', parent => 'team', parent_columns => '{team_id,team_id}');
SELECT sync_add_check('guarded', 'c', 'condition');
SELECT sync_add_check('guarded', 'c', 'condition', condition => 'id > ');
SELECT sync_add_check('guarded', 'c', 'condition', condition => 'true) OR (true');
SELECT sync_add_check('guarded', 'c', 'condition', condition => 'id + 1');
SELECT sync_add_check('guarded', 'c', 'condition', condition => 'nothing > 1');
SELECT sync_add_check('guarded', 'c', 'query', condition => 'DELETE FROM "Target"');
SELECT sync_add_check('guarded', 'c', 'query', condition => 'SELECT 1', min_share => 0.5);
SELECT sync_add_check('guarded', 'c', 'row_count');
SELECT sync_add_check('guarded', 'c', 'row_count', min_share => 2, max_share => 1);
SELECT sync_drop_check('guarded', 'c');
SELECT count(*) FROM sync_checks;

-- not_null: all columns, or a share of the rows
SELECT sync_add_check('guarded', 'named', 'not_null', '{name}', min_share => 0.75);
SELECT sync_add_check('guarded', 'named', 'not_null', '{sku}');
INSERT INTO "Source" VALUES (1, 'one', 'a', 1), (2, NULL, 'b', 1), (3, 'three', 'c', 2), (4, 'four', 'd', NULL);
:try;
UPDATE "Source" SET name = NULL WHERE id = 3;
:try;
SELECT count(*) FROM "Target" WHERE name IS NULL;
SELECT status, inserted, updated, error_sqlstate, error_message, error_detail FROM sync_history WHERE subject = 'guarded' ORDER BY history_id;
UPDATE "Source" SET name = 'three' WHERE id = 3;

-- unique, also by several columns; NULLs repeat nothing
SELECT sync_add_check('guarded', 'sku', 'unique', '{sku}');
SELECT sync_add_check('guarded', 'pair', 'unique', '{sku,team}', severity => 'warning');
UPDATE "Source" SET sku = 'a', team = 1 WHERE id IN (2, 3);
:try;
UPDATE "Source" SET sku = NULL WHERE id IN (2, 3);
:try;
SELECT sync_drop_check('guarded', 'pair'), sync_drop_check('guarded', 'sku');

-- foreign_key: orphans, also within one table; NULL is none
SELECT sync_add_check('guarded', 'team', 'foreign_key', '{team}', parent => 'team', parent_columns => '{team_id}');
SELECT sync_add_check('guarded', 'self', 'foreign_key', '{team}', parent => '"Target"', parent_columns => '{id}');
SELECT check_name, kind, column_names, parent, parent_columns, min_share, severity FROM sync_checks ORDER BY 1;
UPDATE "Source" SET team = 7 WHERE id = 4;
:try;
INSERT INTO team VALUES (7);
:try;
SELECT sync_drop_check('guarded', 'self'), sync_drop_check('guarded', 'team');
UPDATE "Source" SET team = 2 WHERE id = 4;

-- condition: true, and not unknown
SELECT sync_add_check('guarded', 'even', 'condition', condition => '"Target".id % 2 = 0 OR name ~ ''e'' -- and so on', severity => 'warning');
:try;
UPDATE "Source" SET name = 'wolf' WHERE id = 3;
:try;
UPDATE "Source" SET name = NULL WHERE id = 3;
SELECT sync_drop_check('guarded', 'named');
:try;
SELECT details FROM sync_history WHERE subject = 'guarded' ORDER BY history_id DESC LIMIT 2;
-- what it raises names it
SELECT sync_add_check('guarded', 'zero', 'condition', condition => '1 / (id - 3) > -1');
\set SHOW_CONTEXT errors
:try;
\set SHOW_CONTEXT never
SELECT sync_drop_check('guarded', 'zero'), sync_drop_check('guarded', 'even');

-- query: it finds nothing
SELECT sync_add_check('guarded', 'found', 'query', condition => 'SELECT team, count(*) FROM "Target" GROUP BY team HAVING count(*) > 2');
UPDATE "Source" SET team = 1;
:try;
SELECT sync_drop_check('guarded', 'found');
:try;

-- several that do not hold, in one error
SELECT sync_add_check('guarded', 'a', 'not_null', '{name}');
SELECT sync_add_check('guarded', 'b', 'unique', '{team}');
SELECT sync_add_check('guarded', 'c', 'condition', condition => 'id < 4', severity => 'warning');
UPDATE "Source" SET name = 'x' WHERE id = 1;
:try;
SELECT sync_drop_check('guarded', n) FROM unnest('{a,b,c}'::text[]) AS n;

-- row_count: against the last run that succeeded
SELECT sync_add_check('guarded', 'rows', 'row_count', min_share => 0.7, max_share => 1.5);
INSERT INTO "Source" SELECT n FROM generate_series(5, 8) AS n;
:try;
DELETE FROM "Source" WHERE id > 6;
:try;
DELETE FROM "Source" WHERE id > 3;
:try;
SELECT sync_drop_check('guarded', 'rows');
SELECT sync_add_check('guarded', 'rows', 'row_count', max_share => 0.1, severity => 'warning');
:try;
SELECT sync_drop_check('guarded', 'rows');
-- no run before: nothing to compare with
SELECT sync_create_stream('guarded new', '"Target"', '{id}', 'TABLE "Source"');
SELECT sync_add_check('guarded new', 'rows', 'row_count', min_share => 0.7);
SELECT unchanged FROM sync_run('guarded new');

-- a stream that reads what is new has no number of rows to compare
SELECT sync_create_stream('guarded new rows', '"Target"', '{id}', 'TABLE "Source"', watermark => 'id');
SELECT sync_add_check('guarded new rows', 'rows', 'row_count', min_share => 0.7);
SELECT sync_drop_stream('guarded new rows');

-- a look at all of them, which raises nothing
SELECT sync_add_check('guarded new', 'named', 'not_null', '{name}');
SELECT sync_add_check('guarded new', 'id', 'unique', '{id}');
SELECT * FROM sync_check('guarded new');
SELECT * FROM sync_check('nothing');
-- a dry run counts, and checks nothing
SELECT unchanged FROM sync_run('guarded new', true);

-- mode append has no key to name rows by
CREATE TABLE log (n int, what text, found int);
SELECT sync_create_stream('guarded log', 'log', query => 'SELECT 1 AS n, NULL AS what', mode => 'append');
SELECT sync_add_check('guarded log', 'what', 'not_null', '{what}');
SELECT sync_run('guarded log');
SELECT sync_drop_check('guarded log', 'what');
SELECT sync_add_check('guarded log', 'n', 'unique', '{n}');
SELECT inserted FROM sync_run('guarded log');
SELECT sync_run('guarded log');

-- an empty table has nothing that is wrong
TRUNCATE log;
SELECT sync_create_stream('guarded void', 'log', query => 'SELECT 1 AS n, NULL AS what WHERE false', mode => 'append');
SELECT sync_add_check('guarded void', 'what', 'not_null', '{what}');
SELECT inserted FROM sync_run('guarded void');

-- checks go with their stream
SELECT sync_drop_stream('guarded new');
SELECT count(*) FROM sync_checks WHERE stream_name = 'guarded new';

-- a check runs with the rights of whoever runs the stream
CREATE ROLE sync_checker;
GRANT USAGE ON SCHEMA checks TO sync_checker;
GRANT EXECUTE ON FUNCTION sync_run TO sync_checker;
GRANT SELECT ON "Source" TO sync_checker;
GRANT SELECT, INSERT, UPDATE ON "Target" TO sync_checker;
SELECT sync_add_check('guarded', 'team', 'foreign_key', '{team}', parent => 'team', parent_columns => '{team_id}');
SET ROLE sync_checker;
:try;
SELECT count(*) FROM sync_checks;
RESET ROLE;
GRANT SELECT ON team TO sync_checker;
SET ROLE sync_checker;
:try;
RESET ROLE;
DROP OWNED BY sync_checker;
DROP ROLE sync_checker;

-- what has gone meanwhile
DROP TABLE team;
:try;
SELECT sync_drop_stream(name) FROM unnest('{guarded,guarded log,guarded void}'::text[]) AS name;
