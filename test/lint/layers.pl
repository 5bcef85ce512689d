#!/usr/bin/perl
# includes go down the floors, and what has one place stands there only
# (the floors are the table of src/README.md; never sideways, never up)
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Lint;

my @one_place = (
	[ qr{#include\s*"executor/spi\.h"}, qr{^src/kit/kit_spi\.c$}, 'executor/spi.h belongs to kit_spi.c' ],
	[ qr{#include\s*[<"]libpq-fe\.h[>"]}, qr{^src/remote/}, 'libpq-fe.h belongs to remote/' ],
	[ qr{#include\s*[<"]curl/}, qr{^src/http/}, 'curl belongs to http/' ],
	[ qr{\bPG_VERSION_NUM\b}, qr{/kit_compat(?:_\w+)?\.h$}, 'PG_VERSION_NUM belongs to kit_compat.h' ],
	[ qr{\bRegister(?:Dynamic)?BackgroundWorker\b}, qr{^src/(?:history|worker)/}, 'background workers are registered in history/ and worker/' ],
	[ qr{\bPG_FUNCTION_INFO_V1\b}, qr{_sql\.c$}, 'PG_FUNCTION_INFO_V1 belongs to a face file, *_sql.c' ],
);

# the floors, and the line of each folder's row
my (%floor, %row);
my $n = 0;
for (split /\n/, slurp('src/README.md'))
{
	$n++;
	($floor{$2}, $row{$2}) = ($1, $n) if /^\|\s*(\d+)\s*\|\s*`(\w+)\/`\s*\|/;
}

my %folder = map { m{^src/(\w+)/} ? ($1 => $_) : () } reverse(files(qr{^src/\w+/}));
finding('src/README.md', $row{$_}, "$_/ has a row but no files") for grep { !$folder{$_} } sort keys %row;
finding($folder{$_}, 1, "$_/ has no row in src/README.md") for grep { !defined $floor{$_} } sort keys %folder;

for my $file (files(qr{^(?:src/.*|sync_ext)\.[ch]$}))
{
	my $own = $file =~ m{^src/(\w+)/} ? $1 : '';
	my $height = $own ? $floor{$own} // 99 : 99;
	my $text = blank(slurp($file));

	while ($text =~ /^[ \t]*#\s*include\s*"([^"]+)"/mg)
	{
		my ($to, $line) = ($1, line_of($text, $-[0]));
		my ($dir) = $to =~ m{^(\w+)/};

		finding($file, $line, "\"$to\" is not written from src/") if $to =~ /\.\./ || $own && -f "$root/src/$own/$to";
		next unless defined $dir && defined $floor{$dir} && $dir ne $own;
		finding($file, $line, "$own/ (floor $height) includes $dir/ (floor $floor{$dir}), which is not lower") if $floor{$dir} >= $height;
	}
	for (@one_place)
	{
		my ($what, $where, $message) = @$_;
		next if $file =~ $where;
		finding($file, line_of($text, $-[0]), $message) while $text =~ /$what/g;
	}
}
