-- when two values are the same, and how those of a query become those of a table
\pset format unaligned
\pset tuples_only
SET datestyle = ISO;
SET intervalstyle = postgres;
CREATE SCHEMA types;
SET search_path = types, public;

-- types without an equality, large values, arrays and composites
CREATE TYPE pair AS (a int, b text);
CREATE TABLE wide (id int PRIMARY KEY, j json, b jsonb, x xml, p point, a text[], c pair, n numeric, f float8, t text, r int4range, d date, i interval);
CREATE TABLE source (LIKE wide);
INSERT INTO source SELECT n, '{"a": 1}', '{"a": 1}', '<a/>', '(1,2)', '{x,NULL}', ROW(1, 'x')::pair, 1.10, 0.1, repeat('x', 3), '[1,3)', '2026-01-01', '1 day' FROM generate_series(1, 3) AS n;
INSERT INTO source (id, t) SELECT 4, string_agg(md5(n::text), '') FROM generate_series(1, 1000) AS n;
ALTER TABLE source ALTER t SET STORAGE EXTERNAL;
INSERT INTO source (id) VALUES (5);
SELECT sync_create_stream('wide', 'wide', '{id}', 'TABLE source');
SELECT inserted FROM sync_run('wide');
SELECT unchanged FROM sync_run('wide');
SELECT count(*) FROM source s JOIN wide w ON s.id = w.id AND s::text = w::text;

-- what looks the same is the same, and what does not is not
UPDATE source SET j = '{"a" : 1}' WHERE id = 1;
UPDATE source SET b = '{"a":   1}', n = 1.1, f = '-0', i = '24 hours' WHERE id = 2;
UPDATE source SET p = NULL, c = ROW(1, NULL), a = '[0:1]={x,NULL}' WHERE id = 3;
UPDATE source SET t = t || 'y' WHERE id = 4;
UPDATE source SET t = '' WHERE id = 5;
SELECT action, key, CASE WHEN key = '{"id": 4}' THEN '{}' ELSE before END, CASE WHEN key = '{"id": 4}' THEN '{}' ELSE after END FROM sync_diff('wide');
SET extra_float_digits = -10;
UPDATE source SET a = '{0}', p = '(0.1,0.30000000000000004)' WHERE id = 2;
SELECT updated, unchanged FROM sync_run('wide');
UPDATE source SET p = '(0.1,0.3)' WHERE id = 2;
SELECT updated, unchanged FROM sync_run('wide');
RESET extra_float_digits;
SELECT updated, unchanged FROM sync_run('wide');
SELECT count(*) FROM source s JOIN wide w ON s.id = w.id AND s::text = w::text;

-- values become those of the column as an assignment makes them
CREATE DOMAIN short AS varchar(3) CHECK (VALUE <> 'bad');
CREATE TABLE narrow (k varchar(5) PRIMARY KEY, c char(4), n numeric(4,1), b int2, s short, ts timestamp(0), l varchar(2)[]);
SELECT inserted FROM sync_upsert('narrow', $$SELECT 'a' AS k, 'b' AS c, 12.36 AS n, '7' AS b, 'abc' AS s,
	timestamp '2026-01-01 00:00:00.7' AS ts, '{x,yz}'::text[] AS l$$, '{k}');
SELECT unchanged FROM sync_upsert('narrow', $$SELECT 'a' AS k, 'b   ' AS c, 12.4 AS n, 7::bigint AS b, 'abc' AS s,
	timestamp '2026-01-01 00:00:01' AS ts, '{x,yz}'::text[] AS l$$, '{k}');
SELECT * FROM narrow;
SELECT sync_upsert('narrow', $$SELECT 'longer' AS k$$, '{k}');
SELECT sync_upsert('narrow', $$SELECT 'a' AS k, 'abcd' AS s$$, '{k}');
SELECT sync_upsert('narrow', $$SELECT 'a' AS k, 'bad' AS s$$, '{k}');
SELECT sync_upsert('narrow', $$SELECT 'a' AS k, 40000 AS b$$, '{k}');
SELECT sync_upsert('narrow', $$SELECT 'a' AS k, 'x' AS b$$, '{k}');
SELECT sync_upsert('narrow', $$SELECT 'a' AS k, '{abc}'::text[] AS l$$, '{k}');
SELECT sync_upsert('narrow', $$SELECT 'a' AS k, now() AS n$$, '{k}');

-- keys of many types, in an order that is the same everywhere
CREATE TYPE mood AS ENUM ('sad', 'happy', 'angry');
CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE PROCEDURE key_of(type text, key_values text) LANGUAGE plpgsql AS $$
DECLARE
	first bigint;
	again bigint;
BEGIN
	EXECUTE format('CREATE TABLE keyed (k %s PRIMARY KEY, v int)', type);
	EXECUTE format('CREATE TABLE given AS SELECT k::%s, 1 AS v FROM unnest(%L::text[]) AS k', type, key_values);
	SELECT inserted INTO first FROM sync_upsert('keyed', 'TABLE given', '{k}');
	SELECT unchanged INTO again FROM sync_upsert('keyed', 'TABLE given', '{k}');
	RAISE NOTICE '%: % inserted, % unchanged', type, first, again;
	DROP TABLE keyed, given;
END $$;
CALL key_of('int8', '{3,-1,2,9000000000}');
CALL key_of('text', '{b,a,B,A,"",é,"a b",_}');
CALL key_of('varchar(9)', '{b,a,B}');
CALL key_of('char(3)', '{b,a,"a "}');
CALL key_of('char(3)', '{b,a,B}');
CALL key_of('uuid', '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11,00000000-0000-0000-0000-000000000000}');
CALL key_of('timestamptz', '{2026-01-01,infinity,-infinity,1999-12-31 23:59:59.999999}');
CALL key_of('numeric', '{1.5,NaN,-1,0,Infinity}');
CALL key_of('float8', '{1.5,NaN,-1,0}');
CALL key_of('bytea', '{\\xff,\\x00,\\x}');
CALL key_of('mood', '{happy,sad,angry}');
CALL key_of('text[]', '{"{b}","{a,c}","{}"}');
CALL key_of('jsonb', '{"{\"a\": 1}","[1]","null"}');
CALL key_of('inet', '{10.0.0.1,::1,10.0.0.0/8}');
CALL key_of('bool', '{t,f}');
CALL key_of('int4range', '{"[1,5)","empty"}');
CALL key_of('short', '{x,abc}');
CALL key_of('pair', '{"(1,b)","(1,a)"}');
CREATE TABLE no_order (p point);
SELECT sync_create_stream('no_order', 'no_order', '{p}', 'SELECT point(1,1) AS p');

-- keys that are equal and look different
CREATE TABLE loose (k numeric PRIMARY KEY, v int);
INSERT INTO loose VALUES (1.0, 1);
SELECT inserted, updated FROM sync_upsert('loose', 'SELECT 1.00 AS k, 2 AS v', '{k}');
SELECT * FROM loose;
CREATE TABLE cased (k text COLLATE nocase PRIMARY KEY, v int);
INSERT INTO cased VALUES ('One', 1);
SELECT inserted, updated FROM sync_upsert('cased', 'SELECT ''ONE'' AS k, 2 AS v', '{k}');
SELECT * FROM cased;
