-- A small football database: evidence in "teams", and two tables that are to
-- say which competitions and seasons are complete.
CREATE TABLE competitions (competition_id text PRIMARY KEY, name text, "URL" text);
CREATE TABLE teams (competition_id text, season_year int, team_name text);
CREATE TABLE competition_progress (
	competition_id text PRIMARY KEY, competition_url text NOT NULL,
	status text NOT NULL, seasons_discovered int, completed_at timestamptz);
CREATE TABLE season_progress (
	competition_id text, season_id text, season_year int, status text,
	completed_at timestamptz, clubs_saved int,
	PRIMARY KEY (competition_id, season_year));

INSERT INTO competitions VALUES
	('EPL', 'Premier League', 'https://example.org/epl'),
	('BL1', 'Bundesliga', 'https://example.org/bl1'),
	('ELC', 'Championship', NULL);
INSERT INTO teams
	SELECT 'EPL', year, 'Club ' || n FROM generate_series(2019, 2023) AS year, generate_series(1, 20) AS n;
INSERT INTO teams
	SELECT 'BL1', year, 'Verein ' || n FROM generate_series(2022, 2023) AS year, generate_series(1, 18) AS n;
INSERT INTO teams
	SELECT 'ELC', 2023, 'Club ' || n FROM generate_series(1, 24) AS n;
INSERT INTO season_progress (competition_id, season_id, season_year, status)
	SELECT 'EPL', year, year, 'pending' FROM generate_series(2019, 2023) AS year;

-- The extension, and what it makes of these tables.
CREATE EXTENSION sync_ext;
\dx sync_ext
SELECT sync_progress_analyze();

-- What would a run do?  Nothing is written.
SELECT sync_progress(dry_run => true);

-- Only one competition, and as data.
SELECT action, relation, key, after FROM sync_progress_drift(competition => 'ELC');

-- Do it.
SELECT sync_progress(dry_run => false);

-- Nothing is left to do.
SELECT sync_progress(dry_run => true);

-- From here on a run reads only what has changed.
SELECT sync_track_progress('competition'), sync_track_progress('season');
SELECT sync_progress(dry_run => false);
INSERT INTO teams VALUES ('ELC', 2024, 'Club 1'), ('ELC', 2024, 'Club 2');
SELECT sync_progress(dry_run => false);

-- Who did what, and how it ended.
SELECT sync_progress(dry_run => false, rule => 'season', competition => 'EPL');
SELECT history_id, operation, subject, run_by, status, rows_read, inserted, updated, unchanged
	FROM sync_history ORDER BY history_id;
