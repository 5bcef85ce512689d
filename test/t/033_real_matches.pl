# Real matches, counted here from their file without the extension: a first import, a
# second, and one after some of them have changed.

use strict;
use warnings;

use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $path = real_data('football') . '/matches.jsonl';
my $folder = PostgreSQL::Test::Utils::tempdir();

# Count

my (%matches, %leagues, %halves, $lines);

open my $file, '<:raw', $path or die "$path: $!";
while (my $line = <$file>)
{
	my $match = decode_json($line);

	$lines++;
	$matches{ join '|', @$match{qw(league season date home away)} } = $match;
}
close $file;
for (values %matches)
{
	$leagues{ $_->{league} }++;
	$halves{ $_->{league} }++ if $_->{ht};
}

is($lines, 92900, 'the file has the matches that it should');
ok((grep { $_->{home} =~ /[^\x00-\x7f]/ } values %matches), 'with non-ASCII names among them');

# Import

my $node = start_node('matches');
$node->safe_psql('postgres', qq{
	CREATE EXTENSION sync_ext;
	CREATE TABLE matches (league text, season text, played_on date, home text, away text, round text, kick_off time,
		full_time int[], half_time int[], synced_at timestamptz, PRIMARY KEY (league, season, played_on, home, away));
	SELECT sync_create_stream('matches', 'matches', '{league,season,played_on,home,away}', file => '$path',
		columns => 'league, season, date AS played_on, home, away, round, time AS kick_off, ft AS full_time, ht AS half_time',
		duplicates => 'last', synced_at => 'synced_at');
	SELECT sync_create_stream('changed', 'matches', '{league,season,played_on,home,away}', file => '$folder/*.jsonl',
		columns => 'league, season, date AS played_on, home, away, round, time AS kick_off, ft AS full_time, ht AS half_time',
		duplicates => 'last', synced_at => 'synced_at')});

sub query { return $node->safe_psql('postgres', $_[0]) }

sub counts
{
	my ($call) = @_;

	return query("SELECT rows_read, inserted, updated, unchanged, rejected FROM $call");
}

sub imported_is
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	is(query('SELECT league, count(*), count(half_time) FROM matches GROUP BY league ORDER BY league COLLATE "C"'),
		join("\n", map { join '|', $_, $leagues{$_}, $halves{$_} // 0 } sort keys %leagues), "$name: each league has its matches");
	my ($goals, $letters) = (0, 0);
	for (values %matches)
	{
		$goals += $_->{ft}[0] - 2 * $_->{ft}[1] if $_->{ft};
		$letters += length($_->{home}) + 3 * length($_->{away});
	}
	return is(query('SELECT sum(full_time[1] - 2 * full_time[2]), sum(length(home) + 3 * length(away)) FROM matches'), "$goals|$letters", 'with their results and names');
}

my $count = keys %matches;
is(counts(q{sync_run('matches', dry_run => true)}), "$lines|$count|0|0|0", 'a dry run counts them');
is(counts(q{sync_run('matches')}), "$lines|$count|0|0|0", 'a run adds them');
imported_is('after the first import');
is(counts(q{sync_run('matches')}), "$lines|0|0|$count|0", 'a second one adds nothing');
is(query('SELECT count(DISTINCT synced_at) FROM matches'), '1', 'and touches none');

# Change some, add some, and split the file

my @keys = sort keys %matches;
my %outs;
$matches{ $keys[ $_ * 9 ] }{ft} = [ 99, $_ ] for 0 .. 999;
for my $n (1 .. 50)
{
	my $match = { %{ $matches{ $keys[$n] } }, season => '2099', home => "New \x{263a} $n" };

	$matches{ join '|', @$match{qw(league season date home away)} } = $match;
	$leagues{ $match->{league} }++;
	$halves{ $match->{league} }++ if $match->{ht};
}
for my $match (values %matches)
{
	open $outs{ $match->{league} }, '>:raw', "$folder/$match->{league}.jsonl" or die $! unless $outs{ $match->{league} };
	print { $outs{ $match->{league} } } encode_json($match), "\n";
}
close $_ for values %outs;
chmod 0755, $folder;
is(counts(q{sync_run('changed')}), ($count + 50) . '|50|1000|' . ($count - 1000) . '|0', 'what has changed is updated, what is new added');
imported_is('after the changes');
is(query('SELECT count(*), count(DISTINCT synced_at) FROM matches'), ($count + 50) . '|2', 'all others are as they were');

$node->stop;
done_testing();
