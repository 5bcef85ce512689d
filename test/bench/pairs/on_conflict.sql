-- INSERT ... ON CONFLICT, count(DISTINCT)
INSERT INTO competition_progress AS p
		(competition_id, competition_url, status, completed_at, seasons_discovered)
	SELECT competition_id, coalesce(url, 'MISSING_URL_FOR_' || competition_id), 'completed', now(), seasons
	FROM (SELECT competition_id, count(DISTINCT season_year) AS seasons FROM teams GROUP BY 1) AS t
		LEFT JOIN competitions USING (competition_id)
	ON CONFLICT (competition_id) DO UPDATE
		SET status = excluded.status, completed_at = excluded.completed_at,
			seasons_discovered = excluded.seasons_discovered
		WHERE (p.status, p.seasons_discovered)
			IS DISTINCT FROM (excluded.status, excluded.seasons_discovered);
INSERT INTO season_progress AS p
		(competition_id, season_id, season_year, status, completed_at, clubs_saved)
	SELECT competition_id, season_year, season_year, 'completed', now(), count(*)
	FROM teams
	GROUP BY competition_id, season_year
	ON CONFLICT (competition_id, season_year) DO UPDATE
		SET status = excluded.status, completed_at = excluded.completed_at, clubs_saved = excluded.clubs_saved
		WHERE (p.status, p.clubs_saved) IS DISTINCT FROM (excluded.status, excluded.clubs_saved);
