# SyncTest: what the TAP tests share.
#
# A test says "use SyncTest;" and has, beside these functions, PostgreSQL::Test's
# own modules and Test::More.

package SyncTest;

use strict;
use warnings;

use Exporter 'import';
use IPC::Run;
use Test::More;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(start_node real_data create_football add_server try_sql
  start_sql finish_sql wait_until_waiting wait_until_left PROMPT_S);

# What has to happen at once may take this long on a busy machine.
use constant PROMPT_S => 5;

# Where the server is down, psql may end before it has read the query that it is to
# poll with.  That is asked again, as after any other answer.
{
	no warnings 'redefine';
	my $poll = \&PostgreSQL::Test::Cluster::poll_query_until;

	*PostgreSQL::Test::Cluster::poll_query_until = sub {
		for my $try (1 .. 1000)
		{
			my $found = eval { $poll->(@_) };

			return $found if $@ eq '';
			die $@ unless $@ =~ /Broken pipe/ && $try < 1000;
		}
	};
}

# Start a server of the given name, with more lines for its configuration if
# need be.  The extension is left for the test to create.
sub start_node
{
	my ($name, $conf) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
	$node->append_conf('postgresql.conf', $conf) if defined $conf;
	$node->start;
	return $node;
}

# Return the path of a folder of real data; where there is none the whole test
# says that it is skipped.
sub real_data
{
	my ($folder) = @_;
	my $path = ($ENV{SYNC_TEST_DATA} // '') . "/$folder";

	plan skip_all => "there is no real data at hand (SYNC_TEST_DATA/$folder)"
	  unless defined $ENV{SYNC_TEST_DATA} && -d $path;
	return $path;
}

# Create the tables that the shipped rules are for, in a database of that name
# which is made where there is none, with a little of everything: of the two
# competitions one is to be added and one to be updated, of the three seasons two
# and one.
sub create_football
{
	my ($node, $db) = @_;

	$node->safe_psql('postgres', qq{CREATE DATABASE "$db"})
	  if $node->safe_psql('postgres', qq{SELECT 1 FROM pg_database WHERE datname = '$db'}) eq '';
	$node->safe_psql(
		$db, q{
		CREATE TABLE competitions (competition_id text PRIMARY KEY, "URL" text);
		CREATE TABLE teams (competition_id text, season_year int, team_name text);
		CREATE TABLE competition_progress (competition_id text PRIMARY KEY,
			competition_url text, status text, seasons_discovered int,
			completed_at timestamptz);
		CREATE TABLE season_progress (competition_id text, season_id text,
			season_year int, status text, completed_at timestamptz, clubs_saved int,
			PRIMARY KEY (competition_id, season_year));
		INSERT INTO competitions VALUES ('EPL', 'https://example.org/epl');
		INSERT INTO teams SELECT 'EPL', year, 'team ' || n
			FROM generate_series(2021, 2022) AS year, generate_series(1, 3) AS n;
		INSERT INTO teams VALUES ('SA', 2022, 'Roma'), ('SA', 2022, 'Lazio');
		INSERT INTO competition_progress VALUES ('EPL', 'kept', 'pending', 1, NULL);
		INSERT INTO season_progress VALUES ('EPL', '2021', 2021, 'pending', NULL, 0);
	});
	return;
}

# Create a foreign server in a database of $node with a mapping for everyone.
# The options are those of libpq; those of the mapping are user and password.
sub add_server
{
	my ($node, $db, $name, %options) = @_;
	my %mapping = map { $_ => delete $options{$_} } grep { exists $options{$_} } qw(user password);
	my $list = sub {
		my %given = @_;
		return '' unless %given;
		return 'OPTIONS (' . join(', ', map { "$_ '$given{$_}'" } sort keys %given) . ')';
	};

	$node->safe_psql(
		$db, qq{
		SET log_statement = none;
		SET client_min_messages = warning;
		CREATE EXTENSION IF NOT EXISTS postgres_fdw;
		CREATE SERVER $name FOREIGN DATA WRAPPER postgres_fdw } . $list->(%options) . qq{;
		CREATE USER MAPPING FOR PUBLIC SERVER $name } . $list->(%mapping));
	return;
}

# Run SQL to its first error.  Returns what it printed, and its messages with the
# SQLSTATE of each: "ERROR:  42704: environment ...".
sub try_sql
{
	my ($node, $db, $sql, %more) = @_;

	return finish_sql(start_sql($node, $db, $sql, %more));
}

# The same in two steps, for what blocks.  The session's application_name is
# "app", if given, and it logs in as "user".
sub start_sql
{
	my ($node, $db, $sql, %more) = @_;
	my $session = { out => '', err => '' };
	my $connstr = $node->connstr($db);
	my $input = PostgreSQL::Test::Utils::tempdir() . '/input.sql';

	# a file is read with no help of ours, while the test does something else
	append_to_file($input, $sql);
	$connstr .= " application_name=$more{app}" if defined $more{app};
	$connstr .= " user=$more{user}" if defined $more{user};
	$session->{run} = IPC::Run::start(
		[
			'psql', '-XAtq', '-d', $connstr,
			'-v', 'ON_ERROR_STOP=1', '-v', 'VERBOSITY=verbose', '-f', $input
		],
		'<', '/dev/null',
		'>', \$session->{out},
		'2>', \$session->{err},
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	return $session;
}

sub finish_sql
{
	my ($session) = @_;

	$session->{run}->finish;
	chomp $session->{out};
	return ($session->{out}, $session->{err});
}

# Wait until the session with that application_name waits: for a lock, or for what
# else pg_stat_activity calls "wait".
sub wait_until_waiting
{
	my ($node, $app, $wait) = @_;

	$wait //= 'Lock';
	$node->poll_query_until('postgres',
		"SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = '$app'"
		  . " AND state = 'active' AND wait_event_type = '$wait')")
	  or die "session \"$app\" does not wait";
	return;
}

# Wait until no session of any client is left in a database; false when some stay.
sub wait_until_left
{
	my ($node, $db) = @_;

	return $node->poll_query_until('postgres',
		"SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = '$db')");
}

1;
