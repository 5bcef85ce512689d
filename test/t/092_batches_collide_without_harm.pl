# Tasks that a batch performs in one transaction hold what each of them has locked. One
# that meets another process over that has done nothing wrong: it is not counted.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $node = start_node('collide', q{
	shared_preload_libraries = 'sync_ext'
	sync_ext.workers = 1
	deadlock_timeout = '3s'});

$node->safe_psql('postgres', q{
	CREATE EXTENSION sync_ext;
	CREATE TABLE rows (id int PRIMARY KEY, n int NOT NULL DEFAULT 0);
	INSERT INTO rows SELECT generate_series(1, 3);
	CREATE FUNCTION touch(payload jsonb) RETURNS void LANGUAGE sql AS 'UPDATE public.rows SET n = n + 1 WHERE id = (payload ->> ''id'')::int';
	INSERT INTO sync_operation_types (operation_type, handler) VALUES ('touch', 'touch(jsonb)')});

# Somebody holds row 2, and wants row 1 while a worker that has that wants row 2.  The
# worker waits first, so it is the one that gives way.
sub collide
{
	my (@ids) = @_;
	my $other = $node->background_psql('postgres');

	$other->query_safe(q{SET deadlock_timeout = '1min'; BEGIN; UPDATE rows SET n = n + 10 WHERE id = 2});
	# so many are claimed at once as were quick before
	$node->safe_psql('postgres', q{SELECT sync_pause(operation_type => 'touch')});
	$node->safe_psql('postgres', "SELECT sync_enqueue('touch', jsonb_build_object('id', id)) FROM unnest('{$_}'::int[]) WITH ORDINALITY AS i (id, n) ORDER BY n")
	  for join ',', @ids;
	$node->safe_psql('postgres', q{SELECT sync_resume(operation_type => 'touch')});
	ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'sync worker' AND wait_event_type = 'Lock'}),
		'the worker waits for a row');
	$other->query_safe('UPDATE rows SET n = n + 10 WHERE id = 1; COMMIT');
	$other->quit;
	ok($node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM sync_queue'), 'all is done');
	return;
}

# a few that are quick, so that the next are claimed together
$node->safe_psql('postgres', q{SELECT count(sync_enqueue('touch', '{"id": 3}')) FROM generate_series(1, 200)});
$node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM sync_queue');

collide(1, 2, 3);
ok($node->poll_query_until('postgres', q{SELECT deadlocks = 1 FROM pg_stat_database WHERE datname = 'postgres'}), 'they met');
is($node->safe_psql('postgres', q{SELECT status, attempt, count(*) FROM sync_history WHERE operation = 'touch' GROUP BY 1, 2}),
	'success|1|203', 'no attempt is counted that was not its own');
is($node->safe_psql('postgres', 'SELECT id, n FROM rows ORDER BY id'), "1|11\n2|11\n3|201", 'and each is done once');

$node->stop;
done_testing();
