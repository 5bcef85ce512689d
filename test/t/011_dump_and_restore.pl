# What a user has put into the extension, and what it has noted and recorded, is
# in a dump, and a database restored from it goes on where the other was.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $node = start_node('dump');
my $folder = PostgreSQL::Test::Utils::tempdir();
my @connection = ('-h', $node->host, '-p', $node->port);

# Everything that must be the same afterwards.
my %contents = (
	rules => 'SELECT * FROM sync.sync_progress_rules ORDER BY rule_name',
	history => 'SELECT * FROM sync.sync_history ORDER BY history_id',
	notes => 'SELECT * FROM sync.sync_progress_notes ORDER BY 1, 2',
	triggers => q{SELECT tgrelid::regclass, tgname, tgenabled, pg_get_triggerdef(oid) FROM pg_trigger
		WHERE tgname ~ '^sync_' ORDER BY tgname},
	comments => q{SELECT count(*) FROM pg_description WHERE objoid::regclass::text ~ 'sync'},
	rights => q{SELECT proname, proacl::text FROM pg_proc WHERE pronamespace = 'sync'::regnamespace
		UNION ALL SELECT relname, relacl::text FROM pg_class WHERE relnamespace = 'sync'::regnamespace ORDER BY 1, 2},
	report => q{SELECT line FROM sync.sync_progress() AS line WHERE line !~ 'only what changed'},
	drift => q{SELECT rule_name, relation, action, key, before, after - 'completed_at' FROM sync.sync_progress_drift()});

create_football($node, 'sport');
$node->safe_psql(
	'sport', q{
	CREATE SCHEMA sync;
	CREATE EXTENSION sync_ext SCHEMA sync;
	CREATE ROLE reader;
	GRANT EXECUTE ON FUNCTION sync.sync_progress TO reader;
	GRANT SELECT ON sync.sync_history TO reader;
	SET search_path = public, sync;
	-- a shipped rule that was changed, one that was replaced, one more
	UPDATE sync_progress_rules SET position = 30, enabled = true,
		validation = 'count(*) >= 2' WHERE rule_name = 'competition';
	INSERT INTO sync_progress_rules (rule_name, label, evidence, key_columns,
		competition_column, progress, counters, insert_columns) VALUES
	('season', 'years', 'public.teams', '{competition_id,season_year}',
		'competition_id', 'public.season_progress', '{"clubs_saved": "count(*)"}',
		'{"season_id": {"fallback": "season_year + 0"}}');
	CREATE SCHEMA "Chess Club";
	CREATE TABLE "Chess Club"."Games" ("Player A" text, "Player B" text, day date, moves int);
	CREATE TABLE "Chess Club"."Done" (a text, b text, day date, state text, "N" int);
	INSERT INTO "Chess Club"."Games" VALUES ('x', 'it''s "y"', '2024-02-29', 40);
	INSERT INTO sync_progress_rules (rule_name, label, evidence, key_columns,
		progress, progress_key_columns, status_column, done_value,
		completed_at_column, counters) VALUES
	('my "games"', 'games', '"Chess Club"."Games"', '{Player A,Player B,day}',
		'"Chess Club"."Done"', '{a,b,day}', 'state', 'it''s over', NULL,
		'{"N": "sum(moves)"}');
	SELECT sync_track_progress('season'), sync_track_progress('my "games"');
	SELECT sync_progress(false);
	INSERT INTO teams VALUES ('EPL', 2030, 'a'), ('SA', 2022, 'b');
	INSERT INTO "Chess Club"."Games" VALUES ('x', NULL, '2024-03-01', 1), ('\', '{,}', '2024-03-01', 1)});
my ($out, $err) = try_sql($node, 'sport', q{SELECT sync.sync_progress(false, 'none')});

my %before = map { $_ => $node->safe_psql('sport', $contents{$_}) } keys %contents;
like($before{history}, qr/success.*failed/s, 'there is history to keep');
like($before{notes}, qr/2030/, 'there are notes to keep');

# How to dump, and how to restore what is then in the file.
my @restore_sql = ('psql', '-Xq', '-v', 'ON_ERROR_STOP=1', @connection);
my %ways = (
	sql => [ [], [ @restore_sql, '-f' ] ],
	inserts => [ ['--inserts'], [ @restore_sql, '-f' ] ],
	custom => [ ['-Fc'], [ 'pg_restore', '-e', @connection ] ],
	parallel => [ ['-Fc'], [ 'pg_restore', '-e', '-j', '2', @connection ] ],
	late => [ ['-Fc'], [ 'pg_restore', '-e', '-L', "$folder/order", @connection ] ]);

# Dump a database and restore it into a new one.  Returns whether that worked.
sub dump_and_restore
{
	my ($db, $way, $name) = @_;
	my ($dump, $restore) = @{ $ways{$way} };
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	$node->safe_psql('postgres', "CREATE DATABASE restored_$name");
	$node->command_ok([ 'pg_dump', @connection, @$dump, '-f', "$folder/$name", $db ], "$name: pg_dump works");
	if ($way eq 'late')
	{
		# the rules come last, after the triggers on what they track, as it can
		# happen with several jobs
		my @order = split /\n/, (run_command([ 'pg_restore', '-l', "$folder/$name" ]))[0];
		append_to_file("$folder/order",
			join "\n", (grep { !/DATA.*sync_progress_rules/ } @order), (grep { /DATA.*sync_progress_rules/ } @order));
	}
	my @restore = $way =~ /sql|inserts/
	  ? (@$restore, "$folder/$name", "restored_$name")
	  : (@$restore, '-d', "restored_$name", "$folder/$name");
	return ok($node->run_log([@restore]), "$name: so does restoring");
}

for my $way (sort keys %ways)
{
	my $db = "restored_$way";

  SKIP:
	{
		dump_and_restore('sport', $way, $way) or skip "$way: not restored", 1;

		is($node->safe_psql($db, $contents{$_}), $before{$_}, "$way: same $_") for sort keys %contents;

		my $last = $node->safe_psql($db, 'SELECT max(history_id) FROM sync.sync_history');
		like($node->safe_psql($db, 'SELECT sync.sync_progress(false)'),
			qr/ADDED season_progress: 2030.*Years added: 1\n/s, "$way: a run does what was left to do");
		is($node->safe_psql($db, q{SELECT details -> 'season' ->> 'tracked', history_id > } . $last
				. q{ FROM sync.sync_history ORDER BY history_id DESC LIMIT 1}),
			'false|t', "$way: by reading everything once, and history goes on counting");
		is($node->safe_psql($db, q{SELECT a, b, "N", state FROM "Chess Club"."Done" ORDER BY a COLLATE "C"}),
			"\\|{,}|1|it's over\nx|it's \"y\"|40|it's over",
			"$way: so does one of a rule with names and values of all kinds");
		$node->safe_psql($db, q{DELETE FROM teams WHERE season_year = 2030; INSERT INTO teams VALUES ('EPL', 2031, 'c')});
		is($node->safe_psql($db, q{SELECT array_to_string(key, ' ') FROM sync.sync_progress_notes ORDER BY 1}),
			"EPL 2030\nEPL 2031", "$way: tracking goes on");
		($out, $err) = try_sql($node, $db, q{INSERT INTO sync.sync_progress_rules
			(rule_name, label, evidence, key_columns, progress) VALUES ('new', 'l', 'e f', '{k}', 'p')});
		like($err, qr/ERROR:  42602: /, "$way: rules are still checked");
		$node->safe_psql($db, q{SELECT sync.sync_untrack_progress('season')});
		$node->safe_psql($db, 'DROP EXTENSION sync_ext CASCADE');
		pass("$way: it can be dropped");
	}
}

# A shipped rule that is deleted or renamed must not come back on its own: either it
# stays away, or it cannot be done.
for my $case ([ 'deleted', q{DELETE FROM sync.sync_progress_rules WHERE rule_name = 'season'} ],
	[ 'renamed', q{UPDATE sync.sync_progress_rules SET rule_name = 'mine' WHERE rule_name = 'season'} ])
{
	my ($what, $sql) = @$case;

	my $rules = 'SELECT rule_name FROM sync.sync_progress_rules ORDER BY 1';

	$node->safe_psql('postgres', "CREATE DATABASE $what");
	$node->safe_psql($what, 'CREATE SCHEMA sync; CREATE EXTENSION sync_ext SCHEMA sync');
	($out, $err) = try_sql($node, $what, $sql);
	dump_and_restore($what, 'sql', $what);
	is($node->safe_psql("restored_$what", $rules), $node->safe_psql($what, $rules),
		"a shipped rule that was $what is not back after a restore");
}

# A dump by a role that may not read the extension's tables has to fail, not to
# leave them out silently.
$node->safe_psql('sport', 'CREATE ROLE weak LOGIN; GRANT USAGE ON SCHEMA sync, "Chess Club" TO weak; GRANT SELECT ON ALL TABLES IN SCHEMA public, "Chess Club" TO weak');
$node->command_fails_like([ 'pg_dump', @connection, '-U', 'weak', '-f', "$folder/weak", 'sport' ],
	qr/permission denied|lack SELECT privilege/, 'a role without rights on the tables cannot dump them');

$node->stop;
done_testing();
