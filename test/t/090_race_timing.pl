# Race timing, whole: two partners, all five providers, each against a fake of it:
# events, participants, starters pushed to who times them, results, and results that
# go back once somebody has approved them.

use strict;
use warnings;

use lib 'test/perl';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncFake;
use SyncTest;
use Test::More;

my $folder = PostgreSQL::Test::Utils::tempdir();
my $node = start_node('race', qq{
	shared_preload_libraries = 'pg_cron, sync_ext'
	cron.database_name = 'race'
	sync_ext.databases = 'race'
	sync_ext.workers = 2
	sync_ext.http_private_networks = '127.0.0.0/8'
	sync_ext.credential_key_file = '$folder/key'
	max_worker_processes = 20
});
my %credentials = (
	runsignup => '{"api_key": "key", "api_secret": "key-secret"}',
	raceroster => '{"client_id": "client", "client_secret": "client-secret", "username": "timer", "password": "timer-password"}',
	haku => '{"client_id": "client", "client_secret": "client-secret"}',
	chronotrack => '{"client_id": "client", "user_id": "timer@example.org", "password": "timer-password"}',
	copernico => '{"api_key": "copernico-key"}');
my %fakes = map { $_ => SyncFake->start($_) } sort keys %credentials;
my ($out, $err);

append_to_file("$folder/key", 'c3' x 32);
chmod 0600, "$folder/key";

sub sql { my ($sql) = @_; return $node->safe_psql('race', "SET log_statement = 'none'; $sql") }

# Wait until nothing is left to be done, and see that all of it was done.
sub wait_for_tasks
{
	my ($what) = @_;

	ok($node->poll_query_until('race', q{SELECT count(*) = 0 FROM sync_queue WHERE attempt > 0 OR scheduled_time <= now()}), $what);
	is(sql(q{SELECT string_agg(concat_ws(' ', operation, subject, status, error_message, error_detail), E'\n') FROM sync_history WHERE status <> 'success'}),
		'', 'nothing failed');
	return;
}

$node->safe_psql('postgres', 'CREATE DATABASE race');
sql('CREATE EXTENSION pg_cron; CREATE EXTENSION sync_ext; CREATE SCHEMA timing');
for my $name (sort keys %fakes)
{
	my $url = $fakes{$name}->url;

	sql(qq{
		UPDATE sync_providers SET base_url = regexp_replace(base_url, '^https://[^/]+', '$url'), limits = '{}',
			auth = regexp_replace(auth::text, 'https://[^/]+', '$url', 'g')::jsonb WHERE provider_name = '$name';
		UPDATE sync_endpoints SET path = regexp_replace(path, '^https://[^/]+', '$url') WHERE provider_name = '$name';
		SELECT sync_create_provider_tables('$name', 'timing');
		SELECT sync_set_credential(p, '$name', '$credentials{$name}') FROM unnest('{7,8}'::bigint[]) AS p});
}

# Events, for whoever has a credential

sql(q{SELECT sync_trigger('event_discovery')});
wait_for_tasks('events are discovered');
is(sql('SELECT timing_partner_id, provider_name, count(*) FROM timing.unified_events GROUP BY 1, 2 ORDER BY 1, 2'),
	join("\n", map { my $p = $_; map { "$p|$_" } 'chronotrack|2', 'copernico|2', 'haku|2', 'raceroster|5', 'runsignup|3' } 7, 8),
	'of both partners, at all providers');
is(sql('SELECT count(*), count(DISTINCT timing_partner_id) FROM timing.runsignup_races'), '4|2', 'and what no view has is kept too');

# Participants of each event

sql(q{SELECT sync_trigger('participants')});
wait_for_tasks('participants are fetched');
is(sql(q{SELECT provider_name, count(*), count(DISTINCT event_id) FROM timing.unified_participants WHERE timing_partner_id = 7 GROUP BY 1 ORDER BY 1}),
	"chronotrack|5|1\ncopernico|12|2\nhaku|30|1\nraceroster|20|5\nrunsignup|21|3", 'those of each event');
is(sql(q{SELECT bool_and((details ->> 'pages')::int > 0) FROM sync_history WHERE operation = 'fetch'}), 't', 'each fetch is a run in history');
my $fetches = sql(q{SELECT count(*) FROM sync_history WHERE operation = 'fetch'});

# Starters go to who times them: those of linked events, once

sql(q{SELECT sync_link_events(7, 'runsignup', '71001', 'copernico', 'harbor-2026', '{"race_id": 501}',
	'{"login": "ana@example.org", "preset": "Todas las categorías", "event": "10K"}')});
sql(q{SELECT sync_trigger('push_participants')});
wait_for_tasks('starters are pushed');
is(sql(q{SELECT timing_partner_id, state, count(*) FROM sync_pushed GROUP BY 1, 2}), '7|pushed|7', 'those of the linked event, of the partner that linked it');
my @pushes = grep { $_->{method} eq 'POST' } $fakes{copernico}->log;
is(scalar(@pushes), 1, 'in one request');
sql(q{SELECT sync_trigger('push_participants', timing_partner_id => 7, provider_name => 'copernico')});
wait_for_tasks('pushed again');
is(scalar(grep { $_->{method} eq 'POST' } $fakes{copernico}->log), 1, 'nothing is sent twice');
sql(q{UPDATE timing.runsignup_participants SET bib = '99' WHERE registration_id = '880004' AND timing_partner_id = 7});
sql(q{SELECT sync_trigger('push_participants', timing_partner_id => 7, provider_name => 'copernico')});
wait_for_tasks('a change is pushed');
@pushes = grep { $_->{method} eq 'POST' } $fakes{copernico}->log;
is(scalar(@pushes), 2, 'by itself');
like($pushes[1]{body}, qr/^\[\{[^{}]*"runsignup-880004"[^{}]*\}\]$/, 'just that row');

# Results come back

$fakes{copernico}->set(run => 1);
sql(q{SELECT sync_trigger('results')});
wait_for_tasks('results are fetched');
is(sql(q{SELECT provider_name, sub_event, count(*), min(place), max(place), min(chip_time) FROM timing.unified_results WHERE timing_partner_id = 7 GROUP BY 1, 2 ORDER BY 1}),
	"chronotrack|Half|10|1|5|01:20:30\ncopernico|10K|7|1|7|00:44:51", 'of linked events, and of those that need no link');

# and are published when somebody says so, as they were then

sql(q{SELECT sync_trigger('publish_results')});
wait_for_tasks('without an approval');
is(scalar(grep { $_->{method} eq 'POST' } $fakes{runsignup}->log), 0, 'nothing is published');
sql(q{SELECT sync_approve_results(7, 'runsignup', '71001')});
wait_for_tasks('approved');
is(sql(q{SELECT state, count(*), count(remote_id) FROM sync_pushed WHERE push_name = 'runsignup_push_results' GROUP BY 1}), 'pushed|7|7', 'results are published, and their ids kept');
sql(q{UPDATE timing.copernico_results SET chip_time = '0:44:00', fetched_date = clock_timestamp() WHERE bib = '1' AND timing_partner_id = 7});
sql(q{SELECT sync_trigger('publish_results', timing_partner_id => 7, provider_name => 'runsignup')});
wait_for_tasks('what comes in later');
is(scalar(grep { $_->{method} eq 'POST' } $fakes{runsignup}->log), 1, 'waits for the next approval');
sql(q{SELECT sync_approve_results(7, 'runsignup', '71001')});
wait_for_tasks('approved again');
my ($last) = reverse grep { $_->{method} eq 'POST' } $fakes{runsignup}->log;
like($last->{body}, qr/result_id/, 'a result that was published is changed by its id');
is(sql(q{SELECT approved_by, approved_at > now() - interval '1 hour' FROM sync_links}), $ENV{PGUSER} // sql('SELECT current_user') . '|t', 'who approved is known');
sql(q{SELECT sync_trigger('results', timing_partner_id => 7, provider_name => 'runsignup')});
wait_for_tasks('what was published is fetched like anything else');
is(sql(q{SELECT count(*) FROM timing.unified_results WHERE provider_name = 'runsignup'}), '7', 'and is there');

# Schedules, one for each that is due

is(sql(q{SELECT count(*), count(DISTINCT name) FROM sync_schedule_partner(7) AS name}), '14|14', 'a partner is scheduled');
is(sql(q{SELECT name, schedule FROM sync_schedules WHERE name ~ 'copernico' ORDER BY name}),
	"partner 7 copernico event_discovery|0 2 * * *\npartner 7 copernico participants|0 */4 * * *\npartner 7 copernico push_participants|30 */4 * * *\npartner 7 copernico results|*/30 * * * *",
	'as often as each is due; publishing is not');
is(sql(q{SELECT count(*) FROM sync_schedule_partner(7)}), '14', 'again');
is(sql(q{SELECT count(*) FROM sync_schedules}), '14', 'which adds none');
my $command = sql(q{SELECT command FROM sync_schedules WHERE name = 'partner 7 haku participants'});
sql($command);
wait_for_tasks('what one runs');
cmp_ok(sql(q{SELECT count(*) FROM sync_history WHERE operation = 'fetch'}), '>', $fetches, 'fetches');
is(sql('SELECT sync_unschedule_partner(7)'), '14', 'and unscheduled');
($out, $err) = try_sql($node, 'race', 'SELECT sync_schedule_partner(9)');
like($err, qr/ERROR:  42704: timing partner 9 has no active credential/, 'one without credentials is not');

is(sql(q{SELECT sync_status(7) ->> 'pending_jobs', jsonb_array_length(sync_status(7) -> 'recent_syncs')}), '0|10', 'the status of a partner is seen');
is(sql(q{SELECT count(*) FROM jsonb_array_elements(sync_status(7, 50) -> 'recent_syncs') AS r WHERE r ->> 'provider_name' NOT IN (SELECT provider_name FROM sync_providers)}), '0', 'by its providers');
unlike(slurp_file($node->logfile), qr/key-secret|timer-password|client-secret/, 'no secret is in the log');

$node->stop;
done_testing();
