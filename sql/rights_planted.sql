-- functions and operators that somebody plants in a search_path are never run with the owner's rights
\pset format unaligned
\pset tuples_only
CREATE ROLE regress_planter;
CREATE SCHEMA planted AUTHORIZATION regress_planter;
CREATE SCHEMA rights_planted AUTHORIZATION regress_planter;
GRANT EXECUTE ON FUNCTION sync_progress, sync_progress_drift, sync_progress_analyze,
	sync_track_progress, sync_untrack_progress, sync_progress_note TO regress_planter;
GRANT SELECT, INSERT, UPDATE, DELETE ON sync_progress_rules TO regress_planter;
SET ROLE regress_planter;
SET search_path = rights_planted, public;
CALL football();

-- each one notes who runs it, and answers as the one that it hides
CREATE TABLE planted.caught (who name, what text);
CREATE FUNCTION planted.note(what text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO planted.caught VALUES (current_user, what);
	RETURN true;
END $$;
CREATE FUNCTION planted.now() RETURNS timestamptz LANGUAGE sql AS
$$ SELECT CASE WHEN planted.note('now') THEN pg_catalog.now() END $$;
CREATE FUNCTION planted.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS
$$ SELECT CASE WHEN planted.note('clock_timestamp') THEN pg_catalog.clock_timestamp() END $$;
CREATE FUNCTION planted.quote_ident(text) RETURNS text LANGUAGE sql AS
$$ SELECT CASE WHEN planted.note('quote_ident') THEN pg_catalog.quote_ident($1) END $$;
CREATE FUNCTION planted.format(text, name, name, name) RETURNS text LANGUAGE sql AS
$$ SELECT CASE WHEN planted.note('format') THEN pg_catalog.format($1, $2, $3, $4) END $$;
CREATE FUNCTION planted.format(text, text, text) RETURNS text LANGUAGE sql AS
$$ SELECT CASE WHEN planted.note('format') THEN pg_catalog.format($1, $2, $3) END $$;
CREATE FUNCTION planted.to_regclass(text) RETURNS regclass LANGUAGE sql AS
$$ SELECT CASE WHEN planted.note('to_regclass') THEN pg_catalog.to_regclass($1) END $$;
CREATE FUNCTION planted.jsonb_typeof(jsonb) RETURNS text LANGUAGE sql AS
$$ SELECT CASE WHEN planted.note('jsonb_typeof') THEN pg_catalog.jsonb_typeof($1) END $$;
CREATE FUNCTION planted.array_position(text[], text) RETURNS int LANGUAGE sql AS
$$ SELECT CASE WHEN planted.note('array_position') THEN pg_catalog.array_position($1, $2) END $$;
CREATE FUNCTION planted.cardinality(text[]) RETURNS int LANGUAGE sql AS
$$ SELECT CASE WHEN planted.note('cardinality') THEN pg_catalog.cardinality($1) END $$;
CREATE FUNCTION planted.equals(text, text) RETURNS boolean LANGUAGE sql AS
$$ SELECT planted.note('=') AND $1 OPERATOR(pg_catalog.=) $2 $$;
CREATE OPERATOR planted.= (LEFTARG = text, RIGHTARG = text, FUNCTION = planted.equals);
CREATE FUNCTION planted.equals(name, text) RETURNS boolean LANGUAGE sql AS
$$ SELECT planted.note('= of names') AND $1 OPERATOR(pg_catalog.=) $2 $$;
CREATE OPERATOR planted.= (LEFTARG = name, RIGHTARG = text, FUNCTION = planted.equals);
CREATE FUNCTION planted.differs(text, text) RETURNS boolean LANGUAGE sql AS
$$ SELECT planted.note('<>') AND $1 OPERATOR(pg_catalog.<>) $2 $$;
CREATE OPERATOR planted.<> (LEFTARG = text, RIGHTARG = text, FUNCTION = planted.differs);
CREATE FUNCTION planted.concat(text, text) RETURNS text LANGUAGE sql AS
$$ SELECT CASE WHEN planted.note('||') THEN $1 OPERATOR(pg_catalog.||) $2 END $$;
CREATE OPERATOR planted.|| (LEFTARG = text, RIGHTARG = text, FUNCTION = planted.concat);
CREATE FUNCTION planted.minus(timestamptz, timestamptz) RETURNS interval LANGUAGE sql AS
$$ SELECT CASE WHEN planted.note('-') THEN $1 OPERATOR(pg_catalog.-) $2 END $$;
CREATE OPERATOR planted.- (LEFTARG = timestamptz, RIGHTARG = timestamptz, FUNCTION = planted.minus);

-- all that the extension does for this role
SET search_path = planted, pg_catalog, rights_planted, public;
INSERT INTO sync_progress_rules (rule_name, label, evidence, key_columns, progress, insert_columns)
VALUES ('planted', 'plants', 'teams', '{competition_id}', 'competition_progress',
	'{"competition_url": {"fallback": "''x''"}}');
SELECT sync_track_progress('planted');
CALL field('EPL', 2022, 2023, 2);
UPDATE teams SET season_year = 2024;
SELECT count(*) > 0 FROM sync_progress();
SELECT count(*) > 0 FROM sync_progress_drift();
SELECT count(*) > 0 FROM sync_progress_analyze();
SELECT count(*) > 0 FROM sync_progress(false);
SELECT count(*) > 0 FROM sync_progress(false, rule => 'planted');
SELECT left(max(line), 5) FROM complaint('SELECT sync_progress(false, ''nobody'')') AS line;
SELECT sync_untrack_progress('planted');
DELETE FROM sync_progress_rules WHERE rule_name OPERATOR(pg_catalog.=) 'planted';

-- they were run, but by nobody else
RESET ROLE;
SET search_path = pg_catalog;
SELECT who, count(*) > 0 FROM planted.caught GROUP BY who;
SELECT DISTINCT what FROM planted.caught ORDER BY what;

\set QUIET
SET client_min_messages = warning;
REVOKE ALL ON public.sync_progress_rules FROM regress_planter;
DROP SCHEMA planted CASCADE;
DROP SCHEMA rights_planted CASCADE;
DROP OWNED BY regress_planter;
DROP ROLE regress_planter;
