# Workers are there where the extension is, perform what is put into the queue by
# whatever SQL, and are in nobody's way.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('workers');
$node->init(allows_streaming => 1, extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf', q{
	shared_preload_libraries = 'sync_ext'
	sync_ext.databases = 'postgres, "Other"'
	sync_ext.workers = 2
	max_worker_processes = 20
	max_prepared_transactions = 2
	log_autovacuum_min_duration = -1});
$node->start;
my ($out, $err);

my $workers = q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'sync worker' AND datname = '%s'};

sub workers_become
{
	my ($db, $n) = @_;

	return $node->poll_query_until('postgres', sprintf($workers, $db), $n);
}

sub create_types
{
	my ($db) = @_;

	$node->safe_psql($db, q{
		CREATE EXTENSION sync_ext;
		CREATE TABLE done (n int, due timestamptz, at timestamptz DEFAULT clock_timestamp());
		CREATE FUNCTION work(payload jsonb) RETURNS void LANGUAGE sql
			AS $$INSERT INTO public.done VALUES ((payload ->> 'n')::int, (payload ->> 'due')::timestamptz)$$;
		CREATE FUNCTION slow(payload jsonb) RETURNS void LANGUAGE sql AS 'SELECT pg_sleep(1000)';
		INSERT INTO sync_operation_types (operation_type, handler, kind) VALUES
			('work', 'work(jsonb)', 'transaction'), ('work_outside', 'work(jsonb)', 'external'),
			('slow', 'slow(jsonb)', 'transaction'), ('slow_outside', 'slow(jsonb)', 'external')});
	return;
}

# Put in what is never done, and give its number once somebody is at work on it.
sub start_slow
{
	my ($db, $type) = @_;
	my $id = $node->safe_psql($db, "SELECT sync_enqueue('$type')");

	$node->poll_query_until('postgres', qq{SELECT count(*) = 1 FROM sync_stat_workers
		WHERE datname = '$db' AND queue_id = $id AND state = 'performing'})
	  or die "nobody is at work on task $id";
	return $id;
}

# They come and go with the extension

ok($node->poll_query_until('postgres',
	q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'sync launcher'}), 'there is a launcher');
$node->safe_psql('postgres', 'CREATE DATABASE "Other"');
is($node->safe_psql('postgres', sprintf($workers, 'postgres')), '0', 'there are no workers without the extension');
create_types('postgres');
create_types('Other');
ok(workers_become('postgres', 2), 'there are workers where it was created');
ok(workers_become('Other', 2), 'and in each of the databases');
is($node->safe_psql('postgres', q{SELECT count(DISTINCT (datname, worker)) FROM sync_stat_workers}), '4', 'all can be seen');

# They perform tasks

$node->safe_psql('postgres', q{SELECT sync_enqueue('work', '{"n": 1}');
	INSERT INTO sync_queue (operation_type, payload) VALUES ('work_outside', '{"n": 2}')});
ok($node->poll_query_until('postgres', 'SELECT count(*) = 2 FROM done'), 'tasks of both kinds are performed');
ok($node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM sync_queue'), 'and leave the queue');
$node->safe_psql('postgres', q{TRUNCATE done; INSERT INTO sync_queue (operation_type, payload, timing_partner_id)
	SELECT 'work', jsonb_build_object('n', n), n % 50 FROM generate_series(1, 5000) AS n});
ok($node->poll_query_until('postgres', 'SELECT count(*) = 5000 AND count(DISTINCT n) = 5000 FROM done'),
	'many of many tenants, each once');
is($node->safe_psql('postgres', q{SELECT count(*), count(DISTINCT queue_id) FROM sync_history WHERE operation = 'work' AND status = 'success'}),
	'5001|5001', 'and each is in history');
$node->safe_psql('postgres', 'TRUNCATE done');
my $late = 1000;
for my $n (1 .. 5)
{
	$node->safe_psql('postgres', qq{SELECT sync_enqueue('work', jsonb_build_object('n', $n, 'due', due), scheduled_time => due)
		FROM (SELECT clock_timestamp() + interval '300 ms' AS due) AS soon});
	$node->poll_query_until('postgres', "SELECT count(*) = $n FROM done");
	my $ms = $node->safe_psql('postgres', "SELECT round(extract(epoch FROM at - due) * 1000) FROM done WHERE n = $n");
	$late = $ms if $ms < $late;
}
cmp_ok($late, '<', 100, 'a scheduled one is begun within 100 ms of its time');

$node->safe_psql('postgres', q{TRUNCATE done; BEGIN; SELECT sync_enqueue('work', '{"n": 1}'); PREPARE TRANSACTION 'p'; COMMIT PREPARED 'p'});
$node->safe_psql('postgres', q{ALTER SYSTEM SET sync_ext.poll_interval = '100ms'; SELECT pg_reload_conf()});
$node->safe_psql('postgres', q{SELECT sync_enqueue('work', '{"n": 2}')});
ok($node->poll_query_until('postgres', 'SELECT count(*) = 2 FROM done'), 'that of a prepared transaction is found by looking');

# A running task is cancelled

for my $type ('slow', 'slow_outside')
{
	my $id = start_slow('postgres', $type);

	is($node->safe_psql('postgres', "SELECT sync_cancel($id)"), 't', "$type: it is cancelled");
	ok($node->poll_query_until('postgres', "SELECT status = 'cancelled' AND duration < '10 s' FROM sync_history WHERE queue_id = $id"),
		"$type: at once");
	is($node->safe_psql('postgres', "SELECT count(*) FROM sync_queue WHERE queue_id = $id"), '0', "$type: and has left");
}

# Idle, they hold nothing and use nothing

ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM sync_stat_workers WHERE state <> 'idle'}), 'they become idle');
my $xid = $node->safe_psql('postgres', 'SELECT pg_snapshot_xmax(pg_current_snapshot())');
$node->safe_psql('postgres', 'SELECT pg_sleep(0.5)');
is($node->safe_psql('postgres', 'SELECT pg_snapshot_xmax(pg_current_snapshot())'), $xid, 'idle, they use no transaction ids');
ok($node->poll_query_until('postgres', q{SELECT bool_and(state = 'idle' AND xact_start IS NULL AND backend_xmin IS NULL)
		AND NOT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity USING (pid) WHERE backend_type = 'sync worker')
	FROM pg_stat_activity WHERE backend_type = 'sync worker'}), 'and have no transaction, snapshot or lock');
$node->safe_psql('postgres', q{ALTER SYSTEM RESET sync_ext.poll_interval; SELECT pg_reload_conf()});

# Their number follows the setting

for my $n (1, 0, 3, 2)
{
	$node->safe_psql('postgres', "ALTER SYSTEM SET sync_ext.workers = $n");
	$node->reload;
	ok(workers_become('postgres', $n), "after a reload there are $n");
}
$node->safe_psql('postgres', q{ALTER SYSTEM SET sync_ext.databases = 'postgres'});
$node->reload;
ok(workers_become('Other', 0), 'and none in a database that is no longer named');
$node->safe_psql('postgres', q{ALTER SYSTEM RESET sync_ext.databases});
$node->reload;
ok(workers_become('Other', 2), 'until it is named again');

# The launcher, and a worker, ended by hand

$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'sync launcher'});
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM sync_stat_workers WHERE datname = 'postgres' AND worker = 0});
ok($node->poll_query_until('postgres', q{SELECT count(*) = 2 AND count(DISTINCT worker) = 2 FROM sync_stat_workers WHERE datname = 'postgres'}),
	'both come back');
my $id = start_slow('postgres', 'slow_outside');
$node->safe_psql('postgres', qq{SELECT pg_terminate_backend(pid) FROM sync_stat_workers WHERE queue_id = $id});
ok($node->poll_query_until('postgres', qq{SELECT array_agg(status ORDER BY history_id) = '{stuck}' FROM sync_history WHERE queue_id = $id}),
	'the task of a worker that ended is taken back');
is($node->safe_psql('postgres', "SELECT status, attempt, priority FROM sync_queue WHERE queue_id = $id"), 'pending|1|6', 'and is to be tried again');
$node->safe_psql('postgres', "SELECT sync_cancel($id)");

# What wants nobody in the database, or the extension gone

start_slow('Other', 'slow');
$node->safe_psql('postgres', 'ALTER DATABASE "Other" RENAME TO "Third"');
$node->safe_psql('postgres', q{ALTER SYSTEM SET sync_ext.databases = 'postgres, "Third"'});
$node->reload;
ok(workers_become('Third', 2), 'a database can be renamed, and they come again');
$node->safe_psql('postgres', 'CREATE DATABASE fourth TEMPLATE "Third"');
ok(workers_become('Third', 2), 'it can be copied, and they come again');
start_slow('Third', 'slow');
$node->safe_psql('postgres', 'DROP DATABASE "Third"');
pass('and it can be dropped, while they are at work');

$node->safe_psql('postgres', 'SET lock_timeout = \'10s\'; SET client_min_messages = warning; DROP EXTENSION sync_ext CASCADE');
ok(workers_become('postgres', 0), 'they leave when the extension is dropped');
$node->safe_psql('postgres', 'DROP TABLE done; DROP FUNCTION work, slow');
create_types('postgres');
ok(workers_become('postgres', 2), 'and come when it is created again');

# A stop in the middle of tasks, and a standby

my $inside = start_slow('postgres', 'slow');
my $outside = start_slow('postgres', 'slow_outside');
$node->backup('base');
# one worker sees to both: what it finds is known before it begins anything long
$node->safe_psql('postgres', 'ALTER SYSTEM SET sync_ext.workers = 1');
$node->stop('fast');
$node->start;
ok($node->poll_query_until('postgres', qq{SELECT array_agg(status) = '{stuck}' FROM sync_history WHERE queue_id = $outside}),
	'a task that a stop interrupted is known as stuck');
ok($node->poll_query_until('postgres', qq{SELECT count(*) = 1 FROM sync_stat_workers WHERE queue_id = $inside}),
	'or is begun again');

my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
is($standby->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'sync %'}), '0',
	'a standby has no workers');
$standby->promote;
ok($standby->poll_query_until('postgres', qq{SELECT count(*) = 1 FROM sync_stat_workers WHERE queue_id = $inside}),
	'until it is promoted');

$standby->stop('fast');
$node->stop('fast');
unlike(slurp_file($node->logfile), qr/FATAL:(?!  terminating)/, 'no process failed');
done_testing();
