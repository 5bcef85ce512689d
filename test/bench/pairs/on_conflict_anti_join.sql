-- INSERT ... ON CONFLICT of what differs, counted in two steps
INSERT INTO competition_progress
		(competition_id, competition_url, status, completed_at, seasons_discovered)
	SELECT competition_id, coalesce(url, 'MISSING_URL_FOR_' || competition_id), 'completed', now(), seasons
	FROM (SELECT competition_id, count(*) AS seasons
			FROM (SELECT DISTINCT competition_id, season_year FROM teams) AS s GROUP BY 1) AS t
		LEFT JOIN competitions USING (competition_id)
		LEFT JOIN competition_progress AS p USING (competition_id)
	WHERE p.status IS DISTINCT FROM 'completed' OR p.seasons_discovered IS DISTINCT FROM seasons
	ON CONFLICT (competition_id) DO UPDATE
		SET status = excluded.status, completed_at = excluded.completed_at,
			seasons_discovered = excluded.seasons_discovered;
INSERT INTO season_progress
		(competition_id, season_id, season_year, status, completed_at, clubs_saved)
	SELECT competition_id, season_year, season_year, 'completed', now(), clubs
	FROM (SELECT competition_id, season_year, count(*) AS clubs FROM teams GROUP BY 1, 2) AS t
		LEFT JOIN season_progress AS p USING (competition_id, season_year)
	WHERE p.status IS DISTINCT FROM 'completed' OR p.clubs_saved IS DISTINCT FROM clubs
	ON CONFLICT (competition_id, season_year) DO UPDATE
		SET status = excluded.status, completed_at = excluded.completed_at, clubs_saved = excluded.clubs_saved;
