# Rows go to a provider in the form that it wants, each of them once, and what became
# of each is remembered.

use strict;
use warnings;

use lib 'test/perl';
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncFake;
use SyncTest;
use Test::More;

my $folder = PostgreSQL::Test::Utils::tempdir();
my $node = start_node('push', "sync_ext.http_private_networks = '127.0.0.0/8'\nsync_ext.credential_key_file = '$folder/key'");
my $fake = SyncFake->start('plain');
my ($out, $err);

append_to_file("$folder/key", 'c3' x 32);
chmod 0600, "$folder/key";
$node->safe_psql('postgres', 'CREATE EXTENSION sync_ext; CREATE TABLE people (ref int, name text, race int, partner bigint, seen int)');
$node->safe_psql('postgres', q{INSERT INTO sync_providers (provider_name, base_url, retry, credential_fields, auth) VALUES
	('eighth', '} . $fake->url . q{', '{"wait_ms": 20, "times": 2}', '["secret"]', '[{"optional": true, "headers": {"X-Secret": "{credential.secret}"}}]')});

# Store an endpoint with these columns instead of another of the name.
sub endpoint
{
	my ($name, %columns) = @_;
	%columns = (endpoint_name => $name, provider_name => 'eighth', method => 'POST', path => '/take', %columns);
	my @names = sort keys %columns;
	my $values = join ', ', map { "'" . ($columns{$_} =~ s/'/''/gr) . "'" } @names;
	return try_sql($node, 'postgres', "DELETE FROM sync_endpoints WHERE endpoint_name = '$name'; INSERT INTO sync_endpoints (" . join(', ', @names) . ") VALUES ($values)");
}

# Make push "p" with these arguments, which has pushed nothing, and let the fake have
# nothing.  Without "endpoint" it pushes to "e".
sub make
{
	my (%arguments) = @_;
	%arguments = (endpoint => "'e'", query => "'SELECT ref, name FROM people ORDER BY ref'", key => "'{ref}'", %arguments);
	$node->psql('postgres', "SELECT sync_drop_push('p', forget => true)");
	$fake->clear;
	($out, $err) = try_sql($node, 'postgres', "SELECT sync_create_push('p', " . join(', ', map { "$_ => $arguments{$_}" } sort keys %arguments) . ")");
	diag($err) if $err;
	return;
}

# Push, and compare the counts.
sub pushes
{
	my ($expected, $what, $arguments) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	($out, $err) = try_sql($node, 'postgres', "CALL sync_push('p'" . ($arguments // '') . ")");
	my @names = qw(rows_read created updated unchanged deleted failed unknown requests);
	my @values = split /\|/, $out;
	return is(join(' ', map { $values[$_] ? "$names[$_]=$values[$_]" : () } 0 .. $#names), $expected, $what) || diag($err);
}

sub people
{
	my (@names) = @_;
	my $n = 0;
	$node->safe_psql('postgres', 'TRUNCATE people; INSERT INTO people (ref, name, race, partner, seen) VALUES ' . join(', ', map { $n++; "($n, '$_', 1 + $n % 2, 7 + $n % 2, 0)" } @names));
	return;
}

sub states { return $node->safe_psql('postgres', "SELECT string_agg(concat_ws(':', key ->> 'ref', state, remote_id, error), ' ' ORDER BY key) FROM sync_pushed WHERE push_name = 'p'") }
sub bodies { return map { $_->{body} } $fake->log }

# the forms of a body

people(qw(Ada Bob Cy));
my $rows = '[{"ref": 1, "name": "Ada"}, {"ref": 2, "name": "Bob"}, {"ref": 3, "name": "Cy"}]';
my $request = '%7B%22results%22%3A%20%5B%7B%22ref%22%3A%201%2C%20%22name%22%3A%20%22Ada%22%7D%2C%20%7B%22ref%22%3A%202%2C%20%22name%22%3A%20%22Bob%22%7D%2C%20%7B%22ref%22%3A%203%2C%20%22name%22%3A%20%22Cy%22%7D%5D%7D';
for my $case ([ 'an array of records', '{"kind": "records"}', $rows ],
	[ 'records in an envelope', '{"kind": "records", "envelope": "data"}', qq({"data": $rows}) ],
	[ 'in two envelopes, beside what is always there', '{"kind": "records", "envelope": "data.data", "value": {"race": "{param.race}", "by": ["{tenant}"]}}', qq({"by": [null], "race": 5, "data": {"data": $rows}}) ],
	[ 'columns', '{"kind": "columns"}', '{"columns": ["ref", "name"], "rows": [[1, "Ada"], [2, "Bob"], [3, "Cy"]]}' ],
	[ 'columns by other names', '{"kind": "columns", "names": "n", "rows": "v", "envelope": "data"}', '{"data": {"n": ["ref", "name"], "v": [[1, "Ada"], [2, "Bob"], [3, "Cy"]]}}' ],
	[ 'JSON in a field of a form', '{"kind": "form_json", "field": "request", "envelope": "results", "fields": {"race": "{param.race}"}}', "race=5&request=$request" ])
{
	my ($what, $body, $expected) = @$case;
	$fake->set(answer => 'nothing');
	endpoint('e', body => $body, params => '{"race": {}}');
	make(params => q('{"race": 5}'));
	pushes('rows_read=3 created=3 requests=1', "$what is pushed");
	is(join("\n", bodies()), $expected, "$what is as it should be");
	pushes('rows_read=3 unchanged=3', "$what is not pushed twice");
}
is((map { $_->{headers}{'content-type'} } $fake->log)[0], 'application/x-www-form-urlencoded', 'a form is said to be one');
for my $case ([ 'an object', body => '{"kind": "object"}', [ map { s/^\[|\]$//gr } '{"ref": 1, "name": "Ada"}', '{"ref": 2, "name": "Bob"}', '{"ref": 3, "name": "Cy"}' ] ],
	[ 'a form for each row', body => '{"kind": "form", "fields": {"ref": "{item.ref}", "name": "{item.name|upper}"}}', [ 'ref=1&name=ADA', 'ref=2&name=BOB', 'ref=3&name=CY' ] ],
	[ 'JSON made for each row', body => '{"kind": "json", "value": {"id": "{item.ref}", "t": "no {item.ref}"}}', [ map { qq({"t": "no $_", "id": $_}) } 1 .. 3 ] ])
{
	my ($what, $column, $body, $expected) = @$case;
	endpoint('e', $column => $body);
	make();
	pushes('rows_read=3 created=3 requests=3', "$what is pushed");
	is_deeply([ bodies() ], $expected, "$what is as it should be");
}
$node->safe_psql('postgres', "UPDATE people SET name = NULL WHERE ref = 2; UPDATE people SET name = 'a/b c' WHERE ref = 3");
endpoint('e', path => '/take/{item.name}', body => '{"kind": "object", "nulls": "omit"}', columns => '{"n": {"path": "$.name", "convert": "text"}, "id": {"value": "{item.ref}", "convert": "number"}, "was": {"value": "{item.remote_id}"}}');
make();
pushes('rows_read=3 created=2 failed=1 requests=3', 'a row that no request can be made of fails by itself');
is_deeply([ map { "$_->{raw} $_->{body}" } $fake->log ], [ '/take/Ada {"n": "Ada", "id": 1}', '/take/a%2Fb%20c {"n": "a/b c", "id": 3}' ], 'values are encoded, columns made, nulls left out');
is(states(), '1:pushed 2:failed:endpoint "e" cannot be asked without item.name 3:pushed', 'and it is said why');

# batches, parameters of the row, columns that are not sent, tenants

people(map { "n$_" } 1 .. 10);
endpoint('e', body => '{"kind": "records", "batch": 4}');
make();
pushes('rows_read=10 created=10 requests=3', 'as many rows a request as the endpoint takes');
make(batch_size => 2);
pushes('rows_read=10 created=10 requests=5', 'or fewer, as the push says');
endpoint('e', body => '{"kind": "records", "batch": 4}', path => '/take/{param.race}', params => '{"race": {"required": true}}');
make(query => q('SELECT * FROM people ORDER BY ref'), param_columns => q('{"race": "race"}'), not_sent => q('{partner, seen}'));
pushes('rows_read=10 created=10 requests=4', 'rows with the same parameters go together');
is(join(' ', map { $_->{path} . ':' . join(',', map { $_->{ref} } @{ decode_json($_->{body}) }) } $fake->log), '/take/1:2,4,6,8 /take/1:10 /take/2:1,3,5,7 /take/2:9', 'in the order of the query');
is((bodies())[1], '[{"ref": 10, "name": "n10"}]', 'and what is not to be sent is not');
$node->safe_psql('postgres', 'UPDATE people SET seen = 1');
pushes('rows_read=10 unchanged=10', 'nor does it count as changed');
$node->safe_psql('postgres', 'UPDATE people SET race = 2 WHERE ref = 2');
pushes('rows_read=10 updated=1 unchanged=9 requests=1', 'but a parameter does');
endpoint('e', body => '{"kind": "records"}');
$node->safe_psql('postgres', q{SELECT sync_set_credential(7, 'eighth', '{"secret": "seven-secret"}'); SELECT sync_set_credential(8, 'eighth', '{"secret": "eight-secret"}')});
make(query => q('SELECT ref, name, partner FROM people ORDER BY ref'), tenant_column => q('partner'));
pushes('rows_read=5 created=5 requests=1', 'a tenant has its own rows', ', timing_partner_id => 7');
is(join(' ', map { $_->{headers}{'x-secret'} } $fake->log), 'seven-secret', 'and its own credential');
is((bodies())[0], '[' . join(', ', map { qq({"ref": $_, "name": "n$_"}) } 2, 4, 6, 8, 10) . ']', 'and says not whose they are');
pushes('rows_read=5 created=5 requests=1', 'so has another', ', timing_partner_id => 8');
pushes('rows_read=5 unchanged=5', 'each remembers its own', ', timing_partner_id => 7');
pushes('', 'without a tenant nothing is done');
like($err, qr/ERROR:  22023: push "p" is for one tenant at a time/, 'and it is said why');

# what answers say of rows

my %parts = (items => '$.results[*]', id => '$.id', failed => '$.status == "refused"', duplicate => '$.status == "duplicate"', message => '$.why');
people(qw(Ada bad there Di));
for my $case ([ 'by position', 'parts', \%parts ], [ 'by key', 'keyed', { %parts, match => 'key', key => '$.ref', by => 'ref' } ])
{
	my ($what, $answer, $body) = @$case;
	$fake->set(answer => $answer);
	endpoint('e', body => encode_json({ kind => 'records', %$body }));
	make();
	pushes('rows_read=4 created=3 failed=1 requests=1', "$what: what is refused, and what is there already");
	like(states(), qr/^1:pushed:(\d+) 2:failed:a bad name, 2 3:pushed:7 4:pushed:(?!\1)\d+$/, "$what: each row has its id, or the reason");
	$fake->clear;
	pushes('rows_read=4 unchanged=3 failed=1 requests=1', "$what: what failed is sent again, and nothing else");
	is(join(' ', bodies()), '[{"ref": 2, "name": "bad"}]', "$what: just that");
}
is($node->safe_psql('postgres', q{SELECT count(*), min(message) FROM sync_alerts WHERE kind = 'push_failed' AND message ~ 'a bad name, 2'}), '2|the provider does not take 1 more rows; the first of them: {"ref": 2}: a bad name, 2', 'one alert for what failed, and none when it fails again');
$fake->set(answer => 'short');
endpoint('e', body => encode_json({ kind => 'records', %parts }));
make();
pushes('rows_read=4 unknown=4 requests=1', 'an answer about fewer rows than were sent leaves them unknown');
like(states(), qr/^1:unknown:the answer is about 3 rows, and not about 4 /, 'and says why');
pushes('rows_read=4 unknown=4', 'they are not sent again');
$fake->set(answer => 'failed');
endpoint('e', body => '{"kind": "records", "failed": "$.failed[*]", "by": "ref"}');
make();
pushes('rows_read=4 created=3 failed=1 requests=1', 'a list of those that failed');
is(states(), '1:pushed 2:failed 3:pushed 4:pushed', 'is read as one');
people(qw(Ada Bob));
$fake->set(answer => 'ids');
endpoint('e', body => '{"kind": "records", "id": "$.ids[*]"}');
make();
pushes('rows_read=2 created=2 requests=1', 'a list of ids');
like(states(), qr/^1:pushed:\d+ 2:pushed:\d+$/, 'is stored');
$fake->set(answer => 'text');
make();
pushes('rows_read=2 created=2 requests=1', 'an answer that is no JSON will do where it need not say anything');
endpoint('e', body => encode_json({ kind => 'records', %parts }));
make();
pushes('rows_read=2 unknown=2 requests=1', 'and not where it has to');
like(states(), qr/1:unknown:the answer is not JSON/, 'which is said');
$fake->set(answer => 'parts');
people(qw(Ada poison));
endpoint('e', body => encode_json({ kind => 'records', batch => 1, %parts }), outcomes => '[{"when": "$.error", "outcome": "fail", "message": "$.error.message"}]');
make();
pushes('rows_read=2 created=1 failed=1 requests=2', 'a request that is refused does not stop the others', ', timing_partner_id => 7');
is(states(), '1:pushed:' . ((states() =~ /1:pushed:(\d+)/)[0]) . ' 2:failed:status 422: no poison, ***', 'the reason is kept, the secret is not');
people((map { "n$_" } 1 .. 3), ('poison') x 30);
make();
pushes('rows_read=33 created=3 failed=30 requests=33', 'even if most of them are refused');
people(('poison') x 30);
make();
pushes('', 'but where the provider takes nothing at all');
like($err, qr/ERROR:  SY002: endpoint "e" refuses what is pushed\nDETAIL:  10 requests were refused, and none was taken; the last one: status 422/, 'it is given up');
is(scalar($fake->log), 10, 'soon');

# changed and gone

people(qw(Ada Bob Cy));
endpoint('e', body => encode_json({ kind => 'records', %parts }));
endpoint('change', method => 'PUT', path => '/take/{item.remote_id}', body => '{"kind": "object"}');
endpoint('remove', method => 'DELETE', path => '/take/{item.remote_id}', outcomes => '[{"status": 404, "outcome": "ok"}]');
make(update_endpoint => q('change'), delete_endpoint => q('remove'));
pushes('rows_read=3 created=3 requests=1', 'rows are created');
my %ids = states() =~ /(\d):pushed:(\d+)/g;
$node->safe_psql('postgres', "UPDATE people SET name = 'Bea' WHERE ref = 2; DELETE FROM people WHERE ref = 1; INSERT INTO people VALUES (4, 'Di')");
$fake->clear;
pushes('rows_read=3 created=1 updated=1 unchanged=1 deleted=1 requests=3', 'changed, added and removed');
is(join(' ', map { "$_->{method} $_->{path}" } $fake->log), "DELETE /take/$ids{1} POST /take PUT /take/$ids{2}", 'each by its own endpoint and the id that the provider gave');
my ($second, $third) = @ids{ 2, 3 };
like(states(), qr/^2:pushed:$second 3:pushed:$third 4:pushed:\d+$/, 'what is gone is forgotten');
pushes('rows_read=3 unchanged=3', 'and all is as it should be');
$node->safe_psql('postgres', 'DELETE FROM people WHERE ref > 2');
pushes('', 'not more than a share is deleted');
like($err, qr/ERROR:  55000: push "p" would delete 2 of 3 rows\nDETAIL:  Its max_delete_share is 0.5/, 'as the push says');
$node->safe_psql('postgres', 'TRUNCATE people; UPDATE sync_pushes SET max_delete_share = 1');
pushes('', 'and nothing where the query gives no rows');
like($err, qr/DETAIL:  Its query gives no rows/, 'whatever it says');
people(qw(Ada));
make();
pushes('rows_read=1 created=1 requests=1', 'without an endpoint to delete with');
$node->safe_psql('postgres', 'TRUNCATE people');
pushes('', 'what is gone is left alone');
is(scalar($fake->log), 1, 'and nothing sent');

# keys

$node->safe_psql('postgres', "INSERT INTO people (ref, name) VALUES (1, 'Ada'), (1, 'Bob')");
make();
pushes('', 'rows with one key');
like($err, qr/ERROR:  21000: several rows of push "p" have the same key\nDETAIL:  The key is \{"ref": 1\}/, 'are refused');
$node->safe_psql('postgres', 'UPDATE people SET ref = NULL');
pushes('', 'and a row without one');
like($err, qr/ERROR:  23502: a row of push "p" has no value in its key\nDETAIL:  The key is \{"ref": null\}/, 'likewise');
is(scalar($fake->log), 0, 'before anything is sent');
$node->safe_psql('postgres', q{TRUNCATE people; CREATE TABLE times ("The Time" timestamptz, "a'b" float8, "sync_ext source" int); INSERT INTO times VALUES ('2026-01-01 00:00:00+00', 0.1, 5)});
endpoint('e', body => '{"kind": "records"}');
make(query => q('TABLE times'), key => q('{The Time,a''b}'));
$node->safe_psql('postgres', q{SET TimeZone = 'Asia/Tokyo'; SET extra_float_digits = 0; CALL sync_push('p')});
pushes('rows_read=1 unchanged=1', 'a row is the same whatever the settings of the session');
is((bodies())[0], q([{"a'b": 0.1, "The Time": "2026-01-01T00:00:00+00:00", "sync_ext source": 5}]), 'and names may be odd');

# looking first

people(qw(Ada Bob Cy));
endpoint('e', body => '{"kind": "records", "batch": 2}', query => '{"k": "{credential.secret}"}', headers => '{"X-Key": "{idempotency_key}"}');
make();
pushes('rows_read=3 created=3 requests=2', 'a dry run counts', ', dry_run => true, timing_partner_id => 7');
is($node->safe_psql('postgres', q{SELECT action, key, request, method, url ~ '/take\?k=\*\*\*$', body FROM sync_push_diff('p', 2, 7)}), qq(create|{"ref": 1}|1|POST|t|[{"ref": 1, "name": "Ada"}, {"ref": 2, "name": "Bob"}]\ncreate|{"ref": 2}|1|||),
	'a diff shows what would be sent, and no secret');
is(scalar($fake->log), 0, 'neither sends anything');
is($node->safe_psql('postgres', q{SELECT count(*) FROM sync_pushed WHERE push_name = 'p'}), 0, 'or writes');
is((try_sql($node, 'postgres', q{BEGIN READ ONLY; CALL sync_push('p', true, 7); COMMIT}))[0] =~ s/\|[^|]*$//r, '3|3|0|0|0|0|0|2|' . length('[{"ref": 1, "name": "Ada"}, {"ref": 2, "name": "Bob"}][{"ref": 3, "name": "Cy"}]'), 'a dry run may be in a transaction that cannot write');
($out, $err) = try_sql($node, 'postgres', q{BEGIN; CALL sync_push('p')});
like($err, qr/ERROR:  25001: sync_push cannot run inside a transaction block/, 'a push may not');
($out, $err) = try_sql($node, 'postgres', q{CALL sync_push('none')});
like($err, qr/ERROR:  42704: push "none" does not exist/, 'nor of what does not exist');
is($node->safe_psql('postgres', q{SELECT status, rows_read, inserted, details ->> 'requests' FROM sync_history WHERE operation = 'push' AND subject = 'p' ORDER BY history_id DESC LIMIT 1}), 'success|1|0|0', 'a dry run leaves nothing in history');

# dumped, and exported

endpoint('e', body => '{"kind": "records"}');
make(not_sent => q('{seen}'), query => q('SELECT ref, name, seen FROM people'));
pushes('rows_read=3 created=3 requests=1', 'what was pushed');
$node->command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '-f', "$folder/dump" ], 'is dumped');
$node->safe_psql('postgres', 'CREATE DATABASE restored; CREATE DATABASE exported');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('restored'), '-f', "$folder/dump" ], 'restored');
like($node->safe_psql('restored', q{CALL sync_push('p')}), qr/^3\|0\|0\|3\|/, 'and not pushed again');
my $export = $node->safe_psql('postgres', q{SELECT sync_export()});
like($export, qr/sync_create_push\(\s*name => 'p',\s*endpoint => 'e',\s*query => 'SELECT ref, name, seen FROM people',\s*key => '\{ref\}',\s*not_sent => '\{seen\}'\)/, 'an export has the push');
$node->safe_psql('exported', 'CREATE EXTENSION sync_ext; CREATE TABLE people (ref int, name text, seen int);' . $export);
is($node->safe_psql('exported', 'SELECT sync_export()'), $export, 'and makes it again');
$node->safe_psql('postgres', q{SELECT sync_drop_push('p')});
($out, $err) = try_sql($node, 'postgres', q{SELECT sync_create_push('p', 'e', 'SELECT ref, name, 1 AS seen FROM people', '{ref}', not_sent => '{seen}')});
is($err, '', 'one that is dropped');
pushes('rows_read=3 unchanged=3', 'and made again goes on where it was');

$node->stop;
done_testing();
