-- counters and insert columns: each way of computing them gives what a plain query gives
\pset format unaligned
\pset tuples_only
CREATE SCHEMA rules_counters;
SET search_path = rules_counters, public;
CREATE TABLE evidence (k text, a int, b numeric, c text, d date, e float8, f int[]);
CREATE TABLE progress (k text, status text, n1 numeric, n2 numeric, n3 numeric, t1 text, d1 date);
INSERT INTO evidence
SELECT 'k' || i % 7, nullif(i % 5, 0), nullif(i * i % 19, 4) / 4.0, nullif('c' || i % 9, 'c4'),
	nullif(date '2024-01-01' + i % 23, '2024-01-05'), i * 3 % 8, ARRAY[i % 3]
FROM generate_series(1, 500) AS i;
INSERT INTO evidence VALUES ('empty');
INSERT INTO evidence VALUES ('one', 1, 1, 'c', '2024-01-01', 1, '{1}'), (NULL, 1, 1, 'c', '2024-01-01', 1, '{1}');
INSERT INTO progress (k, status) SELECT 'k' || i, 'completed' FROM generate_series(1, 3) AS i;
INSERT INTO sync_progress_rules (rule_name, label, evidence, key_columns, progress, completed_at_column)
VALUES ('counted', 'keys', 'evidence', '{k}', 'progress', NULL);

-- Whether a run with these five counters leaves what a plain query gives
CREATE FUNCTION agrees(n1 text, n2 text, n3 text, t1 text, d1 text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
	agrees boolean;
BEGIN
	UPDATE sync_progress_rules SET counters = jsonb_strip_nulls(
		jsonb_build_object('n1', n1, 'n2', n2, 'n3', n3, 't1', t1, 'd1', d1))
	WHERE rule_name = 'counted';
	UPDATE progress SET (n1, n2, n3, t1, d1) = ROW (-1, -1, -1, '-', NULL);
	PERFORM sync_progress(false, rule => 'counted');
	EXECUTE format(E'SELECT count(*) = 9 AND bool_and((p.n1, p.n2, p.n3, p.t1, p.d1)
		IS NOT DISTINCT FROM (q.n1, q.n2, q.n3, q.t1, q.d1))
		FROM progress p LEFT JOIN (SELECT k, (%s\n)::numeric AS n1, (%s\n)::numeric AS n2,
		(%s\n)::numeric AS n3, (%s\n)::text AS t1, (%s\n)::date AS d1 FROM evidence GROUP BY k) AS q USING (k)',
		coalesce(n1, '-1'), coalesce(n2, '-1'), coalesce(n3, '-1'), coalesce(t1, '''-'''), coalesce(d1, 'NULL'))
	INTO agrees;
	RETURN agrees AND NOT EXISTS (SELECT FROM sync_progress_drift(rule => 'counted'));
END $$;

-- rows are added where there are none, and set right from then on
SELECT sync_progress(false, rule => 'counted', max_details => 0);

-- one distinct count, alone and with what can be computed of parts
SELECT agrees('count(DISTINCT a)', NULL, NULL, NULL, NULL);
SELECT agrees('count(DISTINCT a)', 'count(*)', 'sum(b)', 'min(c)', 'max(d)');
SELECT agrees('count(DISTINCT c)', 'count(b)', 'sum(a)', 'max(c)', 'min(d)');
SELECT agrees('COUNT ( DISTINCT "b" )', 'sum(a + 1)', 'max(b * a)', NULL, NULL);
SELECT agrees('count(distinct f)', 'count(c)', 'sum(e)', 'min(c || a)', 'min(d + a)');
SELECT agrees('count(DISTINCT k)', 'count(k)', NULL, 'max(k)', NULL);
SELECT agrees('count(DISTINCT a)', 'count(DISTINCT a)', 'count(a)', NULL, NULL);

-- and with what cannot
SELECT agrees('count(DISTINCT a)', 'count(DISTINCT c)', NULL, NULL, NULL);
SELECT agrees('count(DISTINCT a)', 'avg(b)', NULL, NULL, NULL);
SELECT agrees('count(DISTINCT a)', 'sum(DISTINCT a)', 'count(DISTINCT a + 1)', NULL, NULL);
SELECT agrees('count(DISTINCT a)', 'count(*) FILTER (WHERE b > 2)', 'count(DISTINCT a) FILTER (WHERE b > 2)', NULL, NULL);
SELECT agrees('count(DISTINCT a)', 'count(*) * 2', 'sum(b) + 1', 'string_agg(c, '','' ORDER BY c)', NULL);
SELECT agrees('count(DISTINCT a)', 'count(DISTINCT (a, c))', NULL, '(array_agg(c ORDER BY c DESC))[1]', NULL);
SELECT agrees('count(DISTINCT a)', 'percentile_disc(0.5) WITHIN GROUP (ORDER BY b)', NULL, 'mode() WITHIN GROUP (ORDER BY c)', NULL);
SELECT agrees('count(DISTINCT a)', 'CASE WHEN count(*) > 5 THEN 1 END', '(count(*))', NULL, NULL);

-- with comments, line breaks and constants
SELECT agrees(E'count(DISTINCT a) -- of a', E'count(*)\n', 'sum(b) /* of b */', '''constant''', NULL);
SELECT agrees('count(DISTINCT a)', 'sum(1)', '7', NULL, NULL);

-- without a distinct count
SELECT agrees('count(*)', 'sum(b)', 'avg(a)', 'max(c)', 'max(d)');

-- together with a validation
UPDATE sync_progress_rules SET validation = 'count(*) > 0 OR true' WHERE rule_name = 'counted';
SELECT agrees('count(DISTINCT a)', 'count(*)', 'sum(b)', 'min(c)', 'max(d)');
UPDATE sync_progress_rules SET validation = NULL WHERE rule_name = 'counted';

-- an aggregate of the user's own that is called sum is not taken for the one that adds
CREATE AGGREGATE rules_counters.sum(boolean) (SFUNC = boolor_statefunc, STYPE = boolean);
ALTER TABLE progress ADD flag boolean;
UPDATE sync_progress_rules SET counters = '{"n1": "count(DISTINCT a)", "flag": "sum(b > 4)"}'
WHERE rule_name = 'counted';
SELECT complaint($$SELECT sync_progress(false, rule => 'counted')$$);
SELECT count(*) FROM progress p
JOIN (SELECT k, bool_or(b > 4) AS flag FROM evidence GROUP BY k) AS q USING (k)
WHERE p.flag IS DISTINCT FROM q.flag;

-- a value of the evidence for an insert column, of each type, in one step and in two
CREATE TABLE made (k text, status text, n int, a int, b numeric, c text, d date, e float8, f int[], g uuid);
ALTER TABLE evidence ADD g uuid;
UPDATE evidence SET g = md5(k)::uuid WHERE k <> 'one';
UPDATE sync_progress_rules SET progress = 'made', counters = '{"n": "count(*)"}', insert_columns =
	'{"a": {"column": "a"}, "b": {"column": "b"}, "c": {"column": "c"}, "d": {"column": "d"},
	  "e": {"column": "e"}, "f": {"column": "f"}, "g": {"column": "g", "fallback": "''00000000-0000-0000-0000-000000000000''"}}'
WHERE rule_name = 'counted';
SELECT count(*) > 0 FROM sync_progress(false, rule => 'counted');
CREATE TABLE made_in_one AS TABLE made;
TRUNCATE made;
UPDATE sync_progress_rules SET counters = '{"n": "count(DISTINCT c)"}' WHERE rule_name = 'counted';
SELECT count(*) > 0 FROM sync_progress(false, rule => 'counted');
SELECT * FROM (SELECT k, a, b, c, d, e, f, g FROM made EXCEPT SELECT k, a, b, c, d, e, f, g FROM made_in_one) AS differs;
SELECT k, a, b, c, d, e, f, g FROM made WHERE k IN ('empty', 'k1', 'one') ORDER BY k;

\set QUIET
SET client_min_messages = warning;
DELETE FROM sync_progress_rules WHERE rule_name = 'counted';
DROP SCHEMA rules_counters CASCADE;
