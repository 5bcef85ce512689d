-- the arguments of sync_progress
\pset format unaligned
\pset tuples_only
CREATE SCHEMA progress_arguments;
SET search_path = progress_arguments, public;
CALL football();
CALL field('EPL', 2022, 2023, 2);
CALL field('LIGA', 2021, 2023, 3);
INSERT INTO season_progress VALUES ('LIGA', '2022', 2022, 'completed', '2022-07-01', 3);

-- competition: nothing else is read or written
SELECT sync_progress(competition => 'LIGA');
BEGIN;
SELECT sync_progress(competition => 'LIGA', dry_run => false);
SELECT competition_id, seasons_discovered FROM competition_progress;
SELECT competition_id, season_year FROM season_progress ORDER BY 1, 2;
SELECT rows_read, inserted, updated, unchanged FROM sync_history ORDER BY history_id DESC LIMIT 1;
SELECT sync_progress(competition => 'LIGA');
ROLLBACK;

-- a competition that nobody knows: names are compared exactly
SELECT complaint($$SELECT sync_progress(competition => 'liga')$$);
SELECT complaint($$SELECT sync_progress(competition => '')$$);
SELECT complaint($$SELECT sync_progress_drift(competition => 'Bundesliga')$$);
SELECT complaint($$SELECT sync_progress(false, '''; DROP TABLE teams; --')$$);
SELECT count(*) FROM teams;

-- rule: only this one, also where it is not enabled
SELECT sync_progress(rule => 'season');
BEGIN;
UPDATE sync_progress_rules SET enabled = false WHERE rule_name = 'season';
SELECT sync_progress();
SELECT sync_progress(rule => 'season', competition => 'EPL');
UPDATE sync_progress_rules SET enabled = false;
SELECT sync_progress();
SELECT sync_progress(dry_run => false);
SELECT sync_progress_analyze();
ROLLBACK;
SELECT complaint($$SELECT sync_progress(rule => 'seasons')$$);

-- where no rule has a column for competitions, a competition cannot be asked for
BEGIN;
UPDATE sync_progress_rules SET competition_column = NULL;
SELECT complaint($$SELECT sync_progress(rule => 'season', competition => 'EPL')$$);
SELECT left(complaint, 5) FROM complaint($$SELECT sync_progress(competition => 'EPL')$$) LIMIT 1;
ROLLBACK;

-- max_details limits the lines, not the work
SELECT sync_progress(max_details => 3);
SELECT sync_progress(max_details => 1);
SELECT sync_progress(max_details => 0);
SELECT sync_progress(competition => 'EPL', max_details => 0);
SELECT count(*) FROM sync_progress(max_details => NULL);
SELECT complaint($$SELECT sync_progress(max_details => -1)$$);
BEGIN;
SELECT sync_progress(dry_run => false, max_details => 2);
SELECT count(*) FROM competition_progress;
SELECT count(*) FROM season_progress;
ROLLBACK;

-- more changes than are listed by default
BEGIN;
CALL field('SERIE A', 1901, 2020, 1);
SELECT count(*), max(line) FILTER (WHERE line ~ 'more') FROM sync_progress() AS line;
SELECT count(*) FROM sync_progress(max_details => NULL);
SELECT count(*) FROM sync_progress_drift();
ROLLBACK;

-- the order of the report is that of the keys, however the rows are joined
CREATE TABLE plain AS SELECT * FROM sync_progress() WITH ORDINALITY AS t (line, n);
ANALYZE teams;
SET jit = off;
SET enable_mergejoin = off;
SET enable_nestloop = off;
SELECT * FROM sync_progress() WITH ORDINALITY AS t (line, n) EXCEPT SELECT * FROM plain;
RESET enable_nestloop;
SET enable_hashjoin = off;
SELECT * FROM sync_progress() WITH ORDINALITY AS t (line, n) EXCEPT SELECT * FROM plain;
SET enable_nestloop = off;
RESET enable_mergejoin;
SELECT * FROM sync_progress() WITH ORDINALITY AS t (line, n) EXCEPT SELECT * FROM plain;
RESET enable_hashjoin;
RESET enable_nestloop;

-- numbers are ordered by their size, with and without a sign
BEGIN;
ALTER TABLE teams ALTER competition_id TYPE int USING 10;
ALTER TABLE competitions ALTER competition_id TYPE int USING length(competition_id);
ALTER TABLE competition_progress ALTER competition_id TYPE int USING 0;
INSERT INTO teams VALUES (9, 2020), (100, 2020), (-1, 2020), (-20, 2020);
SELECT line FROM sync_progress() AS line WHERE line ~ 'Processing';
ROLLBACK;

\set QUIET
SET client_min_messages = warning;
DROP SCHEMA progress_arguments CASCADE;
