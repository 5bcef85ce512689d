-- databases and clients that are not of UTF8
\pset format unaligned
\pset tuples_only
SELECT current_database() AS home \gset
CREATE DATABASE regress_latin1 TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C';
CREATE DATABASE regress_ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C';

-- a client that has no icons
CREATE SCHEMA encoding;
SET search_path = encoding, public;
CALL football();
CALL field('Süper Lig', 2023, 2023, 2);
SELECT sync_progress();
SET client_encoding = 'LATIN1';
SELECT replace(sync_progress(), convert_from('\xfc', 'LATIN1'), 'ue');
RESET client_encoding;
SET client_min_messages = warning;
DROP SCHEMA encoding CASCADE;

-- a LATIN1 database: the report is of ASCII, the data is what it is
\c regress_latin1
CREATE EXTENSION sync_ext;
CREATE TABLE teams (competition_id text, season_year int);
CREATE TABLE competitions (competition_id text, "URL" text);
CREATE TABLE competition_progress (competition_id text, competition_url text,
	status text, seasons_discovered int, completed_at timestamptz);
CREATE TABLE season_progress (competition_id text, season_id text, season_year int,
	status text, completed_at timestamptz, clubs_saved int);
INSERT INTO teams VALUES ('Süper Lig', 2023), ('Süper Lig', 2023), (NULL, 2023), ('Primera Ñ', 2022);
INSERT INTO season_progress VALUES ('Süper Lig', '2023', 2023, 'pending');
SELECT sync_progress();
SELECT sync_progress(max_details => 1);
SELECT sync_progress(false);
SELECT sync_progress(competition => 'Süper Lig');
SELECT competition_id, competition_url FROM competition_progress ORDER BY 1;
UPDATE competition_progress SET completed_at = '2024-01-01';
UPDATE season_progress SET completed_at = '2024-01-01';
DELETE FROM teams WHERE competition_id = 'Primera Ñ';
SELECT sync_progress_analyze();
SELECT sync_progress(false, 'Österreich');
SELECT subject, error_message FROM sync_history WHERE status = 'failed';
SELECT sync_track_progress('season');
SELECT count(*) FROM sync_progress(false);
INSERT INTO teams VALUES ('Süper Lig', 2024);
SELECT key FROM sync_progress_notes;
SELECT sync_progress(false);

-- a database that does not know what its bytes mean
\c regress_ascii
CREATE EXTENSION sync_ext;
CREATE TABLE teams (competition_id text, season_year int);
CREATE TABLE competitions (competition_id text, "URL" text);
CREATE TABLE competition_progress (competition_id text, competition_url text,
	status text, seasons_discovered int, completed_at timestamptz);
CREATE TABLE season_progress (competition_id text, season_id text, season_year int,
	status text, completed_at timestamptz, clubs_saved int);
INSERT INTO teams VALUES ('Süper Lig', 2023);
SELECT sync_progress(false);
SELECT sync_progress_analyze() LIMIT 5;
SELECT sync_progress(false, 'Österreich');
SELECT status, subject, error_message FROM sync_history ORDER BY history_id;

\c :home
\set QUIET
DROP DATABASE regress_latin1;
DROP DATABASE regress_ascii;
