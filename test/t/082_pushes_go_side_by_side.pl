# Pushes as tasks of the queue: those of many tenants at once in one worker, with no
# transaction while they wait, and with what they know kept whatever happens.

use strict;
use warnings;

use lib 'test/perl';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncFake;
use SyncTest;
use Test::More;
use Time::HiRes qw(time usleep);

my $tenants = 30;
my $requests = 3;
my $node = start_node('push', q{
	shared_preload_libraries = 'sync_ext'
	sync_ext.workers = 1
	sync_ext.lease_timeout = '2s'
	sync_ext.http_private_networks = '127.0.0.0/8'
	restart_after_crash = on
	max_worker_processes = 20});
my $fake = SyncFake->start('plain', slow_ms => 400);

$node->safe_psql('postgres', q{CREATE EXTENSION sync_ext; CREATE TABLE people (ref int PRIMARY KEY, name text, partner bigint)});
$node->safe_psql('postgres', "INSERT INTO people SELECT n, 'n' || n, n % $tenants FROM generate_series(1, $tenants * 6) AS n");
$node->safe_psql('postgres', q{
	INSERT INTO sync_providers (provider_name, base_url, retry) VALUES ('eighth', '} . $fake->url . q{', '{"wait_ms": 20, "times": 1}');
	INSERT INTO sync_endpoints (endpoint_name, provider_name, method, path, body) VALUES ('e', 'eighth', 'POST', '/take',
		'{"kind": "records", "batch": 2, "items": "$.results[*]", "id": "$.id", "failed": "$.status == \"refused\"", "message": "$.why"}');
	SELECT sync_create_push('p', 'e', 'SELECT * FROM public.people ORDER BY ref', '{ref}', tenant_column => 'partner');
	UPDATE sync_operation_types SET backoff_base = '100 ms', backoff_jitter = 0 WHERE operation_type = 'push'});

# Put a task for each of these tenants into the queue.
sub enqueue
{
	my (@tenants) = @_;
	my $list = join ',', @tenants;
	$node->safe_psql('postgres', qq(INSERT INTO sync_queue (operation_type, timing_partner_id, payload) SELECT 'push', t, '{"push": "p"}' FROM unnest(ARRAY[$list]) AS t));
	return;
}

sub wait_until_empty { return $node->poll_query_until('postgres', 'SELECT NOT EXISTS (SELECT FROM sync_queue)') || die 'tasks stay in the queue' }

# many at once

my $start = time;
enqueue(0 .. $tenants - 1);
my $held = 0;
my $looked = 0;
while ($node->safe_psql('postgres', 'SELECT count(*) FROM sync_queue') > 0)
{
	my $waiting = $node->safe_psql('postgres', q{SELECT count(*) FILTER (WHERE xact_start IS NOT NULL OR backend_xmin IS NOT NULL), count(*) FROM pg_stat_activity
		WHERE backend_type = 'sync worker' AND (SELECT count(*) FROM sync_pushed WHERE state = 'sending') = } . 2 * $tenants);
	my ($in_transaction, $workers) = split /\|/, $waiting;
	$held += $in_transaction;
	$looked += $workers;
	usleep(20_000);
	last if time - $start > 120;
}
my $took = time - $start;
is($node->safe_psql('postgres', q{SELECT state, count(*), count(remote_id) FROM sync_pushed GROUP BY state}), 'pushed|' . 6 * $tenants . '|' . 6 * $tenants, 'all rows of all tenants are pushed');
cmp_ok($took, '<', 0.4 * $tenants * $requests / 3, "at once, and not one after the other ($took s)");
cmp_ok($looked, '>', 0, 'the worker was seen to wait for all of them');
cmp_ok($held, '<=', $looked / 4, 'and held no transaction meanwhile');
is(scalar($fake->log), $tenants * $requests, 'with no request more than needed');
is($node->safe_psql('postgres', q{SELECT count(*), min((details ->> 'created')::int), min((details ->> 'requests')::int) FROM sync_history WHERE operation = 'push' AND queue_id IS NOT NULL AND status = 'success'}), "$tenants|6|$requests", 'history has each task, with its counts');
is($node->safe_psql('postgres', q{SELECT count(*), sum(inserted), count(DISTINCT timing_partner_id) FROM sync_history WHERE operation = 'push' AND queue_id IS NULL}), "$tenants|" . 6 * $tenants . "|$tenants", 'and each push');
$fake->set(slow_ms => 0);
$fake->clear;
enqueue(0 .. $tenants - 1);
wait_until_empty();
is(scalar($fake->log), 0, 'what was pushed is not pushed again');

# some fail

$node->safe_psql('postgres', "UPDATE people SET name = 'bad' WHERE partner < 10; DELETE FROM sync_alerts");
enqueue(0 .. 9);
wait_until_empty();
is($node->safe_psql('postgres', q{SELECT count(*), min((details ->> 'failed')::int) FROM sync_history WHERE operation = 'push' AND details ? 'failed' AND (details ->> 'failed')::int > 0}), '10|6', 'rows that the provider does not take do not fail the task');
is($node->safe_psql('postgres', q{SELECT kind, count(*) FROM sync_alerts GROUP BY kind}), 'push_failed|10', 'one alert for each push');
enqueue(0 .. 9);
wait_until_empty();
is($node->safe_psql('postgres', q{SELECT count(*) FROM sync_alerts}), '10', 'and none when the same rows fail again');

# the provider is out of order for a while

$node->safe_psql('postgres', "UPDATE people SET name = 'again' || ref WHERE partner = 11");
$fake->set(throttle => 4, retry_after => 0);
enqueue(11);
wait_until_empty();
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT state, ' '), count(*) FILTER (WHERE action = 'update') FROM sync_pushed WHERE timing_partner_id = 11}), 'pushed|6', 'a task is tried again until it is done');
is($node->safe_psql('postgres', q{SELECT count(*), min(error_sqlstate) FROM sync_history WHERE operation = 'push' AND timing_partner_id = 11 AND status <> 'success' AND queue_id IS NOT NULL}), '2|SY002', 'after as many attempts as it takes');

# or does not let the tenant in, which another attempt would not mend

$node->safe_psql('postgres', "UPDATE people SET name = 'refused' || ref WHERE partner = 13");
$fake->set(fail => 100, fail_status => 401);
enqueue(13);
wait_until_empty();
$fake->set(fail => 0, fail_status => 503);
is($node->safe_psql('postgres', q{SELECT status, attempt, error_message FROM sync_history WHERE operation = 'push' AND timing_partner_id = 13 AND status <> 'success' AND queue_id IS NOT NULL}),
	'failed_permanent|1|provider "eighth" does not accept the credential', 'a credential that is refused ends the task at once');

# a worker is killed while it waits

$node->safe_psql('postgres', "UPDATE people SET name = 'killed' || ref WHERE partner = 12");
$fake->clear;
$fake->set(slow_ms => 3000);
enqueue(12);
$node->poll_query_until('postgres', q{SELECT count(*) = 2 FROM sync_pushed WHERE state = 'sending'}) or die 'nothing is sent';
usleep(20_000) until scalar($fake->log);
kill 'KILL', $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'sync worker'");
$fake->set(slow_ms => 0);
$node->poll_query_until('postgres', 'SELECT true') or die 'the server does not come back';
$node->poll_query_until('postgres', 'SELECT NOT EXISTS (SELECT FROM sync_queue)') or die 'the task is lost';
is($node->safe_psql('postgres', q{SELECT string_agg(state || '=' || n, ' ' ORDER BY state) FROM (SELECT state, count(*) AS n FROM sync_pushed WHERE timing_partner_id = 12 GROUP BY state) AS s}), 'pushed=4 sending=2', 'the task is done by another, but for what nobody knows of');
is(scalar(grep { $_->{body} =~ /"ref": 12,/ } $fake->log), 1, 'which is not sent twice');
is($node->safe_psql('postgres', q{SELECT sync_resolve_push('p', NULL, 'pushed', timing_partner_id => 12)}), 2, 'until somebody says what became of it');

# without workers

$node->safe_psql('postgres', "UPDATE people SET name = 'session' || ref WHERE partner = 13; ALTER SYSTEM SET sync_ext.workers = 0");
$node->reload;
$node->poll_query_until('postgres', "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'sync worker')") or die 'the worker stays';
enqueue(13);
$node->safe_psql('postgres', 'CALL sync_process_queue()');
is($node->safe_psql('postgres', q{SELECT count(*) FROM sync_pushed WHERE timing_partner_id = 13 AND state = 'pushed' AND action = 'update'}), 6, 'a session that processes the queue pushes as well');

# as the role that put it there

$node->safe_psql('postgres', q{CREATE ROLE clerk; GRANT EXECUTE ON FUNCTION sync_task_push TO clerk; GRANT INSERT, SELECT ON sync_queue TO clerk; UPDATE people SET name = 'clerk' WHERE partner = 14;
	UPDATE sync_operation_types SET max_attempts = 1 WHERE operation_type = 'push'});
for my $case ([ '42501: permission denied for table people', 'a role without a right to the rows pushes none', 'SELECT 1' ], [ '', 'one with it does', 'GRANT SELECT ON people TO clerk' ])
{
	my ($error, $what, $before) = @$case;
	$node->safe_psql('postgres', qq{$before; SET ROLE clerk; INSERT INTO sync_queue (operation_type, timing_partner_id, payload) VALUES ('push', 14, '{"push": "p"}'); RESET ROLE; CALL sync_process_queue()});
	is($node->safe_psql('postgres', q{SELECT coalesce(error_sqlstate || ': ' || error_message, '') FROM sync_history WHERE operation = 'push' AND timing_partner_id = 14 AND queue_id IS NOT NULL ORDER BY history_id DESC LIMIT 1}), $error, $what);
}
for my $case ([ '{}', '22023: the payload of a push must name it' ], [ '{"push": "none"}', '42704: push "none" does not exist' ])
{
	my ($payload, $error) = @$case;
	$node->safe_psql('postgres', qq{INSERT INTO sync_queue (operation_type, timing_partner_id, payload) VALUES ('push', 1, '$payload'); CALL sync_process_queue()});
	is($node->safe_psql('postgres', q{SELECT error_sqlstate || ': ' || error_message FROM sync_history WHERE operation = 'push' AND queue_id IS NOT NULL ORDER BY history_id DESC LIMIT 1}), $error, "payload $payload is refused");
}

$node->stop;
done_testing();
