# Streams whose source is an endpoint of a provider: each run for a tenant, merged as any other
# source is, with what cannot be used put aside by page and record.

use strict;
use warnings;

use lib 'test/perl';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncFake;
use SyncTest;
use Test::More;
use Time::HiRes 'usleep';

my $folder = PostgreSQL::Test::Utils::tempdir();
my $node = start_node('http', "sync_ext.http_private_networks = '127.0.0.0/8'\nsync_ext.credential_key_file = '$folder/key'");
my $fake = SyncFake->start('plain');
my $runsignup = SyncFake->start('runsignup');
my ($out, $err);

append_to_file("$folder/key", 'e5' x 32);
chmod 0600, "$folder/key";
$node->safe_psql('postgres', 'CREATE EXTENSION sync_ext');

my $url = $fake->url;
my $runsignup_url = $runsignup->url;
$node->safe_psql('postgres', qq{
	INSERT INTO sync_providers (provider_name, base_url, retry) VALUES ('plain', '$url', '{"times": 1, "wait_ms": 20}');
	INSERT INTO sync_endpoints (endpoint_name, provider_name, path, params, query, page, records, columns, key) VALUES
	('plain_rows', 'plain', '/paged', '{"last": {}, "first": {}}', '{"last": "{param.last}", "first": "{param.first}"}',
	 '{"kind": "page", "param": "page", "size_param": "size", "size": 20}', '{"paths": "\$.data[*]"}',
	 '{"id": "\$.id", "name": "\$.name", "group_id": "\$.group.id", "grouped": "\$.group", "last": {"value": "{param.last}"}}', '{id}');
	UPDATE sync_providers SET base_url = regexp_replace(base_url, '^https://[^/]+', '$runsignup_url'), retry = '{"wait_ms": 20}' WHERE provider_name = 'runsignup';
	SELECT sync_set_credential(p, 'runsignup', '{"api_key": "key", "api_secret": "key-secret"}') FROM generate_series(7, 8) AS p;
	CREATE TABLE rows (timing_partner_id bigint, id int, name varchar(20), grouped jsonb, note text DEFAULT 'none', fetched_date timestamptz,
		PRIMARY KEY (timing_partner_id, id));
	SELECT sync_create_stream('rows', 'rows', endpoint => 'plain_rows', params => '{"last": 50}', tenant_column => 'timing_partner_id',
		synced_at => 'fetched_date', max_rejects => 10, keep_undo => '1 hour')});

sub run_of
{
	my ($arguments) = @_;
	($out, $err) = try_sql($node, 'postgres', "SELECT rows_read, inserted, updated, unchanged, deleted, rejected FROM sync_run($arguments)");
	return $out;
}
sub is_run { my ($arguments, $expected, $name) = @_; local $Test::Builder::Level = $Test::Builder::Level + 1; my $got = run_of($arguments); diag($err) if $err; return is($got, $expected, $name) }
sub is_sql { my ($sql, $expected, $name) = @_; local $Test::Builder::Level = $Test::Builder::Level + 1; return is($node->safe_psql('postgres', $sql), $expected, $name) }
sub fails_like { my ($sql, $expected, $name) = @_; local $Test::Builder::Level = $Test::Builder::Level + 1; ($out, $err) = try_sql($node, 'postgres', $sql); return like($err, $expected, $name) }

# what the stream does not say is the endpoint's to say

is_sql(q{SELECT key_columns, endpoint, params, tenant_column FROM sync_streams WHERE stream_name = 'rows'}, '{timing_partner_id,id}|plain_rows|{"last": 50}|timing_partner_id', 'the key is the tenant and that of the endpoint');
is_run(q{'rows', true, timing_partner_id => 7}, '50|50|0|0|0|0', 'a dry run counts');
is_sql('SELECT count(*) FROM rows', 0, 'and writes nothing');
$fake->clear;
is_run(q{'rows', timing_partner_id => 7}, '50|50|0|0|0|0', 'a run writes');
is(scalar(grep { $_->{query}{last} == 50 } $fake->log), 3, 'it reads page by page, with the parameters of the stream');
is_sql('SELECT timing_partner_id, id, name, grouped, note, fetched_date > now() - interval $$1 hour$$ FROM rows WHERE id = 50', '7|50|row 50|{"id": 2}|none|t', 'columns are matched by name');
is_run(q{'rows', timing_partner_id => 7}, '50|0|0|50|0|0', 'another run changes nothing');
is_run(q{'rows', timing_partner_id => 8, params => '{"last": 30}'}, '30|30|0|0|0|0', 'another tenant has rows of its own, and a run parameters of its own');
is_sql('SELECT timing_partner_id, count(*) FROM rows GROUP BY 1 ORDER BY 1', "7|50\n8|30", 'both are there');
is_sql(q{SELECT timing_partner_id, details -> 'fetch' ->> 'requests', details -> 'fetch' ->> 'pages', details -> 'fetch' ->> 'records', (details -> 'fetch' ->> 'bytes')::int > 100, details -> 'fetch' ->> 'retries', bytes > 100
	FROM sync_history WHERE subject = 'rows' ORDER BY history_id}, "7|3|3|50|t|0|t\n7|3|3|50|t|0|t\n8|2|2|30|t|0|t", 'history tells whom for, and how it went');
$node->safe_psql('postgres', q{UPDATE rows SET name = 'old' WHERE id IN (1, 2) AND timing_partner_id = 7; DELETE FROM rows WHERE id = 3 AND timing_partner_id = 7});
is_sql(q{SELECT action, key, before, after FROM sync_diff('rows', timing_partner_id => 7)}, qq({update|{"id": 1, "timing_partner_id": 7}|{"name": "old"}|{"name": "row 1"}\nupdate|{"id": 2, "timing_partner_id": 7}|{"name": "old"}|{"name": "row 2"}\ninsert|{"id": 3, "timing_partner_id": 7}||{"name": "row 3", "grouped": {"id": 0}}}) =~ s/^\{|\}$//gr, 'a diff shows what a run would do');
$fake->set(fail => 1);
is_run(q{'rows', timing_partner_id => 7}, '50|1|2|47|0|0', 'a run does it, in spite of an answer out of order');
is_sql(q{SELECT details -> 'fetch' ->> 'retries', (details -> 'fetch' ->> 'waited_ms')::int > 0 FROM sync_history WHERE subject = 'rows' ORDER BY history_id DESC LIMIT 1}, '1|t', 'which history tells');
is_sql(q{SELECT inserted, updated, deleted FROM sync_undo((SELECT max(history_id) FROM sync_history WHERE subject = 'rows'))}, '0|2|1', 'it can be undone');
is_run(q{'rows', timing_partner_id => 7}, '50|1|2|47|0|0', 'and done again');

# what cannot be used is put aside, one by one

$node->safe_psql('postgres', q{DELETE FROM rows; ALTER TABLE rows ADD CONSTRAINT not_25 CHECK (id <> 25); ALTER TABLE rows ALTER name TYPE varchar(5)});
fails_like(q{SELECT sync_run('rows', timing_partner_id => 7)}, qr/ERROR:  SY003: stream "rows" has more rejects than max_rejects allows/, 'more than may be fail the run');
is_sql('SELECT count(*) FROM rows WHERE timing_partner_id = 7', 0, 'which changes nothing');
$node->safe_psql('postgres', q{ALTER TABLE rows ALTER name TYPE text; ALTER TABLE rows ALTER grouped TYPE int USING NULL; ALTER TABLE rows RENAME grouped TO group_id; ALTER TABLE rows ADD CONSTRAINT not_45 CHECK (id <> 45)});
is_run(q{'rows', timing_partner_id => 7}, '50|48|0|0|0|2', 'others are merged');
is_sql(q{SELECT row_number, column_name, error_sqlstate, file_name, line_number, raw FROM sync_rejects WHERE history_id = (SELECT max(history_id) FROM sync_history) ORDER BY row_number},
	qq(25||23514|endpoint plain_rows, page 2|5|{"id": 25, "name": "row 25", "group_id": 1, "timing_partner_id": 7}\n45||23514|endpoint plain_rows, page 3|5|{"id": 45, "name": "row 45", "group_id": 0, "timing_partner_id": 7}), 'each has its place: page and record');
$node->safe_psql('postgres', q{ALTER TABLE rows DROP CONSTRAINT not_25});
is_sql(q{SELECT rows_read, inserted, rejected FROM sync_replay_rejects((SELECT max(history_id) FROM sync_history))}, '2|1|1', 'they can be tried again');
is_sql('SELECT timing_partner_id, id, group_id FROM rows WHERE id = 25 AND timing_partner_id = 7', '7|25|1', 'and are what they would have been');
$node->safe_psql('postgres', q{CREATE TABLE odd (took int, deep jsonb, big numeric, tags int[]);
	INSERT INTO sync_endpoints (endpoint_name, provider_name, path, columns) VALUES ('plain_values', 'plain', '/values',
		'{"took": "$.odd", "deep": "$.deep", "big": {"path": "$.money", "convert": "number"}, "tags": "$.deep.er"}');
	SELECT sync_create_stream('odd', 'odd', mode => 'append', endpoint => 'plain_values', max_rejects => 1)});
is_run(q{'odd'}, '1|0|0|0|0|1', 'a value that is none of the type is put aside');
is_sql(q{SELECT column_name, error_sqlstate, file_name, line_number, raw FROM sync_rejects WHERE stream_name = 'odd'}, 'took|22P02|endpoint plain_values, page 1|1|{"big": "1055.50", "deep": {"er": [5]}, "tags": "{\\"5\\"}", "took": "n/a"}', 'as it came');
$node->safe_psql('postgres', q{ALTER TABLE odd ALTER took TYPE text});
is_sql(q{SELECT inserted FROM sync_replay_rejects((SELECT max(history_id) FROM sync_history))}, '1', 'and taken when it fits');
is_sql('SELECT * FROM odd', 'n/a|{"er": [5]}|1055.50|{5}', 'JSON and arrays as well');

# columns made otherwise, and records as they are

$node->safe_psql('postgres', q{
	CREATE TABLE mapped (tenant text, id int, label text, whole jsonb, PRIMARY KEY (id, tenant));
	SELECT sync_create_stream('mapped', 'mapped', '{tenant,id}', endpoint => 'plain_rows', columns => 'id, upper(name) AS label, record AS whole', tenant_column => 'tenant', params => '{"last": 2}');
	INSERT INTO sync_endpoints (endpoint_name, provider_name, path) VALUES ('plain_bare', 'plain', '/rows');
	CREATE TABLE bare (id int PRIMARY KEY, name text, "group" jsonb);
	SELECT sync_create_stream('bare', 'bare', '{id}', endpoint => 'plain_bare', mode => 'mirror')});
is_run(q{'mapped', timing_partner_id => 9}, '2|2|0|0|0|0', 'columns can be made of what the endpoint gives');
is_sql('SELECT * FROM mapped ORDER BY id LIMIT 1', '9|1|ROW 1|{"id": 1, "last": "2", "name": "row 1", "tenant": 9, "grouped": {"id": 1}, "group_id": 1}', 'and of the whole record');
is_run(q{'bare'}, '3|3|0|0|0|0', 'an endpoint without columns gives its records as they are');
is_sql('SELECT * FROM bare ORDER BY id LIMIT 1', '1|row 1|{"id": 1}', 'by the names of their members');

# a tenant's run deletes its own rows only

$node->safe_psql('postgres', q{
	CREATE TABLE mirrored (timing_partner_id int, id int, name text, gone timestamptz, PRIMARY KEY (timing_partner_id, id));
	SELECT sync_create_stream('mirrored', 'mirrored', endpoint => 'plain_rows', params => '{"last": 20}', tenant_column => 'timing_partner_id', mode => 'mirror');
	INSERT INTO mirrored SELECT t, n FROM generate_series(1, 3) t, generate_series(1, 22) n});
is_run(q{'mirrored', timing_partner_id => 2}, '20|0|20|0|2|0', 'a run deletes what is gone');
is_sql('SELECT timing_partner_id, count(*), count(name) FROM mirrored GROUP BY 1 ORDER BY 1', "1|22|0\n2|20|20\n3|22|0", 'of its tenant alone');
$node->safe_psql('postgres', q{INSERT INTO mirrored SELECT 2, n FROM generate_series(101, 130) n});
fails_like(q{SELECT sync_run('mirrored', timing_partner_id => 2)}, qr/ERROR:  55000: 30 of 50 rows of table "mirrored" would be deleted/, 'the share is that of its own rows');
fails_like(q{SELECT sync_run('mirrored', timing_partner_id => 2, params => '{"last": 10}')}, qr/ERROR:  22023: stream "mirrored" cannot be run with params of its own\nDETAIL:  Its mode is mirror/, 'a part of what is there deletes nothing');
$node->safe_psql('postgres', q{SELECT sync_create_stream('marked', 'mirrored', endpoint => 'plain_rows', params => '{"last": 20}', tenant_column => 'timing_partner_id', mode => 'soft_delete', deleted_at => 'gone')});
is_run(q{'marked', timing_partner_id => 3}, '20|0|20|0|2|0', 'a run marks what is gone');
is_sql('SELECT timing_partner_id, count(gone) FROM mirrored GROUP BY 1 ORDER BY 1', "1|0\n2|0\n3|2", 'of its tenant alone');

# where a parameter is in the key, a run is about its rows

$node->safe_psql('postgres', q{
	INSERT INTO sync_endpoints (endpoint_name, provider_name, path, params, query, columns, key) VALUES
	('plain_of_race', 'plain', '/rows', '{"last": {}, "race": {}}', '{"last": "{param.last}"}', '{"race": {"value": "{param.race}"}, "id": "$.id", "name": "$.name"}', '{race,id}');
	CREATE TABLE of_race (timing_partner_id int, race text, id int, name text, PRIMARY KEY (timing_partner_id, race, id));
	SELECT sync_create_stream('of_race', 'of_race', endpoint => 'plain_of_race', tenant_column => 'timing_partner_id', mode => 'mirror');
	INSERT INTO of_race SELECT t, r, n FROM generate_series(1, 2) t, unnest('{a,b}'::text[]) r, generate_series(1, 4) n});
is_run(q{'of_race', timing_partner_id => 2, params => '{"race": "b", "last": 3}'}, '3|0|3|0|1|0', 'a run with parameters of its own deletes what is gone');
is_sql('SELECT timing_partner_id, race, count(*) FROM of_race GROUP BY 1, 2 ORDER BY 1, 2', "1|a|4\n1|b|4\n2|a|4\n2|b|3", 'of what it was asked for alone');
fails_like(q{SELECT sync_run('of_race', timing_partner_id => 2, params => '{"last": 1}')}, qr/ERROR:  22023: .*\nDETAIL:  .* none of them is in its key/, 'others say nothing of which rows it is about');

# parents that a query gives know the tenant

$node->safe_psql('postgres', q{
	CREATE TABLE events (timing_partner_id bigint, race_id int, event_id int);
	INSERT INTO events VALUES (7, 501, 71001), (7, 501, 71002), (8, 502, 71003);
	INSERT INTO sync_endpoints (endpoint_name, provider_name, path, params, query, parent, page, records, columns, key)
	SELECT 'all_participants', provider_name, replace(path, '{param.race_id}', '{parent.race_id}'), '{"only": {}}', query || '{"event_id": "{parent.event_id}"}',
		'{"sql": "SELECT race_id, event_id FROM events WHERE timing_partner_id = $1 AND ($2 ->> ''only'' IS NULL OR event_id = ($2 ->> ''only'')::int)"}', page, records,
		columns || '{"race_id": {"value": "{parent.race_id}"}, "event_id": {"value": "{parent.event_id}"}}', '{registration_id,event_id}' FROM sync_endpoints WHERE endpoint_name = 'runsignup_participants';
	CREATE TABLE participants (timing_partner_id bigint, registration_id bigint, race_id bigint, event_id bigint, first_name text, birth_date date, registered_at timestamptz, amount_paid numeric, fetched_date timestamptz,
		UNIQUE (event_id, timing_partner_id, registration_id));
	SELECT sync_create_stream('participants', 'participants', endpoint => 'all_participants', tenant_column => 'timing_partner_id', synced_at => 'fetched_date')});
is_run(q{'participants', timing_partner_id => 7}, '14|14|0|0|0|0', 'a run reads for each parent of its tenant');
is_run(q{'participants', timing_partner_id => 7, params => '{"only": 71002}'}, '7|0|0|7|0|0', 'and for those that its parameters leave');
is_sql('SELECT event_id, count(*), min(first_name), min(birth_date), min(registered_at) FROM participants GROUP BY 1 ORDER BY 1', "71001|7|First1|1990-04-02|2026-03-02 14:15:00+00\n71002|7|First1|1990-04-02|2026-03-02 14:15:00+00", 'its rows are there');

# errors name stream, endpoint and page; and nothing is written

$node->safe_psql('postgres', q{CREATE TABLE counts AS SELECT count(*) FROM rows; UPDATE sync_providers SET retry = '{"times": 0}' WHERE provider_name = 'plain'});
$fake->set(fail_from => 3);
fails_like(q{SELECT sync_run('rows', timing_partner_id => 9)}, qr/ERROR:  SY002: provider "plain" did not do what endpoint "plain_rows" asks\nDETAIL:  .*status 503.*while fetching endpoint "plain_rows", after page 2.*while running stream "rows"/s, 'an error has its place');
is_sql('SELECT (TABLE counts) - count(*) FROM rows', 0, 'a run that fails on page 3 publishes nothing');
is_sql(q{SELECT status, error_sqlstate, timing_partner_id FROM sync_history WHERE subject = 'rows' ORDER BY history_id DESC LIMIT 1}, 'failed|SY002|9', 'and is in history');
$fake->set(fail_from => 0);
fails_like(q{SELECT sync_run('rows')}, qr/ERROR:  22023: stream "rows" needs a timing_partner_id\n.*"timing_partner_id" with it/, 'a tenant is needed for its column');
fails_like(q{SELECT sync_run('rows', timing_partner_id => 7, params => '{"none": 1}')}, qr/ERROR:  22023: endpoint "plain_rows" has no parameter "none"/, 'a parameter has to be declared');
fails_like(q{SELECT sync_run('participants', timing_partner_id => 9)}, qr/ERROR:  42704: timing partner 9 has no credential for provider "runsignup"/, 'a tenant without a credential is told so');
fails_like(q{SELECT sync_create_stream('wrong', 'rows', endpoint => 'plain_nothing')}, qr/ERROR:  42704: endpoint "plain_nothing" does not exist/, 'an endpoint has to be there');
fails_like(q{SELECT sync_create_stream('wrong', 'rows', endpoint => 'plain_rows', params => '{"n": 1}')}, qr/ERROR:  22023: endpoint "plain_rows" has no parameter "n"/, 'and its parameters');
fails_like(q{SELECT sync_create_stream('wrong', 'rows', query => 'SELECT 1 AS id', endpoint => 'plain_rows')}, qr/ERROR:  22023: stream "wrong" is not valid\nDETAIL:  It has two sources/, 'there is one source');
fails_like(q{SELECT sync_create_stream('wrong', 'rows', '{id}', endpoint => 'plain_rows', tenant_column => 'timing_partner_id')}, qr/ERROR:  22023: stream "wrong" is not valid\nDETAIL:  Its key lacks column "timing_partner_id"/, 'the tenant is part of the key');
fails_like(q{SELECT sync_create_stream('wrong', 'rows', endpoint => 'plain_rows', tenant_column => 'timing_partner_id', columns => 'id, nme AS name')}, qr/ERROR:  42703: endpoint "plain_rows" of stream "wrong" gives no column "nme"/, 'a column has to be one of the endpoint');
fails_like(q{SELECT sync_create_stream('wrong', 'rows', params => '{"n": 1}')}, qr/ERROR:  22023: stream "wrong" is not valid\nDETAIL:  It says what an endpoint is asked for, and names none/, 'parameters are those of an endpoint');
fails_like(q{SELECT sync_create_stream('q', 'bare', '{id}', 'SELECT 1 AS id'); SELECT sync_run('q', timing_partner_id => 1)}, qr/ERROR:  22023: stream "q" takes no timing_partner_id/, 'and so is a tenant');

# what was exported makes the same streams

my $exported = $node->safe_psql('postgres', q{SELECT line FROM sync_export() AS line WHERE line ~ 'mapped|''rows'''});
like($exported, qr/endpoint => 'plain_rows',.*params => '\{"last": 50\}',.*tenant_column => 'timing_partner_id'/s, 'streams from endpoints are exported');

# a value is the same, however it is read: record by record, or in one pass over the page

my %forms = (plain => '"$.v"', id => '"$.id"', constant => '{"value": "in {param.zone}"}', number_of => '{"value": "1.50", "convert": "number"}',
	local => '{"path": "$.v", "convert": "time", "format": "MM/DD/YYYY HH24:MI", "zone": "America/New_York"}',
	mapped => '{"path": "$.v", "convert": "map", "map": {"T": "yes", "1": 1}, "otherwise": null}',
	map { ("as_$_" => qq({"path": "\$.v", "convert": "$_"})) } qw(text boolean number epoch epoch_ms time duration duration_ms json));
my $forms = join(', ', map { qq("$_": $forms{$_}) } sort keys %forms);
my $texts = join(', ', map { "$_ text" . ($_ eq 'id' ? ' PRIMARY KEY' : '') } sort keys %forms);
$node->safe_psql('postgres', qq{
	INSERT INTO sync_endpoints (endpoint_name, provider_name, path, params, columns, key) VALUES ('plain_forms', 'plain', '/forms', '{"zone": {"default": "Z"}}', '{$forms}', '{id}');
	CREATE TABLE forms ($texts);
	SELECT sync_create_stream('forms', 'forms', endpoint => 'plain_forms')});
is_run(q{'forms'}, '64|64|0|0|0|0', 'values of many forms are read');
is_sql(q{SELECT count(DISTINCT forms.id), string_agg(key || ' of ' || (row ->> 'plain') || ': ' || coalesce(value, 'NULL') || ' for ' || coalesce(row ->> key, 'NULL'), '; ')
	FILTER (WHERE row ->> key IS DISTINCT FROM value) FROM sync_fetch('plain_forms', max_rows => NULL) AS row JOIN forms ON forms.id = row ->> 'id', jsonb_each_text(to_jsonb(forms))},
	'64|', 'and are what they are to sync_fetch');
is_sql(q{SELECT plain, as_number, as_boolean, as_epoch, local FROM forms WHERE plain IN ('$1,040.00', 'T', '1772614500', '3/5/2026 9:15') ORDER BY id::int OFFSET 1},
	"T|T|true|T|T\n\$1,040.00|1040.00|\$1,040.00|\$1,040.00|\$1,040.00\n1772614500|1772614500|1772614500|2026-03-04T08:55:00+00:00|1772614500\n3/5/2026 9:15|3/5/2026 9:15|3/5/2026 9:15|3/5/2026 9:15|2026-03-05T14:15:00+00:00",
	'each as its column says');

# dates and times are what PostgreSQL reads

$node->safe_psql('postgres', q{
	CREATE TABLE times (id int PRIMARY KEY, plain text, "time" timestamptz, short timestamptz(0), "date" date);
	SELECT sync_create_stream('times', 'times', endpoint => 'plain_forms', columns => 'id, plain, plain AS "time", plain AS short, plain AS "date"', max_rejects => 1000);
	CREATE FUNCTION reads(text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM $1::timestamptz, $1::date; RETURN true; EXCEPTION WHEN data_exception THEN RETURN false; END $$});
run_of(q{'times'});
is_sql(q{SELECT count(*) > 5, count(*) FILTER (WHERE plain ~ '^20'), count(*) FILTER (WHERE (time, short, date) IS DISTINCT FROM (plain::timestamptz, plain::timestamptz(0), plain::date)) FROM times WHERE plain <> 'now'}, 't|3|0', 'those that it reads');
is_sql(q{SELECT count(*) FROM forms WHERE reads(plain) IS DISTINCT FROM (id::int IN (SELECT id FROM times))}, '0', 'and no others');

# the next page is asked for while the records of one are read, unless these are written meanwhile

$node->safe_psql('postgres', q{
	INSERT INTO sync_endpoints (endpoint_name, provider_name, path, params, query, page, records, columns, key) SELECT 'plain_large', provider_name, path, params, query, page || '{"size": 2000}',
		records, columns, key FROM sync_endpoints WHERE endpoint_name = 'plain_rows';
	CREATE TABLE large (id int PRIMARY KEY, name text);
	CREATE TABLE large_log (LIKE large);
	CREATE FUNCTION held(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN IF $1 = 'row 1' THEN PERFORM pg_advisory_xact_lock(76); END IF; RETURN $1; END $$;
	SELECT sync_create_stream('large', 'large', endpoint => 'plain_large', columns => 'id, held(name) AS name', params => '{"last": 5000}');
	SELECT sync_create_stream('large_log', 'large_log', endpoint => 'plain_large', columns => 'id, held(name) AS name', params => '{"last": 5000}', mode => 'append')});
for my $case ([ large => 2 ], [ large_log => 1 ])
{
	my ($stream, $expected) = @$case;
	my $holder = start_sql($node, 'postgres', q{SELECT pg_advisory_lock(76); SELECT pg_sleep(180)});
	$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 76 AND granted}) or die 'nobody holds the lock';
	$fake->clear;
	my $run = start_sql($node, 'postgres', "SELECT rows_read, inserted FROM sync_run('$stream')");
	$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 76 AND NOT granted}) or die 'no run waits';
	for (1 .. 1800) { last if scalar($fake->log) >= $expected; usleep(100_000) }
	is(scalar($fake->log), $expected, "$stream: requests that were made when the first record was looked at");
	$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = 76 AND granted});
	finish_sql($holder);
	is((finish_sql($run))[0], '5000|5000', "$stream: all are there");
	is(scalar($fake->log), 3, "$stream: no page was asked for twice, nor one too many");
}
$fake->clear;
is_sql(q{SELECT count(*) FROM sync_fetch('plain_rows', '{"last": 50}', max_rows => 5)}, 5, 'who wants some records');
is(scalar($fake->log), 1, 'asks for their page alone');

# a run stops at once

$fake->set(slow_ms => 60000);
my $session = start_sql($node, 'postgres', q{SELECT sync_run('rows', timing_partner_id => 7)});
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE query ~ '^SELECT sync_run' AND wait_event_type = 'Extension'}) or die 'no run waits';
my $start = time;
$node->safe_psql('postgres', q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query ~ '^SELECT sync_run'});
($out, $err) = finish_sql($session);
like($err, qr/canceling statement due to user request/, 'a run that waits is cancelled');
cmp_ok(time - $start, '<', 5, 'at once');

$node->stop;
done_testing();
