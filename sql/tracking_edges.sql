-- what befalls a tracked rule beside changes of its evidence
\pset format unaligned
\pset tuples_only
SET client_min_messages = warning;
CREATE SCHEMA tracking_edges;
SET search_path = tracking_edges, public;
CALL football();
CALL field('EPL', 2020, 2021, 1);
SELECT sync_track_progress('season');
SELECT count(*) > 0 FROM sync_progress(false);

-- a rule of the same name is not put in its place where the triggers would stay behind
SELECT complaint($$INSERT INTO sync_progress_rules (rule_name, label, evidence, key_columns, progress)
	VALUES ('season', 'seasons', 'clubs', '{competition_id,season_year}', 'season_progress')$$);
SELECT complaint($$INSERT INTO sync_progress_rules (rule_name, label, evidence, key_columns, progress)
	VALUES ('season', 'seasons', 'public.teams', '{competition_id,season_year}', 'season_progress')$$);
SELECT complaint($$INSERT INTO sync_progress_rules (rule_name, label, evidence, key_columns, progress)
	VALUES ('season', 'seasons', 'clubs', '{competition_id,season_year}', 'season_progress')
	ON CONFLICT (rule_name) DO UPDATE SET evidence = excluded.evidence$$);
SELECT evidence, shipped FROM sync_progress_rules WHERE rule_name = 'season';
BEGIN;
INSERT INTO sync_progress_rules (rule_name, label, evidence, key_columns, progress, counters)
VALUES ('season', 'seasons', '"tracking_edges" . teams', '{competition_id,season_year}', 'season_progress',
	'{"clubs_saved": "count(*) + 1"}');
SELECT line FROM sync_progress(false, rule => 'season') AS line WHERE line ~ 'pdated|only what';
INSERT INTO teams VALUES ('EPL', 2021);
SELECT line FROM sync_progress(false, rule => 'season') AS line WHERE line ~ 'pdated|only what';
ROLLBACK;
SELECT sync_untrack_progress('season');
BEGIN;
INSERT INTO sync_progress_rules (rule_name, label, evidence, key_columns, progress)
VALUES ('season', 'seasons', 'clubs', '{competition_id,season_year}', 'season_progress');
SELECT evidence FROM sync_progress_rules WHERE rule_name = 'season';
ROLLBACK;

-- labels of an enum that are renamed, and change places: notes of the old ones are not taken for new ones
CREATE TYPE league AS ENUM ('one', 'two', 'three');
CREATE DOMAIN own_league AS league;
CREATE PROCEDURE rename_labels() LANGUAGE plpgsql AS $$
BEGIN
	ALTER TYPE league RENAME VALUE 'one' TO 'other';
	ALTER TYPE league RENAME VALUE 'two' TO 'one';
	ALTER TYPE league RENAME VALUE 'other' TO 'two';
END $$;
CREATE FUNCTION left_to_do(type text) RETURNS TABLE (tracked boolean, left_to_do bigint) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TABLE marks (league %s, mark text)', type);
	EXECUTE format('CREATE TABLE mark_progress (league %s, status text, completed_at timestamptz, marks int)', type);
	INSERT INTO sync_progress_rules (rule_name, label, evidence, key_columns, progress, counters)
	VALUES ('mark', 'leagues', 'marks', '{league}', 'mark_progress', '{"marks": "count(*)"}');
	PERFORM sync_track_progress('mark');
	PERFORM sync_progress(false, rule => 'mark');
	EXECUTE format('INSERT INTO marks VALUES (%L)', CASE type WHEN 'league[]' THEN '{one}' ELSE 'one' END);
	CALL rename_labels();
	PERFORM sync_progress(false, rule => 'mark');
	RETURN QUERY SELECT (details -> 'mark' ->> 'tracked')::boolean,
		(SELECT count(*) FROM sync_progress_drift(rule => 'mark')) FROM sync_history ORDER BY history_id DESC LIMIT 1;
	PERFORM sync_untrack_progress('mark');
	DROP TABLE marks, mark_progress;
	DELETE FROM sync_progress_rules WHERE rule_name = 'mark';
END $$;
SELECT * FROM left_to_do('league');
SELECT * FROM left_to_do('own_league');
SELECT * FROM left_to_do('league[]');

-- more rules than plans are kept for, run twice: each is applied
CREATE TABLE many (a int, n int);
INSERT INTO many SELECT i % 3, i FROM generate_series(1, 9) AS i;
DO $$
BEGIN
	FOR i IN 1..60 LOOP
		EXECUTE format('CREATE TABLE many_%s (a int, status text, completed_at timestamptz, n int)', i);
		INSERT INTO sync_progress_rules (rule_name, label, evidence, evidence_filter, key_columns, progress, counters)
		VALUES ('many_' || i, 'rows', 'many', 'n > -' || i, '{a}', 'many_' || i, '{"n": "count(*)"}');
		PERFORM sync_track_progress('many_' || i);
	END LOOP;
END $$;
SELECT count(*) > 0 FROM sync_progress(false);
DO $$
BEGIN
	FOR i IN 1..3 LOOP
		INSERT INTO many VALUES (i, 1);
		PERFORM sync_progress(false);
	END LOOP;
END $$;
SELECT count(*) FROM sync_progress_drift() WHERE rule_name ~ '^many';
SELECT count(*) FILTER (WHERE (value ->> 'tracked')::boolean), sum((value ->> 'keys')::int) FROM jsonb_each(
	(SELECT details FROM sync_history ORDER BY history_id DESC LIMIT 1)) WHERE key ~ '^many';
-- the plans that were used last are there, and not those of all
SELECT count(DISTINCT substring(ident FROM 'LEFT JOIN (tracking_edges.many_\d+) ')) AS runs,
	count(*) FILTER (WHERE ident ~ '^LOCK TABLE tracking_edges.many_') < 60 AS forgotten
FROM pg_backend_memory_contexts WHERE name = 'CachedPlanSource';
SELECT count(sync_untrack_progress(rule_name)) FROM sync_progress_rules WHERE rule_name ~ '^many';
DELETE FROM sync_progress_rules WHERE rule_name ~ '^many';

-- one of a thing is called so
CREATE TABLE entries (match text, box text, series text, class text, n int);
CREATE TABLE entry_progress (match text, box text, series text, class text, status text, completed_at timestamptz);
INSERT INTO entries VALUES ('a', 'b', 'c', 'd', 1);
DO $$
BEGIN
	FOR i IN 1..9 LOOP
		INSERT INTO sync_progress_rules (rule_name, label, evidence, key_columns, progress)
		VALUES ('r' || i, (ARRAY['matches', 'boxes', 'entries', 'classes', 'buses', 'statuses', 'races', 'Spiele', 's'])[i],
			'entries', '{match,box}', 'entry_progress');
	END LOOP;
END $$;
SELECT line FROM sync_progress_rules, sync_progress(rule => rule_name) AS line
WHERE rule_name ~ '^r\d' AND line ~ 'Processing' ORDER BY rule_name;
SELECT sync_progress(rule => 'r1');
INSERT INTO entries VALUES ('a', 'b', 'c', 'd', 1), ('a', 'c', 'c', 'd', 1);
SELECT sync_progress(rule => 'r1', max_details => 1);
DELETE FROM sync_progress_rules WHERE rule_name ~ '^r\d';

\set QUIET
SET client_min_messages = warning;
DELETE FROM sync_progress_notes;
DROP SCHEMA tracking_edges CASCADE;
