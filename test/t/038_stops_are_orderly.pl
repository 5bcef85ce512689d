# What stops the server, or its workers, in the middle of tasks: each task is finished,
# or given back and performed once the server is there again; and draining waits for
# what is at work, and for nothing else.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;
use Time::HiRes qw(time);

my $node = start_node('stops', q{
	shared_preload_libraries = 'sync_ext'
	sync_ext.workers = 2
});

# A task waits for as long as somebody holds the advisory lock 7.
$node->safe_psql('postgres', q{
	CREATE EXTENSION sync_ext;
	CREATE TABLE done (n int, kind text);
	CREATE FUNCTION work(payload jsonb) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		INSERT INTO public.done VALUES ((payload ->> 'n')::int, payload ->> 'kind');
		IF payload ? 'wait' THEN
			PERFORM pg_advisory_xact_lock_shared(7);
		END IF;
	END $$;
	INSERT INTO sync_operation_types (operation_type, handler, kind, backoff_base) VALUES
		('inside', 'public.work(jsonb)', 'transaction', '0'), ('outside', 'public.work(jsonb)', 'external', '0')});

my ($holder, $n) = (undef, 0);

sub hold
{
	$holder = $node->background_psql('postgres');
	$holder->query_safe('SELECT pg_advisory_lock(7)');
	return;
}

sub release { $holder->quit; return }

# Enqueue a task of each kind that waits, and ten behind them that do not; return when both wait.
sub begin_tasks
{
	$node->safe_psql('postgres', sprintf(q{
		SELECT sync_enqueue(kind, jsonb_build_object('n', %d, 'kind', kind, 'wait', true)) FROM unnest('{inside,outside}'::text[]) AS kind}, ++$n));
	ok($node->poll_query_until('postgres', q{SELECT count(*) = 2 FROM sync_stat_workers WHERE queue_id IS NOT NULL}), 'both workers are at work');
	$node->safe_psql('postgres', sprintf(q{
		SELECT sync_enqueue('inside', jsonb_build_object('n', n, 'kind', 'inside')) FROM generate_series(%d, %d) AS n}, $n + 1, $n + 10));
	$n += 10;
	return;
}

sub all_done
{
	my ($what) = @_;

	ok($node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM sync_queue'), "$what: no task is left");
	is($node->safe_psql('postgres', q{SELECT count(*) = count(DISTINCT n), count(DISTINCT n) FROM done WHERE kind = 'inside'}), "t|$n",
		"$what: those of kind transaction are done once");
	return;
}

for my $mode (qw(fast smart immediate))
{
	hold();
	begin_tasks();
	if ($mode eq 'smart')
	{
		# it waits for sessions, so nobody may hold the lock: the tasks end as well
		my $stop = IPC::Run::start([ 'pg_ctl', '-D', $node->data_dir, '-m', 'smart', '-w', 'stop' ], '>', \my $out, '2>&1');

		release();
		$stop->finish;
		is($stop->result(0), 0, 'smart: the server stops') or diag($out);
		$node->_update_pid(0);
	}
	else
	{
		my $begun = time;

		$node->stop($mode);
		cmp_ok(time - $begun, '<', 60, "$mode: the server stops, whatever its workers wait for");
		$holder->{run}->finish;
	}
	$node->start;
	all_done($mode);
}
is($node->safe_psql('postgres', q{SELECT count(DISTINCT n) FROM done WHERE kind = 'outside'}), '3', 'those of kind external are done at least once');
is($node->safe_psql('postgres', q{SELECT count(*) FROM sync_history WHERE queue_id IS NOT NULL AND (status NOT IN ('success', 'stuck') OR operation = 'inside' AND status <> 'success')}),
	'0', 'history says stuck of none but these');

# Drain: waits for what is at work, with nothing begun behind it

hold();
begin_tasks();
$node->safe_psql('postgres', 'SELECT sync_pause()');
my $late = $node->safe_psql('postgres', q{SELECT sync_enqueue('inside', jsonb_build_object('n', 1000, 'kind', 'late'))});
my $drain = start_sql($node, 'postgres', 'SELECT sync_drain()');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE query ~ '^SELECT sync_drain' AND state = 'active'}), 'drain waits');
is($node->safe_psql('postgres', q{SELECT sync_drain('100 ms')}), 'f', 'and says when that takes too long');
release();
is((finish_sql($drain))[0], 't', 'until nothing is at work');
is($node->safe_psql('postgres', "SELECT status FROM sync_queue WHERE queue_id = $late"), 'pending', 'what is paused is still there');
is($node->safe_psql('postgres', q{SELECT count(*) FROM sync_stat_workers WHERE queue_id IS NOT NULL}), '0', 'and nobody is at it');
$node->safe_psql('postgres', 'SELECT sync_resume()');
ok($node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM sync_queue'), 'until it is resumed');

$node->stop;
done_testing();
