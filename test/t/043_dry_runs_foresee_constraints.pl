# A dry run on a standby counts what the run on the primary then counts, rows that
# constraints refuse included; however many there are, its memory stays small.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $primary = PostgreSQL::Test::Cluster->new('primary');
my $standby = PostgreSQL::Test::Cluster->new('standby');

$primary->init(allows_streaming => 1, extra => [ '--encoding=UTF8', '--no-locale' ]);
$primary->append_conf('postgresql.conf', "work_mem = '1MB'\nfsync = off");
$primary->start;
$primary->safe_psql('postgres', q{
	CREATE EXTENSION sync_ext;
	CREATE TABLE parent (id int PRIMARY KEY);
	INSERT INTO parent SELECT generate_series(0, 8);
	CREATE TABLE target (id int, region int, parent int REFERENCES parent, code text UNIQUE, v int NOT NULL CHECK (v >= 0), seen timestamptz,
		twice int GENERATED ALWAYS AS (v * 2) STORED, PRIMARY KEY (id));
	CREATE TABLE parted (id int, region int, v int CHECK (v >= 0), PRIMARY KEY (id, region)) PARTITION BY RANGE (region);
	CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (0) TO (2);
	CREATE VIEW source AS SELECT n AS id, n % 3 AS region, n % 10 AS parent, 'code ' || n % 99995 AS code, n % 1000 - 1 AS v
		FROM generate_series(1, 100000) AS n;
	SELECT sync_create_stream('target', 'target', '{id}', 'SELECT * FROM source', synced_at => 'seen', max_rejects => 1000000);
	SELECT sync_create_stream('parted', 'parted', '{id,region}', 'SELECT id, region, v FROM source', max_rejects => 1000000)});
$primary->backup('base');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

# What a run counts.
sub counts
{
	my ($node, $stream, $dry_run) = @_;

	return $node->safe_psql('postgres', "SELECT rows_read, inserted, updated, unchanged, rejected FROM sync_run('$stream', dry_run => $dry_run)");
}

# How much memory the session has that makes a dry run, in MB.
sub memory
{
	my ($node, $stream) = @_;

	return $node->safe_psql('postgres', qq{
		SELECT sync_run('$stream', dry_run => true) IS NULL;
		SELECT substring(pg_read_file('/proc/' || pg_backend_pid() || '/status') FROM 'VmHWM:\\s*(\\d+)')::int / 1024
			- substring(pg_read_file('/proc/' || pg_backend_pid() || '/status') FROM 'RssShmem:\\s*(\\d+)')::int / 1024}) =~ s/.*\n//sr;
}

for my $stream ('target', 'parted')
{
	my $foreseen = counts($standby, $stream, 'true');

	is(counts($primary, $stream, 'true'), $foreseen, "a dry run of $stream is the same on the primary");
	is(counts($primary, $stream, 'false'), $foreseen, 'and so is the run');
	like($foreseen, qr/^100000\|[1-9]\d*\|0\|0\|[1-9]\d+$/, 'with rejects');
	$primary->wait_for_catchup($standby);
	is(counts($standby, $stream, 'true') =~ s/\|.*\|/|/r, $foreseen =~ s/\|.*\|/|/r, 'and once more');
}
is($primary->safe_psql('postgres', q{
	SELECT string_agg(DISTINCT error_sqlstate, ',' ORDER BY error_sqlstate) FROM sync_rejects}),
	'23503,23505,23514', 'of each kind');
SKIP:
{
	skip 'a sanitizer keeps freed memory back', 1 if ($ENV{LD_PRELOAD} // '') =~ /asan/;
	cmp_ok(memory($standby, 'target'), '<', 110, 'in little memory');
}

$standby->stop;
$primary->stop;
done_testing();
