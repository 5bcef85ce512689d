# Rows of many megabytes go through a stream as small ones do, from this database
# and from a server, and those that cannot be used are put aside, shortened if need be.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

plan skip_all => 'a sanitizer takes several times the memory' if ($ENV{LD_PRELOAD} // '') =~ /asan/;

my $node = start_node('huge');
my $counts = q{concat_ws(' ', rows_read, inserted, updated, unchanged, rejected)};

$node->safe_psql('postgres', 'CREATE EXTENSION sync_ext');
add_server($node, 'postgres', 'loop', host => $node->host, port => $node->port, dbname => 'postgres');
$node->safe_psql('postgres', q{
	CREATE TABLE letters AS SELECT 'x' AS letter;
	CREATE VIEW source AS SELECT 1 AS id, jsonb_build_object('a', repeat(letter, 40000000)) AS j, 'small' AS t FROM letters UNION ALL SELECT 2, '{}', 'small';
	-- to compress it takes longer than all else
	CREATE TABLE here (id int PRIMARY KEY, j jsonb, t text);
	ALTER TABLE here ALTER j SET STORAGE EXTERNAL;
	CREATE TABLE there (LIKE here INCLUDING ALL);
	SELECT sync_create_stream('here', 'here', '{id}', 'TABLE source'), sync_create_stream('there', 'there', '{id}', 'TABLE source', 'loop')});
my $same = q{SELECT count(*) FROM source AS s JOIN %s AS t ON s.id = t.id AND s.j = t.j AND s.t = t.t};
for my $stream ('here', 'there')
{
	is($node->safe_psql('postgres', "SELECT $counts FROM sync_run('$stream')"), '2 2 0 0 0', "stream \"$stream\" brings rows of 40 MB");
	is($node->safe_psql('postgres', sprintf $same, $stream), '2', 'as they are');
	is($node->safe_psql('postgres', "SELECT $counts FROM sync_run('$stream')"), '2 0 0 2 0', 'and finds them again');
}
$node->safe_psql('postgres', q{UPDATE letters SET letter = 'z'});
is($node->safe_psql('postgres', q{SELECT action, length(before::text), length(after::text) FROM sync_diff('here')}), 'update|40000016|40000016', 'a change of one is shown');
is($node->safe_psql('postgres', "SELECT $counts FROM sync_run('$_')"), '2 0 1 1 0', "and written by \"$_\"") for 'here', 'there';

# What is longer than jsonb takes is kept aside as the beginning of a text

$node->safe_psql('postgres', 'CREATE TABLE small (id int PRIMARY KEY, v text CHECK (length(v) < 10))');
is($node->safe_psql('postgres', qq{
		SELECT $counts FROM sync_upsert('small', \$\$SELECT 1 AS id, repeat('ä', 134217728) AS v UNION ALL SELECT 2, 'good' UNION ALL SELECT 3, repeat('b', 10000)\$\$,
			'{id}', max_rejects => 2)}), '3 1 0 0 2', 'rows that break a constraint are put aside, however long they are');
is($node->safe_psql('postgres', q{SELECT row_number, error_sqlstate, jsonb_typeof(raw), length(raw #>> '{}') < 1100 FROM sync_rejects ORDER BY row_number}),
	"1|23514|string|t\n3|23514|object|f", 'one that is longer than jsonb takes by its beginning');
like($node->safe_psql('postgres', q{SELECT right(raw #>> '{}', 30) FROM sync_rejects WHERE row_number = 1}), qr/ \.\.\. \(2684\d{5} bytes\)$/, 'which says how long it was');

$node->stop;
done_testing();
