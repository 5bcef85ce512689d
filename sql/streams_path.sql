-- the names in a stream are looked up where they were when it was declared, whoever runs it
\pset format unaligned
\pset tuples_only
CREATE SCHEMA path_app;
CREATE SCHEMA "Path ""Other""";
CREATE ROLE path_user;
SET search_path = path_app, public;
CREATE TABLE item (id int PRIMARY KEY, v text);
CREATE TABLE warehouse (id int PRIMARY KEY, v text);
CREATE TABLE noted (v text);
INSERT INTO item VALUES (1, 'of the app'), (2, 'bad');
CREATE FUNCTION loud(text) RETURNS text LANGUAGE sql AS 'SELECT upper($1)';
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO noted VALUES (NEW.v); RETURN NULL; END $$;
CREATE TRIGGER note AFTER INSERT ON warehouse FOR EACH ROW EXECUTE FUNCTION note();
CREATE TABLE "Path ""Other""".item AS SELECT 1 AS id, 'of the other' AS v;

SELECT sync_create_stream('path', 'warehouse', '{id}', 'SELECT id, loud(v) AS v FROM item');
SELECT sync_add_check('path', 'known', 'condition', condition => 'EXISTS (SELECT FROM item WHERE item.id = warehouse.id)');
SELECT search_path FROM sync_streams WHERE stream_name = 'path';

-- by another path, by none, and where a temporary table has the name
SET search_path = "Path ""Other""", public;
SELECT after FROM sync_diff('path');
CREATE TEMP TABLE item (id int, v text);
SET search_path = '';
SELECT inserted FROM public.sync_run('path', dry_run => true);
SELECT inserted FROM public.sync_run('path');
SELECT check_name, passed FROM public.sync_check('path');
SELECT current_setting('search_path') = '""';
TABLE path_app.warehouse;
TABLE path_app.noted;
DROP TABLE pg_temp.item;

-- in a group, and by a task, whose path is its operation type's
DELETE FROM path_app.warehouse WHERE id = 1;
SELECT inserted FROM public.sync_run_group('{path}');
DELETE FROM path_app.warehouse WHERE id = 2;
SET search_path = public;
SELECT search_path FROM sync_operation_types WHERE operation_type = 'stream';
SELECT sync_enqueue('stream', '{"stream": "path"}') IS NOT NULL;
CALL sync_process_queue();
SELECT operation, status FROM sync_history WHERE queue_id IS NOT NULL ORDER BY history_id DESC LIMIT 1;
SELECT inserted, status FROM sync_history WHERE subject = 'path' AND operation = 'stream' ORDER BY history_id DESC LIMIT 1;

-- and it is put back where a run fails
INSERT INTO path_app.item VALUES (3, NULL);
ALTER TABLE path_app.warehouse ALTER v SET NOT NULL;
SELECT sync_run('path');
SHOW search_path;
DELETE FROM path_app.item WHERE id = 3;

-- a path that is given, with a name that has to be quoted; who exports it gets it back
SET search_path = public;
SELECT sync_create_stream('path given', 'path_app.warehouse', '{id}', 'SELECT * FROM item', search_path => '"Path ""Other""",path_app');
SELECT search_path FROM sync_streams WHERE stream_name = 'path given';
SELECT updated FROM sync_run('path given');
SELECT line FROM sync_export() AS line WHERE line LIKE '%search_path%Other%';
SELECT sync_create_stream('path none', 'path_app.warehouse', '{id}', 'SELECT 3 AS id', search_path => '');
SELECT search_path = '' FROM sync_streams WHERE stream_name = 'path none';
SELECT sync_create_stream('wrong', 'path_app.warehouse', '{id}', 'SELECT 3 AS id', search_path => 'no such');
SELECT sync_create_stream('wrong', 'path_app.warehouse', '{id}', 'SELECT 3 AS id', search_path => 'no_such');
SELECT sync_create_stream('wrong', 'path_app.warehouse', '{id}', 'SELECT 3 AS id', search_path => 'pg_temp');
SELECT sync_create_stream('wrong', 'path_app.warehouse', '{id}', 'SELECT 3 AS id', search_path => '"$user"');
SELECT sync_create_stream('wrong', 'warehouse', '{id}', 'SELECT 3 AS id', search_path => 'public');

-- a schema that is passed over would have another table read
GRANT USAGE ON SCHEMA path_app, "Path ""Other""" TO path_user;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA path_app, "Path ""Other""" TO path_user;
GRANT EXECUTE ON FUNCTION sync_run TO path_user;
SET ROLE path_user;
SELECT unchanged FROM sync_run('path given');
RESET ROLE;
REVOKE USAGE ON SCHEMA "Path ""Other""" FROM path_user;
SET ROLE path_user;
SELECT sync_run('path given');
SHOW search_path;
RESET ROLE;
SET client_min_messages = warning;
DROP SCHEMA "Path ""Other""" CASCADE;
RESET client_min_messages;
SELECT sync_run('path given');

-- a stream without one, as before, looks where its runner does
UPDATE sync_streams SET search_path = NULL WHERE stream_name = 'path given';
SET search_path = path_app, public;
SELECT rows_read FROM sync_run('path given');
SET search_path = public;
SELECT sync_run('path given');

SELECT sync_drop_stream(stream_name) FROM sync_streams WHERE stream_name LIKE 'path%';
SET client_min_messages = warning;
DROP SCHEMA path_app CASCADE;
DROP OWNED BY path_user;
DROP ROLE path_user;
