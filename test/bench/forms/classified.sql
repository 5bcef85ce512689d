-- One join finds what differs; that is kept and written.
CREATE TEMP TABLE delta AS SELECT s.athlete_uuid, s.full_name, t.athlete_uuid IS NULL AS is_new FROM staged s
LEFT JOIN athlete_dim t USING (athlete_uuid) WHERE t.athlete_uuid IS NULL OR t.full_name IS DISTINCT FROM s.full_name;
UPDATE athlete_dim d SET full_name = s.full_name, source_synced_at = now() FROM delta s
WHERE d.athlete_uuid = s.athlete_uuid AND NOT s.is_new;
INSERT INTO athlete_dim SELECT athlete_uuid, full_name, now() FROM delta WHERE is_new ORDER BY athlete_uuid;
