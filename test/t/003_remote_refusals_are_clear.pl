# Whatever keeps a run from its foreign server is said clearly, with an SQLSTATE,
# and nothing is written anywhere but the history of an executed run.  A role that
# is no superuser gets through with a password of its own only.

use strict;
use warnings;

use IO::Socket::INET;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;
use Time::HiRes qw(time);

my $local = start_node('local');
my $remote = PostgreSQL::Test::Cluster->new('remote');
$remote->init(allows_streaming => 1, extra => [ '--encoding=UTF8', '--no-locale' ]);
$remote->append_conf('postgresql.conf', q{listen_addresses = '127.0.0.1'});
unlink $remote->data_dir . '/pg_hba.conf';
$remote->append_conf(
	'pg_hba.conf', q{
local all runner scram-sha-256
host all runner 127.0.0.1/32 scram-sha-256
host all trusted 127.0.0.1/32 trust
host all rejected 127.0.0.1/32 reject
local all all trust
local replication all trust});
$remote->start;
$remote->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($remote, 'copy', has_streaming => 1);
$standby->append_conf('postgresql.conf', q{listen_addresses = ''});
$standby->start;

my ($out, $err, $started);
my %tcp = (host => '127.0.0.1', port => $remote->port, dbname => 'sport');
my %socket = (host => $remote->host, port => $remote->port, dbname => 'sport');

create_football($local, 'sport');
create_football($remote, 'sport');
$remote->safe_psql(
	'sport', q{
	SET password_encryption = 'scram-sha-256';
	CREATE ROLE runner LOGIN PASSWORD 'right';
	CREATE ROLE trusted LOGIN;
	CREATE ROLE rejected LOGIN;
	GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO runner, trusted});
$local->safe_psql(
	'sport', q{
	CREATE EXTENSION sync_ext;
	CREATE ROLE alice LOGIN;
	GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO alice});

sub dry_run
{
	my ($server, $user) = @_;

	return try_sql($local, 'sport',
		qq{SELECT sync_progress(environment => '$server', max_details => 0)},
		user => $user);
}

sub execute
{
	my ($server, $user) = @_;

	return try_sql($local, 'sport',
		qq{SELECT sync_progress(false, environment => '$server', max_details => 0)},
		user => $user);
}

# Check that neither kind of run gets through, and that history has the second.
sub refused_is
{
	my ($server, $user, $expected, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($sqlstate) = $expected =~ /ERROR:  (\w{5})/;

	$local->safe_psql('sport', 'TRUNCATE sync_history');
	($out, $err) = dry_run($server, $user);
	like($err, $expected, "$name: clear error");
	is($local->safe_psql('sport', 'SELECT count(*) FROM sync_history'),
		'0', "$name: the dry run leaves no history row");
	($out, $err) = execute($server, $user);
	like($err, $expected, "$name: the same when it is to write");
	return is(
		$local->safe_psql('sport', 'SELECT environment, status, error_sqlstate FROM sync_history'),
		"$server|failed|$sqlstate", "$name: history says so");
}

# The default timeout of connecting: begin here, look at the end of this file.  The
# socket listens, and nobody answers on it.
my $mute = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5)
  or die "no socket: $!";
add_server($local, 'sport', 'mute', host => '127.0.0.1', port => $mute->sockport);
add_server($local, 'sport', 'mute_1s',
	host => '127.0.0.1',
	port => $mute->sockport,
	connect_timeout => 1);
my $patient = start_sql($local, 'sport', q{
	DO $$ DECLARE started timestamptz := clock_timestamp(); BEGIN
		PERFORM sync_progress(environment => 'mute');
	EXCEPTION WHEN OTHERS THEN
		RAISE NOTICE '% after % s', sqlstate,
			round(extract(epoch FROM clock_timestamp() - started));
	END $$});

# What is no environment

refused_is('nowhere', undef, qr/ERROR:  42704: environment "nowhere" does not exist\n.*HINT:  Run CREATE SERVER nowhere /s,
	'a server that does not exist');
refused_is(q{a "quoted" one}, undef, qr/ERROR:  42704: environment "a "quoted" one" does not exist\n.*HINT:  Run CREATE SERVER "a ""quoted"" one" /s,
	'a server with a strange name');
refused_is('', undef, qr/ERROR:  42704: environment "" does not exist/, 'an empty name');

add_server($local, 'sport', 'unmapped', %tcp);
$local->safe_psql('sport', 'DROP USER MAPPING FOR PUBLIC SERVER unmapped; GRANT USAGE ON FOREIGN SERVER unmapped TO alice');
refused_is('unmapped', 'alice',
	qr/ERROR:  42704: role "alice" has no user mapping for server "unmapped"\n.*HINT:  Run CREATE USER MAPPING FOR alice SERVER unmapped /s,
	'no user mapping');

add_server($local, 'sport', 'foreign_to_alice', %tcp, user => 'runner', password => 'right');
refused_is('foreign_to_alice', 'alice', qr/ERROR:  42501: permission denied for foreign server foreign_to_alice/,
	'no right on the server');

# What does not connect

my $unused = PostgreSQL::Test::Cluster::get_free_port();
add_server($local, 'sport', 'closed', host => '127.0.0.1', port => $unused);
refused_is('closed', undef, qr/ERROR:  08001: could not connect to server "closed"\n.*DETAIL:.*Connection refused/s,
	'a port that nobody listens on');
add_server($local, 'sport', 'no_socket', host => $local->host . '/none', port => $unused);
refused_is('no_socket', undef, qr/ERROR:  08001: could not connect to server "no_socket"\n.*DETAIL:.*No such file/s,
	'a socket that is not there');
add_server($local, 'sport', 'no_database', %socket, dbname => 'none');
refused_is('no_database', undef, qr/ERROR:  08001: could not connect to server "no_database"\n.*DETAIL:.*database "none" does not exist/s,
	'a database that is not there');
add_server($local, 'sport', 'rejecting', %tcp, user => 'rejected');
refused_is('rejecting', undef, qr/ERROR:  08001: could not connect to server "rejecting"\n.*DETAIL:.*pg_hba\.conf rejects/s,
	'a pg_hba.conf that rejects');
for my $way ([ 'tcp', \%tcp ], [ 'socket', \%socket ])
{
	add_server($local, 'sport', "wrong_$way->[0]", %{ $way->[1] }, user => 'runner', password => 'wrong');
	refused_is("wrong_$way->[0]", undef,
		qr/ERROR:  08001: could not connect to server "wrong_$way->[0]"\n.*DETAIL:.*password authentication failed for user "runner"/s,
		"a wrong password over $way->[0]");
	add_server($local, 'sport', "without_$way->[0]", %{ $way->[1] }, user => 'runner');
	refused_is("without_$way->[0]", undef,
		qr/ERROR:  08001: could not connect to server "without_$way->[0]"\n.*DETAIL:.*no password supplied/s,
		"no password over $way->[0]");
}

$started = time;
refused_is('mute_1s', undef, qr/ERROR:  08001: could not connect to server "mute_1s"\n.*DETAIL:.*connect_timeout/s,
	'a server that does not answer in connect_timeout');
cmp_ok(time - $started, '<', 2 * (1 + PROMPT_S), 'connect_timeout is honoured');

# Passwords, superusers and others

$local->safe_psql('sport', q{GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO alice});
for my $way ([ 'tcp', \%tcp ], [ 'socket', \%socket ])
{
	my ($name, $options) = @$way;

	for my $user (undef, 'alice')
	{
		my $who = $user // 'superuser';
		my $server = "right_${name}_$who";

		add_server($local, 'sport', $server, %$options, user => 'runner', password => 'right');
		$local->safe_psql('sport', "GRANT USAGE ON FOREIGN SERVER $server TO alice");
		($out, $err) = dry_run($server, $user);
		like($out, qr/Direct sync initialized for $server\n.*Competitions to add: 1/s,
			"the right password over $name: $who gets through");
		is($err, '', 'without a message');
	}
}

add_server($local, 'sport', 'trusting', %tcp, user => 'trusted');
add_server($local, 'sport', 'trusting_too', %tcp, user => 'trusted', password => 'unused');
$local->safe_psql('sport', 'GRANT USAGE ON FOREIGN SERVER trusting, trusting_too TO alice');
($out, $err) = dry_run('trusting');
like($out, qr/SUMMARY/, 'a superuser needs no password where the server asks for none');
refused_is('trusting', 'alice', qr/ERROR:  2F003: password is required to connect to server "trusting"\n.*DETAIL:.*HINT:/s,
	'another role without a password in its mapping');
refused_is('trusting_too', 'alice',
	qr/ERROR:  2F003: password is required to connect to server "trusting_too"\n.*DETAIL:  The server did not ask/s,
	'another role where the server does not ask for the password');
$local->safe_psql('sport', q{ALTER USER MAPPING FOR PUBLIC SERVER trusting OPTIONS (ADD password_required 'false')});
($out, $err) = dry_run('trusting', 'alice');
like($out, qr/SUMMARY/, 'unless a superuser has waived it');
is($err, '', 'then without a message');

# Other wrappers do not check who waives it, so it must not count there.
$local->safe_psql(
	'sport', q{
	CREATE FOREIGN DATA WRAPPER plain;
	CREATE SERVER waived FOREIGN DATA WRAPPER plain OPTIONS (host '127.0.0.1', port '} . $remote->port . q{', dbname 'sport');
	CREATE SERVER waived_server FOREIGN DATA WRAPPER plain OPTIONS (host '127.0.0.1', port '} . $remote->port . q{', dbname 'sport', password_required 'false');
	CREATE USER MAPPING FOR alice SERVER waived_server OPTIONS (user 'trusted');
	GRANT USAGE ON FOREIGN SERVER waived, waived_server TO alice});
$local->safe_psql('sport', q{CREATE USER MAPPING FOR alice SERVER waived OPTIONS (user 'trusted', password_required 'false')},
	extra_params => [ '-U', 'alice' ]);
($out, $err) = dry_run('waived', 'alice');
like($err, qr/ERROR:  2F003: password is required/,
	'a role cannot waive the password for itself where the wrapper does not check its options');
$local->safe_psql('sport', q{
	ALTER USER MAPPING FOR alice SERVER waived OPTIONS (SET user 'runner', SET password_required 'true', ADD password 'right')});
($out, $err) = dry_run('waived', 'alice');
like($out, qr/SUMMARY/, 'a wrapper without handler and validator serves as well');

# A server that only reads

$remote->wait_for_catchup($standby);
add_server($local, 'sport', 'standby', host => $standby->host, port => $standby->port, dbname => 'sport');
for my $call (
	q{sync_progress(environment => 'standby')},
	q{sync_progress_drift(environment => 'standby')},
	q{sync_progress_analyze('standby')})
{
	($out, $err) = try_sql($local, 'sport', "SELECT * FROM $call");
	like($out, qr/EPL/, "$call works on a hot standby");
	is($err, '', 'without a message');
}
$local->safe_psql('sport', 'TRUNCATE sync_history');
($out, $err) = execute('standby');
like($err, qr/ERROR:  25006: .*on server "standby"/s, 'an executed run on a hot standby is refused as read-only');
is($local->safe_psql('sport', 'SELECT environment, status, error_sqlstate FROM sync_history'),
	'standby|failed|25006', 'and history says so');
add_server($local, 'sport', 'either',
	host => $standby->host . ',' . $remote->host,
	port => $standby->port . ',' . $remote->port,
	dbname => 'sport',
	target_session_attrs => 'read-write');
($out, $err) = execute('either');
like($out, qr/SUMMARY/, 'target_session_attrs finds the one among several hosts that takes writes');
is($err, '', 'without a message');

# Rights and tables that are missing there

$remote->safe_psql('sport', 'REVOKE UPDATE ON season_progress FROM runner; DROP TABLE competitions');
refused_is('right_tcp_alice', 'alice', qr/ERROR:  42P01: .*environment "right_tcp_alice".*"competitions" does not exist/s,
	'a table that is missing there');
$remote->safe_psql('sport', 'CREATE TABLE competitions (competition_id text, url text); GRANT SELECT ON competitions TO runner');
($out, $err) = execute('right_tcp_alice', 'alice');
like($err, qr/ERROR:  42501: .*environment "right_tcp_alice".*"season_progress"/s, 'a right that is missing there is named');

# The timeout that began above

($out, $err) = finish_sql($patient);
like($err, qr/NOTICE:  \w{5}: 08001 after (9|1[0-3]) s/, 'without connect_timeout, connecting ends after 10 seconds');
is($local->safe_psql('sport', 'SELECT count(*) FROM competition_progress'), '1', 'nothing was ever written here');

$local->stop;
$standby->stop;
$remote->stop;
done_testing();
