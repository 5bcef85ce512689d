# Images and checks are in a dump, and a database restored from it takes runs back
# as the first one would; a dry run of an undo works on a standby.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('undo');
my $file = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';
my ($out, $err);

$node->init(allows_streaming => 1, extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->start;
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('undo_standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;

$node->safe_psql('postgres', 'CREATE DATABASE first');
$node->safe_psql(
	'first', q{
	CREATE SCHEMA "Sync It";
	CREATE EXTENSION sync_ext SCHEMA "Sync It";
	SET search_path = public, "Sync It";
	CREATE TABLE source (id int, name text);
	INSERT INTO source VALUES (1, 'one'), (2, 'two'), (3, 'three');
	CREATE TABLE target (id int PRIMARY KEY, name text);
	SELECT sync_create_stream('s', 'target', '{id}', 'TABLE public.source', mode => 'mirror', keep_undo => '1 day');
	SELECT sync_add_check('s', 'named', 'not_null', '{name}');
	SELECT sync_run('s');
	UPDATE source SET name = upper(name);
	DELETE FROM source WHERE id = 3;
	SELECT sync_run('s')});
my $rows = q{SELECT * FROM target ORDER BY id};
my $undo = q{SELECT inserted, updated, deleted FROM "Sync It".sync_undo};
my $run = $node->safe_psql('first', q{SELECT max(history_id) FROM "Sync It".sync_history});

# On a standby

$node->wait_for_catchup($standby);
is($standby->safe_psql('first', "$undo($run, dry_run => true)"), '1|2|0', 'a standby tells what an undo would do');
($out, $err) = try_sql($standby, 'first', "$undo($run)");
like($err, qr/25006: cannot execute sync_undo\(\)/, 'and does not do it');
is($standby->safe_psql('first', q{SELECT check_name, passed FROM "Sync It".sync_check('s')}), 'named|t', 'it judges checks');
is($standby->safe_psql('first', q{SELECT present FROM "Sync It".sync_coverage('target', 'name')}), '2', 'and coverage');
like($standby->safe_psql('first', q{SELECT "Sync It".sync_export()}), qr/^SELECT "Sync It"\.sync_create_stream\(\n/, 'and exports');

# After a restore

$node->command_ok([ 'pg_dump', '-p', $node->port, '-h', $node->host, '-f', $file, 'first' ], 'dumped');
$node->safe_psql('postgres', 'CREATE DATABASE second');
$node->command_ok([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-p', $node->port, '-h', $node->host, '-d', 'second', '-f', $file ], 'restored');
is($node->safe_psql('second', q{SELECT stream_name, keep_undo FROM "Sync It".sync_streams}), 's|1 day', 'the stream');
is($node->safe_psql('second', q{SELECT check_name, kind, column_names FROM "Sync It".sync_checks}), 'named|not_null|{name}', 'its check');
is($node->safe_psql('second', "$undo($run)"), '1|2|0', 'a run from before is taken back');
is($node->safe_psql('second', $rows), "1|one\n2|two\n3|three", 'and all is as it was');
is($node->safe_psql('second', "$undo((SELECT max(history_id) FROM \"Sync It\".sync_history))"), '0|2|1', 'and that in turn');
is($node->safe_psql('second', 'SELECT count(*), count(DISTINCT undo_id) FROM "Sync It".sync_undo_runs'), '4|4', 'identities go on');
is($node->safe_psql('first', $rows), "1|ONE\n2|TWO", 'the first database is as it was');

# A row that another session holds is waited for, and then seen to have changed

my $holder = $node->background_psql('first');
$holder->query_safe("BEGIN; UPDATE target SET name = 'other' WHERE id = 1");
my $session = start_sql($node, 'first', "$undo($run)", app => 'undo');
wait_until_waiting($node, 'undo');
$holder->query_safe('COMMIT');
$holder->quit;
($out, $err) = finish_sql($session);
like($err, qr/55000: run $run cannot be undone: 1 of the 3 rows that it wrote have changed since/, 'a change that came meanwhile is seen');
like($err, qr/\(id\)=\(1\) was changed/, 'and named');
is($node->safe_psql('first', $rows), "1|other\n2|TWO", 'nothing was undone');

$standby->stop;
$node->stop;
done_testing();
