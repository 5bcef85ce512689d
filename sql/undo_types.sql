-- images give back what was there, of any type and under any settings
\pset format unaligned
\pset tuples_only
\set SHOW_CONTEXT never
CREATE SCHEMA undo_types;
SET search_path = undo_types, public;
CREATE TYPE mood AS ENUM ('so so', 'fine');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN small AS int CHECK (VALUE < 100);
CREATE TABLE many (
	id uuid, "when" date, PRIMARY KEY (id, "when"),
	c_bool boolean, c_int2 int2, c_int8 int8, c_num numeric(20, 5), c_f4 real, c_f8 double precision,
	c_text text, c_char char(5), c_varchar varchar(9), c_name name, c_qchar "char", c_bytea bytea,
	c_ts timestamp(3), c_tstz timestamptz, c_time time, c_timetz timetz, c_interval interval,
	c_json json, c_jsonb jsonb, c_xml xml, c_inet inet, c_cidr cidr, c_mac macaddr,
	c_bit bit(4), c_varbit varbit, c_point point, c_box box, c_range int4range, c_multi datemultirange,
	c_ints int[], c_texts text[][], c_lower int[], c_mood mood, c_moods mood[], c_pair pair, c_pairs pair[], c_small small,
	c_ts_v tsvector, c_ts_q tsquery, c_class regclass, c_oid oid, c_money money, c_lsn pg_lsn,
	c_default timestamptz, c_identity bigint GENERATED ALWAYS AS IDENTITY, c_late timestamptz DEFAULT clock_timestamp());
CREATE FUNCTION rows() RETURNS SETOF many LANGUAGE sql AS $$
	SELECT '00000000-0000-0000-0000-000000000001'::uuid, date '2026-02-03',
		true, 1::int2, 9007199254740993, 12345.67891, real '0.1', float8 '0.1' + float8 '0.2',
		E'a,"b"\\ {}\n NULL', 'ab', ' v ', 'n'::name, 'q'::"char", '\xdeadbeef'::bytea,
		timestamp '2026-02-03 04:05:06.789', timestamptz '2026-02-03 04:05:06.123456+07', time '04:05:06.5', timetz '04:05+07', interval '-1 year 2 days -03:04:05.6',
		'{"b": 1,  "a":2, "a":3}'::json, '{"k": [1, null]}'::jsonb, '<a b="c"/>'::xml, inet '10.0.0.1/8', cidr '10.0.0.0/8', macaddr '08:00:2b:01:02:03',
		B'1010', B'11', point '(1.5,0.1)', box '(2,2),(1,1)', int4range(1, 5), '{[2026-01-01,2026-01-05)}'::datemultirange,
		'{1,NULL,3}'::int[], '{{a,"b,c"},{NULL,"NULL"}}'::text[], '[3:4]={1,2}'::int[], 'so so'::mood, '{fine,NULL}'::mood[], (1, 'x,"y')::pair, ARRAY[(2, NULL)::pair], 7::small,
		'a:1 b:2'::tsvector, 'a & b'::tsquery, 'pg_class'::regclass, 42::oid, 12.34::money, '1/2'::pg_lsn, timestamptz '2026-02-03 00:00:00.000001+00', NULL::bigint, NULL::timestamptz
	UNION ALL SELECT (jsonb_populate_record(NULL::many, '{"id": "00000000-0000-0000-0000-000000000002", "when": "0044-03-15 BC", "c_f4": "NaN", "c_f8": "-Infinity", "c_num": "NaN", "c_tstz": "infinity", "c_default": "-infinity", "c_text": "", "c_ints": []}')).*
$$;
-- of two columns the source says nothing
SELECT 'SELECT ' || string_agg(quote_ident(attname), ', ' ORDER BY attnum) || ' FROM rows()' AS query
FROM pg_attribute WHERE attrelid = 'many'::regclass AND attnum > 0 AND attname NOT IN ('c_identity', 'c_late') \gset
SELECT sync_create_stream('t', 'many', '{id,when}', :'query', mode => 'mirror', max_delete_share => 1, keep_undo => '1 hour');
SELECT inserted FROM sync_run('t');
CREATE TABLE filled AS TABLE many;
CREATE FUNCTION same(OUT same bigint, OUT other bigint) LANGUAGE sql AS $$
	SELECT count(*) FILTER (WHERE m::text = f::text), count(*) FILTER (WHERE m::text IS DISTINCT FROM f::text)
	FROM many AS m FULL JOIN filled AS f ON m.id = f.id
$$;
SELECT * FROM same();
CREATE FUNCTION last() RETURNS bigint LANGUAGE sql AS 'SELECT max(history_id) FROM sync_history';
-- deleted and added again; undone under other settings than those of the run
SET datestyle = 'German, DMY';
SET intervalstyle = sql_standard;
SET extra_float_digits = -15;
SET bytea_output = escape;
SET timezone = 'Asia/Kolkata';
SELECT deleted FROM sync_undo(last());
RESET datestyle;
SET intervalstyle = iso_8601;
SET timezone = 'America/Lima';
SELECT inserted FROM sync_undo(last());
SHOW intervalstyle;
SHOW extra_float_digits;
RESET ALL;
SET search_path = undo_types, public;
SELECT * FROM same();
-- changed and set back
CREATE OR REPLACE FUNCTION rows() RETURNS SETOF many LANGUAGE sql AS $$
	SELECT (jsonb_populate_record(NULL::many, jsonb_build_object('id', id, 'when', "when", 'c_text', 'all else is empty'))).* FROM filled
$$;
SET datestyle = 'SQL, DMY';
SELECT updated FROM sync_run('t');
SELECT count(c_bool), count(c_pair), count(c_text) FROM many;
SET datestyle = 'Postgres, MDY';
SELECT updated FROM sync_undo(last());
RESET datestyle;
SELECT * FROM same();
SELECT sync_drop_stream('t');
