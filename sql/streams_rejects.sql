-- rows that cannot be used are put aside, one by one, as many as may be
\pset format unaligned
\pset tuples_only
CREATE SCHEMA rejects;
SET search_path = rejects, public;
CREATE VIEW rejected AS SELECT stream_name, row_number, column_name, error_sqlstate, error_message, error_detail, raw
FROM sync_rejects WHERE history_id = (SELECT max(history_id) FROM sync_history) ORDER BY reject_id;
CREATE TABLE source (id int, at int, v text);
CREATE TABLE target (id int PRIMARY KEY, v text CHECK (v <> 'bad'));
CREATE PROCEDURE stream(duplicates text, order_by text[], max_rejects bigint) LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM sync_streams WHERE stream_name = 's';
	TRUNCATE target;
	PERFORM sync_create_stream('s', 'target', '{id}', 'TABLE source', duplicates => $1, order_by => $2, max_rejects => $3);
END $$;

-- rows with one key: the run fails, unless it is said what to do
INSERT INTO source VALUES (1, 1, 'a'), (2, 1, 'b'), (2, 3, 'd'), (2, 2, 'c'), (3, NULL, 'x'), (3, 9, 'e');
CREATE VIEW plain AS SELECT id, v FROM source;
SELECT sync_upsert('target', 'TABLE plain', '{id}');
SELECT sync_upsert('target', 'TABLE plain', '{id}', dry_run => true);
CALL stream('last', '{at}', 0);
SELECT rows_read, inserted, rejected FROM sync_run('s', true);
SELECT rows_read, inserted, rejected FROM sync_run('s');
SELECT * FROM target ORDER BY id;
SELECT details FROM sync_history ORDER BY history_id DESC LIMIT 1;
SELECT count(*) FROM rejected;
SELECT rows_read, unchanged FROM sync_run('s');
CALL stream('reject', '{at}', 10);
SELECT rows_read, inserted, rejected FROM sync_run('s', true);
SELECT rows_read, inserted, rejected FROM sync_run('s');
SELECT * FROM target ORDER BY id;
SELECT stream_name, error_sqlstate, error_message, error_detail, raw FROM rejected;
CALL stream('reject', '{at}', 2);
SELECT rows_read, inserted, rejected FROM sync_run('s', true);
SELECT rows_read, inserted, rejected FROM sync_run('s');
CALL stream('reject', '{at}', 0);
SELECT rows_read, inserted, rejected FROM sync_run('s');

-- no value in the key
TRUNCATE source;
INSERT INTO source VALUES (1, 1, 'a'), (NULL, 1, 'b'), (2, 1, 'c'), (NULL, 2, 'd');
SELECT sync_upsert('target', 'TABLE plain', '{id}');
SELECT rows_read, inserted, rejected FROM sync_upsert('target', 'TABLE plain', '{id}', max_rejects => 2, dry_run => true);
SELECT count(*) FROM target;
SELECT rows_read, inserted, rejected FROM sync_upsert('target', 'TABLE plain', '{id}', max_rejects => 2);
SELECT * FROM rejected;
SELECT * FROM target ORDER BY id;
SELECT sync_upsert('target', 'TABLE plain', '{id}', max_rejects => 1);
CREATE TABLE pair (a int, b text, v int, UNIQUE (a, b));
SELECT rows_read, inserted, rejected FROM sync_upsert('pair',
	$$SELECT * FROM (VALUES (1, NULL, 1), (1, 'x', 2), (NULL, 'x', 3), (NULL, NULL, 4), (2, NULL, 5), (2, 'a', 6), (2, 'a', 7)) AS v (a, b, v)$$,
	'{a,b}', duplicates => 'reject', max_rejects => 9);
SELECT column_name, error_sqlstate, raw - 'v' FROM rejected;
SELECT a, b FROM pair ORDER BY 1;

-- what a constraint or a trigger refuses, new rows and changed ones
TRUNCATE source, target;
INSERT INTO source SELECT n, 0, CASE WHEN n % 1000 = 7 THEN 'bad' ELSE 'v' || n END FROM generate_series(1, 5000) AS n;
SELECT sync_upsert('target', 'TABLE plain', '{id}');
SELECT rows_read, inserted, rejected FROM sync_upsert('target', 'TABLE plain', '{id}', max_rejects => 5);
SELECT column_name, error_sqlstate, error_message, error_detail, raw FROM rejected;
SELECT count(*), count(*) FILTER (WHERE v = 'bad') FROM target;

-- the same where staged rows do not fit into memory
SET work_mem = '64kB';
UPDATE source SET v = CASE WHEN id IN (1, 2500, 5000) THEN 'bad' ELSE 'w' || id END WHERE id % 1000 <> 7 AND id % 2 = 0 OR id = 1;
SELECT sync_upsert('target', 'TABLE plain', '{id}', max_rejects => 7);
SELECT rows_read, inserted, updated, unchanged, rejected FROM sync_upsert('target', 'TABLE plain', '{id}', max_rejects => 8);
SELECT raw FROM rejected;
SELECT id, v FROM target WHERE id IN (1, 2, 3, 2500, 4999, 5000) ORDER BY id;
SELECT rows_read, inserted, updated, unchanged, rejected FROM sync_upsert('target', 'TABLE plain', '{id}', max_rejects => 8);
TRUNCATE target;
SELECT rows_read, inserted, updated, unchanged, rejected FROM sync_upsert('target', 'TABLE plain', '{id}', max_rejects => 8);
SELECT count(*) FROM target;
SELECT rows_read, inserted, rejected FROM sync_upsert('target', 'TABLE plain UNION ALL TABLE plain', '{id}', duplicates => 'reject', max_rejects => 9999, dry_run => true);
RESET work_mem;

-- what is no row's fault fails the run
CREATE FUNCTION break() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.v = 'trigger' THEN RAISE 'refused by trigger'; END IF;
	IF NEW.v = 'broken' THEN PERFORM no_such_function(); END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER break BEFORE INSERT ON target FOR EACH ROW EXECUTE FUNCTION break();
TRUNCATE source, target;
INSERT INTO source VALUES (1, 0, 'a'), (2, 0, 'trigger'), (3, 0, 'c');
SELECT inserted, rejected FROM sync_upsert('target', 'TABLE plain', '{id}', max_rejects => 5);
SELECT error_sqlstate, error_message, raw FROM rejected;
INSERT INTO source VALUES (4, 0, 'broken');
SELECT inserted, rejected FROM sync_upsert('target', 'TABLE plain', '{id}', max_rejects => 5);

-- append has no key that could be wrong, and constraints
TRUNCATE source, target;
ALTER TABLE target DROP CONSTRAINT target_pkey;
INSERT INTO source VALUES (1, 0, 'a'), (1, 0, 'b'), (NULL, 0, 'bad');
ALTER TABLE target ALTER id DROP NOT NULL;
SELECT sync_create_stream('append', 'target', query => 'TABLE plain', mode => 'append', max_rejects => 5);
SELECT rows_read, inserted, rejected FROM sync_run('append');
SELECT row_number, raw FROM rejected;
