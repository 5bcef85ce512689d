
SELECT timing_partner_id AS partner, provider_name, count(*) AS participants FROM race.unified_participants GROUP BY 1, 2 ORDER BY 1, 2;

-- RunSignUp's event 71001 is timed by Copernico. Its starters go there, once.
SELECT count(sync_link_events(partner, 'runsignup', '71001', 'copernico', 'harbor-2026', '{"race_id": 501}',
	'{"login": "ana@example.org", "preset": "Todas las categorías", "event": "10K"}')) AS linked FROM unnest('{7,8}'::bigint[]) AS partner;
SELECT action, key, method FROM sync_push_diff('copernico_push_participants', max_rows => 3, timing_partner_id => 7);
SELECT sync_trigger('push_participants') > 0 AS triggered;
