# Schedules on a real pg_cron: they fire when it was said, as the role that made
# them; who has no pg_cron, or no right to it, is told what to do.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $node = start_node('schedules', q{
	shared_preload_libraries = 'pg_cron'
	cron.database_name = 'runs'
	cron.use_background_workers = on
});
my ($out, $err);

# What pg_cron runs comes once a minute, which is as long as a poll waits.
sub wait_until
{
	my ($query, $what) = @_;

	return ok($node->poll_query_until('runs', $query) || $node->poll_query_until('runs', $query), $what);
}

sub schedules
{
	my ($columns, %more) = @_;

	($out, $err) = try_sql($node, 'runs', "SELECT $columns FROM sync.sync_schedules ORDER BY name", %more);
	return $out . $err;
}

$node->safe_psql('postgres', q{
	CREATE DATABASE runs;
	CREATE ROLE robot LOGIN;
	CREATE ROLE other LOGIN;
	CREATE EXTENSION sync_ext});
$node->safe_psql('runs', q{
	CREATE SCHEMA sync;
	CREATE EXTENSION sync_ext SCHEMA sync;
	GRANT USAGE ON SCHEMA sync TO robot, other;
	GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA sync TO robot, other;
	GRANT SELECT ON sync.sync_schedules TO robot, other});

# Where it cannot be

($out, $err) = try_sql($node, 'postgres', q{SELECT sync_schedule('x', '* * * * *', command => 'SELECT 1')});
like($err, qr/ERROR:  55000: pg_cron takes schedules in database "runs" only, and this is "postgres"\nHINT:  Set cron.database_name = 'postgres'/,
	'another database than that of pg_cron is told so');
($out, $err) = try_sql($node, 'runs', q{SELECT sync.sync_schedule('x', '* * * * *', command => 'SELECT 1')});
like($err, qr/ERROR:  55000: extension "pg_cron" does not exist in this database\nHINT:  Run CREATE EXTENSION pg_cron/,
	'a database without the extension is told so');
$node->safe_psql('runs', 'CREATE EXTENSION pg_cron');
($out, $err) = try_sql($node, 'runs', q{SELECT sync.sync_schedule('x', '* * * * *', command => 'SELECT 1')}, user => 'robot');
like($err, qr/ERROR:  42501: permission denied for pg_cron\nDETAIL:  Role "robot" /, 'so is a role without rights');
my ($grant) = $err =~ /Have a superuser run: (.*)\./;
$node->safe_psql('runs', $grant);

# A schedule fires as its role, when it was said: not while it is looked at, so
# that this has to be within a minute

wait_until('SELECT extract(second FROM clock_timestamp()) BETWEEN 5 AND 45', 'pg_cron is past the start of a minute');
$node->safe_psql('runs', q{CREATE TABLE fired (who text, at timestamptz); GRANT INSERT, SELECT ON fired TO robot});
($out, $err) = try_sql($node, 'runs', q{
	SELECT sync.sync_schedule('each minute', '* * * * *', command => 'INSERT INTO public.fired VALUES (current_user, clock_timestamp())');
	SELECT sync.sync_schedule('it''s "broken"', '* * * * *', command => 'SELECT 1/0')}, user => 'robot');
is($err, '', 'a role with rights can schedule');
$node->safe_psql('runs', q{SELECT sync.sync_schedule('history retention', '* * * * *', command => 'SELECT sync.sync_purge_history()')});
my $soon = $node->safe_psql('runs', q{SELECT next_run FROM sync.sync_schedules WHERE name = 'each minute'});
is(schedules('name, schedule, run_as, active, last_run, next_run > now()', user => 'robot'),
	"each minute|* * * * *|robot|t||t\nit's \"broken\"|* * * * *|robot|t||t", 'the view has what was scheduled');
wait_until(q{SELECT count(*) > 0 FROM fired}, 'a schedule fires');
is($node->safe_psql('runs', 'SELECT DISTINCT who FROM fired'), 'robot', 'as the role that made it');
like($node->safe_psql('runs', qq{SELECT min(at) - '$soon' FROM fired}), qr/^00:00:0/, 'at the time that it was said to be due');
wait_until(q{SELECT count(*) = 3 FROM sync.sync_schedules WHERE last_status IN ('succeeded', 'failed')}, 'pg_cron tells how it went');
is(schedules(q{name, last_run >= '} . $soon . q{', last_status, last_message, next_run > last_run}, user => 'robot'),
	"each minute|t|succeeded|INSERT 0 1|t\nit's \"broken\"|t|failed|ERROR: division by zero|t",
	'and so does the view');
is($node->safe_psql('runs', q{SELECT operation, run_by = current_user, status FROM sync.sync_history}),
	'purge|t|success', 'history is purged by the clock');
is($node->safe_psql('runs', q{SELECT count(*) FROM fired WHERE (SELECT next_run FROM sync.sync_schedules WHERE name = 'each minute')
	<> sync.sync_next_run('* * * * *')}), '0', 'the next run is worked out');

# Roles and names

($out, $err) = try_sql($node, 'runs', q{
	SELECT sync.sync_schedule('each minute', '0 5 * * 1', 'load', '{"a": "it''s"}', 7, 8, 'rsu', 'push', 2);
	SELECT sync.sync_schedule('each minute', '0 6 * * 1', 'load', '{"a": "it''s \\\\ "}', 7, 8, 'rsu', 'push', 2)}, user => 'other');
like($err, qr/permission denied for pg_cron/, 'rights are asked of each role');
$node->safe_psql('runs', 'GRANT USAGE ON SCHEMA cron TO other');
($out, $err) = try_sql($node, 'runs', q{
	SELECT sync.sync_schedule('each minute', '0 5 * * 1', command => 'SELECT 1');
	SELECT sync.sync_schedule('each minute', '0 6 * * 1', 'load', '{"a": "it''s \\\\ "}', 7, 8, 'rsu', 'push', 2)}, user => 'other');
is(schedules('name, schedule, command, run_as', user => 'other'),
	q{each minute|0 6 * * 1|SELECT sync.sync_enqueue('load', payload => E'{"a": "it''s \\\\\\\\ "}', timing_partner_id => '7', event_id => '8',}
	  . q{ provider_name => 'rsu', sync_direction => 'push', priority => '2', unique_key => 'schedule "each minute" of other')|other},
	'the same name takes the place of that role\'s own, and is another one\'s for another role');
is(schedules('name', user => 'robot'), "each minute\nit's \"broken\"", 'a role sees its own');
is($node->safe_psql('runs', 'SELECT count(*) FROM sync.sync_schedules'), '4', 'a superuser sees all');
($out, $err) = try_sql($node, 'runs', q{SELECT sync.sync_unschedule('it''s "broken"')}, user => 'other');
like($err, qr/ERROR:  42704: schedule "it's "broken"" of role "other" does not exist/, 'a role cannot unschedule another one\'s');
($out, $err) = try_sql($node, 'runs', q{SELECT sync.sync_unschedule('it''s "broken"')}, user => 'robot');
is(schedules('name', user => 'robot'), 'each minute', 'but its own');

# A job of pg_cron that is none of ours, or was changed behind our back

$node->safe_psql('runs', q{
	SELECT cron.schedule('mine', '* * * * *', 'SELECT 1');
	SELECT cron.schedule('nightly-vacuum', '0 3 * * *', 'VACUUM');
	SELECT cron.alter_job((SELECT jobid FROM cron.job WHERE username = 'other'), active => false)});
is($node->safe_psql('runs', q{SELECT name, active, next_run - now() < '1 minute' FROM sync.sync_schedules ORDER BY name, run_as}),
	"each minute|f|\neach minute|t|t\nhistory retention|t|t",
	'what pg_cron has beside is left alone, and what it does not run is not due');

# What the version of pg_cron does not have

my $new = $node->safe_psql('runs', q{SELECT EXISTS (SELECT FROM pg_settings WHERE name = 'cron.launch_active_jobs')}) eq 't';
for my $schedule ('30 seconds', '0 0 $ * *')
{
	($out, $err) = try_sql($node, 'runs', "SELECT sync.sync_schedule('new', '$schedule', command => 'SELECT 1')");
	$new
	  ? is($err, '', "\"$schedule\" is taken")
	  : like($err, qr/ERROR:  0A000: schedule "\Q$schedule\E" needs a newer pg_cron/, "\"$schedule\" is refused by name");
}
$node->safe_psql('runs', q{SELECT sync.sync_unschedule('new')}) if $new;

# The schedules to begin with

is($node->safe_psql('runs', 'SELECT sync.sync_schedule_defaults()'),
	"event discovery\nparticipants\nresults\nathletes\nstuck clean-up", 'the defaults that are not there are added');
is($node->safe_psql('runs', 'SELECT sync.sync_schedule_defaults()'), '', 'once');
is($node->safe_psql('runs', q{SELECT name, schedule FROM sync.sync_schedules WHERE run_as <> 'robot' AND run_as <> 'other' ORDER BY name}),
	"athletes|0 2 * * *\nevent discovery|0 2 * * *\nhistory retention|* * * * *\nparticipants|0 */4 * * *\nresults|*/30 * * * *\nstuck clean-up|*/15 * * * *",
	'and what is there stays as it is');

$node->stop;
done_testing();
