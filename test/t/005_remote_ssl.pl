# sslmode of a foreign server is honoured.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $remote = start_node('remote', q{listen_addresses = '127.0.0.1'});
my $data = $remote->data_dir;

plan skip_all => 'there is no openssl to make a certificate with'
  unless run_log(
	[
		'openssl', 'req', '-new', '-x509', '-nodes', '-days', '30',
		'-subj', '/CN=not.this.host', '-out', "$data/server.crt", '-keyout', "$data/server.key"
	]);
chmod 0600, "$data/server.key";

my $local = start_node('local');
my %server = (host => '127.0.0.1', port => $remote->port, dbname => 'sport');
my %modes = (
	plain => { sslmode => 'disable' },
	required => { sslmode => 'require' },
	verified => { sslmode => 'verify-ca', sslrootcert => "$data/server.crt" },
	named => { sslmode => 'verify-full', sslrootcert => "$data/server.crt" });

create_football($local, 'sport');
create_football($remote, 'sport');
$local->safe_psql('sport', 'CREATE EXTENSION sync_ext');
add_server($local, 'sport', $_, %server, %{ $modes{$_} }) for sort keys %modes;

# Check what a dry run on that server says.
sub run_says
{
	my ($server, $expected, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($out, $err) = try_sql($local, 'sport', qq{SELECT sync_progress(environment => '$server')});

	return like("$out$err", $expected, $name);
}

run_says('plain', qr/SUMMARY/, 'sslmode=disable works on a server without SSL');
run_says('required', qr/ERROR:  08001: could not connect to server "required"\n.*DETAIL:.*SSL was required/s,
	'sslmode=require is refused by a server without SSL');

$remote->append_conf('postgresql.conf', 'ssl = on');
unlink "$data/pg_hba.conf";
$remote->append_conf('pg_hba.conf', "local all all trust\nhostssl all all 127.0.0.1/32 trust");
$remote->restart;

run_says('plain', qr/ERROR:  08001: could not connect to server "plain"\n.*DETAIL:.*no encryption/s,
	'sslmode=disable is refused by a server that wants SSL');
run_says('required', qr/SUMMARY/, 'sslmode=require works there');
run_says('verified', qr/SUMMARY/, 'sslmode=verify-ca works with the right root certificate');
run_says('named', qr/ERROR:  08001: could not connect to server "named"\n.*DETAIL:.*certificate/s,
	'sslmode=verify-full is refused by a certificate for another host');

$local->stop;
$remote->stop;
done_testing();
