# Streams that run together read one server in one transaction there, and leave
# one state or none.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $app = start_node('app', 'max_prepared_transactions = 5');
my $warehouse = start_node('warehouse');

$app->safe_psql('postgres', q{
	CREATE TABLE league (id int PRIMARY KEY, name text);
	CREATE TABLE team (id int PRIMARY KEY, league int REFERENCES league, name text);
	INSERT INTO league SELECT n, 'league ' || n FROM generate_series(1, 100) AS n;
	INSERT INTO team SELECT n, 1 + n % 100, 'team ' || n FROM generate_series(1, 20000) AS n;
	CREATE TABLE gate (id int);
	CREATE FUNCTION pass() RETURNS boolean LANGUAGE plpgsql AS 'BEGIN PERFORM FROM gate; RETURN true; END';
	CREATE VIEW session AS SELECT 1 AS id, pg_backend_pid() AS pid, now() AS at, pg_current_snapshot()::text AS snapshot});
$warehouse->safe_psql('postgres', 'CREATE EXTENSION sync_ext');
add_server($warehouse, 'postgres', $_, host => $app->host, port => $app->port, dbname => 'postgres') for qw(app again);
$warehouse->safe_psql('postgres', q{
	CREATE TABLE league (id int PRIMARY KEY, name text);
	CREATE TABLE team (id int PRIMARY KEY, league int REFERENCES league, name text);
	CREATE TABLE seen_first (id int PRIMARY KEY, pid int, at timestamptz, snapshot text);
	CREATE TABLE seen_last (LIKE seen_first INCLUDING ALL);
	CREATE TABLE seen_again (LIKE seen_first INCLUDING ALL);
	SELECT sync_create_stream('league', 'league', '{id}', 'TABLE league', server => 'app', mode => 'mirror');
	SELECT sync_create_stream('team', 'team', '{id}', 'SELECT id, league, name FROM team WHERE pass()', server => 'app', mode => 'mirror');
	SELECT sync_create_stream('first', 'seen_first', '{id}', 'TABLE session', server => 'app');
	SELECT sync_create_stream('last', 'seen_last', '{id}', 'TABLE session', server => 'app');
	SELECT sync_create_stream('again', 'seen_again', '{id}', 'TABLE session', server => 'again')});

my $counts = q{concat_ws(' ', stream, rows_read, inserted, updated, deleted)};
is($warehouse->safe_psql('postgres', "SELECT $counts FROM sync_run_group('{first,team,league,again,last}')"),
	"first 1 1 0 0\nleague 100 100 0 0\nteam 20000 20000 0 0\nagain 1 1 0 0\nlast 1 1 0 0", 'a group runs, each table after those that it refers to');
is($warehouse->safe_psql('postgres', q{SELECT count(*) FROM seen_first JOIN seen_last USING (id, pid, at, snapshot)}), '1',
	'its streams have one transaction on their server');
is($warehouse->safe_psql('postgres', q{SELECT count(*) FROM seen_first JOIN seen_again USING (pid)}), '0', 'and one on each server');
is($warehouse->safe_psql('postgres', q{SELECT bytes BETWEEN 300000 AND 900000 FROM sync_history WHERE subject = 'team'}), 't',
	'bytes are those of the stream');
is($warehouse->safe_psql('postgres', q{SELECT bytes < 5000 FROM sync_history WHERE subject = 'league'}), 't', 'not of its group');
ok($app->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = 'postgres' AND backend_type = 'client backend'}),
	'no connection stays behind');

# What the source commits between the reading of two streams is seen by none

my $shut = q{BEGIN; LOCK TABLE gate; PREPARE TRANSACTION 'gate'};
my $group = "SELECT $counts FROM sync_run_group('{team,league}')";
$app->safe_psql('postgres', $shut);
my $run = start_sql($warehouse, 'postgres', $group, app => 'group');
wait_until_waiting($app, 'sync_ext');
$app->safe_psql('postgres', q{
	INSERT INTO league VALUES (101, 'new');
	INSERT INTO team VALUES (30001, 101, 'new')});
$app->safe_psql('postgres', q{COMMIT PREPARED 'gate'});
my ($out, $err) = finish_sql($run);
is("$out$err", "league 100 0 0 0\nteam 20000 0 0 0", 'both see the state of before');
is($warehouse->safe_psql('postgres', $group), "league 101 1 0 0\nteam 20001 1 0 0", 'and the next time that of after');

# A group whose session is ended leaves nothing, and history says so of each

$app->safe_psql('postgres', $shut);
$app->safe_psql('postgres', q{UPDATE league SET name = 'other'});
$run = start_sql($warehouse, 'postgres', $group, app => 'group');
wait_until_waiting($app, 'sync_ext');
$warehouse->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'group'});
finish_sql($run);
ok($warehouse->poll_query_until('postgres', q{SELECT count(*) = 2 FROM sync_history WHERE status = 'failed'}), 'a session is ended');
is($warehouse->safe_psql('postgres', q{SELECT string_agg(subject || ' ' || error_sqlstate, ', ' ORDER BY subject) FROM sync_history WHERE status = 'failed'}),
	'league 57P01, team 57P01', 'history has each of its streams');
is($warehouse->safe_psql('postgres', q{SELECT count(*) FROM league WHERE name = 'other'}), '0', 'and nothing was written');
$app->safe_psql('postgres', q{COMMIT PREPARED 'gate'});

# An error of one stream fails all

$app->safe_psql('postgres', q{INSERT INTO team VALUES (30002, NULL, NULL)});
$warehouse->safe_psql('postgres', 'ALTER TABLE team ALTER league SET NOT NULL');
($out, $err) = try_sql($warehouse, 'postgres', $group);
like($err, qr/23502.*while running stream "team"/s, 'a row of one stream is refused');
is($warehouse->safe_psql('postgres', q{SELECT count(*) FROM league WHERE name = 'other'}), '0', 'and nothing of the other one is written');
is($warehouse->safe_psql('postgres', q{SELECT count(*) FROM sync_history WHERE status = 'failed' AND error_sqlstate = '23502'}), '2',
	'history has both');

# Rows of a server that are put aside do not stand in the way of the next stream

$warehouse->safe_psql('postgres', 'UPDATE sync_streams SET max_rejects = 5');
is($warehouse->safe_psql('postgres', $group), "league 101 0 101 0\nteam 20002 0 0 0", 'a group may put rows aside');
is($warehouse->safe_psql('postgres', q{SELECT string_agg(stream_name || ' ' || (raw->>'id'), ', ') FROM sync_rejects}), 'team 30002',
	'which are those of their stream');

$warehouse->stop;
$app->stop;
done_testing();
