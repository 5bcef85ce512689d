# A provider that nobody has heard of is added by INSERTs alone: pages, records, columns,
# parents, outcomes, limits.

use strict;
use warnings;

use lib 'test/perl';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncFake;
use SyncTest;
use Test::More;
use Time::HiRes 'time';

my $node = start_node('http', "sync_ext.http_private_networks = '127.0.0.0/8'");
my $fake = SyncFake->start('plain');
my ($out, $err);

$node->safe_psql('postgres', 'CREATE EXTENSION sync_ext');
$node->safe_psql('postgres', "INSERT INTO sync_providers (provider_name, base_url, retry) VALUES ('eighth', '" . $fake->url . "/', '{\"wait_ms\": 20, \"times\": 2}')");

# Store an endpoint "e" with these columns instead of another, and ask it.
sub ask
{
	my ($columns, $params, $more) = @_;
	my %columns = (endpoint_name => 'e', provider_name => 'eighth', path => '/rows', %$columns);
	my @names = sort keys %columns;
	my $values = join ', ', map { "'" . ($columns{$_} =~ s/'/''/gr) . "'" } @names;

	$params = '{}' unless defined $params;
	$more = '' unless defined $more;
	$fake->clear;
	return try_sql($node, 'postgres', "DELETE FROM sync_endpoints WHERE endpoint_name = 'e';"
		  . " INSERT INTO sync_endpoints (" . join(', ', @names) . ") VALUES ($values);"
		  . " SELECT sync_fetch('e', '$params' $more)");
}

sub gives
{
	my ($expected, $what, @asked) = @_;
	my ($rows, $said) = ask(@asked);
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($rows, join("\n", @$expected), $what) or diag($said);
	return;
}

sub fails
{
	my ($like, $what, @asked) = @_;
	my ($rows, $said) = ask(@asked);
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return like($said, $like, $what);
}

my @paths = map { $_->{raw} } $fake->log;
my $id = '{"id": "$.id"}';
my @fifty = map { qq({"id": $_}) } 1 .. 50;

# pages

for my $case ([ 'a page number', 6, page => '{"kind": "page", "param": "page", "size": 10, "size_param": "size"}' ],
	[ 'a page number, as the header has how many', 5, page => '{"kind": "page", "param": "page", "size": 10, "pages_header": "x-page-count"}' ],
	[ 'a page number, as the body has how many records', 5, page => '{"kind": "page", "param": "page", "size": 10, "total": "$.total"}' ],
	[ 'an offset', 6, page => '{"kind": "offset", "param": "offset", "size": 10}' ],
	[ 'an offset, as the body has how many records', 5, page => '{"kind": "offset", "param": "offset", "size": 10, "total": "$.total"}' ],
	[ 'an offset that stops at a short page', 4, page => '{"kind": "offset", "param": "offset", "size": 15, "size_param": "size"}' ],
	[ 'a key', 6, page => '{"kind": "keyset", "param": "after", "path": "$.id", "size": 10}' ],
	[ 'the largest key', 6, page => '{"kind": "keyset", "param": "after", "path": "$.id", "take": "max", "start": 0, "size": 10}' ],
	[ 'a cursor', 5, page => '{"kind": "cursor", "param": "cursor", "path": "$.next"}' ])
{
	my ($what, $requests, %columns) = @$case;
	gives(\@fifty, "pages by $what", { %columns, path => '/paged', records => '{"paths": "$.data[*]"}', columns => $id }, '{}');
	is(scalar($fake->log), $requests, "pages by $what: so many requests");
}
gives([ @fifty[ 0 .. 11 ] ], 'max_rows ends it', { path => '/paged', records => '{"paths": "$.data[*]"}', columns => $id, page => '{"kind": "page", "param": "page", "size": 10}' }, '{}', ', 12');
is(scalar($fake->log), 2, 'with no request more than needed');
my $next = { path => '/next', records => '{"paths": "$.data[*]"}', columns => $id, page => '{"kind": "next_url", "path": "$.links.next"}' };
gives([ @fifty[ 0 .. 2 ] ], 'pages by the next URL in the body', $next);
$fake->set(next => 'relative');
gives([ @fifty[ 0 .. 2 ] ], 'also a relative one', $next);
$fake->set(next => 'elsewhere');
fails(qr/ERROR:  42501: endpoint "e" may not ask "http:\/\/localhost:1\/next"\nDETAIL:  It is not on the host of provider "eighth"/, 'but not on another host', $next);
$fake->set(next => 'circle');
fails(qr/ERROR:  22000: the pages of endpoint "e" go round in a circle/, 'and not for ever', $next);
$fake->set(next => '');
gives([ @fifty[ 0 .. 2 ] ], 'pages by the header Link', { path => '/link', columns => $id, page => '{"kind": "link"}' });
fails(qr/ERROR:  54000: endpoint "e" has more than 3 pages/, 'a limit of pages', { path => '/paged', records => '{"paths": "$.data[*]"}', page => '{"kind": "page", "param": "page", "size": 10, "max_pages": 3}' });

# records

gives([ '{"n": 1, "id": 1, "title": "one"}', '{"n": 2, "id": 1, "title": "one"}', '{"n": 3, "id": 3, "title": "three"}' ],
	'records in elements, with what is lifted from those',
	{ path => '/nested', records => '{"each": "$.groups[*].group", "paths": ["$.none[*]", "$.members[*]"], "lift": {"id": "$.id", "title": "$.title"}}' });
gives([ '{"n": "a"}', '{"n": "b c"}', '{"n": "d/e"}' ], 'records that are no objects', { path => '/names', records => '{"paths": "$.names[*]", "scalar": "n"}' });
gives([ '{"id": 1, "name": "a"}', '{"id": 2, "name": "b"}' ], 'names of columns and rows of values', { path => '/columns', records => '{"format": "columns", "names": "$.columns", "rows": "$.rows[*]"}' });
gives([ map { qq({"id": $_}) } 1 .. 3000 ], 'a record a line, many of them', { path => '/lines', params => '{"n": {}}', query => '{"n": "{param.n}"}', columns => $id, records => '{"format": "ndjson"}' }, '{"n": 3000}', ', NULL');
$fake->set(cut => 100);
fails(qr/ERROR:  SY001: the answer of .* broke off/, 'half a line is no record', { path => '/lines', records => '{"format": "ndjson"}' });
$fake->set(cut => -1);
gives([], 'a path that finds nothing', { path => '/nested', records => '{"paths": "$.none[*]"}' });

# columns

gives([ '{"t": true, "at": "2026-01-01T00:00:00.123+00:00", "ms": "0:45:14.350", "no": "n/a", "sex": "female", "deep": 5, "flat": 4200, "none": null, "paid": 1055.50, "took": "0:45:10", "what": "r7", "began": "2026-01-01T00:00:00+00:00", "empty": null, "local": "2026-07-04T13:05:00+00:00"}' ],
	'columns are converted',
	{ path => '/values', params => '{"race": {}}', columns => '{"t": {"path": "$.t", "convert": "boolean"}, "paid": {"path": "$.money", "convert": "number"}, "began": {"path": "$.epoch", "convert": "epoch"},
	 "at": {"path": "$.ms", "convert": "epoch_ms"}, "local": {"path": "$.local", "convert": "time", "format": "MM/DD/YYYY HH24:MI", "zone": "America/New_York"},
	 "took": {"path": "$.took", "convert": "duration"}, "ms": {"path": "$.took_ms", "convert": "duration_ms"}, "sex": {"path": "$.sex", "convert": "map", "map": {"1": "male", "2": "female"}},
	 "empty": {"path": "$.empty", "convert": "number"}, "no": {"path": "$.odd", "convert": "number"}, "flat": "$.\"times.official_:::start:::\"", "deep": ["$.nothing", "$.deep.er[0]"],
	 "none": "$.nothing", "what": {"value": "r{param.race}"}}' }, '{"race": 7}');

# templates

my $hard = "a/b?c=d&e f#\xc3\xa4%..";
gives([ qq({"segments": ["$hard", "x:::y"]}) ], 'a value is one segment of the path, whatever is in it', { path => '/path/{param.a}/x:::{param.b}', params => '{"a": {}, "b": {}}' }, qq({"a": "$hard", "b": "y"}));
fails(qr/ERROR:  22023: endpoint "e" cannot be asked for such a path/, 'but not a step up', { path => '/path/{param.a}/x', params => '{"a": {}}' }, '{"a": ".."}');
fails(qr/ERROR:  22023: endpoint "e" cannot be asked without param.a/, 'nor nothing', { path => '/path/{param.a}', params => '{"a": {}}' });
my $echo = { path => '/echo', params => '{"a": {}, "b": {"default": "standard"}, "list": {}, "at": {}}', query => '{"a": "{param.a}", "b": "{param.b}", "c": "x{param.a}y", "l": "{param.list}", "e": "{param.at|epoch}", "d": "{param.at|date}", "lit": "{{x}"}', columns => '{"q": "$.query"}' };
gives([ '{"q": {"b": "standard", "lit": "{x}"}}' ], 'what has no value is left out, unless there is a default', $echo);
gives([ '{"q": {"a": "&=+ #", "b": "", "c": "x&=+ #y", "d": "2026-01-01", "e": "1767225600", "l": "1,2", "lit": "{x}"}}' =~ s/"b": ""/"b": "standard"/r ],
	'values are encoded, lists joined, times formatted', $echo, '{"a": "&=+ #", "b": "", "list": [1, 2], "at": "2026-01-01 00:00:00+00"}');
gives([ '{"b": "{\"k\": [1, \"x1\", true, null]}", "h": "application/json", "m": "POST"}' ], 'a JSON body', { path => '/echo', method => 'POST', params => '{"n": {}, "m": {}}', body => '{"kind": "json", "value": {"k": ["{param.n}", "x{param.n}", true, "{param.m}"]}}',
	columns => '{"b": "$.body", "h": "$.headers.\"content-type\"", "m": "$.method"}' }, '{"n": 1}');
gives([ '{"b": "a=1%262"}' ], 'a form', { path => '/echo', method => 'POST', params => '{"n": {}, "m": {}}', body => '{"kind": "form", "fields": {"a": "{param.n}", "b": "{param.m}"}}', columns => '{"b": "$.body"}' }, '{"n": "1&2"}');
fails(qr/ERROR:  55000: endpoint "e" takes rows, and gives none/, 'an endpoint to push to', { path => '/echo', method => 'POST', body => '{"kind": "records"}' });

# parents and constants

$node->safe_psql('postgres', q{INSERT INTO sync_endpoints (endpoint_name, provider_name, path, records, columns) VALUES
	('parents', 'eighth', '/rows', '{}', '{"id": "$.id"}'), ('other', 'runsignup', '/x', '{}', NULL)});
my %child = (path => '/echo', query => '{"p": "{parent.id}", "e": "{each}"}', columns => '{"p": "$.query.p", "e": "$.query.e"}');
gives([ map { qq({"e": null, "p": "$_"}) } 1 .. 3 ], 'a request for each parent that another endpoint gives', { %child, parent => '{"endpoint": "parents"}' });
gives([ map { qq({"e": null, "p": "$_"}) } 5, 6 ], 'or a query', { %child, parent => '{"sql": "SELECT generate_series(5, 6) AS id"}' });
$node->safe_psql('postgres', q{INSERT INTO sync_endpoints (endpoint_name, provider_name, path, query, parent, columns) VALUES
	('few', 'eighth', '/rows', '{"n": "2"}', NULL, '{"id": "$.id"}'), ('between', 'eighth', '/rows', '{"n": "{parent.id}"}', '{"endpoint": "few"}', '{"id": "$.id", "of": {"value": "{parent.id}"}}')});
gives([ map { qq({"e": null, "p": "$_"}) } '1', '1', '2' ], 'parents may have parents', { %child, parent => '{"endpoint": "between"}' });
gives([ map { qq({"o": "$_"}) } '1', '2', '2' ], 'and say whose they are', { %child, columns => '{"o": {"value": "{parent.of}"}}', parent => '{"endpoint": "between"}' });
gives([ map { my $p = $_; map { qq({"e": $_, "p": "$p"}) } 'null', '"SEX"' } 1 .. 3 ], 'and for each constant', { %child, parent => '{"endpoint": "parents"}', each => '["", "SEX"]' });
gives([ map { qq({"p": "$_"}) } '1,2', '3' ], 'several parents at once', { path => '/echo', query => '{"p": "{parent.collected}"}', columns => '{"p": "$.query.p"}', parent => '{"endpoint": "parents", "collect": {"path": "$.id", "size": 2}}' });
fails(qr/ERROR:  22023: endpoint "other" belongs to provider "runsignup", not to "eighth"/, 'parents of another provider', { %child, parent => '{"endpoint": "other"}' });
$node->safe_psql('postgres', q{UPDATE sync_endpoints SET parent = '{"endpoint": "e"}' WHERE endpoint_name = 'parents'});
fails(qr/ERROR:  22023: endpoint ".*" has too many parents/, 'parents in a circle', { %child, parent => '{"endpoint": "parents"}' });

# what is new

my %since = (path => '/echo', columns => '{"q": "$.query"}');
for my $case ([ '1767225600', '{"param": "s", "format": "epoch"}' ], [ '1767225599', '{"param": "s", "format": "epoch", "bound": "exclusive"}' ],
	[ '1767225599999', '{"param": "s", "format": "epoch_ms", "bound": "exclusive"}' ], [ '1767225590', '{"param": "s", "format": "epoch", "lookback_s": 10}' ],
	[ '2026-01-01T00:00:00+00:00', '{"param": "s", "format": "iso"}' ], [ '2025-12-31', '{"param": "s", "format": "date", "lookback_s": 1}' ])
{
	my ($sent, $incremental) = @$case;
	gives([ qq({"q": {"s": "$sent"}}) ], "since when, by $incremental", { %since, incremental => $incremental }, '{}', ", since => '2026-01-01 01:00:00+01'");
}
gives([ '{"q": {}}' ], 'since never', { %since, incremental => '{"param": "s", "format": "epoch"}' });
gives([ '{"q": {"s": "0"}}' ], 'since the beginning', { %since, incremental => '{"param": "s", "format": "text", "initial": 0}' });
fails(qr/ERROR:  22007: invalid input syntax/, 'since what is no time', { %since, incremental => '{"param": "s", "format": "epoch"}' }, '{}', ", since => 'x'");

# outcomes

my $rules = '[{"when": "$.error.code == 7", "outcome": "fail", "message": "$.error.message"}]';
fails(qr/ERROR:  SY002: provider "eighth" did not do what endpoint "e" asks\nDETAIL:  "http:[^"]*\/refused" answered with status 200: no right to see k/, 'the body decides before the status',
	{ path => '/refused', params => '{"key": {}}', query => '{"key": "{param.key}"}', outcomes => $rules }, '{"key": "k"}');
fails(qr/ERROR:  SY002: .*\nDETAIL:  .* answered with status 404\./, 'the status decides where no rule fits', { path => '/no', outcomes => $rules });
gives([], 'a status can be in order', { path => '/no', outcomes => '[{"status": 404, "outcome": "ok"}]', records => '{"paths": "$.rows[*]"}' });
gives([], 'and a body that is no JSON', { path => '/not-json', outcomes => '[{"body": "ok", "outcome": "ok"}]' });
$fake->set(fail => 2);
gives([ @fifty[ 0 .. 2 ] ], 'what passes is asked for again', { columns => $id });
is(scalar($fake->log), 3, 'so often as needed');
$fake->set(fail => 3);
fails(qr/ERROR:  SY002: .* answered with status 503/s, 'but not more often than said', { columns => $id });
$fake->set(fail => 1);
fails(qr/ERROR:  SY002: /, 'and not what may be done once only', { path => '/echo', method => 'POST' });
$fake->set(fail => 1);
is((ask({ path => '/echo', method => 'POST', repeatable => 't', columns => '{"m": "$.method"}' }))[0], '{"m": "POST"}', 'unless it may be repeated');
$fake->set(fail => 1, fail_status => 409);
fails(qr/ERROR:  SY002: .* answered with status 409/s, 'other failures are final', {});
$fake->set(fail => 0, fail_status => 503, throttle => 1, retry_after => 1);
my $start = time;
gives([ @fifty[ 0 .. 2 ] ], 'after 429 it waits', { columns => $id });
cmp_ok(time - $start, '>=', 1, 'as long as the header says');
$fake->set(throttle => 1, retry_after => 3600);
fails(qr/ERROR:  SY002: .* answered with status 429\.\nHINT:  It asks to be left alone for 3600 seconds/s, 'unless that is too long', {});
$fake->set(throttle => 0, retry_after => '');

# limits: a provider that allows so many requests in a window gets no more, however it is cut

sub add_limited
{
	my ($name, $limits) = @_;
	$node->safe_psql('postgres', "INSERT INTO sync_providers (provider_name, base_url, limits) VALUES ('$name', '" . $fake->url . "', '$limits');"
		  . " INSERT INTO sync_endpoints (endpoint_name, provider_name, path, page, records) VALUES ('$name', '$name', '/paged', '{\"kind\": \"page\", \"param\": \"page\", \"size\": 10}', '{\"paths\": \"\$.data[*]\"}')");
	$fake->clear;
	return;
}
add_limited('windowed', '{"requests": 5, "window_ms": 400}');
$node->safe_psql('postgres', "SELECT sync_fetch('windowed', max_rows => NULL) FROM generate_series(1, 3)");
my @at = map { $_->{at} } $fake->log;
is(scalar(@at), 18, 'eighteen requests are made');
is((grep { $at[ $_ + 5 ] - $at[$_] < 0.35 } 0 .. $#at - 5), 0, 'never more than five in a window');
cmp_ok($at[-1] - $at[0], '<', 1.2 * 1.5, 'and no slower than that asks for');
add_limited('spaced', '{"interval_ms": 100}');
$node->safe_psql('postgres', "SELECT sync_fetch('spaced', max_rows => NULL)");
@at = map { $_->{at} } $fake->log;
cmp_ok($at[-1] - $at[0], '>', 0.45, 'six requests take five intervals');

# a dump takes it, a restore brings it back
$node->command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '-f', $node->basedir . '/dump' ], 'pg_dump works');
$node->safe_psql('postgres', "CREATE DATABASE restored");
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('restored'), '-f', $node->basedir . '/dump' ], 'so does restoring');
my $all = "SELECT md5(string_agg(p::text, E'\\n' ORDER BY provider_name)) FROM sync_providers p";
is($node->safe_psql('restored', $all), $node->safe_psql('postgres', $all), 'the same providers are there');
$all = "SELECT md5(string_agg(e::text, E'\\n' ORDER BY endpoint_name)) FROM sync_endpoints e";
is($node->safe_psql('restored', $all), $node->safe_psql('postgres', $all), 'and the same endpoints');

# a shipped provider that is changed is the user's, and comes back changed
$node->safe_psql('postgres', "UPDATE sync_providers SET base_url = 'https://changed.example.org' WHERE provider_name = 'lichess'");
is($node->safe_psql('postgres', "SELECT provider_name FROM sync_providers WHERE NOT shipped AND base_url ~ 'changed'"), 'lichess', 'a shipped provider that is changed is yours');
$node->command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '-f', $node->basedir . '/dump2' ], 'pg_dump works again');
$node->safe_psql('postgres', "CREATE DATABASE restored2");
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('restored2'), '-f', $node->basedir . '/dump2' ], 'so does restoring again');
is($node->safe_psql('restored2', "SELECT base_url FROM sync_providers WHERE provider_name = 'lichess'"), 'https://changed.example.org', 'with the change');
($out, $err) = try_sql($node, 'postgres', "DELETE FROM sync_endpoints WHERE endpoint_name = 'haku_events'");
like($err, qr/ERROR:  55000: cannot delete or rename row "haku_events" of sync_endpoints/, 'a shipped endpoint cannot be deleted');

$node->stop;
done_testing();
