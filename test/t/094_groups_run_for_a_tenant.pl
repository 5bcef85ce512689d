# A group of streams from endpoints runs for one tenant: all of its streams with that tenant's
# credential, in the order of their foreign keys, all or none, and rows of others stay.

use strict;
use warnings;

use lib 'test/perl';
use HTTP::Tiny;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncFake;
use SyncTest;
use Test::More;

my $node = start_node('groups', "sync_ext.http_private_networks = '127.0.0.0/8'");
my $fake = SyncFake->start('changing');
my ($out, $err);
my $url = $fake->url;

# credentials are sealed with this key
my $key = $node->basedir . '/sync_ext.key';
append_to_file($key, unpack('H*', pack('C*', 1 .. 32)) . "\n");
chmod(0600, $key) or die $!;
$node->append_conf('postgresql.conf', "sync_ext.credential_key_file = '$key'");
$node->reload;

$node->safe_psql('postgres', qq{
	CREATE EXTENSION sync_ext;
	INSERT INTO sync_providers (provider_name, base_url, retry, credential_fields, auth) VALUES
		('changing', '$url', '{"times": 0}', '["key"]', '[{"headers": {"X-Key": "{credential.key}"}, "optional": true}]');
	INSERT INTO sync_endpoints (endpoint_name, provider_name, path, page, records, columns, key) VALUES
		('changing_groups', 'changing', '/groups', '{"kind": "single"}', '{}', '{"name": "\$.name"}', '{name}'),
		('changing_rows', 'changing', '/rows', '{"kind": "page", "param": "page", "size_param": "size", "size": 2}', '{"paths": "\$.data[*]"}',
		 '{"id": "\$.id", "name": "\$.name", "group_name": "\$.group"}', '{id}');
	CREATE TABLE teams (timing_partner_id bigint, name text, PRIMARY KEY (timing_partner_id, name));
	CREATE TABLE runners (timing_partner_id bigint, id int, name text, group_name text, PRIMARY KEY (timing_partner_id, id),
		FOREIGN KEY (timing_partner_id, group_name) REFERENCES teams (timing_partner_id, name));
	SELECT sync_create_stream('runners', 'runners', endpoint => 'changing_rows', tenant_column => 'timing_partner_id', mode => 'mirror', max_delete_share => 1);
	SELECT sync_create_stream('teams', 'teams', endpoint => 'changing_groups', tenant_column => 'timing_partner_id', mode => 'mirror', max_delete_share => 1);
	CREATE TABLE local (id int PRIMARY KEY);
	SELECT sync_create_stream('local', 'local', '{id}', 'SELECT 1 AS id');
	SELECT sync_set_credential(7, 'changing', '{"key": "of seven"}'), sync_set_credential(8, 'changing', '{"key": "of eight"}')});

sub fake_do { my ($what) = @_; my $answer = HTTP::Tiny->new->get("$url/$what"); $answer->{success} or die; return }
sub is_sql { my ($sql, $expected, $name) = @_; local $Test::Builder::Level = $Test::Builder::Level + 1; return is($node->safe_psql('postgres', $sql), $expected, $name) }
sub fails_like { my ($sql, $expected, $name) = @_; local $Test::Builder::Level = $Test::Builder::Level + 1; ($out, $err) = try_sql($node, 'postgres', $sql); return like($err, $expected, $name) }

my $counts = q{concat_ws(' ', stream, rows_read, inserted, updated, deleted)};
my $group = "SELECT $counts FROM sync_run_group('{runners,teams}', timing_partner_id => 7)";

fake_do('put?id=1&to=3&at=1000&group=a');
fake_do('put?id=4&to=5&at=1000&group=b');
$fake->clear;
is_sql("SELECT $counts FROM sync_run_group('{runners,teams}', true, timing_partner_id => 7)", "teams 2 2 0 0\nrunners 5 5 0 0", 'a dry run says what would be done');
is_sql('SELECT count(*) FROM runners', 0, 'and does nothing');
is_sql($group, "teams 2 2 0 0\nrunners 5 5 0 0", 'a group runs for a tenant, each table after those that it refers to');
is(join(' ', sort map { $_->{headers}{'x-key'} } $fake->log), join(' ', ('of seven') x 8), 'each stream asks with the credential of the tenant');
is_sql('SELECT (SELECT string_agg(DISTINCT timing_partner_id::text, $$ $$) FROM teams), (SELECT string_agg(DISTINCT timing_partner_id::text, $$ $$) FROM runners)', '7|7', 'the rows are those of the tenant');
is_sql(q{SELECT string_agg(subject || ' ' || timing_partner_id, ', ' ORDER BY subject) FROM sync_history WHERE status = 'success' AND operation = 'stream'}, 'runners 7, teams 7', 'and history says so of each');

$node->safe_psql('postgres', q{SELECT sync_run_group('{runners,teams}', timing_partner_id => 8)});
fake_do('remove?id=4&at=1100');
fake_do('remove?id=5&at=1100');
fake_do('put?id=3&at=1100&group=c&name=moved');
is_sql($group, "teams 2 1 0 1\nrunners 3 0 1 2", 'what is gone goes from the table that refers first');
is_sql('SELECT timing_partner_id, (SELECT count(*) FROM runners r WHERE r.timing_partner_id = t.timing_partner_id), string_agg(name, $$ $$ ORDER BY name) FROM teams t GROUP BY 1 ORDER BY 1',
	"7|3|a c\n8|5|a b", 'and of another tenant nothing does');

# all or none

fake_do('put?id=9&at=1200&group=d');
$fake->set(fail_from => 3);
fails_like($group, qr/ERROR:  SY002: .*while running stream "runners"/s, 'a stream that fails on its second page');
$fake->set(fail_from => 0);
is_sql(q{SELECT count(*) FROM teams WHERE name = 'd'}, 0, 'takes the others with it');
is_sql(q{SELECT string_agg(subject || ' ' || timing_partner_id, ', ' ORDER BY subject) FROM sync_history WHERE status = 'failed'}, 'runners 7, teams 7', 'and history says of whom');
is_sql($group, "teams 3 1 0 0\nrunners 4 1 0 0", 'the next run does it all');

# two of its streams write one table, one of them all of it: groups for two tenants do not wait for each other

$node->safe_psql('postgres', q{
	SELECT sync_create_stream('checked', 'teams', endpoint => 'changing_groups', tenant_column => 'timing_partner_id');
	SELECT sync_add_check('checked', 'named', 'not_null', '{name}');
	SELECT sync_run_group('{runners,teams}', timing_partner_id => 8)});
foreach my $names ('{teams,checked}', '{checked,teams}')
{
	my (@holders, @groups);

	push @holders, $node->background_psql('postgres') for 7, 8;
	$holders[$_]->query_safe("BEGIN; SELECT sync_run('teams', timing_partner_id => " . (7 + $_) . ')') for 0, 1;
	foreach my $tenant (7, 8)
	{
		push @groups, start_sql($node, 'postgres', "SELECT count(*) FROM sync_run_group('$names', timing_partner_id => $tenant)", app => "group_$tenant");
		$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'group_$tenant' AND wait_event_type = 'Lock'") or die "group $tenant does not wait";
	}
	$_->query_safe('COMMIT') for @holders;
	$_->quit for @holders;
	is(join('', finish_sql($_)), 2, "a group of $names is run while another one is") for @groups;
}

# what is refused

fails_like(q{SELECT sync_run_group('{runners,teams}')}, qr/ERROR:  22023: stream "\w+" needs a timing_partner_id/, 'streams with a column for the tenant need one');
fails_like(q{SELECT sync_run_group('{runners,local}', timing_partner_id => 7)}, qr/ERROR:  22023: stream "local" takes no timing_partner_id.*Its source is no endpoint/s, 'others take none');
is_sql(q{SELECT count(*) FROM sync_run_group('{teams}', timing_partner_id => 7, dry_run => NULL)}, 0, 'where nothing says whether to write, nothing is done');

$node->stop;
done_testing();
