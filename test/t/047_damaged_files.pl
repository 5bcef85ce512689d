# Files that are damaged, hostile or just odd: what is one record's fault is put aside by
# itself, what is the file's fails the run with its name, and memory stays bounded.

use strict;
use warnings;

use IO::Compress::Gzip 'gzip';
use POSIX 'mkfifo';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $node = start_node('damaged');
my $folder = PostgreSQL::Test::Utils::tempdir();
my $nstreams = 0;

chmod 0755, $folder;
$node->safe_psql('postgres', q{
	CREATE EXTENSION sync_ext;
	CREATE TABLE target (id int PRIMARY KEY, v text)});

sub write_file
{
	my ($name, $content) = @_;

	open my $file, '>:raw', "$folder/$name" or die "$folder/$name: $!";
	print $file $content;
	close $file or die "$folder/$name: $!";
	return;
}

sub packed
{
	my ($content) = @_;

	gzip(\$content => \my $bytes) or die 'gzip';
	return $bytes;
}

# Load a file into the empty target: read, inserted and rejected, the rows, and the
# rejects with their lines; or what went wrong.
sub load
{
	my ($name, $max_rejects) = @_;
	my $stream = 's' . ++$nstreams;
	my ($out, $err) = try_sql($node, 'postgres', sprintf(q{
		SET client_min_messages = error;
		TRUNCATE target;
		SELECT sync_create_stream('%1$s', 'target', '{id}', file => '%2$s', max_rejects => %3$d) \g /dev/null
		SELECT concat_ws(' ', rows_read, inserted, rejected) FROM sync_run('%1$s');
		SELECT id || ':' || v FROM target ORDER BY id LIMIT 5;
		SELECT concat_ws(' ', line_number, error_sqlstate, left(raw #>> '{}', 40)) FROM sync_rejects WHERE stream_name = '%1$s' ORDER BY reject_id LIMIT 5},
		$stream, "$folder/$name", $max_rejects // 0));

	return $err || join ', ', split /\n/, $out;
}

# Bytes that are zero

write_file('nul.csv', "id,v\n1,a\0b\n2,c\n3,\0\0\n4,\"x\ny\0\"\n5,e\n");
write_file('nul.ndjson', qq~{"id": 1, "v": "a\0b"}\n{"id": 2, "v": "c"}\n~);
like(load('nul.csv'), qr/22021: invalid byte sequence for encoding "UTF8": 0x00\n.*CONTEXT:  file ".*nul\.csv", line 2\n/s, 'a byte that is zero fails the run');
is(load('nul.csv', 5), '5 2 3, 2:c, 5:e, 2 22021 1,a\x00b, 4 22021 3,\x00\x00, 5 22021 4,x, y\x00', 'or is the fault of its line alone');
is(load('nul.ndjson', 5), '2 1 1, 2:c, 1 22021 {"id":1,"v":"a\x00b"}' =~ s/":/": /gr =~ s/1,"v/1, "v/r, 'in JSON too');
write_file('many.csv', "id,v\n" . join '', map { "$_," . ($_ % 997 == 5 ? "\0" : 'v') . "\n" } 1 .. 50000);
like(load('many.csv', 100), qr/^50000 49949 51, 1:v/, 'in many lines');
is($node->safe_psql('postgres', 'SELECT count(*) FROM sync_rejects WHERE stream_name = ' . "'s$nstreams'" . ' AND (line_number - 1) % 997 = 5'), '51',
	'each is told by its line');
write_file('hole.csv', "id,v\n1,a\n" . "\0" x 300_000);
like(load('hole.csv', 5), qr/^2 1 1, 1:a, 3 22021 \\x00/, 'a hole at the end');
write_file('header.csv', "id,v\0\n1,a\n");
like(load('header.csv', 5), qr/22021: invalid byte.*0x00\n.*header\.csv", line 1/s, 'not in a header');
write_file('wide.csv', join '', map { "$_\0" } split //, "id,v\n1,a\n");
like(load('wide.csv', 5), qr/22021.*wide\.csv", line 1/s, 'nor in a file of wide characters that does not say so');

# Odd, but right

write_file('mark.csv', "\xef\xbb\xbfid,v\r\n1,a\r\n2,b\r\n");
write_file('mark.ndjson', qq~\xef\xbb\xbf{"id": 1, "v": "a"}\r\n{"id": 2, "v": "b"}\r\n~);
write_file('returns.csv', "id,v\r1,a\r2,b\r");
is(load($_), '2 2 0, 1:a, 2:b', "$_ is right") for 'mark.csv', 'mark.ndjson', 'returns.csv';
write_file('twice.ndjson', qq~{"id": 7, "v": "first", "id": 1, "v": "last"}\n~);
is(load('twice.ndjson'), '1 1 0, 1:last', 'of a name that comes twice the last one counts');
symlink 'mark.csv', "$folder/link.csv" or die;
is(load('link.csv'), '2 2 0, 1:a, 2:b', 'a link is followed');
write_file($_->[0], packed($_->[1])) for [ 'packed.csv.gz', "id,v\n1,a\n2,b\n" ], [ 'packed.ndjson.gz', qq~{"id": 1, "v": "a"}\n{"id": 2, "v": "b"}\n~ ];
is(load($_), '2 2 0, 1:a, 2:b', "$_ is unpacked") for 'packed.csv.gz', 'packed.ndjson.gz';

# What is nested deeper than the server's parser goes

for my $depth (5_000, 100_000)
{
	my $deep = '[' x $depth . ']' x $depth;

	write_file('deep.ndjson', qq~{"id": 1, "v": $deep}\n{"id": 2, "v": "b"}\n~);
	write_file('deep.json', qq~[{"id": 1, "v": $deep}, {"id": 2, "v": "b"}]~);
	like(load($_, 5), qr/^2 (2 0, 1:\[\[|1 1, 2:b, 1 54001 \{"id": 1, "v": \[\[)/, "$depth brackets in $_ are one record's fault at most") for 'deep.ndjson', 'deep.json';
}

# What is no file, or has no end

mkfifo("$folder/pipe.ndjson", 0666) or die $!;
symlink '/dev/zero', "$folder/zero.ndjson" or die;
symlink 'loop.csv', "$folder/loop.csv" or die;
symlink 'nowhere', "$folder/nowhere.csv" or die;
like(load($_), qr/42809: cannot read ".*$_"\nDETAIL:  It is no file/, "$_ is refused, and not waited for") for 'pipe.ndjson', 'zero.ndjson';
like(load('loop.csv'), qr/could not open file ".*loop\.csv": Too many levels/, 'a link to itself');
like(load('nowhere.csv'), qr/58P01: could not open file ".*nowhere\.csv": No such file/, 'a link to nothing');

# Packed, and cut or damaged at any byte

my $whole = packed(join '', map { qq({"id": $_, "v": "value $_"}\n) } 1 .. 50);
for my $length (2 .. length($whole) - 1)
{
	write_file('cut.ndjson.gz', substr $whole, 0, $length);
	my $result = load('cut.ndjson.gz', 50);
	fail("$length bytes: $result") unless $result =~ /XX001: file ".*cut\.ndjson\.gz" is cut off\nDETAIL:  It is compressed, and ends after $length bytes/;
}
write_file('damaged.ndjson.gz', substr($whole, 0, -8) . "\1\2\3\4" . substr $whole, -4);
like(load('damaged.ndjson.gz', 50), qr/XX001: could not unpack file ".*damaged\.ndjson\.gz": incorrect data check/, 'a sum that is wrong');
write_file('trailing.ndjson.gz', "${whole}more");
like(load('trailing.ndjson.gz', 50), qr/XX001: could not unpack file ".*trailing\.ndjson\.gz": incorrect header check/, 'more behind it');
is($node->safe_psql('postgres', 'SELECT count(*) FROM target'), '0', 'nothing of them is there');

# Small files that are large

SKIP:
{
	my $peak = q{(regexp_match(pg_read_file('/proc/self/status', 0, 10000, true), 'VmHWM:\s*(\d+)'))[1]::int / 1024};
	my $fill = 'x' x 50_000_000;
	my ($out, $err);

	skip 'a sanitizer keeps freed memory back', 4 if ($ENV{LD_PRELOAD} // '') =~ /asan/;
	write_file('bomb.csv.gz', packed("id,v\n1,") . packed($fill) x 24);
	write_file('bomb.ndjson.gz', packed('{"id": 1, "v": "') . packed($fill) x 24);
	for my $name ('bomb.csv.gz', 'bomb.ndjson.gz')
	{
		$node->safe_psql('postgres', "SELECT sync_create_stream('$name', 'target', '{id}', file => '$folder/$name')");
		($out, $err) = try_sql($node, 'postgres', qq{
			DO \$\$ BEGIN PERFORM sync_run('$name'); EXCEPTION WHEN program_limit_exceeded THEN RAISE NOTICE '%', SQLERRM; END \$\$;
			SELECT $peak});
		like($err, qr/NOTICE:  00000: a record of file ".*$name" is too long/, "a record without end in $name is an error");
		cmp_ok($out, '<', 700, 'before memory is full');
	}
}
unlike(slurp_file($node->logfile), qr/leak|still referenced/, 'no file is left open');

$node->stop;
done_testing();
