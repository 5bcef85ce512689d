#!/usr/bin/perl
# heads, guards and prefixes name the file and the folder they stand in
# (and postgres.h comes first in each .c, and never stands in a .h)
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Lint;

my %functions = map { $_ => [ functions(slurp($_)) ] } files(qr{^(?:src/.*|sync_ext)\.[ch]$});

for my $file (sort keys %functions)
{
	my $text = slurp($file);
	my $code = blank($text);
	my ($base) = $file =~ m{([^/]+)$};
	my ($part) = $file =~ m{^src/(\w+)/};
	my @include = $code =~ /^#\s*include\s*[<"]([^">]+)/mg;

	finding($file, 3, "the head names another file than $base") unless $text =~ m{\A/\*-+\n \*\n \* \Q$base\E\n};

	if ($file =~ /\.h$/)
	{
		my $guard = uc($base =~ s/\W/_/gr);

		finding($file, 1, "the include guard is not $guard")
			unless $code =~ /\A\s*#ifndef $guard\s*\n#define $guard\s*\n/ && $text =~ /#endif\s+\/\* $guard \*\/\s*\z/;
		finding($file, 1, 'a header never includes postgres.h') if grep { $_ eq 'postgres.h' } @include;
		while ($code =~ /^extern\s[^;=(]*?\b(?!pg_)(\w+)\s*\((?!\s*\*)/mg)
		{
			my ($name, $line) = ($1, line_of($code, $-[0]));
			finding($file, $line, "$name is not implemented in the header's own folder") unless implemented($file, $name);
		}
	}
	else
	{
		finding($file, 1, 'postgres.h is not the first include') unless @include && $include[0] eq 'postgres.h';
	}
	for (@{ $functions{$file} })
	{
		my ($name, $line) = ($_->{name}, $_->{type});
		my $prefix = $part ? qr/^sync_(?:\Q$part\E|sql)_/ : qr/^(?:_PG_init$|sync_)/;

		finding($file, $line, "static $name starts with sync_") if $_->{static} && $file =~ /\.c$/ && $name =~ /^sync_/;
		finding($file, $line, 'extern ' . $name . ' does not start with sync_' . ($part ? "${part}_" : '')) if !$_->{static} && $name !~ $prefix;
	}
}

sub implemented
{
	my ($header, $name) = @_;
	my ($folder) = $header =~ m{^(.*/)};
	return grep { m{^\Q$folder\E[^/]+\.c$} && grep { $_->{name} eq $name } @{ $functions{$_} } } keys %functions;
}
