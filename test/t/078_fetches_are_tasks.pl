# Operation type fetch: a stream from an endpoint as a task.  Pages are kept until all have come,
# and are merged together; a fetch that fails publishes nothing.

use strict;
use warnings;

use lib 'test/perl';
use HTTP::Tiny;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncFake;
use SyncTest;
use Test::More;

my $node = start_node('http', "sync_ext.http_private_networks = '127.0.0.0/8'");
my $fake = SyncFake->start('changing');
my ($out, $err);
my $url = $fake->url;

$node->safe_psql('postgres', qq{
	CREATE EXTENSION sync_ext;
	INSERT INTO sync_providers (provider_name, base_url, retry) VALUES ('changing', '$url', '{"times": 0}');
	INSERT INTO sync_endpoints (endpoint_name, provider_name, path, params, query, page, records, columns, key, incremental) VALUES
	('new_rows', 'changing', '/rows', '{"group": {}}', '{"group": "{param.group}"}', '{"kind": "page", "param": "page", "size_param": "size", "size": 3}', '{"paths": "\$.data[*]"}',
	 '{"id": "\$.id", "name": "\$.name", "at": {"path": "\$.at", "convert": "epoch"}}', '{id}', '{"param": "since", "field": "at", "format": "epoch", "tombstones": "removed_rows"}'),
	('removed_rows', 'changing', '/removed', '{}', '{}', '{"kind": "single"}', '{"paths": "\$.data[*]"}', '{"id": "\$.id", "removed": {"path": "\$.removed", "convert": "epoch"}}', '{id}',
	 '{"param": "since", "field": "removed", "format": "epoch"}'),
	('all_rows', 'changing', '/rows', '{}', '{}', '{"kind": "page", "param": "page", "size_param": "size", "size": 1000}', '{"paths": "\$.data[*]"}', '{"id": "\$.id", "name": "\$.name"}', '{id}', NULL),
	('all_lines', 'changing', '/lines', '{}', '{}', '{"kind": "single"}', '{"format": "ndjson"}', NULL, '{id}', NULL);
	CREATE TABLE fresh (timing_partner_id int, id int, name text, at timestamptz, PRIMARY KEY (timing_partner_id, id));
	CREATE TABLE lines (id int PRIMARY KEY, name text);
	CREATE TABLE everything (id int PRIMARY KEY, name text);
	SELECT sync_create_stream('fresh', 'fresh', endpoint => 'new_rows', tenant_column => 'timing_partner_id', mode => 'mirror');
	SELECT sync_create_stream('plain', 'lines', '{id}', 'SELECT 1 AS id, NULL AS name');
	SELECT sync_create_stream('all', 'everything', endpoint => 'all_rows');
	SELECT sync_create_stream('lines', 'lines', endpoint => 'all_lines')});

sub fake_do { my ($what) = @_; my $answer = HTTP::Tiny->new->get("$url/$what"); $answer->{success} or die; return }
sub is_sql { my ($sql, $expected, $name) = @_; local $Test::Builder::Level = $Test::Builder::Level + 1; return is($node->safe_psql('postgres', $sql), $expected, $name) }
sub fails_like { my ($sql, $expected, $name) = @_; local $Test::Builder::Level = $Test::Builder::Level + 1; ($out, $err) = try_sql($node, 'postgres', $sql); return like($err, $expected, $name) }
sub performed { $node->safe_psql('postgres', 'CALL sync_process_queue()'); return $node->safe_psql('postgres', 'SELECT status, error_sqlstate FROM sync_history WHERE queue_id IS NOT NULL ORDER BY history_id DESC LIMIT 1') }
sub enqueue { my ($payload, $tenant) = @_; $tenant //= 'NULL'; $node->safe_psql('postgres', "INSERT INTO sync_queue (operation_type, timing_partner_id, payload) VALUES ('fetch', $tenant, '$payload')"); return }

fake_do('put?id=1&to=20&at=1000');
enqueue('{"stream": "fresh"}', 7);
is(performed(), 'success|', 'a task fetches a stream');
is_sql('SELECT timing_partner_id, count(*), max(name) FROM fresh GROUP BY 1', '7|20|row 9', 'for the tenant of the task');
is_sql(q{SELECT details ->> 'rows_read', details ->> 'inserted', details ->> 'pages' FROM sync_history WHERE queue_id IS NOT NULL ORDER BY history_id DESC LIMIT 1}, '20|20|7', 'history has its counts');
is_sql(q{SELECT timing_partner_id, details -> 'fetch' ->> 'requests', details ->> 'read_everything' FROM sync_history WHERE subject = 'fresh' ORDER BY history_id DESC LIMIT 1}, '7|7|there is no watermark', 'and those of the run');
is_sql('SELECT count(*) FROM sync_pages', 0, 'no page stays');
fake_do('put?id=3&at=1100&name=new');
fake_do('remove?id=5&at=1100');
$fake->clear;
enqueue('{"stream": "fresh"}', 7);
is(performed(), 'success|', 'the next one');
is_sql(q{SELECT inserted, updated, deleted FROM sync_history WHERE subject = 'fresh' ORDER BY history_id DESC LIMIT 1}, '0|1|1', 'reads on, tombstones too');
is(join(' ', map { $_->{path} . ($_->{query}{since} // '') } ($fake->log)[0, -1]), '/rows1000 /removed1000', 'each from its watermark on');
enqueue('{"stream": "fresh", "full_refresh": true}', 7);
is(performed(), 'success|', 'a full refresh');
is_sql(q{SELECT rows_read, details ->> 'read_everything' FROM sync_history WHERE subject = 'fresh' ORDER BY history_id DESC LIMIT 1}, '19|full_refresh', 'reads everything');

# what fails publishes nothing

fake_do('put?id=1&to=20&at=1200&name=newer');
$fake->set(fail_from => 5);
enqueue('{"stream": "fresh"}', 7);
is(performed(), 'failed|SY002', 'one that fails on its fifth page');
is_sql(q{SELECT count(*) FROM fresh WHERE name = 'newer'}, 0, 'publishes nothing');
like($node->safe_psql('postgres', 'SELECT error_context FROM sync_history WHERE queue_id IS NOT NULL ORDER BY history_id DESC LIMIT 1'), qr/while fetching endpoint "new_rows", after page 4\nwhile fetching for stream "fresh"/, 'and says where');
$fake->set(fail_from => 0);
$node->safe_psql('postgres', 'UPDATE sync_queue SET scheduled_time = now()');
is(performed(), 'success|', 'the next attempt');
is_sql(q{SELECT count(*) FROM fresh WHERE name = 'newer'}, 20, 'does it all');
is_sql('SELECT count(*) FROM sync_pages', 0, 'and leaves no page');

# what another attempt cannot mend has failed for good; what it might is tried again

sub attempt_with
{
	my ($status) = @_;

	$fake->set(fail => 1, fail_status => $status);
	enqueue('{"stream": "fresh"}', 7);
	my $outcome = performed();
	$node->safe_psql('postgres', 'DELETE FROM sync_queue');
	$fake->set(fail => 0);
	return $outcome;
}

is(attempt_with($_), 'failed_permanent|SY002', "status $_ is final") for 400, 401, 403, 404, 410, 422, 501;
is(attempt_with($_), 'failed|SY002', "status $_ may pass") for 408, 425, 429, 500, 503;
is_sql(q{SELECT attempt, error_message FROM sync_history WHERE status = 'failed_permanent' ORDER BY history_id LIMIT 1},
	'1|provider "changing" did not do what endpoint "new_rows" asks', 'history says why, after one attempt');
is_sql(q{SELECT count(*) FROM sync_alerts WHERE kind = 'failed_permanent' AND subject ~ 'fetch'}, 7, 'and each that failed for good raised an alert');
$node->safe_psql('postgres', q{UPDATE sync_endpoints SET outcomes = '[{"status": 404, "outcome": "retry"}, {"status": 503, "outcome": "fail"}]' WHERE endpoint_name = 'new_rows'});
is(attempt_with(404), 'failed|SY002', 'a definition may say that a status passes');
is(attempt_with(503), 'failed_permanent|SY002', 'or that it does not');
is(attempt_with(403), 'failed_permanent|SY002', 'of others it says nothing');
$node->safe_psql('postgres', q{UPDATE sync_endpoints SET outcomes = '[]' WHERE endpoint_name = 'new_rows'});
$node->safe_psql('postgres', q{UPDATE sync_providers SET base_url = 'http://127.0.0.1:1' WHERE provider_name = 'changing'});
is(attempt_with(200), 'failed|SY001', 'nobody there is tried again');
$node->safe_psql('postgres', qq{UPDATE sync_providers SET base_url = '$url',
	auth = '[{"headers": {"X-Token": "{token.access}"}, "token": {"url": "$url/token", "form": {"key": "x"}, "values": {"access": "\$.access"}}}]' WHERE provider_name = 'changing'});
is(attempt_with(403), 'failed_permanent|SY002', 'nor is a token that is refused');
is(attempt_with(503), 'failed|SY002', 'but one that is not to be had now');
$node->safe_psql('postgres', q{UPDATE sync_providers SET auth = '[]' WHERE provider_name = 'changing'});
enqueue('{"stream": "fresh"}', 7);
is(performed(), 'success|', 'a later task is none the worse');

# an answer that comes line by line

fake_do('put?id=30&to=5000&at=1300');
enqueue('{"stream": "lines"}');
is(performed(), 'success|', 'lines are kept too');
is_sql('SELECT count(*) = (SELECT rows_read FROM sync_history WHERE subject = $$lines$$ ORDER BY history_id DESC LIMIT 1), count(*) > 4900 FROM lines', 't|t', 'all of them');

# what cannot be

enqueue('{"stream": "plain"}');
is(performed(), 'failed_permanent|22023', 'a stream without an endpoint is not fetched');
enqueue('{"strem": "fresh"}', 7);
is(performed(), 'failed_permanent|22023', 'nor is nothing');
enqueue('{"stream": "gone"}', 7);
is(performed(), 'failed_permanent|42704', 'nor what is not there');
fails_like(q{SELECT sync_task_fetch(1, '{"stream": "fresh"}')}, qr/ERROR:  22023: stream "fresh" needs a timing_partner_id/, 'a handler that is called by hand needs a tenant');
($out, $err) = try_sql($node, 'postgres', q{SELECT sync_task_fetch(1, '{"stream": "fresh", "timing_partner_id": 8}') ->> 'inserted'});
is($out, $node->safe_psql('postgres', 'SELECT count(*) FROM fresh WHERE timing_partner_id = 8'), 'and works with one');

# pages that are too much to be read at once, and one with what is no text, which is not kept

my $name = 'n' x 300;
fake_do("put?id=6000&to=7999&at=1400&name=$name");
enqueue('{"stream": "all"}');
is(performed(), 'success|', 'many bytes of pages');
is_sql(q{SELECT count(*) FILTER (WHERE length(name) = 300), count(*) = (SELECT count(*) FROM lines) + 2000 FROM everything}, '2000|t', 'are all merged');
is_sql('SELECT count(*) FROM sync_pages', 0, 'and leave no page');
fake_do('put?id=9000&at=1400&name=%C3%BC');
enqueue('{"stream": "all"}');
is(performed(), 'success|', 'a name that comes with an escape');
is_sql('SELECT name = chr(252) FROM everything WHERE id = 9000', 't', 'is read');
fake_do('put?id=9000&at=1400&name=%00');
enqueue('{"stream": "all"}');
like(performed(), qr/^failed.*\|22P05$/, 'a name that is no text');
is_sql('SELECT count(*) > 3, count(*) FILTER (WHERE last) FROM sync_pages', 't|0', 'is found when its page comes');

$node->stop;
done_testing();
