# A backfill that is cancelled or killed keeps what it has committed, and the same
# call goes on from there; two of one table keep out of each other's way.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;
use Time::HiRes 'time';

my $node = start_node('backfill', 'restart_after_crash = on');
my $call = q{CALL sync_backfill('big', 'v', 'id * 2', batch_size => 500, pause => '20 ms')};
my ($out, $err);

$node->safe_psql(
	'postgres', q{
	CREATE EXTENSION sync_ext;
	CREATE TABLE big (id int, v int, filler text DEFAULT repeat('x', 100));
	INSERT INTO big (id) SELECT generate_series(1, 60000);
	ANALYZE big});

# Begin the backfill and wait until some of it is committed.
sub begin_backfill
{
	my ($app, $more) = @_;
	my $before = $node->safe_psql('postgres', 'SELECT count(v) FROM big');
	my $session = start_sql($node, 'postgres', $call, app => $app);

	$node->poll_query_until('postgres', "SELECT count(v) > $before + 1000 FROM big")
	  or die 'nothing is filled';
	return $session;
}

# End the session of that name by a function of the server.
sub signal_session
{
	my ($app, $function) = @_;

	$node->safe_psql('postgres', "SELECT $function(pid) FROM pg_stat_activity WHERE application_name = '$app'");
	return;
}

# Cancelled

my $session = begin_backfill('first');
is($node->safe_psql('postgres', "SELECT relation, column_name, position > 0, updated > 1000 FROM sync_backfills"),
	'public.big|v|t|t', 'how far it is can be seen while it goes on');
($out, $err) = try_sql($node, 'postgres', $call);
like($err, qr/ERROR:  55006: table public\.big is being backfilled already/, 'a second one is refused');

signal_session('first', 'pg_cancel_backend');
($out, $err) = finish_sql($session);
like($err, qr/ERROR:  57014: canceling statement/, 'it is cancelled');
my $kept = $node->safe_psql('postgres', 'SELECT count(v) FROM big');
cmp_ok($kept, '>', 1000, 'what was committed stays');
cmp_ok($kept, '<', 60000, 'and the rest is not done');
is($node->safe_psql('postgres', "SELECT status, outcome, updated = $kept FROM sync_history"),
	'failed|unexpected|t', 'history says what was done');
is($node->safe_psql('postgres', 'SELECT updated FROM sync_backfills'), $kept, 'and so does its row');

# Killed

$session = begin_backfill('second');
is($node->safe_psql('postgres', 'SELECT started_at < (SELECT max(started_at + duration) FROM sync_history) FROM sync_backfills'),
	't', 'the same call goes on with it');
my $pid = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE application_name = 'second'");
kill 'KILL', $pid;
($out, $err) = finish_sql($session);
like($err, qr/server closed the connection|connection to server was lost/, 'its process is killed');
$node->poll_query_until('postgres', 'SELECT true') or die 'the server is not back';
my $after = $node->safe_psql('postgres', 'SELECT count(v) FROM big');
cmp_ok($after, '>', $kept, 'what was committed stays over the crash');
is($node->safe_psql('postgres', 'SELECT updated FROM sync_backfills'), $after, 'and its row agrees with it');

# To the end

my $position = $node->safe_psql('postgres', 'SELECT position FROM sync_backfills');
cmp_ok($position, '>', 10, 'it knows where to go on');
$node->safe_psql('postgres', q{CALL sync_backfill('big', 'v', 'id * 2', batch_size => 5000)});
is($node->safe_psql('postgres', 'SELECT count(*) FROM big WHERE v = id * 2'), '60000', 'in the end all is done');
is( $node->safe_psql('postgres',
		"SELECT status, updated = 60000 - $after FROM sync_history ORDER BY history_id DESC LIMIT 1"),
	'success|t', 'nothing twice');
is($node->safe_psql('postgres', 'SELECT count(*) FROM sync_backfills'), '0', 'and it is forgotten');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), '0', 'no lock is left');

# A row that another session moves behind the walk is found in the end

$node->safe_psql('postgres', 'UPDATE big SET v = NULL; VACUUM FULL big; ALTER TABLE big SET (fillfactor = 50)');
$session = start_sql($node, 'postgres', $call, app => 'third');
$node->poll_query_until('postgres', 'SELECT count(v) > 1000 FROM big') or die 'nothing is filled';
$node->safe_psql('postgres', 'UPDATE big SET filler = NULL WHERE id > 59900');
($out, $err) = finish_sql($session);
is($err, '', 'rows are written meanwhile');
is($node->safe_psql('postgres', 'SELECT count(*) FROM big WHERE v = id * 2'), '60000', 'and none is missed');

# A long rest ends at once

$node->safe_psql('postgres', 'UPDATE big SET v = NULL');
$session = start_sql($node, 'postgres',
	q{CALL sync_backfill('big', 'v', 'id * 2', batch_size => 500, pause => '1 hour')}, app => 'fourth');
$node->poll_query_until('postgres', 'SELECT count(v) > 0 FROM big') or die 'nothing is filled';
my $began = time;
signal_session('fourth', 'pg_cancel_backend');
($out, $err) = finish_sql($session);
like($err, qr/ERROR:  57014/, 'it is cancelled while it rests');
cmp_ok(time - $began, '<', PROMPT_S, 'at once');

$node->stop;
done_testing();
