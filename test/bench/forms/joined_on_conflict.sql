-- Joined first, in the order of the key.
INSERT INTO athlete_dim AS d SELECT s.athlete_uuid, s.full_name, now() FROM staged s
LEFT JOIN athlete_dim t USING (athlete_uuid)
WHERE t.athlete_uuid IS NULL OR t.full_name IS DISTINCT FROM s.full_name ORDER BY s.athlete_uuid
ON CONFLICT (athlete_uuid) DO UPDATE SET full_name = excluded.full_name, source_synced_at = excluded.source_synced_at
WHERE d.full_name IS DISTINCT FROM excluded.full_name;
