-- the main job, on the four tables that it was made for
\pset format unaligned
\pset tuples_only
CREATE SCHEMA progress;
SET search_path = progress, public;
CALL football();
CALL field('EPL', 2019, 2023, 100);
INSERT INTO season_progress (competition_id, season_id, season_year)
SELECT 'EPL', year, year FROM generate_series(2019, 2023) AS year;

-- a dry run says what it would do
SELECT sync_progress(dry_run => true);

-- it is what is run when nothing else is said, or NULL is
SELECT count(*) FROM (
	SELECT sync_progress() EXCEPT SELECT sync_progress(dry_run => true)) AS differs;
SELECT count(*) FROM (
	SELECT sync_progress(NULL) EXCEPT SELECT sync_progress()) AS differs;

-- it writes nothing, not even a transaction id is used, and keeps nobody from writing
BEGIN;
SELECT count(*) > 5 FROM sync_progress();
SELECT count(*) FROM sync_progress_drift();
SELECT count(*) > 5 FROM sync_progress_analyze();
SELECT pg_current_xact_id_if_assigned() IS NULL;
SELECT DISTINCT mode FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation';
COMMIT;
SELECT count(*) FROM competition_progress;
SELECT DISTINCT status, completed_at, clubs_saved FROM season_progress;

-- the real run does what the dry run said
CREATE TABLE would AS SELECT * FROM sync_progress() WITH ORDINALITY AS t (line, n);
CREATE TABLE did AS SELECT * FROM sync_progress(dry_run => false) WITH ORDINALITY AS t (line, n);
SELECT line FROM did ORDER BY n;
SELECT n, would.line, did.line FROM would FULL JOIN did USING (n)
WHERE replace(replace(would.line, 'Would ', ''), ' to ', ' ') IS DISTINCT FROM
	replace(replace(replace(replace(did.line,
		'ADDED', 'ADD'), 'UPDATED', 'UPDATE'), ' added:', ' add:'), ' updated:', ' update:');
SELECT competition_id, competition_url, status, seasons_discovered, completed_at IS NOT NULL
FROM competition_progress;
SELECT competition_id, season_id, season_year, status, clubs_saved, completed_at IS NOT NULL
FROM season_progress ORDER BY season_year;

-- then there is nothing left to do, and doing it writes nothing to the tables
SELECT sync_progress();
CREATE TABLE before AS SELECT xmin AS writer, season_year FROM season_progress;
SELECT sync_progress(dry_run => false);
SELECT count(*) FROM season_progress p JOIN before b USING (season_year)
WHERE p.xmin <> b.writer;

-- each kind of difference, by itself
UPDATE competition_progress SET status = 'pending';
SELECT sync_progress();
UPDATE competition_progress SET status = 'completed', seasons_discovered = 4;
SELECT sync_progress();
UPDATE competition_progress SET seasons_discovered = NULL;
SELECT sync_progress();
UPDATE competition_progress SET seasons_discovered = 5;
UPDATE season_progress SET clubs_saved = 99 WHERE season_year = 2021;
DELETE FROM season_progress WHERE season_year = 2020;
SELECT sync_progress();

-- a time that is missing, or another address, is no difference
UPDATE competition_progress SET completed_at = NULL, competition_url = 'mine';
SELECT sync_progress(rule => 'competition');

-- what is right keeps its time and its address, what was not gets the time of the transaction
UPDATE competition_progress SET completed_at = '2020-01-01 00:00+00';
UPDATE season_progress SET completed_at = '2020-01-01 00:00+00';
BEGIN;
SELECT sync_progress(dry_run => false);
SELECT competition_url, completed_at = '2020-01-01 00:00+00' FROM competition_progress;
SELECT season_year, completed_at = now(), completed_at = '2020-01-01 00:00+00'
FROM season_progress ORDER BY season_year;
COMMIT;

-- a second run in the same transaction sees what the first one did
BEGIN;
CALL field('LIGA', 2022, 2023, 2);
SELECT sync_progress(dry_run => false);
SELECT sync_progress(dry_run => false);
CALL field('LIGA', 2023, 2023, 1);
SELECT sync_progress(dry_run => false);
ROLLBACK;

-- where evidence is gone, what was completed stays so
DELETE FROM teams WHERE season_year = 2019;
SELECT sync_progress(rule => 'season');

-- no evidence at all
TRUNCATE teams;
SELECT sync_progress();
SELECT sync_progress(dry_run => false);

-- the label of this database in reports is a setting
SET sync_ext.environment = 'staging (Übung)';
SELECT sync_progress();
RESET sync_ext.environment;

\set QUIET
SET client_min_messages = warning;
DROP SCHEMA progress CASCADE;
