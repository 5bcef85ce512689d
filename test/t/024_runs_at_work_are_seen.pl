# sync_stat_progress shows a run while it is at work, to those who may see it, and no
# run that is over, however it ended.  Where the library is not preloaded it is empty.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $node = start_node('seen', qq{shared_preload_libraries = 'sync_ext'\nrestart_after_crash = on});

create_football($node, 'sport');
add_server($node, 'sport', 'loop', host => $node->host, port => $node->port, dbname => 'sport');
$node->safe_psql(
	'sport', q{
	CREATE EXTENSION sync_ext;
	CREATE TABLE target (id int PRIMARY KEY, v text);
	CREATE TABLE other (id int PRIMARY KEY);
	-- the row of that number waits for whoever holds the lock
	CREATE FUNCTION hold(n int, at int) RETURNS int LANGUAGE plpgsql AS $$
	BEGIN
		IF n = at THEN
			PERFORM pg_advisory_xact_lock_shared(1);
		END IF;
		RETURN n;
	END $$;
	CREATE FUNCTION hold_row() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM hold(NEW.id, 9000);
		RETURN NEW;
	END $$;
	CREATE FUNCTION run_within() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM sync_upsert('other', 'SELECT generate_series(1, 5000) AS id', '{id}');
		RETURN NULL;
	END $$;
	CREATE ROLE alice LOGIN;
	CREATE ROLE bob LOGIN;
	CREATE ROLE watcher LOGIN IN ROLE pg_monitor;
	GRANT EXECUTE ON FUNCTION sync_upsert, sync_stat_runs TO alice, bob;
	GRANT SELECT ON sync_stat_progress TO alice, bob;
	GRANT ALL ON target, other TO alice, bob});
my $holder = $node->background_psql('sport');

# Hold what "hold" waits for, and let it go.
sub hold
{
	$holder->query_safe('SELECT pg_advisory_lock(1)');
	return;
}

sub let_go
{
	$holder->query_safe('SELECT pg_advisory_unlock_all()');
	return;
}

# What a role sees of the run of the session "run".
sub seen
{
	my ($columns, $role) = @_;

	return $node->safe_psql('sport',
		"SELECT $columns FROM sync_stat_progress JOIN pg_stat_activity USING (pid) WHERE application_name = 'run'",
		extra_params => [ '-U', $role // $ENV{USER} // getpwuid($<) ]);
}

# Start a run and wait until it waits.
sub start_run
{
	my ($sql, %more) = @_;
	my $session = start_sql($node, 'sport', $sql, app => 'run', %more);

	wait_until_waiting($node, 'run', $more{wait});
	return $session;
}

# Check that no run is seen, once the session "run" waits no more.
sub is_gone
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	return is($node->safe_psql('sport', 'SELECT count(*) FROM sync_stat_progress'), '0', "$name: gone");
}

sub end_with
{
	my ($function, $session) = @_;

	$node->safe_psql('sport', "SELECT $function(pid) FROM pg_stat_activity WHERE application_name = 'run'");
	return finish_sql($session);
}

my $session;
my ($out, $err);

is_gone('nothing is at work');

# Reading, row by row

hold();
$session = start_run(q{
	SELECT sync_create_stream('slow', 'target', NULL,
		'SELECT hold(i, 5000) AS id FROM generate_series(1, 10000) AS i', mode => 'append');
	SELECT inserted FROM sync_run('slow', true)});
is(seen('operation, subject, dry_run, phase, role = current_user, database'), 'stream|slow|t|comparing|t|sport',
	'a dry run is seen while it reads');
is(seen('rows BETWEEN 1024 AND 5000, total > 0, total_is_exact, bytes'), 't|t|f|0', 'with how many rows it has read, of how many that are expected');
is($node->safe_psql('sport', q{
	SELECT r.started_at BETWEEN a.xact_start AND now() AND r.phase_started_at BETWEEN r.started_at AND now()
	FROM sync_stat_progress AS r JOIN pg_stat_activity AS a USING (pid)}), 't', 'and since when');
let_go();
($out, $err) = finish_sql($session);
like($out, qr/10000/, 'it goes on');
is_gone('a run that ended well');

# Writing, in one statement

$node->safe_psql('sport', 'CREATE TRIGGER hold_row BEFORE INSERT ON target FOR EACH ROW EXECUTE FUNCTION hold_row()');
hold();
$session = start_run(q{SELECT inserted FROM sync_upsert('target', 'SELECT generate_series(1, 10000) AS id', '{id}')});
is(seen('operation, subject, dry_run, phase, rows, total, total_is_exact'), 'upsert|target|f|inserting|8192|10000|t',
	'rows are counted while one statement writes them');
end_with('pg_cancel_backend', $session);
is_gone('a run that was cancelled');

$session = start_run(q{SELECT inserted FROM sync_upsert('target', 'SELECT generate_series(1, 10000) AS id', '{id}')});
end_with('pg_terminate_backend', $session);
is_gone('a run whose session was ended');

# Caught errors, and the transaction goes on

$session = start_run(q{
	DO $$
	BEGIN
		PERFORM sync_upsert('target', 'SELECT 1 / (i - 5000) AS id FROM generate_series(1, 10000) AS i', '{id}');
	EXCEPTION WHEN division_by_zero THEN
		PERFORM hold(1, 1);
	END $$});
is(seen('count(*)'), '0', 'a run that failed is not seen, though its transaction goes on');
let_go();
finish_sql($session);

# One run waits for another

$node->safe_psql('sport', 'DROP TRIGGER hold_row ON target');
my $first = $node->background_psql('sport');
$first->query_safe(q{BEGIN; SELECT sync_upsert('target', 'SELECT 1 AS id', '{id}')});
$session = start_run(q{SELECT inserted FROM sync_upsert('target', 'SELECT 2 AS id', '{id}')});
is(seen('phase, rows, total'), 'waiting|0|', 'a run that waits for another one says so');
is($node->safe_psql('sport', 'SELECT count(*) FROM sync_stat_progress'), '1',
	'and the other one is over, though its transaction is not');
$first->query_safe('COMMIT');
finish_sql($session);

# A run within a run

$node->safe_psql('sport', q{
	CREATE TRIGGER run_within AFTER INSERT ON target EXECUTE FUNCTION run_within();
	CREATE TRIGGER then_hold AFTER INSERT ON target FOR EACH ROW EXECUTE FUNCTION hold_row()});
hold();
$session = start_run(q{SELECT inserted FROM sync_upsert('target', 'SELECT generate_series(1, 10000) AS id', '{id}')});
is(seen('subject, phase, total'), 'target|inserting|9998', 'of a run within a run the outer one is seen');
let_go();
finish_sql($session);
$node->safe_psql('sport', 'TRUNCATE target');
hold();
$session = start_run(q{
	CREATE TRIGGER z_hold AFTER INSERT ON target EXECUTE FUNCTION hold_row();
	DROP TRIGGER then_hold ON target;
	CREATE OR REPLACE FUNCTION hold_row() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM hold(1, 1); RETURN NULL; END';
	SELECT inserted FROM sync_upsert('target', 'SELECT generate_series(1, 10) AS id', '{id}')});
is(seen('subject, phase, total'), 'target|inserting|10', 'also once the inner one is over');
let_go();
finish_sql($session);
is_gone('both');

# From another server

hold();
$session = start_run(q{
	SELECT sync_create_stream('far', 'target', NULL,
		'SELECT hold(i, 50000) AS id, repeat(''x'', 100) AS v FROM generate_series(100001, 200000) AS g, LATERAL (SELECT g - 100000 AS i) AS j', 'loop', mode => 'append');
	SELECT inserted FROM sync_run('far', true)}, wait => 'Extension');
$node->poll_query_until('sport', 'SELECT bytes > 1000000 FROM sync_stat_progress') or die 'no bytes';
is(seen('phase, rows BETWEEN 10000 AND 50000, bytes BETWEEN 1000000 AND 10000000'), 'comparing|t|t', 'with bytes, where they come from another server');
let_go();
finish_sql($session);

# Reconciling

my $writer = $node->background_psql('sport');
$writer->query_safe('BEGIN; LOCK TABLE competition_progress IN SHARE ROW EXCLUSIVE MODE');
$session = start_run(q{SELECT count(*) FROM sync_progress(false, 'EPL')});
is(seen('operation, subject, dry_run, phase'), 'progress|EPL|f|waiting', 'reconciliation is seen as well');
$writer->query_safe('COMMIT');
finish_sql($session);
is_gone('reconciliation');

# A backfill, which commits as it goes

$node->safe_psql('sport', q{
	CREATE TABLE wide AS SELECT n AS id, repeat('x', 500) AS v, NULL::int AS filled FROM generate_series(1, 10000) AS n;
	ANALYZE wide});
hold();
$session = start_run(q{CALL sync_backfill('wide', 'filled', 'hold(id, 5000)', batch_size => 100)});
is(seen('operation, subject, phase, rows > 100, total > rows'), 'backfill|public.wide.filled|backfilling|t|t', 'a backfill is seen while it commits');
end_with('pg_cancel_backend', $session);
is_gone('a backfill that was cancelled');
let_go();
($out, $err) = try_sql($node, 'sport', q{CALL sync_backfill('wide', 'filled', 'id')});
is($err, '', 'it goes on');
is_gone('a backfill that ended well');

# Who sees what

hold();
$session = start_run(q{SELECT sync_upsert('other', 'SELECT hold(1, 1) AS id', '{id}', true)}, user => 'alice');
is(seen('role', 'alice'), 'alice', 'a role sees its own runs');
is(seen('role', 'bob'), '', 'and no others');
is(seen('role', 'watcher'), 'alice', 'but one that may read all statistics sees all');
$node->safe_psql('sport', 'REVOKE SELECT ON sync_stat_progress FROM bob');
($out, $err) = try_sql($node, 'sport', 'SELECT * FROM sync_stat_progress', user => 'bob');
like($err, qr/42501: permission denied for view sync_stat_progress/, 'PUBLIC sees nothing');

# A process that is killed takes the server down, and the slot with it

my $pid = $node->safe_psql('sport', "SELECT pid FROM pg_stat_activity WHERE application_name = 'run'");
kill 'KILL', $pid;
eval { finish_sql($session) };
eval { $_->quit } for $holder, $first, $writer;
$node->poll_query_until('sport', 'SELECT true') or die 'the server does not come back';
is_gone('after a crash');

# Not preloaded

$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$node->restart;
$holder = $node->background_psql('sport');
hold();
$session = start_run(q{SELECT sync_upsert('other', 'SELECT hold(1, 1) AS id', '{id}', true)});
is($node->safe_psql('sport', 'SELECT count(*) FROM sync_stat_progress'), '0', 'without preloading the view is empty');
let_go();
finish_sql($session);
$holder->quit;

$node->stop;
done_testing();
