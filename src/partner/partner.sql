-- Race-timing partners: what of their providers is kept, and when it is due.

CREATE FUNCTION sync_create_provider_tables(provider text, schema text DEFAULT NULL)
	RETURNS SETOF text
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'sync_sql_create_provider_tables';
REVOKE ALL ON FUNCTION sync_create_provider_tables(text, text) FROM PUBLIC;
COMMENT ON FUNCTION sync_create_provider_tables(text, text) IS
'Make what a provider''s records are kept in: for each endpoint with a feed a table of its name, with timing_partner_id and fetched_date, and a stream that fills it; and the views unified_events, unified_participants and unified_results over all such tables in the schema. Tables that are there already are given the columns that they lack. Returns the names of the tables that were made.
schema: NULL, the first of the search_path.
Errors: 42704 no such provider, 3F000 no such schema, 55000 nothing of it is kept, 42501 no right to make tables there.';
