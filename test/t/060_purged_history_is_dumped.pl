# History that lies in several slots is dumped and restored, and goes on there: new
# rows, purges, identities.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $node = start_node('purged');
my $folder = PostgreSQL::Test::Utils::tempdir();
my $contents = 'SELECT h::text FROM sync.sync_history h ORDER BY history_id';
my $insert = q{INSERT INTO sync.sync_history (operation, subject, environment, run_by, status, outcome, started_at, duration)
	SELECT 'progress', 'x', 'e', 'me', 'success', 'success', now() - interval '%s', '0' FROM generate_series(1, 10);};

$node->safe_psql('postgres', 'CREATE DATABASE runs');
$node->safe_psql('runs', 'CREATE SCHEMA sync; CREATE EXTENSION sync_ext SCHEMA sync');
for my $ago ('30 days', '20 days', '10 days', '0')
{
	$node->safe_psql('runs', sprintf($insert, $ago) . q{SELECT sync.sync_purge_history('60 days')});
}
$node->safe_psql('runs', sprintf($insert, '0'));
is($node->safe_psql('runs', 'SELECT count(DISTINCT slot) > 1, count(*) FROM sync.sync_history'),
	't|54', 'history lies in several slots');

for my $option ('--format=custom', '--inserts', '--load-via-partition-root')
{
	my $db = 'restored' . $option =~ s/\W/_/gr;
	my @connection = ('-h', $node->host, '-p', $node->port);

	$node->safe_psql('postgres', "CREATE DATABASE $db");
	$node->command_ok([ 'pg_dump', @connection, $option, '-f', "$folder/$db", 'runs' ], "$option: pg_dump works");
	$node->command_ok(
		$option =~ /custom/
		? [ 'pg_restore', '-e', @connection, '-d', $db, "$folder/$db" ]
		: [ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', @connection, '-f', "$folder/$db", $db ],
		"$option: so does restoring");
	is($node->safe_psql($db, $contents), $node->safe_psql('runs', $contents), "$option: history is the same");
	is($node->safe_psql($db, 'SELECT sync.sync_history_slot()'),
		$node->safe_psql('runs', 'SELECT sync.sync_history_slot()'), "$option: the same slot is being filled");
	$node->safe_psql($db, sprintf($insert, '0'));
	is($node->safe_psql($db, q{SELECT sync.sync_purge_history('15 days')}),
		'20', "$option: a purge takes what is old");
	is($node->safe_psql($db, 'SELECT count(*), count(DISTINCT history_id) FROM sync.sync_history'),
		'45|45', "$option: no identity is given twice");
	$node->safe_psql($db, 'DROP EXTENSION sync_ext');
	is($node->safe_psql($db, q{SELECT count(*) FROM pg_class WHERE relname ~ '^sync_'}), '0', "$option: all goes with the extension");
}

$node->stop;
done_testing();
