-- what a tracked run does not read, and when it reads everything again
\pset format unaligned
\pset tuples_only
CREATE SCHEMA tracking_limits;
SET search_path = tracking_limits, public;
CALL football();
CALL field('EPL', 2010, 2023, 10);
CALL field('LIGA', 2010, 2023, 10);
SELECT sync_track_progress('season');
SELECT count(*) > 0 FROM sync_progress(false);

-- How a run by this rule went
CREATE FUNCTION run("full" boolean DEFAULT false, competition text DEFAULT NULL) RETURNS TABLE (
	tracked boolean, read bigint, changed bigint, left_to_do bigint, notes bigint) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM sync_progress(false, rule => 'season', "full" => run."full", competition => run.competition);
	RETURN QUERY SELECT (h.details -> 'season' ->> 'tracked')::boolean, h.rows_read, h.inserted + h.updated,
		(SELECT count(*) FROM sync_progress_drift(rule => 'season')), (SELECT count(*) FROM sync_progress_notes)
	FROM sync_history h ORDER BY history_id DESC LIMIT 1;
END $$;
SELECT * FROM run();

-- the heading still counts all of what is headed
CALL field('EPL', 2024, 2024, 1);
SELECT sync_progress();
SELECT sync_progress(rule => 'season');

-- a run for one competition reads all of it, and leaves the notes
SELECT * FROM run(competition => 'EPL');
SELECT * FROM run();

-- what others change in the progress table is seen by a full run only
UPDATE season_progress SET status = 'pending' WHERE season_year = 2015;
SELECT * FROM run();
SELECT * FROM run("full" => true);

-- full takes the notes too; a dry run takes none
CALL field('EPL', 2024, 2024, 1);
SELECT count(*) FROM sync_progress("full" => true);
SELECT count(*) FROM sync_progress();
SELECT * FROM run("full" => true);
SELECT * FROM run();

-- keys with a NULL in them, with quotes, and ones that become whole
INSERT INTO teams VALUES (NULL, 2020), ('EPL', NULL), (E'O''Higgins\\ {"a",NULL}', 2020);
SELECT key FROM sync_progress_notes ORDER BY 1;
SELECT sync_progress(rule => 'season');
SELECT * FROM run();
UPDATE teams SET competition_id = 'NULL' WHERE competition_id IS NULL;
UPDATE teams SET season_year = 2020 WHERE season_year IS NULL;
SELECT * FROM run();

-- any change to the rule makes everything count again, but its evidence and key cannot change
BEGIN;
UPDATE sync_progress_rules SET counters = '{"clubs_saved": "count(*) + 1"}' WHERE rule_name = 'season';
SELECT * FROM run();
UPDATE sync_progress_rules SET counters = '{"clubs_saved": "count(*)"}' WHERE rule_name = 'season';
SELECT * FROM run();
ROLLBACK;
SELECT complaint($$UPDATE sync_progress_rules SET evidence = 'clubs' WHERE rule_name = 'season'$$);
SELECT complaint($$UPDATE sync_progress_rules SET key_columns = '{season_year,competition_id}' WHERE rule_name = 'season'$$);
SELECT complaint($$UPDATE sync_progress_rules SET rule_name = 'seasons' WHERE rule_name = 'season'$$);
SELECT complaint($$DELETE FROM sync_progress_rules WHERE rule_name = 'season'$$);
SELECT complaint($$INSERT INTO sync_progress_rules (rule_name, label, evidence, key_columns, progress)
	VALUES ('season', 'x', 'x', '{x}', 'x')$$);

-- a key column that is renamed: the user's statement succeeds with a warning, the run says what is missing
BEGIN;
ALTER TABLE teams RENAME season_year TO year;
INSERT INTO teams (competition_id, year) VALUES ('EPL', 2024);
SELECT complaint('SELECT sync_progress(false)');
ALTER TABLE teams RENAME year TO season_year;
SELECT * FROM run();
ROLLBACK;

-- a trigger that was dropped or disabled: everything is read, until tracking is set up anew
BEGIN;
ALTER TABLE teams DISABLE TRIGGER sync_track_season_insert;
CALL field('EPL', 2025, 2025, 1);
SELECT * FROM run();
SELECT complaint($$SELECT sync_track_progress('season')$$);
SELECT sync_untrack_progress('season');
SELECT sync_track_progress('season');
SELECT * FROM run();
SELECT * FROM run();
ROLLBACK;
BEGIN;
DROP TRIGGER sync_track_season_delete ON teams;
SELECT * FROM run();
ROLLBACK;
BEGIN;
ALTER TABLE teams DISABLE TRIGGER USER;
ALTER TABLE teams ENABLE TRIGGER USER;
SELECT * FROM run();
ROLLBACK;

-- a table of the same name that is found first is not the one that is tracked
BEGIN;
CREATE TEMP TABLE teams (LIKE tracking_limits.teams);
INSERT INTO teams VALUES ('TEMP', 2020);
SELECT * FROM run();
ROLLBACK;

-- a table that gets children is not seen whole by its triggers
BEGIN;
CREATE TABLE more_teams () INHERITS (teams);
INSERT INTO more_teams VALUES ('CHILD', 2020);
SELECT * FROM run();
ROLLBACK;

-- untracked: no triggers, no notes, everything is read
CALL field('EPL', 2026, 2026, 1);
SELECT sync_untrack_progress('season');
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'teams'::regclass;
SELECT * FROM run();

-- dropping the table ends it too
SELECT sync_track_progress('season');
DROP TABLE teams;
SELECT complaint($$SELECT sync_untrack_progress('season')$$);
BEGIN;
UPDATE sync_progress_rules SET evidence = 'clubs' WHERE rule_name = 'season';
ROLLBACK;

\set QUIET
SET client_min_messages = warning;
DELETE FROM sync_progress_notes;
DROP SCHEMA tracking_limits CASCADE;
