# A session that knows where the extension is and whose finds it again after
# others have made it anew in another schema, or given it to another role.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $node = start_node('found');

create_football($node, 'sport');
$node->safe_psql('sport', q{
	CREATE ROLE maker SUPERUSER;
	CREATE ROLE heir SUPERUSER;
	CREATE SCHEMA a;
	CREATE SCHEMA b;
	CREATE EXTENSION sync_ext SCHEMA a});
my $session = $node->background_psql('sport', on_error_stop => 0);
like($session->query('SELECT a.sync_progress(false)'), qr/ADDED/, 'a session runs');

$node->safe_psql('sport', q{DROP EXTENSION sync_ext; SET ROLE maker; CREATE EXTENSION sync_ext SCHEMA b});
like($session->query('SELECT b.sync_progress(false)'), qr/Nothing to do/, 'and again, in another schema');
is($node->safe_psql('sport', 'SELECT count(*) FROM b.sync_history'), '1', 'which has its history');

$node->safe_psql('sport', 'REASSIGN OWNED BY maker TO heir; DROP OWNED BY maker; DROP ROLE maker');
is($node->safe_psql('sport', q{SELECT extowner::regrole FROM pg_extension WHERE extname = 'sync_ext'}),
	'heir', 'it is given to another role');
like($session->query('SELECT b.sync_progress(false)'), qr/Nothing to do/, 'and the session runs again');
is($session->{stderr}, '', 'without an error');
$session->quit;

done_testing();
