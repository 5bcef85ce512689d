-- what cannot be tracked
\pset format unaligned
\pset tuples_only
CREATE SCHEMA tracking_refused;
SET search_path = tracking_refused, public;
CALL football();

-- Whether the rule "season" can be tracked just now
CREATE FUNCTION answer() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT line FROM complaint('SELECT sync_track_progress(''season'')') AS line
$$;

-- evidence that is not a plain table
BEGIN;
ALTER TABLE teams RENAME TO all_teams;
CREATE VIEW teams AS SELECT * FROM all_teams;
SELECT answer();
DROP VIEW teams;
CREATE MATERIALIZED VIEW teams AS SELECT * FROM all_teams;
SELECT answer();
DROP MATERIALIZED VIEW teams;
CREATE TABLE teams (competition_id text, season_year int) PARTITION BY LIST (season_year);
CREATE TABLE teams_2020 PARTITION OF teams FOR VALUES IN (2020);
SELECT answer();
DROP TABLE teams;
CREATE TABLE teams () INHERITS (all_teams);
SELECT answer();
DROP TABLE teams;
ALTER TABLE all_teams RENAME TO teams;
CREATE TABLE more_teams () INHERITS (teams);
SELECT answer();
DROP TABLE more_teams;
SELECT answer();
ROLLBACK;
BEGIN;
DROP TABLE teams;
SELECT answer();
CREATE SEQUENCE teams;
SELECT answer();
ROLLBACK;

-- evidence without a key column, rules that are not there, and ones that are tracked already
BEGIN;
ALTER TABLE teams RENAME season_year TO year;
SELECT answer();
ROLLBACK;
SELECT complaint($$SELECT sync_track_progress('seasons')$$);
SELECT complaint($$SELECT sync_untrack_progress('seasons')$$);
SELECT complaint($$SELECT sync_untrack_progress('season')$$);
SELECT sync_track_progress(NULL), sync_untrack_progress(NULL);
BEGIN;
SELECT answer();
SELECT answer();
ROLLBACK;

-- nothing is left of what was refused
SELECT count(*) FROM pg_trigger WHERE tgname ~ '^sync_track';
SELECT count(*) FROM sync_progress_notes;

-- a rule that is not enabled, and one whose name has to be quoted and is as long as it may be
BEGIN;
INSERT INTO sync_progress_rules (rule_name, enabled, label, evidence, key_columns, progress)
VALUES ('O''"É" ' || repeat('é', 16) || 'x', false, 'seasons', 'teams', '{competition_id,season_year}', 'season_progress');
SELECT rule_name AS long FROM sync_progress_rules WHERE NOT enabled \gset
SELECT sync_track_progress(:'long');
SELECT tgname FROM pg_trigger WHERE tgrelid = 'teams'::regclass ORDER BY 1;
CALL field('EPL', 2020, 2020, 1);
SELECT rule_name, key FROM sync_progress_notes ORDER BY key;
SELECT sync_untrack_progress(:'long');
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'teams'::regclass;
ROLLBACK;

-- the functions of the triggers cannot be used for anything else
CREATE TRIGGER mine AFTER INSERT ON teams FOR EACH ROW EXECUTE FUNCTION sync_progress_note('season', 'competition_id');
SELECT complaint($$INSERT INTO teams VALUES ('EPL', 2020)$$);
DROP TRIGGER mine ON teams;
CREATE TRIGGER mine BEFORE INSERT ON teams EXECUTE FUNCTION sync_progress_note('season', 'competition_id');
SELECT complaint($$INSERT INTO teams VALUES ('EPL', 2020)$$);
DROP TRIGGER mine ON teams;
CREATE TRIGGER mine AFTER INSERT ON teams EXECUTE FUNCTION sync_progress_note();
SELECT complaint($$INSERT INTO teams VALUES ('EPL', 2020)$$);
DROP TRIGGER mine ON teams;
CREATE TRIGGER mine AFTER INSERT ON teams EXECUTE FUNCTION sync_progress_note('season', 'competition_id');
SELECT complaint($$INSERT INTO teams VALUES ('EPL', 2020)$$);
DROP TRIGGER mine ON teams;
CREATE TRIGGER mine BEFORE INSERT ON teams FOR EACH ROW EXECUTE FUNCTION sync_progress_rules_check();
SELECT left(max(line), 5) FROM complaint($$INSERT INTO teams VALUES ('EPL', 2020)$$) AS line;
DROP TRIGGER mine ON teams;
SELECT complaint('SELECT sync_progress_note()');
SELECT complaint('SELECT sync_progress_rules_check()');

\set QUIET
SET client_min_messages = warning;
DELETE FROM sync_progress_notes;
DROP SCHEMA tracking_refused CASCADE;
