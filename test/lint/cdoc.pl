#!/usr/bin/perl
# each function has a comment directly above its definition
# (static or extern, in a .c or inline in a .h)
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Lint;

for my $file (files(qr{^(?:src/.*|sync_ext)\.[ch]$}))
{
	my $text = slurp($file);
	my @line = ('', split /\n/, $text);

	for (functions($text))
	{
		my $above = $_->{type} - 1;

		$above-- while $line[$above] =~ /^#\s*if/;
		finding($file, $_->{type}, "$_->{name} has no comment above it") unless $line[$above] =~ m{\*/\s*$};
	}
}
