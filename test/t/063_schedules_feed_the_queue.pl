# A schedule that fires puts a task into the queue as its role; a worker performs
# it; history shows it.  While it is there, further firings add none.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $node = start_node('feeding', q{
	shared_preload_libraries = 'pg_cron, sync_ext'
	cron.database_name = 'runs'
	cron.use_background_workers = on
	sync_ext.databases = 'runs'
	sync_ext.workers = 0
	max_worker_processes = 20
});

# What pg_cron runs comes once a minute, which is as long as a poll waits.
sub wait_until
{
	my ($query, $what) = @_;

	return ok($node->poll_query_until('runs', $query) || $node->poll_query_until('runs', $query), $what);
}

$node->safe_psql('postgres', 'CREATE DATABASE runs; CREATE ROLE robot LOGIN');
$node->safe_psql('runs', q{
	CREATE EXTENSION pg_cron;
	CREATE SCHEMA sync;
	CREATE EXTENSION sync_ext SCHEMA sync;
	GRANT USAGE ON SCHEMA sync, cron TO robot;
	GRANT EXECUTE ON FUNCTION sync.sync_schedule, sync.sync_unschedule, sync.sync_enqueue TO robot;
	CREATE TABLE performed (payload jsonb, by text);
	GRANT INSERT ON performed TO robot;
	CREATE FUNCTION perform(payload jsonb) RETURNS void LANGUAGE sql
		AS 'INSERT INTO public.performed VALUES (payload, current_user)';
	INSERT INTO sync.sync_operation_types (operation_type, handler) VALUES ('load', 'public.perform(jsonb)')});

my ($out, $err) = try_sql($node, 'runs',
	q{SELECT sync.sync_schedule('load', '* * * * *', 'load', '{"from": "the schedule"}', timing_partner_id => 7, provider_name => 'rsu', priority => 2)},
	user => 'robot');
is($err, '', 'a role schedules a task');
wait_until('SELECT count(*) > 0 FROM sync.sync_queue', 'the schedule fires, and puts it into the queue');
is($node->safe_psql('runs', 'SELECT operation_type, payload, timing_partner_id, provider_name, priority, run_as, status FROM sync.sync_queue'),
	'load|{"from": "the schedule"}|7|rsu|2|robot|pending', 'as it was described, and as its role');

# What pg_cron runs at each firing, here at once and more often
my $command = $node->safe_psql('runs', q{SELECT command FROM sync.sync_schedules WHERE name = 'load'});
try_sql($node, 'runs', "$command; $command", user => 'robot');
is($node->safe_psql('runs', 'SELECT count(*) FROM sync.sync_queue'), '1', 'firings while it waits add none');
my $other = $node->background_psql('runs');
$other->query_safe('BEGIN; SELECT FROM sync.sync_queue FOR UPDATE');
try_sql($node, 'runs', $command, user => 'robot');
is($node->safe_psql('runs', 'SELECT count(*) FROM sync.sync_queue'), '1', 'nor while somebody is at work on it');
$other->query_safe('COMMIT');
$other->quit;

$node->append_conf('postgresql.conf', 'sync_ext.workers = 1');
$node->reload;
wait_until(q{SELECT EXISTS (SELECT FROM sync.sync_history WHERE operation = 'load')}, 'a worker performs it');
is($node->safe_psql('runs', 'SELECT DISTINCT by, payload FROM performed'), 'robot|{"from": "the schedule"}',
	'the task is performed as the role that scheduled it');
is($node->safe_psql('runs', q{SELECT DISTINCT operation, subject, run_by, status, timing_partner_id FROM sync.sync_history}),
	'load|rsu|robot|success|7', 'and history shows it');

# Once it is done the next firing adds one again
wait_until('SELECT count(*) > 1 FROM performed', 'the next firing is performed too');

# Without workers, pg_cron can have the queue processed as well
$node->append_conf('postgresql.conf', 'sync_ext.workers = 0');
$node->reload;
$node->poll_query_until('runs', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'sync worker'});
$node->safe_psql('runs', q{
	TRUNCATE performed;
	SELECT sync.sync_schedule('work', '* * * * *', command => 'CALL sync.sync_process_queue()')});
try_sql($node, 'runs', $command, user => 'robot');
wait_until('SELECT count(*) > 0 FROM performed', 'a schedule performs tasks too');

$node->stop;
done_testing();
