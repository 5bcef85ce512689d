# Streams from endpoints that are incremental: from a mark on, for each tenant, parameters and
# parent; with tombstones, partitions, snapshots, and answers that are known by their ETag.

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
my $chess = SyncFake->start('chesscom');
my ($out, $err);
my $url = $fake->url;
my $chess_url = $chess->url;
my $paged = '{"kind": "page", "param": "page", "size_param": "size", "size": 3}';
my $columns = '{"id": "$.id", "name": "$.name", "grp": "$.group", "at": {"path": "$.at", "convert": "epoch"}}';
my $server = '"param": "since", "field": "at", "format": "epoch", "bound": "inclusive"';

$node->safe_psql('postgres', qq{
	CREATE EXTENSION sync_ext;
	INSERT INTO sync_providers (provider_name, base_url, retry) VALUES ('changing', '$url', '{"times": 0}');
	INSERT INTO sync_endpoints (endpoint_name, provider_name, path, params, query, parent, page, records, columns, key, incremental, conditional) VALUES
	('new_rows', 'changing', '/rows', '{"group": {}}', '{"group": "{param.group}"}', NULL, '$paged', '{"paths": "\$.data[*]"}', '$columns', '{id}', '{$server}', false),
	('dead_rows', 'changing', '/rows', '{}', '{}', NULL, '$paged', '{"paths": "\$.data[*]"}', '$columns', '{id}', '{$server, "tombstones": "removed_rows"}', false),
	('removed_rows', 'changing', '/removed', '{}', '{}', NULL, '$paged', '{"paths": "\$.data[*]"}', '{"id": "\$.id", "removed": {"path": "\$.removed", "convert": "epoch"}}', '{id}', '{"param": "since", "field": "removed", "format": "epoch"}', false),
	('grouped_rows', 'changing', '/rows', '{}', '{"group": "{parent.name}"}', '{"endpoint": "groups"}', '$paged', '{"paths": "\$.data[*]"}', '$columns', '{id}', '{$server, "scope": "parent"}', false),
	('groups', 'changing', '/groups', '{}', '{}', NULL, '{"kind": "single"}', '{}', NULL, '{name}', NULL, false),
	('newest_rows', 'changing', '/newest', '{}', '{}', NULL, '$paged', '{"paths": "\$.data[*]"}', '$columns', '{id}', '{"mode": "client", "field": "at", "format": "iso"}', false),
	('bare_rows', 'changing', '/rows', '{}', '{}', NULL, '$paged', '{"paths": "\$.data[*]"}', '{"id": "\$.id", "name": "\$.name"}', '{id}', '{"param": "since", "field": "at"}', false),
	('all_rows', 'changing', '/rows', '{}', '{}', NULL, '$paged', '{"paths": "\$.data[*]"}', '$columns', '{id}', '{"mode": "snapshot"}', true);
	UPDATE sync_providers SET base_url = regexp_replace(base_url, '^https://[^/]+', '$chess_url') WHERE provider_name = 'chesscom';
	CREATE TABLE fresh (timing_partner_id int, id int, name text, grp text, at timestamptz, gone timestamptz, PRIMARY KEY (timing_partner_id, id))});

sub fake_do { my ($what) = @_; my $answer = HTTP::Tiny->new->get("$url/$what"); $answer->{success} or die; return }
sub is_run
{
	my ($arguments, $expected, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	($out, $err) = try_sql($node, 'postgres', "SELECT rows_read, inserted, updated, unchanged, deleted FROM sync_run($arguments)");
	diag($err) if $err;
	return is($out, $expected, $name);
}
sub is_sql { my ($sql, $expected, $name) = @_; local $Test::Builder::Level = $Test::Builder::Level + 1; return is($node->safe_psql('postgres', $sql), $expected, $name) }
sub fails_like { my ($sql, $expected, $name) = @_; local $Test::Builder::Level = $Test::Builder::Level + 1; ($out, $err) = try_sql($node, 'postgres', $sql); return like($err, $expected, $name) }
sub asked { my ($of, $name) = @_; my @log = grep { $_->{path} =~ m,^/$of, } $fake->log; $fake->clear; return join ' ', map { $_->{query}{$name} // '-' } @log }
sub detail { my ($path) = @_; return $node->safe_psql('postgres', "SELECT details #>> '{$path}' FROM sync_history ORDER BY history_id DESC LIMIT 1") }

# marks, one for each tenant and for parameters of its own

fake_do('put?id=1&to=7&at=1000');
$node->safe_psql('postgres', q{SELECT sync_create_stream('fresh', 'fresh', endpoint => 'new_rows', tenant_column => 'timing_partner_id', columns => 'id, name, at')});
is_run(q{'fresh', timing_partner_id => 1}, '7|7|0|0|0', 'the first run reads everything');
is(detail('read_everything'), 'there is no watermark', 'and says why');
is(asked('rows', 'since'), '- - -', 'without a mark');
fake_do('put?id=3&at=1100&name=new');
is_run(q{'fresh', timing_partner_id => 1}, '7|0|1|6|0', 'the next one reads from the mark on, and that moment again');
is(asked('rows', 'since'), '1000 1000 1000', 'as the provider wants it');
is_run(q{'fresh', true, timing_partner_id => 1}, '1|0|0|1|0', 'a dry run reads from the mark on');
is_run(q{'fresh', timing_partner_id => 2}, '7|7|0|0|0', 'another tenant has a mark of its own');
is_run(q{'fresh', timing_partner_id => 1, params => '{"group": "a"}'}, '7|0|0|7|0', 'and so have other parameters');
is_run(q{'fresh', timing_partner_id => 1}, '1|0|0|1|0', 'which does not touch the others');
is(detail('read_since'), '1970-01-01T00:18:20+00:00', 'history tells since when');
is_run(q{'fresh', full_refresh => true, timing_partner_id => 1}, '7|0|0|7|0', 'a full refresh reads everything');
is(detail('read_everything'), 'full_refresh', 'and says so');
is_sql(q{SELECT timing_partner_id, params, endpoint, watermark FROM sync_watermarks WHERE stream_name = 'fresh' ORDER BY 1, 2}, qq(1|{}|new_rows|1970-01-01T00:18:20+00:00\n1|{"group": "a"}|new_rows|1970-01-01T00:18:20+00:00\n2|{}|new_rows|1970-01-01T00:18:20+00:00), 'the marks are in a table');
$node->safe_psql('postgres', q{CREATE TABLE bare (id int PRIMARY KEY, name text); SELECT sync_create_stream('bare', 'bare', endpoint => 'bare_rows')});
is_run(q{'bare'}, '7|7|0|0|0', 'a field that is no column of the endpoint');
$fake->clear;
is_run(q{'bare'}, '1|0|0|1|0', 'has marks as well');
is(asked('rows', 'since'), '1100', 'as records have it');
fake_do('put?id=8&at=1200');
$fake->set(fail_from => 1);
fails_like(q{SELECT sync_run('fresh', timing_partner_id => 1)}, qr/SY002/, 'a run fails');
$fake->set(fail_from => 0);
is_run(q{'fresh', timing_partner_id => 1}, '2|1|0|1|0', 'the mark did not move with it');
fake_do('put?id=9&at=4102444800');
is_run(q{'fresh', timing_partner_id => 1}, '2|1|0|1|0', 'a row of the year 2100 comes');
is_sql(q{SELECT max(watermark) FROM sync_watermarks WHERE stream_name = 'fresh'}, '1970-01-01T00:20:00+00:00', 'and does not move the mark');
fake_do('put?id=9&at=1200');
$node->safe_psql('postgres', q{UPDATE sync_endpoints SET query = query || '{"more": "x"}' WHERE endpoint_name = 'new_rows'});
is_run(q{'fresh', timing_partner_id => 1}, '9|0|1|8|0', 'where the endpoint has changed, everything is read');
$node->safe_psql('postgres', 'DELETE FROM fresh WHERE timing_partner_id = 1');
is_run(q{'fresh', timing_partner_id => 1}, '9|9|0|0|0', 'and where the tenant has no rows');
$node->safe_psql('postgres', q{UPDATE sync_endpoints SET incremental = incremental || '{"lookback_s": 100, "bound": "exclusive"}' WHERE endpoint_name = 'new_rows'});
is_run(q{'fresh', timing_partner_id => 1}, '9|0|0|9|0', 'a run notes its mark');
$fake->clear;
is_run(q{'fresh', timing_partner_id => 1}, '3|0|0|3|0', 'a look back is part of the next one');
is(asked('rows', 'since'), '1099 1099', 'and so is the moment before, where the bound is exclusive');

# a mark for each parent: one that is new is read from its beginning

$node->safe_psql('postgres', q{CREATE TABLE grouped (id int PRIMARY KEY, name text, grp text, at timestamptz); SELECT sync_create_stream('grouped', 'grouped', endpoint => 'grouped_rows')});
is_run(q{'grouped'}, '9|9|0|0|0', 'a run reads for each parent');
fake_do('put?id=20&to=21&at=500&group=b');
$fake->clear;
is_run(q{'grouped'}, '4|2|0|2|0', 'rows of a parent that is new are not missed for being old');
is(asked('rows', 'since'), '1200 -', 'each parent has a mark of its own');
is_sql(q{SELECT parent, watermark FROM sync_watermarks WHERE stream_name = 'grouped' ORDER BY 1}, qq({"name": "a"}|1970-01-01T00:20:00+00:00\n{"name": "b"}|1970-01-01T00:08:20+00:00), 'in the table');

# rows that say what was removed

$node->safe_psql('postgres', q{SELECT sync_create_stream('dead', 'fresh', endpoint => 'dead_rows', tenant_column => 'timing_partner_id', mode => 'mirror');
	INSERT INTO fresh VALUES (4, 5, 'of another tenant')});
fake_do('remove?id=2&at=1250');
$fake->clear;
is_run(q{'dead', timing_partner_id => 3}, '10|10|0|0|0', 'a run that reads everything needs no tombstones');
is(asked('removed', 'since'), '', 'and asks for none');
fake_do('remove?id=5&at=1300');
fake_do('remove?id=6&at=1300');
fake_do('put?id=6&at=1301');
fake_do('remove?id=99&at=1300');
is_run(q{'dead', true, timing_partner_id => 3}, '7|0|1|2|1', 'a dry run counts what would go');
is_sql(q{SELECT action, key FROM sync_diff('dead', timing_partner_id => 3)}, qq(delete|{"id": 5, "timing_partner_id": 3}\nupdate|{"id": 6, "timing_partner_id": 3}), 'a diff shows it');
is_run(q{'dead', timing_partner_id => 3}, '7|0|1|2|1', 'what was removed goes, and what is there again stays');
is_sql('SELECT timing_partner_id, string_agg(id::text, $$,$$ ORDER BY id) FROM fresh WHERE timing_partner_id > 2 GROUP BY 1 ORDER BY 1', "3|1,3,4,6,7,8,9,20,21\n4|5", 'of that tenant alone');
is(asked('removed', 'since'), '1200 1200 1200 1200 1200 1200', 'they are asked for from the mark of the rows on');
is_run(q{'dead', timing_partner_id => 3}, '1|0|0|1|0', 'and then from the higher of both marks');
is(asked('removed', 'since'), '1301', 'so that one that came back is not removed again');
is_sql(q{SELECT endpoint, watermark FROM sync_watermarks WHERE stream_name = 'dead' ORDER BY 1}, "dead_rows|1970-01-01T00:21:41+00:00\nremoved_rows|1970-01-01T00:21:40+00:00", 'each has its own');
fake_do("remove?id=$_&at=1400") for 1, 3, 4, 7, 8;
fails_like(q{SELECT sync_run('dead', timing_partner_id => 3)}, qr/ERROR:  55000: 5 of 9 rows of table "fresh" would be deleted/, 'no more than max_delete_share go');
$node->safe_psql('postgres', q{UPDATE sync_streams SET max_delete_share = 0.6 WHERE stream_name = 'dead'});
is_run(q{'dead', timing_partner_id => 3}, '6|0|0|1|5', 'unless that is raised');
$node->safe_psql('postgres', q{INSERT INTO fresh VALUES (5, 1), (5, 6);
	SELECT sync_create_stream('marked', 'fresh', endpoint => 'dead_rows', tenant_column => 'timing_partner_id', mode => 'soft_delete', deleted_at => 'gone', max_delete_share => 1)});
is_run(q{'marked', timing_partner_id => 5}, '4|3|1|0|1', 'a stream that marks what is gone');
fake_do('remove?id=6&at=1500');
is_run(q{'marked', timing_partner_id => 5}, '6|0|0|0|1', 'marks what was removed');
is_sql('SELECT string_agg(id::text, $$,$$ ORDER BY id) FROM fresh WHERE timing_partner_id = 5 AND gone IS NOT NULL', '1,6', 'by its key');
is_run(q{'marked', timing_partner_id => 5}, '1|0|0|0|0', 'once');

# the newest first: reading stops at what is older

$node->safe_psql('postgres', q{TRUNCATE grouped; SELECT sync_create_stream('newest', 'grouped', endpoint => 'newest_rows', mode => 'mirror')});
fake_do('put?id=1&to=10&at=1600');
is_run(q{'newest'}, '12|12|0|0|0', 'all rows come');
fake_do('put?id=11&at=1700');
$fake->clear;
is_run(q{'newest'}, '11|1|0|10|0', 'then those down to the mark');
fake_do('put?id=12&at=1800');
$fake->clear;
is_run(q{'newest'}, '2|1|0|1|0', 'and no more');
is(asked('newest', 'page'), '1', 'nor pages');
is_sql('SELECT count(*) FROM grouped', 14, 'what did not come is not gone');

# months that are over are passed over

$node->safe_psql('postgres', q{CREATE TABLE games (game_id text PRIMARY KEY, archive text, ended_at timestamptz);
	SELECT sync_create_stream('games', 'games', endpoint => 'chesscom_games', params => '{"username": "QuietRook", "contact": "me@example.org"}')});
($out, $err) = try_sql($node, 'postgres', q{SELECT rows_read > 0, inserted = rows_read FROM sync_run('games')});
is($out, 't|t', 'all months are read');
my @months = grep { $_->{path} =~ m,/games/\d+/\d+, } $chess->log;
cmp_ok(scalar(@months), '>', 1, 'there are several');
$chess->clear;
($out, $err) = try_sql($node, 'postgres', q{SELECT inserted, deleted FROM sync_run('games')});
is($out, '0|0', 'nothing is new');
my @again = grep { $_->{path} =~ m,/games/\d+/\d+, } $chess->log;
is(join(' ', map { $_->{path} } @again), $months[-1]{path}, 'the last month is asked for again');

# what is as it was is not sent again, and is not gone

$node->safe_psql('postgres', q{TRUNCATE grouped; SELECT sync_create_stream('known', 'grouped', endpoint => 'all_rows');
	CREATE TABLE mirrored (LIKE grouped INCLUDING ALL); SELECT sync_create_stream('mirrored', 'mirrored', endpoint => 'all_rows', mode => 'mirror')});
$fake->set(etag => 1);
sub conditions { my @log = grep { $_->{path} eq '/rows' } $fake->log; $fake->clear; return join ' ', map { ($_->{headers}{'if-none-match'} ? 'E' : '') . ($_->{headers}{'if-modified-since'} ? 'M' : '') . $_->{query}{page} } @log }
$fake->clear;
is_run(q{'known'}, '14|14|0|0|0', 'a run reads all pages');
is(conditions(), '1 2 3 4 5', 'unconditionally');
is_run(q{'known'}, '0|0|0|0|0', 'nothing comes of what is as it was');
is(conditions(), 'E1 E2 E3 E4 E5', 'page by page');
is(detail('fetch,unchanged'), '5', 'history tells so');
is($err, '', 'that is no empty source');
fake_do('put?id=5&at=1900&name=other');
is_run(q{'known'}, '3|0|1|2|0', 'one page comes that is not as it was');
is_run(q{'known', full_refresh => true}, '14|0|0|14|0', 'a full refresh asks for all of them');
$fake->clear;
is_run(q{'mirrored'}, '14|14|0|0|0', 'another stream knows nothing of that');
is(conditions(), '1 2 3 4 5', 'and asks for everything');
is_run(q{'mirrored'}, '0|0|0|0|0', 'where all is as it was nothing is gone');
is_run(q{'mirrored', true}, '0|0|0|0|0', 'nor in a dry run');
is_sql(q{SELECT count(*) FROM sync_diff('mirrored')}, 0, 'nor in a diff');
fake_do('put?id=20&at=1901&name=other');
$fake->clear;
is_run(q{'mirrored'}, '14|0|1|13|0', 'where a later page is not as it was, all pages are read');
is(conditions(), 'E1 E2 E3 E4 E5 1 2 3 4 5', 'unconditionally');
fake_do('remove?id=1&at=1902');
$fake->clear;
is_run(q{'mirrored'}, '13|0|0|13|1', 'and what is gone goes');
is(conditions(), 'E1 2 3 4 5', 'the others too, once one came');
$node->safe_psql('postgres', 'DELETE FROM mirrored');
is_run(q{'mirrored'}, '13|13|0|0|0', 'an empty target is filled');
fake_do('put?id=1&at=1903');
$fake->set(etag => 0, modified => 'Sun, 22 Nov 2026 10:00:00 GMT');
is_run(q{'mirrored'}, '14|1|0|13|0', 'Last-Modified');
$fake->clear;
is_run(q{'mirrored'}, '0|0|0|0|0', 'is as good');
is(conditions(), 'M1 M2 M3 M4 M5', 'and sent');
is_sql(q{SELECT count(*), count(etag), count(last_modified), bool_and(url ~ '^http://127' AND length(request) = 64) FROM sync_validators WHERE stream_name = 'mirrored'}, '5|0|5|t', 'what is known is in a table');
$node->safe_psql('postgres', q{SELECT sync_drop_stream('mirrored')});
is_sql(q{SELECT count(*) FROM sync_validators WHERE stream_name = 'mirrored'}, 0, 'and goes with the stream');
$fake->set(fail => 1, fail_status => 304);
fails_like(q{SELECT sync_run('known', full_refresh => true)}, qr/ERROR:  SY002: provider "changing" says that nothing changed, and was not asked for that/, '304 out of the blue is an error');

# snapshots: what is gone goes, but not most of it, nor all

$fake->set(modified => '');
$node->safe_psql('postgres', q{SELECT sync_create_stream('snapshot', 'fresh', endpoint => 'all_rows', tenant_column => 'timing_partner_id', mode => 'mirror')});
is_run(q{'snapshot', timing_partner_id => 6}, '14|14|0|0|0', 'a snapshot');
fake_do("remove?id=$_&at=2000") for 2, 3;
is_run(q{'snapshot', timing_partner_id => 6}, '12|0|0|12|2', 'what is gone goes');
fake_do("remove?id=$_&at=2000") for 1, 4 .. 12, 21;
fails_like(q{SELECT sync_run('snapshot', timing_partner_id => 6)}, qr/ERROR:  55000: 11 of 12 rows of table "fresh" would be deleted/, 'most of it does not');
fake_do('remove?id=20&at=2000');
fails_like(q{SELECT sync_run('snapshot', timing_partner_id => 6)}, qr/ERROR:  55000: the source is empty, and all 12 rows/, 'nor does all of it');

$node->stop;
done_testing();
