# Every request counts against what a provider allows: those for pages, for tokens, and those
# that a redirect leads to; in sessions and in workers.

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

# What holds of the times at which the fake was asked, of which no window may have more than
# "most": what is allowed, no more, and all of it.
sub is_counted
{
	my ($expected, $most, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my @times = sort { $a <=> $b } map { $_->{at} } $fake->log;
	my @over = grep { $times[ $_ + $most ] - $times[$_] < 1 - LATE_S } 0 .. $#times - $most;
	my $windows = $#times / $most;

	is(scalar @times, $expected, "$what: so many requests are made");
	is(scalar @over, 0, "$what: no window has more than it may") or diag(map { sprintf '%.3f ', $_ - $times[0] } @times);
	cmp_ok($times[-1] - $times[0], '<', $windows * 1.01 + ($windows + 2) * LATE_S, "$what: and all that are allowed are used");
	$fake->clear;
	return;
}

$node->safe_psql('postgres', q{UPDATE sync_providers SET limits = '{"requests": 8, "window_ms": 1000}'});

# three sessions: each has a call for a token, which is redirected, and each page is twice
my @sessions = map { start_sql($node, 'postgres', q{SELECT count(*) FROM sync_fetch('pages', '{"last": 4}', NULL)}) } 1 .. 3;
for my $session (@sessions)
{
	($out, $err) = finish_sql($session);
	is("$out$err", '4', 'a session gets all pages');
}
is_counted(3 * (2 + 4 * 3), 8, 'sessions');

# and runs, whose history counts them as well
$node->safe_psql('postgres', q{SELECT sync_run('a')});
is($node->safe_psql('postgres', q{SELECT details -> 'fetch' ->> 'requests' FROM sync_history WHERE subject = 'a'}), 2 + 6 * 3, 'history has each of them');
is_counted(2 + 6 * 3, 8, 'a run');

# workers
$node->safe_psql('postgres', q{INSERT INTO sync_queue (operation_type, payload) VALUES ('fetch', '{"stream": "a", "full_refresh": true}'), ('fetch', '{"stream": "b"}')});
ok($node->poll_query_until('postgres', q{SELECT count(*) = 2 FROM sync_history WHERE queue_id IS NOT NULL AND status = 'success'}), 'workers fetch as well');
# those of one worker may have one token between them
is_counted((grep { $_->{path} =~ /token/ } $fake->log) + 2 * 6 * 3, 8, 'workers');

# the interval
$node->safe_psql('postgres', q{UPDATE sync_providers SET limits = '{"interval_ms": 125}'});
$node->safe_psql('postgres', q{SELECT sync_run('b')});
is_counted(2 + 6 * 3, 8, 'with an interval');

# a wait for the window does not use up the time that a request has, and can be stopped
$node->safe_psql('postgres', q{UPDATE sync_providers SET limits = '{"requests": 1, "window_ms": 1000}'; UPDATE sync_endpoints SET timeout_ms = 900, idle_timeout_ms = 900});
($out, $err) = try_sql($node, 'postgres', q{SELECT count(*) FROM sync_fetch('pages', '{"last": 1}', NULL)});
is("$out$err", '1', 'a redirect that waits is followed');
is_counted(2 + 3, 1, 'one at a time');
$node->safe_psql('postgres', q{UPDATE sync_providers SET limits = '{"requests": 1, "window_ms": 60000}'});
my $start = time;
($out, $err) = try_sql($node, 'postgres', q{SET statement_timeout = '1s'; SELECT count(*) FROM sync_fetch('pages', '{"last": 1}', NULL)});
like($err, qr/ERROR:  57014: /, 'one that waits for long is cancelled');
cmp_ok(time - $start, '<', 20, 'at once');

$node->stop;
done_testing();
