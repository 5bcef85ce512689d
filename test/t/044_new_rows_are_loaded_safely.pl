# New rows that are written as COPY writes them take less WAL than by INSERT and little
# memory, are seen as they come, and leave nothing where the run is cancelled or
# the server killed.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $node = start_node('load', qq{shared_preload_libraries = 'sync_ext'\nrestart_after_crash = on\nautovacuum = off\nwork_mem = '1MB'});

$node->safe_psql(
	'postgres', q{
	CREATE EXTENSION sync_ext;
	-- the row of that number waits for whoever holds the lock
	CREATE FUNCTION hold(n int) RETURNS boolean LANGUAGE plpgsql AS $$
	BEGIN
		IF n = 9000 THEN
			PERFORM pg_advisory_xact_lock_shared(1);
		END IF;
		RETURN true;
	END $$;
	CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
	CREATE TABLE loaded (id int PRIMARY KEY, v text, w text);
	CREATE TABLE inserted (LIKE loaded INCLUDING ALL);
	CREATE TRIGGER nothing BEFORE INSERT ON inserted EXECUTE FUNCTION nothing();
	CREATE TABLE held (id int PRIMARY KEY CHECK (hold(id)), v text);
	SELECT sync_create_stream('held', 'held', '{id}', 'SELECT n AS id, repeat(''x'', 100) AS v FROM generate_series(1, 20000) AS n')});

# A first load into a table: how much WAL it wrote.
sub wal_of_load
{
	my ($table) = @_;

	$node->safe_psql('postgres', 'CHECKPOINT');
	my $before = $node->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');
	is($node->safe_psql('postgres', qq{
			SELECT inserted FROM sync_upsert('$table', 'SELECT n AS id, ''value '' || n AS v FROM generate_series(1, 50000) AS n', '{id}')}),
		'50000', "all rows are $table");
	return $node->safe_psql('postgres', "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '$before')");
}

my ($loaded, $inserted) = (wal_of_load('loaded'), wal_of_load('inserted'));
cmp_ok($loaded, '<', 0.85 * $inserted, 'and take less WAL than by INSERT');
is($node->safe_psql('postgres', 'SELECT count(*) FROM loaded FULL JOIN inserted USING (id) WHERE loaded.v IS DISTINCT FROM inserted.v'),
	'0', 'and are the same');

# wide rows, and many
my $peak = $node->safe_psql('postgres', q{
	SELECT inserted FROM sync_upsert('loaded', $$SELECT n AS id, repeat(md5(n::text), 2000) AS v, repeat('w', 1000) AS w
		FROM generate_series(100001, 104000) AS n$$, '{id}');
	SELECT inserted FROM sync_upsert('loaded', 'SELECT n AS id, md5(n::text) AS v FROM generate_series(200001, 500000) AS n', '{id}');
	SELECT (substring(pg_read_file('/proc/' || pg_backend_pid() || '/status') FROM 'VmHWM:\s*(\d+)')::int
		- substring(pg_read_file('/proc/' || pg_backend_pid() || '/status') FROM 'RssShmem:\s*(\d+)')::int) / 1024});
like($peak, qr/^4000\n300000\n\d+$/, 'wide rows and many are loaded');
SKIP:
{
	skip 'a sanitizer keeps freed memory back', 1 if ($ENV{LD_PRELOAD} // '') =~ /asan/;
	cmp_ok($peak =~ s/.*\n//sr, '<', 80, 'in little memory');
}
is($node->safe_psql('postgres', q{SELECT count(*) FROM loaded WHERE id BETWEEN 100001 AND 104000 AND v = repeat(md5(id::text), 2000)}), '4000', 'and are right');

# in the middle
my $holder = $node->background_psql('postgres');

# Start a run that waits in the middle of its rows.
sub start_held
{
	$holder->query_safe('SELECT pg_advisory_lock(1)');
	my $session = start_sql($node, 'postgres', q{SELECT sync_run('held')}, app => 'run');

	wait_until_waiting($node, 'run');
	return $session;
}

my $session = start_held();
is($node->safe_psql('postgres', 'SELECT phase, rows, total FROM sync_stat_progress'), 'inserting|8192|20000', 'rows are counted as they come');
my $since = time;
$node->safe_psql('postgres', q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'run'});
my ($out, $err) = finish_sql($session);
cmp_ok(time - $since, '<', PROMPT_S, 'a cancel ends it at once');
like($err, qr/57014/, 'with its SQLSTATE');
is($node->safe_psql('postgres', 'SELECT count(*) FROM held'), '0', 'and nothing is there');
$holder->query_safe('SELECT pg_advisory_unlock_all()');

$session = start_held();
kill 'KILL', $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE application_name = 'run'});
finish_sql($session);
eval { $holder->quit };
ok($node->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()'), 'the server recovers from kill -9 in the middle');
is($node->safe_psql('postgres', 'SELECT count(*) FROM held'), '0', 'nothing is there');
is($node->safe_psql('postgres', q{SELECT inserted FROM sync_run('held')}), '20000', 'and the next run does it all');

$node->stop;
done_testing();
