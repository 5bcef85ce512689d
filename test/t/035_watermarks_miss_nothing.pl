# A stream that reads only what is new since its last run misses nothing: not what
# commits late, nor what a source wrote that was replaced, thrown back or promoted,
# nor what lies on the other side of a wraparound.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $app = PostgreSQL::Test::Cluster->new('app');
$app->init(allows_streaming => 1, extra => [ '--encoding=UTF8', '--no-locale' ]);
$app->append_conf('postgresql.conf', "max_prepared_transactions = 5\nautovacuum = off");
$app->start;
my $warehouse = start_node('warehouse');

$app->safe_psql('postgres', q{
	CREATE TABLE thing (id int PRIMARY KEY, name text, at timestamptz DEFAULT clock_timestamp());
	CREATE TABLE filler (n int);
	INSERT INTO thing SELECT n, 'name ' || n, now() - n * interval '1 second' FROM generate_series(1, 5000) AS n});
$warehouse->safe_psql('postgres', 'CREATE EXTENSION sync_ext');
add_server($warehouse, 'postgres', 'app', host => $app->host, port => $app->port, dbname => 'postgres');
$warehouse->safe_psql('postgres', q{
	CREATE TABLE by_xmin (id int PRIMARY KEY, name text);
	CREATE TABLE by_time (id int PRIMARY KEY, name text);
	SELECT sync_create_stream('xmin', 'by_xmin', '{id}', 'SELECT xmin, id, name FROM thing', server => 'app', watermark => 'xmin');
	SELECT sync_create_stream('time', 'by_time', '{id}', 'SELECT id, name, at FROM thing', server => 'app', watermark => 'at');
	SELECT sync_create_stream('back', 'by_time', '{id}', 'SELECT id, name, at FROM thing', server => 'app', watermark => 'at', lookback => '1 day')});

# Run a stream: rows read, inserted, updated.
sub run_stream
{
	my ($stream, $more) = @_;

	return $warehouse->safe_psql('postgres',
		"SELECT concat_ws(' ', rows_read, inserted, updated) FROM sync_run('$stream'" . ($more // '') . ')');
}

# Whether the target is as the source.
sub is_same
{
	my ($source, $name) = @_;
	my $whole = 'md5(string_agg(id || name, \' \' ORDER BY id))';
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	return is($warehouse->safe_psql('postgres', "SELECT $whole FROM by_xmin"),
		$source->safe_psql('postgres', "SELECT $whole FROM thing"), $name);
}

# A transaction that commits late

is(run_stream('xmin'), '5000 5000 0', 'the first run reads everything');
is(run_stream('time'), '5000 5000 0', 'as that with a time does');
is(run_stream('xmin'), '0 0 0', 'the next one reads nothing');
$app->safe_psql('postgres', q{
	BEGIN;
	INSERT INTO thing VALUES (6001, 'late');
	UPDATE thing SET name = 'late', at = clock_timestamp() WHERE id = 1;
	PREPARE TRANSACTION 'late'});
$app->safe_psql('postgres', q{INSERT INTO thing VALUES (6002, 'early')});
is(run_stream('xmin'), '1 1 0', 'a run takes what is committed while another transaction is open');
is(run_stream('time'), '2 1 0', 'and so does that with a time');
$app->safe_psql('postgres', q{INSERT INTO thing VALUES (6003, 'between')});
is(run_stream('xmin'), '2 1 0', 'again');
is(run_stream('time'), '2 1 0', 'again');
$app->safe_psql('postgres', q{COMMIT PREPARED 'late'});
is(run_stream('xmin'), '4 1 1', 'what commits late is not missed');
is(run_stream('time'), '1 0 0', 'with a time it would be');
is(run_stream('back'), '5003 1 1', 'but for a lookback');
is(run_stream('xmin'), '0 0 0', 'and all is done');
is_same($app, 'the target is as the source');

# Bytes are those of the rows that are read

$app->safe_psql('postgres', q{UPDATE thing SET name = name || '!' WHERE id <= 50});
is($warehouse->safe_psql('postgres', q{SELECT updated, bytes < 3000 FROM sync_run('xmin')}), '50|t', 'few bytes come for few rows');

# A crash: numbers that nobody heard of are given again

$app->stop('immediate');
$app->start;
is(run_stream('xmin'), '5003 0 0', 'after a crash of the source everything is read');
is(run_stream('xmin'), '0 0 0', 'once');
$app->restart;
is(run_stream('xmin'), '0 0 0', 'after a restart it need not be');

# Another database, and one that was put back

$app->safe_psql('postgres', 'CREATE DATABASE other TEMPLATE postgres');
$app->safe_psql('other', q{UPDATE thing SET name = 'other' WHERE id = 7});
$warehouse->safe_psql('postgres', q{ALTER SERVER app OPTIONS (SET dbname 'other')});
is(run_stream('xmin'), '5003 0 1', 'another database is read anew');
is(run_stream('back'), '5003 0 50', 'also by a time');
$warehouse->safe_psql('postgres', q{ALTER SERVER app OPTIONS (SET dbname 'postgres')});
is(run_stream('xmin'), '5003 0 1', 'and so is the one that comes back');

$app->stop;
$app->backup_fs_cold('cold');
$app->start;
$app->safe_psql('postgres', q{UPDATE thing SET name = 'undone' WHERE id = 1});
$app->safe_psql('postgres', 'INSERT INTO filler VALUES (1)') for 1 .. 5;
is(run_stream('xmin'), '1 0 1', 'the source goes on');
my $restored = PostgreSQL::Test::Cluster->new('restored');
$restored->init_from_backup($app, 'cold');
$restored->start;
$warehouse->safe_psql('postgres', sprintf(q{ALTER SERVER app OPTIONS (SET host '%s', SET port '%s')}, $restored->host, $restored->port));
is(run_stream('xmin'), '5003 0 1', 'and is put back from a backup: everything is read');
is_same($restored, 'the target is as the backup');
is($warehouse->safe_psql('postgres', q{SELECT details->>'read_everything' FROM sync_history ORDER BY history_id DESC LIMIT 1}),
	'the source has gone back to an earlier state', 'history says why');
$restored->stop;
$warehouse->safe_psql('postgres', sprintf(q{ALTER SERVER app OPTIONS (SET host '%s', SET port '%s')}, $app->host, $app->port));
like(run_stream('xmin'), qr/^(1|5003) 0 1$/, 'the other one goes on as well');
is_same($app, 'and the target with it');

# A standby as the source, and its promotion

$app->backup('hot');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($app, 'hot', has_streaming => 1);
$standby->start;
$warehouse->safe_psql('postgres', sprintf(q{ALTER SERVER app OPTIONS (SET host '%s', SET port '%s')}, $standby->host, $standby->port));
is(run_stream('xmin'), '5003 0 0', 'a standby is read anew');
is(run_stream('xmin'), '0 0 0', 'and then as a primary is');
$app->safe_psql('postgres', q{
	BEGIN;
	UPDATE thing SET name = 'over there, late' WHERE id = 10;
	PREPARE TRANSACTION 'late';
	UPDATE thing SET name = 'over there' WHERE id = 9});
$app->wait_for_catchup($standby);
is(run_stream('xmin'), '1 0 1', 'what is new comes from it');
$app->safe_psql('postgres', q{COMMIT PREPARED 'late'});
$app->wait_for_catchup($standby);
is(run_stream('xmin'), '2 0 1', 'also what commits late');
$standby->promote;
is(run_stream('xmin'), '5003 0 0', 'when it is promoted, everything is read');
is_same($standby, 'the target is as the new primary');
$standby->stop;
$warehouse->safe_psql('postgres', sprintf(q{ALTER SERVER app OPTIONS (SET host '%s', SET port '%s')}, $app->host, $app->port));

# A dump of the warehouse that is restored elsewhere

is(run_stream('xmin'), '5003 0 0', 'back at the first server everything is read');
my $dump = PostgreSQL::Test::Utils::tempdir() . '/warehouse.sql';
$warehouse->command_ok([ 'pg_dump', '-h', $warehouse->host, '-p', $warehouse->port, '-f', $dump, 'postgres' ], 'the warehouse is dumped');
$warehouse->safe_psql('postgres', 'CREATE DATABASE restored TEMPLATE template0');
$warehouse->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-h', $warehouse->host, '-p', $warehouse->port, '-d', 'restored', '-f', $dump ],
	'and restored');
is($warehouse->safe_psql('restored', 'SELECT count(*) FROM sync_watermarks'), '3', 'with its watermarks');
is($warehouse->safe_psql('restored', q{SELECT rows_read FROM sync_run('xmin')}), '5003', 'which do not hold there: everything is read');
is($warehouse->safe_psql('restored', q{SELECT rows_read FROM sync_run('xmin')}), '0', 'once');
is(run_stream('xmin'), '0 0 0', 'here they do');

# The numbers wrap around

# Set the next transaction of the source; its rows are made old before.
sub set_next_xid
{
	my ($xid) = @_;
	my $segment = sprintf('%s/pg_xact/%04X', $app->data_dir, $xid / (32768 * 32));

	$app->safe_psql('postgres', q{UPDATE pg_database SET datallowconn = true WHERE datname = 'template0'});
	$app->command_ok([ 'vacuumdb', '--all', '--freeze', '-q', '-h', $app->host, '-p', $app->port ], 'rows are frozen');
	$app->stop;
	open(my $file, '>', $segment) or die "$segment: $!";
	print $file "\0" x (256 * 1024);
	close $file;
	system_or_bail('pg_resetwal', '-x', $xid, '-D', $app->data_dir);
	$app->start;
	return;
}

set_next_xid(2_000_000_000);
set_next_xid(4_000_000_000);
set_next_xid(4_294_967_000);
is(run_stream('xmin'), '5003 0 0', 'shortly before it, the last watermark is too old');
is(run_stream('xmin'), '0 0 0', 'and all is done');
$app->safe_psql('postgres', q{UPDATE thing SET name = 'before' WHERE id = 20});
$app->safe_psql('postgres', q{DO $$ BEGIN FOR i IN 1..1000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$});
is($app->safe_psql('postgres', 'SELECT pg_current_xact_id()::text::bigint > 4294967296'), 't', 'they wrap around');
$app->safe_psql('postgres', q{UPDATE thing SET name = 'after' WHERE id = 21});
is(run_stream('xmin'), '2 0 2', 'what was written on both sides of it is read, and no more');
is(run_stream('xmin'), '0 0 0', 'and all is done');
is_same($app, 'the target is as the source');

$app->stop;
system_or_bail('pg_resetwal', '-e', 7, '-D', $app->data_dir);
$app->start;
is(run_stream('xmin'), '5003 0 0', 'a watermark of another epoch is too old');
is($warehouse->safe_psql('postgres', q{SELECT details->>'read_everything' FROM sync_history ORDER BY history_id DESC LIMIT 1}),
	'the watermark is too old to be compared with', 'and history says so');

# What cannot be a source

my $refused = sub {
	my ($query, $pattern, $name) = @_;
	my ($out, $err) = try_sql($warehouse, 'postgres', qq{
		SELECT sync_create_stream('refused', 'by_xmin', '{id}', \$\$$query\$\$, server => 'app', watermark => 'xmin');
		SELECT sync_run('refused')});
	$warehouse->psql('postgres', q{SELECT sync_drop_stream('refused')});
	return like($err, $pattern, $name);
};
$app->safe_psql('postgres', q{
	CREATE VIEW a_view AS SELECT id, name, xmin FROM thing;
	CREATE EXTENSION postgres_fdw;
	CREATE SERVER nowhere FOREIGN DATA WRAPPER postgres_fdw;
	CREATE FOREIGN TABLE a_foreign (id int, name text) SERVER nowhere});
$refused->('SELECT xmin, id, name FROM a_view', qr/42809.*column "xmin" cannot be.*It is a column of "a_view"/s, 'a view');
$refused->('SELECT xmin, id, name FROM a_foreign', qr/42809.*"a_foreign" is a foreign table/s, 'a foreign table');
$refused->('SELECT xmin, id, min(name) AS name FROM thing GROUP BY id', qr/42809.*groups rows/s, 'groups');
$refused->('SELECT id, name FROM thing', qr/42703.*has no column "xmin"/s, 'a query that does not return it');

$warehouse->stop;
$app->stop;
done_testing();
