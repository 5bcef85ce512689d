-- what targets may be like
\pset format unaligned
\pset tuples_only
CREATE SCHEMA target;
SET search_path = target, public;

-- quoted names and a key of several columns, one of them text, in another order than the table's
CREATE SCHEMA "Own ""Place""";
CREATE TABLE "Own ""Place"""."Sync row" ("Name ""x""" text, "order" int, "sync_ext row?" text, PRIMARY KEY ("order", "Name ""x"""));
CREATE TABLE given ("order" int, name text, value text);
INSERT INTO given VALUES (1, 'b', '1'), (2, 'a', '2'), (1, 'B', '3'), (1, 'ä', '4'), (1, 'a', '5');
SELECT sync_create_stream('Quoted "stream"', '"Own ""Place"""."Sync row"', '{"Name \"x\"","order"}',
	'SELECT "order", name AS "Name ""x""", value AS "sync_ext row?" FROM given', mode => 'mirror');
SELECT inserted FROM sync_run('Quoted "stream"');
UPDATE given SET value = 'changed' WHERE name = 'a' AND "order" = 1;
DELETE FROM given WHERE name = 'ä';
INSERT INTO given VALUES (3, '', '');
SELECT * FROM sync_diff('Quoted "stream"');
SELECT inserted, updated, unchanged, deleted FROM sync_run('Quoted "stream"');
SELECT * FROM "Own ""Place"""."Sync row" ORDER BY "Name ""x""" COLLATE "C", "order";

-- generated, identity and defaulted columns
CREATE TABLE made (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, base int, twice int GENERATED ALWAYS AS (base * 2) STORED,
	n serial, word text DEFAULT 'default', gone int);
ALTER TABLE made DROP COLUMN gone;
SELECT inserted FROM sync_upsert('made', 'SELECT id, id * 10 AS base, 0 AS twice FROM generate_series(1, 2) AS id', '{id}');
SELECT updated FROM sync_upsert('made', 'SELECT 1 AS id, 7 AS base', '{id}');
SELECT * FROM made ORDER BY id;
SELECT last_value, is_called FROM made_n_seq;

-- a key and nothing else
CREATE TABLE only_key (id int PRIMARY KEY);
SELECT inserted FROM sync_upsert('only_key', 'SELECT generate_series(1, 3) AS id', '{id}');
SELECT inserted, unchanged FROM sync_upsert('only_key', 'SELECT generate_series(2, 4) AS id', '{id}');

-- rows of the target without a value in the key are no one's
CREATE TABLE loose (id int UNIQUE, v text);
INSERT INTO loose VALUES (NULL, 'a'), (NULL, 'b'), (1, 'c');
SELECT sync_create_stream('nulls', 'loose', '{id}', 'SELECT 1 AS id, ''c'' AS v', mode => 'mirror');
SELECT unchanged, deleted FROM sync_run('nulls');
SELECT * FROM loose ORDER BY 2;

-- partitions
CREATE TABLE part (id int, region text, v int, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
CREATE TABLE part_n PARTITION OF part FOR VALUES IN ('north');
CREATE TABLE part_s (v int, region text NOT NULL, id int NOT NULL);
ALTER TABLE part ATTACH PARTITION part_s FOR VALUES IN ('south');
CREATE TABLE regions AS SELECT n AS id, (ARRAY['north', 'south'])[1 + n % 2] AS region, n AS v FROM generate_series(1, 6) AS n;
SELECT sync_create_stream('part', 'part', '{id,region}', 'SELECT * FROM regions', mode => 'mirror');
SELECT inserted FROM sync_run('part');
UPDATE regions SET v = 0 WHERE id IN (1, 2);
DELETE FROM regions WHERE id = 3;
UPDATE regions SET region = 'north' WHERE id = 5;
SELECT inserted, updated, unchanged, deleted FROM sync_run('part');
SELECT tableoid::regclass, id, region, v FROM part ORDER BY id;

-- triggers fire, and may change or suppress rows: what was written is counted
CREATE TABLE triggered (id int PRIMARY KEY, v text);
CREATE TABLE fired (what text);
CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO fired VALUES (TG_OP || ' ' || TG_LEVEL);
	IF TG_LEVEL = 'ROW' AND TG_OP <> 'DELETE' THEN
		IF NEW.v = 'none' THEN RETURN NULL; END IF;
		NEW.v := upper(NEW.v);
	END IF;
	RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER fire BEFORE INSERT OR UPDATE OR DELETE ON triggered FOR EACH ROW EXECUTE FUNCTION fire();
CREATE TRIGGER fire_all AFTER INSERT OR UPDATE OR DELETE ON triggered FOR EACH STATEMENT EXECUTE FUNCTION fire();
CREATE TABLE words AS SELECT n AS id, 'word ' || n AS v FROM generate_series(1, 3) AS n;
INSERT INTO words VALUES (4, 'none');
SELECT sync_create_stream('triggered', 'triggered', '{id}', 'SELECT * FROM words', mode => 'mirror');
SELECT rows_read, inserted FROM sync_run('triggered', true);
SELECT rows_read, inserted FROM sync_run('triggered');
SELECT * FROM triggered ORDER BY id;
DELETE FROM words WHERE id = 3;
UPDATE words SET v = upper(v);
SELECT inserted, updated, unchanged, deleted FROM sync_run('triggered');
SELECT what, count(*) FROM fired GROUP BY 1 ORDER BY 1;

-- foreign keys, to itself too, and a unique value that moves from one row to another
CREATE TABLE tree (id int PRIMARY KEY, parent int REFERENCES tree, slot text UNIQUE);
CREATE TABLE trees AS SELECT * FROM (VALUES (1, 9, 'a'), (9, NULL, 'b'), (5, 1, 'c')) AS v (id, parent, slot);
SELECT sync_create_stream('tree', 'tree', '{id}', 'SELECT * FROM trees', mode => 'mirror');
SELECT inserted FROM sync_run('tree');
DELETE FROM trees WHERE id = 5;
INSERT INTO trees VALUES (6, 9, 'c');
SELECT inserted, updated, deleted FROM sync_run('tree');
INSERT INTO trees VALUES (7, 8, 'd');
SELECT sync_run('tree');
DELETE FROM trees WHERE id = 7;
UPDATE trees SET slot = 'a' WHERE id = 9;
SELECT sync_run('tree');
SELECT * FROM tree ORDER BY id;
SELECT status, error_sqlstate FROM sync_history WHERE subject = 'tree' ORDER BY history_id;

-- row-level security: the caller sees and writes its own rows
CREATE ROLE sync_tenant;
CREATE TABLE owned (id int PRIMARY KEY, tenant name DEFAULT current_user, v text);
INSERT INTO owned VALUES (1, 'sync_tenant', 'old'), (2, 'other', 'old'), (3, 'sync_tenant', 'old');
ALTER TABLE owned ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON owned USING (tenant = current_user);
GRANT ALL ON owned TO sync_tenant;
GRANT USAGE ON SCHEMA target TO sync_tenant;
GRANT EXECUTE ON FUNCTION sync_upsert, sync_run, sync_create_stream TO sync_tenant;
SET ROLE sync_tenant;
SELECT sync_create_stream('owned', 'owned', '{id}', 'SELECT column1 AS id, column2 AS v FROM (VALUES (1, ''new''), (4, ''new'')) AS v', mode => 'mirror');
SELECT inserted, updated, deleted FROM sync_run('owned');
SELECT sync_upsert('owned', 'SELECT 2 AS id, ''stolen'' AS v', '{id}');
RESET ROLE;
SELECT * FROM owned ORDER BY id;
DROP OWNED BY sync_tenant;
DROP ROLE sync_tenant;

-- a source that reads the target
SELECT updated FROM sync_upsert('only_key', 'SELECT id + 1 AS id FROM only_key', '{id}');
SELECT count(*), max(id) FROM only_key;

-- a target that only this session sees
CREATE TEMP TABLE mine (id int PRIMARY KEY, v text);
SELECT inserted FROM sync_upsert('mine', 'SELECT 1 AS id, ''x'' AS v', '{id}');

-- few rows are looked up in a large target, which is not read whole
CREATE TABLE large (id int PRIMARY KEY, v text);
INSERT INTO large SELECT n, 'v' || n FROM generate_series(1, 20000) AS n;
ANALYZE large;
BEGIN;
SELECT seq_tup_read AS before FROM pg_stat_xact_user_tables WHERE relname = 'large' \gset
SELECT rows_read, inserted, updated, unchanged
FROM sync_upsert('large', $$SELECT * FROM (VALUES (9, 'v9'), (30000, 'new'), (7, 'changed'), (0, 'new')) AS v (id, v)$$, '{id}');
SELECT seq_tup_read - :before AS read FROM pg_stat_xact_user_tables WHERE relname = 'large';
SELECT * FROM large WHERE id IN (0, 7, 9, 30000) ORDER BY id;
COMMIT;
SELECT sync_create_stream('few', 'large', '{id}', 'SELECT n AS id, ''w'' || n AS v FROM generate_series(20001, 19999, -1) AS n');
SELECT * FROM sync_diff('few');
SELECT rows_read, inserted, updated, unchanged FROM sync_run('few', true);
CREATE FUNCTION many() RETURNS SETOF int ROWS 1 LANGUAGE sql AS 'SELECT generate_series(1, 20000)';
SELECT rows_read, inserted, updated, unchanged FROM sync_upsert('large', $$SELECT id, 'v' || id AS v FROM many() AS id$$, '{id}');
