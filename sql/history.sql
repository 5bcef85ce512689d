-- sync_history: one row for each executed run, however it ended
\x on
CREATE SCHEMA history;
SET search_path = history, public;
CALL football();
CALL field('EPL', 2022, 2023, 2);
INSERT INTO season_progress VALUES ('EPL', '2022', 2022, 'completed', NULL, 2);
TRUNCATE sync_history;
CREATE VIEW latest AS
SELECT operation, subject, environment, run_by = current_user AS mine, status,
	started_at BETWEEN now() - interval '1 hour' AND clock_timestamp() AS recent,
	duration BETWEEN interval '0' AND interval '1 hour' AS brief,
	rows_read, inserted, updated, unchanged, details, error_sqlstate AS sqlstate,
	error_message AS message, error_detail AS detail, error_hint AS hint,
	substring(error_context FROM 'while .*?rule.*?\)') AS context
FROM sync_history ORDER BY history_id DESC LIMIT 1;

-- a dry run leaves none, also where it fails
SELECT count(*) > 0 FROM sync_progress();
SELECT complaint('SELECT sync_progress(rule => ''none'')');
SELECT count(*) FROM sync_history;

-- a run that succeeds
SELECT count(*) > 0 FROM sync_progress(false);
SELECT * FROM latest;

-- one that finds nothing to do
SELECT count(*) > 0 FROM sync_progress(false, rule => 'season');
SELECT * FROM latest;

-- for one competition, and in an environment of another name
SET sync_ext.environment = E'"Übung" \\ 2';
SELECT count(*) > 0 FROM sync_progress(false, 'EPL');
SELECT * FROM latest;
RESET sync_ext.environment;

-- one that fails before it begins
SELECT complaint($$SELECT sync_progress(false, E'O''Higgins\n"Ñ"')$$);
SELECT * FROM latest;
ALTER TABLE season_progress RENAME clubs_saved TO clubs;
SELECT complaint('SELECT sync_progress(false)');
SELECT * FROM latest;
ALTER TABLE season_progress RENAME clubs TO clubs_saved;

-- one that fails half way: what it had written is gone, but not this row
CALL field('LIGA', 2023, 2023, 2);
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE check_violation USING MESSAGE = 'no room for ' || NEW.competition_id,
		DETAIL = 'It has ' || NEW.clubs_saved || ' clubs.', HINT = 'Make room.';
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON season_progress
FOR EACH ROW EXECUTE FUNCTION refuse();
SELECT complaint('SELECT sync_progress(false)');
SELECT count(*) FROM competition_progress WHERE competition_id = 'LIGA';
SELECT * FROM latest;

-- the same where the failure ends the caller's transaction
\x off
BEGIN;
CREATE TABLE gone ();
\set VERBOSITY terse
SELECT sync_progress(false, 'LIGA');
ROLLBACK;
SELECT count(*), max(subject) FILTER (WHERE history_id = (SELECT max(history_id) FROM sync_history))
FROM sync_history WHERE status = 'failed';

-- and where it fails more than once in a transaction that goes on, or does not
BEGIN;
DO $$
BEGIN
	FOR i IN 1..2 LOOP
		BEGIN
			PERFORM sync_progress(false);
		EXCEPTION WHEN check_violation THEN
			RAISE NOTICE 'caught %', SQLSTATE;
		END;
	END LOOP;
END $$;
SELECT count(*) FROM sync_history WHERE error_sqlstate = '23514';
COMMIT;
SELECT count(*) FROM sync_history WHERE error_sqlstate = '23514';

-- the row of a run that succeeded goes where the run goes
DROP TRIGGER refuse ON season_progress;
SELECT count(*) FROM sync_history WHERE status = 'success';
BEGIN;
SELECT count(*) > 0 FROM sync_progress(false);
SELECT count(*) FROM sync_history WHERE status = 'success';
ROLLBACK;
SELECT count(*) FROM sync_history WHERE status = 'success';

-- a second run that fails does not take the first one's row with it
BEGIN;
SELECT count(*) > 0 FROM sync_progress(false);
SELECT complaint('SELECT sync_progress(false, ''none'')');
COMMIT;
SELECT status, count(*) FROM sync_history WHERE history_id > (
	SELECT max(history_id) - 2 FROM sync_history) GROUP BY status ORDER BY status;

-- where that row cannot be written the run's own error is shown, and a warning
BEGIN;
LOCK TABLE sync_history IN ACCESS EXCLUSIVE MODE;
\set VERBOSITY sqlstate
SELECT sync_progress(false, 'nobody');
ROLLBACK;
SELECT count(*) FROM sync_history WHERE subject = 'nobody';

-- rows of other kinds are refused
INSERT INTO sync_history (operation, environment, run_by, status, outcome, started_at, duration)
VALUES ('progress', 'production', 'me', 'going on', 'success', now(), '0');

\set QUIET
SET client_min_messages = warning;
DROP SCHEMA history CASCADE;
