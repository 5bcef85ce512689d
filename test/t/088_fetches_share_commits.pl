# Fetches of many tenants of one stream: those that end together are committed together, each
# with a run and an attempt of its own; and runs for different tenants do not wait for each other.

use strict;
use warnings;

use lib 'test/perl';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncFake;
use SyncTest;
use Test::More;

my $node = start_node('http', q{
	shared_preload_libraries = 'sync_ext'
	sync_ext.http_private_networks = '127.0.0.0/8'
	sync_ext.workers = 1
	sync_ext.poll_interval = '200ms'
	track_commit_timestamp = on
	restart_after_crash = on
});
my $fake = SyncFake->start('plain');
my $url = $fake->url;

$node->safe_psql('postgres', q{CREATE ROLE eve; CREATE ROLE bob});
$node->safe_psql('postgres', qq{
	CREATE EXTENSION sync_ext;
	INSERT INTO sync_providers (provider_name, base_url) VALUES ('plain', '$url');
	INSERT INTO sync_endpoints (endpoint_name, provider_name, path, page, records, columns, key) VALUES
	('by_page', 'plain', '/paged', '{"kind": "page", "param": "page", "size_param": "size", "size": 30}', '{"paths": "\$.data[*]"}', '{"id": "\$.id", "name": "\$.name"}', '{id}');
	CREATE TABLE parts (tenant int, id int, name text, CONSTRAINT no_thirteen CHECK (tenant <> 13), PRIMARY KEY (tenant, id));
	SELECT sync_create_stream('parts', 'parts', endpoint => 'by_page', tenant_column => 'tenant');
	SELECT sync_create_stream('whole', 'parts', '{tenant,id}', 'SELECT 0 AS tenant, 1 AS id');
	GRANT EXECUTE ON FUNCTION sync_task_fetch(bigint, jsonb) TO eve, bob;
	GRANT INSERT ON sync_queue TO eve, bob;
	GRANT ALL ON parts TO eve, bob});

sub is_sql { my ($sql, $expected, $name) = @_; local $Test::Builder::Level = $Test::Builder::Level + 1; return is($node->safe_psql('postgres', $sql), $expected, $name) }
sub wait_for { my ($sql) = @_; $node->poll_query_until('postgres', $sql) or die "never: $sql"; return }

# Put fetches for tenants into the queue at once, as some role each
sub enqueue
{
	my (%tenants) = @_;
	my $inserts = join ';', map { my ($from, $to) = split /-/, $tenants{$_}; qq{
		SET ROLE $_;
		INSERT INTO sync_queue (operation_type, timing_partner_id, payload)
		SELECT 'fetch', n, '{"stream": "parts"}' FROM generate_series($from, $to) AS n;
		RESET ROLE} } sort keys %tenants;

	return $node->safe_psql('postgres', "SELECT sync_pause(); $inserts; SELECT sync_resume()");
}

# their last answers come while nobody looks, and together
$fake->set(slow_ms => 300);
enqueue(eve => '1-20', bob => '21-40');
wait_for(q{SELECT count(*) = 0 FROM sync_queue WHERE status = 'running' OR scheduled_time <= now()});
is_sql('SELECT count(*), count(DISTINCT tenant) FROM parts', 39 * 50 . '|39', 'all that can be published is');
is_sql(q{SELECT status, count(*), count(DISTINCT timing_partner_id) FROM sync_history WHERE operation = 'stream' GROUP BY 1 ORDER BY 1}, "failed|1|1\nsuccess|39|39", 'each has a run');
is_sql(q{SELECT status, count(*), count(DISTINCT queue_id) FROM sync_history WHERE operation = 'fetch' GROUP BY 1 ORDER BY 1}, "failed_permanent|1|1\nsuccess|39|39", 'and an attempt');
is_sql(q{SELECT timing_partner_id, error_sqlstate FROM sync_history WHERE status = 'failed_permanent'}, '13|23514', 'one that fails, fails alone');
is_sql('SELECT count(*) FROM sync_pages WHERE queue_id NOT IN (SELECT queue_id FROM sync_history WHERE status <> $$success$$ AND queue_id IS NOT NULL)', 0, 'of what was merged no page stays');
is_sql(q{SELECT count(DISTINCT pg_xact_commit_timestamp(xmin)) < count(*) FROM sync_history WHERE operation = 'stream' AND status = 'success'}, 't', 'some were committed together');
is_sql(q{SELECT count(*) FROM (SELECT FROM sync_history WHERE operation = 'stream' AND status = 'success' GROUP BY pg_xact_commit_timestamp(xmin) HAVING count(DISTINCT run_by) > 1) AS mixed}, 0, 'but none of one role with one of another');

# a worker that is killed takes nothing along; what is tried again is committed alone

$node->safe_psql('postgres', q{
	TRUNCATE parts;
	DELETE FROM sync_history;
	CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
		'BEGIN PERFORM pg_advisory_xact_lock(1) FROM added WHERE tenant = 12; RETURN NULL; END';
	CREATE TRIGGER wait AFTER INSERT ON parts REFERENCING NEW TABLE AS added EXECUTE FUNCTION wait()});
my $holder = start_sql($node, 'postgres', 'SELECT pg_advisory_lock(1); SELECT pg_sleep(600)', app => 'holder');
wait_until_waiting($node, 'holder', 'Timeout');
enqueue(eve => '10-12');
wait_for(q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'sync worker' AND wait_event = 'advisory'});
kill 'KILL', $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'sync worker'});
$holder->{run}->finish;
$node->poll_query_until('postgres', 'SELECT true') or die 'the server does not come back';
$node->safe_psql('postgres', q{UPDATE sync_queue SET scheduled_time = now() WHERE status = 'pending'})
  until $node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM sync_queue WHERE status = 'running'}) && $node->safe_psql('postgres', 'SELECT count(*) FROM sync_queue') == 0;
is_sql('SELECT count(*), count(DISTINCT tenant) FROM parts', '150|3', 'what a killed worker was at is done once');
is_sql(q{SELECT count(*), count(DISTINCT timing_partner_id) FROM sync_history WHERE operation = 'fetch' AND status = 'success'}, '3|3', 'and told once');
is_sql(q{SELECT count(*) = count(DISTINCT pg_xact_commit_timestamp(xmin)) FROM sync_history WHERE operation = 'fetch' AND status = 'success' AND attempt > 1}, 't', 'what is tried again, alone');
$node->safe_psql('postgres', 'DROP FUNCTION wait() CASCADE');

# runs for two tenants write at once, where nothing that one does concerns the other

sub beside
{
	my ($second, $expected, $name) = @_;
	my $first = start_sql($node, 'postgres', q{BEGIN; SELECT sync_run('parts', timing_partner_id => 1); SELECT pg_sleep(600)}, app => 'first');

	wait_until_waiting($node, 'first', 'Timeout');
	my ($out, $err) = try_sql($node, 'postgres', "SET lock_timeout = '300ms'; SELECT sync_run($second)");
	like($err, $expected, $name);
	$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'first'});
	$first->{run}->finish;
	return;
}

$fake->set(slow_ms => 0);
my ($none, $waits) = (qr/^$/, qr/ERROR:  55P03: canceling statement due to lock timeout/);
beside(q{'parts', timing_partner_id => 2}, $none, 'a run for another tenant does not wait');
beside(q{'parts', timing_partner_id => 1}, $waits, 'one for the same does');
beside(q{'whole'}, $waits, 'as does one that is about all');
foreach my $case (
	['CREATE UNIQUE INDEX apart ON parts (id, tenant)', 'DROP INDEX apart', 'a unique index begins with something else'],
	['CREATE EXTENSION btree_gist; ALTER TABLE parts ADD CONSTRAINT one_tenant_a_name EXCLUDE USING gist (tenant WITH <>, name WITH =) WHERE (id < 0)',
		'DROP EXTENSION btree_gist CASCADE', 'an exclusion constraint compares rows of tenants that are not equal'],
	[q{CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; CREATE TRIGGER nothing AFTER INSERT ON parts EXECUTE FUNCTION nothing()}, 'DROP FUNCTION nothing() CASCADE', 'the target has a trigger'],
	[q{SELECT sync_add_check('parts', 'named', 'not_null', '{name}')}, q{SELECT sync_drop_check('parts', 'named')}, 'the stream has a check'])
{
	my ($before, $after, $name) = @$case;

	$node->safe_psql('postgres', $before);
	beside(q{'parts', timing_partner_id => 2}, $waits, "a run for another tenant waits where $name");
	$node->safe_psql('postgres', $after);
}

$node->stop;
done_testing();
