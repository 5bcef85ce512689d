# A stream from a foreign server brings the rows that are there, whatever their
# types, the order of their keys and the encoding of their texts, in one
# transaction that reads.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $app = start_node('app');
my $warehouse = start_node('warehouse');

$app->safe_psql('postgres', q{CREATE DATABASE app});
$app->safe_psql('postgres',
	q{CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0});
$warehouse->safe_psql('postgres', q{CREATE DATABASE wh ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0});
$warehouse->safe_psql('wh', 'CREATE EXTENSION sync_ext; CREATE EXTENSION postgres_fdw');
for my $db (qw(app latin))
{
	my ($host, $port) = ($app->host, $app->port);
	$warehouse->safe_psql('wh',
		qq{CREATE SERVER $db FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname '$db');
		   CREATE USER MAPPING FOR PUBLIC SERVER $db});
}

# Run SQL on the warehouse; returns what it prints and its messages.
sub try_here
{
	my ($sql) = @_;
	my ($out, $err);

	$warehouse->psql('wh', $sql, stdout => \$out, stderr => \$err);
	return ($out, $err);
}

my $counts = 'rows_read, inserted, updated, unchanged, deleted, rejected';

# The rows are the same on both sides

my $columns = q{
	id int8 PRIMARY KEY, t text, v varchar(7), c char(3), n numeric(9,2), f float8,
	b bytea, u uuid, d date, ts timestamptz, i interval, a int[], j jsonb, o bool,
	r int4range, net inet, bits varbit, x name};
$app->safe_psql('app', qq{
	CREATE TABLE thing ($columns);
	INSERT INTO thing SELECT n, 'text ' || n, 'v' || n % 9, 'c', n / 7.0, n / 3.0, decode(md5(n::text), 'hex'),
		md5(n::text)::uuid, '2026-01-01'::date + n, '2026-01-01 UTC'::timestamptz + n * '1 s'::interval,
		n * '-1 day -01:02:03.5'::interval, ARRAY[n, NULL], jsonb_build_object('n', n), n % 2 = 0,
		int4range(n, n + 5), '10.0.0.1', B'101', 'x'
	FROM generate_series(-500, 500) AS n;
	INSERT INTO thing (id) VALUES (1000);
	INSERT INTO thing (id, t) VALUES (1001, E'tab\\t, line\\n, back\\\\slash, \\\\N, \\\\., ä€😀')});
$warehouse->safe_psql('wh', qq{
	CREATE TABLE thing ($columns);
	SELECT sync_create_stream('thing', 'thing', '{id}', 'TABLE thing', server => 'app')});
my $whole = 'SELECT md5(string_agg(thing::text, E\'\n\' ORDER BY id)), count(*) FROM thing';
is($warehouse->safe_psql('wh', "SELECT $counts FROM sync_run('thing', true)"), '1003|1003|0|0|0|0', 'a dry run counts the rows');
is($warehouse->safe_psql('wh', "SELECT $counts, bytes > 100000 FROM sync_run('thing')"), '1003|1003|0|0|0|0|t', 'a run brings them');
is($warehouse->safe_psql('wh', $whole), $app->safe_psql('app', $whole), 'and they are the same');
is($warehouse->safe_psql('wh', "SELECT $counts FROM sync_run('thing')"), '1003|0|0|1003|0|0', 'so that the next run has nothing to do');
is($warehouse->safe_psql('wh', q{SELECT DISTINCT operation, subject, environment, status FROM sync_history}),
	'stream|thing|app|success', 'history names the server');

# In text, as in binary

$app->safe_psql('app', q{UPDATE thing SET t = t || ' ä' WHERE id % 100 = 0});
{
	local $ENV{PGCLIENTENCODING} = 'LATIN1';
	is($warehouse->safe_psql('wh', "SELECT $counts FROM sync_run('thing')"), '1003|0|11|992|0|0',
		'the client encoding of the session does not matter');
}
is($warehouse->safe_psql('wh', $whole), $app->safe_psql('app', $whole), 'to what arrives');
$warehouse->safe_psql('wh', q{
	CREATE TABLE other (id int4 PRIMARY KEY, t varchar, n text, f numeric, d timestamp, a int8[], kind regtype, z text DEFAULT 'z');
	SELECT sync_create_stream('other', 'other', '{id}',
		$$SELECT id, t, n, f, d, a, 'pg_catalog.int4'::regtype AS kind FROM thing$$, server => 'app')});
is($warehouse->safe_psql('wh', "SELECT $counts FROM sync_run('other')"), '1003|1003|0|0|0|0', 'types may differ');
is($warehouse->safe_psql('wh', "SELECT $counts FROM sync_run('other')"), '1003|0|0|1003|0|0', 'and the next run has nothing to do');
is($warehouse->safe_psql('wh', 'SELECT t, n, f, d, a, kind, z FROM other WHERE id = 7'),
	'text 7|1.00|2.3333333333333335|2026-01-08 00:00:00|{7,NULL}|integer|z', 'each value is that of its column');

# In binary where that means the same on both sides

$app->safe_psql('app', q{
	ALTER SYSTEM SET log_statement = 'all';
	SELECT pg_reload_conf();
	CREATE TABLE wire (id int, name varchar(9))});
$warehouse->safe_psql('wh', q{
	CREATE TABLE wire (id int PRIMARY KEY, name text, class regclass);
	SELECT sync_create_stream('wire', 'wire', '{id}', 'TABLE wire', server => 'app');
	SELECT sync_create_stream('wire text', 'wire', '{id}', $$SELECT 1 AS id, 'pg_class'::regclass AS class$$, server => 'app')});
my $mark = -s $app->logfile;
$warehouse->safe_psql('wh', q{SET client_min_messages = error; SELECT sync_run('wire')});
ok($app->log_contains(qr/COPY .*FORMAT binary/s, $mark), 'types that are the same come in binary');
$mark = -s $app->logfile;
$warehouse->safe_psql('wh', q{SELECT sync_run('wire text')});
ok($app->log_contains(qr/COPY .*FORMAT text/s, $mark), 'names of objects come as text');
is($warehouse->safe_psql('wh', 'SELECT * FROM wire'), '1||pg_class', 'and mean the same object here');
$app->safe_psql('app', q{ALTER SYSTEM RESET log_statement; SELECT pg_reload_conf()});

# Keys that the other server orders in another way are sorted here

$app->safe_psql('app', q{
	CREATE TYPE mood AS ENUM ('happy', 'sad', 'angry');
	CREATE TABLE feeling (m mood, word text, at int);
	INSERT INTO feeling SELECT m, n::text, n FROM unnest(enum_range(NULL::mood)) AS m, generate_series(1, 2000) AS n;
	INSERT INTO feeling VALUES ('sad', '77', 9999), ('sad', '77', 5)});
$warehouse->safe_psql('wh', q{
	CREATE TYPE mood AS ENUM ('sad', 'happy', 'angry');
	CREATE TABLE feeling (m mood, word text, at int, PRIMARY KEY (word, m));
	CREATE TABLE numbered (word int PRIMARY KEY);
	SELECT sync_create_stream('feeling', 'feeling', '{m,word}', 'TABLE feeling', server => 'app', duplicates => 'last', order_by => '{at}');
	SELECT sync_create_stream('numbered', 'numbered', '{word}', 'SELECT DISTINCT word FROM feeling', server => 'app')});
is($warehouse->safe_psql('wh', "SET work_mem = '64kB'; SELECT $counts FROM sync_run('feeling')"), '6002|6000|0|0|0|0',
	'an enum is, also where it does not fit into memory');
is($warehouse->safe_psql('wh', "SELECT $counts FROM sync_run('feeling')"), '6002|0|0|6000|0|0', 'each time');
is($warehouse->safe_psql('wh', "SELECT at FROM feeling WHERE m = 'sad' AND word = '77'"), '9999', 'and the last of several rows is the last');
is($warehouse->safe_psql('wh', "SELECT $counts FROM sync_run('numbered')"), '2000|2000|0|0|0|0', 'a text that is a number here is');
is($warehouse->safe_psql('wh', "SELECT $counts FROM sync_run('numbered')"), '2000|0|0|2000|0|0', 'each time');

# Another encoding

$app->safe_psql('latin', q{
	SET client_encoding = 'UTF8';
	CREATE TABLE "Sportler" (name text, v text);
	INSERT INTO "Sportler" VALUES ('Zoë', 'ß'), ('Åsa', 'ñ'), ('zoe', 'x'), ('ÿ', ''), ('Zoe', NULL)});
$warehouse->safe_psql('wh', q{
	CREATE TABLE sportler (name text PRIMARY KEY, v text);
	SELECT sync_create_stream('latin', 'sportler', '{name}', 'SELECT * FROM "Sportler"', server => 'latin')});
is($warehouse->safe_psql('wh', "SELECT $counts FROM sync_run('latin')"), '5|5|0|0|0|0', 'a LATIN1 database is read');
is($warehouse->safe_psql('wh', "SELECT $counts FROM sync_run('latin')"), '5|0|0|5|0|0', 'each time');
is($warehouse->safe_psql('wh', q{SELECT string_agg(name || coalesce(v, '-'), ' ' ORDER BY name) FROM sportler}),
	'Zoe- Zoëß zoex Åsañ ÿ', 'and arrives right');

# What the other server sees

$app->safe_psql('app', q{
	CREATE FUNCTION seen() RETURNS TABLE (id int, what text) LANGUAGE sql VOLATILE AS $$
		SELECT 1, concat_ws(' ', current_setting('transaction_isolation'), current_setting('transaction_read_only'),
			current_setting('application_name'), current_setting('datestyle'), current_setting('extra_float_digits')) $$});
$warehouse->safe_psql('wh', q{
	CREATE TABLE seen (id int PRIMARY KEY, what text);
	SELECT sync_create_stream('seen', 'seen', '{id}', 'SELECT * FROM seen()', server => 'app');
	SELECT sync_run('seen')});
is($warehouse->safe_psql('wh', 'SELECT what FROM seen'), 'repeatable read on sync_ext ISO, MDY 3',
	'it is read in one transaction that writes nothing');
$app->safe_psql('app', q{
	CREATE FUNCTION planned() RETURNS TABLE (id int, how text) LANGUAGE sql VOLATILE AS $$
		SELECT 1, concat_ws(' ', current_setting('effective_cache_size'), current_setting('jit_above_cost')) $$});
$warehouse->safe_psql('wh', q{
	CREATE TABLE planned (id int PRIMARY KEY, how text);
	SELECT sync_create_stream('planned', 'planned', '{id}', 'SELECT * FROM planned()', server => 'app')});
for my $case ([ 100000, 500000 ], [ 0, 500000 ], [ 600000, 600000 ], [ -1, -1 ])
{
	my ($set, $seen) = @$case;

	$app->safe_psql('app', "ALTER DATABASE app SET jit_above_cost = $set");
	$warehouse->safe_psql('wh', q{SELECT sync_run('planned')});
	is($warehouse->safe_psql('wh', 'SELECT how FROM planned'), "1MB $seen", "what it compiles from a cost of $set on it compiles from $seen on");
}
ok($app->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = 'app'}),
	'no connection stays behind');

# Its errors are ours

my %errors = (
	'SELECT 1/0 AS id, NULL AS what' => qr/division by zero/,
	'SELECT CASE WHEN n = 50000 THEN 1/0 ELSE n END AS id, NULL AS what FROM generate_series(1, 100000) AS n' => qr/division by zero/,
	'SELECT * FROM nothing_such' => qr/relation "nothing_such" does not exist/,
	'SELECT id FROM thing WHERE' => qr/syntax error/,
	'SELECT 1 AS id, $x$a$x$ AS other' => qr/column "other" of the source of stream "wrong" is not in table "seen"/,
	'SELECT what FROM seen()' => qr/the source of stream "wrong" has no column "id"/,
	q{SELECT 'x' AS id} => qr/invalid input syntax for type integer: "x".*COPY seen, line 1, column id/s,
	'WITH d AS (DELETE FROM thing RETURNING id) SELECT id FROM d' => qr/WITH clause containing a data-modifying statement must be at the top level/,
	q{SELECT nextval('s') AS id} => qr/cannot execute nextval\(\) in a read-only transaction/);
$app->safe_psql('app', 'CREATE SEQUENCE s');
for my $query (sort keys %errors)
{
	my ($out, $err) = try_here("SELECT sync_create_stream('wrong', 'seen', '{id}', \$q\$$query\$q\$, server => 'app');
		SELECT sync_run('wrong')");
	like($err, $errors{$query}, "an error is told: $query");
	$warehouse->psql('wh', "SELECT sync_drop_stream('wrong')");
}
is($warehouse->safe_psql('wh', 'SELECT what FROM seen'), 'repeatable read on sync_ext ISO, MDY 3', 'and changes nothing');
like($warehouse->safe_psql('wh', q{SELECT error_context FROM sync_history WHERE error_sqlstate = '22012' LIMIT 1}),
	qr/on server "app".*while running stream "wrong"/s, 'history has it, with the server and the stream');
is($app->safe_psql('app', 'SELECT count(*) FROM thing'), '1003', 'nothing was deleted there');

# Memory does not grow with the source

$app->safe_psql('app', q{CREATE VIEW big AS SELECT n AS id, repeat(md5(n::text), 30) AS what FROM generate_series(1, 300000) AS n});
$warehouse->safe_psql('wh', q{SELECT sync_create_stream('big', 'seen', '{id}', 'TABLE big', server => 'app')});
my $peak = q{(regexp_match(pg_read_file('/proc/self/status'), 'VmPeak:\s+(\d+)'))[1]::bigint};

SKIP:
{
	skip 'a sanitizer keeps freed memory back', 1 if ($ENV{LD_PRELOAD} // '') =~ /asan/;

	is( $warehouse->safe_psql('wh', qq{
			SET work_mem = '1MB';
			CREATE TEMP TABLE memory AS SELECT rows_read, $peak AS kb FROM sync_run('seen', true);
			INSERT INTO memory SELECT rows_read, $peak FROM sync_run('big', true);
			SELECT max(rows_read), max(kb) - min(kb) < 30000 FROM memory}),
		'300000|t', 'reading 300 MB takes no more than 30');
}

$warehouse->stop;
$app->stop;
done_testing();
