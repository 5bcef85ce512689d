-- new rows are written as COPY does where that is the same as an INSERT, as is to be seen beside one
\pset format unaligned
\pset tuples_only
CREATE SCHEMA load;
SET search_path = load, public;

-- two tables with all that may happen to a row; a trigger that does nothing makes the second one's rows go by INSERT
CREATE TABLE parent (id int PRIMARY KEY);
INSERT INTO parent SELECT generate_series(1, 50);
CREATE DOMAIN short AS text CHECK (length(VALUE) < 10000);
CREATE TABLE fired (relation text, id int);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO fired VALUES (TG_RELID::regclass, NEW.id);
	IF NEW.base = 666 THEN
		RAISE 'no row of that number';
	END IF;
	RETURN NULL;
END $$;
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TABLE "By COPY" (gone int, id int, base int NOT NULL CHECK (base < 1000), twice int GENERATED ALWAYS AS (base * 2) STORED CHECK (twice <> 26),
	ref int CONSTRAINT known REFERENCES parent DEFERRABLE, long short, u int, span int4range, word text DEFAULT 'default',
	at timestamptz DEFAULT now(), number serial, identity int GENERATED ALWAYS AS IDENTITY, seen date,
	CONSTRAINT key PRIMARY KEY (id), CONSTRAINT late UNIQUE (u) DEFERRABLE INITIALLY DEFERRED, CONSTRAINT apart EXCLUDE USING gist (span WITH &&));
ALTER TABLE "By COPY" DROP COLUMN gone;
CREATE INDEX lower ON "By COPY" (lower(word), (base % 10)) WHERE base > 5;
CREATE TABLE "By INSERT" (LIKE "By COPY" INCLUDING ALL, CONSTRAINT known FOREIGN KEY (ref) REFERENCES parent DEFERRABLE);
CREATE SEQUENCE own;
ALTER TABLE "By INSERT" ALTER number SET DEFAULT nextval('own');
CREATE TRIGGER note AFTER INSERT ON "By COPY" FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER note AFTER INSERT ON "By INSERT" FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER nothing BEFORE INSERT ON "By INSERT" EXECUTE FUNCTION nothing();
\d "By INSERT"

CREATE VIEW source AS
	SELECT n AS id, CASE WHEN n % 500 = 1 THEN NULL WHEN n = 300 THEN 1000 WHEN n = 301 THEN 13 WHEN n = 302 THEN 666 ELSE n % 12 END AS base,
		CASE WHEN n % 400 = 2 THEN 99 WHEN n % 7 = 0 THEN NULL ELSE 1 + n % 50 END AS ref,
		repeat('x', CASE n WHEN 303 THEN 20000 WHEN 304 THEN 9000 ELSE 3 END) AS long,
		CASE WHEN n % 3 = 0 THEN NULL ELSE n END AS u,
		int4range(n * 2, n * 2 + CASE n WHEN 307 THEN 3 ELSE 2 END) AS span
	FROM generate_series(1, 2500) AS n;
SELECT sync_create_stream(name, quote_ident(name), '{id}', 'SELECT * FROM source', synced_at => 'seen', max_rejects => 100)
	FROM unnest('{"By COPY","By INSERT"}'::text[]) AS name;
SELECT rows_read, inserted, rejected FROM sync_run('By COPY');
SELECT rows_read, inserted, rejected FROM sync_run('By INSERT');

-- the same rows, the same rejects, the same triggers
SELECT count(*), sum(twice), count(ref), sum(length(long)), count(u), min(word), count(at), max(seen) = current_date FROM "By COPY";
CREATE VIEW both_sides AS
	SELECT tableoid::regclass::text AS relation, to_jsonb("By COPY") - '{at,number,identity}'::text[] AS row FROM "By COPY" UNION ALL
	SELECT tableoid::regclass::text, to_jsonb("By INSERT") - '{at,number,identity}'::text[] FROM "By INSERT";
SELECT row, array_agg(relation) FROM both_sides GROUP BY 1 HAVING count(*) <> 2;
SELECT count(DISTINCT number), count(DISTINCT identity) FROM "By COPY";
SELECT r.error_sqlstate, column_name, replace(r.error_message, 'By INSERT', 'By COPY'), count(DISTINCT subject), array_agg(DISTINCT row_number)
	FROM sync_rejects AS r JOIN sync_history USING (history_id) WHERE subject LIKE 'By %' GROUP BY 1, 2, 3 ORDER BY 5;
SELECT id, array_agg(relation) FROM fired GROUP BY 1 HAVING count(DISTINCT relation) <> 2;
SET enable_seqscan = off;
SELECT count(*) FROM "By COPY" WHERE lower(word) = 'default' AND base % 10 = 7 AND base > 5;
RESET enable_seqscan;

-- a partition that is the target itself
CREATE TABLE whole (id int PRIMARY KEY, v int) PARTITION BY RANGE (id);
CREATE TABLE slice PARTITION OF whole FOR VALUES FROM (1) TO (100);
SELECT inserted, rejected FROM sync_upsert('slice', 'SELECT n AS id, n AS v FROM generate_series(98, 101) AS n', '{id}', max_rejects => 5);
SELECT sync_upsert('slice', 'SELECT 100 AS id', '{id}');

-- a default that reads the table sees the rows before
CREATE TABLE reads (id int PRIMARY KEY, before bigint);
CREATE FUNCTION rows_before() RETURNS bigint LANGUAGE sql VOLATILE AS 'SELECT count(*) FROM load.reads';
ALTER TABLE reads ALTER before SET DEFAULT rows_before();
SELECT inserted FROM sync_upsert('reads', 'SELECT generate_series(1, 3) AS id', '{id}');
SELECT * FROM reads ORDER BY id;

-- a column that is left out may be of a domain that needs a value
CREATE DOMAIN needed AS int CHECK (VALUE IS NOT NULL);
CREATE TABLE domains (id int PRIMARY KEY, v needed);
SELECT sync_upsert('domains', 'SELECT 1 AS id', '{id}');

-- rules, policies, and statement triggers that see what is new
CREATE TABLE ruled (id int PRIMARY KEY);
CREATE RULE elsewhere AS ON INSERT TO ruled DO ALSO INSERT INTO fired VALUES ('ruled', NEW.id);
SELECT sync_upsert('ruled', 'SELECT 1 AS id', '{id}') IS NOT NULL;
CREATE TABLE counted (id int PRIMARY KEY);
CREATE FUNCTION count_new() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO fired SELECT 'counted', count(*) FROM new;
	RETURN NULL;
END $$;
CREATE TRIGGER count_new AFTER INSERT ON counted REFERENCING NEW TABLE AS new EXECUTE FUNCTION count_new();
SELECT inserted FROM sync_upsert('counted', 'SELECT generate_series(1, 3) AS id', '{id}');
SELECT * FROM fired WHERE relation IN ('ruled', 'counted') ORDER BY 1;
CREATE TABLE own_rows (id int PRIMARY KEY, owner name DEFAULT current_user);
ALTER TABLE own_rows ENABLE ROW LEVEL SECURITY;
CREATE POLICY small ON own_rows USING (true) WITH CHECK (id < 3);
CREATE ROLE load_user;
GRANT USAGE ON SCHEMA load TO load_user;
GRANT EXECUTE ON FUNCTION sync_upsert TO load_user;
GRANT ALL ON own_rows TO load_user;
CREATE TABLE columns_only (id int PRIMARY KEY, v int, secret int DEFAULT 7);
GRANT SELECT (id, v), INSERT (id, v), UPDATE (v) ON columns_only TO load_user;
SET ROLE load_user;
SELECT inserted FROM sync_upsert('own_rows', 'SELECT generate_series(1, 2) AS id', '{id}');
SELECT sync_upsert('own_rows', 'SELECT 3 AS id', '{id}');
SELECT inserted FROM sync_upsert('columns_only', 'SELECT 1 AS id, 2 AS v', '{id}');
SELECT sync_upsert('columns_only', 'SELECT 2 AS id, 2 AS v, 3 AS secret', '{id}');
RESET ROLE;
TABLE own_rows;
TABLE columns_only;

-- nothing of it is left behind a row that fails, nor behind a subtransaction
BEGIN;
SAVEPOINT before;
SELECT inserted FROM sync_upsert('reads', 'SELECT generate_series(10, 12) AS id, 0::bigint AS before', '{id}');
ROLLBACK TO before;
SELECT count(*) FROM reads;
ROLLBACK;
CREATE VIEW more AS SELECT 9000 + n AS id, 1 AS base, CASE n WHEN 1500 THEN 99 ELSE 1 END AS ref, '' AS long FROM generate_series(1, 2000) AS n;
SELECT sync_upsert('"By COPY"', 'TABLE more', '{id}');
SELECT sync_upsert('"By INSERT"', 'TABLE more', '{id}');
SELECT count(*) FROM both_sides WHERE (row ->> 'id')::int > 9000;

SET client_min_messages = warning;
DROP SCHEMA load CASCADE;
DROP OWNED BY load_user;
DROP ROLE load_user;
SELECT sync_drop_stream(name) FROM unnest('{"By COPY","By INSERT"}'::text[]) AS name;
