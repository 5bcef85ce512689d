# Tokens are stored by whoever gets them, workers too, and a refresh token that is good for one
# time is used once, whoever refreshes at the same time: the credential itself is not sent again.

use strict;
use warnings;

use lib 'test/perl';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncFake;
use SyncTest;
use Test::More;
use Time::HiRes 'usleep';

my $folder = PostgreSQL::Test::Utils::tempdir();
append_to_file("$folder/key", 'b2' x 32);
chmod 0600, "$folder/key";
my $node = start_node('tokens', qq{
	shared_preload_libraries = 'sync_ext'
	sync_ext.http_private_networks = '127.0.0.0/8'
	sync_ext.credential_key_file = '$folder/key'
	sync_ext.workers = 1
	sync_ext.poll_interval = '200ms'});
my $fake = SyncFake->start('raceroster', rotate => 1);
my $url = $fake->url;
my ($out, $err);

$node->safe_psql('postgres', qq{
	CREATE EXTENSION sync_ext;
	UPDATE sync_providers SET base_url = '$url/api/v1', auth = replace(auth::text, 'https://raceroster.com', '$url')::jsonb, limits = '{}', retry = '{"times": 0}' WHERE provider_name = 'raceroster';
	CREATE TABLE events (timing_partner_id bigint, event_id text, name text, PRIMARY KEY (timing_partner_id, event_id));
	SELECT sync_create_stream('events', 'events', '{timing_partner_id,event_id}', endpoint => 'raceroster_events', tenant_column => 'timing_partner_id', columns => 'event_id, name');
	SELECT sync_set_credential(1, 'raceroster', '{"client_id": "client", "client_secret": "client-secret", "username": "timer", "password": "timer-password"}')});

sub calls { my ($with) = @_; return scalar grep { $_->{path} =~ /authorize/ && $_->{body} =~ /grant_type=$with/ } $fake->log }

# Have a worker fetch, and wait until it has.
sub perform
{
	my $id = $node->safe_psql('postgres', q{SELECT sync_enqueue('fetch', '{"stream": "events", "full_refresh": true}', timing_partner_id => 1)});
	return $id;
}
sub performed { my ($id) = @_; $node->poll_query_until('postgres', "SELECT count(*) > 0 FROM sync_history WHERE queue_id = $id") or die; return $node->safe_psql('postgres', "SELECT concat_ws(' ', status, error_message, error_detail) FROM sync_history WHERE queue_id = $id") }

# a worker stores its token, for others and for the next worker

is(performed(perform()), 'success', 'a worker fetches');
is($node->safe_psql('postgres', 'SELECT count(sealed_token) FROM sync_credentials'), 1, 'and stores the token');
is($node->safe_psql('postgres', q{SELECT count(*) FROM sync_fetch('raceroster_events', timing_partner_id => 1)}), 5, 'a session uses it');
$node->restart;
is(performed(perform()), 'success', 'and so does a worker after a restart');
is(calls('access_token') . calls('refresh_token'), '10', 'with one call in all');

# two that refresh at the same time: the second finds what the first has stored

for my $who ('a session', 'a worker')
{
	my ($session, $id);

	$fake->clear;
	$fake->set(expire => 1, slow_ms => 4000);
	if ($who eq 'a worker')
	{
		$id = perform();
	}
	else
	{
		$session = start_sql($node, 'postgres', q{SELECT count(*) FROM sync_fetch('raceroster_events', timing_partner_id => 1)});
	}
	for (1 .. 180 * 50) { last if calls('refresh_token'); usleep(20_000) }
	is(calls('refresh_token'), 1, "$who refreshes");
	$fake->set(slow_ms => 0);
	is($node->safe_psql('postgres', q{SELECT count(*) FROM sync_fetch('raceroster_events', timing_partner_id => 1)}), 5, 'and another session is faster');
	is(calls('refresh_token'), 2, 'with the same refresh token');
	$session ? is((finish_sql($session))[0], 5, "$who takes the token of the other") : is(performed($id), 'success', "$who takes the token of the other");
	is(calls('access_token'), 0, 'and the credential is not sent again');
}

# one that knows an older token than is stored by now does not refresh that

$fake->set(lifetime => 2);
$node->safe_psql('postgres', q{UPDATE sync_credentials SET sealed_token = NULL});
my $fetch = q{SELECT count(*) FROM sync_fetch('raceroster_events', timing_partner_id => 1)};
my $old = $node->background_psql('postgres');
is($old->query_safe($fetch) =~ s/\s//gr, 5, 'a session gets a token');
for my $n (1, 2)
{
	$node->poll_query_until('postgres', q{SELECT clock_timestamp() > $$} . $node->safe_psql('postgres', q{SELECT clock_timestamp() + '2.5 s'}) . '$$');
	$fake->clear;
	is($n == 1 ? $node->safe_psql('postgres', $fetch) : $old->query_safe($fetch) =~ s/\s//gr, 5, $n == 1 ? 'another one refreshes it' : 'and the first refreshes what the other got');
	is(calls('access_token') . calls('refresh_token'), '01', 'as one does');
}
$old->quit;

# fetches of one process that begin together make one call

$node->stop;
$fake->set(lifetime => 3600, slow_ms => 500);
$node->start;
$node->safe_psql('postgres', q{UPDATE sync_credentials SET sealed_token = NULL});
$fake->clear;
$node->safe_psql('postgres', q{SELECT sync_create_stream('events ' || n, 'events', '{timing_partner_id,event_id}', endpoint => 'raceroster_events', tenant_column => 'timing_partner_id', columns => 'event_id, name') FROM generate_series(1, 5) AS n});
my @together = split /\n/, $node->safe_psql('postgres', q{SELECT sync_enqueue('fetch', jsonb_build_object('stream', 'events ' || n, 'full_refresh', true), timing_partner_id => 1) FROM generate_series(1, 5) AS n});
is(join(' ', map { performed($_) } @together), join(' ', ('success') x 5), 'five tasks fetch at the same time');
is(calls('access_token') . calls('refresh_token'), '10', 'with one call for a token');

# and where that one is refused, each asks for itself

$fake->set(slow_ms => 0, fail => 1, fail_status => 503);
$node->safe_psql('postgres', q{UPDATE sync_credentials SET sealed_token = NULL; UPDATE sync_providers SET retry = '{"times": 2, "wait_ms": 50}'});
$node->restart;
$fake->clear;
@together = split /\n/, $node->safe_psql('postgres', q{SELECT sync_enqueue('fetch', jsonb_build_object('stream', 'events ' || n, 'full_refresh', true), timing_partner_id => 1) FROM generate_series(1, 5) AS n});
is(join(' ', map { performed($_) } @together), join(' ', ('success') x 5), 'a call that fails holds up nobody');
is(calls('access_token'), 2, 'and is made again once');

# nobody waits for who changes a credential

my $changing = $node->background_psql('postgres');
$changing->query_safe(q{BEGIN; UPDATE sync_credentials SET active = true});
$fake->set(expire => 1);
is($node->safe_psql('postgres', "SET lock_timeout = '5 s'; $fetch"), 5, 'a token can be had while somebody changes the credential');
is(performed(perform()), 'success', 'by a worker too');
$changing->query_safe('ROLLBACK');
$changing->quit;

$node->stop;
done_testing();
