# Rows of a server that do not convert are put aside, at the speed of good ones as
# long as nothing can fail; rejects of files are tried again as what they are.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $node = start_node('rejects');
my ($host, $port) = ($node->host, $node->port);
my $folder = PostgreSQL::Test::Utils::tempdir();

$node->safe_psql('postgres', qq{
	CREATE EXTENSION sync_ext;
	CREATE EXTENSION postgres_fdw;
	CREATE SERVER app FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'postgres');
	CREATE USER MAPPING FOR PUBLIC SERVER app;
	CREATE TABLE target (id int PRIMARY KEY, v varchar(8), n int, d date);
	CREATE VIEW rejected AS SELECT row_number, column_name, error_sqlstate, refused_at, raw FROM sync_rejects
		WHERE history_id = (SELECT max(history_id) FROM sync_history WHERE operation = 'stream') ORDER BY row_number});

# The counts of a run: read, inserted, updated, unchanged, rejected.
sub counts { return $node->safe_psql('postgres', "SELECT rows_read, inserted, updated, unchanged, rejected FROM $_[0]") }

sub last_run { return $node->safe_psql('postgres', q{SELECT max(history_id) FROM sync_history WHERE operation = 'stream'}) }

sub write_file
{
	my ($name, $content) = @_;

	open my $file, '>:raw', "$folder/$name" or die "$folder/$name: $!";
	print $file $content;
	close $file or die "$folder/$name: $!";
	return;
}

# From a server

$node->safe_psql('postgres', q{
	CREATE TABLE source AS SELECT n AS id, 'v' || n AS v, CASE WHEN n % 1000 = 3 THEN 'none' ELSE n::text END AS n, '2001-02-03' AS d
		FROM generate_series(1, 5000) AS n;
	UPDATE source SET v = E'far too\t"long\\\\' WHERE id = 17;
	SELECT sync_create_stream('server', 'target', '{id}', 'TABLE source', server => 'app', max_rejects => 10)});
is(counts(q{sync_run('server', dry_run => true)}), '5000|4994|0|0|6', 'rows of a server that do not convert are counted');
is(counts(q{sync_run('server')}), '5000|4994|0|0|6', 'and put aside');
is($node->safe_psql('postgres', 'TABLE rejected'), join("\n",
		'3|n|22P02|read|{"d": "2001-02-03", "n": "none", "v": "v3", "id": "3"}',
		'17|v|22001|read|{"d": "2001-02-03", "n": "17", "v": "far too\t\"long\\\\", "id": "17"}',
		map { qq({$_|n|22P02|read|{"d": "2001-02-03", "n": "none", "v": "v$_", "id": "$_"}) =~ s/^\{//r } 1003, 2003, 3003, 4003),
	'each by itself, with all that was in it');
is(counts(q{sync_run('server')}), '5000|0|0|4994|6', 'a second run finds the others unchanged');
$node->safe_psql('postgres', q{UPDATE sync_streams SET max_rejects = 0});
my ($out, $err) = ('', '');
$node->psql('postgres', q{SELECT sync_run('server')}, stdout => \$out, stderr => \$err);
like($err, qr/ERROR:  invalid input syntax for type integer: "none"/, 'where none may be, the first fails the run');

# Numbers of rows and keys that another server orders otherwise

$node->safe_psql('postgres', q{
	TRUNCATE target;
	UPDATE source SET v = 'v';
	SELECT sync_create_stream('texts', 'target', '{id}', 'SELECT CASE id WHEN 3 THEN $$x$$ ELSE id::text END AS id, v, id AS n FROM source', server => 'app', max_rejects => 1)});
is(counts(q{sync_run('texts')}), '5000|4999|0|0|1', 'keys that are texts there and numbers here');
is(counts(q{sync_run('texts')}), '5000|0|0|4999|1', 'are right');

# Rejects are tried again: those of a server need it no more

$node->safe_psql('postgres', q{
	TRUNCATE target;
	UPDATE sync_streams SET max_rejects = 10;
	UPDATE source SET v = 'far too long' WHERE id = 17});
is(counts(q{sync_run('server')}), '5000|4994|0|0|6', 'a run puts rows aside');
$node->safe_psql('postgres', q{ALTER TABLE source RENAME TO gone; ALTER TABLE target ALTER v TYPE text});
my $run = last_run();
is(counts("sync_replay_rejects($run)"), '6|1|0|0|5', 'and one of them can be merged by now, without the server');
is($node->safe_psql('postgres', 'SELECT v, n, d FROM target WHERE id = 17'), 'far too long|17|2001-02-03', 'with all its values');
is($node->safe_psql('postgres', 'SELECT count(*) FROM rejected'), '5', 'it has left the rejects');

# Those of files, by the definition as it is by then

write_file('m.json', qq~[{"key": "1", "when": "03.02.2001", "v": "a"},\n{"key": "2", "when": "2001-02-03", "v": "b"},\n{"key": "3", "when": "03.02.2001", "v": "forbidden"},\n{"key": 4 "v": "c"},\n~
	. qq~{"key": "5", "when": "03.02.2001", "n": "five"}]~);
$node->safe_psql('postgres', qq{
	TRUNCATE target;
	ALTER TABLE target ADD CONSTRAINT allowed CHECK (v <> 'forbidden');
	CREATE FUNCTION day_of(text) RETURNS date LANGUAGE sql AS \$\$ SELECT to_date(\$1, 'DD.MM.YYYY') \$\$;
	SELECT sync_create_stream('file', 'target', '{id}', file => '$folder/m.json', columns => 'key::int AS id, v, n, day_of("when") AS d', max_rejects => 10)});
is(counts(q{sync_run('file')}), '5|1|0|0|4', 'rows of a file are put aside at reading and at writing');
is($node->safe_psql('postgres', q{SELECT refused_at, line_number, error_sqlstate FROM sync_rejects WHERE stream_name = 'file' ORDER BY line_number}),
	"read|2|22008\nmerge|3|23514\nread|4|22P02\nread|5|22P02", 'for the reasons that there are');
$run = last_run();
is(counts("sync_replay_rejects($run, dry_run => true)"), '4|0|0|0|4', 'a dry run tries constraints');
is(counts("sync_replay_rejects($run)"), '4|0|0|0|4', 'nothing has changed, and nothing can be merged');
is($node->safe_psql('postgres', q{SELECT refused_at, line_number, error_sqlstate FROM sync_rejects WHERE stream_name = 'file' ORDER BY line_number}),
	"read|2|22008\nmerge|3|23514\nread|4|22P02\nread|5|22P02", 'all stay as they were');
$node->safe_psql('postgres', 'ALTER TABLE target ALTER v TYPE varchar(3)');
is(counts("sync_replay_rejects($run)"), '4|0|0|0|4', 'one for another reason by now');
is($node->safe_psql('postgres', q{SELECT refused_at, error_sqlstate, raw->>'id' FROM sync_rejects WHERE stream_name = 'file' AND line_number = 3}), 'merge|22001|3',
	'which is still in the columns of the target');
$node->safe_psql('postgres', qq{
	ALTER TABLE target ALTER v TYPE text;
	ALTER TABLE target DROP CONSTRAINT allowed;
	CREATE OR REPLACE FUNCTION day_of(text) RETURNS date LANGUAGE sql AS \$\$ SELECT CASE WHEN \$1 LIKE '%.%' THEN to_date(\$1, 'DD.MM.YYYY') ELSE \$1::date END \$\$});
unlink "$folder/m.json";
is(counts("sync_replay_rejects($run)"), '4|2|0|0|2', 'a definition that was mended and a constraint that is gone let two pass');
is($node->safe_psql('postgres', 'SELECT * FROM target ORDER BY id'), "1|a||2001-02-03\n2|b||2001-02-03\n3|forbidden||2001-02-03", 'with their values');
is(counts("sync_replay_rejects($run)"), '2|0|0|0|2', 'the others can be tried once more');

# A check that one row leaves halfway works for the next

write_file('known.ndjson', join "\n", map { qq({"id": $_, "n": "$_"}) } 40 .. 110);
$node->safe_psql('postgres', qq{
	CREATE TABLE known AS SELECT generate_series(1, 100) AS n;
	CREATE FUNCTION is_known(int) RETURNS boolean LANGUAGE sql AS
		'SELECT 1 / (n - 50) < 9 FROM known WHERE n = \$1; SELECT EXISTS (SELECT FROM known WHERE n = \$1)';
	CREATE DOMAIN known_number AS int CHECK (is_known(value));
	CREATE TABLE numbers (id int PRIMARY KEY, n known_number);
	SELECT sync_create_stream('known', 'numbers', '{id}', file => '$folder/known.ndjson', max_rejects => 11),
		sync_create_stream('known again', 'numbers', '{id}', file => '$folder/known.ndjson', columns => 'id, n::int AS n', max_rejects => 11)});
is(counts(q{sync_run('known')}), '71|60|0|0|11', 'a domain of a function that fails within');
is(counts(q{sync_run('known again')}), '71|0|0|60|11', 'also behind an expression');

# Many of them, more than a page

write_file('many.csv', join "\n", 'id,v,n', map { "$_,v," . ($_ % 2 ? 'odd' : $_) } 1 .. 5000);
$node->safe_psql('postgres', qq{
	TRUNCATE target;
	SELECT sync_create_stream('csv', 'target', '{id}', file => '$folder/many.csv', max_reject_share => 0.5)});
is(counts(q{sync_run('csv')}), '5000|2500|0|0|2500', 'half of a file of CSV is put aside');
$run = last_run();
$node->safe_psql('postgres', q{UPDATE sync_rejects SET raw = raw || '{"n": null}' WHERE stream_name = 'csv' AND row_number % 4 = 1});
is(counts("sync_replay_rejects($run)"), '2500|1250|0|0|1250', 'half of that is mended by hand, and merged');
is($node->safe_psql('postgres', 'SELECT count(*), count(n) FROM target'), '3750|2500', 'they are there');
is($node->safe_psql('postgres', q{SELECT count(*), min(row_number), max(line_number) FROM sync_rejects WHERE stream_name = 'csv'}), '1250|3|5000', 'and the others still put aside');

# Nothing of a replay that fails is there, and rights are those of a run

$node->safe_psql('postgres', qq{
	CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM no_such_function(); END';
	CREATE TRIGGER stop BEFORE INSERT ON target FOR EACH ROW EXECUTE FUNCTION stop();
	UPDATE sync_rejects SET raw = raw || '{"n": null}' WHERE stream_name = 'csv'});
$node->psql('postgres', "SELECT sync_replay_rejects($run)", stdout => \$out, stderr => \$err);
like($err, qr/no_such_function.*while running stream "csv"/s, 'what no row is at fault for fails a replay');
is($node->safe_psql('postgres', q{SELECT count(*) FROM sync_rejects WHERE stream_name = 'csv'}), '1250', 'and its rejects stay');
is($node->safe_psql('postgres', q{SELECT operation, status FROM sync_history ORDER BY history_id DESC LIMIT 1}), 'replay|failed', 'history has it');
$node->safe_psql('postgres', q{
	DROP TRIGGER stop ON target;
	CREATE ROLE reader;
	GRANT EXECUTE ON FUNCTION sync_replay_rejects TO reader});
$node->psql('postgres', "SET ROLE reader; SELECT sync_replay_rejects($run)", stdout => \$out, stderr => \$err);
like($err, qr/permission denied for table target/, 'a replay has the rights of the caller');
is(counts("sync_replay_rejects($run)"), '1250|1250|0|0|0', 'and all are merged in the end');
is($node->safe_psql('postgres', q{SELECT count(*) FROM sync_rejects WHERE stream_name = 'csv'}), '0', 'none is left');
unlike(slurp_file($node->logfile), qr/leak|still referenced/, 'no file is left open');

$node->stop;
done_testing();
