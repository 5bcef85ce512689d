-- what a user is told when something is wrong with the tables, the rules or the arguments: SQLSTATE,
-- message, detail and hint (rules_refused, tracking_refused, rights and readonly have more of them)
\pset format unaligned
\pset tuples_only
CREATE SCHEMA messages;
SET search_path = messages, public;
TRUNCATE sync_history;

-- how psql shows them
SELECT sync_progress(rule => 'none');
\echo :LAST_ERROR_SQLSTATE

-- nothing is there: each relation is named, and so is each column
SELECT complaint('SELECT sync_progress()');
SELECT complaint('SELECT sync_progress_drift()');
SELECT complaint('SELECT sync_progress_analyze()');
SELECT complaint('SELECT sync_progress(rule => ''season'')');
CREATE TABLE teams (season int);
CREATE TABLE competitions (id text);
CREATE TABLE competition_progress (id text, "Status" text);
CREATE TABLE season_progress ();
SELECT complaint('SELECT sync_progress(false)');
SELECT complaint('SELECT sync_progress_analyze()');
DROP TABLE teams, competitions, competition_progress, season_progress;

-- what is there is something else
CALL football();
CALL field('EPL', 2022, 2023, 2);
BEGIN;
DROP TABLE competition_progress, competitions;
CREATE SEQUENCE competition_progress;
CREATE INDEX competitions ON teams (competition_id);
SELECT complaint('SELECT sync_progress(false)');
ROLLBACK;

-- arguments
SELECT complaint('SELECT sync_progress(rule => ''none'')');
SELECT complaint('SELECT sync_progress_drift(rule => '''')');
SELECT complaint('SELECT sync_progress(environment => ''nowhere'')');
SELECT complaint('SELECT sync_progress(false, environment => ''nowhere'')');
SELECT complaint('SELECT sync_progress_drift(environment => ''nowhere'')');
SELECT complaint('SELECT sync_progress_analyze(environment => '''')');
SELECT complaint('SELECT sync_progress(max_details => -2147483648)');
SELECT complaint('SELECT sync_progress(false, ''none'')');
BEGIN;
ALTER TABLE teams ALTER competition_id TYPE int USING 1;
SELECT complaint('SELECT sync_progress(competition => ''EPL'')');
ROLLBACK;

-- expressions that parse, but cannot be computed: the dry run says it as the real one does
CREATE FUNCTION broken(columns text, given text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	dry text[];
BEGIN
	EXECUTE format('UPDATE sync_progress_rules SET (%s) = ROW (%s) WHERE rule_name = ''season''', columns, given);
	dry := ARRAY(SELECT complaint('SELECT sync_progress(rule => ''season'')'));
	RETURN QUERY SELECT complaint('SELECT sync_progress(false, rule => ''season'')');
	IF dry <> ARRAY(SELECT complaint('SELECT sync_progress(false, rule => ''season'')')) THEN
		RETURN QUERY SELECT 'DRY RUN ' || line FROM unnest(dry) AS line;
	END IF;
	RAISE EXCEPTION 'take it back';
EXCEPTION WHEN raise_exception THEN
	RETURN;
END $$;
SELECT broken('evidence_filter', '''no_such_column > 1''');
SELECT broken('evidence_filter', '''season_year''');
SELECT broken('evidence_filter', '''count(*) > 1''');
SELECT broken('evidence_filter', '''season_year / 0 > 1''');
SELECT broken('validation', '''club_name = ''''Club 1''''''');
SELECT broken('validation', '''count(*)''');
SELECT broken('counters', '''{"clubs_saved": "no_such_function(*)"}''');
SELECT broken('counters', '''{"clubs_saved": "max(club_name)"}''');
SELECT broken('counters', '''{"clubs_saved": "club_name"}''');
SELECT broken('counters', '''{"clubs_saved": "sum(season_year) * 1000000"}''');
SELECT broken('counters', '''{"no_such_column": "count(*)"}''');
SELECT broken('counters', '''{"clubs_saved": "count(DISTINCT no_such_column)"}''');
SELECT broken('insert_columns', '''{"season_id": {"fallback": "no_such_column"}}''');
SELECT broken('insert_columns', '''{"season_id": {"fallback": "count(*)"}}''');
SELECT broken('insert_columns', '''{"season_id": {"column": "no_such_column"}}''');
SELECT broken('insert_columns', '''{"season_id": {"lookup": "no_such_table", "column": "x"}}''');
SELECT broken('done_value', '''''');
SELECT broken('status_column, counters', '''clubs_saved'', ''{}''');
SELECT broken('status_column', '''no_such_column''');
SELECT broken('completed_at_column, counters', '''clubs_saved'', ''{}''');
SELECT broken('completed_at_column', '''no_such_column''');
SELECT broken('progress', '''no_such_schema.season_progress''');

-- all of that has written nothing but history
SELECT count(*) FROM season_progress;
SELECT count(*) > 20, count(*) FILTER (WHERE error_message IS NULL OR error_sqlstate IS NULL)
FROM sync_history WHERE status = 'failed';

\set QUIET
SET client_min_messages = warning;
DROP SCHEMA messages CASCADE;
