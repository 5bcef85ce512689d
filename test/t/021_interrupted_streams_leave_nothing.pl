# A run that is interrupted, wherever it is at work, ends at once and leaves
# nothing but a history row; a run on a standby writes nothing and counts right.

use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;
use Time::HiRes 'time';

# What has to happen at once may take this long on a busy machine.
use constant PROMPT_S => 5;

my $app = start_node('app');
my $warehouse = PostgreSQL::Test::Cluster->new('warehouse');
$warehouse->init(allows_streaming => 1);
$warehouse->append_conf('postgresql.conf', 'restart_after_crash = on');
$warehouse->start;

my ($host, $port) = ($app->host, $app->port);
$app->safe_psql('postgres', q{
	CREATE TABLE source AS SELECT n AS id, 'v' || n AS v FROM generate_series(1, 20000) AS n;
	CREATE FUNCTION slow(n int) RETURNS int LANGUAGE sql AS $$ SELECT n FROM pg_sleep(CASE WHEN n = 15000 THEN 600 ELSE 0 END) $$});
$warehouse->safe_psql('postgres', qq{
	CREATE EXTENSION sync_ext;
	CREATE EXTENSION postgres_fdw;
	CREATE SERVER app FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'postgres');
	CREATE USER MAPPING FOR PUBLIC SERVER app;
	CREATE TABLE target (id int PRIMARY KEY, v text);
	CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS \$\$
	BEGIN
		IF NEW.id = 15000 THEN PERFORM pg_sleep(600); END IF;
		RETURN NEW;
	END \$\$;
	SELECT sync_create_stream('sound', 'target', '{id}', 'TABLE source', server => 'app');
	SELECT sync_create_stream('late', 'target', '{id}', 'SELECT id, v FROM source, pg_sleep(600)', server => 'app');
	SELECT sync_create_stream('stuck', 'target', '{id}', 'SELECT slow(id) AS id, v FROM source OFFSET 0', server => 'app');
	SELECT sync_create_stream('here', 'target', '{id}', 'SELECT n AS id, v FROM generate_series(1, 9) AS n, CAST(n AS text) AS v, pg_sleep(600)')});

# Begin a statement in a session of that name.
sub begin_sql
{
	my ($sql, $name) = @_;
	my $session = { out => '', err => '' };

	$session->{run} = IPC::Run::start(
		[ 'psql', '-XAtq', '-d', $warehouse->connstr('postgres') . " application_name=$name", '-v', 'VERBOSITY=verbose', '-c', $sql ],
		'<', \undef, '>', \$session->{out}, '2>', \$session->{err},
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	return $session;
}

# Wait until the session of that name is at work and waits; on the other server
# as well, where that is asked for.
sub wait_until_stuck
{
	my ($name, $remote) = @_;

	$warehouse->poll_query_until('postgres',
		"SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = '$name' AND state = 'active' AND wait_event_type IN ('Extension', 'Timeout')")
	  or die "session \"$name\" does not wait";
	!$remote || $app->poll_query_until('postgres',
		q{SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'sync_ext' AND wait_event = 'PgSleep'})
	  or die 'the other server does not wait';
	return;
}

sub rows_here { return $warehouse->safe_psql('postgres', 'SELECT count(*) FROM target') }

sub last_of_history
{
	return $warehouse->safe_psql('postgres',
		q{SELECT subject, status, error_sqlstate, rows_read, inserted FROM sync_history ORDER BY history_id DESC LIMIT 1});
}

# Cancelled and terminated, wherever it waits

for my $case (
	[ 'late', 1, 'before the first row' ],
	[ 'stuck', 1, 'between two rows' ],
	[ 'here', 0, 'in a query of this database' ])
{
	my ($stream, $remote, $where) = @$case;

	for my $how ([ 'pg_cancel_backend', '57014' ], [ 'pg_terminate_backend', '57P01' ])
	{
		my ($function, $sqlstate) = @$how;
		my $session = begin_sql("SELECT sync_run('$stream')", 'victim');

		wait_until_stuck('victim', $remote);
		my $since = time;
		$warehouse->safe_psql('postgres', "SELECT $function(pid) FROM pg_stat_activity WHERE application_name = 'victim'");
		$session->{run}->finish;
		cmp_ok(time - $since, '<', PROMPT_S, "$function ends a run at once $where");
		like($session->{err}, qr/\b$sqlstate\b/, 'with its SQLSTATE');
		is(last_of_history(), "$stream|failed|$sqlstate|0|0", 'history has the failed run');
		ok($app->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'sync_ext'}),
			'the other server is told');
	}
}
my $session = begin_sql(q{SET statement_timeout = '200ms'; SELECT sync_run('stuck')}, 'victim');
$session->{run}->finish;
like($session->{err}, qr/ERROR:  57014: canceling statement due to statement timeout/, 'statement_timeout holds');
is(rows_here(), '0', 'nothing is written');

# The other server goes away

$session = begin_sql(q{SELECT sync_run('stuck')}, 'victim');
wait_until_stuck('victim', 1);
$app->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sync_ext'});
$session->{run}->finish;
like($session->{err}, qr/ERROR:  (57P01|08006): .*server "app"/s, 'a server that ends the connection is an error');
is(rows_here(), '0', 'nothing is written');

# Killed in the middle of writing

$warehouse->safe_psql('postgres', 'CREATE TRIGGER stop BEFORE INSERT ON target FOR EACH ROW EXECUTE FUNCTION stop()');
$session = begin_sql(q{SELECT sync_run('sound')}, 'victim');
wait_until_stuck('victim', 0);
my $pid = $warehouse->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE application_name = 'victim'});
my $history = $warehouse->safe_psql('postgres', 'SELECT count(*) FROM sync_history');
kill 'KILL', $pid;
$session->{run}->finish;
ok($warehouse->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()'), 'the server recovers from kill -9 in the middle of a run');
is(rows_here(), '0', 'nothing of the run is there');
is($warehouse->safe_psql('postgres', 'SELECT count(*) FROM sync_history'), $history, 'nor in history');
$warehouse->safe_psql('postgres', 'DROP TRIGGER stop ON target');
is($warehouse->safe_psql('postgres', q{SELECT rows_read, inserted, unchanged FROM sync_run('sound')}), '20000|20000|0', 'the next run does it all');
is($warehouse->safe_psql('postgres', q{SELECT rows_read, inserted, unchanged FROM sync_run('sound')}), '20000|0|20000', 'and the one after it has nothing to do');

# A run that has nothing to do writes nothing

is( $warehouse->safe_psql('postgres', q{
		VACUUM target;
		SELECT pg_stat_force_next_flush();
		SELECT pg_current_wal_insert_lsn() AS before \gset
		SELECT unchanged FROM sync_run('sound');
		SELECT pg_current_wal_insert_lsn() - :'before'::pg_lsn < 100000;
		SELECT pg_stat_force_next_flush();
		SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'target'}, extra_params => ['-q']),
	"\n20000\nt\n\n0", 'a run with nothing to do writes almost no WAL and leaves no dead row');

# On a standby

$warehouse->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($warehouse, 'copy', has_streaming => 1);
$standby->start;
$app->safe_psql('postgres', q{UPDATE source SET v = 'changed' WHERE id <= 3; INSERT INTO source VALUES (0, 'new')});
$warehouse->wait_for_catchup($standby);
my $dry = q{SELECT rows_read, inserted, updated, unchanged FROM sync_run('sound', dry_run => true)};
is($standby->safe_psql('postgres', $dry), '20001|1|3|19997', 'a dry run works on a standby');
is($standby->safe_psql('postgres', q{SELECT count(*) FROM sync_diff('sound')}), '4', 'and so does a diff');
my ($out, $err) = ('', '');
$standby->psql('postgres', q{SELECT sync_run('sound')}, stdout => \$out, stderr => \$err);
like($err, qr/cannot execute sync_run\(\) in a read-only transaction/, 'a run is refused there');
is($warehouse->safe_psql('postgres', $dry =~ s/, dry_run => true//r), '20001|1|3|19997', 'the real run does what the dry run said');

$standby->stop;
$warehouse->stop;
$app->stop;
done_testing();
