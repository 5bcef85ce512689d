# SyncTest: what the TAP tests share.
#
# A test says "use SyncTest;" and has, beside these functions, PostgreSQL::Test's
# own modules and Test::More.

package SyncTest;

use strict;
use warnings;

use Exporter 'import';
use Test::More;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(start_node real_data);

# Start a server of the given name, with more lines for its configuration if
# need be.  The extension is left for the test to create.
sub start_node
{
	my ($name, $conf) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init;
	$node->append_conf('postgresql.conf', $conf) if defined $conf;
	$node->start;
	return $node;
}

# Return the path of a folder of real data; where there is none the whole test
# says that it is skipped.
sub real_data
{
	my ($folder) = @_;
	my $path = ($ENV{SYNC_TEST_DATA} // '') . "/$folder";

	plan skip_all => "there is no real data at hand (SYNC_TEST_DATA/$folder)"
	  unless defined $ENV{SYNC_TEST_DATA} && -d $path;
	return $path;
}

1;
