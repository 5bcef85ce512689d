# Credentials: stored encrypted, opened with the key of a file outside the database, sent
# to the provider, and shown nowhere.

use strict;
use warnings;

use lib 'test/perl';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncFake;
use SyncTest;
use Test::More;

my $folder = PostgreSQL::Test::Utils::tempdir();
my $node = start_node('http', "sync_ext.http_private_networks = '127.0.0.0/8'\nsync_ext.credential_key_file = '$folder/key'\n"
	  . "log_min_messages = debug2\nlog_error_verbosity = verbose\nlog_statement = none\nlog_min_error_statement = error");
my $plain = SyncFake->start('plain');
my $roster = SyncFake->start('raceroster');
my ($out, $err);
my $told = '';

# Write a file with that in it and that mode.
sub write_key
{
	my ($name, $text, $mode) = @_;
	unlink "$folder/$name";
	append_to_file("$folder/$name", $text);
	chmod $mode // 0600, "$folder/$name";
	return;
}

sub try
{
	my ($sql) = @_;
	($out, $err) = try_sql($node, 'postgres', $sql);
	$told .= $out . $err;
	return;
}

my $key = 'a1' x 32;
my $set = q{SELECT sync_set_credential(%d, 'plain', '{"key": "Geheim-key", "secret": "Geheim secret+more"}')};
$node->safe_psql('postgres', 'CREATE EXTENSION sync_ext');
$plain->define($node, 'postgres', 'echo', 'refused');
$node->safe_psql('postgres', q{UPDATE sync_providers SET credential_fields = '["key", "secret"]', test_endpoint = 'plain_echo',
	auth = '[{"query": {"key": "{credential.key}"}, "headers": {"X-Secret": "{credential.secret}"}}]',
	outcomes = '[{"when": "$.error.message", "outcome": "fail", "message": "$.error.message"}]' WHERE provider_name = 'plain'});

# the key file

for my $case ([ 'no file', sub { unlink "$folder/key" }, qr/ERROR:  58P01: could not open key file ".*\/key": No such file.*\n(HINT|.*\nHINT):  / ],
	[ 'a file that others may read', sub { write_key('key', $key, 0644) }, qr/ERROR:  F0000: others have access to key file/ ],
	[ 'a file that is no key', sub { write_key('key', 'too short') }, qr/ERROR:  F0000: file ".*\/key" has no key/ ],
	[ 'a file with more than a key', sub { write_key('key', "${key}00") }, qr/ERROR:  F0000: file ".*\/key" has no key/ ],
	[ 'a file with other characters', sub { write_key('key', 'x' x 64) }, qr/ERROR:  F0000: file ".*\/key" has no key/ ],
	[ 'a folder', sub { unlink "$folder/key"; mkdir "$folder/key" }, qr/ERROR:  F0000: key file ".*" is not a regular file/ ])
{
	my ($what, $make, $like) = @$case;
	$make->();
	try(sprintf $set, 1);
	like($err, $like, "$what is refused as a key");
}
rmdir "$folder/key";
is($node->safe_psql('postgres', 'SELECT count(*) FROM sync_credentials'), 0, 'nothing was stored');
append_to_file($node->data_dir . '/inside', $key);
chmod 0600, $node->data_dir . '/inside';
$node->append_conf('postgresql.conf', "sync_ext.credential_key_file = '" . $node->data_dir . "/inside'");
$node->reload;
ok($node->poll_query_until('postgres', "SELECT current_setting('sync_ext.credential_key_file') ~ 'inside'"), 'the setting is reloaded');
try(sprintf $set, 1);
like($err, qr/ERROR:  F0000: key file ".*" is in the data directory/, 'a file in the data directory is refused as a key');
$node->append_conf('postgresql.conf', "sync_ext.credential_key_file = '$folder/key'");
$node->reload;
ok($node->poll_query_until('postgres', "SELECT current_setting('sync_ext.credential_key_file') !~ 'inside'"), 'and again');

# stored and used

write_key('key', "$key\n");
try(sprintf $set, 1);
is($err, '', 'a credential is stored');
try(sprintf $set, 2);
is($node->safe_psql('postgres', 'SELECT count(DISTINCT sealed) FROM sync_credentials WHERE key_id IS NOT NULL AND fields = \'{key,secret}\''), 2,
	'two that are the same are sealed differently');
is($node->safe_psql('postgres', "SELECT count(*) FROM sync_credentials c WHERE c::text ~ 'Geheim' OR encode(sealed, 'escape') ~ 'Geheim'"), 0, 'and neither can be read');
try(q{SELECT sync_test_credential(1, 'plain')});
is($out, 'provider "plain" accepts it: endpoint "plain_echo" gave 1 record', 'it can be tested');
my ($request) = grep { $_->{path} eq '/echo' } $plain->log;
is($request->{query}{key}, 'Geheim-key', 'it is sent in the query');
is($request->{headers}{'x-secret'}, 'Geheim secret+more', 'and in a header');

# what the provider says is not said again as it is
try(q{SELECT sync_fetch('plain_refused', timing_partner_id => 1)});
like($err, qr/ERROR:  SY002: .*\nDETAIL:  "http:[^?]*\/refused" answered with status 200: no right to see \*\*\*/, 'a message with a secret in it is told without it');
$plain->set(cut => 5);
try(q{SELECT sync_fetch('plain_echo', timing_partner_id => 1)});
$plain->set(cut => -1, redirect => 'http://127.0.0.1:1/?key=Geheim-key');
try(q{SELECT sync_fetch('plain_echo', timing_partner_id => 1)});
like($err, qr/ERROR:  42501: .*redirects to another host/, 'a redirect elsewhere gets no secret');
$plain->set(redirect => '');
$told =~ s/^.*plain_echo.*$//mg;

# what a user stores wrongly, or not at all

try(q{SELECT sync_set_credential(1, 'plain', '{"key": "Geheim-1", "sekret": "Geheim-2"}')});
like($err, qr/ERROR:  22023: provider "plain" has no credential field "sekret"/, 'a field that is none is named');
try(q{SELECT sync_fetch('plain_echo', timing_partner_id => 3)});
like($err, qr/ERROR:  42704: timing partner 3 has no credential for provider "plain"/, 'a tenant without a credential is named');
try(q{SELECT sync_set_credential(4, 'plain', '{"key": "Geheim-1"}'); SELECT sync_fetch('plain_echo', timing_partner_id => 4)});
like($err, qr/ERROR:  22023: the credential of timing partner 4 for provider "plain" is not complete\nDETAIL:  It has no credential.secret/, 'so is what is missing');
try(q{SELECT sync_set_credential(4, 'plain', NULL); SELECT sync_fetch('plain_echo', timing_partner_id => 4)});
like($err, qr/ERROR:  42704: /, 'one that is removed is gone');
try(q{UPDATE sync_credentials SET active = false WHERE timing_partner_id = 1; SELECT sync_fetch('plain_echo', timing_partner_id => 1)});
like($err, qr/ERROR:  55000: the credential of timing partner 1 for provider "plain" is not active/, 'one that is not active is not used');
$node->safe_psql('postgres', 'UPDATE sync_credentials SET active = true');

# seals that are moved or changed do not open

try(q{BEGIN; UPDATE sync_credentials a SET sealed = b.sealed FROM sync_credentials b WHERE a.timing_partner_id = 1 AND b.timing_partner_id = 2;
	SELECT sync_test_credential(1, 'plain')});
like($err, qr/ERROR:  XX001: the credential of timing partner 1 for provider "plain" cannot be decrypted/, 'that of another tenant cannot be put in its place');
try(q{BEGIN; UPDATE sync_credentials SET sealed = set_byte(sealed, 20, get_byte(sealed, 20) # 1); SELECT sync_test_credential(1, 'plain')});
like($err, qr/ERROR:  XX001: /, 'nor can it be changed');
try(q{BEGIN; UPDATE sync_credentials SET sealed = ''; SELECT sync_test_credential(1, 'plain')});
like($err, qr/ERROR:  XX001: /, 'nor emptied');
write_key('key', 'b2' x 32);
try(q{SELECT sync_test_credential(1, 'plain')});
like($err, qr/ERROR:  55000: the key of the credential of timing partner 1 for provider "plain" is not at hand\nDETAIL:  It was encrypted with key [0-9a-f]{16}, and ".*\/key" has key [0-9a-f]{16}\./, 'another key is found to be one');
unlink "$folder/key";
try(q{SELECT sync_test_credential(1, 'plain')});
like($err, qr/ERROR:  58P01: could not open key file .*\nHINT:  Without the key, credentials cannot be read/, 'a lost key is said to be lost');
write_key('key', $key);
try(q{SELECT sync_test_credential(1, 'plain')});
is($err, '', 'with the key it opens again');

# other roles

$node->safe_psql('postgres', 'CREATE ROLE other LOGIN');
for my $sql ('SELECT * FROM sync_credentials', q{SELECT sync_set_credential(1, 'plain', NULL)}, q{SELECT sync_test_credential(1, 'plain')}, q{SELECT sync_fetch('plain_echo')}, 'SELECT * FROM sync_providers')
{
	($out, $err) = try_sql($node, 'postgres', $sql, user => 'other');
	like($err, qr/ERROR:  42501: permission denied/, 'another role may not: ' . $sql);
}
$node->command_fails_like([ 'pg_dump', '-U', 'other', '-d', $node->connstr('postgres') ], qr/permission denied|may lack SELECT privilege/, 'nor dump it');
$node->safe_psql('postgres', 'GRANT EXECUTE ON FUNCTION sync_fetch, sync_test_credential TO other');
($out, $err) = try_sql($node, 'postgres', q{SELECT sync_test_credential(1, 'plain')}, user => 'other');
is($err, '', 'one with the right to fetch can use it without seeing it');
($out, $err) = try_sql($node, 'postgres', q{LOAD 'sync_ext'; SHOW sync_ext.credential_key_file}, user => 'other');
like($err, qr/ERROR:  42501: /, 'and does not learn where the key is');

# a restored dump is of use with the key
$node->command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '-f', "$folder/dump" ], 'pg_dump works');
unlike(slurp_file("$folder/dump"), qr/Geheim/, 'no secret is in a dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('restored'), '-f', "$folder/dump" ], 'it can be restored');
like($node->safe_psql('restored', q{SELECT sync_test_credential(2, 'plain')}), qr/accepts it/, 'and credentials work there');

# tokens

my $url = $roster->url;
$node->safe_psql('postgres', "UPDATE sync_providers SET base_url = '$url/api/v1', auth = replace(auth::text, 'https://raceroster.com', '$url')::jsonb WHERE provider_name = 'raceroster'");
my $timer = q{'{"client_id": "client", "client_secret": "client-secret", "username": "timer", "password": "%s"}'};
try(q{SELECT sync_set_credential(1, 'raceroster', } . sprintf($timer, 'Geheim-wrong') . q{); SELECT sync_test_credential(1, 'raceroster')});
like($err, qr/ERROR:  SY002: provider "raceroster" gave no token\nDETAIL:  It answered with status 401: The credentials \*\*\* are wrong\.\nHINT:  The credential might be wrong/, 'a refused token call is told, without the password');
$node->safe_psql('postgres', q{SELECT sync_set_credential(1, 'raceroster', } . sprintf($timer, 'timer-password') . ')');
my $fetch = q{SELECT count(*) FROM sync_fetch('raceroster_events', timing_partner_id => 1)};
my $calls = sub { my ($with) = @_; return scalar grep { $_->{path} =~ /authorize/ && $_->{body} =~ /(?:$with)/ } $roster->log };
$roster->clear;
is($node->safe_psql('postgres', $fetch), 5, 'a token is got and used');
is($node->safe_psql('postgres', $fetch), 5, 'in another session too');
is($calls->(''), 1, 'with one call for it, as it is stored');
is($node->safe_psql('postgres', 'SELECT sealed_token IS NOT NULL FROM sync_credentials WHERE provider_name = \'raceroster\''), 't', 'encrypted');
$roster->set(expire => 1);
is($node->safe_psql('postgres', $fetch), 5, 'one that the provider refuses is got anew');
is($calls->('refresh_token='), 1, 'by refreshing it') or diag(explain([ $roster->log ]));
$roster->set(expire => 1, refuse_refresh => 1);
is($node->safe_psql('postgres', $fetch), 5, 'or from the beginning');
is($calls->('grant_type=access_token'), 2, 'where refreshing does not work');
$roster->set(refuse_refresh => 0, rotate => 1, lifetime => 4);
$node->safe_psql('postgres', q{SELECT sync_set_credential(1, 'raceroster', } . sprintf($timer, 'timer-password') . ')');
$roster->clear;
for my $n (1 .. 3)
{
	is($node->safe_psql('postgres', $fetch), 5, 'a token that hardly lasts is used');
	is($calls->('grant_type=access_token') . $calls->('refresh_token='), '1' . ($n - 1), 'and refreshed with what came with the last one');
	# it is renewed when half of its time is over
	my $out_at = $node->safe_psql('postgres', q{SELECT clock_timestamp() + '2 s'});
	$node->poll_query_until('postgres', "SELECT clock_timestamp() > '$out_at'");
}

# nothing of it is to be seen

$told .= slurp_file($node->logfile);
unlike($told, qr/Geheim/, 'no secret was said or logged');
unlike($told, qr/client-secret|timer-password|access-\d|refresh-\d|$key/, 'and no token');

my $session = $node->background_psql('postgres');
$session->query_safe(q{SELECT sync_set_credential(9, 'plain', '{"key": "Geheim-9"}')});
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE query ~ 'Geheim-9' AND pid <> pg_backend_pid()"), 0, 'nor in pg_stat_activity');
$session->quit;

$node->stop;
done_testing();
