# A dump keeps tasks, operation types, pauses, alerts and history, and the restored queue
# goes on.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $node = start_node('dump');
my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';
my $state = q{SELECT queue_id, operation_type, status, attempt, priority, run_as, payload, lane, last_error FROM sync_queue ORDER BY 1};
my $types = q{SELECT operation_type, handler, max_attempts, shipped FROM sync_operation_types ORDER BY 1};

$node->safe_psql('postgres', q{CREATE ROLE alice});
$node->safe_psql('postgres', q{
	CREATE EXTENSION sync_ext;
	CREATE TABLE done (n int, by text DEFAULT current_user);
	GRANT INSERT ON done TO alice;
	CREATE FUNCTION work(payload jsonb) RETURNS void LANGUAGE sql AS $$INSERT INTO public.done VALUES ((payload ->> 'n')::int)$$;
	CREATE FUNCTION fail(payload jsonb) RETURNS void LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION USING ERRCODE = payload ->> ''state''; END';
	INSERT INTO sync_operation_types (operation_type, handler) VALUES ('work', 'work(jsonb)'), ('fail', 'fail(jsonb)');
	UPDATE sync_operation_types SET max_attempts = 9 WHERE operation_type = 'stream';
	SELECT sync_enqueue('fail', '{"state": "40001"}'), sync_enqueue('fail', '{"state": "22012"}')});
$node->safe_psql('postgres', 'CALL sync_process_queue()');
$node->safe_psql('postgres', q{
	INSERT INTO sync_queue (operation_type, payload, run_as) VALUES ('work', '{"n": 1}', 'alice');
	INSERT INTO sync_queue (operation_type, payload, run_as, status, attempt, lease_until, worker_pid)
	VALUES ('work', '{"n": 2}', 'alice', 'running', 1, now(), 1);
	SELECT sync_pause(provider_name => 'p')});
is($node->safe_psql('postgres', $state . ' DESC LIMIT 1') =~ s/\|-?\d+\|$//r, '4|work|running|1|5|alice|{"n": 2}', 'there is something to be kept');

$node->command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '-f', $dump ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('restored'), '-f', $dump ], 'restore');
for my $query ($state, $types, 'SELECT * FROM sync_queue_pauses', 'SELECT * FROM sync_alerts', 'SELECT * FROM sync_history ORDER BY history_id')
{
	is($node->safe_psql('restored', $query), $node->safe_psql('postgres', $query), "the same: $query");
}
$node->safe_psql('restored', 'CALL sync_process_queue()');
is($node->safe_psql('restored', 'SELECT n, by FROM done'), '1|alice', 'the restored queue goes on, as the same roles');
is($node->safe_psql('restored', q{SELECT status FROM sync_history WHERE queue_id = 4}), 'stuck', 'what was running is known as stuck');
is($node->safe_psql('restored', q{SELECT sync_enqueue('work')}), '5', 'and new tasks have new numbers');

$node->stop;
done_testing();
