# After a crash, of one session or of the server, a run that was under way has
# done nothing, keys that were noted are still noted, and the next run does all.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $node = start_node('crash', "restart_after_crash = on\nfsync = on");
my $state = q{
	SELECT competition_id, NULL, status, seasons_discovered FROM competition_progress
	UNION ALL SELECT competition_id, season_year, status, clubs_saved FROM season_progress ORDER BY 1, 2, 3};
my $notes = q{SELECT rule_name, array_to_string(key, ' ') FROM sync_progress_notes ORDER BY 1, 2};
my ($out, $err);

create_football($node, 'sport');
$node->safe_psql('sport', 'CREATE EXTENSION sync_ext');

# Let a run wait for the progress row of its second rule, so that the first has done
# its work, and give the pid of its session.
sub start_half
{
	my ($blocker) = @_;
	my $session = start_sql($node, 'sport', 'SELECT sync_progress(false)', app => 'run');

	wait_until_waiting($node, 'run');
	return ($session,
		$node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE application_name = 'run'}));
}

# Hold the row that the second rule updates: the lock that a run takes on the whole
# table lets a row lock be.
sub hold_row
{
	my $blocker = $node->background_psql('sport');

	$blocker->query_safe(q{BEGIN; SELECT FROM season_progress FOR UPDATE});
	return $blocker;
}

# Kill a session and wait until the server has recovered from that.
my $checkpointer = q{FROM pg_stat_activity WHERE backend_type = 'checkpointer'};

sub crash
{
	my ($session, $pid) = @_;
	my $old = $node->safe_psql('postgres', "SELECT pid $checkpointer");

	kill 'KILL', $pid;
	($out, $err) = finish_sql($session);
	return $node->poll_query_until('postgres', "SELECT pid <> $old $checkpointer");
}

my $before = $node->safe_psql('sport', $state);

# A session is killed in the middle of its run

my $blocker = hold_row();
my ($session, $pid) = start_half();
cmp_ok($node->safe_psql('postgres',
		qq{SELECT count(*) FROM pg_locks WHERE pid = $pid AND granted AND mode = 'RowExclusiveLock'}),
	'>', 1, 'the run is in the middle of its work');
ok(crash($session, $pid), 'the server restarts when its session is killed');
like($err, qr/server closed the connection|connection to server was lost/, 'the session is gone');
$blocker->{run}->finish;
is($node->safe_psql('sport', $state), $before, 'nothing of the run is there');
is($node->safe_psql('sport', 'SELECT count(*) FROM sync_history'), '0', 'history has nothing of it');
like($node->safe_psql('sport', 'SELECT sync_progress(false)'),
	qr/Competitions added: 1\n.*Competitions updated: 1\n.*Seasons added: 2\n.*Seasons updated: 1/s,
	'the next run does everything');
like($node->safe_psql('sport', 'SELECT sync_progress()'), qr/Nothing to do/, 'and the one after it has nothing to do');

# Notes survive the loss of the server

$node->safe_psql('sport', q{SELECT sync_track_progress('competition'), sync_track_progress('season')});
$node->safe_psql('sport', 'SELECT sync_progress(false)');
is($node->safe_psql('sport', $notes), '', 'a run takes the notes');
$node->safe_psql('sport', q{
	INSERT INTO teams VALUES ('EPL', 2023, 'Ipswich');
	UPDATE teams SET season_year = 2020 WHERE team_name = 'Roma'});
my $noted = $node->safe_psql('sport', $notes);
is($noted, "competition|EPL\ncompetition|SA\nseason|EPL 2023\nseason|SA 2020\nseason|SA 2022",
	'changes are noted');
my $open = $node->background_psql('sport');
$open->query_safe(q{BEGIN; INSERT INTO teams VALUES ('BL', 2023, 'Bayern')});
$node->stop('immediate');
$open->{run}->finish;
$node->start;
is($node->safe_psql('sport', $notes), $noted,
	'after an immediate shutdown the notes of committed changes are there, and no others');

# A crash in the middle of a run neither loses notes nor doubles their effect

$before = $node->safe_psql('sport', $state);
$blocker = hold_row();
($session, $pid) = start_half();
ok(crash($session, $pid), 'the server restarts after a crash in a tracked run');
$blocker->{run}->finish;
is($node->safe_psql('sport', $state), $before, 'nothing of that run is there');
is($node->safe_psql('sport', $notes), $noted, 'the notes that it had taken are there again');
$blocker = hold_row();
($session, $pid) = start_half();
$node->stop('immediate');
($out, $err) = finish_sql($session);
$blocker->{run}->finish;
$node->start;
is($node->safe_psql('sport', $notes), $noted, 'so they are after an immediate shutdown in the middle of a run');

$node->safe_psql('sport', 'SELECT sync_progress(false)');
is($node->safe_psql('sport', q{SELECT inserted, updated FROM sync_history ORDER BY history_id DESC LIMIT 1}),
	'2|3', 'the next run does what the notes say');
is($node->safe_psql('sport', q{SELECT details -> 'season' -> 'tracked' FROM sync_history ORDER BY history_id DESC LIMIT 1}),
	'true', 'by the notes');
like($node->safe_psql('sport', 'SELECT sync_progress("full" => true)'), qr/Nothing to do/,
	'after which a full dry run finds nothing to do');

# A failed run that had taken notes gives them back

$node->safe_psql('sport', q{INSERT INTO teams VALUES ('EPL', 2024, 'Luton')});
$noted = $node->safe_psql('sport', $notes);
($out, $err) = try_sql($node, 'sport', q{BEGIN; SELECT sync_progress(false); SELECT 1/0});
is($node->safe_psql('sport', $notes), $noted, 'a run that is rolled back gives its notes back');

$node->stop;
done_testing();
