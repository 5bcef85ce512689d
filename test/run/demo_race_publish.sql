
SELECT place, bib, first_name, last_name, chip_time FROM race.unified_results
	WHERE timing_partner_id = 7 AND provider_name = 'copernico' ORDER BY place LIMIT 4;

-- They are published where people registered, once somebody has approved them.
SELECT sync_approve_results(7, 'runsignup', '71001') > 0 AS approved;
