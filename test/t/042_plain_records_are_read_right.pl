# Records of the plainest kind are read without the server's JSON parser.  Whatever a
# line has in it, its fields are what that parser says, and it is refused where
# that refuses it.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $node = start_node('plain');
my $folder = PostgreSQL::Test::Utils::tempdir();

chmod 0755, $folder;

# What a field can be, in many ways; then the same with one character too many, too
# few or another.
my @values = (
	'null', 'true', 'false', '0', '-0', '7', '-7', '1.5', '-10.25e3', '1E+2', '2e-2', '""', '"a"', '"eight by"', '"nine byte"',
	'"seventeen letters"', '"with \"quotes\""', '"a\\\\"', '"\u00e4"', "\"\xc3\xa4\xe2\x82\xac\"", '"}"', '",\"b\":"', '{}', '[]', '{"b": 1}', '[1, "b"]',
	'nul', 'nulll', 'truefalse', 'True', '01', '-', '1.', '.5', '1e', '+1', '0x1', "\"\t\"", "\"eight by\x01\"", '"open', '\'a\'', '', ' "a" ', 'NaN',
	"\"\x7f\"", '"/"');
my @lines = map { my $value = $_; map { sprintf $_, $value } '{"a": %s}', '{"a":%s,"b":"x"}', ' {"b" : "y" , "a" : %s } ', '{"c":[{"a":0}],"a":%s}', '{"a":1,"a":%s}' } @values;
push @lines, '{}', '{ }', '{,}', '{"a"}', '{"a":1,}', '{"a":1 "b":2}', '{"a":1}}', '{"a":1} x', '[]', '"a"', '1', 'null', 'x', '{"A":1}', '{"ab":1}', '{"\u0061":"b"}', '{a:1}', "{\"a\"\t:\r1}";
srand 42;
for (1 .. 3000)
{
	my $line = $lines[rand @lines];
	my $at = int rand length $line;

	substr $line, $at, int rand 2, ('', '"', '\\', ',', ':', '{', '}', 'e', '-', '.', '0', ' ', 'n')[ rand 13 ];
	push @lines, $line;
}
@lines = grep { /\S/ && !/\n/ } @lines;
open my $file, '>:raw', "$folder/lines.ndjson" or die $!;
print $file "$_\n" for @lines;
close $file or die $!;

$node->safe_psql('postgres', qq{
	CREATE EXTENSION sync_ext;
	CREATE TABLE target (line int PRIMARY KEY, a text, b text, a_json jsonb, id uuid);
	SELECT sync_create_stream('plain', 'target', '{line}', file => '$folder/lines.ndjson', format => 'ndjson',
		columns => 'line, a, b, a AS a_json', max_rejects => 1000000);
	SELECT sync_run('plain');
	CREATE TABLE lines AS SELECT line, content
		FROM string_to_table(convert_from(pg_read_binary_file('$folder/lines.ndjson'), 'LATIN1'), E'\\n') WITH ORDINALITY AS l (content, line)
		WHERE content <> '';
	CREATE FUNCTION parsed(content text) RETURNS json LANGUAGE plpgsql AS \$\$
	BEGIN
		content := convert_from(convert_to(content, 'LATIN1'), 'UTF8');
		IF json_typeof(content::json) <> 'object' THEN RETURN NULL; END IF;
		RETURN content;
	EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
		RETURN NULL;
	END \$\$});

my $good = $node->safe_psql('postgres', 'SELECT count(*) FROM lines WHERE parsed(content) IS NOT NULL');
my $bad = @lines - $good;
cmp_ok($good, '>', 300, 'many lines are objects');
cmp_ok($bad, '>', 500, 'and many are none');
is($node->safe_psql('postgres', q{
	SELECT l.line, content, a, b, a_json FROM lines AS l FULL JOIN target AS t USING (line)
	WHERE (parsed(content) ->> 'a', parsed(content) ->> 'b') IS DISTINCT FROM (a, b)
		OR (parsed(content) IS NULL) <> (t.line IS NULL)
		OR parsed(content) ->> 'a' IS NOT NULL AND (parsed(content) -> 'a')::jsonb IS DISTINCT FROM a_json}),
	'', 'their fields are what the parser of the server finds');
is($node->safe_psql('postgres', q{
	SELECT count(*), count(DISTINCT line_number), min(error_sqlstate) LIKE '22%', count(*) FILTER (WHERE refused_at = 'read') FROM sync_rejects}),
	"$bad|$bad|t|$bad", 'each other line is put aside by itself');
is($node->safe_psql('postgres', q{SELECT error_message FROM sync_rejects JOIN lines ON line = line_number WHERE content = '{"a": 01}' LIMIT 1}),
	'invalid input syntax for type json', 'with what that parser says');

# UUIDs in all forms that the type takes, and in some that it does not
my $uuid = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11';
my @uuids = ($uuid, uc $uuid, $uuid =~ s/-//gr, "{$uuid}", $uuid =~ s/^(.{4})/$1-/r, ' ' . $uuid, $uuid . '0', substr($uuid, 0, 35),
	$uuid =~ s/-/_/r, $uuid =~ s/f/g/r, $uuid =~ s/9-9/99-/r, '', "$uuid ", 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1-');
open $file, '>', "$folder/uuids.ndjson" or die $!;
print $file map { qq({"id": "$_"}\n) } @uuids;
close $file or die $!;
$node->safe_psql('postgres', qq{
	TRUNCATE target, sync_rejects;
	SELECT sync_create_stream('uuids', 'target', '{line}', file => '$folder/uuids.ndjson', format => 'ndjson',
		columns => 'line, id', max_rejects => 100);
	SELECT sync_run('uuids')});
for my $i (0 .. $#uuids)
{
	my ($out, $err) = ('', '');

	$node->psql('postgres', "SELECT '$uuids[$i]'::uuid", stdout => \$out, stderr => \$err);
	is($node->safe_psql('postgres', 'SELECT id FROM target WHERE line = ' . ($i + 1)), $out, "\"$uuids[$i]\" is read as the type reads it");
}

$node->stop;
done_testing();
