# Tasks that wait for others are begun once those are done, soon and once, whoever is
# killed in between; a dump keeps them.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;
use Time::HiRes qw(usleep);

my $node = start_node('waits', q{
	shared_preload_libraries = 'sync_ext'
	sync_ext.workers = 3
	restart_after_crash = on
	max_worker_processes = 20});

$node->safe_psql('postgres', q{
	CREATE EXTENSION sync_ext;
	CREATE TABLE done (n int, what text, at timestamptz DEFAULT clock_timestamp());
	CREATE FUNCTION work(payload jsonb) RETURNS void LANGUAGE sql
		AS $$INSERT INTO public.done VALUES ((payload ->> 'n')::int, payload ->> 'what')$$;
	CREATE FUNCTION work_slowly(payload jsonb) RETURNS void LANGUAGE sql
		AS $$SELECT pg_sleep(0.002); INSERT INTO public.done VALUES ((payload ->> 'n')::int, payload ->> 'what')$$;
	INSERT INTO sync_operation_types (operation_type, handler, kind, backoff_base, max_attempts) VALUES
		('work', 'work(jsonb)', 'transaction', '0', 1000),
		('slow', 'work_slowly(jsonb)', 'transaction', '0', 1000),
		('outside', 'work_slowly(jsonb)', 'external', '0', 1000)});
ok($node->poll_query_until('postgres', 'SELECT count(*) = 3 FROM sync_stat_workers'), 'there are workers');

sub ask
{
	my ($sql) = @_;
	my ($out, $err) = run_command([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', $sql ]);

	return $err eq '' ? $out : undef;
}

sub wait_until_up
{
	for (1 .. 600)
	{
		return 1 if defined ask('SELECT 1');
		usleep(50_000);
	}
	die 'the server does not come back';
}

# Soon: what has been freed is woken for, and not polled

my $late = 1000;
for my $n (1 .. 10)
{
	$node->safe_psql('postgres', qq{
		WITH first AS (INSERT INTO sync_queue (operation_type, payload)
			VALUES ('work', '{"n": $n, "what": "first"}') RETURNING queue_id)
		INSERT INTO sync_queue (operation_type, payload, after)
		SELECT 'work', '{"n": $n, "what": "second"}', ARRAY[queue_id] FROM first});
	$node->poll_query_until('postgres', "SELECT count(*) = 2 FROM done WHERE n = $n") or die "no task of $n";
	my $ms = $node->safe_psql('postgres', "SELECT round(extract(epoch FROM max(at) - min(at)) * 1000) FROM done WHERE n = $n");
	$late = $ms if $ms < $late;
}
cmp_ok($late, '<', 50, "a freed task is begun within 50 ms ($late)");
$node->safe_psql('postgres', 'TRUNCATE done');

# Somebody has locked the one that waits: it is freed when that is over

my $first = $node->safe_psql('postgres', q{SELECT sync_enqueue('work', '{"what": "first"}', scheduled_time => now() + interval '1 hour')});
my $second = $node->safe_psql('postgres', qq{SELECT sync_enqueue('work', '{"what": "second"}', after => '{$first}')});
ok($node->poll_query_until('postgres', "SELECT waiting_on = $first FROM sync_queue WHERE queue_id = $second"), 'a task hangs on another');
my $holder = $node->background_psql('postgres');
$holder->query_safe("BEGIN; SELECT 1 FROM sync_queue WHERE queue_id = $second FOR UPDATE");
$node->safe_psql('postgres', "SELECT sync_retry($first)");
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM done"), 'the first is done');
$node->safe_psql('postgres', q{SELECT sync_enqueue('work', '{"what": "other"}')});
ok($node->poll_query_until('postgres', "SELECT count(*) = 2 FROM done"), 'and so is what others put in');
$holder->query_safe('COMMIT');
ok($node->poll_query_until('postgres', "SELECT count(*) = 3 FROM done"), 'the one that was locked is freed after all');

# The server dies between the end of the first and the freeing of the second

$first = $node->safe_psql('postgres', q{TRUNCATE done; SELECT sync_enqueue('work', '{"what": "first"}', scheduled_time => now() + interval '1 hour')});
$second = $node->safe_psql('postgres', qq{SELECT sync_enqueue('work', '{"what": "second"}', after => '{$first}')});
$node->poll_query_until('postgres', "SELECT waiting_on = $first FROM sync_queue WHERE queue_id = $second") or die;
$holder->query_safe("BEGIN; SELECT 1 FROM sync_queue WHERE queue_id = $second FOR UPDATE");
$node->safe_psql('postgres', "SELECT sync_retry($first)");
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM done") or die;
$node->stop('immediate');
$node->start;
$holder->quit;
ok($node->poll_query_until('postgres', "SELECT count(*) = 2 FROM done"), 'it is freed after the restart');

# Processes are killed while chains and groups are performed

my $rounds = 8;
my %killed;
$node->safe_psql('postgres', 'TRUNCATE done; TRUNCATE sync_history');
for my $round (1 .. $rounds)
{
	my $put = ask(qq{
		WITH first AS (INSERT INTO sync_queue (operation_type, payload, task_group)
			SELECT kind, jsonb_build_object('n', $round * 1000 + n, 'what', kind), 'round $round'
			FROM generate_series(1, 20) AS n, unnest('{slow,outside}'::text[]) AS kind RETURNING queue_id, operation_type, payload),
		second AS (INSERT INTO sync_queue (operation_type, payload, after, task_group)
			SELECT operation_type, payload || jsonb_build_object('what', operation_type || ' second'), ARRAY[queue_id], 'round $round' FROM first)
		INSERT INTO sync_queue (operation_type, payload, after_group)
		VALUES ('work', '{"n": $round, "what": "all"}', 'round $round')});

	wait_until_up(), redo if !defined $put;
	usleep(int(rand(80_000)));
	my $whom = (qw(worker worker postmaster))[ int rand 3 ];
	if ($whom eq 'postmaster')
	{
		$node->stop('immediate');
		$node->start;
	}
	else
	{
		my $pid = ask(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'sync worker' ORDER BY random() LIMIT 1});

		kill 'KILL', $pid if $pid;
		usleep(20_000);
	}
	$killed{$whom}++;
	wait_until_up();
}
diag('killed: ' . join(', ', map { "$_ $killed{$_}" } sort keys %killed));
ok($node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM sync_queue'), 'no task stays behind');
is($node->safe_psql('postgres', q{SELECT count(*), count(DISTINCT (n, what)) FROM done WHERE what !~ 'outside'}),
	join('|', ($rounds * 41) x 2), 'each of kind transaction was done, and just once');
is($node->safe_psql('postgres', q{SELECT count(DISTINCT (n, what)) FROM done WHERE what ~ 'outside'}),
	$rounds * 40, 'each of kind external was done');
is($node->safe_psql('postgres', q{SELECT count(*) FROM done a JOIN done b ON b.n = a.n AND b.what = a.what || ' second'
	WHERE b.at <= (SELECT min(at) FROM done WHERE n = a.n AND what = a.what)}), '0', 'none before what it waited for');
is($node->safe_psql('postgres', q{SELECT count(*) FROM done a JOIN done g ON g.n = a.n / 1000 AND g.what = 'all'
	WHERE a.n > 1000 AND a.at >= g.at}), '0', 'and the last ones after all of their groups');
ok($node->poll_query_until('postgres', q{SELECT bool_and(state = 'idle') FROM sync_stat_workers}), 'the workers are idle again');

# A dump keeps those that wait

my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';
my $state = q{SELECT queue_id, status, after, after_group, on_failure, task_group, payload FROM sync_queue ORDER BY 1};
$first = $node->safe_psql('postgres', q{SELECT sync_enqueue('work', '{"n": 1, "what": "first"}',
	scheduled_time => now() + interval '1 hour', task_group => 'dumped')});
$node->safe_psql('postgres', qq{SELECT sync_enqueue('work', '{"n": 2, "what": "second"}', after => '{$first}', on_failure => 'run'),
	sync_enqueue('work', '{"n": 3, "what": "third"}', after_group => 'dumped')});
$node->command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '-f', $dump ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('restored'), '-f', $dump ], 'restore');
is($node->safe_psql('restored', $state), $node->safe_psql('postgres', $state), 'the restored queue is the same');
$node->safe_psql('restored', "TRUNCATE done; SELECT sync_retry($first)");
$node->safe_psql('restored', 'CALL sync_process_queue()');
is($node->safe_psql('restored', 'SELECT min(n) FILTER (WHERE at = first), count(*) FROM done, (SELECT min(at) AS first FROM done) AS f'),
	'1|3', 'and goes on');

$node->stop;
done_testing();
