-- rules that read their evidence once leave what they leave one by one
\pset format unaligned
\pset tuples_only
SET client_min_messages = warning;
CREATE SCHEMA progress_shared;
SET search_path = progress_shared, public;
CALL football();
CALL field('EPL', 2020, 2022, 3);
INSERT INTO teams VALUES ('LIGA', 2020, 'A'), ('LIGA', 2020, 'B'), ('LIGA', NULL, 'C'), (NULL, 2021, 'D'), (NULL, NULL, 'E');

-- Whether one statement applies both rules: the context of an error in it says so
CREATE FUNCTION shared() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	context text;
BEGIN
	UPDATE sync_progress_rules SET counters = '{"clubs_saved": "1 / (count(*) - count(*))"}' WHERE rule_name = 'season';
	PERFORM sync_progress();
	RAISE 'nothing to do';
EXCEPTION WHEN division_by_zero THEN
	GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT;
	RETURN context ~ 'progress rules';
END $$;

-- What two runs leave, one for both rules and one by one: the rows in which they differ, and all that there are
CREATE FUNCTION differ() RETURNS TABLE (was_shared boolean, differences bigint, total bigint) LANGUAGE plpgsql AS $$
DECLARE
	together text[];
BEGIN
	PERFORM sync_progress(false);
	SELECT array_agg(row ORDER BY row) INTO together FROM (SELECT c::text FROM competition_progress c
		UNION ALL SELECT s::text FROM season_progress s) AS rows (row);
	TRUNCATE competition_progress, season_progress;
	PERFORM sync_progress(false, rule => 'competition'), sync_progress(false, rule => 'season');
	RETURN QUERY SELECT shared(), count(*) FILTER (WHERE a IS DISTINCT FROM b), count(*) FROM unnest(together) AS a
		FULL JOIN (SELECT c::text FROM competition_progress c UNION ALL SELECT s::text FROM season_progress s) AS s (b)
		ON a = b;
	TRUNCATE competition_progress, season_progress;
END $$;

-- the shipped rules: reports are the same, dry, wet, and for one competition
SELECT sync_progress();
SELECT * FROM differ();
INSERT INTO season_progress VALUES ('EPL', 'mine', 2020, 'pending', NULL, 7), ('EPL', 'mine', 2021, 'completed', NULL, 3);
INSERT INTO competition_progress VALUES ('EPL', 'mine', 'completed', 1);
SELECT sync_progress(false, 'EPL');
SELECT sync_progress(competition => 'EPL');
SELECT sync_progress(false);
SELECT inserted, updated, unchanged, rows_read, details FROM sync_history ORDER BY history_id DESC LIMIT 1;
SELECT sync_progress(max_details => 0);
TRUNCATE competition_progress, season_progress;

-- in the other order
BEGIN;
UPDATE sync_progress_rules SET position = 5 WHERE rule_name = 'season';
SELECT * FROM differ();
SELECT sync_progress(max_details => 2);
ROLLBACK;

-- with what can be computed of parts, and values for insert columns from the evidence
BEGIN;
ALTER TABLE competition_progress ADD teams int, ADD last_year int, ADD first_club text;
ALTER TABLE teams ADD founded int DEFAULT 1900;
UPDATE sync_progress_rules SET counters = '{"seasons_discovered": "count(DISTINCT season_year)", "teams": "count(*)", "last_year": "max(season_year)"}',
	insert_columns = '{"first_club": {"column": "club_name"}, "competition_url": {"column": "founded"}}'
WHERE rule_name = 'competition';
SELECT * FROM differ();
SELECT key, after - 'completed_at' FROM sync_progress_drift('EPL', 'competition');
-- where nothing distinct is counted, any part of the other key will do
UPDATE sync_progress_rules SET counters = '{"teams": "count(*)"}' WHERE rule_name = 'competition';
SELECT * FROM differ();
ROLLBACK;

-- the same filter, and another one
BEGIN;
UPDATE sync_progress_rules SET evidence_filter = 'season_year > 2020';
SELECT * FROM differ();
UPDATE sync_progress_rules SET evidence_filter = 'season_year > 2021' WHERE rule_name = 'season';
SELECT * FROM differ();
ROLLBACK;

-- a validation of the seasons, and of the competitions, which cannot be asked of parts
BEGIN;
UPDATE sync_progress_rules SET validation = 'count(*) > 2' WHERE rule_name = 'season';
SELECT * FROM differ();
UPDATE sync_progress_rules SET validation = 'count(*) > 2' WHERE rule_name = 'competition';
SELECT * FROM differ();
ROLLBACK;

-- seasons that the progress table takes for one, and a key of another type
BEGIN;
ALTER TABLE teams ALTER season_year TYPE numeric;
INSERT INTO teams VALUES ('EPL', 2022.1);
SELECT * FROM differ();
ROLLBACK;
BEGIN;
ALTER TABLE competition_progress ALTER competition_id TYPE varchar;
SELECT * FROM differ();
ROLLBACK;

-- what one rule does reaches the other: a trigger, a query, a lookup, children, one table for both
BEGIN;
CREATE FUNCTION react() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO season_progress (competition_id, season_year) VALUES (NEW.competition_id, 2020);
	RETURN NULL;
END $$;
CREATE TRIGGER react AFTER INSERT ON competition_progress FOR EACH ROW EXECUTE FUNCTION react();
SELECT * FROM differ();
ROLLBACK;
BEGIN;
UPDATE sync_progress_rules SET insert_columns =
	'{"season_id": {"fallback": "(SELECT count(*) FROM competition_progress)"}}' WHERE rule_name = 'season';
SELECT * FROM differ();
UPDATE sync_progress_rules SET insert_columns =
	'{"season_id": {"lookup": "counted", "column": "n"}}' WHERE rule_name = 'season';
CREATE VIEW counted AS SELECT competition_id, 2020 AS season_year, seasons_discovered AS n FROM competition_progress;
SELECT * FROM differ();
ROLLBACK;
BEGIN;
CREATE TABLE more_progress () INHERITS (season_progress);
SELECT * FROM differ();
ROLLBACK;
BEGIN;
UPDATE sync_progress_rules SET progress = 'season_progress', counters = '{}', insert_columns = '{}' WHERE rule_name = 'competition';
ALTER TABLE season_progress DROP CONSTRAINT season_progress_pkey, ALTER season_year DROP NOT NULL;
SELECT shared();
ROLLBACK;

-- on another server
CREATE EXTENSION postgres_fdw;
DO $$ BEGIN EXECUTE format('CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host %L, port %L, dbname %L, options %L)',
	split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), current_database(),
	'-c search_path=progress_shared'); END $$;
CREATE USER MAPPING FOR CURRENT_USER SERVER elsewhere;
SELECT sync_progress(false, environment => 'elsewhere');
SELECT count(*) FROM sync_progress_drift();

-- one of the rules tracked: only the other one reads all
TRUNCATE competition_progress;
SELECT sync_track_progress('season');
SELECT count(*) > 0 FROM sync_progress(false);
INSERT INTO teams VALUES ('EPL', 2030, 'F');
SELECT sync_progress(false);
SELECT count(*) FROM sync_progress_drift();

\set QUIET
SET client_min_messages = warning;
DROP EXTENSION postgres_fdw CASCADE;
DROP SCHEMA progress_shared CASCADE;
