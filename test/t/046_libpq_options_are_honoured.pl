# Whatever libpq takes as an option of a connection holds for the stream of a foreign
# server, from the server, the mapping or a service; and a cancel ends its run within a second.

use strict;
use warnings;

use IO::Socket::INET;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;
use Time::HiRes 'time';

my $folder = PostgreSQL::Test::Utils::tempdir();
my $app = start_node('app', q{listen_addresses = '127.0.0.1'});
my $mute = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5) or die "no socket: $!";

$app->safe_psql('postgres', q{
	SET password_encryption = 'scram-sha-256';
	CREATE ROLE reader LOGIN PASSWORD 'right';
	CREATE SCHEMA other;
	CREATE TABLE other.seen AS SELECT 1 AS id, 'other' AS what});
unlink $app->data_dir . '/pg_hba.conf';
$app->append_conf('pg_hba.conf', "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256");
$app->reload;

# what libpq reads in the process of the server
append_to_file("$folder/services", sprintf("[app]\nhost=%s\nport=%s\ndbname=postgres\napplication_name=by service\n\n", $app->host, $app->port)
	  . sprintf("[mute]\nhost=127.0.0.1\nport=%s\nconnect_timeout=1\n", $mute->sockport));
append_to_file("$folder/passwords", "*:*:*:reader:right\n");
chmod 0600, "$folder/passwords";
$ENV{PGSERVICEFILE} = "$folder/services";
my $warehouse = start_node('warehouse');
delete $ENV{PGSERVICEFILE};
$warehouse->safe_psql('postgres', q{
	CREATE EXTENSION sync_ext;
	CREATE TABLE seen (id int PRIMARY KEY, what text)});

my $nservers = 0;

# Run a stream of that query from a server with those options.  Returns what the row
# says, or what went wrong.
sub seen
{
	my ($query, %options) = @_;
	my $name = 'app' . ++$nservers;
	my ($out, $err);

	add_server($warehouse, 'postgres', $name, %options);
	($out, $err) = try_sql($warehouse, 'postgres', qq{
		SELECT sync_create_stream('$name', 'seen', '{id}', \$q\$$query\$q\$, '$name');
		TRUNCATE seen;
		SELECT sync_run('$name') IS NULL;
		SELECT what FROM seen});
	return $err || $out =~ s/.*\n//sr;
}

# A query for settings of the other server's session.
sub settings
{
	return 'SELECT 1 AS id, concat_ws($$ $$, ' . join(', ', map { "current_setting('$_')" } @_) . ') AS what';
}

my %app = (host => $app->host, port => $app->port, dbname => 'postgres');
my %tcp = (%app, host => '127.0.0.1', user => 'reader');

is(seen(settings('application_name', 'client_encoding'), %app), 'sync_ext UTF8', 'a session has a name of its own');
is(seen(settings('application_name'), %app, application_name => 'my app'), 'my app', 'application_name');
is(seen('TABLE seen', %app, options => '-c search_path=other -c work_mem=123kB'), 'other', 'options: what names mean');
is(seen(settings('work_mem', 'transaction_read_only', 'transaction_isolation'), %app,
		options => '-c work_mem=123kB -c default_transaction_read_only=off -c default_transaction_isolation=serializable'),
	'123kB on repeatable read', 'options: settings, but for what is promised');
is(seen(settings('application_name'), service => 'app'), 'by service', 'service');
like(seen(settings('application_name'), service => 'none'), qr/08001.*definition of service "none" not found/s, 'a service that there is not');
is(seen('SELECT 1 AS id, current_user AS what', %tcp, passfile => "$folder/passwords"), 'reader', 'passfile');
like(seen('SELECT 1 AS id, current_user AS what', %tcp), qr/08001.*no password supplied/s, 'without it there is no password');
is(seen('SELECT 1 AS id, current_user AS what', %tcp, password => 'right', channel_binding => 'disable', gssencmode => 'disable'), 'reader', 'what concerns the protocol');
like(seen('SELECT 1 AS id', %tcp, password => 'right', channel_binding => 'require', sslmode => 'disable'), qr/08001.*channel binding required/s, 'channel_binding');
like(seen('SELECT 1 AS id', %tcp, password => 'right', sslmode => 'require'), qr/08001.*SSL was required/s, 'sslmode');
is(seen(settings('in_hot_standby'), %app, target_session_attrs => 'primary'), 'off', 'target_session_attrs');
like(seen('SELECT 1 AS id', %app, target_session_attrs => 'standby'), qr/08001.*server is not in hot standby mode/s, 'another one is not taken');
is(seen(settings('port'), %app, host => '127.0.0.1,' . $app->host, port => $mute->sockport . ',' . $app->port, connect_timeout => 1) =~ /no answer|^\d+$/ ? 1 : 0, 1,
	'several hosts');

# connect_timeout

for my $case ([ '1', 'in an option', %app, host => '127.0.0.1', port => $mute->sockport, connect_timeout => 1 ], [ '1', 'in a service', service => 'mute' ])
{
	my ($seconds, $where, %options) = @$case;
	my $began = time;

	like(seen('SELECT 1 AS id', %options), qr/08001.*DETAIL:  no answer within $seconds s \(connect_timeout\)/s, "connect_timeout $where");
	cmp_ok(time - $began, '<', $seconds + PROMPT_S, 'in time');
}
for my $wrong ('abc', '1 s', '99999999999', '99999999999999999999', ' ')
{
	like(seen('SELECT 1 AS id', %app, connect_timeout => $wrong),
		qr/ERROR:  HV024: option connect_timeout of server "app\d+" is not valid: "\Q$wrong\E"\nHINT:  It is a whole number of seconds; 0 waits for ever\./,
		"connect_timeout '$wrong' is refused");
}
is(seen(settings('application_name'), %app, connect_timeout => $_), 'sync_ext', "connect_timeout '$_' is not") for '0', '-1', ' 30 ';

# A cancel within a second, while the network gives nothing

add_server($warehouse, 'postgres', 'held', %app);
add_server($warehouse, 'postgres', 'silent', %app, host => '127.0.0.1', port => $mute->sockport, connect_timeout => 0);
$warehouse->safe_psql('postgres', q{
	SELECT sync_create_stream('held', 'seen', '{id}', 'SELECT 1 AS id FROM pg_sleep(600)', 'held'),
		sync_create_stream('silent', 'seen', '{id}', 'SELECT 1 AS id', 'silent')});
for my $stream ('silent', 'held')
{
	my $session = start_sql($warehouse, 'postgres', "SELECT sync_run('$stream')", app => 'run');
	my $pid = '';

	wait_until_waiting($warehouse, 'run', 'Extension');
	if ($stream eq 'held')
	{
		# a session there that is stopped is as a network that hangs
		$app->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'}) or die 'no query';
		$pid = $app->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'});
		kill 'STOP', $pid;
	}
	my $began = time;
	$warehouse->safe_psql('postgres', q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'run'});
	my ($out, $err) = finish_sql($session);
	my $took = time - $began;
	like($err, qr/57014: canceling statement due to user request/, "stream \"$stream\" is cancelled");
	cmp_ok($took, '<', PROMPT_S, 'at once');
	diag(sprintf('that took %.1f s', $took)) if $took > 1;
	kill 'CONT', $pid if $pid;
}

$warehouse->stop;
$app->stop;
done_testing();
