# Every request counts against what a provider allows: those for pages, for tokens, and those
# that a redirect leads to; in sessions and in workers.  sync_stat_providers says what was asked
# and what came of it, for each tenant.

use strict;
use warnings;

use lib 'test/perl';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncFake;
use SyncTest;
use Test::More;
use Time::HiRes 'time';

my $node = start_node('counted', "shared_preload_libraries = 'sync_ext'\nsync_ext.workers = 2\nsync_ext.http_private_networks = '127.0.0.0/8'");
my $fake = SyncFake->start('plain');
my ($out, $err);

$node->safe_psql('postgres', 'CREATE EXTENSION sync_ext');
$node->safe_psql('postgres', "INSERT INTO sync_providers (provider_name, base_url, retry, auth) VALUES ('plain', '" . $fake->url . q{', '{"times": 0}',
	'[{"headers": {"X-Token": "{token.access}"}, "token": {"url": "/moved/token", "method": "GET", "values": {"access": "$.access"}}}]')});
$node->safe_psql('postgres', q{INSERT INTO sync_endpoints (endpoint_name, provider_name, path, params, query, page, records, columns, key) VALUES
	('pages', 'plain', '/moved/moved/paged', '{"last": {}}', '{"last": "{param.last}"}',
	 '{"kind": "page", "param": "page", "size_param": "size", "size": 1, "total": "$.total"}', '{"paths": "$.data[*]"}', '{"id": "$.id", "name": "$.name"}', '{id}')});
$node->safe_psql('postgres', q{
	CREATE TABLE a (id int PRIMARY KEY, name text);
	CREATE TABLE b (LIKE a INCLUDING ALL);
	SELECT sync_create_stream(t, t, endpoint => 'pages', params => '{"last": 6}') FROM unnest('{a,b}'::text[]) AS t});

sub limit { my ($limits) = @_; $node->safe_psql('postgres', "UPDATE sync_providers SET limits = '$limits' WHERE provider_name = 'plain'"); return }
sub is_sql { my ($sql, $expected, $name) = @_; local $Test::Builder::Level = $Test::Builder::Level + 1; return is($node->safe_psql('postgres', $sql), $expected, $name) }

# Wait until so many requests were made and as many fetches wait for the window, which allows
# no more: the fake has seen that many.
sub stops_at
{
	my ($expected, $waiting, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	$node->poll_query_until('postgres', "SELECT requests = $expected AND window_left = 0 FROM sync_stat_providers") or die 'the window is not used up';
	$node->poll_query_until('postgres', "SELECT count(*) = $waiting FROM pg_stat_activity WHERE state = 'active' AND wait_event_type = 'Extension' AND query ~ 'pages|sync_run'") or die 'nobody waits';
	is(scalar $fake->log, $expected, "$what: there are no more requests than there may be");
	return;
}

sub end_all { $node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query ~ 'pages|sync_run'}); return }

# three sessions: each has a call for a token, which is redirected, and each page is redirected twice
limit('{"requests": 20, "window_ms": 3600000}');
my @sessions = map { start_sql($node, 'postgres', q{SELECT count(*) FROM sync_fetch('pages', '{"last": 10}', NULL)}) } 1 .. 3;
stops_at(20, 3, 'sessions');
end_all();
finish_sql($_) for @sessions;

# a run
limit('{"requests": 25, "window_ms": 3600000}');
my $run = start_sql($node, 'postgres', q{SELECT sync_run('a')});
stops_at(25, 1, 'a run');
end_all();
finish_sql($run);

# workers
limit('{"requests": 36, "window_ms": 3600000}');
$node->safe_psql('postgres', q{INSERT INTO sync_queue (operation_type, payload) VALUES ('fetch', '{"stream": "a"}'), ('fetch', '{"stream": "b"}')});
stops_at(36, 0, 'workers');
$node->safe_psql('postgres', q{SELECT sync_cancel(queue_id) FROM sync_queue});
ok($node->poll_query_until('postgres', 'SELECT NOT EXISTS (SELECT FROM sync_queue)'), 'what waits is cancelled');

# as much as is allowed is used, window after window
limit('{"requests": 8, "window_ms": 400}');
my $before = $fake->log;
$node->safe_psql('postgres', q{SELECT sync_run('a')});
is(scalar($fake->log) - $before, 2 + 6 * 3, 'all are made in the end');
is_sql(q{SELECT details -> 'fetch' ->> 'requests' FROM sync_history WHERE subject = 'a' AND status = 'success'}, 2 + 6 * 3, 'history has each of them');
$node->safe_psql('postgres', q{INSERT INTO sync_queue (operation_type, payload) VALUES ('fetch', '{"stream": "a", "full_refresh": true}'), ('fetch', '{"stream": "b"}')});
ok($node->poll_query_until('postgres', q{SELECT count(*) = 2 FROM sync_history WHERE queue_id IS NOT NULL AND status = 'success'}), 'workers go on as well');

# the interval
limit('{"interval_ms": 125}');
my $start = time;
$node->safe_psql('postgres', q{SELECT sync_run('b')});
cmp_ok(time - $start, '>=', 19 * 0.125, 'the interval is between all of them');

# a wait does not use up the time that a request has, and can be stopped
limit('{"interval_ms": 4000}');
$node->safe_psql('postgres', q{UPDATE sync_endpoints SET timeout_ms = 3500, idle_timeout_ms = 3500, path = '/moved/paged'});
$node->safe_psql('postgres', q{UPDATE sync_providers SET auth = '[]' WHERE provider_name = 'plain'});
is_sql(q{SELECT count(*) FROM sync_fetch('pages', '{"last": 1}', NULL)}, 1, 'a redirect that waits for long is followed');
limit('{"interval_ms": 60000}');
$start = time;
($out, $err) = try_sql($node, 'postgres', q{SET statement_timeout = '1s'; SELECT count(*) FROM sync_fetch('pages', '{"last": 1}', NULL)});
like($err, qr/ERROR:  57014: /, 'one that waits is cancelled');
cmp_ok(time - $start, '<', 20, 'at once');

# what is shown of all that

sub stat_is
{
	my ($columns, $provider, $tenant, $expected, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is($node->safe_psql('postgres', "SELECT $columns FROM sync_stat_providers WHERE provider_name = '$provider' AND timing_partner_id IS NOT DISTINCT FROM $tenant"), $expected, $name);
}

my @asked = map { $_->{path} } $fake->log;
my $pages = grep { $_ eq '/paged' } @asked;
my $tokens = grep { $_ eq '/token' } @asked;
# pages of tasks that were cancelled were not read
stat_is('requests, pages, rows_in BETWEEN pages - 4 AND pages, tokens, succeeded, retries', 'plain', 'NULL', join('|', scalar @asked, $pages, 't', $tokens, $pages + $tokens, 0), 'all sessions and workers count together');
stat_is(q{throttled + unanswered + unavailable + unauthorized + refused + unusable, last_error, last_success > since, held > '5 s', in_transfer BETWEEN '1 ms' AND '60 s'}, 'plain', 'NULL', '0||t|t|t', 'nothing failed, and what waited for limits has waited');
stat_is('window_limit, window_left', 'plain', 'NULL', '|', 'there is no window');
limit('{"requests": 10000, "window_ms": 3600000}');
$node->safe_psql('postgres', q{SELECT sync_fetch('pages', '{"last": 1}', NULL)});
stat_is('window_limit, window_left BETWEEN 9000 AND 9998, paused_until', 'plain', 'NULL', '10000|t|', 'or there is much left of it');

# another provider, with tenants

my $key = $node->basedir . '/sync_ext.key';
append_to_file($key, unpack('H*', pack('C*', 1 .. 32)) . "\n");
chmod(0600, $key) or die $!;
$node->append_conf('postgresql.conf', "sync_ext.credential_key_file = '$key'");
$node->reload;
$node->safe_psql('postgres', "INSERT INTO sync_providers (provider_name, base_url, retry, credential_fields, auth) VALUES ('other', '" . $fake->url . q{', '{"times": 1, "wait_ms": 10}', '["key"]', '[{"headers": {"X-Key": "{credential.key}"}, "optional": true}]');
	INSERT INTO sync_endpoints (endpoint_name, provider_name, path, params, query) VALUES ('rows', 'other', '/rows', '{"n": {}}', '{"n": "{param.n}"}'), ('text', 'other', '/not-json', '{}', '{}'), ('lines', 'other', '/lines', '{"n": {}}', '{"n": "{param.n}"}');
	UPDATE sync_endpoints SET records = '{"format": "ndjson"}' WHERE endpoint_name = 'lines';
	INSERT INTO sync_endpoints (endpoint_name, provider_name, method, path, body) VALUES ('take', 'other', 'POST', '/take',
		'{"kind": "records", "batch": 2, "items": "$.results[*]", "id": "$.id", "failed": "$.status == \"refused\"", "message": "$.why"}');
	CREATE TABLE people (ref int PRIMARY KEY, name text);
	INSERT INTO people VALUES (1, 'a'), (2, 'bad'), (3, 'c');
	SELECT sync_create_push('p', 'take', 'TABLE public.people', '{ref}');
	SELECT sync_set_credential(n, 'other', '{"key": "Geheim"}') FROM unnest('{7,8}'::int[]) AS n});
my $failed = 'throttled, unanswered, unavailable, unauthorized, refused, unusable';
sub fetch { my ($endpoint, $tenant, $how) = @_; $how //= 'count(*)'; ($out, $err) = try_sql($node, 'postgres', "SELECT $how FROM sync_fetch('$endpoint', timing_partner_id => $tenant) AS r"); return "$out$err" }

is(fetch('rows', 7), 3, 'a tenant fetches');
stat_is('requests, succeeded, pages, rows_in, rows_out, bytes_in > 100, bytes_out, retries, tokens, ' . $failed, 'other', 7, '1|1|1|3|0|t|0|0|0|0|0|0|0|0|0', 'one request, and what came');
is($node->safe_psql('postgres', q{SELECT count(*) FROM sync_stat_providers WHERE provider_name = 'other'}), 1, 'of others is nothing said');
is(fetch('lines', 7), 3, 'line by line');
stat_is('requests, succeeded, pages, rows_in, bytes_in > 200', 'other', 7, '2|2|2|6|t', 'likewise');
$node->safe_psql('postgres', q{BEGIN; SELECT sync_fetch('rows', max_rows => 1, timing_partner_id => 7); ROLLBACK});
stat_is('requests, pages, rows_in', 'other', 7, '3|3|7', 'also where it is rolled back');

$fake->set(throttle => 1, retry_after => 1);
is(fetch('rows', 7), 3, 'one that is throttled');
$fake->set(fail => 1, retry_after => '');
is(fetch('rows', 7), 3, 'or could not be done');
stat_is("requests, succeeded, retries, $failed, held > '500 ms', last_error", 'other', 7, '7|5|2|1|0|1|0|0|0|t|', 'is made again, which is no error');

$fake->set(fail => 2);
like(fetch('rows', 7), qr/SY002/, 'errors: the provider is out of order');
$fake->set(fail => 1, fail_status => 404);
like(fetch('rows', 7), qr/SY002/, 'it refuses');
$fake->set(fail => 1, fail_status => 401);
like(fetch('rows', 7), qr/SY002/, 'it does not let in');
stat_is("requests, retries, $failed, last_sqlstate, last_error, last_detail, last_error_at > last_success", 'other', 7,
	'11|3|1|0|3|1|1|0|SY002|provider "other" does not accept the credential|"' . $fake->url . '/rows" answered with status 401.|t', 'each in its class, and the last one');
like(fetch('text', 7), qr/22P02/, 'what came is not JSON');
$fake->set(cut => 10);
like(fetch('rows', 7), qr/SY001/, 'it breaks off');
like(fetch('lines', 7), qr/SY001/, 'in mid-line, too');
$fake->set(cut => -1);
stat_is("requests, retries, $failed, last_sqlstate", 'other', 7, '15|4|1|3|3|1|1|1|SY001', 'these as well');
is($node->safe_psql('postgres', q{SELECT count(*) FROM sync_stat_providers WHERE sync_stat_providers::text ~ 'Geheim'}), 0, 'and no secret');

$node->safe_psql('postgres', 'CALL sync_push($$p$$)');
stat_is("requests, succeeded, rows_in, rows_out, bytes_out > 50, bytes_in > 50, pages, $failed", 'other', 'NULL', '2|2|0|2|t|t|0|0|0|0|0|0|0', 'a push counts the rows that were taken');

$fake->set(throttle => 1, retry_after => 30);
$fake->clear;
my $held = start_sql($node, 'postgres', q{SELECT sync_fetch('rows', timing_partner_id => 8)});
ok($node->poll_query_until('postgres', q{SELECT paused_until > now() + '20 s' FROM sync_stat_providers WHERE timing_partner_id = 8}), 'a provider that wants to be left alone is seen to');
stat_is('paused_until', 'other', 7, '', 'by that tenant alone');
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ '=> 8' AND pid <> pg_backend_pid()});
finish_sql($held);
ok($node->poll_query_until('postgres', q{SELECT held BETWEEN '1 ms' AND '20 s' AND requests = 1 AND throttled = 1 FROM sync_stat_providers WHERE timing_partner_id = 8}), 'what it held was counted when it was ended');

# who may look; another database has its own; a restart begins anew

$node->safe_psql('postgres', 'CREATE ROLE nobody LOGIN');
($out, $err) = try_sql($node, 'postgres', 'SET ROLE nobody; SELECT * FROM sync_stat_providers');
like($err, qr/ERROR:  42501: permission denied for view sync_stat_providers/, 'not everybody may look');
$node->safe_psql('postgres', 'GRANT SELECT ON sync_stat_providers TO nobody; GRANT EXECUTE ON FUNCTION sync_stat_providers_rows() TO nobody');
($out, $err) = try_sql($node, 'postgres', 'SET ROLE nobody; SELECT count(*) FROM sync_stat_providers');
is("$out$err", 4, 'but whom it is granted');
$node->safe_psql('postgres', q{DELETE FROM sync_endpoints WHERE endpoint_name = 'pages'; DELETE FROM sync_providers WHERE provider_name = 'plain'});
stat_is('requests > 0, window_limit', 'plain', 'NULL', 't|', 'a provider that is no more is counted still');
$node->safe_psql('postgres', 'CREATE DATABASE another');
$node->safe_psql('another', 'CREATE EXTENSION sync_ext');
is($node->safe_psql('another', 'SELECT count(*) FROM sync_stat_providers'), 0, 'another database has nothing of it');
$node->restart;
is($node->safe_psql('postgres', 'SELECT count(*) FROM sync_stat_providers'), 0, 'after a restart it begins anew');

# more than fit: the one that was asked for longest ago gives way

$node->safe_psql('postgres', q{
	UPDATE sync_providers SET base_url = 'http://127.0.0.1:1', retry = '{"times": 0}', auth = '[]', credential_fields = '[]' WHERE provider_name = 'other';
	CREATE PROCEDURE try_all(tenants int) LANGUAGE plpgsql AS $$
	BEGIN
		FOR tenant IN 1 .. tenants LOOP
			BEGIN
				PERFORM sync_fetch('rows', timing_partner_id => tenant);
			EXCEPTION WHEN SQLSTATE 'SY001' THEN
			END;
		END LOOP;
	END$$});
$node->safe_psql('postgres', 'CALL try_all(4100)');
is($node->safe_psql('postgres', 'SELECT count(*), min(timing_partner_id), max(timing_partner_id), sum(requests), sum(unanswered) FROM sync_stat_providers'), '4096|5|4100|4096|4096', 'those that were asked for last are there');

# without shared memory nothing is said

$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$node->restart;
like(fetch('rows', 7), qr/SY001/, 'without the library preloaded');
is($node->safe_psql('postgres', 'SELECT count(*) FROM sync_stat_providers'), 0, 'there is no row');

$node->stop;
done_testing();
