# A rate counts tasks that are begun.  Those that a worker has claimed and puts back, as
# those before them took long, are none of them.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $node = start_node('given_back', qq{shared_preload_libraries = 'sync_ext'\nsync_ext.workers = 1});

$node->safe_psql('postgres', q{
	CREATE EXTENSION sync_ext;
	CREATE FUNCTION work() RETURNS void LANGUAGE sql AS 'SELECT pg_sleep(0.06)';
	CREATE FUNCTION nothing() RETURNS void LANGUAGE sql AS '';
	INSERT INTO sync_operation_types (operation_type, handler, rate_limit, rate_interval, limits_per) VALUES
		('nothing', 'nothing()', NULL, '1 second', 'type'), ('rare', 'work()', 1, '1 day', 'tenant')});

# many that are quick, so that the next ones are claimed together
$node->safe_psql('postgres', q{SELECT count(sync_enqueue('nothing')) FROM generate_series(1, 300)});
$node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM sync_queue') or die;
$node->safe_psql('postgres', q{
	SELECT sync_enqueue('rare', timing_partner_id => n) FROM generate_series(1, 12) AS n, generate_series(1, 2)});
ok($node->poll_query_until('postgres', q{SELECT count(DISTINCT timing_partner_id) = 12 FROM sync_history WHERE operation = 'rare'}),
	'each tenant has its turn');
$node->safe_psql('postgres', q{SELECT sync_enqueue('nothing', priority => 100)});
ok($node->poll_query_until('postgres', q{SELECT count(*) = 301 FROM sync_history WHERE operation = 'nothing'}), 'nothing is due before the last one');
is($node->safe_psql('postgres', q{SELECT count(*) FROM sync_history WHERE operation = 'rare'}), '12', 'and no more than one');

$node->stop;
done_testing();
