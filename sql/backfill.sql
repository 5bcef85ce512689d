-- backfill: a column filled in batches that commit
\pset format unaligned
\pset tuples_only
\set SHOW_CONTEXT never
CREATE SCHEMA backfill;
SET search_path = backfill, public;
CREATE TABLE "Score" (home text, away text, "Match Id" varchar(20), n numeric(6, 2));
INSERT INTO "Score" SELECT 'home ' || n, 'away ' || n FROM generate_series(1, 5000) AS n;
UPDATE "Score" SET "Match Id" = 'given' WHERE home = 'home 7';
CREATE VIEW last AS SELECT operation, subject, status, updated, details - 'batches' AS details, (details ->> 'batches')::int > 1 AS batches, error_sqlstate, error_message
	FROM sync_history ORDER BY history_id DESC LIMIT 1;

-- what is refused
BEGIN;
CALL sync_backfill('"Score"', 'Match Id', 'home');
ROLLBACK;
DO $$BEGIN CALL sync_backfill('"Score"', 'Match Id', 'home'); EXCEPTION WHEN OTHERS THEN RAISE EXCEPTION '% %', SQLSTATE, SQLERRM; END$$;
CREATE FUNCTION inside() RETURNS void LANGUAGE sql AS $$CALL sync_backfill('"Score"', 'Match Id', 'home')$$;
SELECT inside();
CALL sync_backfill(NULL, 'Match Id', 'home');
CALL sync_backfill('"Score"', NULL, 'home');
CALL sync_backfill('"Score"', 'Match Id', NULL);
CALL sync_backfill('nothing', 'Match Id', 'home');
CALL sync_backfill('"Score"', 'match id', 'home');
CALL sync_backfill('"Score"', 'ctid', 'home');
CALL sync_backfill('"Score"', 'Match Id', 'home; DROP TABLE x');
CALL sync_backfill('"Score"', 'Match Id', 'home) WHERE (true');
CALL sync_backfill('"Score"', 'Match Id', 'home', condition => 'true OR');
\set VERBOSITY terse
CALL sync_backfill('"Score"', 'Match Id', 'nothing');
CALL sync_backfill('"Score"', 'Match Id', 'home', condition => 'home');
CALL sync_backfill('"Score"', 'n', 'home');
\set VERBOSITY default
CALL sync_backfill('"Score"', 'Match Id', 'home', batch_size => 0);
CALL sync_backfill('"Score"', 'Match Id', 'home', pause => '-1 s');
CALL sync_backfill('"Score"', 'Match Id', 'home', pause => '1 day');
CREATE VIEW a_view AS SELECT * FROM "Score";
CALL sync_backfill('a_view', 'Match Id', 'home');
SELECT status, error_sqlstate, error_message FROM sync_history WHERE operation = 'backfill' AND subject LIKE 'backfill%' ORDER BY history_id;
SELECT relation, column_name, position FROM sync_backfills;
DELETE FROM sync_backfills;

-- rows without a value are filled, in several transactions
CREATE TABLE writers (xid xid8);
CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO writers SELECT pg_current_xact_id(); RETURN NULL; END$$;
CREATE TRIGGER watch AFTER UPDATE ON "Score" FOR EACH STATEMENT EXECUTE FUNCTION watch();
CALL sync_backfill('"Score"', 'Match Id', 'left(md5(home || away), 20) -- derived', batch_size => 500);
SELECT count(*), count("Match Id"), count(*) FILTER (WHERE "Match Id" = 'given'), count(*) FILTER (WHERE "Match Id" = left(md5(home || away), 20)) FROM "Score";
SELECT * FROM last;
SELECT count(DISTINCT xid) > 5 FROM writers;
SELECT count(*) FROM sync_backfills;
-- once more finds nothing to do, and writes no row
CREATE TABLE before AS SELECT xmin AS writer, ctid AS place FROM "Score";
CALL sync_backfill('"Score"', 'Match Id', 'left(md5(home || away), 20)');
SELECT count(*) FROM before JOIN "Score" AS s ON s.ctid = place AND s.xmin = writer;
SELECT updated FROM last;
-- with a condition; what gives no value is left
CALL sync_backfill('"Score"', 'n', 'CASE WHEN home < ''home 3'' THEN substr(home, 6)::numeric / 3 END', condition => 'away <> ''away 1''');
SELECT count(n), count(*) FILTER (WHERE away = 'away 1' AND n IS NOT NULL) FROM "Score";
SELECT updated FROM last;
-- overwrite: what is not right is replaced, what is stays
CALL sync_backfill('"Score"', 'n', 'substr(home, 6)::numeric / 7', condition => 'length(home) < 8', overwrite => true);
SELECT updated FROM last;
CALL sync_backfill('"Score"', 'n', 'substr(home, 6)::numeric / 7', condition => 'length(home) < 8', overwrite => true);
SELECT updated FROM last;
SELECT n FROM "Score" WHERE home = 'home 5';

-- partitions, and tables that inherit, which have rows of their own
CREATE TABLE parts (id int, v int) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF parts FOR VALUES FROM (0) TO (1000);
CREATE TABLE part_2 PARTITION OF parts FOR VALUES FROM (1000) TO (9000) PARTITION BY RANGE (id);
CREATE TABLE part_3 PARTITION OF part_2 FOR VALUES FROM (1000) TO (9000);
INSERT INTO parts SELECT generate_series(1, 6000);
CALL sync_backfill('parts', 'v', 'id * 2', batch_size => 100);
SELECT count(*) FROM parts WHERE v = id * 2;
CREATE TABLE heirs () INHERITS ("Score");
INSERT INTO heirs (home, away) VALUES ('h', 'a');
CALL sync_backfill('"Score"', 'Match Id', 'home');
SELECT count(*) FROM heirs WHERE "Match Id" IS NULL;
DROP TABLE heirs;

-- a row that a batch cannot write ends it; what was committed stays, and counts
UPDATE "Score" SET n = NULL;
VACUUM FULL "Score";
CALL sync_backfill('"Score"', 'n', '100 / (substr(home, 6)::int - 4000)', batch_size => 100);
SELECT status, updated > 1000, updated = (SELECT count(n) FROM "Score"), error_sqlstate FROM last;
SELECT relation, column_name, expression, condition, overwrite, position > 10, updated = (SELECT count(n) FROM "Score"), run_by = current_user FROM sync_backfills;
SELECT count(n) AS filled FROM "Score" \gset
-- the same call goes on from there
UPDATE "Score" SET home = 'home 4001' WHERE home = 'home 4000';
CALL sync_backfill('"Score"', 'n', '100 / (substr(home, 6)::int - 4000)', batch_size => 100);
SELECT status, updated + :filled FROM last;
SELECT count(*) FROM sync_backfills;
-- a trigger that keeps rows as they are is told of
CREATE FUNCTION stay() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;
CREATE TRIGGER stay BEFORE UPDATE ON parts FOR EACH ROW WHEN (old.id = 5) EXECUTE FUNCTION stay();
CALL sync_backfill('parts', 'v', 'id * 3', overwrite => true);
SELECT updated FROM last;

-- with the rights of the caller
CREATE ROLE sync_filler;
GRANT USAGE ON SCHEMA backfill TO sync_filler;
SET ROLE sync_filler;
CALL sync_backfill('parts', 'v', 'id');
RESET ROLE;
GRANT EXECUTE ON PROCEDURE sync_backfill TO sync_filler;
SET ROLE sync_filler;
CALL sync_backfill('parts', 'v', 'id', overwrite => true);
RESET ROLE;
GRANT SELECT, UPDATE ON parts TO sync_filler;
DROP TRIGGER stay ON parts;
SET ROLE sync_filler;
CALL sync_backfill('parts', 'v', 'id', overwrite => true);
SELECT session_user = current_user, current_setting('search_path');
RESET ROLE;
SELECT count(*) FROM parts WHERE v = id;
SELECT run_by = 'sync_filler', status FROM sync_history WHERE operation = 'backfill' ORDER BY history_id DESC LIMIT 2;
SET default_transaction_read_only = on;
CALL sync_backfill('parts', 'v', 'id');
RESET default_transaction_read_only;
DROP OWNED BY sync_filler;
DROP ROLE sync_filler;
DELETE FROM sync_backfills;
