-- Every row is written again.
INSERT INTO athlete_dim AS d SELECT athlete_uuid, full_name, now() FROM staged
ON CONFLICT (athlete_uuid) DO UPDATE SET full_name = excluded.full_name, source_synced_at = excluded.source_synced_at;
