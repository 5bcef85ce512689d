-- what the extension brings
CREATE EXTENSION sync_ext;
SHOW sync_ext.environment;

-- every object has a comment, and so has every column of its tables (from version
-- 17 on, the row types of tables are members of the extension too)
CREATE VIEW brought AS
SELECT classid, objid, pg_describe_object(classid, objid, 0) AS object
FROM pg_depend
WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
  AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'sync_ext');

SELECT object FROM brought
WHERE obj_description(objid, classid::regclass::name) IS NULL
  AND NOT (classid = 'pg_class'::regclass
	AND objid IN (SELECT oid FROM pg_class WHERE relkind = 'S'))
  AND NOT (classid = 'pg_type'::regclass
	AND objid IN (SELECT unnest(ARRAY[t.oid, t.typarray]) FROM pg_type t WHERE t.typrelid <> 0));
SELECT object, attname FROM brought
JOIN pg_attribute ON attrelid = objid AND attnum > 0
JOIN pg_class c ON c.oid = attrelid AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
WHERE classid = 'pg_class'::regclass AND col_description(objid, attnum) IS NULL;

-- all of it is named sync_, and PUBLIC has no right on any of it but to ask who it is
SELECT object FROM brought
WHERE classid IN ('pg_class'::regclass, 'pg_proc'::regclass)
  AND object !~ ' (public\.)?sync_';
SELECT object FROM brought JOIN pg_proc p ON p.oid = objid
WHERE classid = 'pg_proc'::regclass
  AND has_function_privilege('pg_read_all_settings', objid, 'EXECUTE');
SELECT object FROM brought JOIN pg_class c ON c.oid = objid
WHERE classid = 'pg_class'::regclass AND relkind <> 'S'
  AND has_table_privilege('pg_read_all_settings', objid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE');

-- the two rules that come with it
SELECT rule_name, position, enabled, label, evidence, key_columns, progress, shipped
FROM sync_progress_rules ORDER BY position;

-- what is no part of it: what the other tests begin with
CREATE PROCEDURE football() LANGUAGE plpgsql AS $$
BEGIN
	CREATE TABLE teams (competition_id text, season_year int, club_name text);
	CREATE TABLE competitions (competition_id text PRIMARY KEY, "URL" text);
	CREATE TABLE competition_progress (
		competition_id text PRIMARY KEY, competition_url text,
		status text NOT NULL DEFAULT 'pending', seasons_discovered int,
		completed_at timestamptz);
	CREATE TABLE season_progress (
		competition_id text, season_id text, season_year int,
		status text NOT NULL DEFAULT 'pending', completed_at timestamptz,
		clubs_saved int, PRIMARY KEY (competition_id, season_year));
	INSERT INTO competitions VALUES
		('EPL', 'https://example.org/epl'), ('LIGA', 'https://example.org/liga');
END $$;
CREATE PROCEDURE field(competition text, first int, last int, clubs int)
LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO teams (competition_id, season_year, club_name)
	SELECT competition, year, 'Club ' || club
	FROM generate_series(first, last) AS year, generate_series(1, clubs) AS club;
END $$;

-- the error that a statement raises, without what the server adds of its own
CREATE FUNCTION complaint(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	message text;
	detail text;
	hint text;
	context text;
BEGIN
	EXECUTE statement;
	RETURN NEXT 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
		hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
	RETURN NEXT SQLSTATE || ' ' || message;
	RETURN QUERY SELECT '  DETAIL ' || line FROM string_to_table(detail, E'\n') AS line WHERE detail <> '';
	RETURN QUERY SELECT '  HINT ' || hint WHERE hint <> '';
	RETURN QUERY SELECT '  CONTEXT ' || line FROM string_to_table(context, E'\n') AS line
		WHERE line ~ 'progress rule';
END $$;
