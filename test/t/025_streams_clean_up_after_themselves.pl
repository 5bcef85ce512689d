# Whatever becomes of a run, it leaves nothing behind: no file, no memory, no
# connection, no lock; and what one run is at does not get into another one's way.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $app = start_node('app', 'log_connections = on');
my $node = start_node('warehouse', qq{max_prepared_transactions = 2\nwork_mem = '64kB'});
my ($out, $err, $session);

$app->safe_psql('postgres', 'CREATE DATABASE app');
$app->safe_psql('app', q{
	CREATE TABLE numbers AS SELECT n AS id, repeat('x', CASE n % 5000 WHEN 0 THEN 200000 ELSE 50 END) || n AS v
	FROM generate_series(1, 20000) AS n;
	CREATE TABLE bad AS SELECT n AS id, 'x' AS v FROM generate_series(1, 20000) AS n UNION ALL VALUES (20001, NULL)});
$node->safe_psql('postgres', 'CREATE DATABASE wh');
$node->safe_psql('wh', 'CREATE EXTENSION sync_ext');
add_server($node, 'wh', 'app', host => $app->host, port => $app->port, dbname => 'app');
$node->safe_psql('wh', q{
	CREATE TABLE target (id int PRIMARY KEY, v text NOT NULL);
	CREATE TABLE other (id int PRIMARY KEY, v text);
	SELECT sync_create_stream('good', 'target', '{id}', 'TABLE numbers', 'app', mode => 'mirror');
	SELECT sync_create_stream('bad', 'target', '{id}', 'TABLE bad', 'app', mode => 'mirror');
	SELECT sync_create_stream('here', 'target', '{id}',
		'SELECT n AS id, CASE WHEN n = 20000 THEN 1 / (n - 20000) END::text AS v FROM generate_series(1, 20000) AS n')});

# Caught failures, one after the other in one transaction

$session = $node->background_psql('wh');
$session->query_safe(q{
	BEGIN;
	CREATE FUNCTION pg_temp.fail(times int) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		FOR i IN 1..times LOOP
			BEGIN
				PERFORM sync_run(CASE i % 2 WHEN 0 THEN 'bad' ELSE 'here' END);
				RAISE assert_failure;
			EXCEPTION WHEN not_null_violation OR division_by_zero THEN
			END;
		END LOOP;
	END $$;
	SELECT pg_temp.fail(4)});
is($node->safe_psql('wh', 'SELECT count(*) FROM pg_ls_tmpdir()'), '0', 'no temporary file of a run that failed is left while its transaction goes on');
ok(wait_until_left($app, 'app'), 'nor a connection');
is($session->query_safe(q{SELECT count(*) FROM pg_cursors}), '0', 'nor a cursor');
my $memory = 'SELECT sum(used_bytes) FROM pg_backend_memory_contexts';
my $before = $session->query_safe($memory);
$session->query_safe('SELECT pg_temp.fail(40)');
my $after = $session->query_safe($memory);
cmp_ok($after - $before, '<', 40 * 8192, 'nor memory to speak of');
$session->query_safe(q{SELECT sync_run('good')});
is($session->query_safe('SELECT count(*) FROM target'), '20000', 'and the next run in the same transaction is right');
$session->query_safe('ROLLBACK');
is($node->safe_psql('wh', 'SELECT count(*) FROM pg_ls_tmpdir()'), '0', 'no file is left after it');
is($node->safe_psql('wh', 'SELECT count(*) FROM target'), '0', 'and no row where it is rolled back');

# A run that breaks off

is($session->query_safe(q{BEGIN; SELECT count(*) FROM sync_diff('good', 5)}), '5', 'a diff that is cut short');
ok(wait_until_left($app, 'app'), 'leaves no connection');
$session->query_safe('COMMIT');

# A run that ends well has nothing under way that a second connection would have to cancel

my $from = -s $app->logfile;
$node->safe_psql('wh', q{SELECT sync_run('good', dry_run => true)});
my $connections = () = slurp_file($app->logfile, $from) =~ /connection received/g;
is($connections, 1, 'a run that has read all of its source is one connection there');

# A prepared transaction keeps what it has done, and others waiting

$session->query_safe(q{BEGIN; SELECT sync_run('good'); PREPARE TRANSACTION 'run'});
my $second = start_sql($node, 'wh', q{SELECT inserted, unchanged FROM sync_run('good')}, app => 'second');
wait_until_waiting($node, 'second');
is($node->safe_psql('wh', 'SELECT count(*) FROM target'), '0', 'nothing of a prepared run is seen');
$session->query_safe(q{COMMIT PREPARED 'run'});
($out, $err) = finish_sql($second);
is("$out$err", '0|20000', 'the next run waits for it, and finds nothing to do');
is($node->safe_psql('wh', q{SELECT status, inserted FROM sync_history WHERE status = 'success' ORDER BY history_id LIMIT 1}), 'success|20000',
	'and its row of history is there');

# A table that is changed meanwhile

$session->query_safe(q{BEGIN; SELECT sync_run('good')});
$second = start_sql($node, 'wh', 'ALTER TABLE target ADD more int', app => 'second');
wait_until_waiting($node, 'second');
$session->query_safe(q{SELECT sync_run('good')});
$session->query_safe('COMMIT');
($out, $err) = finish_sql($second);
is($err, '', 'who changes the target waits for the run, and the run not for that');
$session->query_safe('BEGIN; ALTER TABLE target DROP v');
$second = start_sql($node, 'wh', q{SELECT sync_run('good')}, app => 'second');
wait_until_waiting($node, 'second');
$session->query_safe('COMMIT');
($out, $err) = finish_sql($second);
like($err, qr/42703: column "v" of the source of stream "good" is not in table "target"/, 'a run that waits for such a change sees it');
$node->safe_psql('wh', q{ALTER TABLE target ADD v text NOT NULL DEFAULT ''});

# A run from another server within the reading of another one

$node->safe_psql('wh', q{
	CREATE FUNCTION runs(n int) RETURNS bool LANGUAGE plpgsql AS $$
	BEGIN
		IF n % 5000 = 0 THEN
			PERFORM sync_run('inner');
			BEGIN
				PERFORM sync_run('bad');
			EXCEPTION WHEN not_null_violation THEN
			END;
		END IF;
		RETURN true;
	END $$;
	CREATE DOMAIN busy AS int CHECK (runs(VALUE));
	-- the value behind it has to be fetched after that
	CREATE TABLE outermost (id busy PRIMARY KEY, v text);
	SELECT sync_create_stream('inner', 'other', '{id}', 'TABLE numbers', 'app');
	SELECT sync_create_stream('outer', 'outermost', '{id}', 'TABLE numbers', 'app')});
($out, $err) = try_sql($node, 'wh', q{SELECT rows_read, inserted FROM sync_run('outer')});
is("$out$err", '20000|20000', 'a run within the reading of another one takes none of its rows');
is($node->safe_psql('wh', 'SELECT count(*), count(DISTINCT v), sum(id) FROM outermost'), '20000|20000|200010000', 'each row is there');
is($node->safe_psql('wh', q{SELECT count(*), count(DISTINCT v) FROM other}), '20000|20000', 'and those of the inner one');

$session->quit;
$node->stop;
$app->stop;
done_testing();
