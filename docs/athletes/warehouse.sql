-- The warehouse's side. Run it there, as a superuser, with the app's address and the
-- password of athlete_reader:
--   psql -d warehouse -v host=app.example.org -v port=5432 -v dbname=app
--     -v sslmode=require -v password=... -f warehouse.sql

CREATE EXTENSION IF NOT EXISTS sync_ext;
CREATE EXTENSION IF NOT EXISTS postgres_fdw;

-- the table, a role that fills it, and one that looks on
CREATE SCHEMA analytics;
CREATE TABLE analytics.athlete_dim (
  athlete_uuid uuid PRIMARY KEY,
  full_name text,
  source_synced_at timestamptz NOT NULL
);
CREATE INDEX ON analytics.athlete_dim (source_synced_at);
CREATE ROLE athlete_sync LOGIN;
CREATE ROLE athlete_monitor;
GRANT USAGE ON SCHEMA analytics TO athlete_sync, athlete_monitor;
GRANT SELECT, INSERT, UPDATE ON analytics.athlete_dim TO athlete_sync;

-- the way to the app
CREATE SERVER athletes_app FOREIGN DATA WRAPPER postgres_fdw
  OPTIONS (host :'host', port :'port', dbname :'dbname', sslmode :'sslmode', connect_timeout '10');
GRANT USAGE ON FOREIGN SERVER athletes_app TO athlete_sync;
CREATE USER MAPPING FOR athlete_sync SERVER athletes_app
  OPTIONS (user 'athlete_reader', password :'password');

-- the stream
SELECT sync_create_stream('athletes',
  target => 'analytics.athlete_dim',
  key => '{athlete_uuid}',
  query => 'SELECT uuid AS athlete_uuid, name AS full_name FROM public."User"',
  server => 'athletes_app',
  synced_at => 'source_synced_at',
  synced_at_rows => 'changed');
GRANT EXECUTE ON FUNCTION sync_run, sync_diff TO athlete_sync;

-- what a monitor asks
CREATE VIEW analytics.athlete_sync_status AS
SELECT d.athletes, d.most_recent, d.not_synced_for_two_days,
  r.started_at AS last_run, r.outcome AS last_outcome, r.error_message AS last_error,
  (SELECT max(s.started_at) FROM sync_history AS s
    WHERE s.operation = 'stream' AND s.subject = 'athletes' AND s.status = 'success') AS last_success
FROM (SELECT count(*) AS athletes, max(source_synced_at) AS most_recent,
    count(*) FILTER (WHERE source_synced_at < now() - interval '2 days') AS not_synced_for_two_days
  FROM analytics.athlete_dim) AS d
LEFT JOIN LATERAL (SELECT h.started_at, h.outcome, h.error_message FROM sync_history AS h
  WHERE h.operation = 'stream' AND h.subject = 'athletes'
  ORDER BY h.history_id DESC LIMIT 1) AS r ON true;
GRANT SELECT ON analytics.athlete_sync_status TO athlete_monitor;
