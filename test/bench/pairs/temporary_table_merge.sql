-- seasons once into a temporary table, MERGE from there
CREATE TEMPORARY TABLE season ON COMMIT DROP AS
	SELECT competition_id, season_year, count(*) AS clubs FROM teams GROUP BY 1, 2;
ANALYZE season;
MERGE INTO season_progress AS p
	USING season AS t
	ON (p.competition_id, p.season_year) = (t.competition_id, t.season_year)
	WHEN NOT MATCHED THEN
		INSERT (competition_id, season_id, season_year, status, completed_at, clubs_saved)
		VALUES (t.competition_id, t.season_year, t.season_year, 'completed', now(), clubs)
	WHEN MATCHED AND (p.status, p.clubs_saved) IS DISTINCT FROM ('completed', clubs) THEN
		UPDATE SET status = 'completed', completed_at = now(), clubs_saved = clubs;
MERGE INTO competition_progress AS p
	USING (SELECT competition_id, url, seasons
		FROM (SELECT competition_id, count(*) AS seasons FROM season GROUP BY 1) AS t
			LEFT JOIN competitions USING (competition_id)) AS t
	ON p.competition_id = t.competition_id
	WHEN NOT MATCHED THEN
		INSERT (competition_id, competition_url, status, completed_at, seasons_discovered)
		VALUES (t.competition_id, coalesce(url, 'MISSING_URL_FOR_' || t.competition_id), 'completed', now(), seasons)
	WHEN MATCHED AND (p.status, p.seasons_discovered) IS DISTINCT FROM ('completed', seasons) THEN
		UPDATE SET status = 'completed', completed_at = now(), seasons_discovered = seasons;
