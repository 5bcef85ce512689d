# What workers are at is to be seen; idle they use no CPU; tasks share commits, but not
# too many; and the shipped handler of reconciliation does what it says.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $node = start_node('seen', q{
	shared_preload_libraries = 'sync_ext'
	sync_ext.workers = 1
	sync_ext.poll_interval = '1h'
	autovacuum = off
});
my $as_seen = q{SELECT application_name, backend_type, query, state FROM pg_stat_activity WHERE backend_type LIKE 'sync %' ORDER BY 2};

create_football($node, 'postgres');
$node->safe_psql('postgres', q{
	CREATE EXTENSION sync_ext;
	CREATE FUNCTION wait() RETURNS void LANGUAGE sql AS 'SELECT pg_advisory_xact_lock(7)';
	CREATE TABLE done (n int, transaction xid8 DEFAULT pg_current_xact_id(), at timestamptz DEFAULT clock_timestamp(), due timestamptz);
	CREATE FUNCTION note(id bigint, payload jsonb) RETURNS void LANGUAGE sql
		AS $$INSERT INTO public.done (n, due) VALUES (id, (payload ->> 'due')::timestamptz)$$;
	INSERT INTO sync_operation_types (operation_type, handler) VALUES ('wait', 'wait()'), ('note', 'note(bigint, jsonb)')});
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM sync_stat_workers WHERE state = 'idle'}), 'a worker is idle');
like($node->safe_psql('postgres', $as_seen), qr/^sync launcher\|sync launcher\|.*\nsync worker\|sync worker\|.*\|idle$/, 'the server has names for launcher and worker');

SKIP:
{
	skip 'wait events of extensions are named from version 17 on', 1
	  if $node->safe_psql('postgres', 'SHOW server_version_num') < 170000;
	is($node->safe_psql('postgres', q{SELECT wait_event FROM pg_stat_activity WHERE backend_type LIKE 'sync %' ORDER BY backend_type}),
		"SyncLauncherIdle\nSyncWorkerIdle", 'and for what they wait for');
}

# Idle it uses no CPU, as Linux counts it

SKIP:
{
	skip 'there is no /proc', 1 unless -e "/proc/$$/stat";
	my $pid = $node->safe_psql('postgres', 'SELECT pid FROM sync_stat_workers');
	my $used = sub { my @f = split ' ', slurp_file("/proc/$pid/stat") =~ s/.*\) //sr; return $f[11] + $f[12] };
	my $before = $used->();

	$node->safe_psql('postgres', 'SELECT pg_sleep(3)');
	cmp_ok($used->() - $before, '<=', 1, 'idle it uses no CPU');
}

# At work

my $holder = $node->background_psql('postgres');
$holder->query_safe('SELECT pg_advisory_lock(7)');
my $id = $node->safe_psql('postgres', q{SELECT sync_enqueue('wait')});
ok($node->poll_query_until('postgres', qq{SELECT count(*) = 1 FROM sync_stat_workers WHERE state = 'performing' AND queue_id = $id AND task_since <= now()}),
	'at work it is seen, and at which task');
is($node->safe_psql('postgres', q{SELECT query, state, wait_event_type FROM pg_stat_activity WHERE backend_type = 'sync worker'}),
	"sync_ext: wait, from task $id|active|Lock", 'to the server, too, and what it waits for');

# Tasks share commits, fewer than 64 each, as long as they are quick

$node->safe_psql('postgres', q{INSERT INTO sync_queue (operation_type) SELECT 'note' FROM generate_series(1, 2000)});
$holder->quit;
ok($node->poll_query_until('postgres', 'SELECT count(*) = 2000 FROM done'), 'many tasks are performed');
is($node->safe_psql('postgres', q{SELECT max(tasks) BETWEEN 2 AND 63, sum(tasks) FROM (SELECT count(*) AS tasks FROM done GROUP BY transaction) AS t}),
	't|2000', 'of which some share a commit, but never more than 63');
is($node->safe_psql('postgres', q{SELECT max_val FROM pg_settings WHERE name = 'sync_ext.batch_size'}), '63', 'whatever the settings say');

# Those that are due later are begun when they are due

$node->safe_psql('postgres', q{
	TRUNCATE done;
	INSERT INTO sync_queue (operation_type, scheduled_time, payload)
	SELECT 'note', t, jsonb_build_object('due', t)
	FROM generate_series(1, 20) AS n, LATERAL (SELECT clock_timestamp() + n * interval '150 ms' AS t) AS s});
ok($node->poll_query_until('postgres', 'SELECT count(*) = 20 FROM done'), 'tasks of the next seconds are performed');
is($node->safe_psql('postgres', 'SELECT count(*) FROM done WHERE at < due'), '0', 'none before its time');
cmp_ok($node->safe_psql('postgres', q{SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM at - due)) * 1000 FROM done}), '<', 100,
	'and at most of them within 100 ms of it');

# The handler of reconciliation

$node->safe_psql('postgres', q{
	UPDATE sync_operation_types SET search_path = 'public' WHERE operation_type = 'progress';
	SELECT sync_enqueue('progress', '{"competition": "EPL"}')});
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM sync_history WHERE operation = 'progress' AND queue_id IS NOT NULL AND status = 'success'
	AND details ->> 'report' LIKE '%EPL%'}), 'a task reconciles progress');
is($node->safe_psql('postgres', q{SELECT competition_id, status, seasons_discovered FROM competition_progress}), 'EPL|completed|2', 'as it was told to');

$node->stop;
done_testing();
