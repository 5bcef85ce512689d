# Whatever a server says, it is an error of the one request, or what it says and no more: in no
# case does it last, fill the memory, pass for another answer, or tell our secrets.

use strict;
use warnings;

use lib 'test/perl';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncFake;
use SyncTest;
use Test::More;
use Time::HiRes 'time';

my $folder = PostgreSQL::Test::Utils::tempdir();
append_to_file("$folder/key", 'a1' x 32);
chmod 0600, "$folder/key";
my $node = start_node('hostile', "sync_ext.http_private_networks = '127.0.0.0/8'\nsync_ext.credential_key_file = '$folder/key'\n"
	  . "log_statement = none\nlog_min_messages = debug5\nlog_error_verbosity = verbose");
my $fake = SyncFake->start('hostile');
my ($out, $err);

$node->safe_psql('postgres', 'CREATE EXTENSION sync_ext');
$node->safe_psql('postgres', q{INSERT INTO sync_providers (provider_name, base_url, retry, credential_fields) VALUES
	('hostile', '} . $fake->url . q{', '{"times": 0}', '["user", "password", "token", "other"]')});

# Store endpoint "e" with these columns instead of another, and ask it.
sub ask
{
	my ($columns, $more) = @_;
	my %columns = (endpoint_name => 'e', provider_name => 'hostile', timeout_ms => 3000, %$columns);
	my @names = sort keys %columns;
	my $values = join ', ', map { "'" . ($columns{$_} =~ s/'/''/gr) . "'" } @names;

	$more = '' unless defined $more;
	return ($out, $err) = try_sql($node, 'postgres', "DELETE FROM sync_endpoints WHERE endpoint_name = 'e';"
		  . " INSERT INTO sync_endpoints (" . join(', ', @names) . ") VALUES ($values);"
		  . " SET statement_timeout = '20 s'; SELECT sync_fetch('e', max_rows => NULL $more)");
}

sub gives
{
	my ($expected, $what, $columns) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ask($columns);
	return is($out, $expected, $what) || diag($err);
}

sub fails
{
	my ($like, $what, $columns, $more) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ask($columns, $more);
	return like($err, $like, $what) || diag($out);
}

# lies about how long an answer is

my $broken = qr/ERROR:  SY001: the answer of "http:[^"]*" broke off/;
for my $case ([ 'a chunk that is longer than it says', 'chunk-short' ], [ 'a chunk without end', 'chunk-endless' ],
	[ 'chunks of which the last is missing', 'chunk-none' ], [ 'a body that is shorter than it says', 'length-long' ], [ 'a negative length', 'length-negative' ])
{
	fails($broken, $case->[0], { path => "/$case->[1]" });
}
gives('{"id": 1}', 'chunks count, where there is a length as well', { path => '/length-and-chunks' });
gives('{"id": 1}', 'what stands behind an answer is not read', { path => '/smuggled' });
is($node->safe_psql('postgres', q{SELECT r, s FROM sync_fetch('e') AS r, sync_fetch('e') AS s}), '{"id": 1}|{"id": 1}', 'nor is it the answer to the next request');
fails(qr/ERROR:  SY001: .*\nDETAIL:  Received HTTP\/0.9 when not allowed/, "what has no header ($_) is no answer", { path => "/$_" }) for qw(no-header other-protocol);

# answers without end: in the header, before it, behind the body, and slowly

my $start = time;
fails(qr/ERROR:  (SY001|54000): .*(too large|[Tt]oo many|Too large|took too long)/s, 'leave to send a body, again and again', { path => '/continue' });
fails(qr/ERROR:  54000: the header of the answer of .* is too large/, 'trailers without end', { path => '/trailers' });
fails(qr/ERROR:  SY001: "http:.*\/$_" took too long/, "an answer that stays away ($_)", { path => "/$_", timeout_ms => 700 }) for qw(half-header slow-header half-body slow-body);
cmp_ok(time - $start, '<', 15, 'do not last');
gives('{"id": 1}', 'leave to send a body is no answer, and none of its headers counts', { path => '/continue-ten', page => '{"kind": "link"}' });

# packed bodies

my $ten = join "\n", map { qq({"id": $_}) } 0 .. 9;
gives($ten, 'a body that was packed in parts is one', { path => '/members' });
fails(qr/ERROR:  22021: the answer of .* is no text/, 'also where one breaks off', { path => '/members-cut' });
fails(qr/ERROR:  54000: .* is too large/, 'what is small twice packed, and is not', { path => '/bomb', max_size => 100000000, timeout_ms => 30000 });

# JSON

my %rows = (records => '{"paths": "$.data[*]"}');
my %read = (%rows, columns => '{"id": "$.id", "n": "$.n"}');
for my $how ([ 'by columns', \%read ], [ 'as it is', \%rows ])
{
	my ($what, $columns) = @$how;
	my @case = ([ 'twice', qr/^\{("n": null, )?"id": 3\}$/, 'of members of one name, the last counts' ]);

	like((ask({ path => "/$_->[0]", %$columns }))[0], $_->[1], "$what: $_->[2]") for @case;
	fails(qr/ERROR:  22003: value overflows numeric format/, "$what: a number that is none here", { path => '/vast', %$columns });
	fails(qr/ERROR:  22P05: /, "$what: a name with a zero byte", { path => '/zero', %$columns });
	fails(qr/ERROR:  22P02: /, "$what: half a letter", { path => '/half-letter', %$columns });
	fails(qr/ERROR:  22P02: /, "$what: a control character", { path => '/control', %$columns });
	fails(qr/ERROR:  22021: /, "$what: text in another encoding", { path => '/utf-16', %$columns });
}
fails(qr/ERROR:  54001: stack depth limit exceeded/, 'a value that is too deep', { path => '/deep', %$_ }) for \%rows, \%read;
gives(qq({"id": 1}\n{"id": 2}), 'a line that is longer than what is read ahead', { path => '/long-line', records => '{"format": "ndjson"}', columns => '{"id": "$.id"}' });

# a page for people under status 200 is no answer, unless a rule knows it

my $rules = '[{"when": "$.error", "outcome": "fail", "message": "$.error.message"}]';
for my $outcomes ('[]', $rules)
{
	fails(qr/ERROR:  22P02: the answer of endpoint "e" is not JSON/, "a page for people is no page without records, with outcomes $outcomes", { path => '/page', outcomes => $outcomes });
}
gives('', 'unless a rule says so', { path => '/page', outcomes => '[{"status": 200, "body": "<html>Back in five minutes</html>", "outcome": "ok"}]' });

# pages without end

fails(qr/ERROR:  22000: the pages of endpoint "e" go round in a circle/, 'cursors that lead back to one before', { path => '/again', %rows, page => '{"kind": "cursor", "param": "cursor", "path": "$.next"}' });
for my $kind ('{"kind": "page", "param": "page", "size": 10}', '{"kind": "offset", "param": "offset", "size": 10}')
{
	fails(qr/ERROR:  22000: the pages of endpoint "e" go round in a circle\nDETAIL:  Page 2 leads/, "the same page whatever is asked for, by $kind", { path => '/same', %rows, page => $kind, key => '{id}' });
}
fails(qr/ERROR:  54000: endpoint "e" has more than 20 pages/, 'where records have no key there is a limit', { path => '/same', %rows, page => '{"kind": "page", "param": "page", "size": 10, "max_pages": 20}' });

# what an answer is known by, and cannot be asked for

$node->safe_psql('postgres', q{CREATE TABLE known (id int PRIMARY KEY);
	INSERT INTO sync_endpoints (endpoint_name, provider_name, path, columns, key, conditional) VALUES ('known', 'hostile', '/known', '{"id": "$.id"}', '{id}', true);
	SELECT sync_create_stream('known', 'known', endpoint => 'known')});
for my $case ([ 'a control character', "\"a\x01b\"" ], [ 'so many bytes', '"' . 'x' x 100000 . '"' ], [ 'bytes that are no text', "\"\xff\"" ])
{
	my ($what, $etag) = @$case;
	$fake->set(etag => unpack 'H*', $etag);
	$fake->clear;
	is($node->safe_psql('postgres', q{SELECT rows_read FROM sync_run('known'); SELECT rows_read FROM sync_run('known')}), "1\n1", "an ETag with $what");
	is((grep { $_->{headers}{'if-none-match'} } $fake->log), 0, 'is not sent back');
}
$fake->set(etag => unpack 'H*', '"plain"');
$node->safe_psql('postgres', q{SELECT sync_run('known'); SELECT sync_run('known')});
is((reverse $fake->log)[0]{headers}{'if-none-match'}, '"plain"', 'and a plain one is');

# redirects with a user

fails(qr/ERROR:  42501: .* redirects to another host/, 'a redirect does not say who asks', { path => '/user' });

# waits

$node->safe_psql('postgres', q{UPDATE sync_providers SET retry = '{"times": 1, "wait_ms": 10}' WHERE provider_name = 'hostile'});
for my $case ([ '86400', 'It asks to be left alone for 86400 seconds' ], [ 'Wed, 21 Oct 2099 07:28:00 GMT', 'It asks to be left alone for' ],
	[ '-5', undef ], [ 'nan', undef ], [ 'inf', undef ], [ '9999999999999', undef ], [ 'soon', undef ], [ 'Wed, 21 Oct 2015 07:28:00 GMT', 'left alone for 0 seconds' ])
{
	my ($wait, $hint) = @$case;
	fails($hint ? qr/ERROR:  SY002: .*status 429.*\nHINT:  .*$hint/s : qr/ERROR:  SY002: (?!.*left alone).*status 429/s, "a wait of $wait", { path => '/wait', query => qq({"v": "$wait"}) });
}
$node->safe_psql('postgres', q{UPDATE sync_providers SET retry = '{"times": 0}' WHERE provider_name = 'hostile'});

# our secrets, told back to us

$node->safe_psql('postgres', q{SELECT sync_set_credential(1, 'hostile', '{"user": "geheim", "password": "geheim-word", "token": "geheim-token-x", "other": "geheim-longer"}');
	UPDATE sync_providers SET auth = '[{"basic": {"user": "{credential.user}", "password": "{credential.password|sha1}"}, "headers": {"X-Secret": "{credential.other}"}}]' WHERE provider_name = 'hostile'});
my %told = (path => '/echo', outcomes => $rules);
fails(qr/DETAIL:  .* status 400: Basic \*\*\* \*\*\*\n/, 'a user, a password and what was made of them', \%told, ', timing_partner_id => 1');
$node->safe_psql('postgres', q{UPDATE sync_providers SET auth = '[{"headers": {"X-Secret": "{credential.other}"}}]' WHERE provider_name = 'hostile'});
fails(qr/DETAIL:  .* status 400: - \*\*\*\n/, 'a secret that begins as another one', \%told, ', timing_partner_id => 1');
$fake->set(before => 290);
fails(qr/DETAIL:  .* status 400: x{290}- \*\*\*\n/, 'one at the end of what is said of it', \%told, ', timing_partner_id => 1');
$fake->set(before => 0, behind => "\e[31m\r\nERROR:  all is lost\a" . 'y' x 1000);
fails(qr/DETAIL:  .* status 400: - \*\*\* \[31m  ERROR:  all is lost y+\.\.\.\n/, 'is told on one line, and not at length', \%told, ', timing_partner_id => 1');
$fake->set(behind => '');

# tokens

my $url = $fake->url;
$node->safe_psql('postgres', qq(UPDATE sync_providers SET auth = '[{"token": {"url": "$url/token", "method": "GET", "values": {"access": "\$.access"}}, "headers": {"Authorization": "{token.access}"}}]' WHERE provider_name = 'hostile'));
for my $case ([ 'a page for people', '<html>Please log in, geheim</html>', 'gave no token' ], [ 'nothing', ' ', 'gave no token' ],
	[ 'no token', '{"access": null}', 'gave no token' ], [ 'a token with a line end', '{"access": "geheim\r\nX-Evil: 1"}', 'gave a token that cannot be sent' ],
	[ 'one with a zero byte', '{"access": "geheim-\u0000"}', 'gave no token' ], [ 'one beside half a letter', '{"access": "geheim-more", "x": "\ud800"}', 'gave no token' ],
	[ 'one that breaks off', '{"access": "geheim-more', 'gave no token' ])
{
	my ($what, $token, $like) = @$case;
	$fake->set(token => $token);
	fails(qr/ERROR:  SY002: provider "hostile" $like/, "$what instead of a token", { path => '/one' }, ', timing_partner_id => 1');
	is($node->safe_psql('postgres', 'SELECT count(sealed_token) FROM sync_credentials'), 0, 'which is not stored');
	unlike($err, qr/geheim/, 'nor shown');
}
$fake->set(token => '{"access": "geheim-token"}');
ask({ path => '/one' }, ', timing_partner_id => 1');
is($out, '{"id": 1, "authorization": "geheim-token"}', 'one that is a token is used');

unlike(slurp_file($node->logfile), qr/geheim/, 'no secret is in the log, not even where it says most');

$node->stop;
done_testing();
