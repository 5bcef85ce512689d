# A record of an endpoint that cannot be read is put aside by itself, where the stream allows
# that, in a run as in a task; what is not the fault of one record is an error of the run.

use strict;
use warnings;

use lib 'test/perl';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncFake;
use SyncTest;
use Test::More;

my $folder = PostgreSQL::Test::Utils::tempdir();
append_to_file("$folder/key", 'a7' x 32);
chmod 0600, "$folder/key";
my $node = start_node('bad', "sync_ext.http_private_networks = '127.0.0.0/8'\nsync_ext.credential_key_file = '$folder/key'");
my $fake = SyncFake->start('broken');
my $url = $fake->url;
my ($out, $err);

$node->safe_psql('postgres', qq{
	CREATE EXTENSION sync_ext;
	INSERT INTO sync_providers (provider_name, base_url, retry, auth, credential_fields) VALUES
	('broken', '$url', '{"times": 0}', '[{"headers": {"X-Token": "{credential.token}"}}]', '["token"]');
	SELECT sync_set_credential(7, 'broken', '{"token": "dont-tell-me"}');
	INSERT INTO sync_endpoints (endpoint_name, provider_name, path, page, records, columns, key, incremental) VALUES
	('scanned', 'broken', '/pages', '{"kind": "page", "param": "page", "size": 3}', '{"paths": "\$.data[*]"}',
	 '{"id": "\$.id", "name": "\$.name", "size": "\$.size"}', '{id}', NULL),
	('parsed', 'broken', '/pages', '{"kind": "page", "param": "page", "size": 3}', '{"paths": "\$.data[*]"}',
	 '{"id": "\$.id", "name": "\$.name", "size": "\$.size.double()"}', '{id}', NULL),
	('whole', 'broken', '/pages', '{"kind": "page", "param": "page", "size": 3}', '{"paths": "\$.data[*]"}', NULL, '{id}', NULL),
	('keyed', 'broken', '/pages', '{"kind": "keyset", "param": "after", "path": "\$.next", "size": 3}', '{"paths": "\$.data[*]"}', NULL, '{id}', NULL),
	('marked', 'broken', '/pages', '{"kind": "page", "param": "page", "size": 3}', '{"paths": "\$.data[*]"}', NULL, '{id}',
	 '{"param": "since", "field": "at", "format": "epoch"}'),
	('lines', 'broken', '/lines', '{"kind": "single"}', '{"format": "ndjson"}', NULL, '{id}', NULL);
	CREATE TABLE rows (id int PRIMARY KEY, name text, size float8)});
for my $name (qw(scanned parsed whole keyed marked lines))
{
	$node->safe_psql('postgres', "SELECT sync_create_stream('$name', 'rows', endpoint => '$name', max_rejects => 3);"
		  . "SELECT sync_create_stream('strict $name', 'rows', endpoint => '$name')");
}

$node->safe_psql('postgres', q{SELECT sync_create_stream('mirrored', 'rows', endpoint => 'whole', mode => 'mirror', max_rejects => 3, max_delete_share => 1)});

sub is_sql { my ($sql, $expected, $name) = @_; local $Test::Builder::Level = $Test::Builder::Level + 1; return is($node->safe_psql('postgres', $sql), $expected, $name) }

# Run a stream, in this session or as a task.  Returns what history has of it.
sub run_of
{
	my ($stream, $as, $keep) = @_;
	my $run = "operation = 'stream' AND subject = '$stream'";

	$node->safe_psql('postgres', 'TRUNCATE rows') unless $keep;
	if ($as eq 'run')
	{
		($out, $err) = try_sql($node, 'postgres', "SELECT sync_run('$stream', timing_partner_id => 7)");
		return 'failed' if $err =~ /ERROR/;
	}
	else
	{
		$node->safe_psql('postgres', qq{INSERT INTO sync_queue (operation_type, timing_partner_id, payload, max_attempts) VALUES ('fetch', 7, '{"stream": "$stream"}', 1)});
		$node->safe_psql('postgres', 'CALL sync_process_queue()');
		my $task = $node->safe_psql('postgres', 'SELECT status, error_message, error_sqlstate, error_context FROM sync_history WHERE queue_id IS NOT NULL ORDER BY history_id DESC LIMIT 1');
		$err = $task;
		return 'failed' if $task !~ /^success/;
	}
	return $node->safe_psql('postgres', "SELECT rows_read, inserted, rejected FROM sync_history WHERE $run ORDER BY history_id DESC LIMIT 1");
}
my $rejects = q{SELECT file_name, line_number, column_name, error_sqlstate, refused_at, raw #>> '{}' FROM sync_rejects WHERE history_id = (SELECT max(history_id) FROM sync_rejects) ORDER BY reject_id};
my $rows = q{SELECT string_agg(id::text, ',' ORDER BY id) FROM rows};

for my $as ('run', 'task')
{
	# a string that is none, a number that is too large

	my $nul = '{"id": 2, "name": "dont-tell-me a\u0000b", "size": 1}';
	my $large = '{"id": 4, "name": "n", "size": 1e400000}';
	$fake->set(page1 => qq({"data": [{"id": 1, "name": "\\u00e9\\ud83d\\ude00", "size": 1}, $nul, {"id": 3}]}), page2 => qq({"data": [$large, {"id": 5, "size": 2e3}]}));
	for my $stream ('scanned', 'parsed', 'whole')
	{
		my @columns = $stream eq 'scanned' ? ('name', 'size') : ('', '');
		is(run_of($stream, $as), '5|3|2', "$stream, $as: the others are merged");
		is_sql($rows, '1,3,5', 'and there');
		is($node->safe_psql('postgres', $rejects) =~ s/dont-tell-me|\[redacted\]|\*+/X/gr,
			"endpoint $stream, page 1|2|$columns[0]|22P05|fetch|" . ($nul =~ s/dont-tell-me/X/r) . "\nendpoint $stream, page 2|1|$columns[1]|22003|fetch|$large", 'each bad one is put aside with its place and as it came');
		is_sql(q{SELECT count(*) FROM sync_rejects WHERE raw::text ~ 'dont-tell-me'}, 0, 'but for secrets');
		is_sql(q{SELECT name FROM rows WHERE id = 1}, "\xc3\xa9\xf0\x9f\x98\x80", 'others of its page are what they were');
	}
	my $last = $node->safe_psql('postgres', 'SELECT max(history_id) FROM sync_rejects');
	($out, $err) = try_sql($node, 'postgres', "SELECT sync_replay_rejects($last)");
	like($err, qr/ERROR:  55000: the rejects of run $last cannot be tried again\nDETAIL:  They are as the provider gave them/, 'they cannot be tried again');
	for my $stream ('scanned', 'parsed', 'whole')
	{
		is(run_of("strict $stream", $as), 'failed', "strict $stream, $as: a stream that allows none fails");
		like($err, qr/endpoint $stream, page 1, record 2/, 'and says which record it is');
		is_sql('SELECT count(*) FROM rows', 0, 'nothing of it is there');
	}

	# a path that cannot be evaluated

	$fake->set(page1 => '{"data": [{"id": 1, "size": 1}, {"id": 2, "size": "big"}, {"id": 3, "size": [1, {}]}]}', page2 => '{"data": []}');
	is(run_of('parsed', $as), '3|1|2', "$as: a path fails for a record");
	is_sql($rejects, qq(endpoint parsed, page 1|2|size|22036|fetch|{"id": 2, "size": "big"}\nendpoint parsed, page 1|3|size|22036|fetch|{"id": 3, "size": [1, {}]}), 'which is put aside with the column');
	is(run_of('strict parsed', $as), 'failed', 'or fails the run');
	like($err, qr/column "size"|endpoint parsed, page 1, record 2/, 'which says where');

	# one that is read and does not convert stands beside it, and can be tried again

	$fake->set(page1 => '{"data": [{"id": 1, "size": 1}, {"id": 2, "size": "\u0000"}, {"id": "x", "size": 3}]}');
	is(run_of('whole', $as), '3|1|2', "$as: two kinds");
	is_sql(q{SELECT refused_at, error_sqlstate FROM sync_rejects WHERE history_id = (SELECT max(history_id) FROM sync_rejects) ORDER BY row_number}, "fetch|22P05\nread|22P02", 'are told apart');
	$node->safe_psql('postgres', q{UPDATE sync_rejects SET raw = jsonb_set(raw, '{id}', '7') WHERE refused_at = 'read'});
	is_sql(q{SELECT rows_read, inserted, rejected FROM sync_replay_rejects((SELECT max(history_id) FROM sync_rejects))}, '1|1|0', 'the one that was read is tried again');
	is_sql(q{SELECT refused_at FROM sync_rejects WHERE history_id = (SELECT max(history_id) FROM sync_rejects)}, 'fetch', 'the other one stays');

	# lines

	$fake->set(lines => qq({"id": 1}\n{"id": 2, "na\n{"id": 3, "name": "\\u0000"}\n\n{"id": 4}\n));
	is(run_of('lines', $as), '4|2|2', "$as: broken lines");
	is_sql($rejects, qq(endpoint lines, page 1|2||22P02|fetch|{"id": 2, "na\nendpoint lines, page 1|3||22P05|fetch|{"id": 3, "name": "\\u0000"}), 'are put aside with their place');
	is(run_of('strict lines', $as), 'failed', 'or fail the run');
	like($err, qr/endpoint lines, page 1, record 2/, 'which says which line it is');
	$fake->set(lines => qq({"id": 1}\n{"id": 2, "na));
	is(run_of('lines', $as), 'failed', 'a last line that is cut off fails the run');
	is_sql('SELECT count(*) FROM rows', 0, 'of which nothing is there');
	$fake->set(lines => qq({"id": 1}\n{"id": 2}));
	is(run_of('lines', $as), '2|2|0', 'one that only has no end does not');

	# what is not the fault of one record

	for my $case ([ 'a page that is no JSON', '{"data": [{"id": 1}, {"id": 2, "na}]}' ], [ 'a value beside the records', '{"data": [{"id": 1}], "more": "\u0000"}' ],
		[ 'a page that is cut off', '{"data": [{"id": 1}, {"id": 2' ])
	{
		$fake->set(page1 => $case->[1]);
		is(run_of($_, $as), 'failed', "$as, $_: $case->[0] fails the run") for 'scanned', 'parsed', 'whole';
	}

	# the key to go on after

	$fake->set(page1 => '{"data": [{"id": 1, "next": 7}, {"id": 2, "name": "\u0000", "next": 8}, {"id": 3, "name": "\u0000", "next": 9}]}', page9 => '{"data": [{"id": 4, "next": 10}]}');
	is(run_of('keyed', $as), '4|2|2', "$as: what is bad in a record is not in the way of its key");
	$fake->set(page1 => '{"data": [{"id": 1, "next": 7}, {"id": 2, "next": 8}, {"id": 3, "next": "\u0000"}]}');
	is(run_of('keyed', $as), 'failed', 'but where it is its key, nobody knows what is next');
	like($err, qr/a record of endpoint "keyed" has no key to go on after/, 'which is said');

	# too many

	$fake->set(page1 => '{"data": [{"id": 1, "name": "\u0000"}, {"id": 2, "name": "\u0000"}, {"id": 3, "name": "\u0000"}]}', page2 => '{"data": [{"id": 4, "name": "\u0000"}]}');
	is(run_of('whole', $as), 'failed', "$as: more than may be fail the run");
	like($err, qr/more rejects than max_rejects allows/, 'which says so');

	# gone rows

	is_sql(q{TRUNCATE rows; INSERT INTO rows VALUES (2, 'stays') RETURNING id}, 2, 'a row of a mirror');
	$fake->set(page1 => '{"data": [{"id": 1}, {"id": 2, "name": "\u0000"}]}');
	is(run_of('mirrored', $as, 1), '2|1|1', "$as: a mirror with a bad record");
	is_sql($rows, '1,2', 'deletes nothing');

	# marks

	$fake->set(page1 => '{"data": [{"id": 1, "at": "2024-01-01T00:00:00Z"}, {"id": 2, "at": "\u0000"}, {"id": 3, "at": "2024-01-02T00:00:00Z", "name": "\u0000"}]}', page2 => '{"data": []}');
	$node->safe_psql('postgres', q{DELETE FROM sync_watermarks});
	is(run_of('marked', $as), '3|1|2', "$as: bad records of an endpoint with marks");
	$fake->clear;
	$fake->set(page1 => '{"data": []}');
	run_of('marked', $as, 1);
	is((grep { $_->{path} eq '/pages' } $fake->log)[0]{query}{since}, 1704153600, 'it is asked since the last mark that can be read');
}

done_testing();
