# A request ends at once in whatever phase it is, names that are looked up included; and what is
# judged is the address that a name leads to now, not the one that it led to before.

use strict;
use warnings;

use lib 'test/perl';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncFake;
use SyncTest;
use Test::More;
use Time::HiRes 'time';

# A name server of our own: slow.example.org is looked up for long, and moving.example.org is at
# the address that stands in a file.

my $folder = PostgreSQL::Test::Utils::tempdir();
append_to_file("$folder/names.c", <<'C');
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = dlsym(RTLD_NEXT, "getaddrinfo");
	char address[64] = "";
	FILE *file;

	if (name && strcmp(name, "slow.example.org") == 0)
		sleep(30);
	if (name && strcmp(name, "moving.example.org") == 0 && (file = fopen(getenv("NAMES_FILE"), "r")))
	{
		if (fscanf(file, "%63s", address) == 1)
			name = address;
		fclose(file);
	}
	return real(name, service, hints, result);
}
C
system_or_bail('cc', '-shared', '-fPIC', '-o', "$folder/names.so", "$folder/names.c", '-ldl');
chmod 0755, $folder;

sub move_to
{
	my ($address) = @_;
	unlink "$folder/names";
	append_to_file("$folder/names", "$address\n");
	return;
}

my $node = PostgreSQL::Test::Cluster->new('lookups');
my $fake = SyncFake->start('plain');
my $hostile = SyncFake->start('hostile');
my ($out, $err);
{
	local $ENV{LD_PRELOAD} = join ':', grep { $_ } $ENV{LD_PRELOAD}, "$folder/names.so";
	local $ENV{NAMES_FILE} = "$folder/names";
	move_to('127.0.0.1');
	$node->init;
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'sync_ext'\nsync_ext.http_private_networks = '127.0.0.1/32'\nsync_ext.workers = 1");
	$node->start;
}
$node->safe_psql('postgres', 'CREATE EXTENSION sync_ext');

# Let provider and endpoint "name" be at a URL.
sub define
{
	my ($name, $url, $path, $limits) = @_;
	$limits //= '{}';
	$node->safe_psql('postgres', qq{INSERT INTO sync_providers (provider_name, base_url, retry, limits) VALUES ('$name', '$url', '{"times": 0}', '$limits');
		INSERT INTO sync_endpoints (endpoint_name, provider_name, path) VALUES ('$name', '$name', '$path')});
	return;
}

# Start a fetch, wait until it waits, end it, and see how long that takes.
sub stop_fetch
{
	my ($what, $how, $like, $sql) = @_;
	my $session = start_sql($node, 'postgres', $sql, app => 'fetch');

	$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'fetch' AND wait_event_type = 'Extension'}) or die "$what: it does not wait";
	my $start = time;
	$node->safe_psql('postgres', "SELECT $how(pid) FROM pg_stat_activity WHERE application_name = 'fetch'");
	($out, $err) = finish_sql($session);
	my $took = time - $start;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	like($err, $like, "$what is ended by $how");
	return cmp_ok($took, '<', 1, "$what: within a second");
}

my $cancelled = qr/ERROR:  57014: canceling statement due to user request/;
my $port = $fake->port;
my $request = q{SELECT sync_fetch('%s')};

# in each phase

define('slow', 'http://slow.example.org', '/');
stop_fetch('a name that is looked up', 'pg_cancel_backend', $cancelled, sprintf $request, 'slow');
stop_fetch('the same', 'pg_terminate_backend', qr/FATAL:  57P01/, sprintf $request, 'slow');
socket(my $deaf, 2, 1, 0) or die $!;
bind($deaf, pack('S n a4 x8', 2, 0, "\x7f\0\0\1")) or die $!;
listen($deaf, 8);
define('deaf', 'https://127.0.0.1:' . (unpack('S n', getsockname $deaf))[1], '/');
stop_fetch('a server that does not answer in TLS', 'pg_cancel_backend', $cancelled, sprintf $request, 'deaf');
for my $phase (qw(half-header slow-header half-body slow-body))
{
	my $name = $phase =~ s/-/_/r;
	define($name, $hostile->url, "/$phase");
	stop_fetch("an answer that stays away ($phase)", 'pg_cancel_backend', $cancelled, sprintf $request, $name);
}
define('limited', $fake->url, '/rows', '{"requests": 1, "window_ms": 600000}');
stop_fetch('a wait for a limit', 'pg_cancel_backend', $cancelled, sprintf("$request, sync_fetch('limited')", 'limited'));
define('single', $hostile->url, '/half-body', '{"concurrency": 1}');
my $first = start_sql($node, 'postgres', sprintf($request, 'single'), app => 'first');
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory'}) or die;
stop_fetch('a wait for others to end', 'pg_cancel_backend', $cancelled, sprintf $request, 'single');
$node->safe_psql('postgres', q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'first'});
finish_sql($first);

# other requests of a process do not wait for a name, nor for the limit of connecting

my $start = time;
($out, $err) = try_sql($node, 'postgres', sprintf("SET sync_ext.http_connect_timeout = '300 ms'; $request", 'slow'));
like($err, qr/ERROR:  SY001: "http:\/\/slow.example.org\/" took too long/, 'a name that is looked up for too long is given up');
cmp_ok(time - $start, '<', 5, 'in time');
$node->safe_psql('postgres', q{ALTER SYSTEM SET sync_ext.http_connect_timeout = '300 ms'});
$node->reload;
$start = time;
$node->safe_psql('postgres', q{SELECT sync_request('http://slow.example.org/')});
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM sync_history WHERE error_sqlstate = 'SY001'}), 'a worker gives it up');
$node->safe_psql('postgres', "SELECT sync_request('" . $fake->url . "/rows')");
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM sync_answers WHERE status = 200}), 'and goes on with others');
cmp_ok(time - $start, '<', 15, 'without a wait for the first');

# a name that leads elsewhere by now

define('moving', "http://moving.example.org:$port", '/rows');
($out, $err) = try_sql($node, 'postgres', 'SELECT count(*) FROM ' . sprintf($request, 'moving') =~ s/SELECT //r);
is($out, 3, 'a name that leads to an address that may be asked');
move_to('127.0.0.2');
($out, $err) = try_sql($node, 'postgres', sprintf $request, 'moving');
like($err, qr/ERROR:  42501: "http:\/\/moving.example.org:\d+\/rows" may not be asked\nDETAIL:  It is at 127\.0\.0\.2/, 'and then to one that may not');
is((grep { $_->{headers}{host} =~ /moving/ } $fake->log), 1, 'is asked no more');

$node->stop;
done_testing();
