
SELECT timing_partner_id AS partner, push_name, state, count(*) FROM sync_pushed GROUP BY 1, 2, 3;

-- The race is run. What schedules do each half hour: the results.
SELECT sync_trigger('results') > 0 AS triggered;
