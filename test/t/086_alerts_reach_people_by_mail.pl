# Alerts reach people by mail, over a real server: with STARTTLS, with TLS from the
# beginning, with a login; a server with another name, one that refuses and one without TLS
# are not trusted with anything.  Whatever is in an alert, it is text and no header.

use strict;
use warnings;

use lib 'test/perl';
use File::Basename;
use IPC::Run;
use JSON::PP;
use MIME::Base64;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $folder = PostgreSQL::Test::Utils::tempdir();
append_to_file("$folder/key", 'c3' x 32);
chmod 0600, "$folder/key";
system_or_bail('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', "/CN=$_->[0]",
	'-addext', "subjectAltName = $_->[1]", '-keyout', "$folder/$_->[0].key", '-out', "$folder/$_->[0].crt")
  for [ 'right', 'IP:127.0.0.1' ], [ 'wrong', 'DNS:other.example.org' ];

my $node = start_node('mail', qq{
	shared_preload_libraries = 'sync_ext'
	sync_ext.http_private_networks = '127.0.0.0/8'
	sync_ext.credential_key_file = '$folder/key'
	sync_ext.http_ca_file = '$folder/right.crt'
	log_statement = none
	log_min_messages = debug1});
my ($out, $err, %servers);

# Start a mail server with these options, and give its port.
sub serve
{
	my ($name, @options) = @_;
	my $server = $servers{$name} = { in => '', out => '', err => '', file => "$folder/$name.mails" };

	append_to_file($server->{file}, '');
	$server->{run} = IPC::Run::start([ '/usr/bin/python3', '-B', dirname(__FILE__) . '/../fake/mail.py', $server->{file}, @options ],
		'<', \$server->{in}, '>', \$server->{out}, '2>', \$server->{err}, IPC::Run::timeout(180));
	$server->{run}->pump until $server->{out} =~ /listens on (\d+)\n/ || !$server->{run}->pumpable;
	$server->{out} =~ /listens on (\d+)\n/ or die "mail server $name did not start: $server->{err}";
	return $1;
}

# The mails that a server has taken.
sub mails
{
	my ($name) = @_;
	return map { decode_json($_) } split /\n/, slurp_file($servers{$name}{file});
}

# Let channel "mail" be this, and test it.
sub test
{
	my ($port, $more) = @_;
	$node->safe_psql('postgres', qq{SELECT sync_set_alert_channel('mail', 'email', '{"host": "127.0.0.1", "port": $port,
		"from": "sync\@example.org", "to": ["ops\@example.org", "dba\@example.org"] $more}', group_window => '0 s')});
	($out, $err) = try_sql($node, 'postgres', q{SELECT sync_test_alert('mail')});
	return;
}

# The header of a mail, unfolded, by name, and its body decoded.
sub read_mail
{
	my ($mail) = @_;
	my ($head, $body) = split /\r\n\r\n/, $mail->{data}, 2;
	my %head = map { /^([\w-]+): (.*)$/s ? (lc $1 => $2) : die "no header: $_" } split /\r\n/, $head =~ s/\r\n[ \t]+/ /gr;
	return \%head, decode_base64($body);
}

$node->safe_psql('postgres', q{
	CREATE EXTENSION sync_ext;
	CREATE FUNCTION fail(payload jsonb) RETURNS void LANGUAGE plpgsql AS
		$$BEGIN RAISE EXCEPTION '%', payload ->> 'text' USING ERRCODE = 'data_exception'; END$$;
	INSERT INTO sync_operation_types (operation_type, handler) VALUES ('fails', 'public.fail(jsonb)'),
		(E'Bcc: x@example.org\r\nX-Evil: 1 G\u00e4nse und viele mehr, die hier \u00fcber den Teich fliegen', 'public.fail(jsonb)');
	UPDATE sync_operation_types SET backoff_base = '2 s', backoff_factor = 1 WHERE operation_type = 'alert'});

# without TLS, where that is said

my $port = serve('plain');
test($port, ', "tls": "none"');
is("$out$err", 'alert channel "mail" took the message', 'a mail without TLS');
my ($mail) = mails('plain');
my ($head, $body) = read_mail($mail);
is("$mail->{from} @{ $mail->{to} }", 'sync@example.org ops@example.org dba@example.org', 'goes to all');
like($head->{date}, qr/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d \+0000$/, 'with a date');
like($head->{'message-id'}, qr/^<[0-9a-f]{32}\@example\.org>$/, 'an identity');
is("$head->{from} | $head->{to} | $head->{subject} | $head->{'auto-submitted'}", '<sync@example.org> | <ops@example.org>, <dba@example.org> | [production] test: mail | auto-generated', 'and what else belongs there');
like($body, qr/^Database "postgres", environment "production"\.\n\ntest: mail, \d{4}-.*\n  This is a test; nothing has happened\.\n$/, 'and says what it is to say');
test($port, '');
like($err, qr/ERROR:  SY001: /, 'a server without STARTTLS is not trusted unless that is said') or diag($out);
is(scalar mails('plain'), 1, 'and gets nothing');

# TLS and a login

$port = serve('starttls', '--tls', "$folder/right.crt", "$folder/right.key", '--login', 'sync', 'geheim-password');
test($port, ', "user": "sync", "password": "geheim-password"');
is("$out$err", 'alert channel "mail" took the message', 'a mail over STARTTLS with a login');
($mail) = mails('starttls');
is("$mail->{user} $mail->{tls}", 'sync 1', 'is one');
test($port, ', "user": "sync", "password": "geheim-wrong"');
like($err, qr/ERROR:  SY002: "smtp:\/\/127.0.0.1:\d+" does not take the mail\nDETAIL:  It said: 535 /, 'a wrong password is refused, and not shown');
$port = serve('tls', '--tls', "$folder/right.crt", "$folder/right.key", '--at-once');
test($port, ', "tls": "tls"');
is("$out$err", 'alert channel "mail" took the message', 'a mail over TLS from the beginning');
for my $case ([ 'STARTTLS', 'wrong', '' ], [ 'TLS', 'wrong_at_once', ', "tls": "tls"', '--at-once' ])
{
	my ($what, $name, $more, @options) = @$case;
	$port = serve($name, '--tls', "$folder/wrong.crt", "$folder/wrong.key", @options);
	$node->safe_psql('postgres', qq{ALTER SYSTEM SET sync_ext.http_ca_file = '$folder/wrong.crt'; SELECT pg_reload_conf()});
	$node->poll_query_until('postgres', q{SELECT current_setting('sync_ext.http_ca_file') ~ 'wrong'});
	test($port, $more);
	like($err, qr/ERROR:  SY001: .*\nDETAIL:  SSL.*(match|certificate)/, "$what with another name is not trusted");
	is(scalar mails($name), 0, 'and gets nothing');
}
$node->safe_psql('postgres', q{ALTER SYSTEM RESET sync_ext.http_ca_file; SELECT pg_reload_conf()});
$node->poll_query_until('postgres', q{SELECT current_setting('sync_ext.http_ca_file') !~ 'wrong'});

# one that refuses, and whom it may reach

$port = serve('refusing', '--refuse', '550 5.1.1 nobody here');
test($port, ', "tls": "none"');
like($err, qr/ERROR:  SY002: .*\nDETAIL:  It said: 550 5\.1\.1 nobody here/, 'a server that refuses says why');
($out, $err) = try_sql($node, 'postgres', q{SET sync_ext.http_private_networks = ''; SELECT sync_test_alert('mail')});
like($err, qr/ERROR:  42501: "smtp:.*" may not be asked\nDETAIL:  It is at 127\.0\.0\.1/, 'addresses are judged as those of requests are');
($out, $err) = try_sql($node, 'postgres', q{SET sync_ext.http_allowed_hosts = '*.example.org'; SELECT sync_test_alert('mail')});
like($err, qr/ERROR:  42501: host "127\.0\.0\.1" may not be asked/, 'and so are names');

# through the queue: refused, then taken; whatever is in it is text

$node->safe_psql('postgres', q{INSERT INTO sync_queue (operation_type, payload)
	SELECT operation_type, jsonb_build_object('text', E'erste Zeile\r\n.\r\nQUIT\r\nSubject: x \u20ac') FROM sync_operation_types WHERE handler ~ 'fail'});
ok($node->poll_query_until('postgres', q{SELECT failures > 0 FROM sync_alert_channels}), 'a delivery is refused');
is($node->safe_psql('postgres', q{SELECT last_error ~ 'does not take the mail' FROM sync_alert_channels}), 't', 'as the channel says');
$port = serve('late');
$node->safe_psql('postgres', qq{UPDATE sync_alert_channels SET config = config || '{"port": $port}'});
ok($node->poll_query_until('postgres', q{SELECT sum(alerts) = 2 FROM sync_alert_deliveries WHERE delivered_at IS NOT NULL}), 'and is made when the server takes it');
my @mails = mails('late');
is(scalar @mails, 1, 'in one mail');
($head, $body) = read_mail($mails[0]);
is(join(' ', sort keys %$head), 'auto-submitted content-transfer-encoding content-type date from message-id mime-version subject to', 'which has no other headers');
is("@{ $mails[0]{to} }", 'ops@example.org dba@example.org', 'nor recipients');
my $subject = join '', map { decode_base64($_) } $head->{subject} =~ /=\?UTF-8\?B\?([^?]*)\?=/g;
$subject = $head->{subject} if $subject eq '';
like("$subject $body", qr/fails/, 'it has the one');
like($body, qr/Bcc: x\@example\.org.*G\xc3\xa4nse/s, 'and the other');
is(scalar(() = $body =~ /erste Zeile\r\n\.\r\nQUIT\r\nSubject: x \xe2\x82\xac/g), 2, 'with all that they say') or diag($body);
$node->safe_psql('postgres', qq{INSERT INTO sync_queue (operation_type) SELECT operation_type FROM sync_operation_types WHERE handler ~ 'fail' AND operation_type <> 'fails'});
ok($node->poll_query_until('postgres', q{SELECT sum(alerts) = 3 FROM sync_alert_deliveries WHERE delivered_at IS NOT NULL}), 'one more');
($head, $body) = read_mail((mails('late'))[1]);
$subject = join '', map { decode_base64($_) } $head->{subject} =~ /=\?UTF-8\?B\?([^?]*)\?=/g;
like($subject, qr/^\[production\] failed_permanent: Bcc: x\@example.org  X-Evil: 1 G\xc3\xa4nse/, 'a subject is encoded, and one line');
ok(!(grep { length > 78 } split /\r\n/, (mails('late'))[1]{data}), 'no line is too long');
unlike(slurp_file($node->logfile), qr/geheim/, 'no password is in the log');
unlike($node->safe_psql('postgres', q{SELECT c::text FROM sync_alert_channels c}), qr/geheim/, 'nor in a table');

$node->stop;
$_->{run}->kill_kill(grace => 2) for values %servers;
done_testing();
