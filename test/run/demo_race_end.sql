
SELECT key, state, remote_id FROM sync_pushed WHERE push_name = 'runsignup_push_results' ORDER BY pushed_at, remote_id LIMIT 4;
SELECT r ->> 'operation' AS operation, r ->> 'provider_name' AS provider, r ->> 'status' AS status
	FROM jsonb_array_elements(sync_status(7, 5) -> 'recent_syncs') AS r;
