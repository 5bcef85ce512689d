-- random sources and targets: a run comes to what a plain statement would, and a dry run has counted it
\pset format unaligned
\pset tuples_only
\set SHOW_CONTEXT never
CREATE SCHEMA random;
SET search_path = random, public;
CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TYPE pair AS (a int, b text);

-- a composite has a value though one of its fields has none, as a constraint sees it
CREATE TABLE given (p pair, v pair);
CREATE TABLE pairs (p pair PRIMARY KEY, v pair);
INSERT INTO given VALUES ((1, NULL), (NULL, NULL)), ((1, 'x'), NULL), ((NULL, NULL), (1, NULL));
SELECT sync_create_stream('pairs', 'pairs', '{p}', 'TABLE given', mode => 'mirror', max_delete_share => 1, keep_undo => '1 day');
SELECT sync_add_check('pairs', 'given', 'not_null', '{v}', min_share => 0.6);
SELECT inserted FROM sync_run('pairs', dry_run => true);
SELECT inserted FROM sync_run('pairs');
SELECT unchanged FROM sync_run('pairs');
DELETE FROM given WHERE p = (1, NULL)::pair;
UPDATE given SET v = NULL WHERE p = (NULL, NULL)::pair;
SELECT * FROM sync_diff('pairs');
SELECT sync_run('pairs');
SELECT sync_drop_check('pairs', 'given');
SELECT updated, deleted FROM sync_run('pairs');
SELECT inserted, updated FROM (SELECT max(history_id) AS run FROM sync_undo_runs) AS r, sync_undo(run);
SELECT p, v FROM pairs ORDER BY p;
SELECT * FROM sync_coverage('pairs', 'v');
SELECT * FROM sync_find_duplicates('pairs', '{v}');
INSERT INTO pairs VALUES ((3, 'y'), (NULL, NULL));
SELECT * FROM sync_find_duplicates('pairs', '{v}');
CALL sync_backfill('pairs', 'v', '(7, NULL)::random.pair');
SELECT p, v FROM pairs ORDER BY p;
SELECT sync_drop_stream('pairs');
TRUNCATE sync_undo_runs, sync_undo_rows;

-- where rows come from, where they go, and where they should be by then
CREATE TABLE source (a int, b text, n numeric, p pair, v text, w float8, at int);
CREATE TABLE target (note text DEFAULT 'kept', v text, a int, w float8, n numeric, b text, p pair, seen timestamptz, gone timestamptz);
CREATE TABLE wanted (LIKE target);

-- rows with random values, few of them, so that keys are often those of others
CREATE FUNCTION fill(rows int) RETURNS SETOF source LANGUAGE sql VOLATILE AS $$
	SELECT CASE WHEN random() > 0.02 THEN (random() * rows)::int END,
		(ARRAY['', 'a', 'A', 'b', 'ä', 'Ä', 'z', ' ', E'\\', 'a b', '"', NULL])[1 + floor(random() * 12)],
		(ARRAY[0, 0.0, 1, 1.0, -1, 'NaN', 'infinity', NULL])[1 + floor(random() * 8)]::numeric,
		(floor(random() * 3)::int, (ARRAY['x', NULL])[1 + floor(random() * 2)])::pair,
		(ARRAY['', 'a', 'A', NULL])[1 + floor(random() * 4)],
		(ARRAY['0', '-0', 'NaN', '1', NULL])[1 + floor(random() * 5)]::float8,
		g
	FROM generate_series(1, (random() * rows * 2)::int) AS g
$$;

-- what a stream with that key does to the target; returns how its dry run or its rows are wrong
CREATE FUNCTION try(key text[], mode text, rows int) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	names text := (SELECT string_agg(k, ', ') FROM unnest(key) AS k);
	same text := (SELECT string_agg(format('s.%1$s = t.%1$s', k), ' AND ') FROM unnest(key) AS k);
	given text := (SELECT string_agg(format('%s IS DISTINCT FROM NULL', k), ' AND ') FROM unnest(key) AS k);
	merged text := (SELECT string_agg(CASE WHEN c = ANY (key) THEN 't.' ELSE 's.' END || c, ', ') FROM unnest('{a,b,n,p}'::text[]) AS c);
	foreseen text;
	done text;
	counted text;
	shown text;
BEGIN
	TRUNCATE source, target, wanted;
	INSERT INTO source SELECT * FROM fill(rows);
	EXECUTE format('INSERT INTO target (a, b, n, p, v, w) SELECT a, b, n, p, v, w FROM (SELECT DISTINCT ON (%s) * FROM fill(%s) WHERE random() < 0.8 ORDER BY %s) AS f', names, rows, names);
	PERFORM sync_create_stream('random', 'target', key, 'SELECT a, b, n, p, v, w, at FROM source', mode => mode,
		duplicates => (ARRAY['last', 'reject'])[1 + floor(random() * 2)], order_by => '{at}', max_rejects => 100000, max_delete_share => 1,
		synced_at => 'seen', deleted_at => CASE mode WHEN 'soft_delete' THEN 'gone' END);

	-- by statements
	EXECUTE format('CREATE TEMP TABLE last AS SELECT DISTINCT ON (%s) * FROM source WHERE %s ORDER BY %s, at DESC', names, given, names);
	EXECUTE format('INSERT INTO wanted (note, a, b, n, p, v, w) SELECT ''kept'', %s, s.v, s.w FROM last AS s JOIN target AS t ON %s', merged, same);
	EXECUTE format('INSERT INTO wanted (note, a, b, n, p, v, w) SELECT ''kept'', a, b, n, p, v, w FROM last AS s WHERE NOT EXISTS (SELECT FROM target AS t WHERE %s)', same);
	EXECUTE format('INSERT INTO wanted (note, a, b, n, p, v, w, gone) SELECT ''kept'', a, b, n, p, v, w, CASE WHEN %L AND %s THEN now() END FROM target AS t
		WHERE NOT EXISTS (SELECT FROM last AS s WHERE %s) AND (%L OR NOT (%s))', mode = 'soft_delete', given, same, mode <> 'mirror', given);
	IF NOT EXISTS (SELECT FROM source) AND mode <> 'upsert' OR NOT EXISTS (SELECT FROM last) AND mode <> 'upsert' THEN
		DROP TABLE last;
		PERFORM sync_drop_stream('random');
		RETURN;
	END IF;

	SELECT format('%s %s %s %s %s %s', rows_read, inserted, updated, unchanged, deleted, rejected) INTO foreseen FROM sync_run('random', dry_run => true);
	SELECT format('%s %s %s', count(*) FILTER (WHERE action = 'insert'), count(*) FILTER (WHERE action = 'update'), count(*) FILTER (WHERE action = 'delete'))
		INTO shown FROM sync_diff('random', 100000);
	SELECT format('%s %s %s %s %s %s', rows_read, inserted, updated, unchanged, deleted, rejected), format('%s %s %s', inserted, updated, deleted)
		INTO done, counted FROM sync_run('random');
	IF foreseen <> done THEN
		RETURN NEXT format('%s by %s: foreseen %s, done %s', mode, key, foreseen, done);
	END IF;
	IF shown <> counted THEN
		RETURN NEXT format('%s by %s: shown %s, counted %s', mode, key, shown, counted);
	END IF;
	RETURN QUERY SELECT format('%s by %s: %s rows differ', mode, key, count(*)) FROM (
		(SELECT row_to_json(x)::text FROM (SELECT note, a, b, n, p, v, w, gone FROM target) AS x EXCEPT ALL
			SELECT row_to_json(x)::text FROM (SELECT note, a, b, n, p, v, w, gone FROM wanted) AS x)
		UNION ALL (SELECT row_to_json(x)::text FROM (SELECT note, a, b, n, p, v, w, gone FROM wanted) AS x EXCEPT ALL
			SELECT row_to_json(x)::text FROM (SELECT note, a, b, n, p, v, w, gone FROM target) AS x)) AS d HAVING count(*) > 0;
	SELECT format('%s %s %s', inserted, updated, deleted) INTO counted FROM sync_run('random');
	IF counted <> '0 0 0' THEN
		RETURN NEXT format('%s by %s: a second run has %s to do', mode, key, counted);
	END IF;
	DROP TABLE last;
	PERFORM sync_drop_stream('random');
END $$;

-- keys of several types, orders and collations; many runs of few rows, and few runs of many
SELECT setseed(0.42);
SET client_min_messages = error;
TRUNCATE target, source;
ALTER TABLE target ADD UNIQUE (a);
SELECT problem FROM generate_series(1, 10) AS g, unnest('{upsert,mirror,soft_delete}'::text[]) AS mode, try('{a}', mode, 3 + g * 4) AS problem;
SELECT problem FROM unnest('{upsert,mirror,soft_delete}'::text[]) AS mode, try('{a}', mode, 1500) AS problem;
TRUNCATE target, source;
ALTER TABLE target DROP CONSTRAINT target_a_key, ADD UNIQUE (b, a);
SELECT problem FROM generate_series(1, 10) AS g, unnest('{upsert,mirror,soft_delete}'::text[]) AS mode, try('{a,b}', mode, 3 + g * 4) AS problem;
TRUNCATE target, source;
ALTER TABLE target DROP CONSTRAINT target_b_a_key, ADD UNIQUE (n, p);
SELECT problem FROM generate_series(1, 10) AS g, unnest('{upsert,mirror,soft_delete}'::text[]) AS mode, try('{p,n}', mode, 3 + g * 4) AS problem;
TRUNCATE target, source;
ALTER TABLE target DROP CONSTRAINT target_n_p_key, ALTER b TYPE text COLLATE any_case, ADD UNIQUE (b, n);
ALTER TABLE source ALTER b TYPE text COLLATE any_case;
SELECT problem FROM generate_series(1, 10) AS g, unnest('{upsert,mirror,soft_delete}'::text[]) AS mode, try('{b,n}', mode, 3 + g * 4) AS problem;
-- a table that is large by the planner's word has few rows looked up
TRUNCATE target, source;
ALTER TABLE target DROP CONSTRAINT target_b_n_key, ALTER b TYPE text COLLATE "default", ADD UNIQUE (a, b);
ALTER TABLE source ALTER b TYPE text COLLATE "default";
UPDATE pg_class SET reltuples = 1000000, relpages = 10000 WHERE oid = 'target'::regclass;
SELECT problem FROM generate_series(1, 10) AS g, unnest('{upsert,mirror,soft_delete}'::text[]) AS mode, try('{a,b}', mode, 3 + g * 4) AS problem;

DELETE FROM sync_rejects;
DELETE FROM sync_history;
DROP SCHEMA random CASCADE;
