# The limits of an operation type hold for all workers together, and what waits for
# them holds up nothing else.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $node = start_node('limits', q{
	shared_preload_libraries = 'sync_ext'
	sync_ext.workers = 4
	max_worker_processes = 20});

$node->safe_psql('postgres', q{
	CREATE EXTENSION sync_ext;
	CREATE TABLE span (kind text, during tstzrange);
	CREATE FUNCTION take_time(payload jsonb) RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		start timestamptz := clock_timestamp();
	BEGIN
		PERFORM pg_sleep(0.05);
		INSERT INTO public.span VALUES (payload ->> 'kind', tstzrange(start, clock_timestamp()));
	END$$;
	INSERT INTO sync_operation_types (operation_type, handler, kind, max_running, rate_limit, rate_interval, limits_per) VALUES
		('one', 'take_time(jsonb)', 'external', 1, NULL, '1 s', 'type'),
		('two', 'take_time(jsonb)', 'external', 2, NULL, '1 s', 'type'),
		('each', 'take_time(jsonb)', 'external', 1, NULL, '1 s', 'tenant'),
		('rated', 'take_time(jsonb)', 'transaction', NULL, 4, '400 ms', 'type'),
		('free', 'take_time(jsonb)', 'external', NULL, NULL, '1 s', 'type')});
ok($node->poll_query_until('postgres', 'SELECT count(*) = 4 FROM sync_stat_workers'), 'there are four workers');
$node->safe_psql('postgres', q{SELECT sync_pause();
	INSERT INTO sync_queue (operation_type, payload, timing_partner_id)
	SELECT kind, jsonb_build_object('kind', kind), n % 2 FROM generate_series(1, 12) AS n, unnest('{one,two,each,rated,free}'::text[]) AS kind});
$node->safe_psql('postgres', 'SELECT sync_resume()');
ok($node->poll_query_until('postgres', 'SELECT count(*) = 60 FROM span'), 'all tasks are performed');

# How many of a kind were at work at once, at most: at the start of one of them.
sub at_once
{
	my ($kind) = @_;

	return $node->safe_psql('postgres', qq{SELECT max(n) FROM (SELECT count(*) AS n FROM span a JOIN span b
		ON b.kind = a.kind AND b.during @> lower(a.during) WHERE a.kind = '$kind' GROUP BY a.during) AS counted});
}

is(at_once('one'), '1', 'one at a time where that is the limit');
cmp_ok(at_once('two'), '<=', 2, 'two where that is');
cmp_ok(at_once('each'), '<=', 2, 'one of each tenant where that is');
is($node->safe_psql('postgres', q{SELECT count(*) FROM span a WHERE kind = 'rated' AND (SELECT count(*) FROM span b WHERE b.kind = 'rated'
	AND lower(b.during) >= lower(a.during) AND lower(b.during) < lower(a.during) + '350 ms') > 8}), '0', 'no more in an interval than may be begun');
is($node->safe_psql('postgres', q{SELECT (SELECT max(upper(during)) FROM span WHERE kind = 'free') < (SELECT max(upper(during)) FROM span WHERE kind = 'one')}),
	't', 'and others are not held up');

$node->stop;
done_testing();
