# A task runs as the role that put it there, and cannot become another, by
# whatever it tries; and nobody acts through another's task.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $node = start_node('escape', q{
	shared_preload_libraries = 'sync_ext'
	sync_ext.workers = 1});
my ($out, $err);

$node->safe_psql('postgres', q{
	CREATE ROLE mallory LOGIN;
	CREATE ROLE alice LOGIN;
	CREATE EXTENSION sync_ext;
	CREATE SCHEMA mallory AUTHORIZATION mallory;
	CREATE SCHEMA alice AUTHORIZATION alice;
	CREATE TABLE secret (i int);
	GRANT EXECUTE ON FUNCTION sync_enqueue, sync_cancel, sync_retry TO mallory, alice;
	GRANT SELECT, INSERT, UPDATE, DELETE ON sync_queue TO mallory, alice;
	CREATE FUNCTION who() RETURNS jsonb LANGUAGE sql AS
		$$SELECT jsonb_build_object('user', current_user, 'path', current_setting('search_path'))$$;
	CREATE FUNCTION private() RETURNS void LANGUAGE sql AS 'SELECT';
	REVOKE ALL ON FUNCTION private() FROM PUBLIC;
	INSERT INTO sync_operation_types (operation_type, handler, max_attempts) VALUES ('who', 'who()', 1), ('private', 'private()', 1)});

# Perform a task as that role, and give its status, SQLSTATE and details.
sub perform
{
	my ($role, $type) = @_;
	my $id = $node->safe_psql('postgres', "SELECT sync_enqueue('$type')", extra_params => [ '-U', $role ]);

	$node->poll_query_until('postgres', "SELECT count(*) > 0 FROM sync_history WHERE queue_id = $id") or die;
	return $node->safe_psql('postgres',
		"SELECT status, error_sqlstate, CASE WHEN status = 'success' THEN details END FROM sync_history WHERE queue_id = $id");
}

is(perform('mallory', 'who'), 'success||{"path": "pg_catalog, pg_temp", "user": "mallory"}',
	'a task runs as who put it there, with a pinned search_path');
is(perform('alice', 'who'), 'success||{"path": "pg_catalog, pg_temp", "user": "alice"}', 'and so does that of another');
is(perform('mallory', 'private'), 'failed_permanent|42501|', 'it calls no function that the role may not call');

# What a handler of mallory's tries

my %tries = (
	'SET ROLE postgres' => '42501',
	'SET LOCAL ROLE postgres' => '42501',
	'RESET ROLE' => '42501',
	'SET SESSION AUTHORIZATION postgres' => '42501',
	'RESET SESSION AUTHORIZATION' => '42501',
	q{SELECT set_config('role', 'postgres', false)} => '42501',
	q{SELECT set_config('session_authorization', 'postgres', false)} => '42501',
	'INSERT INTO public.secret VALUES (1)' => '42501',
	'INSERT INTO public.sync_history (operation) VALUES (1)' => '42501',
	'CREATE TEMP TABLE pg_class (i int)' => '42501',
	'COMMIT' => '2D000',
	'ROLLBACK' => '2D000',
	q{DO 'BEGIN COMMIT; END'} => '2D000',
	'CALL public.sync_process_queue()' => '42501',
	'SET CONSTRAINTS ALL DEFERRED; INSERT INTO mallory.deferred VALUES (1)' => '42501',
);

$node->safe_psql('postgres', q{
	CREATE FUNCTION mallory.steal() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.secret VALUES (7); RETURN NULL; END';
	CREATE TABLE mallory.deferred (i int);
	CREATE CONSTRAINT TRIGGER steal AFTER INSERT ON mallory.deferred DEFERRABLE INITIALLY DEFERRED
		FOR EACH ROW EXECUTE FUNCTION mallory.steal()}, extra_params => [ '-U', 'mallory' ]);
for my $statement (sort keys %tries)
{
	$node->safe_psql('postgres', qq{
		CREATE OR REPLACE FUNCTION mallory.try() RETURNS void LANGUAGE plpgsql AS \$f\$BEGIN
			EXECUTE \$s\$ $statement \$s\$; END\$f\$});
	$node->safe_psql('postgres', q{DELETE FROM sync_operation_types WHERE operation_type = 'try';
		INSERT INTO sync_operation_types (operation_type, handler, max_attempts) VALUES ('try', 'mallory.try()', 1)});
	like(perform('mallory', 'try'), qr/^failed_permanent\|(?:$tries{$statement}|0A000)\|$/, "it cannot: $statement");
}
$node->safe_psql('postgres', q{
	CREATE OR REPLACE FUNCTION mallory.try() RETURNS void LANGUAGE sql AS 'INSERT INTO mallory.deferred VALUES (1)'});
is(perform('mallory', 'try'), 'failed_permanent|42501|', 'a deferred trigger fires at once, as the role of the task');
is($node->safe_psql('postgres', 'SELECT count(*) FROM secret'), '0', 'nothing got through');

# What is left behind reaches no one else's task

$node->safe_psql('postgres', q{
	CREATE FUNCTION mallory.jsonb_build_object(text, name, text, text) RETURNS jsonb LANGUAGE sql AS $$SELECT '"planted"'::jsonb$$;
	GRANT USAGE ON SCHEMA mallory TO PUBLIC;
	CREATE OR REPLACE FUNCTION mallory.try() RETURNS void LANGUAGE sql AS
		$$SELECT set_config('search_path', 'mallory, pg_catalog', false), set_config('application_name', 'mine', false),
			set_config('session_replication_role', 'origin', false) WHERE false;
		SELECT set_config('search_path', 'mallory, pg_catalog', false), set_config('work_mem', '64kB', false)$$});
is(perform('mallory', 'try'), 'success||', 'settings can be changed');
is(perform('alice', 'who'), 'success||{"path": "pg_catalog, pg_temp", "user": "alice"}', 'and are set back before the next task');

# Whose task it is

$node->safe_psql('postgres', q{SELECT sync_pause()});
my $id = $node->safe_psql('postgres', q{SELECT sync_enqueue('who')}, extra_params => [ '-U', 'alice' ]);
for my $statement (
	"UPDATE sync_queue SET payload = '{}' WHERE queue_id = $id",
	"UPDATE sync_queue SET run_as = 'mallory' WHERE queue_id = $id",
	"UPDATE sync_queue SET operation_type = 'private' WHERE queue_id = $id",
	"UPDATE sync_queue SET status = 'cancelled' WHERE queue_id = $id",
	"DELETE FROM sync_queue WHERE queue_id = $id",
	"SELECT sync_cancel($id)",
	"SELECT sync_retry($id)",
	"INSERT INTO sync_queue (operation_type, run_as) VALUES ('who', 'postgres')",
	"INSERT INTO sync_queue (operation_type, run_as) VALUES ('who', 'alice')",
	"TRUNCATE sync_queue")
{
	($out, $err) = try_sql($node, 'postgres', $statement, user => 'mallory');
	like($err, qr/ERROR:  (?:42501|55000): /, "another cannot: $statement");
}
($out, $err) = try_sql($node, 'postgres', "UPDATE sync_queue SET run_as = 'postgres' WHERE queue_id = $id", user => 'alice');
like($err, qr/ERROR:  55000: cannot change "run_as" of a task/, 'nor the role itself make it run as another');
($out, $err) = try_sql($node, 'postgres', "UPDATE sync_queue SET attempt = 0, lease_until = now(), worker_pid = 1, status = 'running'", user => 'alice');
like($err, qr/ERROR:  55000: /, 'or as running');
is($node->safe_psql('postgres', "SELECT sync_cancel($id)", extra_params => [ '-U', 'alice' ]), 't', 'it cancels its own');

# SECURITY DEFINER bait: what a privileged function enqueues runs as that function's owner,
# and what it is given is data

$node->safe_psql('postgres', q{
	SELECT sync_resume();
	CREATE FUNCTION front(p jsonb) RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = public
		AS $$SELECT sync_enqueue('who', p)$$});
my $front = $node->safe_psql('postgres', q{SELECT front('{"user": "mallory"}')}, extra_params => [ '-U', 'mallory' ]);
ok($node->poll_query_until('postgres', qq{SELECT count(*) = 1 FROM sync_history WHERE queue_id = $front AND details ->> 'user' = 'postgres'
	AND run_by = 'postgres'}), 'a definer function enqueues as its owner, just what it says');

# A role that is gone

$node->safe_psql('postgres', 'CREATE ROLE leaver LOGIN; GRANT EXECUTE ON FUNCTION sync_enqueue TO leaver');
$id = $node->safe_psql('postgres', q{SELECT sync_enqueue('who', scheduled_time => now() + interval '1 hour')}, extra_params => [ '-U', 'leaver' ]);
$node->safe_psql('postgres', 'DROP OWNED BY leaver; DROP ROLE leaver');
$node->safe_psql('postgres', "UPDATE sync_queue SET scheduled_time = now() WHERE queue_id = $id");
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM sync_history WHERE queue_id = $id AND status = 'failed_permanent' AND error_sqlstate = '42704'"),
	'the task of a role that was dropped runs as nobody');

$node->stop;
done_testing();
