-- the shapes that the four tables may have
\pset format unaligned
\pset tuples_only
CREATE SCHEMA progress_tables;
SET search_path = progress_tables, public;
CALL football();
INSERT INTO teams VALUES ('EPL', 2022, 'Ä'), ('EPL', 2022, 'B'), ('EPL', 2023, 'C'), ('XYZ', 2023, 'D');

-- the address: from the column "URL" or url, else made up
BEGIN;
INSERT INTO teams VALUES ('EMPTY', 2023), ('NULL', 2023), ('ABSENT', 2023);
INSERT INTO competitions VALUES ('EMPTY', ''), ('NULL', NULL);
SELECT count(*) > 0 FROM sync_progress(false);
SELECT competition_id, competition_url FROM competition_progress ORDER BY 1;
ROLLBACK;
BEGIN;
ALTER TABLE competitions RENAME "URL" TO url;
SELECT after ->> 'competition_url' FROM sync_progress_drift(rule => 'competition');
ALTER TABLE competitions ADD "URL" text DEFAULT 'https://example.org/upper';
SELECT after ->> 'competition_url' FROM sync_progress_drift(rule => 'competition');
ROLLBACK;
BEGIN;
ALTER TABLE competitions RENAME "URL" TO "Url";
SELECT complaint('SELECT sync_progress()');
ROLLBACK;

-- competitions that has several rows for one of them: the least address is taken
BEGIN;
ALTER TABLE competitions DROP CONSTRAINT competitions_pkey;
INSERT INTO competitions VALUES ('EPL', 'https://a.example'), ('EPL', ''), ('EPL', NULL);
SELECT after ->> 'competition_url' FROM sync_progress_drift('EPL', 'competition');
ROLLBACK;

-- season_id: from teams where that column is and says something, else the year
BEGIN;
ALTER TABLE teams ADD season_id text;
UPDATE teams SET season_id = 'S-22' WHERE club_name = 'B';
UPDATE teams SET season_id = '' WHERE club_name = 'C';
SELECT key ->> 'season_year', after ->> 'season_id' FROM sync_progress_drift(rule => 'season');
ROLLBACK;
BEGIN;
ALTER TABLE teams ADD season_id int;
UPDATE teams SET season_id = 7 WHERE club_name = 'B';
ALTER TABLE season_progress ALTER season_id TYPE int USING 0;
SELECT sync_progress(false, rule => 'season');
SELECT season_id, season_year FROM season_progress ORDER BY competition_id, season_year;
ROLLBACK;

-- teams that say not what of are counted and left out
BEGIN;
INSERT INTO teams VALUES (NULL, 2022, 'E'), (NULL, NULL, 'F'), ('EPL', NULL, 'G'), ('EPL', NULL, 'H');
SELECT sync_progress();
SELECT sync_progress(competition => 'EPL');
SELECT sync_progress(false);
SELECT sync_progress();
SELECT key, after -> 'clubs_saved' FROM sync_progress_drift();
SELECT competition_id, seasons_discovered FROM competition_progress ORDER BY 1;
SELECT rows_read, inserted, details FROM sync_history ORDER BY history_id DESC LIMIT 1;
DELETE FROM teams WHERE competition_id IS NOT NULL AND season_year IS NOT NULL;
TRUNCATE competition_progress, season_progress;
SELECT sync_progress();
ROLLBACK;

-- no unique constraint: nothing is added twice, and every double of a row is set right
BEGIN;
ALTER TABLE season_progress DROP CONSTRAINT season_progress_pkey,
	ALTER competition_id DROP NOT NULL, ALTER season_year DROP NOT NULL;
INSERT INTO season_progress (competition_id, season_year, status, clubs_saved)
VALUES ('EPL', 2022, 'pending', 0), ('EPL', 2022, 'pending', 0), ('EPL', 2022, 'completed', 2),
	(NULL, NULL, 'pending', 0);
SELECT sync_progress(rule => 'season');
SELECT sync_progress(false, rule => 'season');
SELECT sync_progress(false, rule => 'season');
SELECT competition_id, season_year, status, clubs_saved FROM season_progress ORDER BY 1, 2;
SELECT rows_read, inserted, updated, unchanged FROM sync_history
WHERE inserted + updated > 0 ORDER BY history_id DESC LIMIT 1;
ROLLBACK;

-- progress in a partitioned table that has a generated column
BEGIN;
DROP TABLE season_progress;
CREATE TABLE season_progress (competition_id text, season_id text, season_year int,
	status text, completed_at timestamptz, clubs_saved int,
	label text GENERATED ALWAYS AS (competition_id || ' ' || season_id) STORED)
	PARTITION BY RANGE (season_year);
CREATE TABLE season_old PARTITION OF season_progress FOR VALUES FROM (MINVALUE) TO (2023);
CREATE TABLE season_new PARTITION OF season_progress FOR VALUES FROM (2023) TO (MAXVALUE);
SELECT count(*) > 0 FROM sync_progress(false);
SELECT tableoid::regclass, label, clubs_saved FROM season_progress ORDER BY label;
UPDATE season_progress SET clubs_saved = 0;
SELECT sync_progress(false);
ROLLBACK;

-- no partition for a row: nothing is written at all
BEGIN;
DROP TABLE season_progress;
CREATE TABLE season_progress (competition_id text, season_id text, season_year int,
	status text, completed_at timestamptz, clubs_saved int) PARTITION BY LIST (season_year);
CREATE TABLE season_22 PARTITION OF season_progress FOR VALUES IN (2022);
SELECT complaint('SELECT sync_progress(false)');
SELECT count(*) FROM competition_progress;
ROLLBACK;

-- evidence and progress may be views, evidence a materialized one too
BEGIN;
ALTER TABLE teams RENAME TO all_teams;
CREATE VIEW teams AS SELECT * FROM all_teams WHERE competition_id <> 'XYZ';
ALTER TABLE competition_progress RENAME TO progress_of_competitions;
CREATE VIEW competition_progress AS
SELECT competition_id, competition_url, status, seasons_discovered, completed_at
FROM progress_of_competitions;
SELECT sync_progress(false);
SELECT competition_id, seasons_discovered FROM progress_of_competitions;
SELECT sync_progress(false);
UPDATE progress_of_competitions SET status = 'pending';
SELECT sync_progress(false);
DROP VIEW teams;
CREATE MATERIALIZED VIEW teams AS SELECT * FROM all_teams;
SELECT sync_progress(false);
ROLLBACK;

-- a materialized view cannot be kept, and the dry run knows it
BEGIN;
ALTER TABLE competition_progress RENAME TO progress_of_competitions;
CREATE MATERIALIZED VIEW competition_progress AS SELECT * FROM progress_of_competitions;
SELECT left(complaint, 5) FROM complaint('SELECT sync_progress()') LIMIT 1;
ROLLBACK;

-- a trigger that refuses rows, and one that takes the key away
BEGIN;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN IF NEW.competition_id = 'XYZ' THEN RETURN NULL; END IF; RETURN NEW; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON competition_progress
FOR EACH ROW EXECUTE FUNCTION refuse();
SELECT sync_progress(false, rule => 'competition');
ROLLBACK;
BEGIN;
ALTER TABLE season_progress DROP CONSTRAINT season_progress_pkey,
	ALTER competition_id DROP NOT NULL, ALTER season_year DROP NOT NULL;
CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN NEW.competition_id := NULL; RETURN NEW; END $$;
CREATE TRIGGER forget BEFORE INSERT ON season_progress
FOR EACH ROW EXECUTE FUNCTION forget();
SELECT count(*) > 0 FROM sync_progress(false, rule => 'season');
ROLLBACK;

\set QUIET
SET client_min_messages = warning;
DROP SCHEMA progress_tables CASCADE;
