# On real data the report, history and the progress tables have the numbers that
# are counted here from the files, without the extension.

use strict;
use warnings;

use List::Util qw(sum);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $folder = real_data('football');

# Count

my (%seasons, %competitions, $rows);

for my $record (read_csv("$folder/teams.csv"))
{
	my ($competition, $season) = @$record;

	$seasons{$competition}{$season}++;
	$rows++;
}
$competitions{ $_->[0] } = $_->[1] for read_csv("$folder/competitions.csv");

my $season_count = sum(map { scalar keys %$_ } values %seasons);
my $competition_count = keys %seasons;

is($rows, 5646, 'the file has the team-season rows that it should');
is($competition_count, 44, 'of as many competitions');
ok((grep { /[^\x00-\x7f]/ } values %competitions), 'with non-ASCII names among them');

# The records of a CSV file without its heading; no value has a comma in it.
sub read_csv
{
	my ($path) = @_;
	my ($heading, @lines) = split /\r?\n/, slurp_file($path);
	my $columns = split /,/, $heading;
	my @records = map { [ split /,/, $_, -1 ] } @lines;

	die "$path is not as simple as it was" if grep { @$_ != $columns || "@$_" =~ /"/ } @records;
	return @records;
}

# Load and run

my $node = start_node('real');
$node->safe_psql('postgres', 'CREATE DATABASE football');
$node->safe_psql(
	'football', qq{
	SET client_encoding = UTF8;
	CREATE EXTENSION sync_ext;
	CREATE TABLE competitions (competition_id text PRIMARY KEY, name text,
		"URL" text GENERATED ALWAYS AS (CASE WHEN competition_id < 'm' COLLATE "C"
			THEN 'https://example.org/' || competition_id END) STORED);
	CREATE TABLE teams (competition_id text, season_year int, team_name text);
	CREATE TABLE competition_progress (competition_id text PRIMARY KEY, competition_url text,
		status text, seasons_discovered int, completed_at timestamptz);
	CREATE TABLE season_progress (competition_id text, season_id text, season_year int,
		status text, completed_at timestamptz, clubs_saved int,
		PRIMARY KEY (competition_id, season_year));
	\\copy competitions (competition_id, name) FROM '$folder/competitions.csv' (FORMAT csv, HEADER)
	\\copy teams FROM '$folder/teams.csv' (FORMAT csv, HEADER)});

sub numbers_are
{
	my ($name) = @_;
	my (@expected_competitions, @expected_seasons);
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	for my $competition (sort keys %seasons)
	{
		push @expected_competitions, join '|', $competition,
		  $competition lt 'm' ? "https://example.org/$competition" : "MISSING_URL_FOR_$competition",
		  scalar keys %{ $seasons{$competition} };
		push @expected_seasons, join '|', $competition, $_, $_, $seasons{$competition}{$_}
		  for sort keys %{ $seasons{$competition} };
	}
	is( $node->safe_psql('football', q{SELECT competition_id, competition_url, seasons_discovered
			FROM competition_progress WHERE status = 'completed' AND completed_at IS NOT NULL
			ORDER BY competition_id COLLATE "C"}),
		join("\n", @expected_competitions), "$name: every competition is marked, with its seasons counted");
	return is( $node->safe_psql('football', q{SELECT competition_id, season_year, season_id, clubs_saved
			FROM season_progress WHERE status = 'completed' AND completed_at IS NOT NULL
			ORDER BY competition_id COLLATE "C", season_year}),
		join("\n", @expected_seasons), "$name: so is every season, with its clubs");
}

# The numbers of the last run in history.
sub history
{
	return $node->safe_psql('football', q{SELECT rows_read, inserted, updated, unchanged
		FROM sync_history ORDER BY history_id DESC LIMIT 1});
}

my $report = $node->safe_psql('football', 'SELECT sync_progress(max_details => NULL)');
like($report, qr/Competitions to add: $competition_count\n.*Seasons to add: $season_count$/s,
	'the dry run counts competitions and seasons');
is(scalar(() = $report =~ /Would ADD/g), $competition_count + $season_count, 'and lists each');
for my $competition (sort keys %seasons)
{
	my $teams = sum(values %{ $seasons{$competition} });
	my $of = keys %{ $seasons{$competition} };
	like($report, qr/Processing \Q$competition\E: $teams teams, $of seasons?\n/, "and heads $competition with its teams and seasons");
}
is($node->safe_psql('football', 'SELECT count(*) FROM sync_progress_drift()'),
	$competition_count + $season_count, 'drift has a row for each');
like($node->safe_psql('football', 'SELECT sync_progress(max_details => 7)'),
	qr/ and ${\ ($competition_count + $season_count - 7)} more changes; /, 'a limit leaves the others out, and says so');

$report = $node->safe_psql('football', 'SELECT sync_progress(false)');
like($report, qr/Competitions added: $competition_count\n.*Seasons added: $season_count$/s, 'the run has the same counts');
numbers_are('after the run');
is(history(), join('|', 2 * $rows, $competition_count + $season_count, 0, 0),
	'history has the rows that both rules read, and what was added');
like($node->safe_psql('football', 'SELECT sync_progress(false)'), qr/Nothing to do/, 'a second run has nothing to do');
is(history(), join('|', 2 * $rows, 0, 0, $competition_count + $season_count), 'and history says that all is unchanged');

# Change a part of it, with the rules tracked

$node->safe_psql('football', q{
	SELECT sync_track_progress('competition'), sync_track_progress('season');
	SELECT sync_progress(false)});
my ($changed) = (sort keys %seasons)[3];
my ($lost, $kept) = sort keys %{ $seasons{$changed} };
$node->safe_psql('football', qq{
	DELETE FROM teams WHERE competition_id = '$changed' AND season_year = $kept
		AND team_name IN (SELECT team_name FROM teams WHERE competition_id = '$changed'
			AND season_year = $kept ORDER BY team_name COLLATE "C" LIMIT 2);
	UPDATE season_progress SET status = 'pending', clubs_saved = 0 WHERE competition_id = '$changed'
		AND season_year = $lost});
$seasons{$changed}{$kept} -= 2;
$node->safe_psql('football', 'SELECT sync_progress(false)');
is(history(), join('|', sum(values %{ $seasons{$changed} }) + $seasons{$changed}{$kept}, 0, 1, 1),
	'a tracked run reads what was touched, and updates its season');
$node->safe_psql('football', 'SELECT sync_progress(false, "full" => true)');
numbers_are('after a full run');

$node->stop;
done_testing();
