-- sync_progress_drift and sync_progress_analyze
CREATE SCHEMA progress_drift;
SET search_path = progress_drift, public;
CALL football();
CALL field('EPL', 2022, 2023, 2);
CALL field('LIGA', 2021, 2023, 3);
CALL field('Süper Lig', 2023, 2023, 1);
INSERT INTO competition_progress VALUES
	('EPL', 'mine', 'pending', NULL, NULL),
	('GONE', 'nowhere', 'completed', 1, '2020-01-01 00:00+00'),
	('IDLE', 'nowhere', 'pending', 0, NULL);
INSERT INTO season_progress VALUES
	('EPL', 'E22', 2022, 'completed', '2022-07-01 00:00+00', 2),
	('EPL', 'E23', 2023, 'completed', '2023-07-01 00:00+00', 1),
	('LIGA', 'L20', 2020, 'completed', '2020-07-01 00:00+00', 3),
	('LIGA', 'L21', 2021, 'pending', NULL, NULL);
SET timezone = 'UTC';

-- one row a change, with what is there and what is to be
BEGIN;
SELECT rule_name, relation, action, key,
	before - 'completed_at' AS before, after - 'completed_at' AS after
FROM sync_progress_drift();
SELECT key, before -> 'completed_at' AS before,
	(after ->> 'completed_at')::timestamptz = now() AS after_is_now
FROM sync_progress_drift(rule => 'season', competition => 'EPL');
COMMIT;
SELECT rule_name, action, key FROM sync_progress_drift('LIGA');
SELECT rule_name, action, key FROM sync_progress_drift('LIGA', 'competition');

-- it is what the run then does
CREATE TABLE drift AS SELECT * FROM sync_progress_drift();
SELECT count(*) > 0 FROM sync_progress(dry_run => false);
SELECT count(*) FROM sync_progress_drift();
SELECT rule_name, key FROM drift d
WHERE rule_name = 'competition' AND NOT EXISTS (
	SELECT FROM competition_progress p
	WHERE to_jsonb(p) @> key AND to_jsonb(p) @> (after - 'completed_at'))
OR rule_name = 'season' AND NOT EXISTS (
	SELECT FROM season_progress p
	WHERE to_jsonb(p) @> key AND to_jsonb(p) @> (after - 'completed_at'));
SELECT inserted + updated = (SELECT count(*) FROM drift) AS counted, unchanged, rows_read
FROM sync_history ORDER BY history_id DESC LIMIT 1;

-- the state of all of it, with what is completed though nothing shows it
UPDATE competition_progress SET completed_at = '2024-01-01 00:00+00'
WHERE completed_at > '2024-01-01';
UPDATE season_progress SET status = 'pending', completed_at = NULL WHERE season_year = 2023;
\pset format unaligned
\pset tuples_only
SELECT sync_progress_analyze();

-- it shows the largest and the latest, not everything
BEGIN;
TRUNCATE teams, competition_progress, season_progress;
INSERT INTO teams SELECT 'C' || c, 2000 + s FROM generate_series(10, 40) AS c, generate_series(1, c) AS s;
INSERT INTO competition_progress
SELECT 'C' || c, NULL, 'completed', c, '2024-01-01 00:00+00'::timestamptz + c * interval '1 day'
FROM generate_series(10, 40) AS c;
INSERT INTO season_progress
SELECT 'C' || c, s, 2000 + s, CASE WHEN s % 3 = 0 THEN 'pending' ELSE 'completed' END, NULL, 1
FROM generate_series(10, 40) AS c, generate_series(1, c) AS s;
SELECT sync_progress_analyze();
ROLLBACK;

-- nothing at all
TRUNCATE teams, competition_progress, season_progress;
SELECT sync_progress_analyze();
SELECT count(*) FROM sync_progress_drift();

-- names and values that have a tab or a line break in them
BEGIN;
ALTER TABLE season_progress RENAME clubs_saved TO U&"clubs\0009\0009\0009saved";
ALTER TABLE teams RENAME TO U&"te\0009am\000As";
INSERT INTO U&"te\0009am\000As" VALUES (E'E\tP\nL', 2023);
UPDATE sync_progress_rules SET evidence = U&'"te\0009am\000As"', done_value = E'd\to\tne',
	counters = jsonb_build_object(CASE WHEN rule_name = 'season' THEN E'clubs\t\t\tsaved' ELSE 'seasons_discovered' END, 'count(*)');
SELECT count(*) > 0 FROM sync_progress(false);
SELECT count(*) > 15 FROM sync_progress_analyze();
ROLLBACK;

\set QUIET
SET client_min_messages = warning;
DROP SCHEMA progress_drift CASCADE;
