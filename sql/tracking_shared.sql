-- tracked rules that read their evidence once leave what they leave one by one
\pset format unaligned
\pset tuples_only
SET client_min_messages = warning;
CREATE SCHEMA tracking_shared;
SET search_path = tracking_shared, public;
CALL football();
CALL field('EPL', 2010, 2019, 5);
CALL field('LIGA', 2010, 2019, 5);
CALL field('SERIE A', 2010, 2019, 5);
SELECT count(sync_track_progress(rule_name)) FROM sync_progress_rules;
SELECT count(*) > 0 FROM sync_progress(false);

-- How many statements there are that read the evidence of touched keys once for two rules
CREATE FUNCTION shared() RETURNS bigint LANGUAGE sql AS $$
	SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'CachedPlanSource' AND ident ~ '^WITH sync_parts ' $$;

-- What the progress relations have
CREATE FUNCTION state() RETURNS text[] LANGUAGE sql AS $$
	SELECT array_agg(row ORDER BY row) FROM (SELECT c::text FROM competition_progress c
		UNION ALL SELECT s::text FROM season_progress s) AS rows (row) $$;

-- What two ways to take the notes there are leave, one for both rules and one by one: the rows in which they differ,
-- what they did, and what is left to do
CREATE FUNCTION differ() RETURNS TABLE (
	differences bigint, at_once text, one_by_one text, left_to_do bigint) LANGUAGE plpgsql AS $$
DECLARE
	together text[];
BEGIN
	BEGIN
		PERFORM sync_progress(false);
		together := state();
		SELECT concat_ws(' ', rows_read, h.inserted, updated, unchanged) INTO at_once
		FROM sync_history h ORDER BY history_id DESC LIMIT 1;
		RAISE 'taken back';
	EXCEPTION WHEN raise_exception THEN
		NULL;
	END;
	PERFORM sync_progress(false, rule => 'competition'), sync_progress(false, rule => 'season');
	RETURN QUERY SELECT (SELECT count(*) FROM unnest(together) AS a FULL JOIN unnest(state()) AS b ON a = b
			WHERE a IS DISTINCT FROM b), at_once,
		(SELECT concat_ws(' ', sum(rows_read), sum(h.inserted), sum(updated), sum(unchanged)) FROM
			(SELECT * FROM sync_history ORDER BY history_id DESC LIMIT 2) AS h),
		(SELECT count(*) FROM sync_progress_drift());
END $$;

-- the report is that of a full run, but for what was not touched
INSERT INTO teams VALUES ('EPL', 2019, 'New'), ('EPL', 2020, 'New'), ('NEW', 2020, 'New');
UPDATE season_progress SET status = 'pending' WHERE season_year < 2012;
SELECT sync_progress();
SELECT sync_progress(max_details => 1);
SELECT * FROM differ();
SELECT shared() > 0;
SELECT sync_progress("full" => true);
SELECT count(*) > 0 FROM sync_progress(false, "full" => true);

-- seasons that are gone, or never were
DELETE FROM teams WHERE competition_id = 'LIGA' AND season_year = 2010 OR competition_id = 'NEW';
UPDATE teams SET season_year = 2025 WHERE competition_id = 'LIGA' AND season_year = 2011;
DELETE FROM season_progress WHERE season_year = 2010;
SELECT * FROM differ();

-- nothing was touched
SELECT * FROM differ();

-- not all that one rule is to read was touched for the other
INSERT INTO teams VALUES ('EPL', 2019, 'Newer');
SELECT count(*) > 0 FROM sync_progress(false, rule => 'competition');
INSERT INTO teams VALUES ('LIGA', 2019, 'Newer');
SELECT sync_progress();
SELECT * FROM differ();
INSERT INTO teams VALUES ('EPL', 2019, 'Newest');
SELECT count(*) > 0 FROM sync_progress(false, rule => 'season');
SELECT * FROM differ();

-- keys without a value
INSERT INTO teams VALUES ('EPL', NULL, 'Lost'), (NULL, 2019, 'Lost'), ('LIGA', 2019, 'Found');
SELECT * FROM differ();

-- in the other order, and more keys than plans are kept for
BEGIN;
UPDATE sync_progress_rules SET position = 5 WHERE rule_name = 'season';
SELECT count(*) > 0 FROM sync_progress(false);
INSERT INTO teams VALUES ('EPL', 2019, 'Other'), ('SERIE A', 2021, 'Other');
SELECT sync_progress();
SELECT * FROM differ();
INSERT INTO teams SELECT 'C' || c, 1800 + s, 'Many' FROM generate_series(1, 30) AS c, generate_series(1, 10) AS s;
SELECT * FROM differ();
ROLLBACK;

-- how much memory a run may take is its own affair
SHOW work_mem;
ALTER TABLE competition_progress ADD CHECK (competition_id <> 'ITALY');
INSERT INTO teams SELECT 'ITALY', 2000 + s, 'Many' FROM generate_series(1, 3) AS s;
SELECT line FROM complaint('SELECT sync_progress(false, "full" => true)') AS line WHERE line !~ 'DETAIL';
SHOW work_mem;

SELECT count(sync_untrack_progress(rule_name)) FROM sync_progress_rules;
\set QUIET
DELETE FROM sync_progress_notes;
DROP SCHEMA tracking_shared CASCADE;
