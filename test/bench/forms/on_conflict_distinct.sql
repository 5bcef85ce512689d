-- Rows that are right are locked and left.
INSERT INTO athlete_dim AS d SELECT athlete_uuid, full_name, now() FROM staged
ON CONFLICT (athlete_uuid) DO UPDATE SET full_name = excluded.full_name, source_synced_at = excluded.source_synced_at
WHERE d.full_name IS DISTINCT FROM excluded.full_name;
