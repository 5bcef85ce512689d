#!/usr/bin/perl
# each test is listed and has its answer, and each answer has its test
# (and a TAP test is named by a number of its own and what it proves)
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Lint;

my $make = slurp('Makefile') =~ s/\\\n/ /gr;

for ([ 'REGRESS', 'sql', 'sql' ], [ 'ISOLATION', 'test/specs', 'spec' ])
{
	my ($variable, $folder, $ext) = @$_;
	my %listed = map { $_ => 1 } map { split } $make =~ /^$variable\s*[:+?]?=([^#\n]*)/mg;

	for my $file (files(qr{^\Q$folder\E/[^/]+\.$ext$}))
	{
		my ($name) = $file =~ m{([^/]+)\.$ext$};

		finding($file, 1, "not in $variable of the Makefile") unless delete $listed{$name};
		finding($file, 1, "has no answer expected/$name.out") unless -f "$root/expected/$name.out";
	}
	finding('Makefile', 1, "$variable names $_, but there is no $folder/$_.$ext") for sort keys %listed;
}

for my $file (files(qr{^expected/}))
{
	my ($name) = $file =~ m{^expected/(\w+)\.out$};

	finding($file, 1, 'is the answer to no test')
		unless defined $name && grep { -f "$root/sql/$_.sql" || -f "$root/test/specs/$_.spec" } $name, $name =~ s/_\d$//r;
}

my %number;
for my $file (files(qr{^test/t/}))
{
	my ($n) = $file =~ m{^test/t/(\d{3})_[a-z][a-z0-9_]*\.pl$};

	finding($file, 1, 'is not named NNN_property.pl') unless defined $n;
	finding($file, 1, "has the number of $number{$n}") if defined $n && $number{$n};
	$number{$n} //= $file if defined $n;
}

finding($_, 1, 'was left behind by patch or git') for files(qr{\.(?:rej|orig)$});
