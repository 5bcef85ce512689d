-- Export: definitions for version control.

CREATE FUNCTION sync_export() RETURNS SETOF text
	LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'sync_sql_export';
REVOKE ALL ON FUNCTION sync_export() FROM PUBLIC;
COMMENT ON FUNCTION sync_export() IS
'The SQL that makes all definitions again, one statement a row, in an order in which it runs: progress rules that are not as they were shipped, which of them are tracked, streams and their checks, operation types, providers and their endpoints. What is as it would be anyway is left out, and nothing of it depends on settings, so that two exports can be compared. History, watermarks, rejects and credentials are no definitions.';
