# On a hot standby everything that only reads works, tracked rules included, and
# an executed run is refused and leaves nothing.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1, extra => [ '--encoding=UTF8', '--no-locale' ]);
$primary->start;
$primary->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'copy', has_streaming => 1);
$standby->start;

create_football($primary, 'sport');
$primary->safe_psql('sport', 'CREATE EXTENSION sync_ext');

my %reads = (
	'a dry run' => 'sync_progress()',
	'a dry run of one competition' => q{sync_progress(competition => 'EPL')},
	'a full dry run' => 'sync_progress("full" => true)',
	'drift' => q{(SELECT rule_name, action, key, after - 'completed_at' FROM sync_progress_drift()) AS drift},
	'analyze' => 'sync_progress_analyze()');

# Check that both servers tell the same.
sub same_on_both
{
	my ($when) = @_;

	$primary->wait_for_catchup($standby);
	my $before = $standby->safe_psql('postgres', 'SELECT pg_last_wal_replay_lsn()');
	for my $name (sort keys %reads)
	{
		my ($out, $err) = try_sql($standby, 'sport', "SELECT * FROM $reads{$name}");

		is($out, $primary->safe_psql('sport', "SELECT * FROM $reads{$name}"),
			"$when, $name tells the same on the standby as on the primary");
		is($err, '', "$when, $name gives no message");
		isnt($out, '', "$when, $name tells something");
	}
	return;
}

same_on_both('at first');

my ($out, $err) = try_sql($standby, 'sport', 'SELECT sync_progress(dry_run => false)');
like($err, qr/ERROR:  25006: cannot execute sync_progress\(dry_run => false\) /, 'an executed run is refused');
unlike($err, qr/WARNING/, 'without a warning about history');
($out, $err) = try_sql($standby, 'sport', q{SELECT sync_progress(false, environment => 'nowhere')});
like($err, qr/ERROR:  25006: /, 'so is one on a foreign server, since its history row cannot be kept');
($out, $err) = try_sql($standby, 'sport', q{SELECT sync_track_progress('season')});
like($err, qr/ERROR:  (25006|55000): /, 'and tracking');
is($primary->safe_psql('sport', 'SELECT count(*) FROM sync_history'), '0', 'none of it is in history');

$primary->safe_psql('sport', q{
	SELECT sync_track_progress('competition'), sync_track_progress('season')});
same_on_both('with tracked rules that were never run');
$primary->safe_psql('sport', q{
	SELECT sync_progress(false);
	INSERT INTO teams VALUES ('EPL', 2023, 'Ipswich')});
same_on_both('with keys noted');
$primary->wait_for_catchup($standby);
like($standby->safe_psql('sport', 'SELECT sync_progress()'),
	qr/Would UPDATE competition_progress record\n.*Would ADD season_progress: 2023 \(1 team\)/,
	'which the standby reads');

# A foreign server can be read from there as well.
add_server($primary, 'sport', 'back', host => $primary->host, port => $primary->port, dbname => 'sport');
$primary->wait_for_catchup($standby);
like($standby->safe_psql('sport', q{SELECT sync_progress(environment => 'back')}),
	qr/Would ADD season_progress: 2023/, 'a dry run on a foreign server works from a standby');

$standby->promote;
$standby->poll_query_until('sport', 'SELECT NOT pg_is_in_recovery()');
like($standby->safe_psql('sport', 'SELECT sync_progress(false)'),
	qr/ADDED season_progress: 2023/, 'after promotion the notes are there and the run works');
is($standby->safe_psql('sport', 'SELECT count(*), max(inserted) FROM sync_history'),
	'2|3', 'and leaves its history row');

$standby->stop;
$primary->stop;
done_testing();
