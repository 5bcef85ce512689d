-- The tables of the benchmark: competitions of 10 seasons of 10 teams, as many as
-- the variable "competitions" says; every tenth has no URL.

CREATE EXTENSION sync_ext;

CREATE TABLE competitions (
	competition_id text PRIMARY KEY,
	name text NOT NULL,
	url text);
CREATE TABLE teams (
	team_id bigint PRIMARY KEY,
	competition_id text NOT NULL,
	season_year integer NOT NULL,
	team_name text NOT NULL);
CREATE TABLE competition_progress (
	competition_id text PRIMARY KEY,
	competition_url text NOT NULL,
	status text NOT NULL,
	seasons_discovered integer,
	completed_at timestamptz);
CREATE TABLE season_progress (
	competition_id text,
	season_id text NOT NULL,
	season_year integer,
	status text NOT NULL,
	completed_at timestamptz,
	clubs_saved integer,
	PRIMARY KEY (competition_id, season_year));

INSERT INTO competitions
	SELECT 'C' || lpad(n::text, 5, '0'), 'Competition ' || n,
		CASE WHEN n % 10 > 0 THEN 'https://example.org/competitions/' || n END
	FROM generate_series(1, :competitions) AS n;
INSERT INTO teams
	SELECT row_number() OVER (), competition_id, year, 'Club ' || n || ' of ' || name
	FROM competitions, generate_series(2015, 2024) AS year, generate_series(1, 10) AS n;
CREATE INDEX ON teams (competition_id, season_year);
CREATE TABLE teams_copy AS TABLE teams;

-- What a hand-written trigger notes, for comparison.
CREATE TABLE competition_notes (competition_id text);
CREATE TABLE season_notes (competition_id text, season_year integer);
CREATE FUNCTION note_teams() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO competition_notes SELECT DISTINCT competition_id FROM added;
	INSERT INTO season_notes SELECT DISTINCT competition_id, season_year FROM added;
	RETURN NULL;
END $$;

-- Take every trigger off the teams.
CREATE PROCEDURE drop_triggers() LANGUAGE plpgsql AS $$
DECLARE
	attached name;
BEGIN
	FOR attached IN SELECT tgname FROM pg_trigger WHERE tgrelid = 'teams'::regclass LOOP
		EXECUTE format('DROP TRIGGER %I ON teams', attached);
	END LOOP;
END $$;

-- Where every way starts: half of the progress rows are there as pending, the other
-- half is missing.
CREATE PROCEDURE reset_progress() LANGUAGE SQL AS $$
	TRUNCATE competition_progress, season_progress;
	INSERT INTO competition_progress
		SELECT competition_id, coalesce(url, 'MISSING_URL_FOR_' || competition_id), 'pending'
		FROM competitions
		WHERE right(competition_id, 1) IN ('0', '2', '4', '6', '8');
	INSERT INTO season_progress
		SELECT competition_id, year, year, 'pending'
		FROM competitions, generate_series(2016, 2024, 2) AS year;
$$;

-- Where every way has to end: the progress rows that are missing, too many or other
-- than the teams say are none.
CREATE VIEW wrong AS
	SELECT competition_id, NULL::integer AS season_year
	FROM (SELECT competition_id, count(DISTINCT season_year) AS seasons FROM teams GROUP BY 1) AS t
		LEFT JOIN competitions USING (competition_id)
		FULL JOIN competition_progress AS p USING (competition_id)
	WHERE (p.status, p.seasons_discovered, p.competition_url, p.completed_at IS NULL)
		IS DISTINCT FROM ('completed', seasons, coalesce(url, 'MISSING_URL_FOR_' || competition_id), false)
	UNION ALL
	SELECT competition_id, season_year
	FROM (SELECT competition_id, season_year, count(*) AS clubs FROM teams GROUP BY 1, 2) AS t
		FULL JOIN season_progress AS p USING (competition_id, season_year)
	WHERE (p.status, p.clubs_saved, p.season_id, p.completed_at IS NULL)
		IS DISTINCT FROM ('completed', clubs, season_year::text, false);

VACUUM ANALYZE;
