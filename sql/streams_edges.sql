-- streams at the edges: what a hostile or an unlucky user meets
CREATE SCHEMA edges;
SET search_path = edges, public;
CREATE FUNCTION upsert(target text, query text, key text[], max_rejects bigint DEFAULT 0) RETURNS text LANGUAGE sql AS $$
	SELECT format('read %s, inserted %s, updated %s, unchanged %s, deleted %s, rejected %s',
		rows_read, inserted, updated, unchanged, deleted, rejected)
	FROM sync_upsert(target, query, key, max_rejects => max_rejects);
$$;

-- rows of tables that inherit from the target are not the target's
CREATE TABLE parent (id int PRIMARY KEY, v text);
CREATE TABLE child () INHERITS (parent);
INSERT INTO parent VALUES (1, 'a'), (2, 'b'), (3, 'c');
INSERT INTO child VALUES (1, 'child'), (4, 'child');
SELECT sync_create_stream('edge', 'parent', '{id}', 'SELECT id, upper(v) AS v FROM ONLY parent', mode => 'mirror');
SELECT inserted, updated, unchanged, deleted FROM sync_run('edge');
SELECT inserted, updated, unchanged, deleted FROM sync_run('edge');
SELECT tableoid::regclass AS owner, id, v FROM parent ORDER BY id, v;
SELECT sync_drop_stream('edge');

-- keys that differ and are one by a collation, of the column or of the index
CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE cased (k text COLLATE any_case PRIMARY KEY, v int);
INSERT INTO cased VALUES ('A', 1), ('c', 1);
SELECT complaint($$SELECT upsert('cased', 'SELECT ''a'' AS k, 1 AS v UNION ALL SELECT ''A'', 2', '{k}')$$);
SELECT sync_create_stream('edge', 'cased', '{k}', $$SELECT * FROM (VALUES ('C', 2), ('b', 1), ('a', 1)) AS s (k, v)$$, mode => 'mirror');
SELECT inserted, updated, unchanged, deleted FROM sync_run('edge');
SELECT inserted, updated, unchanged, deleted FROM sync_run('edge');
SELECT * FROM cased ORDER BY k;
SELECT sync_drop_stream('edge');
CREATE TABLE bytes (k text COLLATE any_case, v int);
CREATE UNIQUE INDEX ON bytes (k COLLATE "C");
SELECT complaint($$SELECT upsert('bytes', 'SELECT ''a'' AS k', '{k}')$$);
CREATE TABLE plain (k text, v text COLLATE any_case);
CREATE UNIQUE INDEX ON plain (k COLLATE any_case);
SELECT complaint($$SELECT upsert('plain', 'SELECT ''a'' AS k', '{k}')$$);
CREATE UNIQUE INDEX ON plain (k);
-- in a column that is no key, what looks different is different
DROP INDEX plain_k_idx;
SELECT upsert('plain', $$SELECT 'a' AS k, 'x' AS v UNION ALL SELECT 'A', 'x'$$, '{k}');
SELECT upsert('plain', $$SELECT 'a' AS k, 'X' AS v UNION ALL SELECT 'A', 'x'$$, '{k}');
SELECT * FROM plain ORDER BY k COLLATE "C";

-- keys of all kinds
CREATE TYPE size AS ENUM ('small', 'large', 'medium');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN word AS varchar(10) CHECK (VALUE <> 'bad');
CREATE TABLE kinds (e size, c pair, b char(5), d word, a text[], r int4range, n numeric, f float8, t timestamptz, v int,
	PRIMARY KEY (e, c, b, d, a, r, n, f, t));
CREATE VIEW all_kinds AS
SELECT e, ROW(x, 'T' || x)::pair AS c, ('b' || x)::char(5) AS b, ('d' || x)::word AS d, ARRAY['x', x::text, NULL] AS a,
	int4range(x, NULL) AS r, n, f, t, x AS v
FROM unnest(enum_range(NULL::size)) AS e, generate_series(9, 11) AS x, unnest('{NaN, Infinity, 0.0, -1}'::numeric[]) AS n,
	unnest('{NaN, -Infinity, 0}'::float8[]) AS f, unnest('{infinity, -infinity, epoch}'::timestamptz[]) AS t;
SELECT upsert('kinds', 'SELECT * FROM all_kinds', '{e,c,b,d,a,r,n,f,t}');
SELECT upsert('kinds', 'SELECT * FROM all_kinds', '{e,c,b,d,a,r,n,f,t}');
SELECT upsert('kinds', 'SELECT e, c, b::text, d::text, a, r, n, f, t, v + 1 AS v FROM all_kinds', '{e,c,b,d,a,r,n,f,t}');

-- rows that refer to others of their table: all at once, also those that change
CREATE TABLE staff (id int PRIMARY KEY, boss int REFERENCES staff, pay int CHECK (pay > 0));
INSERT INTO staff VALUES (1, NULL, 1), (2, 1, 1), (3, 2, 1);
SELECT sync_create_stream('edge', 'staff', '{id}',
	'SELECT * FROM (VALUES (1, NULL, 1), (3, 9, 1), (9, 1, 1)) AS s (id, boss, pay)', mode => 'mirror');
SELECT inserted, updated, unchanged, deleted FROM sync_run('edge');
SELECT * FROM staff ORDER BY id;
SELECT sync_drop_stream('edge');
-- though a unique value may pass from one to another where they do not need that
ALTER TABLE staff ADD desk int UNIQUE;
UPDATE staff SET desk = id;
SELECT sync_create_stream('edge', 'staff', '{id}',
	'SELECT * FROM (VALUES (1, NULL, 1, 1), (9, 1, 1, 9), (10, 9, 1, 3)) AS s (id, boss, pay, desk)', mode => 'mirror');
SELECT inserted, updated, unchanged, deleted FROM sync_run('edge');
SELECT sync_drop_stream('edge');
-- and where some are put aside, no others than these and those that need them
TRUNCATE staff;
SELECT upsert('staff', $$
	SELECT i AS id, CASE WHEN i < 3000 THEN i + 1 END AS boss, CASE WHEN i = 5 THEN 0 ELSE 1 END AS pay
	FROM generate_series(1, 3000) AS i$$, '{id}', 5);
SELECT count(*), min(id) FROM staff;
SELECT row_number, error_sqlstate FROM sync_rejects ORDER BY reject_id DESC LIMIT 5;

-- columns that cannot be written are refused before a run, by name
CREATE TABLE counted (code text PRIMARY KEY, id int GENERATED ALWAYS AS IDENTITY, name text);
SELECT complaint($$SELECT sync_create_stream('edge', 'counted', '{code}', 'SELECT ''a'' AS code, 1 AS id')$$);
SELECT upsert('counted', $$SELECT 'a' AS code, 'x' AS name$$, '{code}');
SELECT upsert('counted', $$SELECT 'a' AS code, 'y' AS name$$, '{code}');
CREATE UNIQUE INDEX ON counted (id);
SELECT upsert('counted', $$SELECT 7 AS id, 'b' AS code, 'y' AS name$$, '{id}');
SELECT upsert('counted', $$SELECT 7 AS id, 'b' AS code, 'z' AS name$$, '{id}');
CREATE TABLE derived (n text, k text GENERATED ALWAYS AS (lower(n)) STORED UNIQUE);
SELECT complaint($$SELECT sync_create_stream('edge', 'derived', '{k}', 'SELECT ''a'' AS k')$$);
SELECT complaint($$SELECT sync_create_stream('edge', 'derived', NULL, 'SELECT', mode => 'append')$$);
SELECT complaint($$SELECT sync_create_stream('edge', 'derived', NULL, 'SELECT 1 AS k', mode => 'append')$$);
CREATE TABLE times (id int PRIMARY KEY, at timestamptz);
SELECT complaint($$SELECT sync_create_stream('edge', 'times', '{id}', 'SELECT 1 AS id', mode => 'soft_delete', synced_at => 'at', deleted_at => 'at')$$);
CREATE TEMP TABLE passing (id int PRIMARY KEY);
SELECT complaint($$SELECT sync_create_stream('edge', 'passing', '{id}', 'SELECT 1 AS id')$$);
SELECT upsert('passing', 'SELECT 1 AS id', '{id}');

-- a diff that is cut short says nothing of how many rows would go
CREATE TABLE few (id int PRIMARY KEY);
INSERT INTO few SELECT generate_series(1, 10);
SELECT sync_create_stream('edge', 'few', '{id}', 'SELECT generate_series(3, 10) AS id', mode => 'mirror');
SELECT action, key FROM sync_diff('edge', 1);
SELECT action, key FROM sync_diff('edge', 0);
SELECT action, key FROM sync_diff('edge', 2);
SELECT sync_drop_stream('edge');

-- keys that become one by rounding: which of them is the last is said by order_by
CREATE TABLE rounded (k numeric(9,0), t timestamptz(0), v text, PRIMARY KEY (k, t));
SELECT sync_create_stream('edge', 'rounded', '{k, t}', $$
	SELECT * FROM (VALUES (1.1, '2026-01-01 10:00:00.2'::timestamptz, 'new', 2), (1.2, '2026-01-01 10:00:00.1', 'old', 1)) AS r (k, t, v, changed)$$,
	duplicates => 'last', order_by => '{changed}');
SELECT inserted FROM sync_run('edge');
SELECT k, v FROM rounded;
SELECT inserted, unchanged FROM sync_run('edge');
SELECT sync_drop_stream('edge');

-- no one can keep a run waiting who may not write into its target
CREATE ROLE edge_reader;
CREATE ROLE edge_writer;
GRANT USAGE ON SCHEMA edges TO edge_reader, edge_writer;
GRANT EXECUTE ON FUNCTION sync_upsert TO edge_reader, edge_writer;
GRANT SELECT ON times TO edge_reader, edge_writer;
GRANT INSERT (id) ON times TO edge_writer;
SET ROLE edge_reader;
SELECT complaint($$SELECT upsert('few', 'SELECT 1 AS nothing', '{id}')$$);
SELECT complaint($$SELECT upsert('times', 'SELECT 1 AS id FROM pg_sleep(1000)', '{id}')$$);
SELECT inserted FROM sync_upsert('times', 'SELECT 1 AS id', '{id}', dry_run => true);
SET ROLE edge_writer;
SELECT upsert('times', 'SELECT 1 AS id', '{id}');
RESET ROLE;
BEGIN;
SELECT upsert('times', 'SELECT 2 AS id', '{id}');
SELECT classid::regclass AS kind, objid::regclass AS object, mode FROM pg_locks
WHERE pid = pg_backend_pid() AND locktype IN ('object', 'advisory') AND objid = 'times'::regclass;
ROLLBACK;

-- what a subtransaction takes back can be done again
BEGIN;
SAVEPOINT one;
SELECT upsert('few', 'SELECT 11 AS id', '{id}');
ROLLBACK TO one;
SELECT upsert('few', 'SELECT 11 AS id', '{id}');
COMMIT;
DO $$
BEGIN
	FOR i IN 1..20 LOOP
		BEGIN
			PERFORM sync_upsert('few', 'SELECT 10000 / (5000 - i) AS id FROM generate_series(1, 6000) AS i', '{id}', true,
				duplicates => 'reject', max_rejects => 10000);
		EXCEPTION WHEN division_by_zero THEN
			CONTINUE;
		END;
		RAISE 'no error';
	END LOOP;
END $$;
SELECT count(*) FROM few;

\set QUIET
SET client_min_messages = warning;
DROP SCHEMA edges CASCADE;
REVOKE EXECUTE ON FUNCTION sync_upsert FROM edge_reader, edge_writer;
DROP ROLE edge_reader, edge_writer;
