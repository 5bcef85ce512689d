#!/usr/bin/perl
# each SQL object has its COMMENT, and each function says who may call it
# (and install pieces replace nothing, and hold no plpgsql)
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Lint;

my $kinds = qr/TABLE|VIEW|MATERIALIZED VIEW|FUNCTION|PROCEDURE|AGGREGATE|TYPE|DOMAIN|SEQUENCE/;
my $name = qr/(?:\@extschema\@\.)?"?(\w+)"?/;

for my $file (files(qr{^src/\w+/[^/]+\.sql$}))
{
	my $raw = slurp($file);
	my $text = blank_sql($raw);
	my @line = ('', split /\n/, $raw);
	my (%said, %guarded);

	$said{ lc "$1 $2" . ($3 // '') } = 1 while $text =~ /^COMMENT\s+ON\s+($kinds|COLUMN)\s+$name(\.\w+)?/mgi;
	while ($text =~ /^(?:REVOKE|GRANT)\b[^;]*?\bON\s+(?:FUNCTION|PROCEDURE|ROUTINE)\s([^;]*)/mgi)
	{
		my $to = $1;
		$guarded{lc $1} = 1 while $to =~ /(\w+)\s*\(/g;
	}

	while ($text =~ /^CREATE\s+(OR\s+REPLACE\s+)?(?:UNLOGGED\s+)?($kinds)\s+(IF\s+NOT\s+EXISTS\s+)?$name/mgi)
	{
		my ($lax, $kind, $object, $at, $line) = ($1 || $3, uc $2, $4, $+[0], line_of($text, $-[0]));

		finding($file, $line, "$object: a plain CREATE, so that nothing planted is taken over") if $lax;
		finding($file, $line, "$kind $object has no COMMENT") unless $said{ lc "$kind $object" };
		finding($file, $line, "$object is left to PUBLIC without a word")
			if $kind =~ /FUNCTION|PROCEDURE/ && !$guarded{lc $object} && $line[ $line - 1 ] !~ /^-- public: \S/;

		next unless $kind eq 'TABLE' && substr($text, $at) =~ /^\s*\(/;
		for (args($text, $at + $+[0]))
		{
			next if /^\s*(?:CONSTRAINT|PRIMARY|UNIQUE|CHECK|FOREIGN|EXCLUDE|LIKE)\b/i || !/^\s*"?(\w+)/;
			finding($file, $line, "COLUMN $object.$1 has no COMMENT") unless $said{ lc "column $object.$1" };
		}
	}
	finding($file, line_of($text, $-[0]), 'plpgsql ships nowhere') while $text =~ /\bLANGUAGE\s+'?plpgsql|^DO\b/mgi;
}

# SQL with comments, strings and dollar-quoted bodies blanked.
sub blank_sql
{
	my ($t) = @_;
	$t =~ s{(--[^\n]*|/\*.*?\*/|'(?!plpgsql)(?:[^']|'')*'|(\$\w*\$).*?\g2)}{hush($1)}gse;
	return $t;
}
