# Preloaded, the extension has its segment of shared memory; without, and while
# the extension is not created anywhere, the server runs as ever.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $segment = q{SELECT count(*), min(allocated_size) > 1000 FROM pg_shmem_allocations WHERE name = 'sync_ext'};
my $node = start_node('preloaded', "shared_preload_libraries = 'sync_ext'");

is($node->safe_psql('postgres', $segment), '1|t', 'preloaded, it has a segment');
$node->safe_psql('postgres', 'CREATE EXTENSION sync_ext');
$node->restart;
is($node->safe_psql('postgres', $segment), '1|t', 'and has it again after a restart');

$node->adjust_conf('postgresql.conf', 'shared_preload_libraries', "''");
$node->restart;
is($node->safe_psql('postgres', $segment), '0|', 'not preloaded, it has none');
is($node->safe_psql('postgres', 'SELECT count(*) FROM sync_history'), '0', 'and works without');

$node->stop;
done_testing();
