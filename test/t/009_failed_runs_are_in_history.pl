# However a run fails, sync_history tells of it, though its transaction is undone;
# and what keeps the row from being written hides no error and holds nobody up.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;
use Time::HiRes qw(time);

# What a session waits at most for a row to be written, and some more.
use constant BOUND_S => 3 + PROMPT_S;

my $node = start_node('history', 'dynamic_shared_memory_type = mmap');
my ($out, $err, $session, $started);
my $state = q{
	SELECT competition_id, status, seasons_discovered FROM competition_progress
	UNION ALL SELECT competition_id, status, clubs_saved FROM season_progress ORDER BY 1, 2, 3};

create_football($node, 'sport');
$node->safe_psql(
	'sport', q{
	CREATE EXTENSION sync_ext;
	CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		RAISE 'refused' USING ERRCODE = 'AB123', DETAIL = 'the "detail"',
			HINT = E'the\nhint';
	END $$;
	CREATE TRIGGER refuse BEFORE INSERT ON season_progress
		FOR EACH ROW EXECUTE FUNCTION refuse()});
my $before = $node->safe_psql('sport', $state);

sub history
{
	return $node->safe_psql('sport',
		'SELECT status, error_sqlstate FROM sync_history ORDER BY history_id');
}

# Start anew, try some SQL, and see that what it did is undone.
sub try_anew
{
	my ($name, $sql, %more) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	$node->safe_psql('sport', 'TRUNCATE sync_history');
	($out, $err) = try_sql($node, 'sport', $sql, %more);
	is($node->safe_psql('sport', $state), $before, "$name: nothing of the run stays");
	unlike($err, qr/WARNING/, "$name: no warning");
	return;
}

# The row

try_anew('a failure', q{
	SET sync_ext.environment = 'here "and" \now';
	SELECT sync_progress(false)});
like($err, qr/ERROR:  AB123: refused\nDETAIL:  the "detail"\nHINT:  the\nhint/, 'a failure: the user is told the error');
my @row = split /\|/, $node->safe_psql('sport', q{
	SELECT operation, coalesce(subject, '-'), environment, run_by = current_user, status,
		started_at BETWEEN now() - interval '1 minute' AND now(),
		duration BETWEEN '0' AND interval '1 minute', inserted, updated, details IS NULL,
		error_sqlstate, error_message, error_detail, replace(error_hint, E'\n', ' ')
	FROM sync_history});
is("@row", 'progress - here "and" \now t failed t t 0 0 t AB123 refused the "detail" the hint',
	'a failure: history has the same, and no counts');
like($node->safe_psql('sport', 'SELECT error_context FROM sync_history'),
	qr/PL\/pgSQL function.*refuse\(\).*while reconciling by progress rule "season" \(teams to season_progress\)/s,
	'a failure: history says where it was');
try_anew('a failure for one competition', q{SELECT sync_progress(false, 'EPL', rule => 'season')});
is($node->safe_psql('sport', 'SELECT subject, status FROM sync_history'),
	'EPL|failed', 'a failure for one competition: history names it');
try_anew('a competition without teams', q{SELECT sync_progress(false, 'none')});
is(history(), 'failed|P0002', 'a competition without teams: history has it');
try_anew('a rule that does not exist', q{SELECT sync_progress(false, rule => 'none')});
is(history(), 'failed|42704', 'a rule that does not exist: history has it');
try_anew('a read-only transaction', 'SET default_transaction_read_only = on; SELECT sync_progress(false)');
like($err, qr/ERROR:  25006: /, 'a read-only transaction: the run is refused');
is(history(), 'failed|25006', 'a read-only transaction: history has it');
try_anew('repeatable read', 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT sync_progress(false)');
like($err, qr/ERROR:  25001: /, 'repeatable read: the run is refused');
is(history(), 'failed|25001', 'repeatable read: history has it');
try_anew('a dry run', q{SELECT sync_progress(true, 'none')});
is(history(), '', 'a dry run that fails leaves no row');

# Transactions around it

try_anew('a transaction block', 'BEGIN; SELECT sync_progress(false); COMMIT');
is(history(), 'failed|AB123', 'a transaction block: history has it');
try_anew('an EXCEPTION block', q{
	DO $$ BEGIN PERFORM sync_progress(false);
	EXCEPTION WHEN OTHERS THEN RAISE NOTICE 'caught %', sqlstate; END $$});
like($err, qr/NOTICE:  \w+: caught AB123/, 'an EXCEPTION block: the error can be caught');
is(history(), 'failed|AB123', 'an EXCEPTION block: history has it');
try_anew('two failures', q{
	BEGIN; SAVEPOINT s;
	\set ON_ERROR_STOP 0
	SELECT sync_progress(false); ROLLBACK TO s;
	SELECT sync_progress(false, 'none'); ROLLBACK TO s;
	ROLLBACK});
is(history(), "failed|AB123\nfailed|P0002", 'two failures: history has both');
try_anew('a failure before work that commits', q{
	BEGIN; CREATE TEMP TABLE other (i int);
	DO $$ BEGIN PERFORM sync_progress(false); EXCEPTION WHEN OTHERS THEN NULL; END $$;
	INSERT INTO other VALUES (1); COMMIT; SELECT count(*) FROM other});
is($out, '1', 'a failure before work that commits: it commits');
is(history(), 'failed|AB123', 'a failure before work that commits: history has it');
try_anew('a run in a run', q{
	CREATE OR REPLACE FUNCTION nest() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN PERFORM sync_progress(false, 'none'); RETURN new; END $$;
	CREATE TRIGGER nest BEFORE INSERT ON competition_progress FOR EACH ROW EXECUTE FUNCTION nest();
	SELECT sync_progress(false)});
is(history(), "failed|P0002\nfailed|P0002", 'a run in a run: history has both');
$node->safe_psql('sport', 'DROP TRIGGER nest ON competition_progress');
try_anew('as another role', q{
	CREATE ROLE bob; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO bob;
	SET ROLE bob; SELECT sync_progress(false)});
is($node->safe_psql('sport', 'SELECT run_by, error_sqlstate FROM sync_history'),
	'bob|42501', 'as another role: history says which, though it may not write there');

# Settings that the writer must not be led astray by

$node->safe_psql('sport', q{
	ALTER DATABASE sport SET default_transaction_read_only = on;
	ALTER DATABASE sport SET datestyle = 'German, DMY';
	ALTER DATABASE sport SET timezone = 'Asia/Kathmandu';
	ALTER DATABASE sport SET search_path = 'none';
	ALTER DATABASE sport SET session_replication_role = replica});
($out, $err) = try_sql($node, 'sport', 'SET default_transaction_read_only = off; TRUNCATE public.sync_history;'
	  . ' SELECT public.sync_progress(false)');
like($err, qr/ERROR:  42P01: /, 'settings of the database: the user is told the error');
unlike($err, qr/WARNING/, 'settings of the database: no warning');
is($node->safe_psql('sport', q{SELECT error_sqlstate, started_at BETWEEN now() - interval '1 minute' AND now() FROM public.sync_history}),
	'42P01|t', 'settings of the database: history has it, with the right time');
$node->safe_psql('postgres', 'ALTER DATABASE sport RESET ALL');
$node->safe_psql('postgres', 'ALTER DATABASE sport CONNECTION LIMIT 1');
$node->safe_psql('sport', 'TRUNCATE sync_history');
($out, $err) = try_sql($node, 'sport', 'SELECT sync_progress(false)');
is(history(), 'failed|AB123', 'the last connection of a database: history has it');
$node->safe_psql('postgres', 'ALTER DATABASE sport CONNECTION LIMIT -1');

# Sessions that are stopped while they wait for a lock

my $blocker = $node->background_psql('sport');
$blocker->query_safe('BEGIN; LOCK TABLE season_progress');
for my $case (
	[ 'pg_cancel_backend', '', '57014', 'ERROR' ],
	[ 'statement_timeout', q{SET statement_timeout = '300ms';}, '57014', 'ERROR' ],
	[ 'lock_timeout', q{SET lock_timeout = '300ms';}, '55P03', 'ERROR' ],
	[ 'pg_terminate_backend', '', '57P01', 'FATAL' ])
{
	my ($how, $setting, $sqlstate, $level) = @$case;

	$node->safe_psql('sport', 'TRUNCATE sync_history');
	$session = start_sql($node, 'sport', "$setting SELECT sync_progress(false)", app => 'run');
	if ($setting eq '')
	{
		wait_until_waiting($node, 'run');
		$node->safe_psql('postgres', "SELECT $how(pid) FROM pg_stat_activity WHERE application_name = 'run'");
	}
	$started = time;
	($out, $err) = finish_sql($session);
	cmp_ok(time - $started, '<', PROMPT_S, "$how: the session ends at once");
	like($err, qr/$level:  $sqlstate: /, "$how: the user is told");
	is(history(), "failed|$sqlstate", "$how: history has it");
}
$blocker->query_safe('ROLLBACK');

# A session that is told to end when its run is over has nothing to tell.
$node->safe_psql('sport', 'TRUNCATE sync_history');
$session = $node->background_psql('sport', on_error_stop => 0);
$session->query('SELECT sync_progress(false)');
$node->safe_psql('postgres', q{
	SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
	WHERE query = 'SELECT sync_progress(false)'});
is(history(), 'failed|AB123', 'a session that ends after its run: history has the run once');
$session->{run}->finish;

# sync_history itself is locked

$blocker->query_safe('BEGIN; LOCK TABLE sync_history');
$started = time;
($out, $err) = try_sql($node, 'sport', 'SELECT sync_progress(false)');
cmp_ok(time - $started, '<', BOUND_S, 'sync_history locked by another session: the failure is not held up for long');
like($err, qr/WARNING:  \w{5}: could not write the sync_history row of a failed run[^\n]*\n.*"AB123"/,
	'sync_history locked by another session: a warning has the row');
like($err, qr/ERROR:  AB123: refused/, 'sync_history locked by another session: the error is shown all the same');
$blocker->query_safe('ROLLBACK');
$started = time;
($out, $err) = try_sql($node, 'sport', 'BEGIN; LOCK TABLE sync_history; SELECT sync_progress(false)');
cmp_ok(time - $started, '<', BOUND_S, 'sync_history locked by the run: the failure is not held up for long');
like($err, qr/WARNING:.*ERROR:  AB123: refused/s, 'sync_history locked by the run: warning and error are shown');
$node->safe_psql('sport', 'TRUNCATE sync_history');
($out, $err) = try_sql($node, 'sport', 'SELECT sync_progress(false)');
is(history(), 'failed|AB123', 'afterwards rows are written again');

# sync_history cannot be written

$node->safe_psql('sport', 'ALTER TABLE sync_history ADD CONSTRAINT no CHECK (error_sqlstate IS NULL) NOT VALID');
($out, $err) = try_sql($node, 'sport', 'SELECT sync_progress(false)');
like($err, qr/WARNING:.*ERROR:  AB123: refused/s, 'a row that cannot be written: warning and error are shown');
like(slurp_file($node->logfile), qr/violates check constraint "no"/, 'a row that cannot be written: the log says why');
$node->safe_psql('sport', 'ALTER TABLE sync_history DROP CONSTRAINT no');

# Nothing is left of the writers

is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type ~ 'sync'}),
	'0', 'no writer is left running');
my @segments = glob $node->data_dir . '/pg_dynshmem/*';
$node->safe_psql('sport', q{
	DO $$ BEGIN FOR i IN 1 .. 30 LOOP
		BEGIN PERFORM sync_progress(false, 'none'); EXCEPTION WHEN OTHERS THEN NULL; END;
	END LOOP; END $$});
is($node->safe_psql('sport', q{SELECT count(*) FROM sync_history WHERE error_sqlstate = 'P0002'}),
	'30', 'many failures in a row leave as many rows');
is(scalar(() = glob $node->data_dir . '/pg_dynshmem/*'), scalar @segments, 'and no shared memory');
unlike(slurp_file($node->logfile), qr/leak/, 'the log tells of no leak');

# Fast shutdown meets a run that waits

$blocker->query_safe('BEGIN; LOCK TABLE season_progress');
$session = start_sql($node, 'sport', 'SELECT sync_progress(false)', app => 'run');
wait_until_waiting($node, 'run');
$started = time;
$node->stop('fast');
cmp_ok(time - $started, '<', BOUND_S, 'a fast shutdown is not held up by a run');
($out, $err) = finish_sql($session);
like($err, qr/FATAL:  57P01: /, 'the run is told to end');
$blocker->{run}->finish;

# No process can be had for the writer

$node->append_conf('postgresql.conf', "max_worker_processes = 0\nmax_logical_replication_workers = 0");
$node->start;
is($node->safe_psql('sport', $state), $before, 'after the restart nothing is half done');
$started = time;
($out, $err) = try_sql($node, 'sport', q{
	\set ON_ERROR_STOP 0
	SELECT sync_progress(false); SELECT 'still here'});
cmp_ok(time - $started, '<', PROMPT_S, 'without worker processes the failure comes at once');
like($err, qr/WARNING:  53000: could not write the sync_history row of a failed run[^\n]*\n.*HINT:.*max_worker_processes/s,
	'without worker processes a warning says what to set');
like($err, qr/ERROR:  AB123: refused/, 'without worker processes the error is shown all the same');
is($out, 'still here', 'without worker processes the session goes on');
$node->safe_psql('sport', 'DROP TRIGGER refuse ON season_progress; SELECT sync_progress(false)');
isnt($node->safe_psql('sport', $state), $before, 'without worker processes a run that succeeds works');
is($node->safe_psql('sport', q{SELECT count(*) FROM sync_history WHERE status = 'success'}),
	'1', 'and has its row');

$node->stop;
done_testing();
