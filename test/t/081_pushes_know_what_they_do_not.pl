# Whatever happens to a push, each row was sent, was not, or is known to be unknown;
# what may have been done is done again only where that does no harm.

use strict;
use warnings;

use lib 'test/perl';
use HTTP::Tiny;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncFake;
use SyncTest;
use Test::More;
use Time::HiRes 'usleep';

my $node = start_node('push', "sync_ext.http_private_networks = '127.0.0.0/8'\nrestart_after_crash = on");
my $fake = SyncFake->start('plain');
my %parts = (items => '$.results[*]', id => '$.id', failed => '$.status == "refused"', message => '$.why');
my ($out, $err);

$node->safe_psql('postgres', 'CREATE EXTENSION sync_ext; CREATE TABLE people (ref int, name text)');
$node->safe_psql('postgres', "INSERT INTO sync_providers (provider_name, base_url, retry) VALUES ('eighth', '" . $fake->url . "', '{\"wait_ms\": 20, \"times\": 2}')");

# Let there be nine people and push "p", by an endpoint with these columns; none is
# pushed yet, and the fake is new.
sub fresh
{
	my (%columns) = @_;
	%columns = (endpoint_name => 'e', provider_name => 'eighth', method => 'POST', path => '/take', body => encode_json({ kind => 'records', batch => 3, %parts }), %columns);
	my @names = sort keys %columns;
	my $values = join ', ', map { "'" . ($columns{$_} =~ s/'/''/gr) . "'" } @names;
	$fake->stop;
	$fake = SyncFake->start('plain');
	$node->psql('postgres', "SELECT sync_drop_push('p', forget => true)");
	$node->safe_psql('postgres', "UPDATE sync_providers SET base_url = '" . $fake->url . "' WHERE provider_name = 'eighth'; DELETE FROM sync_endpoints WHERE endpoint_name = 'e'; INSERT INTO sync_endpoints (" . join(', ', @names) . ") VALUES ($values);"
		  . "TRUNCATE people; INSERT INTO people SELECT n, 'n' || n FROM generate_series(1, 9) AS n; SELECT sync_create_push('p', 'e', 'SELECT * FROM people ORDER BY ref', '{ref}')");
	return;
}

# Push, and compare the counts, or the error.
sub pushes
{
	my ($expected, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	($out, $err) = try_sql($node, 'postgres', "CALL sync_push('p')");
	return like($err, $expected, $what) if ref $expected;
	my @names = qw(rows_read created updated unchanged deleted failed unknown requests);
	my @values = split /\|/, $out;
	return is(join(' ', map { $values[$_] ? "$names[$_]=$values[$_]" : () } 0 .. $#names), $expected, $what) || diag($err);
}

# How many rows are in which state, and how often the provider did what it has.
sub states { return $node->safe_psql('postgres', "SELECT string_agg(state || '=' || n, ' ' ORDER BY state) FROM (SELECT state, count(*) AS n FROM sync_pushed WHERE push_name = 'p' GROUP BY state) AS s") }
sub done { my $taken = HTTP::Tiny->new->get($fake->url . '/taken')->{content}; my %times; $times{ $_->{ref} } += $_->{times} for @{ decode_json($taken) }; return join ' ', map { "$_:$times{$_}" } sort keys %times }
sub asked { return scalar(grep { $_->{method} ne 'GET' } $fake->log) }

# the third request is answered with status 500: nobody knows
fresh();
$fake->set(fail_from => 3, fail_status => 500);
pushes(qr/ERROR:  SY002: provider "eighth" did not do what endpoint "e" asks\nDETAIL:  .* status 500/, 'an error of the provider ends the push');
is(states(), 'pushed=6 unknown=3', 'what was sent before stays known, and what was sent then is unknown');
is(asked(), 3, 'it was sent once');
is($node->safe_psql('postgres', q{SELECT status, inserted, error_sqlstate, details ->> 'requests' FROM sync_history WHERE operation = 'push' ORDER BY history_id DESC LIMIT 1}), 'failed|6|SY002|3', 'history has what was done until then');
$fake->set(fail_from => 0);
pushes('rows_read=9 unchanged=6 unknown=3', 'it is not sent again by itself');
is(asked(), 3, 'indeed');
like($node->safe_psql('postgres', q{SELECT sent ->> 'name' || ' ' || error FROM sync_pushed WHERE state = 'unknown' ORDER BY batch_position LIMIT 1}), qr/^n7 provider "eighth" did not do/, 'a person can see what was sent, and what went wrong');
is($node->safe_psql('postgres', q{SELECT sync_resolve_push('p', '{"ref": 7}', 'pushed', '4711')}), 1, 'and say that it is there');
is($node->safe_psql('postgres', q{SELECT sync_resolve_push('p', NULL, 'not_pushed')}), 2, 'or that it is not');
pushes('rows_read=9 created=2 unchanged=7 requests=1', 'only then is it sent again');
is($node->safe_psql('postgres', q{SELECT remote_id FROM sync_pushed WHERE key = '{"ref": 7}'}), '4711', 'and what is there has the id that was said');
($out, $err) = try_sql($node, 'postgres', q{SELECT sync_resolve_push('p', NULL, 'perhaps')});
like($err, qr/ERROR:  22023: unrecognized outcome of push "p": "perhaps"/, 'nothing else can be said');

# the same where it may be repeated
fresh(repeatable => 't');
$fake->set(fail_from => 3, fail_status => 500);
pushes(qr/ERROR:  SY002: /, 'what may be repeated ends the push likewise');
is(asked(), 5, 'after some tries');
is(states(), 'pushed=6 unknown=3', 'and is unknown');
$fake->set(fail_from => 0);
pushes('rows_read=9 created=3 unchanged=6 requests=1', 'but is sent again with the next push');

# the connection is cut after the provider has done it
fresh();
$node->safe_psql('postgres', q{UPDATE people SET name = 'x' || ref});
$fake->set(drop_after => 2);
pushes(qr/ERROR:  SY001: could not get an answer from ".*\/take"/, 'no answer at all ends the push');
is(asked(), 2, 'and nothing is sent twice, by whatever part of us');
is(states(), 'pushed=3 unknown=3', 'the rows are unknown');
is(done(), join(' ', map { "$_:1" } 1 .. 6), 'though the provider has them');
pushes('rows_read=9 created=3 unchanged=3 unknown=3 requests=1', 'what was not sent is, and nothing twice');
is(done(), join(' ', map { "$_:1" } 1 .. 9), 'indeed');

# the same with a key by which the provider knows the request
fresh(headers => '{"Idempotency-Key": "{idempotency_key}"}');
$fake->set(drop_after => 2, drops => 9);
pushes(qr/ERROR:  SY001: could not get an answer/, 'with a key it is tried again');
cmp_ok(asked(), '>=', 4, 'so often as the provider says, and maybe once more by libcurl');
is(states(), 'pushed=3 unknown=3', 'and unknown in the end');
$node->safe_psql('postgres', q{UPDATE people SET name = 'changed' WHERE ref = 5; INSERT INTO people VALUES (0, 'new')});
$fake->set(drop_after => 0, drops => 0);
is($node->safe_psql('postgres', q{SELECT string_agg(concat_ws(':', action, key ->> 'ref', request), ' ') FROM sync_push_diff('p')}), 'again:4:1 again:5:1 again:6:1 create:0:2 create:7:2 create:8:2 create:9:3', 'it is to be sent again as it was');
pushes('rows_read=10 created=7 unchanged=3 requests=3', 'and is');
my @keys = map { $_->{headers}{'idempotency-key'} . ' ' . $_->{body} } grep { $_->{body} =~ /"ref": 5/ } $fake->log;
cmp_ok(scalar(@keys), '>=', 4, 'again and again');
is_deeply([ grep { $_ ne $keys[0] } @keys ], [], 'with the same key and the same rows');
is(done(), join(' ', map { "$_:1" } 0 .. 9), 'the provider did it once');
pushes('rows_read=10 updated=1 unchanged=9 requests=1', 'what has changed since is sent after that');
$node->safe_psql('postgres', "UPDATE people SET name = 'n5' WHERE ref = 5");
pushes('rows_read=10 updated=1 unchanged=9 requests=1', 'and what changes to and fro');
$node->safe_psql('postgres', "UPDATE people SET name = 'changed' WHERE ref = 5");
pushes('rows_read=10 updated=1 unchanged=9 requests=1', 'is not taken for the same request');
my %keys = map { $_->{headers}{'idempotency-key'} => 1 } grep { $_->{body} =~ /"ref": 5/ } $fake->log;
is(scalar(keys %keys), 4, 'which the keys say');

# what is known not to have been done
fresh();
$fake->set(throttle => 1, retry_after => 0);
pushes('rows_read=9 created=9 requests=3', 'what is asked too often is sent again, also where it may not be repeated');
fresh();
$fake->set(throttle => 9, retry_after => 3600);
pushes(qr/ERROR:  SY002: .*status 429/s, 'unless that takes too long');
is(states(), '', 'nothing was done, and nothing is unknown');
$node->safe_psql('postgres', "UPDATE sync_providers SET base_url = 'http://127.0.0.1:1'");
pushes(qr/ERROR:  SY001: could not get an answer from/, 'a provider that is not there');
is(states(), '', 'has done nothing either');
$node->safe_psql('postgres', "UPDATE sync_providers SET base_url = 'http://169.254.0.1'");
pushes(qr/ERROR:  42501: /, 'nor has one that may not be asked');
is(states(), '', 'which is known');
fresh();
pushes('rows_read=9 created=9 requests=3', 'rows that are there');
$node->safe_psql('postgres', 'UPDATE people SET name = upper(name)');
$fake->set(throttle => 9, retry_after => 3600);
pushes(qr/status 429/, 'and cannot be changed');
is(states(), 'pushed=9', 'are still there');
$fake->set(throttle => 0, retry_after => '');
pushes('rows_read=9 updated=9 requests=3', 'and are changed later');

# a process that is killed, or cancelled, while it waits for an answer
for my $how ('kill', 'cancel')
{
	fresh();
	$fake->set(slow_ms => 2000);
	my $session = start_sql($node, 'postgres', "CALL sync_push('p')", app => 'pushing');
	$node->poll_query_until('postgres', "SELECT count(*) = 3 FROM sync_pushed WHERE state = 'sending'") or die 'nothing is sent';
	usleep(20_000) until asked();
	pushes(qr/ERROR:  55006: push "p" is at work already/, "$how: two processes do not push the same at once");
	($out, $err) = try_sql($node, 'postgres', q{SELECT sync_resolve_push('p', NULL, 'pushed')});
	like($err, qr/ERROR:  55006: /, "$how: nor says anybody what became of what is being sent");
	if ($how eq 'kill')
	{
		kill 'KILL', $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE application_name = 'pushing'");
		eval { finish_sql($session) };
		$node->poll_query_until('postgres', 'SELECT true') or die 'the server does not come back';
	}
	else
	{
		my $start = time;
		$node->safe_psql('postgres', "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'pushing'");
		($out, $err) = finish_sql($session);
		like($err, qr/ERROR:  57014: canceling statement/, "$how: it ends");
		cmp_ok(time - $start, '<=', 1, "$how: at once");
	}
	is(states(), 'sending=3', "$how: what was being sent is known");
	$fake->set(slow_ms => 0);
	pushes('rows_read=9 created=6 unknown=3 requests=2', "$how: and is not sent again");
	my $all = join(' ', map { "$_:1" } 1 .. 9);
	# the provider does it in its own time, whoever has gone away
	for (1 .. 600) { last if done() eq $all; usleep(100_000) }
	is(done(), $all, "$how: indeed");
	is($node->safe_psql('postgres', q{SELECT sync_resolve_push('p', NULL, 'pushed')}), 3, "$how: until somebody says what became of it");
	pushes('rows_read=9 unchanged=9', "$how: then all is known");
}

# a removal of which nobody knows
fresh();
$node->safe_psql('postgres', q{INSERT INTO sync_endpoints (endpoint_name, provider_name, method, path, body) VALUES ('remove', 'eighth', 'DELETE', '/take/{item.remote_id}', NULL);
	UPDATE sync_pushes SET delete_endpoint = 'remove'});
pushes('rows_read=9 created=9 requests=3', 'rows that are there');
$node->safe_psql('postgres', 'DELETE FROM people WHERE ref = 9');
$fake->set(fail => 1, fail_status => 500);
pushes(qr/ERROR:  SY002/, 'and cannot be removed');
pushes('rows_read=8 unchanged=8 unknown=1', 'are not removed again');
is($node->safe_psql('postgres', q{SELECT sync_resolve_push('p', '{"ref": 9}', 'not_pushed')}), 1, 'unless somebody says that they are still there');
pushes('rows_read=8 unchanged=8 deleted=1 requests=1', 'then they are');
is(states(), 'pushed=8', 'and forgotten');

$node->stop;
done_testing();
