-- undo: taking back what a run wrote
\pset format unaligned
\pset tuples_only
\set SHOW_CONTEXT never
CREATE SCHEMA undo;
SET search_path = undo, public;
CREATE TABLE source ("Id" int, name text, v numeric);
CREATE TABLE "Target" ("Id" int PRIMARY KEY, name text, v numeric(9,2), note text DEFAULT 'new',
	seen timestamptz, twice int GENERATED ALWAYS AS ("Id" * 2) STORED);
SELECT sync_create_stream('u', '"Target"', '{Id}', 'TABLE source', mode => 'mirror', synced_at => 'seen',
	max_delete_share => 1, keep_undo => '7 days');
-- the run that comes last in history
CREATE VIEW last AS SELECT max(history_id) AS run FROM sync_history WHERE status = 'success';
CREATE VIEW kept AS SELECT operation, inserted, updated, deleted, u.undoes IS NOT NULL AS undoes, u.undone_by IS NOT NULL AS undone
	FROM sync_undo_runs AS u JOIN sync_history USING (history_id) WHERE u.target = 'undo."Target"' ORDER BY undo_id;
CREATE FUNCTION age() RETURNS void LANGUAGE sql AS $$UPDATE sync_undo_runs SET keep_until = now() - interval '1 s' WHERE target = 'undo."Target"'$$;

-- inserts: the rows are gone again
INSERT INTO source VALUES (1, 'one', 1), (2, 'two', 2), (3, 'three', NULL), (4, 'it''s {"4"}', 4);
SELECT inserted FROM sync_run('u');
SELECT run AS first FROM last \gset
SELECT action, key, before, after[1:2], after[3] IS NOT NULL, after[4] FROM sync_undo_rows ORDER BY key;
SELECT inserted, updated, deleted, duration >= '0' FROM sync_undo(:first, dry_run => true);
SELECT count(*) FROM "Target";
SELECT inserted, updated, deleted FROM sync_undo(:first);
SELECT count(*) FROM "Target";
SELECT run AS undo FROM last \gset
SELECT operation, subject, inserted, updated, deleted, details ->> 'undoes' = :'first' FROM sync_history WHERE history_id = :undo;
-- once
SELECT regexp_replace(line, '\d{2,}|run \d+|\(\d+\)', 'N', 'g') FROM complaint('SELECT sync_undo(' || :first || ')') AS line;
-- the undo of the undo
SELECT inserted, updated, deleted FROM sync_undo(:undo);
SELECT "Id", name, v, note, twice, seen IS NOT NULL FROM "Target" ORDER BY "Id";
SELECT * FROM kept;
-- after which the run itself can be undone again
SELECT deleted FROM sync_undo(:first, true);

-- updates, deletes and inserts of one run
UPDATE source SET v = 1.5 WHERE "Id" = 1;
UPDATE source SET name = NULL WHERE "Id" = 2;
DELETE FROM source WHERE "Id" = 3;
INSERT INTO source VALUES (5, 'five', 5);
UPDATE "Target" SET note = 'mine';
CREATE TABLE before AS TABLE "Target";
SELECT inserted, updated, deleted FROM sync_run('u');
SELECT run AS second FROM last \gset
-- what the run did not write is not looked at in rows that it updated, and stays
UPDATE "Target" SET note = 'mine, later' WHERE "Id" = 1;
SELECT inserted, updated, deleted FROM sync_undo(:second);
SELECT "Id", t.note FROM "Target" AS t WHERE NOT EXISTS (SELECT FROM before AS b WHERE b IS NOT DISTINCT FROM t) ORDER BY 1;
SELECT count(*) FROM before;
-- a run with nothing to do keeps nothing; so does a dry run
SELECT unchanged FROM sync_run('u', true);
SELECT count(*) FROM sync_undo_runs;
SELECT updated, inserted, deleted FROM sync_run('u');
SELECT updated, inserted, deleted FROM sync_run('u');
SELECT * FROM kept;

-- several runs, back in order: the later one first
SELECT max(history_id) AS third FROM sync_undo_runs \gset
UPDATE source SET name = 'uno' WHERE "Id" = 1;
SELECT updated FROM sync_run('u');
SELECT run AS fourth FROM last \gset
SELECT replace(replace(replace(line, 'run ' || :third, 'run THIRD'), 'run ' || :fourth, 'run FOURTH'), '(' || :fourth || ')', '(FOURTH)') FROM complaint('SELECT sync_undo(' || :third || ')') AS line;
SELECT updated FROM sync_undo(:fourth);
SELECT inserted, updated, deleted FROM sync_undo(:third);
SELECT "Id", t.note FROM "Target" AS t WHERE NOT EXISTS (SELECT FROM before AS b WHERE b IS NOT DISTINCT FROM t) ORDER BY 1;
-- a later run that wrote other rows is in no one's way
SELECT updated, inserted, deleted FROM sync_run('u');
SELECT run AS fifth FROM last \gset
INSERT INTO source VALUES (6, 'six', 6);
SELECT inserted FROM sync_run('u');
SELECT inserted, updated, deleted FROM sync_undo(:fifth);
SELECT "Id", name, v FROM "Target" ORDER BY 1;

-- columns added meanwhile are left alone, and images outlive that
SELECT updated, inserted, deleted FROM sync_run('u');
SELECT run AS sixth FROM last \gset
ALTER TABLE "Target" ADD COLUMN more int DEFAULT 7;
SELECT inserted, updated, deleted FROM sync_undo(:sixth);
SELECT run AS seventh FROM last \gset
SELECT column_names FROM sync_undo_runs WHERE history_id = :seventh;
SELECT "Id", name, v, more FROM "Target" ORDER BY 1;
UPDATE "Target" SET more = 8 WHERE "Id" = 3;
SELECT replace(line, 'run ' || :seventh, 'run N') FROM complaint('SELECT sync_undo(' || :seventh || ', true)') AS line;
UPDATE "Target" SET more = 7 WHERE "Id" = 3;
SELECT inserted, updated, deleted FROM sync_undo(:seventh);

-- images are kept for their time
SELECT count(*) > 5 FROM kept;
SELECT sync_purge_undo();
SELECT age();
SELECT regexp_replace(line, 'run \d+', 'run N') FROM complaint('SELECT sync_undo(' || :seventh || ')') AS line;
INSERT INTO source VALUES (7, 'seven', 7);
SELECT inserted FROM sync_run('u');
SELECT * FROM kept;
SELECT count(DISTINCT undo_id) FROM sync_undo_rows;
SELECT run AS eighth FROM last \gset
INSERT INTO source VALUES (8, 'eight', 8);
SELECT inserted FROM sync_run('u');
SELECT sync_purge_undo(:eighth), sync_purge_undo(:eighth);
SELECT age();
SELECT sync_purge_undo();
SELECT count(*) FROM sync_undo_rows;

-- soft_delete: the mark
CREATE TABLE soft (id int PRIMARY KEY, name text, gone timestamptz);
SELECT sync_create_stream('u soft', 'soft', '{id}', 'SELECT "Id" AS id, name FROM source', mode => 'soft_delete', deleted_at => 'gone',
	keep_undo => '1 day');
SELECT inserted FROM sync_run('u soft');
DELETE FROM source WHERE "Id" > 6;
SELECT deleted FROM sync_run('u soft');
SELECT run AS soft FROM last \gset
SELECT id FROM soft WHERE gone IS NOT NULL ORDER BY id;
SELECT inserted, updated, deleted FROM sync_undo(:soft);
SELECT id FROM soft WHERE gone IS NOT NULL ORDER BY id;
SELECT deleted FROM sync_run('u soft');
INSERT INTO source VALUES (8, 'eight', 8);
SELECT updated FROM sync_run('u soft');
SELECT run AS soft FROM last \gset
SELECT updated FROM sync_undo(:soft);
SELECT id FROM soft WHERE gone IS NOT NULL ORDER BY id;

-- append: as many rows like those that were added as were added
CREATE TABLE log (what text, n int DEFAULT 1);
INSERT INTO log VALUES ('x'), ('kept');
SELECT sync_create_stream('u log', 'log', query => $$SELECT * FROM (VALUES ('x'), ('x'), ('y'), (NULL)) AS v (what)$$, mode => 'append', keep_undo => '1 day');
SELECT inserted FROM sync_run('u log');
SELECT run AS log FROM last \gset
SELECT deleted FROM sync_undo(:log);
SELECT what, n FROM log ORDER BY 1, 2;
SELECT run AS log FROM last \gset
SELECT inserted FROM sync_undo(:log);
SELECT run AS log FROM last \gset
DELETE FROM log WHERE what = 'y';
SELECT replace(line, 'run ' || :log, 'run N') FROM complaint('SELECT sync_undo(' || :log || ')') AS line;
SELECT what, n FROM log ORDER BY 1, 2;

-- what was taken back can come again, whatever the watermark
CREATE TABLE grown (id int PRIMARY KEY, at int);
SELECT sync_create_stream('u grown', 'grown', '{id}', 'SELECT n AS id, n AS at FROM generate_series(1, 4) AS n', watermark => 'at', keep_undo => '1 day');
SELECT inserted FROM sync_run('u grown');
SELECT rows_read FROM sync_run('u grown');
SELECT deleted FROM (SELECT max(history_id) AS run FROM sync_undo_runs) AS r, sync_undo(run);
SELECT inserted FROM sync_run('u grown');

-- rows that refer to others of their table
CREATE TABLE tree (id int PRIMARY KEY, parent int REFERENCES tree);
CREATE TABLE tree_source (id int, parent int);
INSERT INTO tree_source VALUES (1, NULL), (2, 1), (3, 2);
SELECT sync_create_stream('u tree', 'tree', '{id}', 'TABLE tree_source', mode => 'mirror', max_delete_share => 1, keep_undo => '1 day');
SELECT inserted FROM sync_run('u tree');
UPDATE tree_source SET parent = 4 WHERE id = 3;
INSERT INTO tree_source VALUES (4, NULL);
DELETE FROM tree_source WHERE id = 2;
SELECT inserted, updated, deleted FROM sync_run('u tree');
SELECT inserted, updated, deleted FROM last, sync_undo(run);
SELECT * FROM tree ORDER BY id;
SELECT inserted, updated, deleted FROM last, sync_undo(run);
SELECT * FROM tree ORDER BY id;

-- a stream that does not ask for it keeps nothing
SELECT sync_create_stream('u not', 'soft', '{id}', 'SELECT 99 AS id');
SELECT inserted FROM sync_run('u not');
SELECT count(*) FROM sync_undo_runs WHERE subject = 'u not';
SELECT regexp_replace(line, 'run \d+', 'run N') FROM last, complaint('SELECT sync_undo(' || run || ')') AS line;
SELECT sync_drop_stream(name) FROM unnest('{u,u soft,u log,u grown,u tree,u not}'::text[]) AS name;
