#!/usr/bin/perl
# settings stand in order, and the version stands in one place
# (META.json and CHANGELOG.md agree; no chores, no paths of one machine)
use strict;
use warnings;
use FindBin;
use JSON::PP;
use lib $FindBin::Bin;
use Lint;

my $settings = 'src/kit/kit_settings.c';
my ($version) = slurp('sync_ext.control') =~ /^default_version\s*=\s*'([^']+)'/m;
my $text = blank(slurp($settings));
my $last = '';

finding('sync_ext.control', 1, 'has no default_version'), exit unless $version;
while ($text =~ /\bDefineCustom\w+Variable\s*\(\s*"([^"]+)"/g)
{
	finding($settings, line_of($text, $-[0]), "$1 comes after $last") if $1 lt $last;
	$last = $1;
}

if (my $meta = slurp('META.json'))
{
	my $said = decode_json($meta);
	my @versions = grep { defined } $said->{version}, map { $_->{version} } values %{ $said->{provides} };

	finding('META.json', 1, "says version $_, the control file $version") for grep { $_ ne $version } @versions;
	finding('META.json', 1, 'names no version') unless @versions;
}
if (my $log = slurp('CHANGELOG.md'))
{
	my ($newest) = $log =~ /^##\s*(.*)/m;
	finding('CHANGELOG.md', 1, "the newest heading is not of $version") unless ($newest // '') =~ /(?<![\d.])\Q$version\E(?![\d.])/;
}

for my $file (files(qr{^(?!test/lint/cases/)}))
{
	next if -B "$root/$file";
	my $line = 0;
	my $free = $file =~ m{^(?:sync_ext\.control|META\.json|CHANGELOG\.md)$};

	for (split /\n/, slurp($file))
	{
		$line++;
		finding($file, $line, "the version $version is written again") if !$free && /(?<![\d.])\Q$version\E(?![\d.]*\d)/;
		finding($file, $line, "$1: a chore is done, not left in a file") if /\b(T[O]DO|F[I]XME|X[X]X|H[A]CK)\b(?!\/)/;
		finding($file, $line, 'names a place of one machine') if m{(?<![\w.\$\}/])/(?:r[o]ot|h[o]me|w[o]rk)/};
	}
}
