# Each trouble of docs/athletes.md gives a clear error with a hint, on a second server
# with a pg_hba.conf of its own, and a row of history that says whose it is.  Where the
# hint is a statement, running it there is the cure.

use strict;
use warnings;

use IO::Socket::INET;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $app = start_node('app', q{listen_addresses = '127.0.0.1'});
my $warehouse = start_node('warehouse');
my $query = 'SELECT uuid AS athlete_uuid, name AS full_name FROM public."User"';
my $nstreams = 0;

$app->safe_psql('postgres', q{CREATE DATABASE app});
$app->safe_psql('postgres',
	q{CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0});
$app->safe_psql('postgres', q{CREATE ROLE athlete_reader LOGIN PASSWORD 'right'; CREATE ROLE "Odd reader" LOGIN PASSWORD 'right'});
for my $db (qw(app latin))
{
	$app->safe_psql($db, q{
		SET client_encoding = UTF8;
		CREATE TABLE public."User" (uuid int PRIMARY KEY, name text);
		INSERT INTO public."User" VALUES (1, 'Zoë Müller'), (2, 'Ann'), (3, 'Søren Ångström');
		GRANT SELECT ON public."User" TO athlete_reader});
}
$app->safe_psql('app', q{
	CREATE SCHEMA private;
	CREATE TABLE private.person (uuid int, name text);
	CREATE TABLE public.person_notes (uuid int, name text);
	GRANT SELECT ON private.person TO athlete_reader;
	CREATE VIEW private.club_members AS SELECT uuid, name FROM public."User"});
unlink $app->data_dir . '/pg_hba.conf';
$app->append_conf('pg_hba.conf', q{
local all all trust
host latin athlete_reader 127.0.0.1/32 scram-sha-256
host app athlete_reader 127.0.0.1/32 scram-sha-256
host app "Odd reader" 127.0.0.1/32 scram-sha-256});
$app->reload;

$warehouse->safe_psql('postgres', q{CREATE DATABASE wh ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0});
$warehouse->safe_psql('wh', q{
	CREATE EXTENSION sync_ext;
	CREATE EXTENSION postgres_fdw;
	CREATE SCHEMA analytics;
	CREATE TABLE analytics.athlete_dim (athlete_uuid int PRIMARY KEY, full_name text);
	INSERT INTO analytics.athlete_dim VALUES (0, 'stays');
	CREATE ROLE athlete_sync LOGIN;
	GRANT USAGE ON SCHEMA analytics TO athlete_sync;
	GRANT SELECT, INSERT, UPDATE ON analytics.athlete_dim TO athlete_sync;
	GRANT EXECUTE ON FUNCTION sync_run TO athlete_sync});

# Declare a stream on a server with those options; the query, user and password may be
# among them.  Returns its name, which is the server's too.
sub declare
{
	my (%options) = @_;
	my $name = 'app ' . ++$nstreams;
	my $mapping = sprintf q{CREATE USER MAPPING FOR athlete_sync SERVER "%s" OPTIONS (user '%s', password '%s');}, $name,
	  delete $options{user} // 'athlete_reader', delete $options{password} // 'right';
	my $sql = delete $options{query} // $query;

	$mapping = '' if delete $options{unmapped};
	%options = (host => '127.0.0.1', port => $app->port, dbname => 'app', sslmode => 'prefer', %options);
	$warehouse->safe_psql('wh', qq{
		CREATE SERVER "$name" FOREIGN DATA WRAPPER postgres_fdw OPTIONS (}
		  . join(', ', map { "$_ '$options{$_}'" } sort keys %options) . qq{);
		GRANT USAGE ON FOREIGN SERVER "$name" TO athlete_sync;
		$mapping
		SELECT sync_create_stream('$name', 'analytics.athlete_dim', '{athlete_uuid}', \$q\$$sql\$q\$, '$name')});
	return $name;
}

sub run_stream
{
	my ($name) = @_;

	return try_sql($warehouse, 'wh', qq{SELECT rows_read, inserted FROM sync_run('$name')}, user => 'athlete_sync');
}

# Check that a run fails like that.  Returns the hint.
sub fails_like
{
	my ($stream, $outcome, $expected, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($out, $err) = run_stream($stream);
	my ($hint) = $err =~ /^HINT:  (.*)$/m;

	like($err, $expected, "$name: clear error with a hint");
	is($warehouse->safe_psql('wh', qq{SELECT outcome, error_hint = \$h\$$hint\$h\$ FROM sync_history WHERE subject = '$stream'
		ORDER BY history_id DESC LIMIT 1}), "$outcome|t", "$name: its outcome is $outcome");
	is($warehouse->safe_psql('wh', 'SELECT string_agg(full_name, $$ $$) FROM analytics.athlete_dim'), 'stays', "$name: nothing is changed");
	return $hint;
}

# The same; then do what the hint says on the app's side, and the run goes on to "next".
sub is_cured
{
	my ($stream, $db, $hint, $next, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($statement) = $hint =~ /^Run (GRANT .*) on that server\.$/;
	my ($out, $err);

	$app->safe_psql($db, $statement);
	($out, $err) = run_stream($stream);
	like("$out$err", $next, "$name: what the hint says helps");
	$warehouse->safe_psql('wh', 'DELETE FROM analytics.athlete_dim WHERE athlete_uuid > 0');
	return;
}

my ($stream, $hint, $out, $err);

# Rights

$app->safe_psql('app', 'REVOKE SELECT ON public."User" FROM athlete_reader');
$stream = declare();
$hint = fails_like($stream, 'configuration',
	qr/ERROR:  42501: permission denied for table User\nHINT:  Run GRANT SELECT ON TABLE public\."User" TO athlete_reader on that server\.\n/,
	'no right on the table');
is_cured($stream, 'app', $hint, qr/^3\|3/, 'no right on the table');

$stream = declare(query => 'SELECT uuid AS athlete_uuid, name AS full_name FROM private.person', user => 'Odd reader');
$hint = fails_like($stream, 'configuration',
	qr/ERROR:  42501: permission denied for schema private\nHINT:  Run GRANT USAGE ON SCHEMA private TO "Odd reader" on that server\.\n/,
	'no right on the schema');
is_cured($stream, 'app', $hint, qr/42501: permission denied for table person\n/, 'no right on the schema');
$hint = fails_like($stream, 'configuration', qr/HINT:  Run GRANT SELECT ON TABLE private\.person TO "Odd reader" on that server\.\n/,
	'nor on its table');
is_cured($stream, 'app', $hint, qr/WARNING.*is empty/, 'nor on its table');

# Names

for my $case (
	[ 'public.user', 'public."User"' ], [ '"user"', 'public."User"' ], [ 'users', 'public."User"' ],
	[ 'public . "USERS"', 'public."User"', 'public' ],
	[ 'nowhere.person', 'private.person' ], [ 'clubmember', 'private.club_members' ])
{
	my ($written, $meant, $named) = @$case;
	my $rule = $meant =~ /"/ ? '; names with capitals have to be in double quotes.' : '.';

	$stream = declare(query => "SELECT uuid AS athlete_uuid, 'ä' || name AS full_name FROM $written AS u");
	fails_like($stream, 'configuration',
		qr/ERROR:  42P01: relation ".*" does not exist\nHINT:  There is \Q$meant\E on that server\Q$rule\E\n.*on server "\Q$stream\E"/s,
		"$written for $meant");
}
fails_like(declare(query => 'SELECT 1 AS athlete_uuid FROM "Nichts"'), 'configuration',
	qr/ERROR:  42P01: relation "Nichts" does not exist\nHINT:  Role "athlete_reader" sees no relation there whose name is nearly that/, 'a name like no other');
fails_like(declare(query => 'SELECT u.uid AS athlete_uuid FROM public."User" AS u'), 'configuration',
	qr/ERROR:  42703: column u.uid does not exist\nHINT:  Perhaps you meant to reference the column "u.uuid"/, 'the hints of the other server are kept');

# No connection

fails_like(declare(sslmode => 'require'), 'connection',
	qr/ERROR:  08001: could not connect to server "app \d+"\nDETAIL:.*server does not support SSL, but SSL was required\nHINT:  Turn on ssl there, or set option sslmode of server "app \d+" to 'prefer'/s,
	'SSL is required and not offered');

my $closed = PostgreSQL::Test::Cluster::get_free_port();
fails_like(declare(port => $closed), 'connection',
	qr/ERROR:  08001: could not connect.*DETAIL:.*Connection refused.*HINT:  Is that server running, and does it listen there\? Options host and port/s, 'nobody listens');

my $silent = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die 'no socket';
my $began = time;
fails_like(declare(port => $silent->sockport, connect_timeout => 1), 'connection',
	qr/ERROR:  08001: could not connect.*DETAIL:  no answer within 1 s \(connect_timeout\)\nHINT:  The host might be down, or a firewall in between/s, 'nobody answers');
cmp_ok(time - $began, '<', 1 + PROMPT_S, 'it ends in time');

fails_like(declare(password => 'wrong'), 'connection',
	qr/ERROR:  08001: could not connect.*password authentication failed for user "athlete_reader"\nHINT:  Set option password of the user mapping/s, 'a wrong password');
fails_like(declare(user => 'nobody'), 'connection', qr/08001.*DETAIL:.*no pg_hba.conf entry.*HINT:  If pg_hba.conf there wants SSL.*else let it have a line/s,
	'a role that pg_hba.conf does not know');
fails_like(declare(dbname => 'nothing', host => $app->host, password => 'x'), 'connection', qr/08001.*DETAIL:.*database "nothing" does not exist\nHINT:  Look at the options of server/s,
	'a database that is not there');
fails_like(declare(unmapped => 1), 'configuration', qr/42704: role "athlete_sync" has no user mapping for server.*HINT:  Run CREATE USER MAPPING FOR athlete_sync/s,
	'no user mapping');

# Encodings: the names are right

for my $db (qw(latin app))
{
	($out, $err) = run_stream(declare(dbname => $db));
	is("$out$err", '3|3', "rows come from \"$db\"");
	is($warehouse->safe_psql('wh', q{SELECT string_agg(encode(convert_to(full_name, 'UTF8'), 'hex'), ' ' ORDER BY athlete_uuid)
		FROM analytics.athlete_dim WHERE athlete_uuid > 0}),
		join(' ', map { unpack 'H*', $_ } ("Zo\xc3\xab M\xc3\xbcller", 'Ann', "S\xc3\xb8ren \xc3\x85ngstr\xc3\xb6m")), 'with their names right');
	$warehouse->safe_psql('wh', 'DELETE FROM analytics.athlete_dim WHERE athlete_uuid > 0');
}

# An empty source

$app->safe_psql('app', 'TRUNCATE public."User"');
($out, $err) = run_stream(declare());
is($out, '0|0', 'an empty source is no error');
like($err, qr/WARNING:  02000: the source of stream "app \d+" is empty/, 'but a warning');
is($warehouse->safe_psql('wh', 'SELECT full_name FROM analytics.athlete_dim'), 'stays', 'and nothing is deleted');

# SSL is wanted

SKIP:
{
	my $data = $app->data_dir;

	skip 'there is no openssl to make a certificate with', 6
	  unless run_log([ 'openssl', 'req', '-new', '-x509', '-nodes', '-days', '30', '-subj', '/CN=app',
			'-out', "$data/server.crt", '-keyout', "$data/server.key" ]);
	chmod 0600, "$data/server.key";
	$app->append_conf('postgresql.conf', 'ssl = on');
	unlink "$data/pg_hba.conf";
	$app->append_conf('pg_hba.conf', "local all all trust\nhostssl app athlete_reader 127.0.0.1/32 scram-sha-256");
	$app->restart;
	fails_like(declare(sslmode => 'disable'), 'connection',
		qr/08001.*DETAIL:.*no pg_hba.conf entry.*no encryption\nHINT:  If pg_hba.conf there wants SSL, set option sslmode of server "app \d+" to 'require'/s, 'SSL is wanted and not used');
	fails_like(declare(sslmode => 'verify-full', sslrootcert => "$data/server.crt"), 'connection',
		qr/08001.*DETAIL:.*certificate.*HINT:  Option sslrootcert of server/s, 'a certificate for another host');
}

$warehouse->stop;
$app->stop;
done_testing();
