# The shipped import of match scores, set up by the scripts in docs/match_scores/: new
# matches, known ones and both, bad records, files that are not whole or something
# else, two imports at once, and one that is killed.

use strict;
use warnings;

use File::Basename;
use File::Path 'make_path';
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $root = dirname(__FILE__) . '/../..';
my $leagues = PostgreSQL::Test::Utils::tempdir() . '/leagues';
my $node = start_node('scores', 'restart_after_crash = on');

# The page has the scripts as they are

for my $script (glob "$root/docs/match_scores/*.sql")
{
	ok(index(slurp_file("$root/docs/match_scores.md"), slurp_file($script)) > 0, basename($script) . ' stands on the page');
}

my ($out, $err);
IPC::Run::run([ 'psql', '-XqAt', '-d', $node->connstr('postgres'), '-v', 'ON_ERROR_STOP=1', '-v', "leagues=$leagues", '-f', "$root/docs/match_scores/setup.sql" ],
	'<', \undef, '>', \$out, '2>', \$err);
is($err, '', 'the set-up runs');

# A match, by its number.
sub match
{
	my ($n, %changes) = @_;

	return {
		match_id => "nndz-$n", Date => sprintf('%02d-Jan-25', 1 + $n % 28),
		'Home Team' => "Home " . $n % 10, 'Away Team' => "Away " . $n % 7,
		(map { ("Home Player $_" => "H$n.$_", "Away Player $_" => "A$n.$_") } 1, 2),
		Scores => '6-4, 6-' . $n % 5, Winner => $n % 2 ? 'home' : 'Away', %changes
	};
}

# Write the file of a league; a text as it is.
sub write_league
{
	my ($league, $content) = @_;

	make_path("$leagues/$league");
	open my $file, '>:raw', "$leagues/$league/match_history.json" or die $!;
	print $file ref $content ? '[' . join(",\n", map { encode_json($_) } @$content) . "]\n" : $content;
	close $file or die $!;
	return;
}

sub query { return $node->safe_psql('postgres', "SET client_min_messages = error; $_[0]") }

# The counts of a run, or its error: read, inserted, updated, unchanged, rejected.
sub import_scores
{
	my ($dry) = @_;
	my ($out, $err) = ('', '');

	$dry = $dry ? ', dry_run => true' : '';
	$node->psql('postgres', "SET client_min_messages = error; SELECT rows_read, inserted, updated, unchanged, rejected FROM sync_run('match scores'$dry)",
		stdout => \$out, stderr => \$err);
	return $err || $out;
}

sub scores { return query('SELECT count(*), md5(string_agg(m::text, $$|$$ ORDER BY tenniscores_match_id)) FROM match_scores AS m') }

# All new, all known

my @north = map { match($_) } 1 .. 300;
my @south = map { match($_, match_id => undef) } 301 .. 500;
write_league('NORTH', \@north);
write_league('SOUTH', \@south);
is(import_scores(1), '500|500|0|0|0', 'all are new, says a dry run');
is(scores(), '0|', 'which writes nothing');
is(import_scores(), '500|500|0|0|0', 'all are new');
is(query(q{SELECT league, match_date, home_team, away_team, players, scores, winner, synced_at IS NOT NULL FROM match_scores WHERE tenniscores_match_id = 'nndz-30'}),
	'NORTH|2025-01-03|Home 0|Away 2|{H30.1,H30.2,A30.1,A30.2}|6-4, 6-0|away|t', 'a match is what its record says');
is(query(q{SELECT league, count(*), count(DISTINCT tenniscores_match_id), bool_and(tenniscores_match_id LIKE 'derived-%') FROM match_scores GROUP BY league ORDER BY league}),
	"NORTH|300|300|f\nSOUTH|200|200|t", 'those without an id have one that is theirs alone');
my $before = scores();
is(import_scores(), '500|0|0|500|0', 'a second run adds nothing');
is(scores(), $before, 'and changes nothing');

# Corrections, and both

$north[$_]{Scores} = '7-6, 7-6' for 0 .. 4;
$south[$_]{Scores} = 'walkover' for 0 .. 2;
push @north, map { match($_) } 1001 .. 1010;
write_league('NORTH', \@north);
write_league('SOUTH', \@south);
is(import_scores(1), '510|10|8|492|0', 'known and new ones, some of them corrected');
is(import_scores(), '510|10|8|492|0', 'are told apart');
is(query(q{SELECT count(*) FILTER (WHERE scores = '7-6, 7-6'), count(*) FILTER (WHERE scores = 'walkover'), count(*) FROM match_scores}), '5|3|510', 'also where the id is derived');

# Several records with one id

write_league('SOUTH', [ @south, { %{ $north[0] }, Scores => 'later' }, $south[10] ]);
is(import_scores(), '512|0|1|509|2', 'of two records with one id the last one counts');
is(query(q{SELECT error_sqlstate, regexp_replace(file_name, '.*/(.*)/.*', '\1'), line_number FROM sync_rejects ORDER BY file_name}), "21000|NORTH|1\n21000|SOUTH|11", 'and the others are reported');
write_league('SOUTH', \@south);
is(import_scores(), '510|0|1|509|0', 'without the second, the first is back');

# Files that are not what they should be, among one that is

$before = scores();
my $text = slurp_file("$leagues/NORTH/match_history.json");
write_league('SOUTH', [ map { match($_) } 5001 .. 5100 ]);
for my $wrong (
	[ substr($text, 0, int(length($text) / 2)), qr/ERROR:  file ".*NORTH\/match_history.json" is cut off\nDETAIL:  It ends at line \d+, byte \d+/, 'a file that is cut off' ],
	[ encode_json({ matches => \@north }), qr/file ".*NORTH\/match_history.json" does not have the form of the source/, 'a file of another form' ],
	[ "Date,Home Team\n", qr/file ".*NORTH\/match_history.json" does not have the form of the source/, 'a file that is no JSON' ],
	[ encode_json([ map { { player => "p$_" } } 1 .. 300 ]), qr/more rejects than max_reject_share allows/, 'a file of other things' ],
	[ '', qr/file ".*" is empty/, 'an empty file' ])
{
	write_league('NORTH', $wrong->[0]);
	like(import_scores(), $wrong->[1], "$wrong->[2] fails the run");
	is(scores(), $before, 'and nothing of the others is there');
}
is(query(q{SELECT count(*) FROM sync_history WHERE status = 'failed' AND error_sqlstate IN ('XX001', '22P02', 'SY003')}), '5', 'history has the runs that failed');

# A hundred thousand, a hundred of them bad

my @many = map { match($_) } 1 .. 100_000;
my %bad = (
	0 => sub { $_[0]{Date} = '31-Feb-25' }, 1 => sub { $_[0]{Winner} = 'nobody' },
	2 => sub { delete $_[0]{'Home Team'} }, 3 => sub { $_[0]{Date} = undef });
$bad{ $_ % 4 }->($many[ $_ * 997 ]) for 0 .. 99;
write_league('SOUTH', []);
write_league('NORTH', \@many);
query('TRUNCATE match_scores');
is(import_scores(), '100000|99900|0|0|100', 'of a hundred thousand, a hundred bad ones are put aside');
is(query('SELECT count(*), count(DISTINCT tenniscores_match_id) FROM match_scores'), '99900|99900', 'and all others are there');
is(query(q{SELECT error_sqlstate, column_name, refused_at, count(*) FROM sync_rejects WHERE history_id = (SELECT max(history_id) FROM sync_history) GROUP BY 1, 2, 3 ORDER BY 1, 2}),
	"22008|match_date|read|25\n23502|home_team|merge|25\n23502|match_date|merge|25\n23514||merge|25", 'for their reasons');
my @lines = sort { $a <=> $b } map { $_ * 997 + 1 } 0 .. 99;
is(query(q{SELECT string_agg(line_number::text, ',' ORDER BY line_number) FROM sync_rejects WHERE history_id = (SELECT max(history_id) FROM sync_history)}),
	join(',', @lines), 'each with its line');
is(import_scores(), '100000|0|0|99900|100', 'a second run adds nothing');

# The reason is gone: they are tried again

my $run = query('SELECT max(history_id) FROM sync_history');
query(q{ALTER TABLE match_scores DROP CONSTRAINT match_scores_winner_check});
is(query("SELECT rows_read, inserted, rejected FROM sync_replay_rejects($run)"), '100|25|75', 'what can be merged by now is');
query(q{DELETE FROM match_scores WHERE winner = 'nobody'; ALTER TABLE match_scores ADD CONSTRAINT match_scores_winner_check CHECK (winner IN ('home', 'away'))});

# Old rows get their ids, and imports know them

write_league('NORTH', [ map { match($_) } 1 .. 100 ]);
write_league('SOUTH', [ map { match($_, match_id => '') } 201 .. 300 ]);
query('TRUNCATE match_scores');
is(import_scores(), '200|200|0|0|0', 'an import');
query(q{UPDATE match_scores SET tenniscores_match_id = NULL WHERE league = 'SOUTH' OR tenniscores_match_id = 'nndz-7'});
is(query(q{SELECT * FROM sync_coverage('match_scores', 'tenniscores_match_id')}), '200|99|49.50', 'half of the rows have no id');
my ($backfill) = slurp_file("$root/docs/match_scores.md") =~ /(CALL sync_backfill\(.*?;)/s;
query($backfill);
is(query(q{SELECT * FROM sync_coverage('match_scores', 'tenniscores_match_id')}), '200|200|100.00', 'all of them have one');
is(import_scores(), '200|1|0|199|0', 'by which the next import knows them, but for one that has another in its file');
is(query(q{SELECT key->>'players', count FROM sync_find_duplicates('match_scores', '{league,match_date,home_team,away_team,players}')}), '["H7.1", "H7.2", "A7.1", "A7.2"]|2', 'which is found');

# A bad import is taken back

write_league('NORTH', [ map { match($_) } 1 .. 200 ]);
write_league('SOUTH', []);
query('TRUNCATE match_scores');
is(import_scores(), '200|200|0|0|0', 'a good import');
$before = scores();
write_league('NORTH', [ map { match($_, Scores => 'wrong') } 101 .. 300 ]);
is(import_scores(), '200|100|100|0|0', 'and a bad one');
$run = query('SELECT max(history_id) FROM sync_history');
is(query("SELECT inserted, updated, deleted FROM sync_undo($run, dry_run => true)"), '0|100|100', 'can be taken back');
is(query("SELECT inserted, updated, deleted FROM sync_undo($run)"), '0|100|100', 'and is');
is(scores(), $before, 'all is as it was before');

# Two at once

sub start_import
{
	my ($name) = @_;
	my $session = { out => '', err => '' };

	$session->{run} = IPC::Run::start(
		[ 'psql', '-XAtq', '-d', $node->connstr('postgres') . " application_name=$name", '-c', 'SET client_min_messages = error', '-c', q{SELECT inserted, updated, unchanged FROM sync_run('match scores')} ],
		'<', \undef, '>', \$session->{out}, '2>', \$session->{err},
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	return $session;
}

sub wait_until
{
	my ($condition) = @_;

	return $node->poll_query_until('postgres', "SELECT count(*) > 0 FROM pg_stat_activity WHERE $condition") || die "never: $condition";
}

write_league('NORTH', [ map { match($_) } 1 .. 2000 ]);
query(q{
	TRUNCATE match_scores;
	CREATE TABLE stop (stops boolean);
	CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF NEW.tenniscores_match_id = 'nndz-1500' THEN PERFORM pg_advisory_xact_lock(1); END IF;
		RETURN NEW;
	END $$;
	CREATE TRIGGER stop BEFORE INSERT ON match_scores FOR EACH ROW EXECUTE FUNCTION stop()});
my $blocker = { out => '', err => '' };
$blocker->{in} = "SELECT pg_advisory_lock(1);\n";
$blocker->{run} = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') . ' application_name=blocker' ], '<', \$blocker->{in}, '>', \$blocker->{out}, '2>', \$blocker->{err});
$blocker->{run}->pump until $blocker->{out} =~ /\n/;
my $first = start_import('first');
wait_until(q{application_name = 'first' AND wait_event = 'advisory'});
my $second = start_import('second');
wait_until(q{application_name = 'second' AND wait_event_type = 'Lock'});
is(scores(), '0|', 'an import that is at work shows nothing');
$blocker->{in} = "SELECT pg_advisory_unlock(1);\n";
$blocker->{run}->pump until $blocker->{out} =~ /t\n/;
$_->{run}->finish for $first, $second;
is($first->{out} . $first->{err}, "2000|0|0\n", 'the first of two imports adds all');
is($second->{out} . $second->{err}, "0|0|2000\n", 'the second waits for it and finds nothing to do');

# Killed in the middle

query('TRUNCATE match_scores');
my $history = query('SELECT count(*) FROM sync_history');
$blocker->{in} = "SELECT pg_advisory_lock(1);\n";
my $length = length $blocker->{out};
$blocker->{run}->pump until length($blocker->{out}) > $length;
my $victim = start_import('victim');
wait_until(q{application_name = 'victim' AND wait_event = 'advisory'});
kill 'KILL', query(q{SELECT pid FROM pg_stat_activity WHERE application_name = 'victim'});
$victim->{run}->finish;
$blocker->{run}->kill_kill;
ok($node->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()'), 'the server recovers from kill -9 in the middle of an import');
is(query('SELECT count(*) FROM match_scores'), '0', 'nothing of it is there');
is(query('SELECT count(*) FROM sync_history'), $history, 'nor in history');
query('DROP TRIGGER stop ON match_scores');
is(import_scores(), '2000|2000|0|0|0', 'the next run does it all');
is(query('SELECT count(*) FROM match_scores'), '2000', 'once');

# What a monitor asks

IPC::Run::run([ 'psql', '-XqAt', '-d', $node->connstr('postgres'), '-v', 'ON_ERROR_STOP=1', '-f', "$root/docs/match_scores/monitor.sql" ],
	'<', \undef, '>', \$out, '2>', \$err);
is($err, '', 'the questions of a monitor have answers');
like($out, qr/^2000\|2000\|100/m, 'all matches have an id');
like($out, qr/^home team is known\|warning\|f\|2000\|2000\|/m, 'no team is known');
query(q{INSERT INTO match_teams SELECT league, home_team FROM match_scores UNION SELECT league, away_team FROM match_scores});
is(query(q{SELECT count(*) FROM sync_check('match scores') WHERE NOT passed}), '0', 'once all are, every check holds');

$node->stop;
done_testing();
