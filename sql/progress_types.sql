-- the types that keys and status may have
\pset format unaligned
\pset tuples_only
CREATE SCHEMA progress_types;
SET search_path = progress_types, public;

-- four tables whose columns have the given types, and two competitions of two teams
CREATE PROCEDURE play(evidence_key text, progress_key text, status text, a text, b text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TABLE teams (competition_id %s, season_year int)', evidence_key);
	EXECUTE format('CREATE TABLE competitions (competition_id %s, "URL" text)', evidence_key);
	EXECUTE format('CREATE TABLE competition_progress (competition_id %s, competition_url varchar(60), status %s, seasons_discovered smallint, completed_at timestamp)', progress_key, status);
	EXECUTE format('CREATE TABLE season_progress (competition_id %s, season_id text, season_year numeric, status %s, completed_at date, clubs_saved bigint)', progress_key, status);
	EXECUTE format('INSERT INTO teams VALUES (%L, 2022), (%L, 2023), (%L, 2022), (%L, 2022)', a, a, b, b);
	EXECUTE format('INSERT INTO competitions VALUES (%L, %L)', a, 'https://example.org');
	EXECUTE format('INSERT INTO competition_progress VALUES (%L)', a);
END $$;

-- what is in the tables after a run, that it is all, and that one of them can be asked for
CREATE FUNCTION replay(named text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM sync_progress(false);
	RETURN QUERY SELECT format('%s|%s|%s|%s', competition_id, competition_url, status, seasons_discovered)
		FROM competition_progress ORDER BY 1;
	RETURN QUERY SELECT format('%s|%s|%s|%s', competition_id, season_id, status, clubs_saved)
		FROM season_progress ORDER BY 1;
	RETURN NEXT 'left to do: ' || (SELECT count(*) FROM sync_progress_drift());
	RETURN QUERY SELECT line FROM sync_progress(competition => named) AS line WHERE line ~ 'Processing';
END $$;

-- integers, and integers that progress has as text
BEGIN;
CALL play('int', 'int', 'text', '7', '-12');
SELECT replay('7');
ROLLBACK;
BEGIN;
CALL play('bigint', 'text', 'text', '7', '-12');
SELECT replay('-12');
ROLLBACK;

-- text that progress has as integers
BEGIN;
CALL play('text', 'int', 'text', '7', '12');
SELECT replay('12');
INSERT INTO teams VALUES ('twelve', 2022);
SELECT complaint('SELECT sync_progress(false)');
ROLLBACK;

-- a composite, also one with an empty field, which is no key without a value
BEGIN;
CREATE TYPE league AS (country text, level int);
CALL play('league', 'league', 'text', '(ENG,1)', '(ENG,)');
INSERT INTO teams VALUES ('(,)', 2022), (NULL, 2022);
INSERT INTO competitions VALUES ('(ENG,)', 'https://example.com');
SELECT replay('(ENG,)');
SELECT line FROM sync_progress_analyze() AS line WHERE line ~ 'ENG|\(,\)' AND line !~ 'completed';
ROLLBACK;

-- varchar(n) and char(n), and a value that does not fit
BEGIN;
CALL play('varchar(5)', 'varchar(8)', 'varchar(10)', 'EPL', 'LIGA');
SELECT replay('EPL');
ROLLBACK;
BEGIN;
CALL play('char(5)', 'char(6)', 'char(10)', 'EPL', 'LIGA');
SELECT replay('EPL');
ROLLBACK;
BEGIN;
CALL play('char(5)', 'text', 'text', 'EPL', 'LIGA');
SELECT replay('EPL');
ROLLBACK;
BEGIN;
CALL play('text', 'varchar(3)', 'text', 'EPL', 'EPL');
INSERT INTO teams VALUES ('LIGA', 2022);
SELECT complaint('SELECT sync_progress(false)');
ROLLBACK;

-- an enum, a domain, a uuid
BEGIN;
CREATE TYPE league AS ENUM ('LIGA', 'EPL');
CREATE TYPE state AS ENUM ('pending', 'completed');
CALL play('league', 'league', 'state', 'EPL', 'LIGA');
SELECT replay('EPL');
SELECT complaint($$SELECT sync_progress(competition => 'BL')$$);
ALTER TYPE state RENAME VALUE 'completed' TO 'done';
SELECT complaint('SELECT sync_progress()');
ROLLBACK;
BEGIN;
CREATE DOMAIN code AS text CHECK (VALUE = upper(VALUE));
CREATE DOMAIN state AS text NOT NULL DEFAULT 'pending' CHECK (VALUE IN ('pending', 'completed'));
CALL play('text', 'code', 'state', 'EPL', 'LIGA');
SELECT replay('EPL');
INSERT INTO teams VALUES ('liga', 2022);
SELECT complaint('SELECT sync_progress(false)');
ROLLBACK;
BEGIN;
CALL play('uuid', 'uuid', 'text', '10000000-0000-0000-0000-000000000001', 'F0000000-0000-0000-0000-00000000000F');
SELECT replay('f0000000-0000-0000-0000-00000000000f');
SELECT count(*) FROM sync_progress(competition => 'F0000000-0000-0000-0000-00000000000F') AS line
WHERE line ~ '2 teams, 1 season';
ROLLBACK;

-- numbers that are one to the database, and are one in the progress table
BEGIN;
CALL play('numeric', 'numeric', 'text', '1.50', '2');
INSERT INTO teams VALUES (1.5, 2022);
SELECT replay('1.50');
SELECT count(*) FROM sync_progress(competition => '1.500') AS line WHERE line ~ '3 teams, 2 seasons';
ROLLBACK;
BEGIN;
CALL play('numeric', 'numeric(4,1)', 'text', '1.54', '2');
DELETE FROM competition_progress;
SELECT count(*) > 0 FROM sync_progress(false, rule => 'competition');
SELECT count(*) > 0 FROM sync_progress(false, rule => 'competition');
SELECT count(*) FROM competition_progress;
ROLLBACK;

-- text with quotes, blanks, signs of all kinds, and nothing in it
BEGIN;
CALL play('text', 'text', 'text', E'O''Higgins \\ "Ñublense"', '');
INSERT INTO teams VALUES (E'%s $1 \t {a,b}', 2022), ('北京', 2022), ('NULL', 2022);
SELECT replay(E'O''Higgins \\ "Ñublense"');
SELECT sync_progress(competition => '');
SELECT sync_progress(competition => 'NULL');
ROLLBACK;

-- a status that cannot say what the rule has to write
BEGIN;
CALL play('text', 'text', 'boolean', 'EPL', 'LIGA');
SELECT complaint('SELECT sync_progress()');
ROLLBACK;
BEGIN;
CALL play('text', 'text', 'boolean', 'EPL', 'LIGA');
UPDATE sync_progress_rules SET done_value = 'yes';
SELECT replay('EPL');
ROLLBACK;

-- a time that is none: the dry run knows it too
BEGIN;
CALL play('text', 'text', 'text', 'EPL', 'LIGA');
ALTER TABLE season_progress ALTER completed_at TYPE int USING 0;
SELECT complaint('SELECT sync_progress(false)');
SELECT left(complaint, 5) FROM complaint('SELECT sync_progress()') LIMIT 1;
ROLLBACK;

\set QUIET
SET client_min_messages = warning;
DROP SCHEMA progress_types CASCADE;
