# The endpoints to push to that come with the extension, each against a fake of its
# provider; and what a standby can say of pushes.

use strict;
use warnings;

use lib 'test/perl';
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncFake;
use SyncTest;
use Test::More;

my $folder = PostgreSQL::Test::Utils::tempdir();
my $node = PostgreSQL::Test::Cluster->new('push');
my ($out, $err);

append_to_file("$folder/key", 'c3' x 32);
chmod 0600, "$folder/key";
$node->init(allows_streaming => 1, extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf', "sync_ext.http_private_networks = '127.0.0.0/8'\nsync_ext.credential_key_file = '$folder/key'");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION sync_ext');

# Start the fake of a provider, and let the provider be it.  The credential, if there
# is one, is that of tenant 1.
sub fake
{
	my ($name, $credential) = @_;
	my $fake = SyncFake->start($name);
	my $url = $fake->url;

	$node->safe_psql('postgres', qq{UPDATE sync_providers SET base_url = regexp_replace(base_url, '^https://[^/]+', '$url'), limits = '{}', retry = '{"wait_ms": 20}' WHERE provider_name = '$name'});
	$node->safe_psql('postgres', qq{SELECT sync_set_credential(1, '$name', '$credential')}) if $credential;
	return $fake;
}

# Push, and compare the counts, or the error.
sub pushes
{
	my ($push, $tenant, $expected, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	($out, $err) = try_sql($node, 'postgres', "CALL sync_push('$push', timing_partner_id => $tenant)");
	return like($err, $expected, $what) if ref $expected;
	my @names = qw(rows_read created updated unchanged deleted failed unknown requests);
	my @values = split /\|/, $out;
	return is(join(' ', map { $values[$_] ? "$names[$_]=$values[$_]" : () } 0 .. $#names), $expected, $what) || diag($err);
}

# Copernico: participants, an array of them

my $fake = fake('copernico');
$node->safe_psql('postgres', q{
	CREATE TABLE starters (id text PRIMARY KEY, name text, surname text, birthdate date, document text, dorsal int, gender text, race text, "eventId" text);
	INSERT INTO starters SELECT 'r' || n, 'Alba ' || n, 'Rius', date '1991-07-09' + n, NULL, n, 'female', CASE WHEN n < 4 THEN 'harbor' ELSE 'ridge' END, '10k' FROM generate_series(1, 5) AS n;
	SELECT sync_create_push('starters', 'copernico_push_participants', 'TABLE starters ORDER BY dorsal', '{id}', param_columns => '{"race_id": "race"}')});
pushes('starters', 'NULL', 'rows_read=5 created=5 requests=2', 'participants of two races are registered');
is(join(' ', map { "$_->{path}:" . join(',', map { $_->{id} } @{ decode_json($_->{body}) }) } $fake->log), '/race-registrations/harbor:r1,r2,r3 /race-registrations/ridge:r4,r5', 'each in its own');
is_deeply(decode_json(($fake->log)[0]{body})->[0], { id => 'r1', name => 'Alba 1', surname => 'Rius', birthdate => '1991-07-10', document => undef, dorsal => 1, gender => 'female', eventId => '10k' }, 'with what Copernico wants to know');
$fake->clear;
pushes('starters', 'NULL', 'rows_read=5 unchanged=5', 'and not twice');
$node->safe_psql('postgres', q{UPDATE starters SET dorsal = 99 WHERE id = 'r2'});
$fake->set(drop_after => 1);
pushes('starters', 'NULL', qr/ERROR:  SY001: could not get an answer/, 'when the connection is cut, nobody knows');
pushes('starters', 'NULL', 'rows_read=5 unchanged=4 unknown=1', 'and it is not done again by itself');
is(scalar($fake->log), 1, 'indeed');

# RunSignUp: results, JSON in one field of a form

$fake = fake('runsignup', '{"api_key": "key", "api_secret": "key-secret"}');
$node->safe_psql('postgres', q{
	CREATE TABLE finishers (race int, event int, bib_num int, place int, chip_time interval, clock_time interval);
	INSERT INTO finishers SELECT 501, 71001, 100 + n, n, interval '40 min' + n * interval '1 s', interval '41 min' FROM generate_series(1, 4) AS n;
	SELECT sync_create_push('results', 'runsignup_push_results', 'TABLE finishers ORDER BY place', '{event,bib_num}', param_columns => '{"race_id": "race", "event_id": "event"}')});
pushes('results', 1, 'rows_read=4 created=4 requests=1', 'results are published');
my ($last) = reverse $fake->log;
like($last->{raw}, qr{^/Rest/race/501/results/full-results\?.*event_id=71001&request_format=json&.*format=json}, 'of the event, with all that every request has');
is($node->safe_psql('postgres', q{SELECT string_agg(remote_id, ' ' ORDER BY key ->> 'bib_num') FROM sync_pushed WHERE push_name = 'results'}), '9000 9001 9002 9003', 'the ids in the reply are stored');
pushes('results', 1, 'rows_read=4 unchanged=4', 'publishing twice tells nobody anything');
$node->safe_psql('postgres', q{UPDATE finishers SET chip_time = '00:39:59' WHERE bib_num = 103; INSERT INTO finishers VALUES (501, 71001, 105, 5, '00:50:00', '00:50:01')});
pushes('results', 1, 'rows_read=5 created=1 updated=1 unchanged=3 requests=2', 'a result is added, another changed');
like(join(' ', map { $_->{body} } $fake->log), qr/%22result_id%22%3A%20(%22)?9002/, 'by its id');
is($node->safe_psql('postgres', q{SELECT count(*), count(DISTINCT r ->> 'result_id'), min(r ->> 'chip_time') FROM sync_fetch('runsignup_results', '{"race_id": 501, "event_id": 71001}', NULL, 1) AS r}), '5|5|00:39:59', 'and is there once');
$fake->set(throttle_body => 1);
$node->safe_psql('postgres', q{UPDATE finishers SET place = place + 1});
pushes('results', 1, 'rows_read=5 updated=5 requests=1', 'a throttle under status 200 is waited for');
$node->safe_psql('postgres', q{UPDATE finishers SET race = 999 WHERE bib_num = 101});
pushes('results', 1, 'rows_read=5 unchanged=4 failed=1 requests=1', 'an error under status 200 is one');
is($node->safe_psql('postgres', q{SELECT state, error FROM sync_pushed WHERE push_name = 'results' AND key ->> 'bib_num' = '101'}), 'failed|status 200: Race not found', 'and is kept');
$node->safe_psql('postgres', q{UPDATE finishers SET race = 501; SELECT sync_set_credential(1, 'runsignup', '{"api_key": "key", "api_secret": "wrong-secret"}'); UPDATE finishers SET place = place + 1});
pushes('results', 1, qr/ERROR:  SY002: provider "runsignup" does not accept the credential\nDETAIL:  .*Key authentication failed for \*\*\*/, 'a wrong key ends the push');
is($node->safe_psql('postgres', q{SELECT count(*) FROM sync_pushed WHERE push_name = 'results' AND state IN ('sending', 'unknown')}), 0, 'and nothing is unknown');
unlike($node->safe_psql('postgres', 'SELECT string_agg(p::text, E\'\n\') FROM sync_pushed p'), qr/secret/, 'nor secret any less');
$node->safe_psql('postgres', q{SELECT sync_set_credential(1, 'runsignup', '{"api_key": "key", "api_secret": "key-secret"}')});
$fake->set(result_ids => 0);
pushes('results', 1, 'rows_read=5 updated=5 requests=1', 'a reply without ids will do');
is($node->safe_psql('postgres', q{SELECT count(remote_id) FROM sync_pushed WHERE push_name = 'results'}), 5, 'the ids that are known stay so');

# a standby shows what would be pushed

$node->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->start;
$node->safe_psql('postgres', q{UPDATE finishers SET place = place - 1 WHERE bib_num > 103});
$node->wait_for_catchup($standby);
$fake->clear;
is($standby->safe_psql('postgres', q{CALL sync_push('results', dry_run => true, timing_partner_id => 1)}) =~ s/\|[^|]*\|[^|]*$//r, '5|0|2|3|0|0|0|1', 'a dry run works on a standby');
is($standby->safe_psql('postgres', q{SELECT string_agg(action || ' ' || (key ->> 'bib_num') || ' ' || remote_id, ',') FROM sync_push_diff('results', timing_partner_id => 1)}), 'update 104 9003,update 105 9004', 'so does a diff');
($out, $err) = try_sql($standby, 'postgres', q{CALL sync_push('results', timing_partner_id => 1)});
like($err, qr/ERROR:  25006: cannot execute sync_push\(\) in a read-only transaction/, 'a push does not');
is(scalar($fake->log), 0, 'and nothing was sent');

$standby->stop;
$node->stop;
done_testing();
