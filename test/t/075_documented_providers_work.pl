# The examples of docs/providers.md that need a server work with one, and so does a stream
# whose rows come from an endpoint.

use strict;
use warnings;

use lib 'test/perl';
use File::Basename;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncFake;
use SyncTest;
use Test::More;

my $folder = PostgreSQL::Test::Utils::tempdir();
my $node = start_node('http', "sync_ext.http_private_networks = '127.0.0.0/8'\nsync_ext.credential_key_file = '$folder/key'");
my %fake = map { $_ => SyncFake->start($_) } qw(plain runsignup lichess);
my ($out, $err);

append_to_file("$folder/key", 'd4' x 32);
chmod 0600, "$folder/key";

# the page, with what is left out elsewhere

my $page = slurp_file(dirname(__FILE__) . '/../../docs/providers.md');
my @blocks = $page =~ /^```sql(?: notest)?\n(.*?)^```/msg;
cmp_ok(scalar(@blocks), '>', 6, 'the page has examples');
my $plain = $fake{plain}->url;
for my $sql (@blocks)
{
	$sql =~ s,http://127\.0\.0\.1:8000,$plain,;
	$sql =~ s/"api_key": "...", "api_secret": "..."/"api_key": "key", "api_secret": "key-secret"/;
	($out, $err) = try_sql($node, 'postgres', $sql);
	if ($sql =~ /"pages"/)
	{
		like($err, qr/ERROR:  22023: /, 'the wrong example is refused');
	}
	else
	{
		is($err, '', 'an example works: ' . (split /\n/, $sql)[0]);
	}
	# what ships is asked at its fake
	for my $name (qw(runsignup lichess))
	{
		my $url = $fake{$name}->url;
		$node->safe_psql('postgres', "UPDATE sync_providers SET base_url = regexp_replace(base_url, '^https://[^/]+', '$url') WHERE provider_name = '$name'");
	}
	is($out, "50|50", 'the eighth provider gives all its rows') if $sql =~ /max\(\(r/;
	is($out, "\n5|5|0|0\n5|0|0|5", 'a stream takes the games, and finds them unchanged') if $sql =~ /'lichess', target/;
	like($out, qr/accepts it.*\n.*Harbor Classic.*\n2$/s, 'the credential works, and a stream with it') if $sql =~ /sync_test_credential/;
}

# a stream over pages: what fails on page 4 publishes nothing

$node->safe_psql('postgres', q{
	UPDATE sync_endpoints SET page = page || '{"size": 10}' WHERE endpoint_name = 'plain_rows';
	UPDATE sync_providers SET retry = '{"times": 0}' WHERE provider_name = 'plain';
	CREATE TABLE rows (id int PRIMARY KEY, name text);
	SELECT sync_create_stream('pages', 'rows', '{id}', query => $$SELECT g.* FROM sync_fetch('plain_rows', '{}', NULL) AS r, jsonb_to_record(r) AS g (id int, name text)$$)});
my $session = start_sql($node, 'postgres', "SELECT sync_run('pages')");
($out, $err) = finish_sql($session);
is($node->safe_psql('postgres', 'SELECT count(*), max(id) FROM rows'), '50|50', 'a stream takes all pages');
$node->safe_psql('postgres', "UPDATE rows SET name = 'old'; DELETE FROM rows WHERE id = 1");
$fake{plain}->set(fail_from => 4);
($out, $err) = try_sql($node, 'postgres', "SELECT sync_run('pages')");
like($err, qr/ERROR:  SY002: .*CONTEXT:  .*while fetching endpoint "plain_rows", after page 3/s, 'one whose page 4 fails says so');
is($node->safe_psql('postgres', "SELECT count(*), count(*) FILTER (WHERE name = 'old') FROM rows"), '49|49', 'and changes nothing');
is($node->safe_psql('postgres', "SELECT status, error_sqlstate FROM sync_history WHERE subject = 'pages' ORDER BY history_id DESC LIMIT 1"), 'failed|SY002', 'it is in history');
$fake{plain}->set(fail_from => 0);
($out, $err) = try_sql($node, 'postgres', "SELECT rows_read, inserted, updated FROM sync_run('pages')");
is($out, '50|1|49', 'the next run does it all');

$node->stop;
done_testing();
