# Tasks that fetch: another attempt goes on where that is sound, nothing is half there whatever
# happens meanwhile, and no transaction is open while the provider is waited for.

use strict;
use warnings;

use lib 'test/perl';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncFake;
use SyncTest;
use Test::More;

my $node = start_node('http', "shared_preload_libraries = 'sync_ext'\nsync_ext.http_private_networks = '127.0.0.0/8'\nsync_ext.poll_interval = '200ms'\nrestart_after_crash = on");
my $fake = SyncFake->start('plain');
my $url = $fake->url;

$node->safe_psql('postgres', qq{
	CREATE EXTENSION sync_ext;
	INSERT INTO sync_providers (provider_name, base_url, retry) VALUES ('plain', '$url', '{"times": 0}');
	INSERT INTO sync_endpoints (endpoint_name, provider_name, path, page, records, columns, key) VALUES
	('by_key', 'plain', '/paged', '{"kind": "keyset", "param": "after", "path": "\$.id", "size_param": "size", "size": 10}', '{"paths": "\$.data[*]"}', '{"id": "\$.id", "name": "\$.name"}', '{id}'),
	('by_page', 'plain', '/paged', '{"kind": "page", "param": "page", "size_param": "size", "size": 10}', '{"paths": "\$.data[*]"}', '{"id": "\$.id", "name": "\$.name"}', '{id}');
	CREATE TABLE rows (id int PRIMARY KEY, name text);
	CREATE TABLE others (LIKE rows INCLUDING ALL);
	SELECT sync_create_stream('by_key', 'rows', endpoint => 'by_key'), sync_create_stream('by_page', 'others', endpoint => 'by_page')});

sub is_sql { my ($sql, $expected, $name) = @_; local $Test::Builder::Level = $Test::Builder::Level + 1; return is($node->safe_psql('postgres', $sql), $expected, $name) }
sub wait_for { my ($sql) = @_; $node->poll_query_until('postgres', $sql) or die "never: $sql"; return }
sub enqueue { my ($stream) = @_; return $node->safe_psql('postgres', qq{SELECT sync_enqueue('fetch', '{"stream": "$stream"}')}) }
sub again { $node->safe_psql('postgres', q{UPDATE sync_queue SET scheduled_time = now() WHERE status = 'pending'}); return }
sub ended { my ($id, $status) = @_; wait_for("SELECT count(*) > 0 FROM sync_history WHERE queue_id = $id AND status = '$status'"); return }

# an attempt that failed on a page goes on after the pages that came, where they follow keys

$fake->set(fail_from => 4);
my $id = enqueue('by_key');
ended($id, 'failed');
is_sql('SELECT count(*), count(*) FILTER (WHERE last) FROM sync_pages', '3|0', 'three pages are kept');
is_sql('SELECT count(*) FROM rows', 0, 'and nothing is published');
$fake->set(fail_from => 0);
$fake->clear;
again();
ended($id, 'success');
is(join(' ', map { $_->{query}{after} // '-' } $fake->log), '30 40 50', 'the next attempt goes on after them');
is_sql('SELECT count(*), max(id) FROM rows', '50|50', 'and publishes all');
is_sql("SELECT details ->> 'taken_up' FROM sync_history WHERE queue_id = $id AND status = 'success'", 1, 'history tells so');
is_sql('SELECT count(*) FROM sync_pages', 0, 'no page stays');

# where they have numbers it begins again

$fake->set(fail_from => 4);
$id = enqueue('by_page');
ended($id, 'failed');
$fake->set(fail_from => 0);
$fake->clear;
again();
ended($id, 'success');
is(join(' ', map { $_->{query}{page} } $fake->log), '1 2 3 4 5 6', 'pages with numbers are read again');
is_sql('SELECT count(*) FROM others', 50, 'all of them');

# no transaction is open meanwhile; kill -9 leaves nothing half done

$node->safe_psql('postgres', 'TRUNCATE rows');
$fake->set(slow_ms => 700);
$id = enqueue('by_key');
wait_for('SELECT count(*) >= 2 FROM sync_pages');
is_sql(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type ~ '^sync' AND xact_start < now() - interval '500 ms'}, 0, 'no transaction is open while the provider is waited for');
$node->safe_psql('postgres', 'SELECT 1');
my $pid = $node->safe_psql('postgres', "SELECT worker_pid FROM sync_queue WHERE queue_id = $id");
kill 'KILL', $pid;
$fake->set(slow_ms => 0);
wait_for_server();
is_sql('SELECT count(*) FROM rows', 0, 'a worker that is killed leaves nothing half done');
is_sql('SELECT count(*) FROM sync_pages', 0, 'nor pages: they are not logged');
again();
ended($id, 'success');
is_sql('SELECT count(*) FROM rows', 50, 'the task begins again');

# a stream that goes, and a run that comes in between

$fake->set(slow_ms => 400);
$id = enqueue('by_page');
wait_for('SELECT count(*) >= 1 FROM sync_pages');
$node->safe_psql('postgres', q{SELECT sync_drop_stream('by_page')});
ended($id, 'failed_permanent');
is_sql("SELECT error_sqlstate FROM sync_history WHERE queue_id = $id", '42704', 'a stream that was dropped meanwhile is missed');
$id = enqueue('by_key');
my $other = enqueue('by_key');
wait_for("SELECT count(*) > 0 FROM sync_history WHERE queue_id IN ($id, $other) AND status = 'success'");
wait_for("SELECT count(*) > 0 FROM sync_history WHERE queue_id IN ($id, $other) AND error_sqlstate = '40001'");
$fake->set(slow_ms => 0);
again();
wait_for("SELECT count(*) = 2 FROM sync_history WHERE queue_id IN ($id, $other) AND status = 'success'");
pass('of two at once one is made again');

# cancelled

$fake->set(slow_ms => 700);
$id = enqueue('by_key');
wait_for("SELECT count(*) >= 1 FROM sync_pages WHERE queue_id = $id");
$node->safe_psql('postgres', "SELECT sync_cancel($id)");
ended($id, 'cancelled');
pass('a task that fetches can be cancelled');

sub wait_for_server { for (1 .. 600) { my ($rc) = $node->psql('postgres', 'SELECT 1'); return if $rc == 0; select undef, undef, undef, 0.1 } die 'the server does not come back' }

$node->stop;
done_testing();
