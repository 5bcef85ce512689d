# A task that brings its process down, and the server with it, is not begun for ever;
# those beside it are performed, and those that were at work elsewhere are not blamed.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;
use Time::HiRes qw(usleep);

my $node = start_node('poison', q{
	shared_preload_libraries = 'sync_ext'
	sync_ext.workers = 2
	restart_after_crash = on
	max_worker_processes = 20});

$node->safe_psql('postgres', q{
	CREATE EXTENSION sync_ext;
	CREATE TABLE done (n int);
	CREATE FUNCTION work(payload jsonb) RETURNS void LANGUAGE sql AS $$
		INSERT INTO public.done VALUES ((payload ->> 'n')::int);
		SELECT pg_sleep(1000) WHERE payload ? 'poison';
	$$;
	INSERT INTO sync_operation_types (operation_type, handler, backoff_base, max_attempts) VALUES
		('work', 'work(jsonb)', '0', 3), ('long', 'work(jsonb)', '0', 3)});

# Wait until the server answers, and a process of it is at work on a task: its pid.
sub pid_at_work_on
{
	my ($id) = @_;

	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		my ($pid) = run_command([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c',
			"SELECT pid FROM sync_stat_workers WHERE queue_id = $id AND state = 'performing'" ]);

		return $pid if $pid;
		usleep(100_000);
	}
	die "nobody is at work on task $id";
}

# Start the server again that has gone down by itself, or is about to.
sub start_again
{
	for (1 .. 100 * $PostgreSQL::Test::Utils::timeout_default)
	{
		last if !-e $node->data_dir . '/postmaster.pid';
		usleep(10_000);
	}
	$node->_update_pid(0);
	$node->start;
	return;
}

# Two are at work: a long one on one side, many and the poison among them on the other

my $long = $node->safe_psql('postgres', q{SELECT sync_enqueue('long', '{"n": 0, "poison": true}')});
pid_at_work_on($long);
$node->safe_psql('postgres', q{INSERT INTO sync_queue (operation_type, payload)
	SELECT 'work', CASE n WHEN 30 THEN '{"n": 30, "poison": true}' ELSE jsonb_build_object('n', n) END FROM generate_series(1, 60) AS n});
my $poison = $node->safe_psql('postgres', q{SELECT queue_id FROM sync_queue WHERE payload ->> 'n' = '30'});
my $story = q{SELECT status, attempt, error_sqlstate FROM sync_history WHERE queue_id = %d ORDER BY history_id};

for my $attempt (1 .. 3)
{
	my $pid = pid_at_work_on($poison);

	is($node->safe_psql('postgres', "SELECT attempt FROM sync_queue WHERE queue_id = $poison"), $attempt - 1, "attempt $attempt of the poison is at work");
	pid_at_work_on($long);
	kill $attempt == 2 ? 'SEGV' : 'KILL', $pid;
	# the server has gone down when the process is another one
	while (kill 0, $pid) { usleep(10_000) }
	$node->poll_query_until('postgres', 'SELECT true');
}
ok($node->poll_query_until('postgres', qq{SELECT count(*) = 1 FROM sync_history WHERE queue_id = $poison AND status = 'failed_permanent'}),
	'after as many crashes as attempts, it has failed for good');
is($node->safe_psql('postgres', sprintf($story, $poison)),
	join("\n", 'stuck|1|57P02', 'stuck|2|57P02', 'stuck|3|57P02', 'failed_permanent|3|57P02'), 'each of which is in history');
is($node->safe_psql('postgres', "SELECT kind, subject FROM sync_alerts WHERE queue_id = $poison ORDER BY alert_id DESC LIMIT 1"), 'failed_permanent|work', 'and there is an alert');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 59 FROM done WHERE n > 0}), 'those beside it are done');
is($node->safe_psql('postgres', q{SELECT count(DISTINCT n), bool_or(n = 30) FROM done WHERE n > 0}), '59|f', 'each once');
is($node->safe_psql('postgres', q{SELECT count(*) FROM sync_history WHERE operation = 'work' AND status = 'success' AND attempt = 1}),
	'59', 'by its first attempt');
is($node->safe_psql('postgres', "SELECT attempt, status FROM sync_queue WHERE queue_id = $long"), '0|pending', 'the long one is not blamed');
is($node->safe_psql('postgres', sprintf($story, $long)), '', 'in no way');
is($node->safe_psql('postgres', "SELECT sync_retry($poison)"), $poison, 'the poison can be tried again by hand');
pid_at_work_on($poison);
is($node->safe_psql('postgres', "SELECT sync_cancel($poison)"), 't', 'and be cancelled');

# A stop at once, or a worker that is told to end, is no crash

my $pid = pid_at_work_on($long);
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
while (kill 0, $pid) { usleep(10_000) }
$pid = pid_at_work_on($long);
$node->stop('immediate');
$node->start;
pid_at_work_on($long);
is($node->safe_psql('postgres', "SELECT attempt FROM sync_queue WHERE queue_id = $long"), '0', 'a stop counts for nothing');

# A server that does not come back by itself knows all the same

$node->append_conf('postgresql.conf', 'restart_after_crash = off');
$node->reload;
$pid = pid_at_work_on($long);
kill 'KILL', $pid;
start_again();
pid_at_work_on($long);
is($node->safe_psql('postgres', "SELECT attempt FROM sync_queue WHERE queue_id = $long"), '1', 'after a start of another postmaster the crash is counted');

# A session that performs tasks is no different

$node->safe_psql('postgres', "ALTER SYSTEM SET sync_ext.workers = 0; SELECT pg_reload_conf(); SELECT sync_cancel($long)");
$node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM sync_stat_workers') or die;
$poison = $node->safe_psql('postgres', q{SELECT sync_enqueue('work', '{"n": 99, "poison": true}', max_attempts => 1)});
my $session = start_sql($node, 'postgres', 'CALL sync_process_queue()');
kill 'KILL', pid_at_work_on($poison);
finish_sql($session);
start_again();
$node->safe_psql('postgres', 'CALL sync_process_queue()');
is($node->safe_psql('postgres', sprintf($story, $poison)), "stuck|1|57P02\nfailed_permanent|1|57P02", 'nor is one in a session');

$node->stop;
done_testing();
