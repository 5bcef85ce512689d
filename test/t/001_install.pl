# The extension goes into any schema without being preloaded, and leaves nothing
# of itself behind.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $node = start_node('install');

# All that is in the database, by catalog and name.
my $inventory = q{
	SELECT 'class', oid::regclass::text FROM pg_class
	UNION ALL SELECT 'proc', oid::regprocedure::text FROM pg_proc
	UNION ALL SELECT 'type', oid::regtype::text FROM pg_type
	UNION ALL SELECT 'trigger', tgname FROM pg_trigger
	UNION ALL SELECT 'event trigger', evtname FROM pg_event_trigger
	UNION ALL SELECT 'schema', nspname FROM pg_namespace
	ORDER BY 1, 2};

$node->safe_psql('postgres', 'CREATE SCHEMA "Own Place"');
my $before = $node->safe_psql('postgres', $inventory);

is($node->safe_psql('postgres', 'SHOW shared_preload_libraries'), '', 'nothing is preloaded');

$node->safe_psql('postgres', 'CREATE EXTENSION sync_ext SCHEMA "Own Place"');
isnt($node->safe_psql('postgres', $inventory), $before, 'the extension brings objects');
is( $node->safe_psql(
		'postgres', q{
		SELECT count(*) FROM pg_class c JOIN pg_depend d ON d.objid = c.oid
		WHERE d.classid = 'pg_class'::regclass AND d.deptype = 'e'
		  AND c.relnamespace <> '"Own Place"'::regnamespace}),
	'0', 'all of its relations are in the schema that the user chose');

$node->safe_psql('postgres', 'DROP EXTENSION sync_ext');
is($node->safe_psql('postgres', $inventory), $before, 'nothing of it is left after DROP EXTENSION');

$node->stop;
done_testing();
