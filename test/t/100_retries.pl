# What is tried again, when, and what is not: calls for tokens as other requests are, and tasks
# when the provider has said to come back, whichever way they ask it.

use strict;
use warnings;

use lib 'test/perl';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncFake;
use SyncTest;
use Test::More;

my $node = start_node('retries', "shared_preload_libraries = 'sync_ext'\nsync_ext.workers = 0\nsync_ext.http_private_networks = '127.0.0.0/8'");
my $fake = SyncFake->start('plain');
my $url = $fake->url;
my $auth = q{[{"headers": {"X-Token": "{token.access}"}, "token": {"url": "/token", "form": {"key": "x"}, "values": {"access": "$.access"}}}]};
my $provider = 'none';
my ($out, $err);

$node->safe_psql('postgres', q{
	CREATE EXTENSION sync_ext;
	CREATE TABLE people (id int PRIMARY KEY, name text);
	CREATE TABLE given (ref int, name text);
	INSERT INTO given VALUES (1, 'a')});

# Let a provider that nobody has asked anything yet have stream and push "p", and the fake
# these switches.
sub begin
{
	my ($retry, $auth, %switches) = @_;

	$provider++;
	$node->safe_psql('postgres', qq{
		SELECT sync_drop_stream(stream_name) FROM sync_streams;
		SELECT sync_drop_push(push_name, forget => true) FROM sync_pushes;
		TRUNCATE people;
		INSERT INTO sync_providers (provider_name, base_url, retry, auth) VALUES ('$provider', '$url', '$retry', '$auth');
		INSERT INTO sync_endpoints (endpoint_name, provider_name, path, columns, key) VALUES ('${provider}_rows', '$provider', '/rows', '{"id": "\$.id", "name": "\$.name"}', '{id}');
		INSERT INTO sync_endpoints (endpoint_name, provider_name, method, path, body) VALUES ('${provider}_take', '$provider', 'POST', '/take', '{"kind": "records"}');
		SELECT sync_create_stream('p', 'people', endpoint => '${provider}_rows');
		SELECT sync_create_push('p', endpoint => '${provider}_take', query => 'SELECT ref, name FROM public.given', key => '{ref}')});
	$fake->set(fail => 0, fail_status => 503, throttle => 0, retry_after => '', drop_after => 0);
	$fake->clear;
	$fake->set(%switches);
	return;
}

sub asked { my ($path) = @_; return scalar grep { $_->{path} eq $path } $fake->log }
sub fetch { ($out, $err) = try_sql($node, 'postgres', "SELECT count(*) FROM sync_fetch('${provider}_rows')"); return $out }
sub faults { return $node->safe_psql('postgres', "SELECT throttled, unavailable, unauthorized, refused, unanswered, retries FROM sync_stat_providers WHERE provider_name = '$provider'") }

# Perform a task, and say what came of it, and in how many seconds it comes back.
sub perform
{
	my ($operation, $payload) = @_;

	$node->safe_psql('postgres', qq{DELETE FROM sync_queue; INSERT INTO sync_queue (operation_type, payload) VALUES ('$operation', '$payload'); CALL sync_process_queue()});
	return ($node->safe_psql('postgres', 'SELECT status FROM sync_history WHERE queue_id IS NOT NULL ORDER BY history_id DESC LIMIT 1'),
		$node->safe_psql('postgres', 'SELECT round(extract(epoch FROM scheduled_time - now())) FROM sync_queue'));
}

# calls for tokens

begin('{"times": 2, "wait_ms": 10}', $auth, fail => 2);
is(fetch(), 3, 'a token that is not to be had now is asked for again') or diag($err);
is(asked('/token'), 3, 'as often as it takes');
is(faults(), '0|2|0|0|0|2', 'and that is counted');
begin('{"times": 2, "wait_ms": 10}', $auth, drop_after => 1);
is(fetch(), 3, 'so it is where no answer comes') or diag($err);
is(faults(), '0|0|0|0|1|1', 'and that is counted');
begin('{"times": 2, "wait_ms": 10}', $auth, throttle => 1, retry_after => 1);
is(fetch(), 3, 'and where the provider asks to wait') or diag($err);
is(asked('/token'), 2, 'once it has') or diag($err);
is(faults(), '1|0|0|0|0|1', 'and that is counted');
is($node->safe_psql('postgres', "SELECT held >= '0.9 s' OR paused_until IS NOT NULL FROM sync_stat_providers WHERE provider_name = '$provider'"), 't', 'the credential was left alone');
begin('{"times": 2, "wait_ms": 10}', $auth, fail => 9);
fetch();
like($err, qr/ERROR:  SY002: provider "$provider" gave no token\nDETAIL:  It answered with status 503\.\n(?!HINT)/, 'in the end it is given up, and the credential not blamed');
is(asked('/token'), 3, 'after all tries');
begin('{"times": 2, "wait_ms": 10}', $auth, drop_after => 1, drops => 9);
fetch();
like($err, qr/ERROR:  SY001: /, 'or no answer came');
is(asked('/token'), 3, 'after all tries');
$fake->set(drops => 0);
for my $status (400, 401, 403)
{
	begin('{"times": 2, "wait_ms": 10}', $auth, fail => 1, fail_status => $status);
	fetch();
	like($err, qr/ERROR:  SY002: provider "$provider" gave no token\nDETAIL:  It answered with status $status\.\nHINT:  The credential might be wrong/, "$status blames the credential");
	is(asked('/token'), 1, 'at once');
}
begin('{"times": 2, "wait_ms": 10}', $auth, throttle => 1, retry_after => 3600);
fetch();
like($err, qr/ERROR:  SY002: .*\nHINT:  It asks to be left alone for 3600 seconds\./s, 'a provider may ask for longer than requests wait');
fetch();
like($err, qr/ERROR:  SY002: provider "$provider" wants to be left alone\n/, 'and is left alone');
is(asked('/token'), 1, 'unasked');

# each wait is longer than the one before

begin('{"times": 3, "wait_ms": 10, "factor": 3}', '[]', fail => 3);
$node->safe_psql('postgres', q{SELECT sync_run('p')});
is($node->safe_psql('postgres', q{SELECT details -> 'fetch' ->> 'waited_ms' FROM sync_history WHERE subject = 'p' ORDER BY history_id DESC LIMIT 1}), 10 + 30 + 90, 'waits grow by the factor');

# tasks come back when they were told to

$node->safe_psql('postgres', q{CREATE FUNCTION by_hand(payload jsonb) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN PERFORM sync_run('p'); EXCEPTION WHEN OTHERS THEN IF payload ->> 'then' = 'raise' THEN RAISE; END IF; RAISE EXCEPTION 'by hand'; END $$;
	INSERT INTO sync_operation_types (operation_type, handler, search_path) VALUES ('hand', 'by_hand(jsonb)', 'public')});

for my $task ([ 'fetch', '{"stream": "p"}' ], [ 'stream', '{"stream": "p"}' ], [ 'push', '{"push": "p"}' ], [ 'hand', '{"then": "raise"}' ])
{
	my ($status, $seconds);

	begin('{"times": 0}', '[]', throttle => 1, retry_after => 5400);
	($status, $seconds) = perform(@$task);
	is($status, 'failed', "a task of type $task->[0] is told to wait");
	cmp_ok(abs($seconds - 5390), '<=', 10, 'and comes back then') or diag($seconds);
	($status, $seconds) = perform(@$task);
	is($status, 'failed', 'another one learns of it');
	cmp_ok(abs($seconds - 5390), '<=', 10, 'and comes back then') or diag($seconds);
	begin('{"times": 0}', '[]', throttle => 1, retry_after => 99999999);
	($status, $seconds) = perform(@$task);
	cmp_ok(abs($seconds - 86390), '<=', 10, 'but after a day') or diag($seconds);
	begin('{"times": 0}', '[]', fail => 1);
	($status, $seconds) = perform(@$task);
	is($status, 'failed', 'what is not to be had now is tried again');
	cmp_ok($seconds, '<=', 120, 'after the backoff of its type');
	begin('{"times": 0}', '[]', fail => 1, fail_status => 401);
	is((perform(@$task))[0], 'failed_permanent', 'and what is refused is not');
	begin('{"times": 0}', $auth, fail => 1, fail_status => 403);
	is((perform(@$task))[0], 'failed_permanent', 'nor without a token');
}
begin('{"times": 0}', '[]', fail => 1, fail_status => 404);
is((perform('hand', '{}'))[0], 'failed', 'what a handler makes of a refusal is its own');

$node->stop;
done_testing();
