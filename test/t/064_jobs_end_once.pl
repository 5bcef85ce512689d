# Tasks of several jobs that several sessions perform at the same time: each job
# ends when its last task does, and none waits for another in a circle.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $node = start_node('ends', 'sync_ext.job_limit_active = -1');

$node->safe_psql('postgres', q{
	CREATE EXTENSION sync_ext;
	CREATE FUNCTION count_up(payload jsonb) RETURNS void LANGUAGE sql SET search_path = public AS
		'SELECT sync_set_job_progress((payload ->> ''job'')::uuid, games_found => (payload ->> ''n'')::int)';
	INSERT INTO sync_operation_types (operation_type, handler, kind) VALUES
		('count', 'public.count_up(jsonb)', 'transaction'), ('count_external', 'public.count_up(jsonb)', 'external');
	SET sync_ext.job_limit_hourly = -1;
	INSERT INTO sync_jobs (platform, username) SELECT 'lichess', n::text FROM generate_series(1, 10) AS n;
	INSERT INTO sync_queue (operation_type, payload, sync_job_id, timing_partner_id)
	SELECT CASE WHEN n % 10 = 0 THEN 'count_external' ELSE 'count' END, jsonb_build_object('job', id, 'n', n), id, n % 7
	FROM sync_jobs, generate_series(1, 60) AS n ORDER BY random()});

my @sessions = map { start_sql($node, 'postgres', 'CALL sync_process_queue(100000)') } 1 .. 4;
is((finish_sql($_))[1], '', 'a session processes the queue') for @sessions;
is($node->safe_psql('postgres', 'SELECT status, count(*), min(games_found), max(games_found) FROM sync_jobs GROUP BY 1'),
	'completed|10|60|60', 'every job is completed, with its last task');
is($node->safe_psql('postgres', 'SELECT status, max(attempt), count(*) FROM sync_history GROUP BY 1'),
	'success|1|600', 'and every task was performed once, at the first attempt');
is($node->safe_psql('postgres', q{SELECT count(*) FROM sync_jobs AS j
		WHERE (SELECT max(started_at + duration) FROM sync_history AS h WHERE h.sync_job_id = j.id) > completed_at + interval '1 second'}),
	'0', 'none was completed before');

$node->stop;
done_testing();
