# Files of the server are a source: JSON, NDJSON and CSV, packed or not, many of
# them in one run.  A file that is not whole fails the run; a record that is wrong
# is put aside by itself, with its file and line.

use strict;
use warnings;

use IO::Compress::Gzip 'gzip';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $node = start_node('files');
my $folder = PostgreSQL::Test::Utils::tempdir();
my $created = 0;

chmod 0755, $folder;
$node->safe_psql('postgres', q{
	CREATE EXTENSION sync_ext;
	CREATE TABLE target (id int PRIMARY KEY, name text, born date, tags text[], more jsonb, kept text DEFAULT 'kept')});

# Write a file and return its path.
sub write_file
{
	my ($name, $content) = @_;

	open my $file, '>:raw', "$folder/$name" or die "$folder/$name: $!";
	print $file $content;
	close $file or die "$folder/$name: $!";
	return "$folder/$name";
}

# Declare a stream of those files with further arguments, and run it; returns the
# counts, or what went wrong.
sub load
{
	my ($files, $arguments, $target) = @_;
	my $name = 's' . $created++;
	my ($out, $err) = ('', '');

	$target //= 'target';
	$arguments = defined $arguments ? ", $arguments" : '';
	$node->psql('postgres',
		"SELECT sync_create_stream('$name', '$target', '{id}', file => '$files'$arguments);
		SELECT rows_read, inserted, updated, unchanged, rejected FROM sync_run('$name')",
		stdout => \$out, stderr => \$err);
	$err =~ s/psql:<stdin>:\d+: //;
	return $err eq '' ? $out =~ s/^\n//r : $err;
}

sub rows { return $node->safe_psql('postgres', 'SELECT * FROM target ORDER BY id') }

sub clear { $node->safe_psql('postgres', 'TRUNCATE target'); return }

# The rejects of the last run.
sub rejects
{
	return $node->safe_psql('postgres', q{
		SELECT row_number, regexp_replace(file_name, '.*/', ''), line_number, column_name, error_sqlstate, refused_at, raw
		FROM sync_rejects WHERE history_id = (SELECT max(history_id) FROM sync_history) ORDER BY row_number});
}

# The formats

my $json = qq~\xef\xbb\xbf [ {"id": 1, "name": "J\\u00fcrg", "born": "2001-02-03", "tags": ["a", "b \\"c\\"", null], "more": {"x": [1, {"y": "]}"}]}, "other": 1},\r\n\r\n~
  . qq~{"more": "text", "id": 2, "name": null}\n] \n~;
is(load(write_file('one.json', $json)), '2|2|0|0|0', 'an array of objects is read');
is(rows(), qq~1|J\xc3\xbcrg|2001-02-03|{a,"b \\"c\\"",NULL}|{"x": [1, {"y": "]}"}]}|kept\n2||||"text"|kept~,
	'fields are matched by name; defaults, arrays and JSON are right');
is(load("$folder/one.json"), '2|0|0|2|0', 'again, nothing is to do');

clear();
is(load(write_file('two.ndjson', qq{{"id": 1, "name": "a"}\r\n\r\n  \n{"id": 2, "name": "b\\nc"}})), '2|2|0|0|0',
	'an object a line is read, blank lines and all');
clear();
is(load(write_file('three.csv', qq{name;id;born\r\n"A ""q"" ; b";1;2001-02-03\r\n\r\n-;2;-\r\n"x\ny";3;-}),
		q{file_options => '{"delimiter": ";", "null": "-"}'}), '3|3|0|0|0', 'CSV is read by its header');
is(rows(), qq{1|A "q" ; b|2001-02-03|||kept\n2|||||kept\n3|x\ny||||kept}, 'with its quotes and line feeds');
clear();
is(load(write_file('four.csv', "1,\xfcber\n"), q{file_options => '{"header": ["id", "name"], "encoding": "LATIN1"}'}), '1|1|0|0|0',
	'without a header, in another encoding');
is(rows(), "1|\xc3\xbcber||||kept", 'which is converted');
clear();
is(load(write_file('sjis.csv', "id,name\n1,\x83\x5c\n"), q{file_options => '{"encoding": "SJIS"}'}), '1|1|0|0|0',
	'in one in which a character has the byte of a backslash');
is(rows(), "1|\xe3\x82\xbd||||kept", 'which is converted as well');

# Packed

clear();
my ($packed, @parts);
for my $part (qq{[{"id": 1, "name": "a"},}, qq{{"id": 2, "name": "b"}]})
{
	gzip(\$part => \my $bytes) or die 'gzip';
	push @parts, $bytes;
}
is(load(write_file('packed.json.gz', join '', @parts)), '2|2|0|0|0', 'a packed file of two parts is read');
write_file('packed.data', join '', @parts);
is(load("$folder/packed.data", q{format => 'json'}), '2|0|0|2|0', 'it shows by its bytes that it is packed');
like(load(write_file('cut.json.gz', substr($parts[0], 0, -9))), qr{ERROR:  file ".*/cut.json.gz" is cut off.*compressed}s, 'a packed file that is cut off is an error');
substr(my $damaged = join('', @parts), 14, 2) = "\xff\xff";
like(load(write_file('damaged.json.gz', $damaged)), qr{ERROR:  could not unpack file}, 'and so is one that is damaged');

# Many files

clear();
mkdir "$folder/$_" or die for 'many', 'many/b', 'many/a';
write_file('many/b/m.json', '[{"id": 1, "name": "second"}, {"id": 3, "name": "b"}]');
write_file('many/a/m.json', '[{"id": 1, "name": "first"}]');
write_file('many/readme', 'no folder');
is(load("$folder/many/*/m.json", q{duplicates => 'last'}), '3|2|0|0|0', 'a pattern stands for many files');
is($node->safe_psql('postgres', 'SELECT name FROM target WHERE id = 1'), 'second', 'which are read in the order of their names');
like(load("$folder/many/*/m.json"), qr/several rows of the source have one key/, 'a key that comes in two files is a duplicate');
is(load("$folder/many/*/m.json", q{duplicates => 'reject', order_by => '{name}', max_rejects => 1}), '3|0|0|2|1', 'rows with one key can be ordered by a column');
is(rejects(), '1|m.json|1||21000|merge|{"id": 1, "born": null, "more": null, "name": "first", "tags": null}', 'the reject says which file it was in');

# What is made of the fields

clear();
my $nested = write_file('nested.json', q~{"meta": {"n": [1, "}"]}, "data": {"skip": "]", "list": [{"A B": " x ", "date": "03.02.2001", "id": "7"}], "after": [[1]]}, "end": {}}~);
is(load($nested, q{file_options => '{"records": "data.list"}', columns => $$
		id::int + 1 AS id, trim("A B") AS name, to_date(date, 'DD.MM.YYYY') AS born,
		record || jsonb_build_object('file', file, 'line', line) AS more$$}), '1|1|0|0|0', 'an array inside of objects, and expressions');
is(rows(), qq{8|x|2001-02-03||{"id": "7", "A B": " x ", "date": "03.02.2001", "file": "$folder/nested.json", "line": 1}|kept}, 'are what they should be');
is(load($nested, q{file_options => '{"records": "data.list"}', columns => $$'new' AS kept, *$$}), '1|1|0|0|0', 'a star stands for the others');
is($node->safe_psql('postgres', 'SELECT id, kept FROM target WHERE id = 7'), '7|new', 'and a column with a default can be named');
is(load(write_file('names.csv', qq{"Match Id",name\n9,x\n}), q{columns => '"Match Id" AS id, upper(name) AS name, record AS more'}), '1|1|0|0|0', 'names of CSV too');
is($node->safe_psql('postgres', 'SELECT name, more FROM target WHERE id = 9'), 'X|{"name": "x", "Match Id": "9"}', 'and its record');

for my $wrong (
	[ 'id, (SELECT max(name) FROM target) AS name', qr/column "name" of stream "s\d+" is not computed from one record alone/ ],
	[ 'id, count(*) AS name', qr/not computed from one record alone/ ],
	[ 'id, id AS id', qr/column "id" comes more than once/ ],
	[ 'id, name FROM target', qr/are not a list of columns/ ],
	[ 'id, $1 AS name', qr/are not a list of columns/ ],
	[ 'id, a.b AS name', qr/not that of a field.*write record #>>/s ],
	[ 'id, point(1, 2) AS born', qr/column "born" is of type date, and point cannot be cast/ ],
	[ 'name', qr/has no column "id"/ ],
	[ 'id, nothing AS nowhere', qr/column "nowhere" of the source .* is not in table/ ])
{
	like(load("$folder/one.json", "columns => \$\$$wrong->[0]\$\$"), $wrong->[1], "columns '$wrong->[0]' are refused");
}

# Records that are wrong

clear();
my $bad = write_file('bad.json', join '', "[\n",
	qq{{"id": 1, "name": "good"},\n}, qq{{"id": "x", "name": "no number"},\n}, qq{{"id": 3, "name": "a \\u0000"},\n}, qq{{"id": 4, "name": "\xff"},\n},
	qq{{"id": 5 "name": "no comma"},\n}, qq{"text", null, [{"id": 6}],\n}, qq{{"id": 7, "born": "2001-02-30"},\n}, qq{{"id": null},\n}, qq{{"id": 99999999999}\n, {"id": 8}]});
like(load($bad), qr/ERROR:  invalid input syntax for type integer: "x"\nCONTEXT:  column "id"\nfile ".*bad.json", line 3\n/, 'a record that is wrong fails the run, and the error says where it is');
is(load($bad, 'max_rejects => 10'), '12|2|0|0|10', 'or is put aside');
is(rejects(), join("\n",
		'2|bad.json|3|id|22P02|read|{"id": "x", "name": "no number"}',
		'3|bad.json|4||22P05|read|"{\"id\": 3, \"name\": \"a \\\\u0000\"}"',
		'4|bad.json|5||22021|read|"{\"id\": 4, \"name\": \"\\\\xff\"}"',
		'5|bad.json|6||22P02|read|"{\"id\": 5 \"name\": \"no comma\"}"',
		'6|bad.json|7||22023|read|"text"', '7|bad.json|7||22023|read|null', '8|bad.json|7||22023|read|[{"id": 6}]',
		'9|bad.json|8|born|22008|read|{"id": 7, "born": "2001-02-30"}',
		'10|bad.json|9|id|23502|merge|{"id": null, "born": null, "more": null, "name": null, "tags": null}',
		'11|bad.json|10|id|22003|read|{"id": 99999999999}'),
	'each by itself, with its place and the reason');
like(load($bad, 'max_rejects => 9'), qr/more rejects than max_rejects allows/, 'as many as may be');
like(load($bad, 'max_reject_share => 0.83'), qr/ERROR:  stream "s\d+" has more rejects than max_reject_share allows\nDETAIL:  They are 10 of 12 rows, which is more than the share 0.83/, 'or as large a share');
is(load($bad, 'max_reject_share => 0.84'), '12|0|0|2|10', 'of the rows');
clear();
like(load($bad, 'max_rejects => 9'), qr/more rejects/, 'a run with too many');
is(rows(), '', 'leaves nothing');
clear();
is(load(write_file('bad.ndjson', qq~{"id": 1}\n{"id": \n{"id": 2}\nnothing\n~), 'max_rejects => 2'), '4|2|0|0|2', 'a line that is no JSON is put aside');
clear();
is(load(write_file('bad.csv', qq{id,name,born\n1,a\n2,b,2001-02-03,x\n3,\xe4,\n4,d,never\n5,e,\n}), 'max_rejects => 9'), '5|1|0|0|4', 'lines of CSV too');
is(rejects(), join("\n",
		'1|bad.csv|2||22P04|read|{"id": "1", "born": null, "name": "a"}',
		'2|bad.csv|3||22P04|read|{"id": "2", "born": "2001-02-03", "name": "b", "field 4": "x"}',
		'3|bad.csv|4||22021|read|"3,\\\\xe4,"',
		'4|bad.csv|5|born|22007|read|{"id": "4", "born": "never", "name": "d"}'),
	'each by itself');

# Among many good ones, in chunks that are all good, all bad or both

clear();
my @lines = map { sprintf "{\"id\": %s, \"name\": \"%s\"}", ($_ > 3000 && $_ <= 6000 || $_ % 97 == 0 ? '"x"' : $_), 'n' x ($_ % 50) } 1 .. 10000;
my $good = grep { /"id": \d/ } @lines;
is(load(write_file('mixed.ndjson', join "\n", @lines), 'max_rejects => 10000'), '10000|' . $good . '|0|0|' . (10000 - $good), 'ten thousand lines, a third of them bad');
is($node->safe_psql('postgres', 'SELECT count(*), sum(id), sum(length(name)) FROM target'),
	join('|', $good, eval(join '+', map { /"id": (\d+)/ ? $1 : 0 } @lines), eval(join '+', map { /"id": \d.*"(n*)"/ ? length $1 : 0 } @lines)), 'the good ones are all there');
is($node->safe_psql('postgres', 'SELECT count(DISTINCT line_number), min(line_number), max(line_number) FROM sync_rejects WHERE history_id = (SELECT max(history_id) FROM sync_history)'),
	join('|', 10000 - $good, 97, 9991), 'and the bad ones have their lines');

# A mirror does not take what it could not read for gone

is($node->safe_psql('postgres', qq{
		SET client_min_messages = error;
		TRUNCATE target;
		INSERT INTO target (id) VALUES (1), (3);
		SELECT sync_create_stream('mirror', 'target', '{id}', file => '$folder/mirror.ndjson', mode => 'mirror', max_rejects => 1)}), '', 'a mirror is declared before there is a file');
write_file('mirror.ndjson', qq{{"id": 1}\n{"id": 2}\n{"id": "3?"}\n});
is($node->safe_psql('postgres', q{SET client_min_messages = error; SELECT inserted, deleted, rejected FROM sync_run('mirror', dry_run => true)}), '1|0|1', 'a row that may be the bad one');
is($node->safe_psql('postgres', q{SELECT action, key FROM sync_diff('mirror')}), 'insert|{"id": 2}', 'is not shown to go');
is($node->safe_psql('postgres', q{SET client_min_messages = error; SELECT inserted, deleted, rejected FROM sync_run('mirror')}), '1|0|1', 'is not deleted');
write_file('mirror.ndjson', qq{{"id": 1}\n{"id": 2}\n});
is($node->safe_psql('postgres', q{SELECT deleted FROM sync_run('mirror')}), '1', 'but once all can be read');

# Files that are not what they should be

clear();
my $whole = '[{"id": 1, "name": "a, \\"]"}, {"id": 2, "more": {"x": [1, 2]}}]';
for my $length (1 .. length($whole) - 1)
{
	my $result = load(write_file('part.json', substr $whole, 0, $length));

	$result =~ /ERROR:  file ".*part.json" is cut off\nDETAIL:  It ends at line 1, byte $length, /
	  or fail("the first $length bytes of an array are an error: $result");
}
is(rows(), '', 'an array that is cut off fails the run, wherever that is');
like(load(write_file('part.ndjson', qq~{"id": 1}\n{"id": 2, "na~)), qr/ERROR:  file ".*part.ndjson" is cut off\nDETAIL:  It ends at line 2, in the middle of a record/, 'and so does the last line of NDJSON');
like(load("$folder/part.ndjson", 'max_rejects => 5'), qr/is cut off/, 'even where records may be put aside');
like(load(write_file('part.csv', qq{id,name\n1,"a})), qr/unterminated CSV quoted field/, 'and CSV inside of quotes');
like(load(write_file('part.csv', qq{id,name,born\n1,a,2001-02-03\n2,b}), 'max_rejects => 5'), qr/ERROR:  file ".*part.csv" is cut off\nDETAIL:  It ends at line 3/, 'or in the last line');
is(load(write_file('short.csv', qq{id,name\n1,a\n2,b}), 'max_rejects => 5'), '2|2|0|0|0', 'a last line that is whole needs no end');
clear();
for my $wrong (
	[ 'object.json', '{"id": 1}', qr/does not have the form of the source\nDETAIL:  At line 1, byte 1, it has "\{" instead of an array of records.*"records"/s ],
	[ 'page.json', '<html>', qr/it has "<" instead of an array/ ],
	[ 'bytes.json', "\x89PNG", qr/it has byte 0x89 instead of an array/ ],
	[ 'wide.json', "\xff\xfe[\0", qr/is in UTF-16\nHINT:  Convert it/ ],
	[ 'comma.json', '[{"id": 1},]', qr/it has "]" instead of a record/ ],
	[ 'after.json', '[{"id": 1}] x', qr/it has "x" instead of nothing more/ ],
	[ 'empty.json', '', qr/file ".*" is empty/ ],
	[ 'empty.csv', '', qr/file ".*" is empty/ ],
	[ 'twice.csv', "id,id\n1,2\n", qr/has the name "id" more than once/ ],
	[ 'less.csv', "name\nx\n", qr/the source of stream "s\d+" has no column "id"/ ],
	[ 'more.csv', "id,nothing\nx\n", qr/column "nothing" of the source .* is not in table/ ])
{
	like(load(write_file($wrong->[0], $wrong->[1])), $wrong->[2], "$wrong->[0] is a clear error");
}
is(load(write_file('none.json', '[]')) =~ /WARNING:  the source of stream "s\d+" is empty/ ? 'warned' : '', 'warned', 'an array without records is a warning');
write_file('later1.csv', "id,name\n1,a\n");
write_file('later2.csv', "id,title\n2,b\n");
like(load("$folder/later*.csv"), qr/file ".*later2.csv" has no column "name" in its header/, 'a later file with other columns is an error');
is(rows(), '', 'and nothing of the first is there');
like(load("$folder/nothing*.json"), qr/ERROR:  no file matches ".*nothing\*.json"/, 'a pattern without files is an error');
like(load("$folder/many/*", q{format => 'json'}), qr/cannot read ".*many\/a"\nDETAIL:  It is a directory/, 'and so is a folder');
like(load('one.json'), qr/is not an absolute path/, 'and a path that is not absolute');
like(load("$folder/some.data"), qr/the format of ".*" does not show by its name/, 'and a format that does not show');
like(load("$folder/one.json", q{format => 'xml'}), qr/unrecognized format.*json, ndjson, csv/s, 'and one that there is not');
chmod 0, "$folder/one.json";
like(load("$folder/one.json"), qr/could not open file ".*one.json": Permission denied/, 'and a file that the server may not read') if $< != 0;
chmod 0644, "$folder/one.json";
for my $wrong (
	[ 'one.json', '{"delimiter": ";"}', qr/option "delimiter" in file_options of stream "s\d+" is not valid/ ],
	[ 'three.csv', '{"records": "x"}', qr/option "records"/ ], [ 'three.csv', '{"header": false}', qr/option "header".*array of the names/s ],
	[ 'three.csv', '{"delimiter": "ab"}', qr/COPY delimiter must be a single one-byte character/ ],
	[ 'three.csv', '{"encoding": "none"}', qr/option "encoding"/ ], [ 'three.csv', '[]', qr/are no JSON object/ ])
{
	like(load("$folder/$wrong->[0]", "file_options => '$wrong->[1]'"), $wrong->[2], "option $wrong->[1] is refused for $wrong->[0]");
}
like(load("$folder/one.json", q{query => 'TABLE target'}), qr/two sources, a query and a file/, 'a stream has one source');

# Long records, and files larger than what is read at a time

clear();
my $long = 'x' x 3_000_000;
is(load(write_file('long.json', '[' . join(",\n", map { qq{{"id": $_, "name": "$long$_"}} } 1 .. 3) . ']')), '3|3|0|0|0', 'records of megabytes are read');
is($node->safe_psql('postgres', 'SELECT sum(length(name)), string_agg(right(name, 2), $$,$$ ORDER BY id) FROM target'), '9000003|x1,x2,x3', 'whole');
clear();
write_file('large.json', '{"a": ["' . ('y' x 500_000) . '", {"]": "}"}], "list": [' . join(",\n", map { qq{{"id": $_, "name": "v\\\\\\"$_"}} } 1 .. 50_000) . '], "z": [{}]}');
is(load("$folder/large.json", q{file_options => '{"records": "list"}'}), '50000|50000|0|0|0', 'an array behind much else is read');
is($node->safe_psql('postgres', q{SELECT count(*) FROM target WHERE name = 'v\"' || id}), '50000', 'whole');

# Memory grows neither with files nor with rejects

write_file('small.ndjson', qq{{"id": 1}\n});
write_file('rows.ndjson', join "\n", map { qq({"id": $_, "name": "n", "tags": ["a", "b"], "more": {"n": $_}}) } 1 .. 200_000);
write_file('rejects.ndjson', join "\n", map { qq({"id": "x", "name": "n$_"}) } 1 .. 100_000);
$node->safe_psql('postgres', join ';', map { "SELECT sync_create_stream('$_', 'target', '{id}', file => '$folder/$_.ndjson', max_reject_share => 1)" } 'small', 'rows', 'rejects');
SKIP: {
	my $peak = q{(regexp_match(pg_read_file('/proc/self/status', 0, 10000, true), 'VmHWM:\s*(\d+)'))[1]::int};

	skip 'a sanitizer keeps freed memory back', 1 if ($ENV{LD_PRELOAD} // '') =~ /asan/;
	is($node->safe_psql('postgres', qq{
			TRUNCATE target;
			CREATE TEMP TABLE memory AS SELECT rows_read, $peak AS kb FROM sync_run('small', true);
			INSERT INTO memory SELECT rows_read, $peak FROM sync_run('rows', true);
			INSERT INTO memory SELECT rows_read, $peak FROM sync_run('rejects', true);
			SELECT max(rows_read), max(kb) - min(kb) < 30000 FROM memory}), '200000|t', 'memory grows neither with files nor with rejects');
}

# In a database of another encoding

write_file('utf8.json', "[{\"id\": 1, \"name\": \"J\xc3\xbcrg\"}, {\"id\": 2, \"name\": \"\xe2\x82\xac\"}, {\"id\": 3, \"name\": \"\\u00fc\"}, {\"id\": 4, \"name\": \"\\u20ac\"}]");
write_file('utf8.csv', "id,name\n5,\xc3\xa4\n6,\xe2\x82\xac\n");
$node->safe_psql('postgres', q{CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0});
is($node->safe_psql('latin', qq{
		SET client_encoding = UTF8;
		CREATE EXTENSION sync_ext;
		CREATE TABLE names (id int PRIMARY KEY, name text);
		SELECT sync_create_stream('json', 'names', '{id}', file => '$folder/utf8.json', max_rejects => 2), sync_create_stream('csv', 'names', '{id}', file => '$folder/utf8.csv', max_rejects => 1);
		SELECT inserted, rejected FROM sync_run('json');
		SELECT inserted, rejected FROM sync_run('csv');
		SELECT * FROM names ORDER BY id;
		SELECT error_sqlstate, raw FROM sync_rejects ORDER BY reject_id}) =~ s/^\|\n//r,
	join("\n", '2|2', '1|1', "1|J\xc3\xbcrg", "3|\xc3\xbc", "5|\xc3\xa4",
		'22P05|"{\"id\": 2, \"name\": \"\\\\xe2\\\\x82\\\\xac\"}"', '22P05|"{\"id\": 4, \"name\": \"\\\\u20ac\"}"', '22P05|"6,\\\\xe2\\\\x82\\\\xac"'),
	'texts are converted, and a character that there is not is the fault of its row');

# Few rows against many

$node->safe_psql('postgres', q{TRUNCATE target; INSERT INTO target (id, name) SELECT n, 'n' || n FROM generate_series(1, 50000) AS n; ANALYZE target});
is(load(write_file('few.ndjson', qq{{"id": 7, "name": "n7"}\n{"id": 8, "name": "other"}\n{"id": 60000}\n}), q{columns => 'id, name'}), '3|1|1|1|0', 'few records are looked up in a large target');

# Rights

$node->safe_psql('postgres', qq{
	CREATE ROLE reader;
	GRANT ALL ON target TO reader;
	GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO reader;
	SELECT sync_create_stream('rights', 'target', '{id}', file => '$folder/one.json')});
my ($out, $err) = ('', '');
$node->psql('postgres', q{SET ROLE reader; SELECT sync_run('rights')}, stdout => \$out, stderr => \$err);
like($err, qr/ERROR:  permission denied to read the files of stream "rights"\n.*GRANT pg_read_server_files TO reader/s, 'a role without the right to read files cannot run such a stream');
$node->psql('postgres', qq{SET ROLE reader; SELECT sync_create_stream('mine', 'target', '{id}', file => '$folder/one.json')}, stdout => \$out, stderr => \$err);
like($err, qr/permission denied to read the files of stream "mine"/, 'nor declare one');
$node->safe_psql('postgres', 'GRANT pg_read_server_files TO reader');
is($node->safe_psql('postgres', q{SET ROLE reader; SELECT rows_read FROM sync_run('rights')}), '2', 'with it, it can');

# Bytes are those of the files; nothing is left open

is($node->safe_psql('postgres', qq{SELECT bytes FROM sync_run('rights')}), -s "$folder/one.json", 'bytes are counted');
$err = slurp_file($node->logfile);
unlike($err, qr/leak|still referenced/, 'no file is left open');

$node->stop;
done_testing();
