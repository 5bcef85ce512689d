-- what is refused when a stream is defined, or when it runs
\pset format unaligned
\pset tuples_only
\set SHOW_CONTEXT never
CREATE SCHEMA define;
SET search_path = define, public;
CREATE TABLE source (id int, name text, at timestamptz);
CREATE TABLE target (id int PRIMARY KEY, name text, at timestamptz, twice int GENERATED ALWAYS AS (id * 2) STORED);
CREATE VIEW a_view AS SELECT * FROM target;
CREATE MATERIALIZED VIEW a_matview AS SELECT * FROM target;
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER streams_nowhere FOREIGN DATA WRAPPER nothing;
CREATE FOREIGN TABLE a_foreign (id int) SERVER streams_nowhere;
CREATE SEQUENCE a_sequence;
\set ok '''SELECT id, name FROM source'''

-- names and words
\set VERBOSITY sqlstate
SELECT sync_create_stream(NULL, 'target', '{id}', :ok);
SELECT sync_create_stream('', 'target', '{id}', :ok);
\set VERBOSITY default
SELECT sync_create_stream('s', NULL, '{id}', :ok);
SELECT sync_create_stream('s', 'target', '{id}');
SELECT sync_create_stream('s', 'target', '{id}', :ok, mode => 'replace');
SELECT sync_create_stream('s', 'target', '{id}', :ok, mode => NULL);
SELECT sync_create_stream('s', 'target', '{id}', :ok, duplicates => 'first');
SELECT sync_create_stream('s', 'target', '{id}', :ok, synced_at => 'at', synced_at_rows => 'some');

-- what contradicts itself
SELECT sync_create_stream('s', 'target', NULL, :ok);
SELECT sync_create_stream('s', 'target', '{}', :ok);
SELECT sync_create_stream('s', 'target', '{id,NULL}', :ok);
SELECT sync_create_stream('s', 'target', '{id,id}', :ok);
SELECT sync_create_stream('s', 'target', '{id}', :ok, mode => 'append');
SELECT sync_create_stream('s', 'target', '{id}', :ok, mode => 'soft_delete');
SELECT sync_create_stream('s', 'target', '{id}', :ok, deleted_at => 'at');
SELECT sync_create_stream('s', 'target', '{id}', :ok, synced_at_rows => 'all');
SELECT sync_create_stream('s', 'target', '{id}', :ok, duplicates => 'last');
SELECT sync_create_stream('s', 'target', '{id}', :ok, order_by => '{name}');
SELECT sync_create_stream('s', 'target', '{id}', :ok, max_delete_share => 1.5);
SELECT sync_create_stream('s', 'target', '{id}', :ok, max_delete_share => 'NaN');
SELECT sync_create_stream('s', 'target', '{id}', :ok, max_delete_share => NULL);
SELECT sync_create_stream('s', 'target', '{id}', :ok, max_rejects => -1);

-- queries
SELECT sync_create_stream('s', 'target', '{id}', 'SELEKT 1');
SELECT sync_create_stream('s', 'target', '{id}', 'SELECT 1; SELECT 2');
SELECT sync_create_stream('s', 'target', '{id}', 'SELECT 1) AS x; DROP TABLE target; --');
SELECT sync_create_stream('s', 'target', '{id}', 'DELETE FROM target RETURNING id');
SELECT sync_create_stream('s', 'target', '{id}', 'SELECT 1 AS id INTO other');
SELECT sync_create_stream('s', 'target', '{id}', 'WITH d AS (DELETE FROM source RETURNING id) SELECT * FROM d');
SELECT sync_create_stream('s', 'target', '{id}', 'SELECT $1::int AS id');
SELECT sync_create_stream('s', 'target', '{id}', 'SELECT id FROM nothing_such');
SELECT sync_create_stream('s', 'target', '{id}', '');
SELECT sync_create_stream('ok 1', 'target', '{id}', 'SELECT id FROM source -- with a comment');
SELECT sync_create_stream('ok 2', 'target', '{id}', 'TABLE source');
SELECT sync_create_stream('ok 3', 'target', '{id}', 'VALUES (1)');
SELECT sync_create_stream('ok 4', 'target', '{id}', 'SELECT id FROM source ORDER BY id LIMIT 1 FOR UPDATE');

-- columns
SELECT sync_create_stream('s', 'target', '{Id}', :ok);
SELECT sync_create_stream('s', 'target', '{ctid}', :ok);
SELECT sync_create_stream('s', 'target', '{id}', 'SELECT name FROM source');
SELECT sync_create_stream('s', 'target', '{id}', 'SELECT id, name AS full_name FROM source');
SELECT sync_create_stream('s', 'target', '{id}', 'SELECT id, name, name FROM source');
SELECT sync_create_stream('s', 'target', '{id}', 'SELECT id, at FROM source', synced_at => 'at');
SELECT sync_create_stream('s', 'target', '{id}', :ok, synced_at => 'seen');
SELECT sync_create_stream('s', 'target', '{id}', :ok, synced_at => 'twice');
SELECT sync_create_stream('s', 'target', '{id}', :ok, duplicates => 'last', order_by => '{seen}');
SELECT sync_create_stream('s', 'target', '{id}', 'SELECT 1 AS id, source AS at FROM source');
SELECT sync_create_stream('s', 'target', '{id}', 'SELECT id, 7 AS twice FROM source');

-- targets
SELECT sync_create_stream('s', 'nothing_such', '{id}', :ok);
SELECT sync_create_stream('s', 'a.b.c', '{id}', :ok);
SELECT sync_create_stream('s', 'target; DROP TABLE target', '{id}', :ok);
SELECT sync_create_stream('s', 'a_view', '{id}', :ok);
SELECT sync_create_stream('s', 'a_matview', '{id}', :ok);
SELECT sync_create_stream('s', 'a_foreign', '{id}', :ok);
SELECT sync_create_stream('s', 'a_sequence', '{id}', :ok);
SELECT sync_create_stream('s', 'target', '{name}', :ok);
SELECT sync_create_stream('s', 'target', '{id,name}', :ok);

-- an index that lets a key come twice is none
CREATE TABLE loose (id int, name text);
CREATE INDEX ON loose (id);
CREATE UNIQUE INDEX ON loose (id) WHERE id > 0;
CREATE UNIQUE INDEX ON loose (id, name);
CREATE UNIQUE INDEX ON loose ((id + 1));
ALTER TABLE loose ADD CONSTRAINT later UNIQUE (id) DEFERRABLE;
SELECT sync_create_stream('s', 'loose', '{id}', :ok);
CREATE UNIQUE INDEX ON loose (id) INCLUDE (name);
SELECT sync_create_stream('loose', 'loose', '{id}', :ok);
SELECT sync_create_stream('pair', 'loose', '{name,id}', :ok);

-- servers
SELECT sync_create_stream('s', 'target', '{id}', :ok, server => 'no such');
SELECT sync_create_stream('far', 'target', '{id}', 'SELECT what FROM ever', server => 'streams_nowhere');
\set VERBOSITY sqlstate
SELECT sync_run('far');
\set VERBOSITY default

-- one of a name, under the full name of its target
SELECT sync_create_stream('loose', 'loose', '{id}', :ok);
SELECT stream_name, target, key_columns, query, server, mode, synced_at, synced_at_rows, deleted_at, duplicates, order_by, max_delete_share, max_rejects
FROM sync_streams WHERE stream_name IN ('loose', 'far') ORDER BY 1;
SELECT sync_drop_stream('s');
SELECT sync_run('s');
SELECT sync_diff('s');
SELECT sync_diff('loose', -1);
SELECT sync_run(NULL) IS NULL;

-- what has changed since then
ALTER TABLE source RENAME COLUMN name TO title;
SELECT sync_run('loose');
ALTER TABLE source RENAME COLUMN title TO name;
DROP INDEX loose_id_name_idx1;
DROP TABLE loose;
SELECT sync_run('loose');
BEGIN READ ONLY;
SELECT sync_run('ok 2');
ROLLBACK;

-- it takes its rights from whoever runs it
CREATE ROLE sync_clerk;
GRANT USAGE ON SCHEMA define TO sync_clerk;
SET ROLE sync_clerk;
SELECT sync_run('ok 2');
RESET ROLE;
GRANT EXECUTE ON FUNCTION sync_run, sync_diff TO sync_clerk;
SET ROLE sync_clerk;
SELECT sync_run('ok 2', true);
SELECT * FROM sync_streams;
RESET ROLE;
GRANT SELECT ON source, target TO sync_clerk;
INSERT INTO source VALUES (1, 'one');
SET ROLE sync_clerk;
SELECT inserted FROM sync_run('ok 2', true);
SELECT action FROM sync_diff('ok 2');
SELECT sync_run('ok 2');
RESET ROLE;
GRANT INSERT ON target TO sync_clerk;
SET ROLE sync_clerk;
SELECT inserted FROM sync_run('ok 2');
RESET ROLE;
SELECT run_by = 'sync_clerk', status, error_message, error_context FROM sync_history WHERE subject = 'ok 2' ORDER BY history_id;
DROP OWNED BY sync_clerk;
DROP ROLE sync_clerk;
