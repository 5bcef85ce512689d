# Workers hear of what a transaction did when all of it can be seen: who resumes what
# was paused wakes a worker that does not take it for paused any more.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $err;
my $node = start_node('told', q{
	shared_preload_libraries = 'sync_ext'
	sync_ext.workers = 2
	sync_ext.poll_interval = '1h'
});

$node->safe_psql('postgres', q{
	CREATE EXTENSION sync_ext;
	CREATE FUNCTION noop() RETURNS void LANGUAGE sql AS '';
	INSERT INTO sync_operation_types (operation_type, handler) VALUES ('noop', 'noop()');
	CREATE PROCEDURE wait_until_done(task bigint) LANGUAGE plpgsql AS $$
	DECLARE
		since timestamptz := clock_timestamp();
	BEGIN
		WHILE EXISTS (SELECT FROM sync_queue WHERE queue_id = task) LOOP
			COMMIT;
			ASSERT clock_timestamp() < since + interval '60 s', format('task %s was left', task);
		END LOOP;
	END $$;
	CREATE PROCEDURE pause_and_resume(times int) LANGUAGE plpgsql AS $$
	DECLARE
		task bigint;
	BEGIN
		FOR i IN 1 .. times LOOP
			PERFORM sync_pause();
			COMMIT;
			task := sync_enqueue('noop');
			COMMIT;
			PERFORM pg_sleep(0.001 * (i % 4)); -- for a worker to find it paused
			PERFORM sync_resume();
			COMMIT;
			CALL wait_until_done(task);
		END LOOP;
	END $$;
	CREATE PROCEDURE define_and_enqueue(times int) LANGUAGE plpgsql AS $$
	DECLARE
		task bigint;
	BEGIN
		FOR i IN 1 .. times LOOP
			INSERT INTO sync_operation_types (operation_type, handler) VALUES ('new ' || i, 'noop()');
			task := sync_enqueue('new ' || i);
			COMMIT;
			CALL wait_until_done(task);
		END LOOP;
	END $$});

is($node->psql('postgres', 'CALL pause_and_resume(500)', stderr => \$err), 0, 'what is resumed is performed, 500 times') or diag($err);
is($node->psql('postgres', 'CALL define_and_enqueue(200)', stderr => \$err), 0, 'a task of a type that is new is performed, 200 times') or diag($err);
is($node->safe_psql('postgres', q{SELECT count(*) FROM sync_history WHERE status <> 'success'}), '0', 'and found to be of that type');

# A task that needs what its transaction has locked need not wait for the lock.
$node->safe_psql('postgres', q{
	CREATE TABLE held (n int);
	CREATE FUNCTION hold() RETURNS void LANGUAGE sql AS 'LOCK TABLE public.held IN ACCESS EXCLUSIVE MODE NOWAIT';
	INSERT INTO sync_operation_types (operation_type, handler, max_attempts) VALUES ('hold', 'hold()', 1);
	CREATE PROCEDURE lock_and_enqueue(times int) LANGUAGE plpgsql AS $$
	DECLARE
		task bigint;
	BEGIN
		FOR i IN 1 .. times LOOP
			LOCK TABLE held IN ACCESS EXCLUSIVE MODE;
			task := sync_enqueue('hold');
			COMMIT;
			CALL wait_until_done(task);
		END LOOP;
	END $$});
is($node->psql('postgres', 'CALL lock_and_enqueue(200)', stderr => \$err), 0, 'a task is begun once the locks of its transaction are released, 200 times') or diag($err);
is($node->safe_psql('postgres', q{SELECT count(*) FROM sync_history WHERE status <> 'success'}), '0', 'and finds them released');

# Of tasks that are held back there may be more than there is room for lanes: nobody is
# kept busy by that, and all are there again when they are resumed.
$node->safe_psql('postgres', q{SELECT sync_pause()});
$node->safe_psql('postgres', q{INSERT INTO sync_queue (operation_type, timing_partner_id) SELECT 'noop', n FROM generate_series(1, 3000) AS n});
ok($node->poll_query_until('postgres', q{SELECT bool_and(state = 'idle') FROM sync_stat_workers}), 'workers look at many that are paused');
SKIP:
{
	skip 'there is no /proc', 1 unless -e "/proc/$$/stat";
	my $used = sub
	{
		my $ticks = 0;

		for my $pid (split /\n/, $node->safe_psql('postgres', 'SELECT pid FROM sync_stat_workers'))
		{
			my @f = split ' ', slurp_file("/proc/$pid/stat") =~ s/.*\) //sr;
			$ticks += $f[11] + $f[12];
		}
		return $ticks;
	};
	my $before = $used->();

	$node->safe_psql('postgres', 'SELECT pg_sleep(3)');
	cmp_ok($used->() - $before, '<', 30, 'and are then idle');
}
$node->safe_psql('postgres', q{SELECT sync_resume()});
ok($node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM sync_queue'), 'all are performed when they are resumed');

$node->stop;
done_testing();
