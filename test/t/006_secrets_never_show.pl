# The password of a user mapping shows nowhere: in no message, no history row, no
# server log and not in pg_stat_activity, be it right or wrong.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $local = start_node('local', "log_min_messages = debug2\nlog_error_verbosity = verbose");
my $remote = PostgreSQL::Test::Cluster->new('remote');
$remote->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$remote->append_conf('postgresql.conf',
	"listen_addresses = '127.0.0.1'\nlog_statement = all\nlog_connections = on\nlog_min_messages = debug1");
unlink $remote->data_dir . '/pg_hba.conf';
$remote->append_conf('pg_hba.conf', "host all runner 127.0.0.1/32 scram-sha-256\nlocal all all trust");
$remote->start;

my %server = (host => '127.0.0.1', port => $remote->port, dbname => 'sport', user => 'runner');
my $told = '';

create_football($local, 'sport');
create_football($remote, 'sport');
$remote->safe_psql(
	'sport', q{
	SET log_statement = none;
	SET password_encryption = 'scram-sha-256';
	CREATE ROLE runner LOGIN PASSWORD 'Geheim-right';
	GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO runner});
$local->safe_psql(
	'sport', q{
	CREATE EXTENSION sync_ext;
	CREATE ROLE alice LOGIN;
	GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO alice});
add_server($local, 'sport', 'good', %server, password => 'Geheim-right');
add_server($local, 'sport', 'bad', %server, password => 'Geheim-wrong');
add_server($local, 'sport', 'odd', %server, password => 'Geheim-right', sslmode => 'Geheim-no');
add_server($local, 'sport', 'lost', %server, password => 'Geheim-right', dbname => 'none');
add_server($local, 'sport', 'closed', %server,
	password => 'Geheim-right',
	port => PostgreSQL::Test::Cluster::get_free_port());
$local->safe_psql('sport', 'GRANT USAGE ON FOREIGN SERVER good, bad, odd, lost, closed TO alice');

# Everything goes wrong in turn.

for my $server (qw(good bad lost closed odd))
{
	for my $user (undef, 'alice')
	{
		$told .= join '', try_sql(
			$local, 'sport', qq{
			SET client_min_messages = debug1;
			SELECT * FROM $_}, user => $user)
		  for
		  qq{sync_progress(false, environment => '$server')},
		  qq{sync_progress_drift(environment => '$server')},
		  qq{sync_progress_analyze('$server')};
	}
}
$remote->safe_psql('sport', 'REVOKE SELECT ON teams FROM runner');
$told .= join '', try_sql($local, 'sport', q{SELECT sync_progress(false, environment => 'good')});
$remote->safe_psql('sport', 'GRANT SELECT ON teams TO runner; DROP TABLE season_progress');
$told .= join '', try_sql($local, 'sport', q{SELECT sync_progress(false, environment => 'good')});
like($told, qr/ERROR:  $_: /, "what was tried ended with $_, among others") for qw(08001 42501 42P01);
unlike($told, qr/Geheim-(right|wrong)/, 'no message has a password in it');

# What others can see while a run is under way

my $blocker = $remote->background_psql('sport');
$blocker->query_safe('CREATE TABLE season_progress (competition_id text, season_id text, season_year int,'
	  . ' status text, completed_at timestamptz, clubs_saved int);'
	  . ' GRANT ALL ON season_progress TO runner; BEGIN; LOCK TABLE competition_progress');
my $session = start_sql($local, 'sport', q{SELECT sync_progress(false, environment => 'good')}, app => 'run');
wait_until_waiting($remote, 'sync_ext');
for my $node ($local, $remote)
{
	my $activity = $node->safe_psql('postgres', 'SELECT * FROM pg_stat_activity');

	like($activity, qr/sync_progress|LOCK TABLE/, 'pg_stat_activity on ' . $node->name . ' shows the run');
	unlike($activity, qr/Geheim/, 'but no password');
}
$blocker->query_safe('ROLLBACK');
$blocker->quit;
my ($out, $err) = finish_sql($session);
is($err, '', 'which then ends well');

# What is left behind

my $history = $local->safe_psql('sport', 'SELECT to_jsonb(h) FROM sync_history h');
like($history, qr/"08001"/, 'history has failed runs');
unlike($history, qr/Geheim-(right|wrong)/, 'and no password');
for my $node ($local, $remote)
{
	unlike(slurp_file($node->logfile), qr/Geheim-(right|wrong)/, 'the server log of ' . $node->name . ' has no password');
}

$local->stop;
$remote->stop;
done_testing();
