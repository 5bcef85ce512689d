MERGE INTO athlete_dim d USING staged s ON d.athlete_uuid = s.athlete_uuid
WHEN MATCHED AND d.full_name IS DISTINCT FROM s.full_name
	THEN UPDATE SET full_name = s.full_name, source_synced_at = now()
WHEN NOT MATCHED THEN INSERT VALUES (s.athlete_uuid, s.full_name, now());
