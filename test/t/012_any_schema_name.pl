# The extension works from a schema of any name, in or out of search_path, and goes
# on when the schema is renamed.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $node = start_node('schemas');
my ($out, $err);
my $n = 0;

# Use everything that the extension has from the schema of that name, quoted.
sub everything_works
{
	my ($db, $schema) = @_;

	like($node->safe_psql($db, "SELECT $schema.sync_progress()"),
		qr/Competitions to add: 1\n.*Competitions to update: 1/s, "$schema: dry run");
	is($node->safe_psql($db, "SELECT count(*) FROM $schema.sync_progress_drift()"), '5', "$schema: drift");
	like($node->safe_psql($db, "SELECT $schema.sync_progress_analyze()"), qr/EPL/, "$schema: analyze");
	$node->safe_psql($db, "SELECT $schema.sync_track_progress('season')");
	$node->safe_psql($db, "SELECT $schema.sync_progress(false)");
	is($node->safe_psql($db, "SELECT status, inserted, updated FROM $schema.sync_history"),
		'success|3|2', "$schema: run and history");
	($out, $err) = try_sql($node, $db, "SELECT $schema.sync_progress(false, 'none')");
	unlike($err, qr/WARNING/, "$schema: the writer of failed runs has nothing to warn of");
	is($node->safe_psql($db, "SELECT count(*) FROM $schema.sync_history WHERE status = 'failed'"),
		'1', "$schema: and writes");
	return;
}

# Use what was tracked, and stop tracking.
sub tracking_works
{
	my ($db, $schema, $year) = @_;

	$year //= 2040;
	$node->safe_psql($db, "INSERT INTO teams VALUES ('EPL', $year, 'x')");
	is($node->safe_psql($db, "SELECT array_to_string(key, ' ') FROM $schema.sync_progress_notes"),
		"EPL $year", "$schema: changes are noted");
	$node->safe_psql($db, "SELECT $schema.sync_progress(false)");
	is($node->safe_psql($db, "SELECT details -> 'season' FROM $schema.sync_history ORDER BY history_id DESC LIMIT 1"),
		'{"keys": 1, "added": 1, "invalid": 0, "tracked": true, "updated": 0}', "$schema: and read");
	$node->safe_psql($db, "DELETE FROM teams WHERE season_year = $year; SELECT $schema.sync_untrack_progress('season')");
	is($node->safe_psql($db, "SELECT count(*) FROM $schema.sync_progress_notes"), '0', "$schema: and forgotten");
	return;
}

for my $schema ('"My Schema"', q{"it's"}, '"a""b"', '"$x$"', '"back\slash"', '"select"', '"@extschema@"', '"größer"')
{
	my $db = 's' . ++$n;

	create_football($node, $db);
	$node->safe_psql($db, "CREATE SCHEMA $schema");
	($out, $err) = try_sql($node, $db, "CREATE EXTENSION sync_ext SCHEMA $schema");
	is($err, '', "$schema: CREATE EXTENSION") or next;
	everything_works($db, $schema);
	tracking_works($db, $schema);
}

my $renamed = 's1';
$node->safe_psql($renamed, q{
	SELECT "My Schema".sync_track_progress('season');
	SELECT "My Schema".sync_progress(false);
	ALTER SCHEMA "My Schema" RENAME TO "Your Schema"});
tracking_works($renamed, '"Your Schema"', 2041);

# A search_path that would mislead

create_football($node, 'misled');
$node->safe_psql(
	'misled', q{
	CREATE EXTENSION sync_ext;
	CREATE SCHEMA decoy;
	CREATE TABLE decoy.sync_progress_rules (i int);
	CREATE TABLE decoy.sync_history (i int);
	CREATE TABLE decoy.sync_progress_notes (i int);
	CREATE TABLE decoy.pg_trigger (i int);
	CREATE TABLE decoy.pg_class (i int);
	ALTER DATABASE misled SET search_path = decoy, pg_catalog, public});
everything_works('misled', 'public');
tracking_works('misled', 'public');

$node->stop;
done_testing();
