# Alerts reach Slack and a webhook that checks signatures: many of one kind as one message,
# no more messages than a channel may have, none lost where a delivery fails, none about
# alerts, and no secret anywhere.

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
append_to_file("$folder/key", 'b2' x 32 . "\n");
chmod 0600, "$folder/key";

my $node = start_node('alerts', qq{
	shared_preload_libraries = 'sync_ext'
	sync_ext.http_private_networks = '127.0.0.0/8'
	sync_ext.credential_key_file = '$folder/key'
	sync_ext.workers = 2
	log_statement = none
	log_min_messages = debug1});
my $secret = 'geheim-0123456789abcdef';
my $fake = SyncFake->start('hooks', secret => $secret, token => 'geheimgeheim');
my ($out, $err);

$node->safe_psql('postgres', q{
	CREATE EXTENSION sync_ext;
	CREATE FUNCTION fail(payload jsonb) RETURNS void LANGUAGE plpgsql AS
		$$BEGIN RAISE EXCEPTION 'failure %', payload ->> 'n' USING ERRCODE = 'data_exception'; END$$;
	INSERT INTO sync_operation_types (operation_type, handler) VALUES ('fails', 'public.fail(jsonb)');
	UPDATE sync_operation_types SET backoff_base = '100 ms', backoff_factor = 1 WHERE operation_type = 'alert'});

# Have so many tasks fail.
sub break_tasks
{
	my ($n, $provider) = @_;
	$provider = $provider ? "'$provider'" : 'NULL';
	$node->safe_psql('postgres', qq{INSERT INTO sync_queue (operation_type, provider_name, payload)
		SELECT 'fails', $provider, jsonb_build_object('n', n) FROM generate_series(1, $n) AS n});
	return;
}

# Wait until channels were told of so many alerts.
sub told
{
	my ($channel, $alerts) = @_;
	return $node->poll_query_until('postgres', qq{SELECT coalesce(sum(alerts), 0) = $alerts FROM sync_alert_deliveries
		WHERE channel_name = '$channel' AND delivered_at IS NOT NULL});
}

# What was sent to a path, decoded.
sub sent
{
	my ($path) = @_;
	return map { decode_json($_->{body}) } grep { $_->{path} =~ $path } $fake->log;
}

sub set_channel
{
	my ($more, $path) = @_;
	my $url = $fake->url . ($path // '/hook');
	return $node->safe_psql('postgres', qq{SELECT sync_set_alert_channel('hook', 'webhook',
		'{"url": "$url", "secret": "$secret", "headers": {"Authorization": "Bearer geheim-header"}}', $more)});
}

# many failures are one message

set_channel(q{group_window => '3 s'});
break_tasks(1000);
ok(told('hook', 1000), '1,000 failures are told');
my @messages = sent(qr/hook/);
is(scalar @messages, 1, 'in one message');
my ($group) = @{ $messages[0]{shown} };
is("$messages[0]{alerts} $messages[0]{groups} $group->{alerts} $group->{event} $group->{subject}", '1000 1 1000 failed_permanent fails', 'which counts them');
like("$group->{first_message}, $group->{last_message}", qr/^failure \d+, failure \d+$/, 'and has the first and the last');
is($node->safe_psql('postgres', q{SELECT count(*), count(DISTINCT deliveries), min(array_length(deliveries, 1)) FROM sync_alerts}), '1000|1|1', 'each alert says where it is counted');
my ($request) = $fake->log;
is($request->{headers}{authorization}, 'Bearer geheim-header', 'headers of its own are sent');

# two subjects at a time are one message as well, since a channel has one task
$fake->clear;
break_tasks(2, 'a');
break_tasks(3, 'b');
ok(told('hook', 1005), 'failures of two providers are told');
@messages = sent(qr/hook/);
is(join(' ', sort map { map { "$_->{subject}=$_->{alerts}" } @{ $_->{shown} } } @messages), 'fails a=2 fails b=3', 'each counted by itself');

# delivery fails twice, then works

$fake->clear;
set_channel(q{group_window => '0 s'});
$fake->set(fail => 2);
break_tasks(1);
ok(told('hook', 1006), 'a delivery that fails is tried again');
is(scalar(sent(qr/hook/)), 3, 'twice');
is($node->safe_psql('postgres', q{SELECT string_agg(status, ' ' ORDER BY history_id) FROM (SELECT * FROM sync_history WHERE operation = 'alert' ORDER BY history_id DESC LIMIT 3) h}),
	'failed failed success', 'as history says');
is($node->safe_psql('postgres', q{SELECT failures, last_error IS NULL, last_delivered_at IS NOT NULL FROM sync_alert_channels}), '0|t|t', 'and the channel is well again');

# no more messages than a channel may have; the next counts what was held back

$fake->clear;
set_channel(q{group_window => '0 s', max_messages => 1, per => '4 s'});
$node->safe_psql('postgres', q{UPDATE sync_alert_deliveries SET delivered_at = delivered_at - interval '1 day' WHERE delivered_at IS NOT NULL});
break_tasks(1);
ok(told('hook', 1007), 'the first goes out');
break_tasks(1);
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM sync_alert_deliveries WHERE delivered_at IS NULL AND alerts = 1}), 'the second is held back');
break_tasks(2);
break_tasks(1, 'c');
ok(told('hook', 1011), 'all are told at last');
@messages = sent(qr/hook/);
is(scalar @messages, 2, 'in one message more');
is(join(' ', map { "$_->{subject}=$_->{alerts}" } @{ $messages[1]{shown} }), 'fails=3 fails c=1', 'which counts what was held back');
is($node->safe_psql('postgres', q{SELECT max(delivered_at) - min(delivered_at) >= '4 s' FROM sync_alert_deliveries WHERE delivered_at > now() - interval '1 hour'}), 't', 'when it may');

# a channel that cannot be reached: no alert about it, and nothing lost

$node->safe_psql('postgres', q{UPDATE sync_operation_types SET max_attempts = 2 WHERE operation_type = 'alert'});
set_channel(q{group_window => '0 s'}, '/gone');
$fake->clear;
my $alerts = $node->safe_psql('postgres', 'SELECT count(*) FROM sync_alerts');
break_tasks(1);
ok($node->poll_query_until('postgres', q{SELECT gave_up_at IS NOT NULL FROM sync_alert_channels}), 'a channel that refuses is given up after some attempts');
is($node->safe_psql('postgres', q{SELECT failures, last_error FROM sync_alert_channels}), '2|alert channel "hook" does not take the message', 'which says why');
is($node->safe_psql('postgres', 'SELECT count(*) FROM sync_alerts'), $alerts + 1, 'no alert is raised about an alert');
is($node->safe_psql('postgres', q{SELECT status FROM sync_history WHERE operation = 'alert' ORDER BY history_id DESC LIMIT 1}), 'failed_permanent', 'history knows');
$node->safe_psql('postgres', 'SELECT pg_reload_conf()');
ok($node->poll_query_until('postgres', q{SELECT NOT EXISTS (SELECT FROM sync_queue)}), 'no task is left, nor made anew by a sweep');
set_channel(q{group_window => '0 s'});
break_tasks(1);
ok(told('hook', 1013), 'once it is reached, it is told of what it missed');

# events, and a second channel

$fake->clear;
my $slack = $fake->url . '/services/T000/B000/geheimgeheim';
$node->safe_psql('postgres', qq{SELECT sync_set_alert_channel('team', 'slack', '{"url": "$slack"}', events => '{failed_permanent}', group_window => '0 s')});
$node->safe_psql('postgres', qq{SELECT sync_set_alert_channel('other', 'slack', '{"url": "$slack"}', events => '{stuck}')});
break_tasks(1, 'd & <e>');
ok(told('team', 1) && told('hook', 1014), 'both channels are told');
is($node->safe_psql('postgres', q{SELECT count(*) FROM sync_alert_deliveries WHERE channel_name = 'other'}), '0', 'but not one that is for other events');
@messages = sent(qr/services/);
like($messages[0]{text}, qr/^\*production\*, database postgres\n\*failed_permanent\*: fails d &amp; &lt;e&gt;, \d{4}-.*Z\n  failure 1\n$/, 'Slack is told as it wants to be');
($out, $err) = try_sql($node, 'postgres', q{SELECT sync_test_alert('team')});
is($out, 'alert channel "team" took the message', 'a channel can be tested');
$fake->set(token => 'another');
($out, $err) = try_sql($node, 'postgres', q{SELECT sync_test_alert('team')});
like($err, qr/ERROR:  SY002: alert channel "team" does not take the message\nDETAIL:  "http:\/\/127.0.0.1:\d+\/\.\.\." answered with status 404: no_service/, 'one that does not take it says why, without its URL');
$fake->set(secret => 'another');
($out, $err) = try_sql($node, 'postgres', q{SELECT sync_test_alert('hook')});
like($err, qr/status 401: wrong signature/, 'a wrong secret is seen at the other end');
$fake->set(secret => $secret, token => 'geheimgeheim');

my $elsewhere = $fake->url . '/elsewhere/geheimgeheim?key=geheim-in-query';
$node->safe_psql('postgres', qq{SELECT sync_set_alert_channel('lost', 'slack', '{"url": "$elsewhere"}', events => '{stuck}')});
($out, $err) = try_sql($node, 'postgres', q{SELECT sync_test_alert('lost')});
like($err, qr{DETAIL:  .* answered with status 404: no such thing as /\*\*\*/\*\*\*\?key=\*\*\*\n}, 'and what it says of its URL is not told');
$node->safe_psql('postgres', q{SELECT sync_drop_alert_channel('lost')});

# a transaction that rolls back raises none

$alerts = $node->safe_psql('postgres', 'SELECT count(*) FROM sync_alerts');
$node->safe_psql('postgres', q{SELECT sync_pause(); INSERT INTO sync_queue (operation_type) VALUES ('fails'); DELETE FROM sync_queue; SELECT sync_resume()});
is($node->safe_psql('postgres', 'SELECT count(*) FROM sync_alerts'), $alerts, 'a task that was taken back raises none');

# acknowledged

is($node->safe_psql('postgres', q{SELECT sync_acknowledge_alerts(subject => 'fails c')}), '1', 'alerts are acknowledged');
is($node->safe_psql('postgres', q{SELECT acknowledged_by FROM sync_alerts WHERE acknowledged_at IS NOT NULL}), $node->safe_psql('postgres', 'SELECT current_user'), 'by somebody');

# a held lock of somebody who looks does not stop workers

my $session = $node->background_psql('postgres');
$session->query_safe(q{BEGIN; UPDATE sync_alerts SET acknowledged_at = now(); UPDATE sync_alert_channels SET max_messages = 21});
break_tasks(1, 'f');
ok(told('team', 2), 'alerts are told while somebody holds others');
$session->query_safe('ROLLBACK');
$session->quit;

# no secret anywhere

$node->safe_psql('postgres', q{CREATE ROLE nosy LOGIN});
my $dump = $node->safe_psql('postgres', q{SELECT c::text FROM sync_alert_channels c UNION ALL SELECT d::text FROM sync_alert_deliveries d
	UNION ALL SELECT h::text FROM sync_history h UNION ALL SELECT q::text FROM sync_queue q UNION ALL SELECT a::text FROM sync_alerts a
	UNION ALL SELECT convert_from(decode(encode(sealed, 'hex'), 'hex'), 'LATIN1') FROM sync_alert_channels WHERE sealed IS NOT NULL AND encode(sealed, 'escape') ~ 'geheim'});
unlike($dump, qr/geheim/, 'no table has a secret in it');
my ($dumped) = run_command([ 'pg_dump', $node->connstr('postgres') ]);
like($dumped, qr/COPY public.sync_alert_channels/, 'channels are dumped');
unlike($dumped, qr/geheim/, 'without their secrets');
$session = $node->background_psql('postgres');
$session->query_safe(q{SELECT sync_set_alert_channel('x', 'slack', '{"url": "http://127.0.0.1:1/geheim-activity"}')});
unlike($node->safe_psql('postgres', q{SELECT string_agg(query, ' ') FROM pg_stat_activity}), qr/geheim-activity/, 'pg_stat_activity has none');
$session->quit;
($out, $err) = try_sql($node, 'postgres', q{SELECT sync_set_alert_channel('x', 'slack', '{"url": "http://127.0.0.1:1/geheim-log", "link": 1}')});
like($err, qr/ERROR:  22023: config of an alert channel of kind slack has no member "link"/, 'a statement that fails');
($out, $err) = try_sql($node, 'postgres', q{SELECT sync_test_alert('x')});
like($err, qr/ERROR:  SY001: could not get an answer from "http:\/\/127.0.0.1:1\/\.\.\."/, 'and a channel that cannot be reached');
unlike(slurp_file($node->logfile), qr/geheim/, 'leave none in the log');
for my $sql ('SELECT * FROM sync_alert_channels', 'SELECT * FROM sync_alerts', 'SELECT * FROM sync_alert_deliveries', q{SELECT sync_test_alert('team')},
	q{SELECT sync_set_alert_channel('y', 'email', '{}')}, q{SELECT sync_drop_alert_channel('team')}, q{SELECT sync_deliver_alerts(1, '{"channel": "team"}')},
	'SELECT sync_acknowledge_alerts()')
{
	($out, $err) = try_sql($node, 'postgres', $sql, user => 'nosy');
	like($err, qr/ERROR:  42501: permission denied/, "nobody else may: $sql");
}

# another key, another channel's seal

$node->safe_psql('postgres', q{UPDATE sync_alert_channels SET sealed = (SELECT sealed FROM sync_alert_channels WHERE channel_name = 'x') WHERE channel_name = 'team'});
($out, $err) = try_sql($node, 'postgres', q{SELECT sync_test_alert('team')});
like($err, qr/ERROR:  XX001: the secret of alert channel "team" cannot be decrypted\n.*\n?.*HINT:  Set it anew with sync_set_alert_channel/s, 'a seal of another channel does not open');

# without preload: a session tells

$node->adjust_conf('postgresql.conf', 'shared_preload_libraries', "''");
$node->restart;
$node->safe_psql('postgres', q{SELECT sync_drop_alert_channel('team'), sync_drop_alert_channel('other'), sync_drop_alert_channel('x')});
break_tasks(2, 'g');
$node->safe_psql('postgres', 'CALL sync_process_queue()');
$node->safe_psql('postgres', 'CALL sync_process_queue()');
$node->safe_psql('postgres', 'CALL sync_process_queue()');
ok(told('hook', 1017), 'CALL sync_process_queue() tells where there are no workers');

$node->stop;
done_testing();
