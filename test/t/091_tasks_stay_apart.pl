# Tasks leave nothing to those that come after them in a worker, be it in the same
# transaction, and none that cannot be settled as usual holds up the queue.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $node = start_node('apart', q{
	shared_preload_libraries = 'sync_ext'
	sync_ext.workers = 1
	sync_ext.poll_interval = '1h'
});

$node->safe_psql('postgres', q{CREATE ROLE eve; CREATE ROLE bob});
$node->safe_psql('postgres', q{
	CREATE EXTENSION sync_ext;
	GRANT INSERT ON sync_queue TO eve, bob;
	CREATE TABLE parent (id int PRIMARY KEY);
	CREATE TABLE child (id int REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
	GRANT ALL ON parent, child TO eve, bob;
	INSERT INTO parent VALUES (1);
	CREATE FUNCTION nothing() RETURNS void LANGUAGE sql AS '';
	CREATE FUNCTION defer() RETURNS void LANGUAGE plpgsql AS 'BEGIN SET CONSTRAINTS ALL DEFERRED; END';
	CREATE FUNCTION refer() RETURNS void LANGUAGE sql AS 'INSERT INTO public.child VALUES (1)';
	CREATE FUNCTION look() RETURNS void LANGUAGE plpgsql AS $$DECLARE c CURSOR FOR SELECT 'of ' || current_user; BEGIN OPEN c; END$$;
	CREATE FUNCTION peep() RETURNS jsonb LANGUAGE plpgsql AS $$DECLARE c refcursor := 'c'; r text; BEGIN FETCH c INTO r; RETURN to_jsonb(r); END$$;
	CREATE FUNCTION lock() RETURNS void LANGUAGE sql AS 'SELECT pg_advisory_lock(7)';
	CREATE FUNCTION lock_and_fail() RETURNS void LANGUAGE plpgsql AS $$BEGIN PERFORM pg_advisory_lock(8, 8); RAISE EXCEPTION USING ERRCODE = '22012'; END$$;
	CREATE FUNCTION fail() RETURNS void LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION '%', repeat('ä', 1000000) USING ERRCODE = '40001'; END$$;
	CREATE FUNCTION fail_for_good() RETURNS void LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION USING ERRCODE = '22012'; END$$;
	INSERT INTO sync_operation_types (operation_type, handler)
	SELECT n, n || '()' FROM unnest('{nothing,defer,refer,look,peep,lock,lock_and_fail,fail,fail_for_good}'::text[]) AS n;
	UPDATE sync_operation_types SET backoff_base = '300000 years', backoff_cap = '300000 years' WHERE operation_type = 'fail'});
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM sync_stat_workers WHERE state = 'idle'}), 'a worker is idle');

# Have tasks performed in one batch: those before them have its size grow
sub perform_together
{
	my ($tasks) = @_;

	$node->safe_psql('postgres', qq{
		SELECT sync_pause();
		INSERT INTO sync_queue (operation_type, priority) SELECT 'nothing', 1 FROM generate_series(1, 100);
		$tasks});
	$node->safe_psql('postgres', 'SELECT sync_resume()');
	ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM sync_queue WHERE scheduled_time <= now()}), 'performed');
}

sub story
{
	my ($operation) = @_;

	return $node->safe_psql('postgres', qq{
		SELECT status, count(*) FROM sync_history WHERE operation = '$operation' AND status <> 'cancelled' GROUP BY 1 ORDER BY 1});
}

# What is set in a transaction is not for others, whose constraints are checked all the same

perform_together(q{
	SET ROLE bob;
	INSERT INTO sync_queue (operation_type) VALUES ('defer'), ('refer'), ('defer'), ('refer')});
is(story('refer'), 'success|2', 'constraints that a task before has deferred are checked at once');

# Cursors: neither do tasks of one role get in each other's way, nor does another read them

perform_together(q{
	SET ROLE bob;
	INSERT INTO sync_queue (operation_type) SELECT 'look' FROM generate_series(1, 5)});
is(story('look'), 'success|5', 'a cursor that was left open is closed');
perform_together(q{
	SET ROLE bob;
	INSERT INTO sync_queue (operation_type) VALUES ('look');
	SET ROLE eve;
	INSERT INTO sync_queue (operation_type) VALUES ('peep')});
is(story('peep'), 'failed|1', 'and not read by a task of another role');
$node->safe_psql('postgres', 'DELETE FROM sync_queue');

# In a session, whose own cursors stay, tasks of two roles share no transaction

$node->append_conf('postgresql.conf', 'sync_ext.workers = 0');
$node->reload;
ok($node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM sync_stat_workers'), 'the worker leaves');
$node->safe_psql('postgres', q{
	INSERT INTO sync_queue (operation_type, priority) SELECT 'nothing', 1 FROM generate_series(1, 100);
	SET ROLE bob;
	INSERT INTO sync_queue (operation_type) VALUES ('look');
	SET ROLE eve;
	INSERT INTO sync_queue (operation_type) VALUES ('peep')});
is($node->safe_psql('postgres', q{
	BEGIN;
	DECLARE mine CURSOR WITH HOLD FOR SELECT 'still there';
	COMMIT;
	CALL sync_process_queue();
	FETCH mine}), 'still there', 'cursors of the session stay');
is(story('peep'), 'failed|2', 'those of a task are not read in a session either');
$node->safe_psql('postgres', 'DELETE FROM sync_queue');
$node->append_conf('postgresql.conf', 'sync_ext.workers = 1');
$node->reload;

# Locks that last as long as the session

perform_together(q{INSERT INTO sync_queue (operation_type) VALUES ('lock'), ('lock'), ('lock_and_fail')});
is(story('lock'), 'success|2', 'locks were taken');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_locks WHERE locktype = 'advisory'}), 'and are released when tasks have ended');

# Retries stay within what a timestamp holds, and what is said within bounds

perform_together(q{INSERT INTO sync_queue (operation_type) VALUES ('fail')});
is($node->safe_psql('postgres', q{SELECT date_part('year', scheduled_time) FROM sync_queue}), '294276', 'tried again at the end of time');
is($node->safe_psql('postgres', q{SELECT octet_length(last_error), last_error ~ '^ä+$' FROM sync_queue}), '65536|t', 'a message is cut off between characters');
is($node->safe_psql('postgres', q{SELECT octet_length(error_message) FROM sync_history WHERE operation = 'fail'}), '65536', 'in history too');
$node->safe_psql('postgres', 'DELETE FROM sync_queue');

# A payload that is small as jsonb and as text more than a text can be

my $vast = q{(SELECT jsonb_agg('1e131071'::numeric) FROM generate_series(1, 8200))};

perform_together(qq{INSERT INTO sync_queue (operation_type, payload) VALUES ('fail_for_good', $vast)});
is(story('fail_for_good'), 'failed_permanent|1', 'a task fails for good that cannot be kept');
like($node->safe_psql('postgres', q{SELECT details FROM sync_history WHERE operation = 'fail_for_good'}), qr/^\{"not_kept": ".*"\}$/, 'history says why');
like(try_sql($node, 'postgres', q{SELECT sync_retry(queue_id) FROM sync_history WHERE operation = 'fail_for_good'}),
	qr/could be tried again/, 'it cannot be tried again');
is($node->safe_psql('postgres', qq{
	SELECT sync_pause();
	INSERT INTO sync_queue (operation_type, payload) VALUES ('nothing', $vast);
	DELETE FROM sync_queue;
	SELECT status FROM sync_history ORDER BY history_id DESC LIMIT 1}), "t\ncancelled", 'one that waits can be deleted');

# Numbers of tasks are handed out

$node->safe_psql('postgres', 'SELECT sync_resume()');
for my $number ('9223372036854775807', '-9223372036854775808', '0', '(SELECT max(queue_id) + 1 FROM sync_history)')
{
	my (undef, $error) = try_sql($node, 'postgres', qq{
		GRANT SELECT ON sync_history TO eve;
		SET ROLE eve;
		INSERT INTO sync_queue (queue_id, operation_type) VALUES ($number, 'nothing')});
	like($error, qr/22023: task -?\d+ has a number that was not handed out/, "$number is not taken before it is handed out");
}
is($node->safe_psql('postgres', q{SET ROLE eve; INSERT INTO sync_queue (operation_type, priority) SELECT 'nothing', n FROM generate_series(1, 3) AS n ORDER BY n DESC RETURNING 1}),
	"1\n1\n1", 'plain tasks have theirs');

# The rates of thousands of tenants

$node->safe_psql('postgres', q{
	INSERT INTO sync_operation_types (operation_type, handler, rate_limit, rate_interval, limits_per) VALUES ('rare', 'nothing()', 1, '1 day', 'tenant');
	INSERT INTO sync_queue (operation_type, timing_partner_id) SELECT 'rare', n % 3000 FROM generate_series(1, 6000) AS n});
ok($node->poll_query_until('postgres', q{SELECT count(DISTINCT timing_partner_id) = 3000 FROM sync_history WHERE operation = 'rare'}), 'each tenant has its turn');
$node->safe_psql('postgres', q{INSERT INTO sync_queue (operation_type, provider_name, priority) VALUES ('nothing', 'the last', 100)});
ok($node->poll_query_until('postgres', q{SELECT EXISTS (SELECT FROM sync_history WHERE subject = 'the last')}), 'nothing is due before the last one');
is($node->safe_psql('postgres', q{SELECT count(*) FROM sync_history WHERE operation = 'rare'}), '3000', 'and no more than one');

$node->stop;
done_testing();
