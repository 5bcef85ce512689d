# Workers, the launcher and the postmaster are killed at random points, over and
# over, while tasks of both kinds are performed: none is lost, none of kind
# transaction is done twice, and none of kind external stays behind.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;
use Time::HiRes qw(usleep);

my $kills = $ENV{SYNC_TEST_KILLS} // 200;
my $batch = 60;

my $node = start_node('crashes', q{
	shared_preload_libraries = 'sync_ext'
	sync_ext.workers = 3
	restart_after_crash = on
	fsync = on
	max_worker_processes = 20});

$node->safe_psql('postgres', q{
	CREATE EXTENSION sync_ext;
	CREATE TABLE done (n int, kind text);
	CREATE FUNCTION work(id bigint, payload jsonb) RETURNS void LANGUAGE sql
		AS $$INSERT INTO public.done VALUES ((payload ->> 'n')::int, payload ->> 'kind'); SELECT pg_sleep(0.002)$$;
	INSERT INTO sync_operation_types (operation_type, handler, kind, backoff_base, max_attempts) VALUES
		('transaction', 'work(bigint,jsonb)', 'transaction', '0', 1000),
		('external', 'work(bigint,jsonb)', 'external', '0', 1000)});

# Ask a server that may be going down; undef where it does not answer.
sub ask
{
	my ($sql) = @_;
	my ($out, $err) = run_command([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', $sql ]);

	return $err eq '' ? $out : undef;
}

# Wait until it answers, which it does not while it recovers.
sub wait_until_up
{
	for (1 .. 600)
	{
		return 1 if defined ask('SELECT 1');
		usleep(50_000);
	}
	die 'the server does not come back';
}

my $sent = 0;
my %killed;
for my $kill (1 .. $kills)
{
	my ($first, $last) = ($sent + 1, $sent + $batch);
	my $inserted = ask(qq{INSERT INTO sync_queue (operation_type, payload, timing_partner_id)
		SELECT kind, jsonb_build_object('n', n, 'kind', kind), n % 3
		FROM generate_series($first, $last) AS n, unnest('{transaction,external}'::text[]) AS kind});

	wait_until_up(), redo if !defined $inserted;
	$sent = $last;
	usleep(int(rand(120_000)));

	my $whom = (qw(worker worker launcher postmaster))[ int rand 4 ];
	if ($whom eq 'postmaster')
	{
		$node->stop('immediate');
		$node->start;
	}
	else
	{
		my $pid = ask(qq{SELECT pid FROM pg_stat_activity
			WHERE backend_type = 'sync $whom' ORDER BY random() LIMIT 1});

		kill 'KILL', $pid if $pid;
		usleep(20_000);
	}
	$killed{$whom}++;
	wait_until_up();
}
diag("killed: " . join(', ', map { "$_ $killed{$_}" } sort keys %killed));

ok($node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM sync_queue'), 'no task stays behind');
is($node->safe_psql('postgres', q{SELECT count(*), count(DISTINCT n) FROM done WHERE kind = 'transaction'}),
	"$sent|$sent", 'each of kind transaction was done, and just once');
is($node->safe_psql('postgres', q{SELECT count(DISTINCT n) FROM done WHERE kind = 'external'}),
	$sent, 'each of kind external was done');
is($node->safe_psql('postgres', q{SELECT count(*), count(DISTINCT queue_id) FROM sync_history WHERE status = 'success'}),
	2 * $sent . '|' . 2 * $sent, 'each has succeeded once in history');
is($node->safe_psql('postgres', q{SELECT count(*) FROM sync_history WHERE queue_id IS NOT NULL AND status NOT IN ('success', 'stuck')}),
	'0', 'and what else is there was stuck');
is($node->safe_psql('postgres', q{SELECT count(*) FROM sync_history h WHERE status = 'stuck'
	AND NOT EXISTS (SELECT FROM sync_history s WHERE s.queue_id = h.queue_id AND s.status = 'success' AND s.attempt > h.attempt)}),
	'0', 'before a later attempt');

$node->stop;
done_testing();
