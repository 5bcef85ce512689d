#!/usr/bin/perl
# no file and no function is longer than its kind may be
# (what outgrows its limit is two things)
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Lint;

my $function_limit = 100;
my @limits = (
	[ qr{^(?:src/.*|sync_ext)\.c$} => 600 ],
	[ qr{^src/.*\.h$} => 150 ],
	[ qr{^src/.*\.sql$} => 300 ],
	[ qr{^README\.md$} => 300 ],
	[ qr{^src/README\.md$} => 120 ],
	[ qr{^test/lint/[^/]+\.(?:pl|sh)$} => 59 ],
);

for (@limits)
{
	my ($pattern, $limit) = @$_;

	for my $file (files($pattern))
	{
		my $lines = slurp($file) =~ tr/\n//;
		finding($file, $lines, "$lines lines, $limit at most") if $lines > $limit;
	}
}

for my $file (files(qr{^(?:src/.*|sync_ext)\.[ch]$}))
{
	for (functions(slurp($file)))
	{
		my $lines = $_->{end} - $_->{open} - 1;
		finding($file, $_->{type}, "$_->{name} has $lines lines, $function_limit at most") if $lines > $function_limit;
	}
}
