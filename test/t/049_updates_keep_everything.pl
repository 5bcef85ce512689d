# ALTER EXTENSION UPDATE keeps all that the tables have, leads to what CREATE EXTENSION
# of the other version gives, is held up by nobody, and workers wait for the library.
#
# The other version is this one with one column more; it is made here.

use strict;
use warnings;

use File::Copy;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my ($sharedir) = run_command([ 'pg_config', '--sharedir' ]);
my ($libdir) = run_command([ 'pg_config', '--pkglibdir' ]);
my $folder = "$sharedir/extension";
my $library = "$libdir/sync_ext.so";
my ($this) = slurp_file("$folder/sync_ext.control") =~ /^default_version = '(.*)'/m;
my $next = $this =~ s/(\d)$/($1 + 1) % 10/er;
my $change = "ALTER TABLE sync_queue ADD COLUMN added integer;\nCOMMENT ON COLUMN sync_queue.added IS 'For a test.';\n";
my @made = map { "$folder/sync_ext--$_.sql" } $next, "$this--$next", "$next--$this";

append_to_file($made[0], slurp_file("$folder/sync_ext--$this.sql") . $change);
append_to_file($made[1], $change . recreate($made[0]));
append_to_file($made[2], "ALTER TABLE sync_queue DROP COLUMN added;\n" . recreate("$folder/sync_ext--$this.sql"));
copy($library, "$library.this") or die $!;
my $mode = (stat $library)[2];

# What is the same in all update scripts.
sub recreate
{
	my ($script) = @_;
	my ($text) = run_command([ $^X, 'updates/recreate.pl', $script ]);

	return "$text\n";
}

# Let the library of the private installation say that it is of a version.  Whoever has
# the old one loaded goes on with that.
sub make_library
{
	my ($version) = @_;
	my $code = slurp_file("$library.this");

	$code =~ s/\Q$this\E\0/$version\0/g;
	open my $file, '>:raw', "$library.new" or die $!;
	print $file $code;
	close $file;
	chmod $mode, "$library.new";
	rename "$library.new", $library or die $!;
	return;
}
END
{
	my $status = $?;

	rename "$library.this", $library if defined $library && -e "$library.this";
	unlink @made;
	$? = $status;
}

my $node = start_node('updates', q{
	shared_preload_libraries = 'sync_ext'
	sync_ext.databases = 'postgres'
	max_worker_processes = 20});
my $workers = q{SELECT count(*) = 2 FROM sync_stat_workers WHERE state = 'idle'};

# Something of everything

$node->safe_psql('postgres', q{
	CREATE EXTENSION sync_ext;
	CREATE ROLE alice;
	CREATE TABLE done (n int, at timestamptz DEFAULT clock_timestamp());
	CREATE TABLE athletes (id int PRIMARY KEY, name text);
	CREATE FUNCTION work(payload jsonb) RETURNS void LANGUAGE sql
		AS $$INSERT INTO public.done VALUES ((payload ->> 'n')::int); SELECT pg_sleep(1000) WHERE payload ? 'long'$$;
	GRANT EXECUTE ON FUNCTION sync_enqueue TO alice;
	INSERT INTO sync_operation_types (operation_type, handler, kind) VALUES
		('work', 'work(jsonb)', 'transaction'), ('outside', 'work(jsonb)', 'external');
	UPDATE sync_operation_types SET max_attempts = 9 WHERE operation_type = 'stream';
	SELECT sync_create_stream('athletes', 'public.athletes', '{id}', 'SELECT 1 AS id, ''Ann'' AS name');
	SELECT sync_run('athletes');
	INSERT INTO sync_progress_rules (rule_name, label, evidence, key_columns, progress)
		SELECT 'mine', 'mine', evidence, key_columns, progress FROM sync_progress_rules WHERE rule_name = 'season';
	SELECT sync_create_job('lichess', 'ann');
	SELECT sync_enqueue('work', '{"n": 1}')});
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM sync_history WHERE operation = 'work'}), 'there is history');
my $later = $node->safe_psql('postgres', q{SELECT sync_enqueue('work', '{"n": 2}', scheduled_time => now() + '1 day')});
my $waiting = $node->safe_psql('postgres', qq{SELECT sync_enqueue('work', '{"n": 3}', after => '{$later}')});
$node->poll_query_until('postgres', "SELECT waiting_on = $later FROM sync_queue WHERE queue_id = $waiting") or die;

# A digest of each table of the extension, by its name, without the column that is added.
sub digests
{
	my ($db) = @_;

	return $node->safe_psql($db, q{
		SELECT c.relname, md5(query_to_xml(format('SELECT to_jsonb(t) - ''added'' FROM %s AS t ORDER BY 1', c.oid::regclass), true, true, '')::text)
		FROM pg_class c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
		JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
		WHERE e.extname = 'sync_ext' AND c.relkind IN ('r', 'p') ORDER BY 1});
}

# All that the extension consists of, without what a role was granted.
sub objects
{
	my ($db) = @_;

	return $node->safe_psql($db, q{
		SELECT pg_describe_object(d.classid, d.objid, 0), obj_description(d.objid, d.classid::regclass::name),
			(SELECT pg_get_functiondef(oid) FROM pg_proc WHERE oid = d.objid AND d.classid = 'pg_proc'::regclass),
			(SELECT pg_get_viewdef(oid) FROM pg_class WHERE oid = d.objid AND relkind = 'v' AND d.classid = 'pg_class'::regclass),
			(SELECT array_agg((attname, format_type(atttypid, atttypmod), attnotnull, col_description(attrelid, attnum)) ORDER BY attnum)
				FROM pg_attribute WHERE d.classid = 'pg_class'::regclass AND attrelid = d.objid AND attnum > 0 AND NOT attisdropped)
		FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
		WHERE e.extname = 'sync_ext' AND d.deptype = 'e' AND d.classid <> 'pg_type'::regclass ORDER BY 1});
}

# Put in what takes long, and wait until it is at work.
sub start_long
{
	my ($type) = @_;
	my $id = $node->safe_psql('postgres', "SELECT sync_enqueue('$type', '{\"n\": 9, \"long\": true}')");

	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM sync_stat_workers WHERE queue_id = $id AND state = 'performing'")
	  or die "nobody is at work on task $id";
	return $id;
}

# Idle workers, then busy ones, hold nothing up

$node->poll_query_until('postgres', $workers) or die;
my $before = digests('postgres');
my $installed = objects('postgres');
$node->safe_psql('postgres', "SET lock_timeout = '10s'; ALTER EXTENSION sync_ext UPDATE TO '$next'");
is(digests('postgres'), $before, 'all tables are as they were');
$node->safe_psql('postgres', 'CREATE DATABASE fresh');
$node->safe_psql('fresh', "CREATE EXTENSION sync_ext VERSION '$next'");
is(objects('postgres'), objects('fresh'), 'the objects are those of a new installation');
is($node->safe_psql('postgres', q{SELECT has_function_privilege('alice', oid, 'EXECUTE') FROM pg_proc WHERE proname = 'sync_enqueue'}),
	't', 'what was granted is');

# The library is another one now

my ($out, $errors) = try_sql($node, 'postgres', 'CALL sync_process_queue()');
like($errors, qr/ERROR:  55000: extension "sync_ext" is of version \Q$next\E in database "postgres", and its library of version \Q$this\E.*HINT:  Run ALTER EXTENSION sync_ext UPDATE; if that was done, restart/s,
	'nobody performs tasks with a library of another version');
my $id = $node->safe_psql('postgres', q{SELECT sync_enqueue('work', '{"n": 4}')});
for (1 .. 100 * $PostgreSQL::Test::Utils::timeout_default)
{
	last if slurp_file($node->logfile) =~ /WARNING:  extension "sync_ext" is of version/;
	select undef, undef, undef, 0.01;
}
like(slurp_file($node->logfile), qr/WARNING:  extension "sync_ext" is of version \Q$next\E/, 'the workers say so');
is($node->safe_psql('postgres', "SELECT status FROM sync_queue WHERE queue_id = $id"), 'pending', 'and do not either');
make_library($next);
$node->restart;
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM sync_queue WHERE queue_id = $id"), 'after a restart with that library they do');
$node->safe_psql('postgres', "SELECT sync_retry($later)");
ok($node->poll_query_until('postgres', 'SELECT array_agg(n ORDER BY at) = \'{1,4,2,3}\' FROM done'), 'also what was there before');

# And with workers that are busy, in both directions

my $inside = start_long('work');
my $outside = start_long('outside');
make_library($this);
$node->safe_psql('postgres', "SET lock_timeout = '10s'; ALTER EXTENSION sync_ext UPDATE TO '$this'");
is(objects('postgres'), $installed, 'back in the former version, while workers were busy');
is($node->safe_psql('postgres', "SELECT queue_id, attempt FROM sync_queue ORDER BY 1"), "$inside|0\n$outside|1", 'their tasks are there');
$node->restart;
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM sync_stat_workers WHERE queue_id = $inside"), 'and go on');
$outside = start_long('outside');
$node->safe_psql('postgres', "SET lock_timeout = '10s'; SET client_min_messages = warning; DROP EXTENSION sync_ext CASCADE");
pass('nor do they hold up DROP EXTENSION');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'sync worker'}), 'after which there are none');

# One that is rolled back lets them come again

$node->safe_psql('postgres', 'DROP TABLE done; DROP FUNCTION work');
$node->safe_psql('postgres', 'CREATE EXTENSION sync_ext');
$node->poll_query_until('postgres', $workers) or die;
$node->safe_psql('postgres', "BEGIN; DROP EXTENSION sync_ext; ROLLBACK");
ok($node->poll_query_until('postgres', $workers), 'after a rollback they are there again');
unlike(slurp_file($node->logfile), qr/deadlock detected/, 'without a deadlock');

$node->stop;
done_testing();
