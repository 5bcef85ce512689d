-- a dry run counts what the run then counts, constraints included
\pset format unaligned
\pset tuples_only
CREATE SCHEMA foresee;
SET search_path = foresee, public;
-- the dry run of a stream beside the run, which is to come out the same
CREATE FUNCTION dry_and_real(stream text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	foreseen text;
	done text;
BEGIN
	SELECT format('%s read, %s inserted, %s updated, %s unchanged, %s deleted, %s rejected', rows_read, inserted, updated, unchanged, deleted, rejected)
		INTO foreseen FROM sync_run(stream, dry_run => true);
	SELECT format('%s read, %s inserted, %s updated, %s unchanged, %s deleted, %s rejected', rows_read, inserted, updated, unchanged, deleted, rejected)
		INTO done FROM sync_run(stream);
	RETURN CASE WHEN foreseen = done THEN done ELSE format('foreseen %s; done %s', foreseen, done) END;
END $$;

-- NOT NULL and CHECK, of columns that are delivered, left out and generated; a default; a sequence, which is not touched
CREATE DOMAIN grade AS int CHECK (VALUE < 10);
CREATE TABLE target (gone int, id int PRIMARY KEY, a int NOT NULL, b int CHECK (b > 0), low int DEFAULT 5, g grade,
	twice int GENERATED ALWAYS AS (a * 1000000) STORED, n serial NOT NULL CHECK (n < 1000000), word text NOT NULL DEFAULT 'x',
	CHECK (a > low), CHECK (twice % 9000000 <> 0 OR a = 0), CHECK (n + a > 0));
ALTER TABLE target DROP COLUMN gone;
CREATE TABLE source (id int, a int, b int, g int);
INSERT INTO source VALUES (1, 7, 1, 1), (2, NULL, 1, 1), (3, 7, 0, 1), (4, 5, 1, 1), (5, 7, 1, 10), (6, 3000, 1, 1), (7, 9, 1, 1), (8, 8, NULL, NULL);
SELECT sync_create_stream('foresee', 'target', '{id}', 'SELECT * FROM source', max_rejects => 100);
SELECT rows_read, inserted, rejected FROM sync_run('foresee', dry_run => true);
SELECT is_called FROM target_n_seq;
SELECT dry_and_real('foresee');
SELECT id, a, b, g, twice FROM target ORDER BY 1;
-- of rows that change, with what they keep
UPDATE target SET low = 6 WHERE id = 1;
UPDATE source SET a = CASE id WHEN 1 THEN 6 ELSE a + 1 END;
SELECT dry_and_real('foresee');
SELECT id, a, low FROM target ORDER BY 1;
-- where none may be put aside, both fail by the same
UPDATE sync_streams SET max_rejects = 0 WHERE stream_name = 'foresee';
DELETE FROM source WHERE id = 5;
SELECT sync_run('foresee', dry_run => true);
SELECT sync_run('foresee');
BEGIN READ ONLY;
SELECT sync_run('foresee', dry_run => true);
ROLLBACK;

-- unique indexes besides the key's: of several columns, of an expression, partial, with a collation, NULLs, deferred
CREATE TABLE uniques (id int PRIMARY KEY, a int, b int, email text, active boolean, late int, same int,
	UNIQUE (a, b), UNIQUE (late) DEFERRABLE INITIALLY DEFERRED, CONSTRAINT same UNIQUE NULLS NOT DISTINCT (same, id));
CREATE UNIQUE INDEX by_email ON uniques (lower(email)) WHERE active;
INSERT INTO uniques SELECT n, n, n, 'user' || n || '@x', true, n FROM generate_series(1, 10) AS n;
CREATE TABLE many AS TABLE uniques;
INSERT INTO many VALUES
	(20, 1, 1, 'new@x', true, 20), (21, 1, NULL, 'USER2@x', false, 21), (22, 2, NULL, 'User3@X', true, 22), (23, 50, 50, 'new23@x', true, 23),
	(24, 50, 50, 'new24@x', true, 24), (25, 50, 51, 'new24@x', true, 25), (26, 60, 60, 'NEW24@x', true, 26), (27, 61, 61, 'new27@x', true, 1),
	(28, 62, 62, 'new27@x', true, 28), (29, 62, 62, 'new29@x', true, 28), (30, 62, 62, NULL, true, NULL);
SELECT sync_create_stream('foresee uniques', 'uniques', '{id}', 'SELECT * FROM many', mode => 'mirror', max_rejects => 100, max_delete_share => 1);
SELECT dry_and_real('foresee uniques');
SELECT id FROM uniques WHERE id > 10 ORDER BY 1;
-- what is deleted or changed is in nobody's way
DELETE FROM many WHERE id IN (1, 2) OR id > 10;
UPDATE many SET a = 100, email = 'moved@x' WHERE id = 3;
INSERT INTO many VALUES (40, 1, 1, 'user1@x', true, 40), (41, 3, 3, 'USER3@x', true, 41), (42, 100, 3, 'moved@x', true, 42), (43, 4, 4, 'other@x', true, 43);
SELECT dry_and_real('foresee uniques');

-- a row that is not changed keeps what it has, and what others are to give up is theirs until then
CREATE TABLE seats (id int PRIMARY KEY, seat int UNIQUE, row int CHECK (row < 10), number int UNIQUE DEFERRABLE);
INSERT INTO seats SELECT n, n, n, n FROM generate_series(1, 6) AS n;
CREATE TABLE wishes (id int, seat int, row int, number int);
INSERT INTO wishes VALUES (1, 10, 10, 1), (2, 2, 2, 2), (3, 4, 3, 3), (4, 5, 4, 4), (5, 6, 5, 5), (6, 7, 6, 6), (7, 1, 7, 7), (8, 6, 8, 8);
SELECT sync_create_stream('foresee seats', 'seats', '{id}', 'SELECT * FROM wishes', max_rejects => 100);
SELECT dry_and_real('foresee seats');
-- a constraint that is checked at the end of a statement lets rows exchange values
DELETE FROM wishes;
INSERT INTO wishes VALUES (1, 1, 1, 2), (2, 2, 2, 1);
SELECT dry_and_real('foresee seats');

-- foreign keys, to another table and to the same
CREATE TABLE parent (id int, region text, PRIMARY KEY (id, region));
INSERT INTO parent VALUES (1, 'n'), (2, 's');
CREATE TABLE child (id int PRIMARY KEY, parent int, region text, boss int REFERENCES child, CONSTRAINT known FOREIGN KEY (parent, region) REFERENCES parent);
CREATE TABLE children (id int, parent int, region text, boss int);
INSERT INTO children VALUES (1, 1, 'n', NULL), (2, 1, 's', NULL), (3, NULL, 'x', 1), (4, 2, 's', 5), (5, 2, 's', NULL), (6, 2, NULL, 99);
SELECT sync_create_stream('foresee child', 'child', '{id}', 'SELECT * FROM children', max_rejects => 100);
SELECT dry_and_real('foresee child');
UPDATE children SET parent = 9 WHERE id IN (1, 3);
UPDATE children SET boss = 1 WHERE id = 5;
SELECT dry_and_real('foresee child');
-- and a table that the caller may not look at, or not all of: then it is not foreseen
CREATE ROLE foresee_user;
GRANT USAGE ON SCHEMA foresee TO foresee_user;
GRANT ALL ON child, children TO foresee_user;
GRANT EXECUTE ON FUNCTION sync_run TO foresee_user;
UPDATE children SET parent = 9 WHERE id = 5;
SET ROLE foresee_user;
SELECT updated, rejected FROM sync_run('foresee child', dry_run => true);
RESET ROLE;
SELECT updated, rejected FROM sync_run('foresee child', dry_run => true);

-- partitions: of none, and of the one that is the target
CREATE TABLE part (id int, region text CHECK (region <> 'x'), v int, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
CREATE TABLE part_n PARTITION OF part FOR VALUES IN ('n');
CREATE TABLE parts AS SELECT n AS id, (ARRAY['n', 's', 'x'])[1 + n % 3] AS region, n AS v FROM generate_series(1, 9) AS n;
SELECT sync_create_stream('foresee part', 'part', '{id,region}', 'SELECT * FROM parts', max_rejects => 100);
SELECT dry_and_real('foresee part');
SELECT sync_create_stream('foresee slice', 'part_n', '{id,region}', 'SELECT id + 100 AS id, region, v FROM parts', max_rejects => 100);
SELECT dry_and_real('foresee slice');

-- what a trigger makes of a row is not known before, and nothing is foreseen of it
CREATE TABLE mended (id int PRIMARY KEY, v text NOT NULL CHECK (v <> ''));
CREATE FUNCTION mend() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.v := coalesce(nullif(NEW.v, ''), 'mended'); RETURN NEW; END $$;
CREATE TRIGGER mend BEFORE INSERT OR UPDATE ON mended FOR EACH ROW EXECUTE FUNCTION mend();
CREATE TABLE broken AS SELECT n AS id, NULLIF('', CASE n WHEN 2 THEN '' ELSE 'x' END) AS v FROM generate_series(1, 3) AS n;
SELECT sync_create_stream('foresee mended', 'mended', '{id}', 'SELECT * FROM broken', max_rejects => 100);
SELECT dry_and_real('foresee mended');

-- all added, with no key; and many rows
CREATE TABLE log (id int UNIQUE, v int CHECK (v % 100 <> 0));
INSERT INTO log VALUES (5, 5);
SELECT sync_create_stream('foresee log', 'log', query => 'SELECT n % 4990 AS id, n AS v FROM generate_series(1, 5000) AS n', mode => 'append', max_rejects => 1000);
SELECT dry_and_real('foresee log');

SELECT sync_drop_stream(stream_name) FROM sync_streams WHERE stream_name LIKE 'foresee%';
SET client_min_messages = warning;
DROP SCHEMA foresee CASCADE;
DROP OWNED BY foresee_user;
DROP ROLE foresee_user;
