# What requests do not take: a connection each where HTTP/2 is spoken, the memory of the answer
# where it comes in lines, the secret of a statement into the log, a setting that a role may not
# have, a task for what its role may not do.

use strict;
use warnings;

use lib 'test/perl';
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncFake;
use SyncTest;
use Test::More;

my $folder = PostgreSQL::Test::Utils::tempdir();
append_to_file("$folder/key", 'c3' x 32);
chmod 0600, "$folder/key";
my $node = start_node('modest', qq{
	shared_preload_libraries = 'pg_stat_statements'
	pg_stat_statements.track = all
	sync_ext.credential_key_file = '$folder/key'
	shared_buffers = 16MB
	log_statement = none});
my $here = "SET sync_ext.http_private_networks = '127.0.0.0/8';";
my $fake = SyncFake->start('hostile');
my ($out, $err);

$node->safe_psql('postgres', 'CREATE EXTENSION sync_ext; CREATE EXTENSION pg_stat_statements');
$node->safe_psql('postgres', q{
	INSERT INTO sync_providers (provider_name, base_url, credential_fields) VALUES ('hostile', '} . $fake->url . q{', '["secret"]');
	INSERT INTO sync_endpoints (endpoint_name, provider_name, path, records, columns, key) VALUES
	('lines', 'hostile', '/lines', '{"format": "ndjson"}', '{"id": "$.id"}', '{id}'),
	('one', 'hostile', '/one', '{}', '{"id": "$.id"}', '{id}');
	CREATE TABLE lines (id int PRIMARY KEY);
	SELECT sync_create_stream('lines', 'lines', endpoint => 'lines')});

# an answer of 200 MB in lines

sub peak_kb { my ($pid) = @_; return (slurp_file("/proc/$pid/status") =~ /VmHWM:\s+(\d+)/)[0] }
my $session = $node->background_psql('postgres');
my $pid = $session->query_safe('SELECT pg_backend_pid()') =~ s/\D//gr;
$session->query_safe("$here SET work_mem = '1MB'; SELECT count(*) FROM sync_fetch('one')");
my $before = peak_kb($pid);

sub modest
{
	my ($what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	SKIP:
	{
		skip 'a sanitizer keeps freed memory back', 1 if ($ENV{LD_PRELOAD} // '') =~ /asan/;
		cmp_ok(peak_kb($pid) - $before, '<', 80 * 1024, $what);
	}
	return;
}

is($session->query_safe(q{SELECT count(*) FROM sync_fetch('lines', max_rows => NULL)}) =~ s/\D//gr, 200000, 'an answer of 200 MB is read');
is($session->query_safe(q{SELECT inserted FROM sync_run('lines')}) =~ s/\D//gr, 200000, 'and stored');
modest('in less memory than it has');
$session->query_safe(q{TRUNCATE lines; SELECT sync_enqueue('fetch', '{"stream": "lines"}')});
$session->query_safe('CALL sync_process_queue()');
is($node->safe_psql('postgres', 'SELECT count(*) FROM lines'), 200000, 'by a task as well');
modest('in which pages are kept');
$session->quit;

# secrets that a statement has in it

my $set = q{SELECT sync_set_credential(1, 'hostile', '{"secret": "geheim-1"}')};
$node->safe_psql('postgres', $set);
($out, $err) = try_sql($node, 'postgres', $set =~ s/"secret"/"sekret"/r);
like($err, qr/ERROR:  22023: /, 'a statement that fails');
($out, $err) = try_sql($node, 'postgres', 'DO $$BEGIN PERFORM' . ($set =~ s/^SELECT//r =~ s/"secret"/"sekret"/r) . '; END$$');
like($err, qr/ERROR:  22023: /, 'and one that does in a function');
unlike(slurp_file($node->logfile), qr/geheim/, 'are not in the log with it');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_statements WHERE query ~ 'geheim' AND query !~ '^DO'}), 0, 'nor in pg_stat_statements');
is($node->safe_psql('postgres', q{SELECT count(*) FROM sync_export() AS line WHERE line ~ 'geheim|sealed'}), 0, 'nor is it exported');

# a role that sets what it may not, before the library is loaded

$node->safe_psql('postgres', q{CREATE ROLE nosy LOGIN; GRANT EXECUTE ON FUNCTION sync_fetch TO nosy});
($out, $err) = try_sql($node, 'postgres', "$here SELECT sync_fetch('one')", user => 'nosy');
like($err, qr/ERROR:  42501: .* may not be asked/, 'a setting that was made before the library was loaded is not heeded');
is($out, '', 'and nothing comes');

# a role that may enqueue

$node->append_conf('postgresql.conf', "sync_ext.http_private_networks = '127.0.0.0/8'\nsync_ext.http_ca_file = '$folder/tls.crt'");
$node->reload;
$node->safe_psql('postgres', q{GRANT INSERT ON sync_queue TO nosy; UPDATE sync_operation_types SET max_attempts = 1});

for my $case ([ 'fetch', '{"stream": "lines"}', 'permission denied for function sync_task_fetch' ], [ 'push', '{"push": "p"}', 'permission denied for function sync_task_push' ],
	[ 'alert', '{"channel": "c"}', 'permission denied for function sync_deliver_alerts' ], [ 'request', '{"url": "http://127.0.0.1/"}', 'permission denied for function sync_task_request' ])
{
	my ($operation, $payload, $expected) = @$case;
	($out, $err) = try_sql($node, 'postgres', "INSERT INTO sync_queue (operation_type, payload) VALUES ('$operation', '$payload')", user => 'nosy');
	$node->safe_psql('postgres', 'CALL sync_process_queue()');
	is($node->safe_psql('postgres', q{SELECT status || ' ' || error_message FROM sync_history WHERE queue_id IS NOT NULL ORDER BY history_id DESC LIMIT 1}), "failed_permanent $expected", "who may enqueue may not therefore $operation");
}
$node->safe_psql('postgres', 'GRANT EXECUTE ON FUNCTION sync_task_fetch TO nosy');
try_sql($node, 'postgres', q{INSERT INTO sync_queue (operation_type, payload) VALUES ('fetch', '{"stream": "lines"}')}, user => 'nosy');
$node->safe_psql('postgres', 'CALL sync_process_queue()');
is($node->safe_psql('postgres', q{SELECT status || ' ' || error_message FROM sync_history WHERE queue_id IS NOT NULL ORDER BY history_id DESC LIMIT 1}), 'failed_permanent permission denied for table lines', 'nor write where it may not');

# many requests of one process share a connection, where HTTP/2 is offered

system_or_bail('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=nghttpd',
	'-addext', 'subjectAltName = IP:127.0.0.1', '-keyout', "$folder/tls.key", '-out', "$folder/tls.crt");
my $port = PostgreSQL::Test::Cluster::get_free_port();
mkdir "$folder/www" or die;
append_to_file("$folder/www/rows", '[{"id": 1}]');
my $spoken = '';
my $nghttpd = IPC::Run::start([ 'stdbuf', '-oL', '/usr/sbin/nghttpd', '-v', '-a', '127.0.0.1', '-d', "$folder/www", $port, "$folder/tls.key", "$folder/tls.crt" ],
	'<', \undef, '>', \$spoken, '2>&1', IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
$nghttpd->pump until $spoken =~ /listen/;
$node->safe_psql('postgres', qq{SELECT sync_request('https://127.0.0.1:$port/rows?' || n) FROM generate_series(1, 40) AS n});
$node->safe_psql('postgres', 'CALL sync_process_queue()');
is($node->safe_psql('postgres', 'SELECT count(*) FROM sync_answers WHERE status = 200'), 40, 'HTTP/2 is spoken');
$nghttpd->pump while (() = $spoken =~ /:path: /g) < 40;
my %asked;
$asked{$_}++ for $spoken =~ /^\[(id=\d+)\].*:path: /mg;
is(join(' ', values %asked), '40', 'over one connection');
$nghttpd->kill_kill(grace => 2);

$node->stop;
done_testing();
