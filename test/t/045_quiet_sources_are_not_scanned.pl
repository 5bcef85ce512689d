# A stream by xmin has its source look at no row where nothing was written there since
# the last run, and misses nothing by that.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $app = start_node('app', "max_prepared_transactions = 5\nautovacuum = off");
my $warehouse = start_node('warehouse');

$app->safe_psql('postgres', q{
	CREATE TABLE thing (id int PRIMARY KEY, name text);
	CREATE TABLE extra (id int PRIMARY KEY, note text);
	CREATE TABLE filler (n int);
	INSERT INTO thing SELECT n, 'name ' || n FROM generate_series(1, 500) AS n;
	INSERT INTO extra SELECT n, 'note' FROM generate_series(1, 400) AS n});
$warehouse->safe_psql('postgres', 'CREATE EXTENSION sync_ext');
add_server($warehouse, 'postgres', 'app', host => $app->host, port => $app->port, dbname => 'postgres');
my %queries = (
	plain => 'SELECT xmin, id, name FROM thing',
	inner => 'SELECT t.xmin, id, t.name FROM thing AS t JOIN extra USING (id)',
	left => 'SELECT e.xmin, id, t.name FROM thing AS t LEFT JOIN extra AS e USING (id)',
	right => 'WITH j AS (SELECT e.xmin AS x, id, t.name FROM extra AS e RIGHT JOIN thing AS t USING (id)) SELECT * FROM j',
	full => 'SELECT * FROM (SELECT e.xmin, id, t.name FROM extra AS e FULL JOIN thing AS t USING (id)) AS j');
for my $name (sort keys %queries)
{
	my $watermark = $name eq 'right' ? 'x' : 'xmin';

	$warehouse->safe_psql('postgres', qq{
		CREATE TABLE "$name" (id int PRIMARY KEY, name text);
		SELECT sync_create_stream('$name', '"$name"', '{id}', '$queries{$name}', server => 'app', watermark => '$watermark')});
}

# Run a stream: rows read, inserted, updated.
sub run_stream
{
	my ($stream) = @_;

	return $warehouse->safe_psql('postgres', "SELECT concat_ws(' ', rows_read, inserted, updated) FROM sync_run('$stream')");
}

# How often "thing" was read so far; a session tells of it when it ends.
sub scans
{
	$app->poll_query_until('postgres', q{SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'sync_ext')});
	return $app->safe_psql('postgres', q{SELECT seq_scan + idx_scan FROM pg_stat_user_tables WHERE relname = 'thing'});
}

# Whether the target is as the source.
sub is_same
{
	my ($name) = @_;
	my $whole = q{md5(string_agg(id || name, ' ' ORDER BY id))};
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	return is($warehouse->safe_psql('postgres', "SELECT $whole FROM plain"), $app->safe_psql('postgres', "SELECT $whole FROM thing"), $name);
}

# Nothing written, here or elsewhere at the source

is(run_stream('plain'), '500 500 0', 'the first run reads everything');
my $before = scans();
is(run_stream('plain'), '0 0 0', 'the next one reads nothing');
is(run_stream('plain'), '0 0 0', 'nor does the one after it');
is(scans(), $before, 'and where nothing was written the table is not scanned');
$app->safe_psql('postgres', 'INSERT INTO filler VALUES (1)');
is(run_stream('plain'), '0 0 0', 'where another table was written nothing is read');
cmp_ok(scans(), '>', $before, 'and the table is scanned for that');
$app->safe_psql('postgres', q{UPDATE thing SET name = 'new' WHERE id = 1; VACUUM (FREEZE) thing});
is(run_stream('plain'), '1 0 1', 'what was written is read, though it was frozen');

# Written, and not committed, in both runs

$app->safe_psql('postgres', q{
	BEGIN;
	UPDATE thing SET name = 'late' WHERE id IN (2, 3);
	PREPARE TRANSACTION 'late'});
is(run_stream('plain'), '0 0 0', 'what is not committed is not read');
$before = scans();
is(run_stream('plain'), '0 0 0', 'again');
is(scans(), $before, 'without a scan: no one else has written');
$app->safe_psql('postgres', q{COMMIT PREPARED 'late'});
is(run_stream('plain'), '2 0 2', 'and is once it is committed, the last thing that was');
is(run_stream('plain'), '0 0 0', 'and all is done');
$app->safe_psql('postgres', q{
	BEGIN;
	UPDATE thing SET name = 'never' WHERE id = 4;
	PREPARE TRANSACTION 'never'});
is(run_stream('plain'), '0 0 0', 'another one');
$app->safe_psql('postgres', q{ROLLBACK PREPARED 'never'});
is(run_stream('plain'), '0 0 0', 'that is rolled back');
is_same('the target is as the source');

# Rows without a value

is(run_stream('inner'), '400 400 0', 'all rows of a join');
is(run_stream('inner'), '0 0 0', 'and then none');
for my $name (qw(left right full))
{
	is(run_stream($name), '500 500 0', "all rows of a $name join");
	is(run_stream($name), '100 0 0', 'and then those that are without the table');
	$app->safe_psql('postgres', q{UPDATE extra SET note = 'new' WHERE id <= 10});
	is(run_stream($name), '110 0 0', 'and those that were written');
}

$warehouse->stop;
$app->stop;
done_testing();
