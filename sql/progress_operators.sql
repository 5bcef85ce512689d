-- values are told apart by their types' own operators, whatever the search_path finds
\pset format unaligned
\pset tuples_only
SET client_min_messages = warning;
CREATE SCHEMA progress_operators;
CREATE SCHEMA elsewhere;
CREATE EXTENSION citext SCHEMA elsewhere;
CREATE EXTENSION postgres_fdw;
SET search_path = progress_operators, public;
CREATE TABLE teams (competition_id elsewhere.citext, season_year int, season_id elsewhere.citext);
CREATE TABLE competitions (competition_id elsewhere.citext, "URL" elsewhere.citext);
CREATE TABLE competition_progress (competition_id elsewhere.citext, competition_url text,
	status elsewhere.citext, seasons_discovered int, completed_at timestamptz);
CREATE TABLE season_progress (competition_id elsewhere.citext, season_id text, season_year int,
	status elsewhere.citext, completed_at timestamptz, clubs_saved int);
INSERT INTO teams VALUES ('EPL', 2022, 's22'), ('epl', 2022, 'S22'), ('Epl', 2023, 's23'), ('Liga', 2023, '');
INSERT INTO competitions VALUES ('ePL', 'https://example.org/epl'), ('LIGA', '');
INSERT INTO competition_progress VALUES ('LIGA', 'mine', 'Completed', 1);
INSERT INTO season_progress VALUES ('ePl', 'mine', 2022, 'COMPLETED', NULL, 1);

-- a type that compares without regard to case, in a schema that is not in the path
SELECT relation, action, lower(key ->> 'competition_id'), key ->> 'season_year', after ->> 'competition_url',
	after ->> 'clubs_saved' FROM sync_progress_drift() ORDER BY 1, 2, 3, 4;
SELECT line FROM sync_progress(false) AS line WHERE line ~ 'added|updated';
SELECT count(*) FROM sync_progress_drift();
SELECT count(*) FROM competition_progress;
SELECT count(*) FROM season_progress;
SELECT line FROM sync_progress(competition => 'EpL') AS line WHERE line ~* 'Processing';
SELECT lower(line) FROM sync_progress_analyze() AS line WHERE line ~ 'without' OR line ~* 'epl .*100';

-- the same for a domain over it, and for one over that
BEGIN;
CREATE DOMAIN code AS elsewhere.citext CHECK (VALUE <> '');
CREATE DOMAIN league AS code;
ALTER TABLE competition_progress ALTER competition_id TYPE league;
INSERT INTO teams VALUES ('LIGA', 2024);
SELECT line FROM sync_progress(false) AS line WHERE line ~ 'added|updated';
SELECT count(*) FROM competition_progress;
ROLLBACK;

-- on another server
DO $$ BEGIN EXECUTE format('CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host %L, port %L, dbname %L, options %L)',
	split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), current_database(),
	'-c search_path=progress_operators,public'); END $$;
CREATE USER MAPPING FOR CURRENT_USER SERVER elsewhere;
SELECT count(*) FROM sync_progress_drift(environment => 'elsewhere');
BEGIN;
CREATE DOMAIN code AS elsewhere.citext CHECK (VALUE <> '');
CREATE DOMAIN league AS code;
ALTER TABLE competition_progress ALTER competition_id TYPE league;
COMMIT;
INSERT INTO teams VALUES ('LIGA', 2024), ('new', 2024);
SELECT line FROM sync_progress(false, environment => 'elsewhere') AS line WHERE line ~ 'added|updated';
SELECT line FROM sync_progress(competition => 'liGA', environment => 'elsewhere') AS line WHERE line ~* 'Processing|date';
SELECT count(*) FROM competition_progress;

-- tracked keys
SELECT count(sync_track_progress(rule_name)) FROM sync_progress_rules;
SELECT count(*) > 0 FROM sync_progress(false);
INSERT INTO teams VALUES ('lIGA', 2025);
SELECT line FROM sync_progress(false) AS line WHERE line ~* 'added|updated|only|Processing';
SELECT count(*) FROM competition_progress;
SELECT count(*) FROM sync_progress_drift();

-- a domain over a domain of a string does not cut it off
BEGIN;
DROP TABLE teams;
CREATE TABLE teams (competition_id text, season_year int);
CREATE DOMAIN short AS varchar(3);
CREATE DOMAIN shorter AS short;
ALTER TABLE competition_progress ALTER competition_id TYPE shorter USING left(competition_id::text, 1);
INSERT INTO teams VALUES ('ABCD', 2024);
SELECT complaint($$SELECT sync_progress(false, rule => 'competition')$$);
ROLLBACK;

-- an operator of another type that fits better than the one that belongs to it
BEGIN;
DROP TABLE teams, season_progress;
CREATE TABLE teams (competition_id varchar(10), season_year int);
CREATE TABLE season_progress (competition_id varchar(10), season_id text, season_year int,
	status varchar(10), completed_at timestamptz, clubs_saved int);
CREATE FUNCTION never(varchar, varchar) RETURNS boolean LANGUAGE sql AS 'SELECT false';
CREATE OPERATOR = (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = never, HASHES, MERGES);
INSERT INTO teams VALUES ('EPL', 2022);
SELECT count(*) > 0 FROM sync_progress(false, rule => 'season');
SELECT count(*) FROM sync_progress_drift(rule => 'season');
SELECT line FROM sync_progress(rule => 'season', competition => 'EPL') AS line WHERE line ~ 'date';
ROLLBACK;

\set QUIET
SET client_min_messages = warning;
SELECT count(sync_untrack_progress(rule_name)) FROM sync_progress_rules;
DROP SCHEMA progress_operators CASCADE;
DROP EXTENSION postgres_fdw CASCADE;
DROP SCHEMA elsewhere CASCADE;
