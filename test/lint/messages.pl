#!/usr/bin/perl
# each report of WARNING and up has an SQLSTATE and PostgreSQL's style
# (a message is a phrase; a detail and a hint are sentences)
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Lint;

my $quiet = qr/^\s*(?:DEBUG\d|LOG|LOG_SERVER_ONLY|COMMERROR|INFO|NOTICE)\s*$/;
my $banned = qr/\b(failed to|unable to|illegal|bad|unknown)\b/i;

for my $file (files(qr{^(?:src/.*|sync_ext)\.[ch]$}))
{
	my $text = blank(slurp($file));
	my $code = blank($text, 1);

	while ($code =~ /\b(ereport|elog)\s*\(/g)
	{
		my ($call, $line) = ($1, line_of($text, $-[0]));
		my ($level, @items) = args($text, $+[0]);
		my $known = blank(join(',', @items), 1) =~ /errcode\w*\s*\(/;

		finding($file, $line, "ereport($level) without errcode") if $call eq 'ereport' && $level !~ $quiet && !$known;
		finding($file, $line, "elog($level) is for no one: use ereport") if $call eq 'elog' && $level =~ /WARNING|NOTICE|INFO|LOG/;
	}
	while ($code =~ /\b(errmsg|errdetail|errhint)(\w*)\s*\(/g)
	{
		my ($kind, $tail, $line) = ($1, $2, line_of($text, $-[0]));
		my @texts = args($text, $+[0]);

		for (map { literals($_) } @texts[ 0 .. ($tail =~ /plural/) ])
		{
			my $wrong = $kind eq 'errmsg' ? phrase($_) : sentence($_);
			finding($file, $line, "$kind $wrong: $_") if $wrong;
		}
	}
}

# The string literals of an argument, those that the compiler joins joined.
sub literals
{
	my ($arg) = @_;
	$arg =~ s/"\s*(?:\w*INT64_FORMAT|PRI\w+)?\s*"//g;
	return $arg =~ /"((?:[^"\\]|\\.)*)"/g;
}

sub phrase
{
	local ($_) = @_;
	return /^[A-Z](?![A-Z\d_]+\b)/ ? 'starts with a capital' : /\.\s*$/ ? 'ends with a full stop' : /\\n/ ? 'has a line end' : /$banned/ ? "says \"$1\"" : '';
}

sub sentence
{
	local ($_) = @_;
	return !/^(?:[A-Z\d%('_]|\\")/ ? 'does not start with a capital' : !/(?:[.?!]\)?|%[sm])$/ ? 'does not end with a full stop' : '';
}
