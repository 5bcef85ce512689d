# A run on a foreign server does what a local run does, in one transaction there
# that shares the fate of the local one.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $local = start_node('local', 'max_prepared_transactions = 2');
my $remote = start_node('remote');
my $state = q{
	SELECT 'competition', competition_id, NULL, status, seasons_discovered,
		competition_url, completed_at IS NOT NULL FROM competition_progress
	UNION ALL
	SELECT 'season', competition_id, season_year, status, clubs_saved,
		season_id, completed_at IS NOT NULL FROM season_progress
	ORDER BY 1, 2, 3};
my ($out, $err);

create_football($local, 'sport');
create_football($remote, 'sport');
$local->safe_psql('sport', 'CREATE EXTENSION sync_ext');
add_server($local, 'sport', 'staging',
	host => $remote->host,
	port => $remote->port,
	dbname => 'sport');

my $before = $remote->safe_psql('sport', $state);

sub remote_is
{
	my ($expected, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	return is($remote->safe_psql('sport', $state), $expected, $name);
}

sub history
{
	return $local->safe_psql('sport',
		q{SELECT environment, status, coalesce(error_sqlstate, '-'), inserted, updated
		  FROM sync_history ORDER BY history_id});
}

# Bring both sides back to where they began.
sub reset_all
{
	for my $node ($local, $remote)
	{
		$node->safe_psql(
			'sport', q{
			SET session_replication_role = replica;
			TRUNCATE competition_progress, season_progress;
			INSERT INTO competition_progress VALUES ('EPL', 'kept', 'pending', 1, NULL);
			INSERT INTO season_progress VALUES ('EPL', '2021', 2021, 'pending', NULL, 0)});
	}
	$local->safe_psql('sport', 'TRUNCATE sync_history');
	return;
}

# The same in both places

is($remote->safe_psql('sport', q{SELECT count(*) FROM pg_extension WHERE extname = 'sync_ext'}),
	'0', 'the extension is not installed on the server');

for my $call (
	[ '*', 'sync_progress(', '' ],
	[ '*', 'sync_progress(', q{competition => 'EPL'} ],
	[ '*', 'sync_progress(', 'max_details => 1' ],
	[ q{rule_name, relation, action, key, before, after - 'completed_at'}, 'sync_progress_drift(', '' ],
	[ '*', 'sync_progress_drift(', q{competition => 'EPL', rule => 'competition'} ],
	[ '*', 'sync_progress_analyze(', '' ])
{
	my ($columns, $function, $arguments) = @$call;
	my $separator = $arguments eq '' ? '' : ', ';
	my @told = map {
		$local->safe_psql('sport', "BEGIN; SET LOCAL sync_ext.environment = 'staging';"
			  . " SELECT $columns FROM $function$_); COMMIT")
		  =~ s/("completed_at": ")[^"]*/$1/gr
	} ($arguments, "$arguments${separator}environment => 'staging'");

	is($told[1], $told[0], "$function$arguments) tells the same of the server as of this database");
	isnt($told[0], '', 'and tells something');
}
remote_is($before, 'dry run, drift and analyze write nothing on the server');
is(history(), '', 'dry run, drift and analyze leave no history row');
ok(wait_until_left($remote, 'sport'), 'they leave no connection behind');

my $here = $local->safe_psql('sport',
	q{SET sync_ext.environment = 'staging'; SELECT sync_progress(dry_run => false)});
my $after = $local->safe_psql('sport', $state);
is( $local->safe_psql('sport', q{SELECT sync_progress(dry_run => false, environment => 'staging')}),
	$here, 'an executed run reports the same of the server as of this database');
remote_is($after, 'and leaves the same rows there');
isnt($after, $before, 'which are not those from before');
is(history(), "staging|success|-|3|2\nstaging|success|-|3|2",
	'history has the run, with the name of the server as environment and the same counts');
ok(wait_until_left($remote, 'sport'), 'the executed run leaves no connection behind');
like($local->safe_psql('sport', q{SELECT sync_progress(dry_run => false, environment => 'staging')}),
	qr/Nothing to do/, 'a second run finds nothing to do');

# One transaction there

$remote->safe_psql(
	'sport', q{
	CREATE TABLE seen (xid xid8, who text);
	CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		INSERT INTO seen VALUES (pg_current_xact_id(),
			current_setting('application_name'));
		RETURN NULL;
	END $$;
	CREATE TRIGGER see AFTER INSERT OR UPDATE ON competition_progress
		FOR EACH STATEMENT EXECUTE FUNCTION see();
	CREATE TRIGGER see AFTER INSERT OR UPDATE ON season_progress
		FOR EACH STATEMENT EXECUTE FUNCTION see()});
reset_all();
$remote->safe_psql('sport', 'TRUNCATE seen');
$local->safe_psql('sport', q{SELECT sync_progress(dry_run => false, environment => 'staging')});
is( $remote->safe_psql('sport',
		q{SELECT count(*) > 1, count(DISTINCT xid), string_agg(DISTINCT who, ' ') FROM seen}),
	't|1|sync_ext', 'all statements of a run are one transaction there, under the name sync_ext');

# It ends with the local transaction

for my $case (
	[ 'ROLLBACK', q{BEGIN; SELECT sync_progress(false, environment => 'staging'); ROLLBACK} ],
	[
		'ROLLBACK TO SAVEPOINT',
		q{BEGIN; SAVEPOINT s; SELECT sync_progress(false, environment => 'staging');
		  ROLLBACK TO s; COMMIT}
	],
	[
		'an EXCEPTION block',
		q{DO $$ BEGIN
			PERFORM sync_progress(false, environment => 'staging'); RAISE 'no';
		  EXCEPTION WHEN OTHERS THEN NULL; END $$}
	],
	[
		'an outer EXCEPTION block',
		q{DO $$ BEGIN
			BEGIN PERFORM sync_progress(false, environment => 'staging');
			EXCEPTION WHEN OTHERS THEN NULL; END;
			RAISE 'no';
		  EXCEPTION WHEN OTHERS THEN NULL; END $$}
	],
	[
		'a later error',
		q{BEGIN; SELECT sync_progress(false, environment => 'staging'); SELECT 1/0; COMMIT}
	],
	[
		'a local constraint that fails at COMMIT',
		q{BEGIN; CREATE TEMP TABLE a (i int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED);
		  SELECT sync_progress(false, environment => 'staging');
		  INSERT INTO a VALUES (1), (1); COMMIT}
	],
	[
		'the end of the session',
		q{BEGIN; SELECT sync_progress(false, environment => 'staging')}
	])
{
	my ($name, $sql) = @$case;

	reset_all();
	($out, $err) = try_sql($local, 'sport', $sql);
	ok(wait_until_left($remote, 'sport'), "$name closes the connection");
	remote_is($before, "$name undoes the run on the server");
	is(history(), '', "$name undoes the history row");
}

reset_all();
$local->safe_psql('sport', q{
	BEGIN; SAVEPOINT a; SAVEPOINT b;
	SELECT sync_progress(false, environment => 'staging');
	RELEASE b; RELEASE a; SAVEPOINT c; ROLLBACK TO c; COMMIT});
remote_is($after, 'a run in a released savepoint is committed');

reset_all();
my $session = $local->background_psql('sport');
$session->query_safe(q{BEGIN; SELECT sync_progress(false, environment => 'staging')});
remote_is($before, 'before the local COMMIT nobody sees the run on the server');
is(history(), '', 'nor its history row');
$session->query_safe('COMMIT');
remote_is($after, 'after the local COMMIT everyone does');
is(history(), 'staging|success|-|3|2', 'and its history row');

# What is refused

($out, $err) = try_sql(
	$local, 'sport', q{
	BEGIN;
	SELECT sync_progress(false, environment => 'staging', max_details => 0);
	SELECT sync_progress(true, environment => 'staging');
	SELECT sync_progress(false, environment => 'staging')});
like($err, qr/ERROR:  55006: this transaction has already written on server "staging"/,
	'a second executed run on the same server in one transaction is refused');
like($err, qr/HINT:  Commit before the next run/, 'with a hint');

reset_all();
($out, $err) = try_sql(
	$local, 'sport', q{
	BEGIN; SELECT sync_progress(false, environment => 'staging'); PREPARE TRANSACTION 'p'});
like($err, qr/ERROR:  0A000: cannot PREPARE a transaction that has written on a foreign server/,
	'PREPARE TRANSACTION is refused');
ok(wait_until_left($remote, 'sport'), 'which closes the connection');
remote_is($before, 'and undoes the run');
is($local->safe_psql('sport', 'SELECT count(*) FROM pg_prepared_xacts'), '0', 'nothing is prepared');
$local->safe_psql('sport', q{
	BEGIN; SELECT sync_progress(true, environment => 'staging'); PREPARE TRANSACTION 'p';
	ROLLBACK PREPARED 'p'});
pass('a transaction with nothing but a dry run on the server can be prepared');

# Settings of the server's definition

$remote->safe_psql('sport', q{
	CREATE SCHEMA other;
	CREATE TABLE other.competition_progress (LIKE public.competition_progress);
	CREATE TABLE other.season_progress (LIKE public.season_progress)});
add_server($local, 'sport', 'elsewhere',
	host => $remote->host,
	port => $remote->port,
	dbname => 'sport',
	application_name => 'nightly',
	options => '-c search_path=other,public -c default_transaction_read_only=on -c standard_conforming_strings=off');
$local->safe_psql('sport', q{SELECT sync_progress(false, environment => 'elsewhere')});
is($remote->safe_psql('sport', 'SELECT count(*) FROM other.season_progress'),
	'3', 'the options of the server are honoured, as a search_path');
$remote->safe_psql('sport', q{INSERT INTO teams VALUES ($x$it's \$x$, 2020, 'x')});
$local->safe_psql('sport', q{SELECT sync_progress(false, $x$it's \$x$, 'elsewhere')});
($out, $err) = try_sql($local, 'sport',
	q{SELECT sync_progress(false, $x$\'; DROP TABLE teams; --$x$, 'elsewhere')});
like($err, qr/ERROR:  P0002: no teams data found for "\\'; DROP TABLE teams; --"/,
	'a competition is never taken for SQL');
is( $remote->safe_psql('sport', q{SELECT competition_id FROM other.competition_progress ORDER BY competition_id COLLATE "C"}),
	"EPL\nSA\nit's \\", 'and any name of one arrives as it is');
$remote->safe_psql('sport', q{DELETE FROM teams WHERE season_year = 2020});

# Errors of the server

reset_all();
$remote->safe_psql(
	'sport', q{
	CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		RAISE 'refused %', TG_ARGV[0] USING ERRCODE = 'AB123', DETAIL = 'the detail',
			HINT = 'the hint';
	END $$;
	CREATE TRIGGER refuse BEFORE INSERT ON season_progress
		FOR EACH ROW EXECUTE FUNCTION refuse('at once')});
($out, $err) = try_sql($local, 'sport', q{SELECT sync_progress(false, environment => 'staging')});
like($err, qr/ERROR:  AB123: refused at once/, 'an error there has its own SQLSTATE and message here');
like($err, qr/DETAIL:  the detail/, 'its detail');
like($err, qr/HINT:  the hint/, 'its hint');
like($err, qr/CONTEXT:.*PL\/pgSQL function.*refuse\(\)/s, 'its context');
like($err, qr/on server "staging"/, 'the name of the server');
like($err, qr/while reconciling by progress rule "season" \(teams to season_progress\)/, 'and the rule');
remote_is($before, 'what the rules before it did is undone');
is(history(), 'staging|failed|AB123|0|0', 'history has the failed run with the name of the server');
is( $local->safe_psql('sport',
		q{SELECT error_message, error_detail, error_hint FROM sync_history}),
	'refused at once|the detail|the hint', 'and the words of its error');
like($local->safe_psql('sport', 'SELECT error_context FROM sync_history'),
	qr/on server "staging"/, 'and where it was');

# Failure at the remote COMMIT

reset_all();
$remote->safe_psql(
	'sport', q{
	DROP TRIGGER refuse ON season_progress;
	CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON season_progress
		DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse('at commit')});
($out, $err) = try_sql(
	$local, 'sport', q{
	BEGIN;
	CREATE TABLE witness ();
	SELECT sync_progress(false, environment => 'staging', max_details => 0);
	COMMIT});
like($out, qr/SUMMARY/, 'a run may be refused as late as at the COMMIT on the server');
like($err, qr/ERROR:  AB123: refused at commit/, 'the local COMMIT then fails with that error');
like($err, qr/on server "staging"/, 'which names the server');
remote_is($before, 'nothing is written there');
is($local->safe_psql('sport', q{SELECT to_regclass('witness') IS NULL}),
	't', 'and the local transaction is undone');
is(history(), 'staging|failed|AB123|0|0', 'history says that the run failed, and counts nothing as written');

reset_all();
($out, $err) = try_sql($local, 'sport', q{SELECT sync_progress(false, environment => 'staging')});
like($err, qr/ERROR:  AB123: refused at commit/, 'without BEGIN the statement fails with that error');
is(history(), 'staging|failed|AB123|0|0', 'and history says so');
$remote->safe_psql('sport', 'DROP TRIGGER refuse ON season_progress');

# The connection is lost before the COMMIT

reset_all();
$session->quit;
$session = $local->background_psql('sport', on_error_stop => 0);
$session->query('\set VERBOSITY verbose');
$session->query_safe(q{BEGIN; SELECT sync_progress(false, environment => 'staging')});
$remote->safe_psql('postgres', q{
	SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = 'sync_ext'});
$session->query('COMMIT');
like($session->{stderr}, qr/ERROR:  (57P01|08\w{3}): /, 'a connection that is lost before the COMMIT fails it');
like($session->{stderr}, qr/server "staging"/, 'with the name of the server');
$session->{stderr} = '';
remote_is($before, 'the run is undone there');
like(history(), qr/^staging\|failed\|(57P01|08\w{3})\|0\|0$/, 'history says that it failed');

# The server tires of waiting for the COMMIT

reset_all();
add_server($local, 'sport', 'impatient',
	host => $remote->host,
	port => $remote->port,
	dbname => 'sport',
	options => '-c idle_in_transaction_session_timeout=100ms');
$session->query_safe(q{BEGIN; SELECT sync_progress(false, environment => 'impatient', max_details => 0)});
ok(wait_until_left($remote, 'sport'), 'a server may tire of waiting for the COMMIT');
$session->query('COMMIT');
like($session->{stderr}, qr/ERROR:  (25P03|08\w{3}): /, 'which then fails');
like($session->{stderr}, qr/server "impatient"/, 'with the name of the server');
$session->quit;
remote_is($before, 'the run is undone there');

$local->stop;
$remote->stop;
done_testing();
