# pg_upgrade is not held up by workers, and takes the queue along: tasks, operation
# types, pauses, history and schedules of retries; the new cluster goes on with them.
# (Old and new cluster are of one version here, which pg_upgrade does as well.)

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $conf = q{
	shared_preload_libraries = 'sync_ext'
	sync_ext.databases = 'app'
	sync_ext.workers = 2
};
my $old = start_node('old', $conf);

$old->safe_psql('postgres', 'CREATE ROLE alice; CREATE DATABASE app');
$old->safe_psql('app', q{
	CREATE SCHEMA sync;
	CREATE EXTENSION sync_ext SCHEMA sync;
	CREATE TABLE done (n int, by text DEFAULT current_user);
	GRANT INSERT ON done TO alice;
	GRANT USAGE ON SCHEMA sync TO alice;
	GRANT EXECUTE ON FUNCTION sync.sync_enqueue TO alice;
	CREATE FUNCTION work(payload jsonb) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		INSERT INTO public.done VALUES ((payload ->> 'n')::int);
		IF payload ? 'fail' THEN
			RAISE 'not today' USING ERRCODE = '40001';
		END IF;
	END $$;
	INSERT INTO sync.sync_operation_types (operation_type, handler, backoff_base)
	VALUES ('work', 'public.work(jsonb)', '1 h'), ('held', 'public.work(jsonb)', '1 h');
	SET ROLE alice;
	SELECT sync.sync_enqueue('work', '{"n": 1}');
	SELECT sync.sync_enqueue('work', '{"n": 2, "fail": true}', unique_key => 'two', timing_partner_id => 7);
	RESET ROLE;
	SELECT sync.sync_pause(operation_type => 'held');
	SET ROLE alice;
	SELECT sync.sync_enqueue('held', '{"n": 3}', provider_name => 'rsu')});
ok($old->poll_query_until('app', q{SELECT count(*) = 2 FROM sync.sync_history WHERE queue_id IS NOT NULL}), 'the old cluster performs tasks');
ok($old->poll_query_until('app', q{SELECT count(*) = 2 FROM pg_stat_activity WHERE backend_type = 'sync worker' AND datname = 'app'}),
	'and has workers');

my @queries = (
	'SELECT queue_id, operation_type, payload, run_as, status, attempt, priority, unique_key, timing_partner_id, scheduled_time, last_error FROM sync.sync_queue ORDER BY 1',
	'SELECT * FROM sync.sync_history ORDER BY history_id',
	'SELECT operation_type, handler, backoff_base FROM sync.sync_operation_types ORDER BY 1',
	'SELECT provider_name, operation_type, paused_by FROM sync.sync_queue_pauses',
	'SELECT extversion, extnamespace::regnamespace FROM pg_extension WHERE extname = $$sync_ext$$');
my @before = map { $old->safe_psql('app', "SET TimeZone = 'UTC'; $_") } @queries;
$old->stop('smart');
pass('a smart shutdown is not held up by idle workers');

my $new = PostgreSQL::Test::Cluster->new('new');
$new->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$new->append_conf('postgresql.conf', $conf);
my $bindir = $old->config_data('--bindir');

chdir $PostgreSQL::Test::Utils::tmp_check or die $!;
command_ok(
	[
		'pg_upgrade', '--no-sync', '-d', $old->data_dir, '-D', $new->data_dir, '-b', $bindir, '-B', $bindir,
		'-s', $new->host, '-p', $old->port, '-P', $new->port
	],
	'pg_upgrade takes the cluster');
$new->start;
is($new->safe_psql('app', "SET TimeZone = 'UTC'; $queries[$_]"), $before[$_], "the same: $queries[$_]") for 0 .. $#queries;

ok($new->poll_query_until('app', q{SELECT count(*) = 2 FROM pg_stat_activity WHERE backend_type = 'sync worker' AND datname = 'app'}),
	'the new cluster has workers');
$new->safe_psql('app', q{SELECT sync.sync_resume(operation_type => 'held'); SELECT sync.sync_retry(queue_id) FROM sync.sync_queue WHERE unique_key = 'two'});
ok($new->poll_query_until('app', q{SELECT count(*) = 1 FROM sync.sync_history WHERE operation = 'held' AND status = 'success' AND run_by = 'alice'}),
	'they perform what was held back');
ok($new->poll_query_until('app', q{SELECT array_agg(attempt ORDER BY history_id) = '{1,2}' FROM sync.sync_history WHERE timing_partner_id = 7}),
	'and go on counting attempts');
is($new->safe_psql('app', 'SELECT n, by FROM done ORDER BY n'), "1|alice\n3|alice", 'as the same role');

$new->stop;
done_testing();
