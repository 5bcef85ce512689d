-- Edges of the composed statements and of tracking: what must not be cut,
-- hidden, mixed up or taken for the same
\set QUIET
SET client_min_messages = warning;
CREATE SCHEMA progress_edges;
SET search_path = progress_edges, public;
CALL football();
INSERT INTO teams VALUES ('EPL', 2022, 'A'), ('SPL', 2022, 'B');
\pset format unaligned
\pset tuples_only

-- a key that does not fit is an error, not a key that was cut off
BEGIN;
CREATE DOMAIN three AS varchar(2);
ALTER TABLE competition_progress ALTER competition_id TYPE three USING NULL;
SELECT complaint($$SELECT sync_progress(false, rule => 'competition')$$);
ROLLBACK;

-- tables of a user that have the names of parts of the statement
BEGIN;
CREATE TABLE todo AS SELECT 'mine' AS text;
CREATE TABLE evidence AS TABLE todo;
UPDATE sync_progress_rules SET insert_columns = jsonb_build_object('competition_url',
	jsonb_build_object('fallback', '(SELECT todo.text || evidence.text FROM todo, evidence)'))
WHERE rule_name = 'competition';
SELECT after ->> 'competition_url' FROM sync_progress_drift(rule => 'competition');
SELECT count(*) > 0 FROM sync_progress(false, rule => 'competition');
SELECT competition_id, competition_url FROM competition_progress ORDER BY 1;
ROLLBACK;

-- a lookup of another collation than the progress relation
BEGIN;
ALTER TABLE competitions ALTER competition_id TYPE text COLLATE "C";
ALTER TABLE competition_progress ALTER competition_id TYPE text COLLATE "POSIX";
SELECT count(*) > 0 FROM sync_progress(false, rule => 'competition');
SELECT count(*) FROM competition_progress;
ROLLBACK;

-- texts that are no expression, though they could be parsed
SELECT left(max(line), 5) FROM complaint($$UPDATE sync_progress_rules SET counters = '{"clubs_saved": "count(*);"}' WHERE rule_name = 'season'$$) AS line;
SELECT left(max(line), 5) FROM complaint($$UPDATE sync_progress_rules SET counters = '{"clubs_saved": "ALL count(*)"}' WHERE rule_name = 'season'$$) AS line;
SELECT left(max(line), 5) FROM complaint($$UPDATE sync_progress_rules SET counters = '{"clubs_saved": "$1"}' WHERE rule_name = 'season'$$) AS line;
SELECT left(max(line), 5) FROM complaint($$UPDATE sync_progress_rules SET evidence_filter = 'true) OR (true' WHERE rule_name = 'season'$$) AS line;

-- notes lead on from the very same tables only
BEGIN;
SELECT sync_track_progress('season');
SELECT count(*) > 0 FROM sync_progress(false, rule => 'season');
SELECT line FROM sync_progress(rule => 'season') AS line WHERE line ~ 'only what changed';
ALTER TABLE season_progress RENAME TO old_progress;
CREATE TABLE season_progress (LIKE old_progress);
SELECT line FROM sync_progress(rule => 'season') AS line WHERE line ~ 'Seasons';
SELECT count(*) > 0 FROM sync_progress(false, rule => 'season');
ALTER TABLE teams ALTER season_year TYPE bigint USING season_year + 1;
SELECT line FROM sync_progress(rule => 'season') AS line WHERE line ~ 'Seasons';
ROLLBACK;

-- a trigger that is renamed is still found
BEGIN;
SELECT sync_track_progress('season');
ALTER TRIGGER sync_track_season_insert ON teams RENAME TO renamed;
SELECT sync_untrack_progress('season');
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'teams'::regclass;
ROLLBACK;

\set QUIET
SET client_min_messages = warning;
DROP SCHEMA progress_edges CASCADE;
