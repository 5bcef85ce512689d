-- How things are going, as a page.

CREATE FUNCTION sync_report_html(since interval DEFAULT '1 day') RETURNS text
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'sync_sql_report_html';
REVOKE ALL ON FUNCTION sync_report_html(interval) FROM PUBLIC;
COMMENT ON FUNCTION sync_report_html(interval) IS
'A page on the queue and its workers, the runs of the time since so long ago and what failed, the freshness of streams, and alerts. It stands by itself: plots are in it, nothing is fetched, no script is run, and it is plain ASCII. Who may call it sees all of that, whoever it is of. Writes nothing. Error: 22023 not between a second and 100 years.';
