# What goes on for long is told of once: a provider that wants to be left alone or was
# paused, tasks that are due; and resolved when it is over.  So is a worker that was lost.

use strict;
use warnings;

use lib 'test/perl';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncFake;
use SyncTest;
use Test::More;

my $node = start_node('conditions', q{
	shared_preload_libraries = 'sync_ext'
	sync_ext.http_private_networks = '127.0.0.0/8'
	sync_ext.workers = 2
	sync_ext.poll_interval = '500ms'
	sync_ext.alert_pause = '1s'
	sync_ext.alert_backlog = '1s'});
my $fake = SyncFake->start('plain', throttle => 1, retry_after => 6);

# Wait until there are so many alerts of a kind, and so many of them are resolved.
sub there_are
{
	my ($kind, $raised, $resolved, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return ok($node->poll_query_until('postgres', qq{SELECT count(*) = $raised AND count(resolved_at) = $resolved FROM sync_alerts WHERE kind = '$kind'}), $what)
	  || diag($node->safe_psql('postgres', 'SELECT * FROM sync_alerts'));
}

$node->safe_psql('postgres', q{
	CREATE EXTENSION sync_ext;
	CREATE FUNCTION nap(payload jsonb) RETURNS void LANGUAGE sql AS $$SELECT pg_sleep((payload ->> 's')::float)$$;
	INSERT INTO sync_operation_types (operation_type, handler, kind, max_running, backoff_base) VALUES
		('one', 'public.nap(jsonb)', 'transaction', 1, '1 hour'), ('outside', 'public.nap(jsonb)', 'external', NULL, '1 hour')});

# tasks that are due for long

$node->safe_psql('postgres', q{INSERT INTO sync_queue (operation_type, payload) VALUES ('one', '{"s": 4}'), ('one', '{"s": 0}')});
there_are('long_backlog', 1, 0, 'tasks that are due for long are told of');
there_are('long_backlog', 1, 1, 'and that they are not any more');
like($node->safe_psql('postgres', q{SELECT subject, message FROM sync_alerts}), qr/^queue\|tasks wait that are due since \d{4}-/, 'since when');

# one that was scheduled for long ago is not due for long

$node->safe_psql('postgres', q{INSERT INTO sync_queue (operation_type, payload, scheduled_time) VALUES ('one', '{"s": 0}', now() - interval '1 hour')});
$node->poll_query_until('postgres', 'SELECT NOT EXISTS (SELECT FROM sync_queue)');
there_are('long_backlog', 1, 1, 'a task for long ago is no backlog');

# a provider that somebody paused, and one that wants to be left alone

$node->safe_psql('postgres', q{SELECT sync_pause('club'); INSERT INTO sync_queue (operation_type, provider_name, payload) VALUES ('one', 'club', '{"s": 0}')});
there_are('provider_paused', 1, 0, 'a provider that was paused is told of');
there_are('long_backlog', 1, 1, 'but not its tasks');
$node->safe_psql('postgres', q{SELECT sync_resume('club')});
there_are('provider_paused', 1, 1, 'and that it goes on');
$node->safe_psql('postgres', "INSERT INTO sync_providers (provider_name, base_url, retry) VALUES ('plain', '" . $fake->url . "', '{\"times\": 2}')");
$node->safe_psql('postgres', q{INSERT INTO sync_endpoints (endpoint_name, provider_name, path) VALUES ('rows', 'plain', '/rows')});
my $session = start_sql($node, 'postgres', q{SELECT count(*) FROM sync_fetch('rows')});
there_are('provider_paused', 2, 1, 'a provider that wants to be left alone is told of');
there_are('provider_paused', 2, 2, 'and that it does no more');
is((finish_sql($session))[0], '3', 'whoever asks it has waited');
like($node->safe_psql('postgres', q{SELECT subject, message FROM sync_alerts WHERE subject = 'plain'}), qr/^plain\|provider "plain" wants to be left alone until \d{4}-/, 'until when');

# a lost worker

my $queue_id = $node->safe_psql('postgres', q{SELECT sync_enqueue('outside', '{"s": 60}')});
ok($node->poll_query_until('postgres', qq{SELECT status = 'running' FROM sync_queue WHERE queue_id = $queue_id}), 'a task is at work');
$node->poll_query_until('postgres', qq{SELECT EXISTS (SELECT FROM pg_stat_activity a JOIN sync_queue q ON a.pid = q.worker_pid WHERE q.queue_id = $queue_id AND a.wait_event = 'PgSleep')});
$node->safe_psql('postgres', qq{SELECT pg_terminate_backend(worker_pid) FROM sync_queue WHERE queue_id = $queue_id});
there_are('stuck', 1, 0, 'a worker that was lost is told of');
is($node->safe_psql('postgres', q{SELECT subject, queue_id FROM sync_alerts WHERE kind = 'stuck'}), "outside|$queue_id", 'with its task');

$node->stop;
done_testing();
