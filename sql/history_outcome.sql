-- sync_history.outcome: how a run ended, in one word
CREATE SCHEMA outcome;
SET search_path = outcome, public;
CREATE TABLE target (id int PRIMARY KEY CHECK (id > 0), name text);
TRUNCATE sync_history;

-- a source that raises whatever is wanted
CREATE FUNCTION fail(state text) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	RAISE 'as wanted' USING ERRCODE = state;
END $$;
CREATE FUNCTION attempt(state text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM sync_upsert('target', format('SELECT fail(%L) AS id', state), '{id}');
EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
END $$;
CREATE TABLE states (state text);
INSERT INTO states VALUES
	('08001'), ('08006'), ('08007'), ('08P01'), ('57P01'), ('57P02'), ('57P03'), ('57P05'), ('HV00N'),
	('0A000'), ('0P000'), ('22023'), ('25006'), ('28000'), ('28P01'), ('2F003'), ('3D000'), ('3F000'),
	('42501'), ('42601'), ('42703'), ('42704'), ('42P01'), ('42P10'), ('55P02'), ('F0000'), ('HV00D'),
	('21000'), ('22003'), ('22P02'), ('22P04'), ('23502'), ('23505'), ('23514'), ('25P02'), ('40001'), ('40P01'),
	('44000'), ('54000'), ('55000'), ('55006'), ('55P03'), ('P0001'), ('P0004'), ('SY001'), ('SY002'), ('SY003'), ('SY006'), ('72000'), ('ZZZZZ'),
	('53100'), ('53200'), ('53300'), ('57014'), ('58030'), ('58P01'), ('XX000'), ('XX001');
DO $$
DECLARE
	one text;
BEGIN
	FOR one IN SELECT state FROM states LOOP
		PERFORM attempt(one);
	END LOOP;
END $$;
SELECT outcome, string_agg(error_sqlstate, ' ' ORDER BY history_id) AS sqlstates
FROM sync_history GROUP BY outcome ORDER BY outcome;
SELECT state FROM states EXCEPT SELECT error_sqlstate FROM sync_history;

-- errors as they come
TRUNCATE sync_history;
CREATE EXTENSION postgres_fdw;
CREATE SERVER nowhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1', dbname 'none');
CREATE SERVER unmapped FOREIGN DATA WRAPPER postgres_fdw;
CREATE USER MAPPING FOR CURRENT_USER SERVER nowhere OPTIONS (user 'nobody', password 'secret');
SELECT sync_create_stream('nowhere', 'target', '{id}', 'SELECT 1 AS id', 'nowhere');
SELECT sync_create_stream('unmapped', 'target', '{id}', 'SELECT 1 AS id', 'unmapped');
SELECT left(complaint($$SELECT sync_run('nowhere')$$), 5) LIMIT 1;
SELECT left(complaint($$SELECT sync_run('unmapped')$$), 5) LIMIT 1;
SELECT left(complaint($$SELECT sync_upsert('target', 'SELECT 1 AS id FROM nothing', '{id}')$$), 5) LIMIT 1;
SELECT left(complaint($$SELECT sync_upsert('target', 'SELECT 0 AS id', '{id}')$$), 5) LIMIT 1;
SELECT inserted FROM sync_upsert('target', 'SELECT 1 AS id', '{id}');
SELECT count(*) > 0 FROM sync_progress(false, rule => 'none');
SELECT operation, subject, status, outcome, error_sqlstate FROM sync_history ORDER BY history_id;

-- the words are these, and go with the SQLSTATE
\set VERBOSITY sqlstate
INSERT INTO sync_history (operation, environment, run_by, status, outcome, started_at, duration)
VALUES ('progress', 'production', 'me', 'failed', 'bad luck', now(), '0');
INSERT INTO sync_history (operation, environment, run_by, status, outcome, started_at, duration)
VALUES ('progress', 'production', 'me', 'failed', 'sql', now(), '0');
INSERT INTO sync_history (operation, environment, run_by, status, outcome, started_at, duration, error_sqlstate)
VALUES ('progress', 'production', 'me', 'success', 'success', now(), '0', '22012');

\set QUIET
SET client_min_messages = warning;
SELECT sync_drop_stream('nowhere'), sync_drop_stream('unmapped') \g /dev/null
DROP EXTENSION postgres_fdw CASCADE;
DROP SCHEMA outcome CASCADE;
