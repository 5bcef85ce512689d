
SELECT timing_partner_id AS partner, provider_name, count(*) AS events FROM race.unified_events GROUP BY 1, 2 ORDER BY 1, 2;

-- Now who takes part in them: a task for each event, all of them at once.
SELECT sync_trigger('participants') > 0 AS triggered;
