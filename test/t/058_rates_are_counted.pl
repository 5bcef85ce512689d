# How many tasks are done is known for each kind, from shared memory and without
# history; without shared memory it is not known.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $node = start_node('rates', q{
	shared_preload_libraries = 'sync_ext'
	sync_ext.databases = 'postgres, other'
	max_worker_processes = 20});
my $long = 'l' x 200;

for my $db ('postgres', 'other')
{
	$node->safe_psql('postgres', 'CREATE DATABASE other') if $db eq 'other';
	$node->safe_psql($db, qq{
		CREATE EXTENSION sync_ext;
		CREATE FUNCTION work(payload jsonb) RETURNS void LANGUAGE sql AS 'SELECT pg_sleep(1000) WHERE payload ? ''long''';
		CREATE FUNCTION fail() RETURNS void LANGUAGE plpgsql AS 'BEGIN RAISE USING ERRCODE = ''22012''; END';
		INSERT INTO sync_operation_types (operation_type, handler, kind) VALUES ('work', 'work(jsonb)', 'transaction'),
			('outside', 'work(jsonb)', 'external'), ('fail', 'fail()', 'transaction'), ('$long', 'work(jsonb)', 'transaction')});
}

my $rates = q{SELECT operation_type, provider_name, status, tasks, done_per_second > 0, done_per_minute > 0, failed_per_minute > 0
	FROM sync_stat_queue ORDER BY 1, 2, 3};

is($node->safe_psql('postgres', $rates), '', 'there is nothing to say where nothing happened');
$node->safe_psql('postgres', q{SELECT sync_enqueue('work', scheduled_time => now() + '1 hour')});
is($node->safe_psql('postgres', $rates), 'work||pending|1|f|f|f', 'nothing done is none, where it is counted');
$node->safe_psql('postgres', q{
	INSERT INTO sync_queue (operation_type, provider_name) SELECT t, p FROM generate_series(1, 600),
		unnest('{work,outside,fail}'::text[]) AS t, unnest('{p,q,NULL}'::text[]) AS p WHERE p = 'p' OR t = 'work'});
$node->poll_query_until('postgres', 'SELECT count(*) = 1 FROM sync_queue') or die;
is($node->safe_psql('postgres', $rates), join("\n",
	'fail|p||0|f|f|t', 'outside|p||0|t|t|f', 'work|p||0|t|t|f', 'work|q||0|t|t|f', 'work||pending|1|t|t|f'),
	'then each kind has its own, in the queue or not');
is($node->safe_psql('postgres', q{SELECT round(done_per_minute * 5 / 100), round(failed_per_minute * 5 / 100), done_per_second > 5
	FROM sync_stat_rates() WHERE operation_type IS NULL}), '24|6|t', 'which are as many as were performed');
is($node->safe_psql('other', $rates), '', 'of that database');
my $wide = $node->safe_psql('postgres', qq{SELECT sync_enqueue('$long')});
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM sync_history WHERE queue_id = $wide") or die;
is($node->safe_psql('postgres', q{SELECT length(operation_type) FROM sync_stat_rates() WHERE operation_type ~ '^l'}), '127', 'a long name is cut');

# What is given up has not failed; what is lost has

my $id = $node->safe_psql('postgres', q{TRUNCATE sync_history; SELECT sync_enqueue('work', '{"long": true}', provider_name => 'cancelled')});
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM sync_stat_workers WHERE queue_id = $id") or die;
$node->safe_psql('postgres', "SELECT sync_cancel($id)");
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM sync_history WHERE queue_id = $id") or die;
is($node->safe_psql('postgres', q{SELECT count(*) FROM sync_stat_rates() WHERE provider_name = 'cancelled'}), '0', 'what is cancelled does not count');
$id = $node->safe_psql('postgres', q{SELECT sync_enqueue('outside', '{"long": true}', provider_name => 'lost', max_attempts => 1)});
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM sync_stat_workers WHERE queue_id = $id") or die;
$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM sync_stat_workers WHERE queue_id = $id");
$node->poll_query_until('postgres', "SELECT count(*) = 2 FROM sync_history WHERE queue_id = $id") or die;
is($node->safe_psql('postgres', q{SELECT round(failed_per_minute * 5) FROM sync_stat_rates() WHERE provider_name = 'lost'}), '1', 'what is lost fails once');

$node->restart;
is($node->safe_psql('postgres', $rates), 'work||pending|1|f|f|f', 'it begins anew with the server');
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$node->restart;
is($node->safe_psql('postgres', $rates), 'work||pending|1|||', 'and is not known without preloading');

$node->stop;
done_testing();
