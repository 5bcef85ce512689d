# A fetch in the foreground stops at once when it is cancelled, whatever it waits for,
# and leaves neither connections nor descriptors behind.

use strict;
use warnings;

use lib 'test/perl';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncFake;
use SyncTest;
use Test::More;
use Time::HiRes 'time';

my $node = start_node('http');
my $fake = SyncFake->start('plain');
my $here = "SET sync_ext.http_private_networks = '127.0.0.0/8';";
my ($out, $err);

$node->safe_psql('postgres', 'CREATE EXTENSION sync_ext');
$fake->define($node, 'postgres', 'rows', 'lines');
$node->safe_psql('postgres', q{
	UPDATE sync_endpoints SET records = '{"format": "ndjson"}' WHERE endpoint_name = 'plain_lines';
	UPDATE sync_providers SET retry = '{"wait_ms": 60000}'});

# The sessions that wait for HTTP: an event of its own, where the server has such.
my $waits = "SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'fetch' AND wait_event_type = 'Extension'";

# Start a fetch, wait until it waits, end it by "how", and see how long that takes.
sub stop_fetch
{
	my ($what, $how, $like, $sql) = @_;
	my $session = start_sql($node, 'postgres', "$here $sql", app => 'fetch');

	$node->poll_query_until('postgres', $waits) or die "$what: it does not wait";
	my $start = time;
	$node->safe_psql('postgres', "SELECT $how(pid) FROM pg_stat_activity WHERE application_name = 'fetch'");
	my ($rows, $said) = finish_sql($session);
	my $took = time - $start;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	like($said, $like, "$what is ended by $how");
	return cmp_ok($took, '<', 1, "$what: within a second");
}

my $cancelled = qr/ERROR:  57014: canceling statement due to user request/;
my $ended = qr/FATAL:  57P01: terminating connection/;

$fake->set(slow_ms => 30000);
stop_fetch('an answer that does not come', 'pg_cancel_backend', $cancelled, "SELECT sync_fetch('plain_rows')");
stop_fetch('the same', 'pg_terminate_backend', $ended, "SELECT sync_fetch('plain_rows')");
$fake->set(slow_ms => 0, chunk_ms => 10000);
stop_fetch('a stream', 'pg_cancel_backend', $cancelled, "SELECT sync_fetch('plain_lines', max_rows => NULL)");
$fake->set(chunk_ms => 0, fail => 1);
stop_fetch('a wait before the next try', 'pg_cancel_backend', $cancelled, "SELECT sync_fetch('plain_rows')");

# a connection that is not accepted
socket(my $deaf, 2, 1, 0) or die $!;
bind($deaf, pack('S n a4 x8', 2, 0, "\x7f\0\0\1")) or die $!;
listen($deaf, 0);
my $port = (unpack('S n', getsockname $deaf))[1];
$node->safe_psql('postgres', "UPDATE sync_providers SET base_url = 'http://127.0.0.1:$port'");
stop_fetch('a server that says nothing', 'pg_cancel_backend', $cancelled, "SELECT sync_fetch('plain_rows')");
$node->safe_psql('postgres', "UPDATE sync_providers SET base_url = '" . $fake->url . "'");

# other limits of the server
$fake->set(slow_ms => 30000);
my $start = time;
($out, $err) = try_sql($node, 'postgres', "$here SET statement_timeout = 500; SELECT sync_fetch('plain_rows')");
like($err, qr/ERROR:  57014: canceling statement due to statement timeout/, 'statement_timeout ends it');
cmp_ok(time - $start, '<', 2, 'in time');
$fake->set(slow_ms => 0);

# a session goes on afterwards, and its descriptors do not grow
my $session = $node->background_psql('postgres', on_error_stop => 0);
$session->query($here);
my $pid = $session->query('SELECT pg_backend_pid()');
chomp $pid;
my $count = sub { my @fds = glob "/proc/$pid/fd/*"; return scalar @fds };
$session->query("SELECT count(*) FROM sync_fetch('plain_rows')");
my $before = $count->();
for (1 .. 20)
{
	$fake->set(slow_ms => 30000);
	$session->query("SET statement_timeout = 50; SELECT sync_fetch('plain_rows'); RESET statement_timeout");
	$fake->set(slow_ms => 0, cut => 5);
	$session->query("SET statement_timeout = 300; SELECT sync_fetch('plain_rows'); RESET statement_timeout");
	$fake->set(cut => -1);
}
is($session->query("BEGIN; SAVEPOINT s; SELECT sync_fetch('nothing'); ROLLBACK TO s; SELECT count(*) FROM sync_fetch('plain_rows'); COMMIT") =~ s/\D//gr,
	3, 'a session goes on after forty fetches that failed');
cmp_ok($count->(), '<=', $before + 2, 'with no more descriptors than before');

# DROP DATABASE of another database does not wait for it
$fake->set(slow_ms => 30000);
my $slow = start_sql($node, 'postgres', "$here SELECT sync_fetch('plain_rows')", app => 'fetch');
$node->poll_query_until('postgres', $waits) or die;
$node->safe_psql('postgres', 'CREATE DATABASE other');
$start = time;
$node->safe_psql('postgres', 'DROP DATABASE other');
cmp_ok(time - $start, '<', 5, 'DROP DATABASE does not wait for a fetch');
$node->safe_psql('postgres', "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'fetch'");
finish_sql($slow);
$session->quit;

$node->stop;
done_testing();
