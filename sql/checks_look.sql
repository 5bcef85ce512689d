-- coverage and duplicates of any relation
\set SHOW_CONTEXT never
CREATE SCHEMA look;
SET search_path = look, public;
CREATE TABLE "Match" ("Id" text, home text, away text, score json);
INSERT INTO "Match" VALUES ('m1', 'a', 'b', '[1]'), ('m1', 'a', 'b', '[2]'), ('m1', 'c', NULL, NULL),
	(NULL, 'a', 'b', NULL), (NULL, 'd', 'e', NULL), ('m2', 'd', 'e', NULL);
CREATE VIEW a_view AS SELECT * FROM "Match";
CREATE MATERIALIZED VIEW a_matview AS SELECT * FROM "Match";
CREATE TABLE parts (id int, v int) PARTITION BY LIST (id);
CREATE TABLE part_1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE part_2 PARTITION OF parts FOR VALUES IN (2);
INSERT INTO parts VALUES (1, 5), (2, 5), (2, NULL);
CREATE TABLE empty (x int);
CREATE TABLE odd (count int, n int, "sync_ext count" int, total int, found int);
INSERT INTO odd VALUES (1, 1, 1, 1, 1), (1, 1, 1, NULL, 1);
CREATE SEQUENCE a_sequence;
CREATE INDEX an_index ON "Match" (home);

SELECT * FROM sync_coverage('"Match"', 'Id');
SELECT * FROM sync_coverage('a_view', 'score');
SELECT * FROM sync_coverage('a_matview', 'home');
SELECT * FROM sync_coverage('parts', 'v');
SELECT * FROM sync_coverage('empty', 'x');
SELECT * FROM sync_coverage('odd', 'total');
SELECT * FROM sync_coverage('pg_catalog.pg_class', 'reltoastrelid') WHERE percent < 100;

SELECT * FROM sync_find_duplicates('"Match"', '{Id}');
SELECT * FROM sync_find_duplicates('"Match"', '{home,away}');
SELECT * FROM sync_find_duplicates('"Match"', '{home}', max_rows => 1);
SELECT * FROM sync_find_duplicates('"Match"', '{home}', 0);
SELECT * FROM sync_find_duplicates('a_view', '{home}');
SELECT * FROM sync_find_duplicates('a_matview', '{home}');
SELECT * FROM sync_find_duplicates('parts', '{v}');
SELECT * FROM sync_find_duplicates('odd', '{count,n,sync_ext count,found}');
SELECT * FROM sync_find_duplicates('empty', '{x}');
INSERT INTO empty SELECT 1 FROM generate_series(1, 30);
SELECT count, array_length(ctids, 1) FROM sync_find_duplicates('empty', '{x}');
SELECT sync_find_duplicates(NULL, '{x}');

-- what is refused
SELECT sync_coverage('nothing', 'x');
SELECT sync_coverage('"Match"', 'id');
SELECT sync_coverage('a_sequence', 'last_value');
SELECT sync_coverage('an_index', 'home');
SELECT sync_coverage(0, 'x');
SELECT sync_find_duplicates('"Match"', '{}');
SELECT sync_find_duplicates('"Match"', '{Id,NULL}');
SELECT sync_find_duplicates('"Match"', '{nothing}');
SELECT sync_find_duplicates('"Match"', '{score}');
SELECT sync_find_duplicates('"Match"', '{Id}', -1);

-- with the rights of the caller, in a read-only transaction
CREATE ROLE sync_looker;
GRANT USAGE ON SCHEMA look TO sync_looker;
GRANT EXECUTE ON FUNCTION sync_coverage, sync_find_duplicates TO sync_looker;
GRANT SELECT (home) ON "Match" TO sync_looker;
SET ROLE sync_looker;
BEGIN READ ONLY;
SELECT * FROM sync_coverage('"Match"', 'home');
SAVEPOINT s;
SELECT * FROM sync_coverage('"Match"', 'Id');
ROLLBACK TO s;
SELECT * FROM sync_find_duplicates('"Match"', '{away}');
ROLLBACK TO s;
SELECT * FROM sync_find_duplicates('"Match"', '{home}');
ROLLBACK;
RESET ROLE;
DROP OWNED BY sync_looker;
DROP ROLE sync_looker;
