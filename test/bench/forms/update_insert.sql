UPDATE athlete_dim d SET full_name = s.full_name, source_synced_at = now() FROM staged s
WHERE s.athlete_uuid = d.athlete_uuid AND d.full_name IS DISTINCT FROM s.full_name;
INSERT INTO athlete_dim SELECT athlete_uuid, full_name, now() FROM staged s
WHERE NOT EXISTS (SELECT FROM athlete_dim t WHERE t.athlete_uuid = s.athlete_uuid);
