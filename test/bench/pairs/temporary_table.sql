-- seasons once into a temporary table, the rest from there
CREATE TEMPORARY TABLE season ON COMMIT DROP AS
	SELECT competition_id, season_year, count(*) AS clubs FROM teams GROUP BY 1, 2;
ANALYZE season;
UPDATE season_progress AS p
	SET status = 'completed', completed_at = now(), clubs_saved = clubs
	FROM season AS t
	WHERE (p.competition_id, p.season_year) = (t.competition_id, t.season_year)
		AND (p.status, p.clubs_saved) IS DISTINCT FROM ('completed', clubs);
INSERT INTO season_progress
		(competition_id, season_id, season_year, status, completed_at, clubs_saved)
	SELECT competition_id, season_year, season_year, 'completed', now(), clubs
	FROM season AS t
	WHERE NOT EXISTS (SELECT FROM season_progress AS p
		WHERE (p.competition_id, p.season_year) = (t.competition_id, t.season_year));
CREATE TEMPORARY TABLE competition ON COMMIT DROP AS
	SELECT competition_id, count(*) AS seasons FROM season GROUP BY 1;
ANALYZE competition;
UPDATE competition_progress AS p
	SET status = 'completed', completed_at = now(), seasons_discovered = seasons
	FROM competition AS t
	WHERE p.competition_id = t.competition_id
		AND (p.status, p.seasons_discovered) IS DISTINCT FROM ('completed', seasons);
INSERT INTO competition_progress
		(competition_id, competition_url, status, completed_at, seasons_discovered)
	SELECT competition_id, coalesce(url, 'MISSING_URL_FOR_' || competition_id), 'completed', now(), seasons
	FROM competition AS t LEFT JOIN competitions USING (competition_id)
	WHERE NOT EXISTS (SELECT FROM competition_progress AS p WHERE p.competition_id = t.competition_id);
