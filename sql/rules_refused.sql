-- rules that cannot work are refused when they are stored, by name and value
\pset format unaligned
\pset tuples_only
CREATE SCHEMA rules_refused;
SET search_path = rules_refused, public;
CREATE TABLE victim ();

-- What is said to a rule that is right but for these columns, whose values are given as SQL
CREATE FUNCTION refusal(columns text, given text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO sync_progress_rules (rule_name, label, evidence, key_columns, progress)
	VALUES ('r', 'rows', 'evidence', '{a,b}', 'progress');
	RETURN QUERY SELECT line FROM complaint(format('UPDATE sync_progress_rules SET (%s) = ROW (%s)'
		' WHERE rule_name = ''r''', columns, given)) AS line
		WHERE line !~ 'HINT The comments on|DETAIL Failing row';
	DELETE FROM sync_progress_rules WHERE rule_name = 'r';
END $$;
\set VERBOSITY default
UPDATE sync_progress_rules SET key_columns = '{}' WHERE rule_name = 'season';

-- names of the rule and of its relations
SELECT refusal('rule_name', '''''');
SELECT refusal('rule_name', 'NULL');
SELECT refusal('rule_name', 'repeat(''é'', 21)');
SELECT left(max(line), 5) FROM refusal('evidence', '''''') AS line;
SELECT left(max(line), 5), bool_or(line ~ 'two words') FROM refusal('evidence', '''two words''') AS line;
SELECT left(max(line), 5), bool_or(line ~ 'open') FROM refusal('evidence', '''"open''') AS line;
SELECT refusal('evidence', '''database.schema.table''');
SELECT left(max(line), 5), bool_or(line ~ 'victim; DROP') FROM refusal('evidence', '''victim; DROP TABLE victim''') AS line;
SELECT left(max(line), 5), bool_or(line ~ 'SELECT 1') FROM refusal('progress', '''(SELECT 1)''') AS line;
SELECT refusal('progress', 'NULL');
SELECT refusal('insert_columns', '''{"u": {"lookup": "a.b.c", "column": "x"}}''');
SELECT left(max(line), 5) FROM refusal('label', '''''') AS line;
SELECT left(max(line), 5) FROM refusal('label', 'E''two\nlines''') AS line;
SELECT left(max(line), 5) FROM refusal('label', 'E''a\ttab''') AS line;

-- keys
SELECT refusal('key_columns', '''{}''');
SELECT refusal('key_columns', '''{a,NULL}''');
SELECT refusal('key_columns', '''{{a,b},{c,d}}''');
SELECT left(max(line), 5) FROM refusal('key_columns', '''[0:1]={a,b}''') AS line;
SELECT left(max(line), 5) FROM refusal('key_columns, competition_column', '''[500:501]={a,b}'', ''a''') AS line;
SELECT left(max(line), 5) FROM refusal('key_columns', '''{a,b,a}''') AS line;
SELECT refusal('key_columns', 'ARRAY(SELECT ''a'' || i FROM generate_series(1, 33) AS i)');
SELECT refusal('key_columns', 'ARRAY(SELECT ''a'' || i FROM generate_series(1, 32) AS i)');
SELECT refusal('progress_key_columns', '''{a}''');
SELECT refusal('progress_key_columns', '''{a,NULL}''');
SELECT refusal('progress_key_columns', '''{a,a}''');
SELECT left(max(line), 5) FROM refusal('key_columns, progress_key_columns', '''{a,a}'', ''{a,b}''') AS line;
SELECT refusal('competition_column', '''c''');
SELECT refusal('status_column', '''a''');
SELECT refusal('completed_at_column', '''status''');

-- counters
SELECT refusal('counters', '''[]''');
SELECT refusal('counters', '''"count(*)"''');
SELECT refusal('counters', 'NULL');
SELECT refusal('counters', '''{"n": 1}''');
SELECT refusal('counters', '''{"n": null}''');
SELECT left(max(line), 5) FROM refusal('counters', '''{"n": ""}''') AS line;
SELECT left(max(line), 5) FROM refusal('counters', '''{"n": "count("}''') AS line;
SELECT refusal('counters', '''{"status": "count(*)"}''');

-- insert columns
SELECT refusal('insert_columns', '''[]''');
SELECT refusal('insert_columns', '''{"u": "x"}''');
SELECT refusal('insert_columns', '''{"u": {}}''');
SELECT refusal('insert_columns', '''{"u": {"lookup": "l", "fallback": "1"}}''');
SELECT refusal('insert_columns', '''{"u": {"column": 1}}''');
SELECT refusal('insert_columns', '''{"u": {"column": []}}''');
SELECT refusal('insert_columns', '''{"u": {"column": ["x", 1]}}''');
SELECT refusal('insert_columns', '''{"u": {"column": "x", "optional": "yes"}}''');
SELECT refusal('insert_columns', '''{"u": {"column": "x", "default": "1"}}''');
SELECT refusal('insert_columns', '''{"a": {"fallback": "1"}}''');
SELECT refusal('counters, insert_columns', '''{"u": "count(*)"}'', ''{"u": {"fallback": "1"}}''');

-- texts that are more than an expression, or less: the message is the parser's, the rule is named beside it
CREATE FUNCTION told(columns text, given text) RETURNS text LANGUAGE sql AS $$
	SELECT left(max(line), 5) || CASE WHEN bool_or(line ~ 'progress rule "r"') THEN ' for the rule' ELSE '' END
	FROM refusal(columns, given) AS line
$$;
SELECT told('evidence_filter', '''''');
SELECT told('evidence_filter', '''-- nothing''');
SELECT told('evidence_filter', '''true; DROP TABLE victim''');
SELECT told('evidence_filter', '''true) OR (true''');
SELECT told('evidence_filter', '''true), (true''');
SELECT told('evidence_filter', '''true) UNION (SELECT true''');
SELECT told('evidence_filter', '''true) FROM victim; DROP TABLE victim --''');
SELECT told('evidence_filter', '''true /* open''');
SELECT told('evidence_filter', '''$$ open''');
SELECT told('evidence_filter', '''a = ''''open''');
SELECT told('evidence_filter', '''a, b''');
SELECT told('evidence_filter', '''a AS b''');
SELECT told('evidence_filter', '''DISTINCT a''');
SELECT told('evidence_filter', '''a FROM victim''');
SELECT told('validation', '''count(*)) + (1''');
SELECT told('counters', '''{"n": "count(*)) FROM victim; DROP TABLE victim --"}''');
SELECT told('counters', '''{"n": "count(*)) + (1"}''');
SELECT told('insert_columns', '''{"u": {"fallback": "1), (2"}}''');
SELECT told('insert_columns', '''{"u": {"fallback": "1) + (2"}}''');

-- texts that are one
SELECT refusal('evidence_filter', '''a IN (SELECT a FROM victim) -- and no more''');
SELECT refusal('evidence_filter', 'E''a = \''--\''\n\t/* a /* nested */ comment */ AND $x$)$x$ = \'')\''''');
SELECT refusal('counters', '''{"n": "count(*) FILTER (WHERE a > 1)", "m": "(SELECT max(b))"}''');
SELECT count(*) FROM sync_progress_rules WHERE NOT shipped;
SELECT count(*) FROM victim;

\set QUIET
SET client_min_messages = warning;
DROP SCHEMA rules_refused CASCADE;
