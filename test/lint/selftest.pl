#!/usr/bin/perl
# Prove a check by its cases: small trees in which it must find what the case
# says, no less and no more.  cases/CHECK reads: files that every case starts with,
# as "--- path" and their text ("--- path * 7": seven times; the same path again:
# added to it); then cases, as "== title", "! file:line: finding", and own files.
use strict;
use warnings;
use File::Basename;
use File::Path 'make_path';
use File::Temp 'tempdir';

my $check = shift or die "usage: $0 check\n";
my $name = basename($check) =~ s/\.\w+$//r;
my $run = $check =~ /\.pl$/ ? 'perl' : 'sh';
my $cases = dirname($check) . "/cases/$name";

open my $in, '<', $cases or do { print "$cases: no case proves this check\n"; exit 1 };
my ($base, @case) = split /^(?=== )/m, "\n" . do { local $/; <$in> };
my ($caught, $clean, $failed) = (0, 0, 0);

for my $case (@case)
{
	my ($title) = $case =~ /^== (.*)/;
	my @expected = $case =~ /^! (.*)/mg;
	my $tree = tempdir(CLEANUP => 1);
	plant($tree, $_) for $base, $case;
	my @found = split /\n/, `$run '$check' '$tree' 2>&1`;

	my @missed = grep { my $want = $_; !grep { fits($_, $want) } @found } @expected;
	my @stray = grep { my $got = $_; !grep { fits($got, $_) } @expected } @found;
	@expected ? $caught++ : $clean++;
	next unless @missed || @stray || ($? != 0) != (@expected > 0);
	$failed = 1;
	print "$cases: $title\n", map({ "    missed: $_\n" } @missed), map({ "    stray: $_\n" } @stray);
}
print "$cases: one case to catch and one to pass are the least\n" unless $caught && $clean;
exit($failed || !$caught || !$clean);

sub fits
{
	my ($got, $want) = @_;
	my ($where, $what) = $want =~ /^(\S+:\d+: )(.*)/;
	return index($got, $where) == 0 && index($got, $what) > 0;
}

sub plant
{
	my ($tree, $text, %begun) = @_;

	while ($text =~ /^--- (\S+)(?: \* (\d+))?\n(.*?)(?=^--- |\z)/msg)
	{
		my ($path, $times, $body) = ("$tree/$1", $2 // 1, $3);

		$body =~ s/\n*\z/\n/;
		make_path(dirname($path));
		open my $out, $begun{$path}++ ? '>>' : '>', $path or die "$path: $!";
		print $out $body x $times;
	}
}
