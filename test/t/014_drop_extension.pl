# DROP EXTENSION is refused while triggers on tracked evidence depend on it, says
# so, and works after untracking or with CASCADE; then it can be created again.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $node = start_node('drop');
my $triggers = q{SELECT count(*) FROM pg_trigger WHERE tgrelid = 'teams'::regclass};
my ($out, $err);

create_football($node, 'sport');
$node->safe_psql('sport', q{
	CREATE EXTENSION sync_ext;
	SELECT sync_progress(false);
	SELECT sync_track_progress('season'), sync_track_progress('competition')});

($out, $err) = try_sql($node, 'sport', 'DROP EXTENSION sync_ext');
like($err, qr/ERROR:  2BP01: cannot drop extension sync_ext because other objects depend on it/,
	'it is refused while rules are tracked');
like($err, qr/trigger sync_track_season_insert on table teams depends on function sync_progress_note\(\)/,
	'and the triggers are named');
is($node->safe_psql('sport', $triggers), '8', 'tracking goes on');

$node->safe_psql('sport', q{
	SELECT sync_untrack_progress('season'), sync_untrack_progress('competition');
	DROP EXTENSION sync_ext});
is($node->safe_psql('sport', $triggers), '0', 'it works after untracking');
$node->safe_psql('sport', q{INSERT INTO teams VALUES ('EPL', 2023, 'a')});
is($node->safe_psql('sport', 'SELECT count(*) FROM season_progress'), '3', 'the tables are the user\'s and stay');

# A session that was using it

my $session = $node->background_psql('sport', on_error_stop => 0);
$session->query_safe(q{CREATE EXTENSION sync_ext; SELECT sync_track_progress('season'); SELECT sync_progress()});
like($session->query('SELECT sync_progress()'), qr/Would ADD season_progress: 2023/, 'it can be created again');
$node->safe_psql('sport', q{SET client_min_messages = warning; DROP EXTENSION sync_ext CASCADE});
is($node->safe_psql('sport', $triggers), '0', 'CASCADE drops the triggers with it');
$session->query('SELECT sync_progress()');
like($session->{stderr}, qr/function sync_progress\(\) does not exist/, 'a session that used it is told that it is gone');
$session->{stderr} = '';
$session->query_safe(q{INSERT INTO teams VALUES ('EPL', 2024, 'a')});
pass('and can change the evidence');
$session->query_safe(q{CREATE EXTENSION sync_ext});
like($session->query('SELECT sync_progress(false)'), qr/ADDED season_progress: 2024/, 'and can use it when it is created again');
is($node->safe_psql('sport', q{SELECT history_id, details -> 'season' -> 'tracked' FROM sync_history}),
	'1|false', 'which begins with an empty history, and tracks nothing');
$session->quit;

# In the middle of a run

my $blocker = $node->background_psql('sport');
$blocker->query_safe('BEGIN; LOCK TABLE season_progress');
my $run = start_sql($node, 'sport', 'SELECT sync_progress(false)', app => 'run');
wait_until_waiting($node, 'run');
($out, $err) = try_sql($node, 'sport', q{SET lock_timeout = '300ms'; DROP EXTENSION sync_ext});
like($err, qr/ERROR:  55P03: |^$/, 'DROP EXTENSION during a run waits for it or is done');
$blocker->query_safe('ROLLBACK');
$blocker->quit;
my ($report, $message) = finish_sql($run);
like($message, $err eq '' ? qr/ERROR:  \w{5}: / : qr/^$/, 'and the run ends in an orderly way');

# In one transaction with everything else

($out, $err) = try_sql($node, 'sport', q{
	DROP EXTENSION IF EXISTS sync_ext;
	BEGIN;
	CREATE EXTENSION sync_ext;
	SELECT sync_track_progress('season');
	INSERT INTO teams VALUES ('EPL', 2025, 'a');
	SELECT sync_progress(false, max_details => 0);
	SELECT sync_untrack_progress('season');
	DROP EXTENSION sync_ext;
	ROLLBACK});
is($err =~ s/.*NOTICE.*\n//r, '', 'all of it works in one transaction');

$node->stop;
done_testing();
