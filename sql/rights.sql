-- who may do what: a run has the rights of the one who runs it, and no more
\pset format unaligned
\pset tuples_only
CREATE SCHEMA rights;
SET search_path = rights, public;
CREATE ROLE regress_nobody;
CREATE ROLE regress_runner;
GRANT USAGE ON SCHEMA rights TO regress_nobody, regress_runner;
GRANT EXECUTE ON FUNCTION sync_progress, sync_progress_drift, sync_progress_analyze TO regress_runner;
CALL football();
CALL field('EPL', 2022, 2023, 2);
INSERT INTO competition_progress (competition_id) VALUES ('EPL');

-- nobody may do anything
SET ROLE regress_nobody;
SELECT complaint('SELECT sync_progress()');
SELECT complaint('SELECT sync_progress_drift()');
SELECT complaint('SELECT sync_progress_analyze()');
SELECT complaint('SELECT sync_track_progress(''season'')');
SELECT complaint('SELECT sync_untrack_progress(''season'')');
SELECT complaint('SELECT * FROM sync_history');
SELECT complaint('SELECT * FROM sync_progress_rules');
SELECT complaint('SELECT * FROM sync_progress_notes');
SELECT complaint('INSERT INTO sync_progress_notes VALUES (''season'')');

-- who may run it but not read the tables is told all that is missing
SET ROLE regress_runner;
SELECT complaint('SELECT sync_progress()');
SELECT complaint('SELECT sync_progress_drift()');
SELECT complaint('SELECT sync_progress_analyze()');
SELECT bool_or(line ~ 'SELECT.*"competitions"') AS reads, bool_or(line ~ 'INSERT.*"season_progress"') AS inserts,
	bool_or(line ~ 'UPDATE.*"season_progress"') AS updates FROM complaint('SELECT sync_progress(false)') AS line;
RESET ROLE;
REVOKE USAGE ON SCHEMA rights FROM regress_runner;
SET ROLE regress_runner;
SELECT left(max(line), 5) FROM complaint('SELECT sync_progress()') AS line;
RESET ROLE;
GRANT USAGE ON SCHEMA rights TO regress_runner;

-- reading is enough for a dry run, and for some columns only is not
GRANT SELECT ON teams, competitions, competition_progress TO regress_runner;
GRANT SELECT (competition_id, season_year, status, completed_at) ON season_progress TO regress_runner;
SET ROLE regress_runner;
SELECT complaint('SELECT sync_progress()');
RESET ROLE;
GRANT SELECT (clubs_saved, season_id) ON season_progress TO regress_runner;
SET ROLE regress_runner;
SELECT sync_progress();
SELECT count(*) FROM sync_progress_drift();
SELECT count(*) > 0 FROM sync_progress_analyze();
SELECT complaint('SELECT sync_progress(false)');

-- all that is needed for the real run, and that is without any right on the extension's tables
RESET ROLE;
GRANT INSERT ON competition_progress, season_progress TO regress_runner;
GRANT UPDATE (status) ON competition_progress, season_progress TO regress_runner;
SET ROLE regress_runner;
SELECT complaint('SELECT sync_progress(false)');
RESET ROLE;
GRANT UPDATE ON competition_progress, season_progress TO regress_runner;
SET ROLE regress_runner;
SELECT sync_progress(false);
SELECT complaint('SELECT sync_progress(false, ''nobody'')');
SELECT complaint('SELECT * FROM sync_history');
RESET ROLE;
SELECT run_by, status FROM sync_history ORDER BY history_id DESC LIMIT 2;

-- a function that lends its owner's rights
CREATE FUNCTION lend() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = rights, public
AS 'SELECT count(*) FROM sync_progress(false)';
ALTER FUNCTION lend() OWNER TO regress_runner;
SET ROLE regress_nobody;
SELECT lend();
RESET ROLE;
SELECT run_by, status FROM sync_history ORDER BY history_id DESC LIMIT 1;

-- row-level security is respected
ALTER TABLE teams ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON teams TO regress_runner USING (competition_id = 'LIGA');
ALTER TABLE season_progress ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON season_progress TO regress_runner USING (true) WITH CHECK (season_year < 2023);
CALL field('LIGA', 2022, 2022, 1);
CALL field('EPL', 2024, 2024, 1);
SET ROLE regress_runner;
SELECT sync_progress(false);
SELECT complaint('SELECT sync_progress(false, ''EPL'')');
RESET ROLE;
CALL field('LIGA', 2023, 2023, 1);
SET ROLE regress_runner;
SELECT complaint('SELECT sync_progress(false)');
RESET ROLE;
DROP POLICY own ON teams;
ALTER TABLE teams DISABLE ROW LEVEL SECURITY;
ALTER TABLE season_progress DISABLE ROW LEVEL SECURITY;

-- tracking: who owns the evidence may begin it, who may only write notes it nevertheless
ALTER TABLE teams OWNER TO regress_runner;
GRANT CREATE ON SCHEMA rights TO regress_runner;
GRANT EXECUTE ON FUNCTION sync_track_progress, sync_untrack_progress TO regress_runner, regress_nobody;
GRANT INSERT ON teams TO regress_nobody;
SET ROLE regress_nobody;
SELECT left(max(line), 5) FROM complaint('SELECT sync_track_progress(''season'')') AS line;
SET ROLE regress_runner;
SELECT complaint('SELECT sync_track_progress(''season'')');
SET ROLE regress_nobody;
SELECT left(max(line), 5) FROM complaint('SELECT sync_untrack_progress(''season'')') AS line;
SET search_path = rights;
INSERT INTO rights.teams VALUES ('LIGA', 2024);
SELECT current_user, current_setting('search_path');
RESET ROLE;
SET search_path = rights, public;
SELECT rule_name, key FROM sync_progress_notes ORDER BY key NULLS FIRST;
SET ROLE regress_runner;
SELECT complaint('SELECT sync_progress(false)');
SELECT complaint('SELECT sync_untrack_progress(''season'')');
RESET ROLE;

-- who may write rules needs no other right on the extension
GRANT SELECT, INSERT, UPDATE, DELETE ON sync_progress_rules TO regress_runner;
SET ROLE regress_runner;
BEGIN;
INSERT INTO sync_progress_rules (rule_name, label, evidence, key_columns, progress)
VALUES ('season', 'years', 'teams', '{season_year}', 'years');
UPDATE sync_progress_rules SET label = 'mine';
SELECT rule_name, label, shipped FROM sync_progress_rules ORDER BY 1;
DELETE FROM sync_progress_rules;
ROLLBACK;
RESET ROLE;

-- an error on the way, also in the extension's own tables, leaves nobody with the owner's rights
ALTER TABLE sync_history ADD CONSTRAINT planted CHECK (subject <> 'LIGA');
SET ROLE regress_runner;
SET search_path = rights, public;
SET client_min_messages = error;
SELECT left(max(line), 5) FROM complaint('SELECT sync_progress(false, ''LIGA'')') AS line;
SELECT current_user, current_setting('search_path');
SELECT complaint('INSERT INTO sync_progress_rules (rule_name, label, evidence, key_columns, progress) VALUES (''x'', ''x'', ''x'', ''{}'', ''x'')');
SELECT current_user, current_setting('search_path');
BEGIN;
DO $$ BEGIN PERFORM sync_progress(false, 'LIGA'); EXCEPTION WHEN check_violation THEN
	PERFORM set_config('rights.seen', current_user || ', ' || current_setting('search_path'), false); END $$;
SHOW rights.seen;
SELECT current_user, current_setting('search_path');
COMMIT;
\set VERBOSITY sqlstate
SELECT sync_progress(false, 'LIGA');
\set VERBOSITY default
SELECT current_user, current_setting('search_path');
RESET ROLE;
ALTER TABLE sync_history DROP CONSTRAINT planted;

\set QUIET
SET client_min_messages = warning;
REVOKE ALL ON sync_progress_rules FROM regress_runner;
DROP SCHEMA rights CASCADE;
DROP OWNED BY regress_nobody, regress_runner;
DROP ROLE regress_nobody, regress_runner;
