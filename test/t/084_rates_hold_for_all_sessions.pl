# What a provider allows a credential holds for all sessions together: requests in a
# window, wherever it begins, the interval between two, and the time for which it wants to be
# left alone.  While there is backlog, all that is allowed is used.

use strict;
use warnings;

use lib 'test/perl';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncFake;
use SyncTest;
use Test::More;
use Time::HiRes 'time';

# what a busy machine may add to the times that the fake notes
use constant LATE_S => 0.1;

my $node = start_node('rates', "shared_preload_libraries = 'sync_ext'\nsync_ext.http_private_networks = '127.0.0.0/8'");
my $fake = SyncFake->start('plain');
my ($out, $err);

$node->safe_psql('postgres', 'CREATE EXTENSION sync_ext');
$node->safe_psql('postgres', "INSERT INTO sync_providers (provider_name, base_url, retry) VALUES ('plain', '" . $fake->url . "', '{\"times\": 0}')");
$node->safe_psql('postgres', q{INSERT INTO sync_endpoints (endpoint_name, provider_name, path, params, query, page, records) VALUES
	('pages', 'plain', '/paged', '{"last": {}}', '{"last": "{param.last}"}',
	 '{"kind": "page", "param": "page", "size_param": "size", "size": 1, "total": "$.total"}', '{"paths": "$.data[*]"}'),
	('rows', 'plain', '/rows', '{}', '{}', '{"kind": "single"}', '{}')});

# Have so many sessions ask for so many pages each, at the same time; give the times at
# which the fake was asked.
sub ask
{
	my ($limits, $sessions, $pages, $tenant) = @_;

	$tenant //= 'NULL';
	$node->safe_psql('postgres', "UPDATE sync_providers SET limits = '$limits' WHERE provider_name = 'plain'");
	$fake->clear;
	my @started = map { start_sql($node, 'postgres', qq{SELECT count(*) FROM sync_fetch('pages', '{"last": $pages}', NULL, $tenant)}) } 1 .. $sessions;
	for my $session (@started)
	{
		($out, $err) = finish_sql($session);
		is("$out$err", $pages, "a session gets all pages with $limits");
	}
	return sort { $a <=> $b } map { $_->{at} } $fake->log;
}

# the fake stands in the way of nothing: without a limit
my @times = ask('{}', 1, 5);
is(scalar @times, 5, 'a page a request');

# 20 in 1.5 s, by three sessions that have 120 to make
@times = ask('{"requests": 20, "window_ms": 1500}', 3, 40, 1);
is(scalar @times, 120, 'all requests were made');
my @over = grep { $times[ $_ + 20 ] - $times[$_] < 1.5 - LATE_S } 0 .. $#times - 20;
is(scalar @over, 0, 'no window has more requests than it may') or diag(map { sprintf '%.3f ', $_ - $times[0] } @times);
cmp_ok($times[-1] - $times[0], '<', 5 * 1.5 * 1.01 + 5 * LATE_S, 'and all of them are used');
note(sprintf '%.4f of the limit used', (5 * 1.5) / ($times[100] - $times[0]));

# another credential has limits of its own, though the first has just used its
my $start = time;
ask('{"requests": 20, "window_ms": 60000}', 1, 20, 2);
ask('{"requests": 20, "window_ms": 60000}', 1, 20, 3);
cmp_ok(time - $start, '<', 30, 'a credential has limits of its own');
($out, $err) = try_sql($node, 'postgres', q{SET statement_timeout = '300ms'; SELECT sync_fetch('rows', timing_partner_id => 3)});
like($err, qr/ERROR:  57014: /, 'and a session that comes later knows what was used');

# the interval
@times = ask('{"interval_ms": 100}', 3, 7, 4);
@over = grep { $times[ $_ + 10 ] - $times[$_] < 1 - LATE_S } 0 .. $#times - 10;
is(scalar @over, 0, 'between two requests is the interval, whoever makes them') or diag("@times");
cmp_ok($times[-1] - $times[0], '<', 2 * 1.01 + 5 * LATE_S, 'and not more');

# a provider that wants to be left alone
$node->safe_psql('postgres', q{UPDATE sync_providers SET limits = '{}', retry = '{"times": 2}' WHERE provider_name = 'plain'});
$fake->clear;
$fake->set(throttle => 1, retry_after => 2);
my $first = start_sql($node, 'postgres', q{SELECT count(*) FROM sync_fetch('rows', timing_partner_id => 5)});
ok(eval { for (1 .. 500) { last if $fake->log; select(undef, undef, undef, 0.01) } scalar $fake->log }, 'a session is told to wait');
is($node->safe_psql('postgres', q{SELECT count(*) FROM sync_fetch('rows', timing_partner_id => 6)}), '3', 'another credential need not');
$node->poll_query_until('postgres', q{SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Extension' AND query ~ '=> 5')});
is($node->safe_psql('postgres', q{SELECT count(*) FROM sync_fetch('rows', timing_partner_id => 5)}), '3', 'another session of it waits too');
is((finish_sql($first))[0], '3', 'and the first goes on');
@times = sort { $a <=> $b } map { $_->{at} } grep { $_->{path} eq '/rows' } $fake->log;
is(scalar @times, 4, 'so many requests were made');
@over = grep { $_ > $times[0] + 0.001 && $_ < $times[0] + 2 - LATE_S } @times;
is(scalar @over, 1, 'none of that credential before it may');

# one that wants to be left alone for longer than anybody waits
$fake->clear;
$fake->set(throttle => 1, retry_after => 3600);
($out, $err) = try_sql($node, 'postgres', q{SELECT sync_fetch('rows', timing_partner_id => 7)});
like($err, qr/ERROR:  SY002: .*\nHINT:  It asks to be left alone for 3600 seconds/s, 'a session is told to wait for an hour');
($out, $err) = try_sql($node, 'postgres', q{SELECT sync_fetch('rows', timing_partner_id => 7)});
like($err, qr/ERROR:  SY002: provider "plain" wants to be left alone\nDETAIL:  It said so to a request with the same credential, for another 3\d\d\d/, 'the next one knows that');
is(scalar(grep { $_->{path} eq '/rows' } $fake->log), 1, 'and does not ask');
is($node->safe_psql('postgres', q{SELECT count(*) FROM sync_fetch('rows', timing_partner_id => 8)}), '3', 'another credential does');

# also one that was on its way when that was said, and is redirected
$node->safe_psql('postgres', q{INSERT INTO sync_endpoints (endpoint_name, provider_name, path) VALUES ('moved', 'plain', '/moved/rows')});
$fake->clear;
$fake->set(throttle => 0, slow_ms => 3000);
my $moved = start_sql($node, 'postgres', q{SET statement_timeout = '30 s'; SELECT sync_fetch('moved', timing_partner_id => 10)});
ok(eval { for (1 .. 500) { last if $fake->log; select(undef, undef, undef, 0.01) } scalar $fake->log }, 'a session has asked');
$fake->set(throttle => 1, retry_after => 3600, slow_ms => 0);
($out, $err) = try_sql($node, 'postgres', q{SELECT sync_fetch('rows', timing_partner_id => 10)});
like($err, qr/ERROR:  SY002: .*\nHINT:  It asks to be left alone for 3600 seconds/s, 'a session is told to wait while another one has asked');
($out, $err) = finish_sql($moved);
like($err, qr/ERROR:  SY002: provider "plain" wants to be left alone/, 'which is redirected then, and does not wait for an hour either');
is(scalar(grep { $_->{path} eq '/rows' } $fake->log), 1, 'nor goes where it is sent');
$fake->set(throttle => 1, retry_after => 999999999);
($out, $err) = try_sql($node, 'postgres', q{SELECT sync_fetch('rows', timing_partner_id => 9)});
($out, $err) = try_sql($node, 'postgres', q{SELECT sync_fetch('rows', timing_partner_id => 9)});
like($err, qr/wants to be left alone\nDETAIL:  .* for another 86\d\d\d/, 'nobody is left alone for longer than a day');
$fake->set(throttle => 0, retry_after => '');

# where there is no room: keys that have nothing to say give theirs, others keep it
$node->safe_psql('postgres', q{
	INSERT INTO sync_providers (provider_name, base_url, retry, limits) VALUES
		('short', 'http://127.0.0.1:1', '{"times": 0}', '{"requests": 1, "window_ms": 1}'),
		('long', 'http://127.0.0.1:1', '{"times": 0}', '{"requests": 3, "window_ms": 3600000}');
	INSERT INTO sync_endpoints (endpoint_name, provider_name, path) VALUES ('short', 'short', '/'), ('long', 'long', '/');
	CREATE PROCEDURE try_all(endpoint text, tenants int) LANGUAGE plpgsql AS $$
	BEGIN
		FOR tenant IN 1 .. tenants LOOP
			BEGIN
				PERFORM sync_fetch(endpoint, timing_partner_id => tenant);
			EXCEPTION WHEN SQLSTATE 'SY001' THEN
			END;
		END LOOP;
	END$$});
$node->safe_psql('postgres', q{CALL try_all('short', 4500)});
pass('more credentials than there is room for, where their windows pass');
($out, $err) = try_sql($node, 'postgres', q{SET statement_timeout = '60s'; CALL try_all('long', 4090)});
is($err, '', 'those with long windows take the room of others');
($out, $err) = try_sql($node, 'postgres', q{SET statement_timeout = '2s'; CALL try_all('long', 4097 + 3)});
like($err, qr/ERROR:  57014: /, 'where all have something to say, a new one waits');
($out, $err) = try_sql($node, 'postgres', q{SET statement_timeout = '2s'; SELECT sync_fetch('long', timing_partner_id => 4000)});
like($err, qr/ERROR:  SY001: /, 'others do not');

$node->stop;
done_testing();
