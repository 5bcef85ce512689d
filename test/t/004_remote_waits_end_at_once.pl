# A session that waits for a foreign server can be cancelled, timed out and ended
# at once, whatever it waits for, and then leaves nothing running there.

use strict;
use warnings;

use IO::Socket::INET;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;
use Time::HiRes qw(sleep time);

my $local = start_node('local');
my $remote = start_node('remote');
my %server = (host => $remote->host, port => $remote->port, dbname => 'sport');
my $mute = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5)
  or die "no socket: $!";
my $state = q{
	SELECT competition_id, status, seasons_discovered FROM competition_progress
	UNION ALL SELECT competition_id, status, clubs_saved FROM season_progress ORDER BY 1, 2, 3};

create_football($local, 'sport');
create_football($remote, 'sport');
$local->safe_psql('sport', 'CREATE EXTENSION sync_ext');
add_server($local, 'sport', 'staging', %server);
add_server($local, 'sport', 'mute',
	host => '127.0.0.1',
	port => $mute->sockport,
	connect_timeout => 0);

# The evidence of this one takes a minute to read.
$remote->safe_psql(
	'sport', q{
	CREATE SCHEMA slow;
	CREATE VIEW slow.teams AS
		SELECT t.* FROM public.teams t, LATERAL (SELECT pg_sleep(60), t.competition_id) s});
add_server($local, 'sport', 'slow', %server, options => '-c search_path=slow,public');

my $before = $remote->safe_psql('sport', $state);

# What a waiting session can be met with, and the SQLSTATE that it then ends with.
my $stop = sub {
	my ($function) = @_;
	return sub {
		$local->safe_psql('postgres',
			"SELECT $function(pid) FROM pg_stat_activity WHERE application_name = 'run'");
	};
};
my @ends = (
	[ 'pg_cancel_backend', '', $stop->('pg_cancel_backend'), '57014' ],
	[ 'statement_timeout', q{SET statement_timeout = '2s';}, sub { }, '57014' ],
	[ 'pg_terminate_backend', '', $stop->('pg_terminate_backend'), '57P01' ]);

sub remote_sessions
{
	return "SELECT count(*) = $_[0] FROM pg_stat_activity WHERE application_name = 'sync_ext'";
}

# Start a call that waits, end it in each way, and see that it ends.
sub waits_end
{
	my ($what, $call, $is_waiting, %more) = @_;

	for my $end (@ends)
	{
		my ($name, $setting, $act, $sqlstate) = @$end;

		next if $setting ne '' && !$more{timed};

		$local->safe_psql('sport', 'TRUNCATE sync_history');
		my $session = start_sql($local, 'sport', "$setting SELECT * FROM $call", app => 'run');
		wait_until_waiting($local, 'run', 'Extension');
		$is_waiting->();

		$act->();
		my $started = time;
		my ($out, $err) = finish_sql($session);
		cmp_ok(time - $started, '<', PROMPT_S, "$what: $name ends the wait");
		like($err, qr/(ERROR|FATAL):  $sqlstate: /, "$what: $name is what the user is told");
		ok($remote->poll_query_until('postgres', remote_sessions(0)),
			"$what: $name leaves no session on the server");
		is($remote->safe_psql('sport', $state), $before, "$what: $name leaves nothing written there");
		is( $local->safe_psql('sport', 'SELECT status, error_sqlstate FROM sync_history'),
			$call =~ /false/ ? "failed|$sqlstate" : '',
			"$what: $name is in history if the run was to write");
	}
	return;
}

# While connecting

waits_end('connecting', q{sync_progress(environment => 'mute')}, sub { }, timed => 1);
waits_end('connecting to write', q{sync_progress(false, environment => 'mute')}, sub { });

# While a query runs there

my $asleep = sub {
	$remote->poll_query_until('postgres', q{
		SELECT count(*) = 1 FROM pg_stat_activity
		WHERE application_name = 'sync_ext' AND wait_event = 'PgSleep'})
	  or die 'no query is under way';
};
waits_end('a slow query', q{sync_progress(environment => 'slow')}, $asleep);
waits_end('a slow drift', q{sync_progress_drift(environment => 'slow')}, $asleep);
waits_end('a slow analysis', q{sync_progress_analyze('slow')}, $asleep);
waits_end('a slow run', q{sync_progress(false, environment => 'slow')}, $asleep, timed => 1);

# While it waits there for a lock, with a part of its work done

my $blocker = $remote->background_psql('sport');
my $blocked = sub { wait_until_waiting($remote, 'sync_ext') };
my $run = q{sync_progress(false, environment => 'staging')};

$blocker->query_safe(q{BEGIN; UPDATE season_progress SET clubs_saved = clubs_saved});
waits_end('a lock', $run, $blocked, timed => 1);

my $started = time;
my ($out, $err) = try_sql($local, 'sport', "SET lock_timeout = '200ms'; SELECT $run");
cmp_ok(time - $started, '<', PROMPT_S, 'lock_timeout holds on the server too');
like($err, qr/ERROR:  55P03: canceling statement due to lock timeout\n.*on server "staging"/s,
	'and says where the lock is');

# While nobody takes new connections there, as needed for a cancel request

my ($postmaster) = split /\n/, slurp_file($remote->data_dir . '/postmaster.pid');
END { kill 'CONT', $postmaster if $postmaster; }

sub ends_though_stopped
{
	my ($name, $sql, $state) = @_;
	my $active = q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'run' AND state = 'active'};
	my $session = start_sql($local, 'sport', $sql, app => 'run');

	wait_until_waiting($local, 'run', 'Extension');
	$state->();
	kill 'STOP', $postmaster;
	$stop->('pg_cancel_backend')->();
	my $deadline = time + PROMPT_S;
	sleep 0.1 while time < $deadline && $local->safe_psql('postgres', $active) ne '0';
	is($local->safe_psql('postgres', $active), '0', $name);
	kill 'CONT', $postmaster;
	($out, $err) = finish_sql($session);
	like($err, qr/ERROR:  57014: /, "$name, with the right error");
	ok($remote->poll_query_until('postgres', remote_sessions(0)), "$name, and nothing is left on the server");
	return;
}
ends_though_stopped('a cancel ends a wait for a lock though the server takes no cancel request',
	"SELECT $run", $blocked);
$blocker->query_safe('ROLLBACK');

# While it commits there

$remote->safe_psql(
	'sport', q{
	CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM pg_advisory_xact_lock(1);
		RETURN NULL;
	END $$;
	CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON season_progress
		DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait()});
$blocker->query_safe('SELECT pg_advisory_lock(1)');
waits_end('the COMMIT there', $run, $blocked);
$blocker->query_safe('SELECT pg_advisory_unlock(1)');
$remote->safe_psql('sport', 'DROP TRIGGER wait ON season_progress');

# The server ends

for my $mode (qw(immediate fast))
{
	$local->safe_psql('sport', 'TRUNCATE sync_history');
	my $session = start_sql($local, 'sport', q{SELECT sync_progress(false, environment => 'slow')}, app => 'run');
	wait_until_waiting($local, 'run', 'Extension');
	$asleep->();
	$blocker->quit if $mode eq 'immediate';
	$remote->stop($mode);
	$started = time;
	($out, $err) = finish_sql($session);
	cmp_ok(time - $started, '<', PROMPT_S, "$mode stop of the server ends the wait");
	like($err, qr/ERROR:  (08006|57P01): .*server "slow"/s, "$mode stop of the server: the error says which server");
	like( $local->safe_psql('sport', 'SELECT status, error_sqlstate, inserted, updated FROM sync_history'),
		qr/^failed\|(08006|57P01)\|0\|0$/, "$mode stop of the server: history says so");
	$remote->start;
	is($remote->safe_psql('sport', $state), $before, "$mode stop of the server: nothing is half done");
}
$local->safe_psql('sport', "SELECT $run");
isnt($remote->safe_psql('sport', $state), $before, 'once the server is back a run does its work');

$local->stop;
$remote->stop;
$postmaster = undef;
done_testing();
