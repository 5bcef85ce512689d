-- An app's database, which knows nothing of the extension ...
CREATE DATABASE app;
\connect app
CREATE TABLE "User" (uuid uuid PRIMARY KEY, name text NOT NULL);
INSERT INTO "User" SELECT gen_random_uuid(), 'Athlete ' || n FROM generate_series(1, 500000) AS n;
ANALYZE "User";

-- ... and a warehouse, which wants a copy of its users.
\connect demo
\getenv host PGHOST
CREATE EXTENSION postgres_fdw;
CREATE SERVER app FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host :'host', dbname 'app');
CREATE USER MAPPING FOR CURRENT_USER SERVER app;
CREATE TABLE athlete_dim (athlete_uuid uuid PRIMARY KEY, full_name text, source_synced_at timestamptz);
SELECT sync_create_stream('athletes', 'athlete_dim', '{athlete_uuid}',
	'SELECT uuid AS athlete_uuid, name AS full_name FROM "User"', server => 'app', synced_at => 'source_synced_at');

-- Run it, and watch it from a second session.
