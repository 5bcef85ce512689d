# docs/athletes.md does what it says: its two scripts, run as they are on two servers,
# bring the app's users into the warehouse, with no more rights than they give.

use strict;
use warnings;

use File::Basename;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $docs = dirname(__FILE__) . '/../../docs';
my $page = slurp_file("$docs/athletes.md");
my $app = start_node('app', q{listen_addresses = '127.0.0.1'});
my $warehouse = start_node('warehouse');
my ($out, $err);

# Run one of the page's scripts; returns its messages.
sub run_script
{
	my ($node, $db, $script, %variables) = @_;
	my $messages;

	IPC::Run::run(
		[
			'psql', '-Xq', '-d', $node->connstr($db), '-v', 'ON_ERROR_STOP=1',
			(map { ('-v', "$_=$variables{$_}") } sort keys %variables),
			'-f', "$docs/athletes/$script"
		],
		'>', \my $ignored,
		'2>', \$messages);
	ok(index($page, slurp_file("$docs/athletes/$script")) > 0, "the page has $script as it is");
	return $messages;
}

# Run SQL on the warehouse as a role; returns what it prints and its messages.
sub as
{
	my ($role, $sql) = @_;

	return try_sql($warehouse, 'warehouse', $sql, user => $role);
}

# The same; returns what it prints.
sub ask
{
	my ($printed) = as(@_);

	return $printed;
}

my $run = 'SELECT rows_read, inserted, updated, unchanged, deleted FROM sync_run(\'athletes\')';

# The app, which asks for passwords

$app->safe_psql('postgres', q{CREATE DATABASE app});
$app->safe_psql('app', q{
	CREATE TABLE public."User" (uuid uuid PRIMARY KEY, name text, email text, password_hash text);
	INSERT INTO public."User" SELECT md5(n::text)::uuid, 'Athlete ' || n, 'a@example.org', 'secret'
	FROM generate_series(1, 1000) AS n;
	INSERT INTO public."User" VALUES (md5('none')::uuid, NULL)});
is(run_script($app, 'app', 'app.sql', password => q{it's a "secret"}), '', 'the script of the app runs');
unlink $app->data_dir . '/pg_hba.conf';
$app->append_conf('pg_hba.conf', "local all all trust\nhost app athlete_reader 127.0.0.1/32 scram-sha-256");
$app->reload;

$warehouse->safe_psql('postgres', 'CREATE DATABASE warehouse');
is(run_script($warehouse, 'warehouse', 'warehouse.sql', host => '127.0.0.1', port => $app->port, dbname => 'app',
		sslmode => 'disable', password => q{it's a "secret"}), '', 'the script of the warehouse runs');

# The page's way

for my $block ($page =~ /As `athlete_sync`.*?```sql notest\n(.*?)```/s)
{
	($out, $err) = as('athlete_sync', $block);
	is($err, '', 'what is to be run can be run as athlete_sync');
	is(() = $out =~ /^insert\|/mg, 100, 'with the first hundred rows of the diff');
	like($out, qr/\A1001\|1001\|.*\n1001\|1001\|0\|0\|0\|0\|\d+\|[\d:.]+\z/s, 'it adds all of them, with a dry run that says so');
}
is(ask('athlete_sync', q{SELECT count(*), count(full_name), count(source_synced_at) FROM analytics.athlete_dim}), '1001|1000|1001',
	'each with the time');

# New, changed and unchanged ones

$warehouse->safe_psql('warehouse', q{UPDATE analytics.athlete_dim SET source_synced_at = source_synced_at - interval '3 days'});
$app->safe_psql('app', q{
	UPDATE public."User" SET name = 'Zoë' WHERE name = 'Athlete 1';
	UPDATE public."User" SET email = 'b@example.org';
	INSERT INTO public."User" VALUES (md5('new')::uuid, 'New');
	DELETE FROM public."User" WHERE name = 'Athlete 2'});
($out, $err) = as('athlete_sync', $run);
is($out, '1001|1|1|999|0', 'new ones are added, changed ones updated, and one that is gone stays');
is($warehouse->safe_psql('warehouse', q{
	SELECT string_agg(full_name, ' ' ORDER BY full_name) FROM analytics.athlete_dim WHERE source_synced_at > now() - interval '1 day'}),
	'New Zoë', 'these have a new time, and unchanged ones the old one');

# The view

$warehouse->safe_psql('warehouse', 'CREATE ROLE pager LOGIN IN ROLE athlete_monitor');
my $status = q{SELECT athletes, most_recent > now() - interval '1 hour', not_synced_for_two_days, last_run = last_success,
	last_outcome, last_error FROM analytics.athlete_sync_status};
is(ask('pager', $status), '1002|t|1000|t|success|', 'the view has the count, the most recent one, and how many are old');
($out, $err) = as('pager', $run);
like($err, qr/42501: permission denied for function sync_run/, 'and who may look may do nothing else');

# The option

$warehouse->safe_psql('warehouse', q{UPDATE sync_streams SET synced_at_rows = 'all'});
is(ask('athlete_sync', $run), '1001|0|0|1001|0', 'with synced_at_rows all, unchanged ones count as such');
is(ask('pager', $status), '1002|t|1|t|success|', 'and get the time; what the app has no more does not');

# Rights

($out, $err) = try_sql($app, 'app', 'SELECT uuid, name FROM public."User" LIMIT 0; SELECT email FROM public."User"', user => 'athlete_reader');
like($err, qr/42501: permission denied for table User/, 'the reader sees no other column');
($out, $err) = as('athlete_sync', 'DELETE FROM analytics.athlete_dim');
like($err, qr/42501/, 'athlete_sync cannot delete');
($out, $err) = as('athlete_sync', 'SELECT umoptions FROM pg_user_mapping');
like($err, qr/42501/, 'nor read user mappings of others');

# An empty source

$app->safe_psql('app', 'TRUNCATE public."User"');
($out, $err) = as('athlete_sync', $run);
is($out, '0|0|0|0|0', 'an empty source deletes nothing');
like($err, qr/WARNING:  02000: the source of stream "athletes" is empty/, 'and is a warning');
like(ask('pager', $status), qr/^1002\|.*\|success\|$/, 'as the view says');

# An app that is no more

$app->stop;
($out, $err) = as('athlete_sync', $run);
like($err, qr/08001: could not connect to server "athletes_app"/, 'an app that is down is an error');
like(ask('pager', $status), qr/^1002\|t\|1\|f\|connection\|could not connect to server "athletes_app"$/, 'that the view shows to a monitor');
unlike($err . $warehouse->safe_psql('warehouse', 'SELECT h::text FROM sync_history AS h') . slurp_file($warehouse->logfile),
	qr/it's a/, 'the password shows nowhere') or diag('it does');

$warehouse->stop;
done_testing();
