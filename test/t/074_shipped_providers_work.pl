# The providers that come with the extension, each against a fake of it.

use strict;
use warnings;

use lib 'test/perl';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncFake;
use SyncTest;
use Test::More;

my $folder = PostgreSQL::Test::Utils::tempdir();
my $node = start_node('http', "sync_ext.http_private_networks = '127.0.0.0/8'\nsync_ext.credential_key_file = '$folder/key'");
my %fakes;
my ($out, $err);

append_to_file("$folder/key", 'c3' x 32);
chmod 0600, "$folder/key";
$node->safe_psql('postgres', 'CREATE EXTENSION sync_ext');

# Start the fake of a provider with switches, and let the provider be it.  The
# credential, if there is one, is that of tenant 1.
sub fake
{
	my ($name, $credential, %switches) = @_;
	my $fake = $fakes{$name} = SyncFake->start($name, %switches);
	my $url = $fake->url;

	$node->safe_psql('postgres', qq{
		UPDATE sync_providers SET base_url = regexp_replace(base_url, '^https://[^/]+', '$url'),
			auth = regexp_replace(auth::text, 'https://[^/]+', '$url', 'g')::jsonb,
			retry = '{"wait_ms": 20}' WHERE provider_name = '$name';
		UPDATE sync_endpoints SET path = regexp_replace(path, '^https://[^/]+', '$url') WHERE provider_name = '$name'});
	$node->safe_psql('postgres', qq{SELECT sync_set_credential(1, '$name', '$credential')}) if $credential;
	return $fake;
}

# What an endpoint gives, as "query" over its records r.
sub fetched
{
	my ($query, $endpoint, $params, $since, $tail) = @_;
	$since = defined $since ? ", '$since'" : '';
	$tail //= '';
	$params //= '{}';
	($out, $err) = try_sql($node, 'postgres', "SELECT $query FROM sync_fetch('$endpoint', '$params', NULL, 1 $since) AS r $tail");
	diag($err) if $err;
	return $out;
}

sub is_fetched { my ($expected, @asked) = @_; local $Test::Builder::Level = $Test::Builder::Level + 1; return is(fetched(@asked), $expected, "$asked[1] gives what it should") }

# RunSignUp

my $fake = fake('runsignup', '{"api_key": "key", "api_secret": "key-secret"}');
is_fetched('501,502', q{string_agg(r ->> 'race_id', ',')}, 'runsignup_races');
is_fetched("501/71001/10K\n501/71002/Half\n502/71003/25K", q{concat_ws('/', r ->> 'race_id', r ->> 'event_id', r ->> 'name')}, 'runsignup_events');
my $event = '{"race_id": 501, "event_id": 71001}';
is_fetched('{"age": 35, "bib": 1, "chip": null, "city": "Salem", "email": "p1@example.org", "phone": "503-555-0001", "state": "OR", "gender": "M", "country": "US", "race_id": 501, "user_id": 5500001, "event_id": 71001, "imported": true, "race_fee": 1040.00, "last_name": "Last1", "team_name": null, "birth_date": "1990-04-02", "first_name": "First1", "amount_paid": 42.40, "middle_name": null, "modified_at": "2026-03-04T08:55:01+00:00", "registered_at": "2026-03-02T14:15:00+00:00", "registration_id": 880001}',
	'r', 'runsignup_participants', $event, undef, "WHERE r ->> 'registration_id' = '880001'");
$fake->set(container => 'object');
is_fetched(7, 'count(*)', 'runsignup_participants', $event);
$fake->set(container => 'array');
$fake->set(max_size => 3);
$node->safe_psql('postgres', q{UPDATE sync_endpoints SET page = page || '{"size": 3}' WHERE endpoint_name = 'runsignup_participants'});
$fake->clear;
is_fetched(7, 'count(*)', 'runsignup_participants', $event);
is(join(' ', map { $_->{query}{after_registration_id} // '-' } $fake->log), '- 880003 880006', 'page by page, each after the last registration');
is_fetched('880003,880004,880005,880006,880007', q{string_agg(r ->> 'registration_id', ',')}, 'runsignup_participants', $event, '2026-03-04 08:55:13+00');
is_fetched('880999/transferred/2026-03-08T20:00:00+00:00', q{concat_ws('/', r ->> 'registration_id', r ->> 'reason', r ->> 'removed_at')}, 'runsignup_removed_participants', $event);
is_fetched('100/Overall/true/false', q{concat_ws('/', r ->> 'result_set_id', r ->> 'name', r ->> 'public', r ->> 'preliminary')}, 'runsignup_result_sets', $event);
is_fetched(0, 'count(*)', 'runsignup_results', $event);
($out, $err) = try_sql($node, 'postgres', q{SELECT sync_fetch('runsignup_participants', '{"race_id": 501}', 1, 1)});
like($err, qr/ERROR:  22023: endpoint "runsignup_participants" needs parameter "event_id"/, 'without an event nothing is asked');
($out, $err) = try_sql($node, 'postgres', q{SELECT sync_fetch('runsignup_participants', '{"race_id": 999, "event_id": 1}', 1, 1)});
like($err, qr/ERROR:  SY002: .*\nDETAIL:  .*status 200: Race not found/, 'an error under status 200 is one');
$fake->set(throttle_body => 2);
is_fetched('501,502', q{string_agg(r ->> 'race_id', ',')}, 'runsignup_races');
$node->safe_psql('postgres', q{SELECT sync_set_credential(1, 'runsignup', '{"api_key": "key", "api_secret": "wrong-secret"}')});
($out, $err) = try_sql($node, 'postgres', q{SELECT sync_fetch('runsignup_races', '{}', 1, 1)});
like($err, qr/ERROR:  SY002: provider "runsignup" does not accept the credential\nDETAIL:  .*status 200: Key authentication failed for \*\*\*/, 'a wrong key is said to be one, and not what it is');
$node->safe_psql('postgres', q{SELECT sync_set_credential(1, 'runsignup', '{"rsu_api_key": "key2", "rsu_api_secret": "key2-secret", "reg_key": "reg", "reg_secret": "reg-secret"}')});
is_fetched('501,502', q{string_agg(r ->> 'race_id', ',')}, 'runsignup_races');
my ($last) = reverse $fake->log;
is(join(' ', map { "$_=$last->{query}{$_}" } sort grep { /key|reg|format/ } keys %{ $last->{query} }), 'format=json rsu_api_key=key2 rsu_api_reg=reg', 'schemes are stacked');
$node->safe_psql('postgres', q{SELECT sync_set_credential(1, 'runsignup', '{"rsu_api_key": "key2", "rsu_api_secret": "key2-secret", "reg_key": "reg", "reg_secret": "other"}')});
($out, $err) = try_sql($node, 'postgres', q{SELECT sync_fetch('runsignup_races', '{}', 1, 1)});
like($err, qr/does not accept the credential\nDETAIL:  .*status 400: Invalid API caller credentials/, 'a wrong registration of the caller is said');

# Race Roster

$fake = fake('raceroster', '{"client_id": "client", "client_secret": "client-secret", "username": "timer", "password": "timer-password"}');
is_fetched('90210 90211 90212 90213 90214', q{string_agg(r ->> 'event_id', ' ')}, 'raceroster_events');
is_fetched('90213 90214', q{string_agg(r ->> 'event_id', ' ')}, 'raceroster_events', '{}', '2026-06-04 12:00:00+00');
is_fetched('10|10000|90210', q{count(*), max((r ->> 'meters')::numeric), min(r ->> 'event_id')}, 'raceroster_sub_events');
is_fetched('4|female,male,non-binary', q{count(*), string_agg(r ->> 'gender', ',' ORDER BY r ->> 'gender')}, 'raceroster_participants', '{"event_id": 90210}');
($last) = grep { $_->{query}{lastModifiedDate} } $fake->log;
like($last->{raw}, qr/lastModifiedDate=2026-06-04T11%3A59%3A59%2B00%3A00/, 'the plus of a time is encoded');
$fake->set(bare_token => 1, expire => 1, refuse_refresh => 1);
is_fetched(5, 'count(*)', 'raceroster_events');

# Haku

$fake = fake('haku', '{"client_id": "client", "client_secret": "client-secret"}');
is_fetched(2, 'count(*)', 'haku_events');
is_fetched('30|1', q{count(*), count(*) FILTER (WHERE (r ->> 'cancelled')::boolean)}, 'haku_participants', '{"event_id": 1}');
$fake->set(wrapped => 1);
is_fetched(30, 'count(*)', 'haku_participants', '{"event_id": 1}');
$fake->clear;
is_fetched('R-0030 R-0029 R-0028', q{string_agg(r ->> 'registration_number', ' ')}, 'haku_participants', '{"event_id": 1}', '2026-02-01 08:28:00+00');
is(scalar(grep { $_->{path} =~ /participants/ } $fake->log), 1, 'reading stops at the first that is older');
is_fetched('30|R-0001', q{count(DISTINCT r ->> 'registration_number'), min(r ->> 'registration_number')}, 'haku_registrations', '{"event_id": 1}');
($last) = reverse $fake->log;
like($last->{headers}{authorization}, qr/^haku-\d+$/, 'no word stands before the token');

# ChronoTrack

$fake = fake('chronotrack', '{"client_id": "client", "user_id": "timer@example.org", "password": "timer-password"}');
is_fetched('33001/2026-01-02T00:00:00+00:00', q{concat_ws('/', r ->> 'event_id', r ->> 'starts_at')}, 'chronotrack_events', '{}', undef, "WHERE r ->> 'event_id' = '33001'");
is_fetched(5, 'count(*)', 'chronotrack_participants', '{"event_id": 33001}');
is_fetched(":5\nAGE:3\nSEX:3", q{concat(r ->> 'bracket', ':', max((r ->> 'place')::int)) AS b}, 'chronotrack_results', '{"event_id": 33001}', undef, "GROUP BY r ->> 'bracket' ORDER BY b");
($last) = reverse $fake->log;
unlike($last->{raw}, qr/timer-password/, 'the password is not sent as it is');
$fake->set(max_size => 2);
$node->safe_psql('postgres', q{UPDATE sync_endpoints SET page = page || '{"size": 2}' WHERE endpoint_name = 'chronotrack_participants'});
is_fetched(5, 'count(*)', 'chronotrack_participants', '{"event_id": 33001}');

# Copernico

$fake = fake('copernico', '{"api_key": "copernico-key"}');
$node->safe_psql('postgres', q{UPDATE sync_providers SET limits = '{}' WHERE provider_name = 'copernico'});
my $preset = '{"race_id": "harbor-2026", "login": "ana@example.org", "preset": "Todas las categorías", "event": "10K"}';
is_fetched('harbor-2026 ridge-2026', q{string_agg(r ->> 'race_id', ' ')}, 'copernico_events');
is_fetched(6, 'count(*)', 'copernico_participants', '{"race_id": "harbor-2026"}');
is_fetched('17/finished/0:45:14.351/0:45:10.151/1', q{concat_ws('/', r ->> 'bib', r ->> 'status', r ->> 'clock_time', r ->> 'chip_time', r ->> 'place')}, 'copernico_results', $preset, undef, "WHERE r ->> 'bib' = '17'");
$fake->set(wrapped => 1, gzip => 1, gone => 2);
is_fetched(4, 'count(*)', 'copernico_results', $preset);
$fake->set(gone => 6);
is_fetched(0, 'count(*)', 'copernico_results', $preset);
$fake->set(gone => 0, gzip => 0, athletes => 70, pad => 100000);
($out, $err) = try_sql($node, 'postgres', "SELECT sync_fetch('copernico_results', '$preset', 1, 1)");
like($err, qr/ERROR:  SY002: .*\nDETAIL:  .*status 500/, 'more than 6 MB is refused there');

# chess.com

$fake = fake('chesscom');
my $player = '{"username": "QuietRook", "contact": "me@example.org"}';
is_fetched(3, 'count(*)', 'chesscom_archives', $player);
is_fetched('6|2026-01-01T00:01:00+00:00', q{count(*), min(r ->> 'ended_at')}, 'chesscom_games', $player);
is_fetched('2026/02 2026/03', q{string_agg(DISTINCT right(r ->> 'archive', 7), ' ')}, 'chesscom_games', $player, $fake->url . '/pub/player/quietrook/games/2026/02');
($out, $err) = try_sql($node, 'postgres', q{SELECT sync_fetch('chesscom_games', '{"username": "QuietRook"}')});
like($err, qr/ERROR:  22023: endpoint "chesscom_games" needs parameter "contact"/, 'without a contact nothing is asked');
($out, $err) = try_sql($node, 'postgres', q{SELECT sync_fetch('chesscom_games', '{"username": "nobody", "contact": "me@example.org"}')});
like($err, qr/ERROR:  SY002: .*status 404: User not found/s, 'a player who is none');
# several sessions at once: one request at a time, so that none is told off
$fake->set(busy_ms => 100);
my @sessions = map { start_sql($node, 'postgres', "SELECT count(*) FROM sync_fetch('chesscom_games', '$player', NULL)") } 1 .. 3;
my @results = map { [ finish_sql($_) ] } @sessions;
is(join(' ', map { $_->[0] } @results), '6 6 6', 'three sessions get all their games') or diag(explain(\@results));

# Lichess

$fake = fake('lichess', '{"token": "lip_token"}');
$player = '{"username": "QuietRook"}';
is_fetched('5|game0001|2026-01-01T00:00:01+00:00', q{count(*), min(r ->> 'game_id'), min(r ->> 'created_at')}, 'lichess_games', $player);
$node->safe_psql('postgres', q{UPDATE sync_endpoints SET incremental = incremental - 'lookback_s' WHERE endpoint_name = 'lichess_games'});
is_fetched('game0003 game0004 game0005', q{string_agg(r ->> 'game_id', ' ')}, 'lichess_games', $player, '2026-01-01 00:00:03+00');
is((reverse $fake->log)[0]{headers}{authorization}, 'Bearer lip_token', 'with the token, where there is one');
is($node->safe_psql('postgres', "SELECT count(*) FROM sync_fetch('lichess_games', '$player')"), 5, 'and without');
$fake->set(cut => 700);
($out, $err) = try_sql($node, 'postgres', "SELECT sync_fetch('lichess_games', '$player')");
like($err, qr/ERROR:  SY001: the answer of .* broke off/, 'half a game is none');
$fake->set(cut => -1, chunk_ms => 100, games => 8);
@sessions = map { start_sql($node, 'postgres', "SELECT count(*) FROM sync_fetch('lichess_games', '$player', NULL)") } 1 .. 3;
@results = map { [ finish_sql($_) ] } @sessions;
is(join(' ', map { $_->[0] } @results), '8 8 8', 'three sessions stream one after the other') or diag(explain(\@results));
# one that stops early leaves no slot taken
is($node->safe_psql('postgres', "SELECT count(*) FROM sync_fetch('lichess_games', '$player', 2); SELECT count(*) FROM sync_fetch('lichess_games', '$player', 2)"), "2\n2", 'a stream that is not read to its end is closed');

# what is not confirmed is said to be so
is($node->safe_psql('postgres', q{SELECT string_agg(provider_name, ' ' ORDER BY provider_name) FROM sync_providers WHERE description ~ 'Experimental'}),
	'chronotrack copernico haku raceroster runsignup', 'what is not confirmed is called experimental');

$node->stop;
done_testing();
