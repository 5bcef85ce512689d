# Requests go only where they may, and a hostile server can spoil its own request and
# nothing else.

use strict;
use warnings;

use lib 'test/perl';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncFake;
use SyncTest;
use Test::More;

my $node = start_node('http', "log_min_messages = debug1\nlog_statement = none");
my $fake = SyncFake->start('plain');
my $folder = PostgreSQL::Test::Utils::tempdir();
my $here = "SET sync_ext.http_private_networks = '127.0.0.0/8, ::1';";
my ($out, $err);

$node->safe_psql('postgres', 'CREATE EXTENSION sync_ext');
$fake->define($node, 'postgres', 'rows', 'lines', 'echo', 'not-json');

# Ask with settings; returns what came and what was said.
sub ask
{
	my ($settings, $endpoint, $params) = @_;
	return try_sql($node, 'postgres', "$settings SELECT sync_fetch('plain_$endpoint', '" . ($params // '{}') . "')");
}

sub is_refused
{
	my ($like, $what, @asked) = @_;
	my ($rows, $said) = ask(@asked);
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($rows, '', "$what: nothing comes");
	return like($said, $like, "$what: it is said why");
}

# the base URL for what follows
sub base
{
	my ($url) = @_;
	return $node->safe_psql('postgres', "UPDATE sync_providers SET base_url = '$url' WHERE provider_name = 'plain'");
}

# what may be reached

($out, $err) = ask($here, 'rows', '{"n": 2}');
is($err, '', 'a network that is allowed can be reached');
like($out, qr/"id": 1,.*"id": 2,/s, 'and gives its records');

my $port = $fake->port;
for my $host ('127.0.0.1', 'localhost', '127.1', '2130706433', '0x7f.1', '0177.0.0.1', '[::1]', '[::ffff:127.0.0.1]',
	'[::ffff:7f00:1]', '0.0.0.0', '[::]', '[64:ff9b::7f00:1]',
	'[2002:7f00:1::]', '[64:ff9b:1::7f00:1]', '[::ffff:0:127.0.0.1]', '[::127.0.0.1]', '[3fff::1]')
{
	base("http://$host:$port");
	is_refused(qr/ERROR:  42501: .* may not be asked\nDETAIL:  It is at /, "http://$host by default", '', 'rows');
}
for my $host ('10.0.0.1', '172.31.255.255', '192.168.1.1', '169.254.169.254', '100.64.0.1', '224.0.0.1', '[fe80::1]', '[fd00::1]')
{
	base("http://$host");
	is_refused(qr/ERROR:  42501: .*\nDETAIL:  It is at /, "http://$host with another network allowed", $here, 'rows');
}
base($fake->url);
is_refused(qr/ERROR:  22023: invalid value for parameter "sync_ext.http_private_networks": "127.0.0.1\/33"\nDETAIL:  "127.0.0.1\/33" is no network/,
	'a network that is none', q{LOAD 'sync_ext'; SET sync_ext.http_private_networks = '127.0.0.1/33';}, 'rows');

# a connection that is there is judged anew
($out, $err) = try_sql($node, 'postgres', "$here SELECT count(*) FROM sync_fetch('plain_rows');"
	. " SET sync_ext.http_private_networks = '10.0.0.0/8'; SELECT sync_fetch('plain_rows')");
is($out, 3, 'what was allowed once');
like($err, qr/ERROR:  42501: .* may not be asked/, 'is refused when it is not allowed any more, also on an open connection');

# by name
for my $case ([ '127.0.0.1', 1 ], [ 'example.org, 127.0.0.1', 1 ], [ '*.0.0.1', 1 ], [ '*', 1 ], [ '', 0 ], [ '*.example.org', 0 ], [ '27.0.0.1', 0 ])
{
	my ($hosts, $allowed) = @$case;
	($out, $err) = ask("$here SET sync_ext.http_allowed_hosts = '$hosts';", 'rows');
	$allowed
	  ? like($out, qr/row 3/, "hosts \"$hosts\" allow it")
	  : like($err, qr/ERROR:  42501: host "127.0.0.1" may not be asked\nDETAIL:  Setting sync_ext.http_allowed_hosts/, "hosts \"$hosts\" do not");
}
$node->safe_psql('postgres', 'CREATE ROLE plain LOGIN; GRANT EXECUTE ON FUNCTION sync_fetch TO plain');
for my $setting (qw(http_private_networks http_allowed_hosts http_ca_file http_max_response_size http_concurrency))
{
	($out, $err) = try_sql($node, 'postgres', "LOAD 'sync_ext'; SET sync_ext.$setting = 1", user => 'plain');
	like($err, qr/permission denied to set parameter|could not access file|access to library/, "$setting is not for everyone to set");
}

# an environment with a proxy changes nothing
{
	my $proxied = PostgreSQL::Test::Cluster->new('proxied');
	local %ENV = (%ENV, http_proxy => 'http://127.0.0.1:1', HTTPS_PROXY => 'http://127.0.0.1:1', all_proxy => 'http://127.0.0.1:1');
	$proxied->init;
	$proxied->start;
	$proxied->safe_psql('postgres', 'CREATE EXTENSION sync_ext');
	$fake->define($proxied, 'postgres', 'rows');
	is($proxied->safe_psql('postgres', "$here SELECT count(*) FROM sync_fetch('plain_rows')"), 3, 'a proxy of the environment is not used');
	$proxied->stop;
}

# redirects

$fake->set(redirect => $fake->url . '/elsewhere');
is_refused(qr/ERROR:  SY001: .* redirects too often/, 'redirects without end', $here, 'rows');
is(scalar(grep { $_->{path} eq '/elsewhere' } $fake->log), 5, 'of which five are followed');
for my $target ("http://localhost:$port/", "http://127.0.0.1:1/", "https://127.0.0.1:$port/", 'ftp://127.0.0.1/', 'file:///etc/passwd', '//example.org/')
{
	$fake->set(redirect => $target);
	is_refused(qr/ERROR:  42501: .* redirects to another host/, "a redirect to $target", $here, 'rows');
}
$fake->set(redirect => '');

# sizes

my $small = "$here SET sync_ext.http_max_response_size = '100kB';";
$fake->set(big => 102401);
is_refused(qr/ERROR:  54000: .* is too large\nDETAIL:  It has more than 102400 bytes/, 'a large answer', $small, 'rows');
$fake->set(gzip => 1);
is_refused(qr/ERROR:  54000: .* is too large/, 'an answer that is large when it is unpacked', $small, 'rows');
$fake->set(big => 102400);
like((ask($small, 'rows'))[0], qr/"value": "x{100}/, 'one that just fits is taken, packed though nobody asked');
$fake->set(gzip => 0, gzip_unsaid => 1);
like((ask($small, 'rows'))[0], qr/"value": "x{100}/, 'also where it does not say that it is packed');
$fake->set(big => 102401);
is_refused(qr/ERROR:  54000: .* is too large/, 'but not where that is too large', $small, 'rows');
$fake->set(cut => 100);
is_refused(qr/ERROR:  (SY001|22021): /, 'nor where it breaks off', $small, 'rows');
$fake->set(cut => -1, gzip_unsaid => 0, big => 0, endless_header => 1);
is_refused(qr/ERROR:  (54000: the header of the answer of .* is too large|SY001: )/, 'a header without end', $here, 'rows');
$fake->set(endless_header => 0);
$node->safe_psql('postgres', q{UPDATE sync_endpoints SET records = '{"format": "ndjson"}' WHERE endpoint_name = 'plain_lines'});
$fake->set(body => unpack('H*', '{"a": "' . 'x' x 102400 . "\"}\n"));
is_refused(qr/ERROR:  54000: .* is too large/, 'a large line', $small, 'lines');

# bodies that are no text

for my $case ([ 'a zero byte', '5b2261005d', qr/ERROR:  22021: the answer of .* is no text\nDETAIL:  It has a zero byte/ ],
	[ 'a byte that is not UTF-8', '5b22ff225d', qr/ERROR:  22021: the answer of .* is no text\nDETAIL:  It is not valid/ ],
	[ 'an escaped zero byte', unpack('H*', '["\u0000"]'), qr/ERROR:  22P05: / ],
	[ 'JSON that ends too early', unpack('H*', '[{"a": 1'), qr/ERROR:  22P02: invalid input syntax for type json.*CONTEXT:  .*while fetching endpoint "plain_rows"/s ],
	[ 'no JSON at all', unpack('H*', 'hello'), qr/ERROR:  22P02: the answer of endpoint "plain_rows" is not JSON/ ],
	[ 'JSON that is too deep', unpack('H*', '[' x 1000000), qr/ERROR:  54001: stack depth limit exceeded/ ])
{
	my ($what, $body, $like) = @$case;
	$fake->set(body => $body);
	is_refused($like, $what, $here, 'rows');
}
$fake->set(body => unpack('H*', "\xef\xbb\xbf[{\"a\": \"\xc3\xa4\"}]"));
is((ask($here, 'rows'))[0], qq({"a": "\xc3\xa4"}), 'a byte order mark is passed over');
$fake->set(body => '');

# what breaks off

my $once = "UPDATE sync_providers SET retry = '{\"times\": %d, \"wait_ms\": 10}'";
$node->safe_psql('postgres', sprintf $once, 0);
$fake->set(cut => 20);
is_refused(qr/ERROR:  SY001: the answer of "http:.*\/rows" broke off/, 'an answer that breaks off', $here, 'rows');
$fake->set(cut => 0);
is_refused(qr/ERROR:  SY001: /, 'one that does not begin', $here, 'rows');
$fake->set(cut => -1);
base('http://127.0.0.1:1');
is_refused(qr/ERROR:  SY001: could not get an answer from "http:\/\/127.0.0.1:1\/rows"\nDETAIL:  .*onnect/, 'a port where nobody is', $here, 'rows');
base('http://no-such-host.invalid');
is_refused(qr/ERROR:  SY001: .*\nDETAIL:  Could not resolve host/, 'a host that is none', $here, 'rows');
base($fake->url);

# time limits

$fake->set(slow_ms => 3000);
is_refused(qr/ERROR:  SY001: .* took too long/, 'an answer that takes too long in all', "$here SET sync_ext.http_timeout = 300;", 'rows');
is_refused(qr/ERROR:  SY001: .* took too long/, 'a server that is silent', "$here SET sync_ext.http_idle_timeout = '1s';", 'rows');
$fake->set(slow_ms => 0);

# headers

for my $value ("x\r\nX-Added: 1", "x\nX-Added: 1", "x\x01")
{
	$node->safe_psql('postgres', q{UPDATE sync_endpoints SET headers = '{"X-Given": "{param.n}"}', query = '{}' WHERE endpoint_name = 'plain_echo'});
	my $json = $value =~ s/\r/\\r/r =~ s/\n/\\n/r =~ s/\x01/\\u0001/r;
	is_refused(qr/ERROR:  22023: header "X-Given" cannot be sent.*\nDETAIL:  Its value has a line end/, 'a header with more in it', $here, 'echo', qq({"n": "$json"}));
}
like((ask($here, 'echo', '{"n": "a: b, \"c\""}'))[0], qr/"x-given": "a: b, \\"c\\""/, 'what is no line end may be in it');

# TLS

system_or_bail('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', "/CN=$_->[0]",
	'-addext', "subjectAltName = $_->[1]", '-keyout', "$folder/$_->[0].key", '-out', "$folder/$_->[0].crt")
  for [ 'right', 'IP:127.0.0.1' ], [ 'wrong', 'DNS:other.example.org' ];
for my $case ([ 'right', "$folder/right.crt", undef ],
	[ 'right', '', qr/ERROR:  SY001: .*\nDETAIL:  SSL certificate .*self.signed/ ],
	[ 'wrong', "$folder/wrong.crt", qr/ERROR:  SY001: .*\nDETAIL:  SSL.*(match|certificate)/ ])
{
	my ($name, $ca, $like) = @$case;
	my $secure = SyncFake->start('plain', tls => [ "$folder/$name.crt", "$folder/$name.key" ]);
	base($secure->url);
	my $settings = "$here SET sync_ext.http_ca_file = '$ca';";
	$like
	  ? is_refused($like, "a certificate that is $name, with authority \"" . ($ca =~ s/.*\///r) . '"', $settings, 'rows')
	  : like((ask($settings, 'rows'))[0], qr/row 3/, 'a certificate that is right is accepted');
}
base($fake->url);

# connections are used again, and none are left behind

$fake->clear;
is($node->safe_psql('postgres', "$here SELECT count(*) FROM generate_series(1, 300) AS i, sync_fetch('plain_rows', jsonb_build_object('n', 1 + i % 5))"), 900, 'three hundred requests of one session');
my @log = $fake->log;
my %connections = map { $_->{connection} => 1 } @log;
is(scalar(@log), 300, 'are so many');
is(scalar(keys %connections), 1, 'and go over one connection');

$node->stop;
done_testing();
