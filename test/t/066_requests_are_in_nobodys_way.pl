# What is under way is in nobody's way: it ends at once when it has to, and nothing is
# lost.

use strict;
use warnings;

use lib 'test/perl';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncFake;
use SyncTest;
use Test::More;
use Time::HiRes 'time';

my $node = start_node('driven', q{
	shared_preload_libraries = 'sync_ext'
	sync_ext.http_private_networks = '127.0.0.0/8'
	sync_ext.workers = 1
	restart_after_crash = on});
my $fake = SyncFake->start('mixed');
my $url = $fake->url;
my ($out, $err);

sub ask
{
	my ($path, $n, $more) = @_;

	$more = defined $more ? ", $more" : '';
	$node->safe_psql('postgres', "SELECT sync_request('$url$path'$more) FROM generate_series(1, $n)");
	return;
}

sub wait_until_in_flight
{
	my ($n) = @_;

	$node->poll_query_until('postgres', "SELECT sum(in_flight) = $n FROM sync_stat_workers")
	  or die 'they are not under way: ' . $node->safe_psql('postgres', 'TABLE sync_stat_workers');
	return;
}

sub quickly
{
	my ($what, $sql, $limit) = @_;
	my $start = time;

	$node->safe_psql('postgres', $sql);
	return cmp_ok(time - $start, '<', $limit // 2, "$what takes no longer for it");
}

$node->safe_psql('postgres', q{
	CREATE EXTENSION sync_ext;
	CREATE DATABASE other;
	CREATE TABLE done (at timestamptz);
	CREATE FUNCTION work() RETURNS void LANGUAGE sql AS 'INSERT INTO public.done VALUES (clock_timestamp())';
	INSERT INTO sync_operation_types (operation_type, handler) VALUES ('work', 'work()')});

# a hundred under way, and nothing is held
ask('/slow/60', 100);
wait_until_in_flight(100);
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'sync worker' AND (xact_start IS NOT NULL OR backend_xmin IS NOT NULL)}),
	'0', 'no transaction is open meanwhile');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_locks AS l JOIN sync_stat_workers AS w USING (pid)}), '0', 'and no lock is held');
$node->safe_psql('postgres', q{SELECT sync_enqueue('work')});
ok($node->poll_query_until('postgres', 'SELECT count(*) = 1 FROM done'), 'another task is performed beside them');
is($node->safe_psql('postgres', 'SELECT count(*) FROM sync_answers'), '0', 'by the same worker, while they go on');
quickly('DROP DATABASE', 'DROP DATABASE other');
quickly('LOCK TABLE', 'BEGIN; LOCK TABLE sync_queue; COMMIT');

# one of them is cancelled, and no other
my $id = $node->safe_psql('postgres', q{SELECT min(queue_id) FROM sync_queue WHERE status = 'running'});
quickly('a cancel', "SELECT sync_cancel($id)");
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM sync_history WHERE queue_id = $id AND status = 'cancelled'"), 'a single one can be cancelled');
is($node->safe_psql('postgres', q{SELECT count(*) FROM sync_queue WHERE status = 'running'}), '99', 'the others go on');

# the worker is told to end, or the server
my $pid = $node->safe_psql('postgres', 'SELECT pid FROM sync_stat_workers');
my $start = time;
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid, 10000)");
cmp_ok(time - $start, '<', 2, 'a worker that has them under way ends at once');
is($node->safe_psql('postgres', q{SELECT count(*) FROM sync_history WHERE status = 'stuck'}), '0', 'what it had is given back');
wait_until_in_flight(99);
is($node->safe_psql('postgres', 'SELECT max(attempt) FROM sync_queue'), '1', 'and begun anew by the next, as the first attempt');
$start = time;
$node->stop('fast');
cmp_ok(time - $start, '<', 5, 'a fast shutdown does not wait for them');
$node->start;
wait_until_in_flight(99);
is($node->safe_psql('postgres', q{SELECT count(*) FROM sync_history WHERE status = 'stuck'}), '0', 'nothing of it is lost either');
quickly('DROP EXTENSION', 'DROP EXTENSION sync_ext CASCADE; CREATE EXTENSION sync_ext');

# a worker is killed: what may be done twice is done again, and the rest is known
$node->safe_psql('postgres', q{UPDATE sync_operation_types SET backoff_base = '0' WHERE operation_type = 'request'});
ask('/slow/4', 50);
ask('/slow/4', 1, q{method => 'POST'});
wait_until_in_flight(51);
$pid = $node->safe_psql('postgres', 'SELECT pid FROM sync_stat_workers');
kill 'KILL', $pid;
ok($node->poll_query_until('postgres', 'SELECT count(*) = 50 FROM sync_answers WHERE status = 200'), 'requests survive their worker');
is($node->safe_psql('postgres', q{SELECT count(*) FROM sync_history WHERE status = 'stuck'}), '51', 'which is counted');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM sync_history WHERE status = 'failed_permanent' AND error_message LIKE 'request % may not be sent twice'}),
	'what may not be done twice is not');

# limits hold
$node->safe_psql('postgres', q{UPDATE sync_operation_types SET max_running = 3 WHERE operation_type = 'request'});
ask('/slow/1', 9);
wait_until_in_flight(3);
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM sync_queue}), 'no more are under way than may be, and all are done');
$node->safe_psql('postgres', q{UPDATE sync_operation_types SET max_running = NULL WHERE operation_type = 'request'});

# in a session
$node->safe_psql('postgres', 'ALTER SYSTEM SET sync_ext.workers = 0');
$node->reload;
$node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM sync_stat_workers') or die;
$node->safe_psql('postgres', 'DELETE FROM sync_answers');
ask('/slow/1', 20);
$start = time;
$node->safe_psql('postgres', 'CALL sync_process_queue()');
is($node->safe_psql('postgres', 'SELECT count(*) FROM sync_answers'), '20', 'a session performs them as well');
cmp_ok(time - $start, '<', 10, 'beside each other');
ask('/slow/60', 20);
my $session = start_sql($node, 'postgres', 'CALL sync_process_queue()', app => 'caller');
wait_until_in_flight(20);
$start = time;
$node->safe_psql('postgres', q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'caller'});
($out, $err) = finish_sql($session);
like($err, qr/57014: canceling statement due to user request/, 'it can be cancelled');
cmp_ok(time - $start, '<', 2, 'at once');
is($node->safe_psql('postgres', q{SELECT count(*) FROM sync_queue WHERE status = 'pending' AND attempt = 0}), '20', 'and gives back what it had');

done_testing();
