-- What the bench of streams sets up.  On the app's server:
\if :is_app
CREATE TABLE "User" (uuid uuid PRIMARY KEY, name text, email text);
INSERT INTO "User"
	SELECT gen_random_uuid(), 'Athlete ' || substr(md5(n::text), 1, 12), 'a' || n || '@example.org'
	FROM generate_series(1, :rows) AS n;
VACUUM (FREEZE, ANALYZE) "User";
CREATE PUBLICATION bench FOR TABLE "User" (uuid, name);
\quit
\endif

-- On the warehouse's: the same target for each way, and what a way needs.
CREATE EXTENSION sync_ext;
CREATE EXTENSION postgres_fdw;
CREATE EXTENSION pgstattuple;
CREATE SERVER app FOREIGN DATA WRAPPER postgres_fdw
	OPTIONS (host :'app_host', port :'app_port', dbname 'postgres');
CREATE USER MAPPING FOR PUBLIC SERVER app;
CREATE FOREIGN TABLE app_user (uuid uuid, name text) SERVER app
	OPTIONS (schema_name 'public', table_name 'User', fetch_size '10000');
CREATE FOREIGN TABLE app_user_100 (uuid uuid, name text) SERVER app OPTIONS (schema_name 'public', table_name 'User');
CREATE TABLE athlete_dim (athlete_uuid uuid PRIMARY KEY, full_name text, source_synced_at timestamptz);
CREATE TABLE many_dim (LIKE athlete_dim INCLUDING ALL);
CREATE UNLOGGED TABLE heap (athlete_uuid uuid, full_name text);
SELECT sync_create_stream('athletes', 'athlete_dim', '{athlete_uuid}',
	'SELECT uuid AS athlete_uuid, name AS full_name FROM "User"', server => 'app', synced_at => 'source_synced_at');
SELECT sync_create_stream('athletes by xmin', 'athlete_dim', '{athlete_uuid}',
	'SELECT xmin, uuid AS athlete_uuid, name AS full_name FROM "User"', server => 'app',
	synced_at => 'source_synced_at', watermark => 'xmin');
SELECT sync_create_stream('many', 'many_dim', '{athlete_uuid}',
	'SELECT uuid AS athlete_uuid, name AS full_name FROM many', server => 'app', synced_at => 'source_synced_at');
