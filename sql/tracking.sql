-- tracked rules: a run reads only the keys that changed
\pset format unaligned
\pset tuples_only
CREATE SCHEMA tracking;
SET search_path = tracking, public;
CALL football();
CALL field('EPL', 2010, 2023, 20);
CALL field('LIGA', 2010, 2023, 20);

-- What a run of both rules did, and how many rows of evidence it read for that
CREATE FUNCTION run("full" boolean DEFAULT false, competition text DEFAULT NULL) RETURNS TABLE (
	read bigint, inserted bigint, updated bigint, seasons_tracked boolean, left_to_do bigint)
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM sync_progress(false, "full" => run."full", competition => run.competition);
	RETURN QUERY SELECT h.rows_read, h.inserted, h.updated, (h.details -> 'season' ->> 'tracked')::boolean,
		(SELECT count(*) FROM sync_progress_drift())
	FROM sync_history h ORDER BY history_id DESC LIMIT 1;
END $$;

-- what tracking puts on the evidence
SELECT sync_track_progress('season');
SELECT sync_track_progress('competition');
SELECT tgname, tgenabled, regexp_replace(pg_get_triggerdef(oid), '.* (AFTER \w+) .* EXECUTE', '\1 ... EXECUTE')
FROM pg_trigger WHERE tgrelid = 'teams'::regclass ORDER BY tgname;
SELECT rule_name, key FROM sync_progress_notes ORDER BY 1;

-- the first run reads everything, the next one nothing
SELECT * FROM run();
SELECT count(*) FROM sync_progress_notes;
SELECT * FROM run();

-- then what was added, changed or removed, and its key before and after
CALL field('EPL', 2023, 2024, 1);
SELECT rule_name, key FROM sync_progress_notes ORDER BY 1, 2;
SELECT * FROM run();
UPDATE teams SET club_name = 'Same key' WHERE season_year = 2010 AND competition_id = 'EPL';
SELECT * FROM run();
UPDATE teams SET season_year = 2011 WHERE season_year = 2012 AND competition_id = 'LIGA' AND club_name = 'Club 1';
SELECT rule_name, key FROM sync_progress_notes ORDER BY 1, 2;
SELECT * FROM run();
DELETE FROM teams WHERE season_year = 2013 AND competition_id = 'EPL' AND club_name <> 'Club 1';
SELECT * FROM run();
DELETE FROM teams WHERE season_year = 2013 AND competition_id = 'EPL';
SELECT * FROM run();
COPY teams FROM stdin;
SERIE A	2020	Roma
SERIE A	2021	Roma
\.
SELECT * FROM run();
DELETE FROM teams WHERE false;
UPDATE teams SET club_name = '' WHERE false;
INSERT INTO teams SELECT * FROM teams WHERE false;
SELECT count(*) FROM sync_progress_notes;

-- in all the ways in which a statement can touch them
WITH gone AS (DELETE FROM teams WHERE competition_id = 'EPL' AND season_year = 2014 RETURNING club_name)
INSERT INTO teams SELECT 'NEW', 2014, club_name FROM gone;
SELECT rule_name, key FROM sync_progress_notes ORDER BY 1, 2;
CREATE UNIQUE INDEX ON teams (competition_id, season_year, club_name) WHERE competition_id = 'SERIE A';
INSERT INTO teams VALUES ('SERIE A', 2020, 'Roma'), ('SERIE A', 2022, 'Roma')
ON CONFLICT (competition_id, season_year, club_name) WHERE competition_id = 'SERIE A'
DO UPDATE SET season_year = 2019;
MERGE INTO teams t USING (VALUES ('NEW', 2014), ('NEW', 2015)) AS v (c, y)
ON t.competition_id = c AND t.season_year = y AND t.club_name = 'Club 1'
WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (c, y, 'merged');
SELECT * FROM run();
ALTER TABLE competitions ADD CONSTRAINT known UNIQUE (competition_id);
INSERT INTO competitions VALUES ('SERIE A'), ('NEW');
ALTER TABLE teams ADD FOREIGN KEY (competition_id) REFERENCES competitions ON UPDATE CASCADE ON DELETE CASCADE;
UPDATE competitions SET competition_id = 'NEWER' WHERE competition_id = 'NEW';
SELECT rule_name, key FROM sync_progress_notes ORDER BY 1, 2;
DELETE FROM competitions WHERE competition_id = 'SERIE A';
SELECT * FROM run();
SET session_replication_role = replica;
CALL field('EPL', 2011, 2011, 1);
RESET session_replication_role;
SELECT * FROM run();

-- what is rolled back leaves no notes, and a run that is rolled back takes none
BEGIN;
CALL field('EPL', 2020, 2020, 1);
SAVEPOINT inner_one;
CALL field('LIGA', 2020, 2020, 1);
ROLLBACK TO inner_one;
SELECT rule_name, key FROM sync_progress_notes ORDER BY 1, 2;
SELECT * FROM run();
ROLLBACK;
SELECT * FROM run();
CALL field('EPL', 2020, 2020, 1);
BEGIN;
SELECT * FROM run();
ROLLBACK;
SELECT count(*) FROM sync_progress_notes;
ALTER TABLE season_progress ADD CONSTRAINT few CHECK (clubs_saved < 1) NOT VALID;
SELECT left(max(line), 5) FROM complaint('SELECT sync_progress(false)') AS line;
ALTER TABLE season_progress DROP CONSTRAINT few;
SELECT * FROM run();

-- TRUNCATE, and a statement with very many keys, make the next run read everything
BEGIN;
INSERT INTO teams SELECT 'EPL', 2100 + i % 9999 FROM generate_series(1, 10002) AS i;
SELECT rule_name, count(*), count(key) FROM sync_progress_notes GROUP BY 1 ORDER BY 1;
ROLLBACK;
BEGIN;
INSERT INTO teams SELECT 'EPL', i FROM generate_series(1, 10001) AS i;
SELECT rule_name, key FROM sync_progress_notes ORDER BY 1, 2;
ROLLBACK;
BEGIN;
TRUNCATE teams;
SELECT rule_name, key FROM sync_progress_notes ORDER BY 1, 2;
SELECT * FROM run();
ROLLBACK;

\set QUIET
SET client_min_messages = warning;
SELECT count(sync_untrack_progress(rule_name)) FROM sync_progress_rules;
DROP SCHEMA tracking CASCADE;
