# Jobs are seen by their owner alone, whatever a session sets before the library is
# loaded; who listens is told of changes; a dump keeps jobs.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $node = start_node('jobs');
my ($out, $err);

$node->safe_psql('postgres', q{
	CREATE DATABASE chess;
	CREATE ROLE ann LOGIN;
	CREATE ROLE mallory LOGIN;
	CREATE ROLE web LOGIN NOINHERIT;
	CREATE ROLE anon;
	GRANT anon TO web});
$node->safe_psql('chess', q{
	CREATE SCHEMA sync;
	CREATE EXTENSION sync_ext SCHEMA sync;
	GRANT USAGE ON SCHEMA sync TO ann, mallory, web, anon;
	GRANT SELECT, INSERT, UPDATE ON sync.sync_jobs TO ann, mallory, web, anon;
	GRANT EXECUTE ON FUNCTION sync.sync_create_job, sync.sync_jobs_of, sync.sync_set_job_status, sync.sync_set_job_progress TO ann, mallory, web, anon});
my $job = (try_sql($node, 'chess', q{SELECT sync.sync_create_job('lichess', 'ann1')}, user => 'ann'))[0];
like($job, qr/^[0-9a-f-]{36}$/, 'ann has a job');

# The first statement of each session below is made before anything of the
# extension is loaded.

my $look = 'SELECT username FROM sync.sync_jobs';
for my $try (
	[ 'SET', q{SET sync_ext.user_id = 'ann'; } ],
	[ 'SET LOCAL', q{BEGIN; SET LOCAL sync_ext.user_id = 'ann'; } ],
	[ 'set_config', q{SELECT FROM set_config('sync_ext.user_id', 'ann', false); } ],
	[ 'SET in a savepoint', q{BEGIN; SAVEPOINT s; SET sync_ext.user_id = 'ann'; RELEASE s; } ],
	[ 'SET of a role', q{ALTER ROLE mallory SET sync_ext.user_id = 'ann'; } ],
	[ 'an option', '', '-c sync_ext.user_id=ann' ])
{
	my ($what, $sql, $options) = @$try;

	local $ENV{PGOPTIONS} = $options // '';
	($out, $err) = try_sql($node, 'chess', "$sql$look", user => 'mallory');
	is($out, '', "$what: a session that knows nothing of the extension yet does not become ann");
	like($err, qr/permission denied to set parameter "sync_ext.user_id"/, "$what: and is told so");
	($out, $err) = try_sql($node, 'chess', "$sql SELECT sync.sync_jobs_of('ann')", user => 'mallory');
	is($out, '', "$what: nor by a function");
}
($out, $err) = try_sql($node, 'chess', "SET row_security = off; $look", user => 'mallory');
like($err, qr/ERROR:  42501: query would be affected by row-level security policy/, 'row security cannot be switched off');
($out, $err) = try_sql($node, 'chess', "COPY sync.sync_jobs TO STDOUT", user => 'mallory');
is($out, '', 'COPY shows nothing either');

# A front end as PostgREST is one: it logs in as one role, says for whom, and
# becomes another

$node->safe_psql('postgres', 'GRANT SET ON PARAMETER sync_ext.user_id TO web');
($out, $err) = try_sql($node, 'chess', q{
	BEGIN; SET LOCAL sync_ext.user_id = 'customer 7'; SET LOCAL ROLE anon;
	SELECT length(sync.sync_create_job('chess.com', 'c7')::text);
	SELECT user_id, username FROM sync.sync_jobs;
	COMMIT;
	BEGIN; SET LOCAL ROLE anon; SELECT count(*) FROM sync.sync_jobs; COMMIT;
	BEGIN; SET LOCAL sync_ext.user_id = 'ann'; SELECT username FROM sync.sync_jobs; ROLLBACK;
	SELECT count(*) FROM sync.sync_jobs}, user => 'web');
is($out, "36\ncustomer 7|c7\n0\nann1\n0", 'a front end acts for one user a transaction');
is($err, '', 'without complaint');
{
	local $ENV{PGOPTIONS} = "-c sync_ext.user_id=ann";
	($out, $err) = try_sql($node, 'chess', $look, user => 'web');
	is($out, 'ann1', 'also by an option of its connection');
}
($out, $err) = try_sql($node, 'chess', q{BEGIN; SET LOCAL ROLE anon; SET LOCAL sync_ext.user_id = 'ann'; SELECT username FROM sync.sync_jobs}, user => 'web');
like($err, qr/permission denied to set parameter/, 'the role that it becomes cannot choose');
is($out, '', 'and sees nothing');

# Who listens

my ($listener, $news) = ($node->background_psql('chess'), undef);
sub news { return join "\n", ($listener->query('SELECT 1') =~ /notification "sync_jobs" with payload "(.*)" received/g); }
$listener->query('LISTEN sync_jobs');
try_sql($node, 'chess', qq{SELECT sync.sync_set_job_status('$job', 'fetching')}, user => 'ann');
is(news(), qq({"id": "$job", "status": "fetching", "games_found": 0, "games_analyzed": 0}), 'a step is told');
try_sql($node, 'chess', qq{
	BEGIN; SELECT sync.sync_set_job_progress('$job', 5); SELECT sync.sync_set_job_progress('$job', 5, 1); COMMIT;
	SELECT sync.sync_set_job_progress('$job', 4);
	BEGIN; SELECT sync.sync_set_job_status('$job', 'failed', 'secret'); ROLLBACK}, user => 'ann');
is(news(), qq({"id": "$job", "status": "fetching", "games_found": 5, "games_analyzed": 0}\n{"id": "$job", "status": "fetching", "games_found": 5, "games_analyzed": 1}),
	'so is what was counted, and neither what changes nothing nor what is rolled back');
my $second = (try_sql($node, 'chess', q{SELECT sync.sync_create_job('lichess', 'ann2')}, user => 'ann'))[0];
is(news(), qq({"id": "$second", "status": "pending", "games_found": 0, "games_analyzed": 0}), 'and a new job');
try_sql($node, 'chess', qq{SELECT sync.sync_set_job_status('$second', 'failed', 'secret')}, user => 'ann');
unlike($news = news(), qr/secret|ann/, 'but not whose it is, nor why it failed');
like($news, qr/"failed"/, 'only that it did');
$listener->quit;

# Dump and restore

my @connection = ('-h', $node->host, '-p', $node->port);
my $folder = PostgreSQL::Test::Utils::tempdir();
my $contents = 'SELECT j::text FROM sync.sync_jobs j ORDER BY id';
$node->safe_psql('chess', qq{
	INSERT INTO sync.sync_jobs (user_id, platform, username, status, games_found, created_at, updated_at, completed_at)
	SELECT 'many', 'lichess', n::text, 'completed', n, now() - interval '2 days', now() - interval '1 day', now() - interval '1 day'
	FROM generate_series(1, 50) AS n});
for my $option ('--format=custom', '--inserts')
{
	my $db = 'restored' . $option =~ s/\W/_/gr;

	$node->safe_psql('postgres', "CREATE DATABASE $db");
	$node->command_ok([ 'pg_dump', @connection, $option, '-f', "$folder/$db", 'chess' ], "$option: pg_dump works");
	$node->command_ok(
		$option =~ /custom/
		? [ 'pg_restore', '-e', @connection, '-d', $db, "$folder/$db" ]
		: [ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', @connection, '-f', "$folder/$db", $db ],
		"$option: so does restoring, whatever the limits");
	is($node->safe_psql($db, $contents), $node->safe_psql('chess', $contents), "$option: jobs are the same");
	($out, $err) = try_sql($node, $db, $look, user => 'ann');
	is($out, "ann1\nann2", "$option: and each still its owner's");
	($out, $err) = try_sql($node, $db, "SELECT sync.sync_set_job_status('$job', 'completed')", user => 'ann');
	like($err, qr/cannot go from "fetching" to "completed"/, "$option: on the same path");
}

$node->stop;
done_testing();
